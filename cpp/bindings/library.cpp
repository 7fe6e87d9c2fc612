// SPDX-License-Identifier: Apache-2.0
#include "library.h"

#include <nanobind/stl/filesystem.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>
#include <string.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "array.h"
#include "chiphost/abi/tensor.h"
#include "isolate/instance.h"
#include "patience.h"
#include "python_output.h"
#include "raise.h"
#include "status/report.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace chiphost::bindings {

namespace {

using isolate::Argument;
using isolate::Instance;
using isolate::Parameter;
using isolate::Signature;
using isolate::Timeout;
using isolate::Type;
using isolate::Value;

// (kind, dtype or -1, label): kind is "void", "scalar", "pointer", "text", "in", "out" or "inout"; the dtype is that of
// a scalar or of a buffer's elements; the label is for messages.
using PyType = std::tuple<std::string, int, std::string>;

Type scalar_type(int dtype) {
    switch (dtype) {
        case CH_BOOL:
            return Type::boolean;
        case CH_INT8:
            return Type::int8;
        case CH_INT16:
            return Type::int16;
        case CH_INT32:
            return Type::int32;
        case CH_INT64:
            return Type::int64;
        case CH_UINT8:
            return Type::uint8;
        case CH_UINT16:
            return Type::uint16;
        case CH_UINT32:
            return Type::uint32;
        case CH_UINT64:
            return Type::uint64;
        case CH_FLOAT32:
            return Type::float32;
        case CH_FLOAT64:
            return Type::float64;
        default:
            throw nb::value_error("no C type has this dtype");
    }
}

Parameter parameter_of(const PyType& type) {
    const std::string& kind = std::get<0>(type);
    if (kind == "void") return {Type::none};
    if (kind == "pointer") return {Type::pointer};
    if (kind == "text") return {Type::text};
    if (kind == "in") return {Type::buffer, isolate::Access::in};
    if (kind == "out") return {Type::buffer, isolate::Access::out};
    if (kind == "inout") return {Type::buffer, isolate::Access::inout};
    return {scalar_type(std::get<1>(type))};
}

ch_access access_of(isolate::Access access) {
    return access == isolate::Access::in ? CH_IN : access == isolate::Access::out ? CH_OUT : CH_INOUT;
}

// Seconds as Python gives them; None: the fallback; 0: for ever.
Timeout timeout_of(nb::handle timeout_s, Timeout fallback) {
    if (timeout_s.is_none()) return fallback;
    const uint64_t word = scalar_word(timeout_s, CH_FLOAT64, "timeout_s");
    double seconds = 0;
    memcpy(&seconds, &word, sizeof seconds);
    if (!(seconds >= 0)) {  // NaN too
        raise(CH_CONFIG_OUT_OF_RANGE, "timeout_s",
              "wanted 0 or more, found " + nb::cast<std::string>(nb::str(nb::float_(seconds))));
    }
    if (seconds == 0 || seconds >= 1e9) return isolate::no_timeout;
    return Timeout(static_cast<int64_t>(seconds * 1e9));
}

// Keeps an instance open. The last one closes it, which runs code of the library and may take its time.
class Owner {
public:
    explicit Owner(std::shared_ptr<Instance> instance) : instance_(std::move(instance)) {}
    Owner(const Owner&) = default;
    Owner& operator=(const Owner&) = delete;
    ~Owner() {
        try {
            const CallGuard guard;
            const nb::gil_scoped_release unlocked;
            instance_.reset();
        } catch (const nb::python_error&) {
            new std::shared_ptr<Instance>(std::move(instance_));  // the process is ending: it stays open
        }
    }
    Instance* operator->() const { return instance_.get(); }
    const std::shared_ptr<Instance>& shared() const { return instance_; }

private:
    std::shared_ptr<Instance> instance_;
};

size_t bytes_of(const ch_tensor& tensor) {
    size_t bytes = ch_dtype_bytes(tensor.dtype);
    for (uint32_t dim = 0; dim < tensor.ndims; ++dim) bytes *= tensor.shape[dim];
    return bytes;
}

// A block of memory on a library's side. Keeps no library open.
class LibraryMemory {
public:
    LibraryMemory(std::shared_ptr<Instance> instance, const isolate::MemoryBlock& block)
        : instance_(instance), block_(block) {}

    uint64_t address() const { return block_.address; }
    uint64_t bytes() const { return block_.bytes; }
    bool is_of(Instance* instance) const { return instance_.lock().get() == instance; }
    bool freed() const { return freed_; }

    void write(nb::handle data, uint64_t offset) const {
        Pins pins;
        const ch_tensor tensor = pins.add(data, spec("write: the data", CH_IN), "write: the data");
        use([&](Instance& instance, const isolate::Wait& wait, ch_error* out_error) {
            return instance.write(block_, offset, reinterpret_cast<const void*>(tensor.data), bytes_of(tensor), wait,
                                  out_error);
        });
    }

    nb::bytes read(std::optional<uint64_t> count, uint64_t offset) const {
        const uint64_t rest = offset <= block_.bytes ? block_.bytes - offset : 0;
        const uint64_t wanted = count.value_or(rest);
        // Before so much memory is taken here.
        if (offset > block_.bytes || wanted > rest) {
            isolate::MemoryBlocks blocks;
            ch_error error = no_error();
            const Status status =
                blocks.check(blocks.add(block_.address, block_.bytes), offset, wanted, "read", &error);
            if (!status.ok()) raise(error);
        }
        nb::object result = nb::steal(PyBytes_FromStringAndSize(nullptr, static_cast<Py_ssize_t>(wanted)));
        if (!result.is_valid()) throw nb::python_error();
        use([&](Instance& instance, const isolate::Wait& wait, ch_error* out_error) {
            return instance.read(block_, offset, PyBytes_AS_STRING(result.ptr()), wanted, wait, out_error);
        });
        return nb::cast<nb::bytes>(result);
    }

    void read_into(nb::handle array, uint64_t offset) const {
        Pins pins;
        const ch_tensor tensor = pins.add(array, spec("read_into: the array", CH_OUT), "read_into: the array");
        use([&](Instance& instance, const isolate::Wait& wait, ch_error* out_error) {
            return instance.read(block_, offset, reinterpret_cast<void*>(tensor.data), bytes_of(tensor), wait,
                                 out_error);
        });
    }

    void free() {
        use([&](Instance& instance, const isolate::Wait& wait, ch_error* out_error) {
            return instance.free(block_, wait, out_error);
        });
        freed_ = true;
    }

private:
    static ArgSpec spec(const char* name, ch_access access) {
        ArgSpec spec;
        spec.name = name;
        spec.access = access;
        return spec;
    }

    template <typename Body>
    void use(Body&& body) const {
        const CallGuard guard;
        std::shared_ptr<Instance> open = instance_.lock();
        if (!open) raise(CH_FINALIZED, "memory", "the library was closed");
        const Owner owner(std::move(open));
        Patience patience(guard);
        ch_error error = no_error();
        int32_t code = CH_OK;
        {
            const nb::gil_scoped_release unlocked;
            code = body(*owner.operator->(), isolate::Wait{owner->options().timeout, patience.go_on()}, &error);
        }
        patience.raise_if_failed(code, error);
    }

    const std::weak_ptr<Instance> instance_;
    const isolate::MemoryBlock block_;
    bool freed_ = false;
};

// A function and how its arguments are made. Immutable.
class LibraryFunction {
public:
    LibraryFunction(Owner owner, isolate::Symbol symbol, const PyType& result, const std::vector<PyType>& parameters,
                    Timeout timeout)
        : owner_(std::move(owner)), symbol_(std::move(symbol)), timeout_(timeout) {
        signature_.result = parameter_of(result).type;
        for (const PyType& type : parameters) {
            const auto& [kind, dtype, label] = type;
            signature_.parameters.push_back(parameter_of(type));
            ArgSpec spec;
            spec.name = symbol_.name + ": argument " + std::to_string(specs_.size() + 1) + " (" + label + ")";
            spec.dtype = dtype;
            spec.access = access_of(signature_.parameters.back().access);
            specs_.push_back(std::move(spec));
        }
    }

    nb::object call(const nb::args& values, nb::handle timeout_s) const {
        const CallGuard guard;
        write_python_output();
        const Timeout timeout = timeout_of(timeout_s, timeout_);
        if (values.size() != specs_.size()) {
            raise(CH_ARGUMENT_COUNT, symbol_.name,
                  "wanted " + std::to_string(specs_.size()) + " arguments, found " + std::to_string(values.size()));
        }
        auto pins = std::make_unique<Pins>();
        std::vector<Argument> arguments;
        arguments.reserve(specs_.size());
        for (size_t i = 0; i < specs_.size(); ++i) arguments.push_back(bind(i, values[i], *pins));

        Patience patience(guard);
        Value value;
        bool abandoned = false;
        ch_error error = no_error();
        int32_t code = CH_OK;
        {
            const nb::gil_scoped_release unlocked;
            code = owner_->call(symbol_, signature_, arguments.data(), {timeout, patience.go_on()}, &value, &abandoned,
                                &error);
        }
        if (abandoned) {  // it still uses what it was given
            pins->abandon();
            nb::object(values).release();
        }
        patience.raise_if_failed(code, error);
        return to_python(value);
    }

    const std::string& name() const { return symbol_.name; }

private:
    Argument bind(size_t index, nb::handle value, Pins& pins) const {
        const ArgSpec& spec = specs_[index];
        switch (signature_.parameters[index].type) {
            case Type::pointer:
                return bind_pointer(value, spec.name);
            case Type::text:
                return bind_text(value, spec.name);
            case Type::buffer:
                return bind_buffer(value, spec, pins);
            default:
                return {scalar_word(value, spec.dtype, spec.name), nullptr, 0};
        }
    }

    static void refuse_function(nb::handle value, const std::string& where) {
        if (!PyCallable_Check(value.ptr())) return;
        raise(CH_SIGNATURE_UNSUPPORTED, where,
              "a function of this program cannot be called by an isolated library: the library runs on a thread of its "
              "own, where Python and other libraries of this program would find thread-specific data that is not "
              "theirs");
    }

    Argument bind_pointer(nb::handle value, const std::string& where) const {
        if (value.is_none()) return {};
        if (PyLong_Check(value.ptr())) return {scalar_word(value, CH_UINT64, where), nullptr, 0};
        if (type_of(value) == "c_void_p") return bind_pointer(value.attr("value"), where);
        if (nb::object core = nb::getattr(value, "_core", nb::none()); nb::isinstance<LibraryMemory>(core)) {
            return bind_memory(nb::cast<const LibraryMemory&>(core), where);
        }
        refuse_function(value, where);
        raise(CH_INVALID_ARGUMENT, where,
              "wanted an address that the library returned (int, None or c_void_p), or memory that its alloc() made; "
              "found " +
                  type_of(value) + "; describe memory of this program with In, Out or InOut");
    }

    Argument bind_memory(const LibraryMemory& memory, const std::string& where) const {
        if (!memory.is_of(owner_.operator->())) {
            raise(CH_INVALID_ARGUMENT, where, "wanted memory of this library, found some that another one has made");
        }
        if (memory.freed()) raise(CH_INVALID_ARGUMENT, where, "the memory was freed");
        return {memory.address(), nullptr, 0};
    }

    static Argument bind_text(nb::handle value, const std::string& where) {
        if (value.is_none()) return {};
        if (!PyBytes_Check(value.ptr())) {
            raise(CH_INVALID_ARGUMENT, where, "wanted bytes or None, found " + type_of(value));
        }
        const char* text = PyBytes_AS_STRING(value.ptr());
        if (strlen(text) != static_cast<size_t>(PyBytes_GET_SIZE(value.ptr()))) {
            raise(CH_INVALID_ARGUMENT, where,
                  "wanted a text without NUL, found one after " + std::to_string(strlen(text)) +
                      " bytes; pass In('uint8') instead");
        }
        return Argument::text(text);
    }

    static Argument bind_buffer(nb::handle value, const ArgSpec& spec, Pins& pins) {
        if (value.is_none()) return {};
        refuse_function(value, spec.name);
        const ch_tensor tensor = pins.add(value, spec, spec.name);
        return Argument::buffer(reinterpret_cast<void*>(tensor.data), bytes_of(tensor));
    }

    nb::object to_python(const Value& value) const {
        switch (signature_.result) {
            case Type::none:
                return nb::none();
            case Type::boolean:
                return nb::bool_(value.word != 0);
            case Type::float32:
                return nb::float_(static_cast<double>(value.as_float32()));
            case Type::float64:
                return nb::float_(value.as_float64());
            case Type::pointer:  // as ctypes does it
                return value.word == 0 ? nb::object(nb::none()) : nb::object(nb::int_(value.word));
            case Type::text:
                if (value.is_null) return nb::none();
                return nb::bytes(value.text.data(), value.text.size());
            case Type::uint8:
            case Type::uint16:
            case Type::uint32:
            case Type::uint64:
                return nb::int_(value.word);
            default:
                return nb::int_(value.as_integer());
        }
    }

    const Owner owner_;
    const isolate::Symbol symbol_;
    const Timeout timeout_;
    Signature signature_;
    std::vector<ArgSpec> specs_;
};

// Any bytes, as Python's os.fsencode gives them: a file's name need not be UTF-8.
using FilePath = std::filesystem::path;

// What os.fsdecode makes of such bytes.
nb::object text_of(const std::string& path) {
    return nb::steal(PyUnicode_DecodeFSDefaultAndSize(path.data(), static_cast<Py_ssize_t>(path.size())));
}

class Library {
public:
    Library(const FilePath& path, const FilePath& anchor, const FilePath& child, const std::string& strategy,
            uint64_t stack_bytes, bool default_lookup, nb::handle timeout_s)
        : owner_(
              open(path.string(), anchor.string(), child.string(), strategy, stack_bytes, default_lookup, timeout_s)) {}

    LibraryMemory alloc(uint64_t bytes) const {
        const CallGuard guard;
        Patience patience(guard);
        isolate::MemoryBlock block;
        ch_error error = no_error();
        int32_t code = CH_OK;
        {
            const nb::gil_scoped_release unlocked;
            code = owner_->alloc(bytes, {owner_->options().timeout, patience.go_on()}, &block, &error);
        }
        patience.raise_if_failed(code, error);
        return {owner_.shared(), block};
    }

    LibraryFunction function(const std::string& name, const PyType& result, const std::vector<PyType>& parameters,
                             nb::handle timeout_s) const {
        const CallGuard guard;
        const Timeout timeout = timeout_of(timeout_s, owner_->options().timeout);
        Patience patience(guard);
        isolate::Symbol symbol;
        ch_error error = no_error();
        int32_t code = CH_OK;
        {
            const nb::gil_scoped_release unlocked;
            code = owner_->find(name, {timeout, patience.go_on()}, &symbol, &error);
        }
        patience.raise_if_failed(code, error);
        return LibraryFunction(owner_, std::move(symbol), result, parameters, timeout);
    }

    // (state, [(cause, object, what)], namespace_recycled)
    std::tuple<std::string, std::vector<std::tuple<std::string, nb::object, std::string>>, bool> close(
        nb::handle timeout_s) const {
        const CallGuard guard;
        write_python_output();
        const Timeout timeout = timeout_of(timeout_s, owner_->options().timeout);
        Patience patience(guard);
        isolate::CloseResult result;
        ch_error error = no_error();
        int32_t code = CH_OK;
        {
            const nb::gil_scoped_release unlocked;
            code = owner_->close({timeout, patience.go_on()}, &result, &error);
        }
        patience.raise_if_failed(code, error);
        std::vector<std::tuple<std::string, nb::object, std::string>> pins;
        for (const isolate::Pin& pin : result.pins) {
            pins.emplace_back(isolate::pin_cause_name(pin.cause), text_of(pin.object), pin.what);
        }
        return {isolate::close_state_name(result.state), std::move(pins), result.namespace_recycled};
    }

    const Instance& instance() const { return *owner_.operator->(); }

private:
    static std::shared_ptr<Instance> open(const std::string& path, const std::string& anchor, const std::string& child,
                                          const std::string& strategy, uint64_t stack_bytes, bool default_lookup,
                                          nb::handle timeout_s) {
        const CallGuard guard;
        write_python_output();
        isolate::Options options;
        options.strategy = strategy == "copy"      ? isolate::Strategy::copy
                           : strategy == "process" ? isolate::Strategy::process
                                                   : isolate::Strategy::link_namespace;
        options.stack_bytes = stack_bytes;
        options.default_lookup = default_lookup;
        options.timeout = timeout_of(timeout_s, isolate::no_timeout);
        options.anchor_path = anchor;
        options.child_path = child;
        Patience patience(guard);
        std::shared_ptr<Instance> instance;
        ch_error error = no_error();
        int32_t code = CH_OK;
        {
            const nb::gil_scoped_release unlocked;
            code = Instance::open(path, options, patience.go_on(), &instance, &error);
        }
        patience.raise_if_failed(code, error);
        return instance;
    }

    const Owner owner_;
};

}  // namespace

void bind_library(nb::module_& module) {
    nb::class_<LibraryFunction>(module, "LibraryFunction", "A function of an open library; see chiphost.isolate.")
        .def("__call__", &LibraryFunction::call, "values"_a, nb::kw_only(), "timeout_s"_a = nb::none(),
             nb::sig("def __call__(self, *values: object, timeout_s: float | None = None) -> typing.Any"))
        .def_prop_ro("name", &LibraryFunction::name);

    nb::class_<LibraryMemory>(module, "LibraryMemory", "Memory on a library's side; see chiphost.isolate.")
        .def("write", &LibraryMemory::write, "data"_a, "offset"_a,
             nb::sig("def write(self, data: object, offset: int) -> None"))
        .def("read", &LibraryMemory::read, "bytes"_a.none(), "offset"_a,
             nb::sig("def read(self, bytes: int | None, offset: int) -> bytes"))
        .def("read_into", &LibraryMemory::read_into, "array"_a, "offset"_a,
             nb::sig("def read_into(self, array: object, offset: int) -> None"))
        .def("free", &LibraryMemory::free)
        .def_prop_ro("address", &LibraryMemory::address)
        .def_prop_ro("bytes", &LibraryMemory::bytes);

    nb::class_<Library>(module, "Library", "An instance of a library; see chiphost.isolate.")
        .def(nb::init<const FilePath&, const FilePath&, const FilePath&, const std::string&, uint64_t, bool,
                      nb::handle>(),
             "path"_a, "anchor"_a, "child"_a, "strategy"_a, "stack_bytes"_a, "default_lookup"_a, "timeout_s"_a.none(),
             nb::sig("def __init__(self, path: str, anchor: str, child: str, strategy: str, stack_bytes: int, "
                     "default_lookup: bool, timeout_s: float | None) "
                     "-> None"))
        .def("function", &Library::function, "name"_a, "result"_a, "parameters"_a, "timeout_s"_a.none(),
             nb::sig("def function(self, name: str, result: tuple[str, int, str], parameters: "
                     "collections.abc.Sequence[tuple[str, int, str]], timeout_s: float | None) -> LibraryFunction"))
        .def("alloc", &Library::alloc, "bytes"_a, nb::sig("def alloc(self, bytes: int) -> LibraryMemory"))
        .def("close", &Library::close, "timeout_s"_a.none(),
             nb::sig("def close(self, timeout_s: float | None) -> tuple[str, list[tuple[str, str, str]], bool]"))
        .def_prop_ro("path", [](const Library& self) { return text_of(self.instance().path()); })
        .def_prop_ro("strategy",
                     [](const Library& self) { return isolate::strategy_name(self.instance().options().strategy); })
        .def_prop_ro(
            "process_id",
            [](const Library& self) -> nb::object {
                const pid_t id = self.instance().process_id();
                return id < 0 ? nb::none() : nb::object(nb::int_(id));
            },
            nb::sig("def process_id(self) -> int | None"))
        .def_prop_ro("poisoned", [](const Library& self) { return self.instance().poisoned(); });
}

}  // namespace chiphost::bindings
