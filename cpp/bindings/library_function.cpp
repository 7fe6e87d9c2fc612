// SPDX-License-Identifier: Apache-2.0
#include "library_function.h"

#include <string.h>

#include <memory>
#include <utility>

#include "library_memory.h"
#include "python_output.h"
#include "scalar.h"
#include "timeout.h"
#include "without_gil.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace chiphost::bindings {

using isolate::Argument;
using isolate::Parameter;
using isolate::Symbol;
using isolate::Timeout;
using isolate::Type;
using isolate::Value;

namespace {

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

void refuse_function(nb::handle value, const std::string& where) {
    if (!PyCallable_Check(value.ptr())) return;
    raise(CH_SIGNATURE_UNSUPPORTED, where,
          "a function of this program cannot be called by an isolated library: the library runs on a thread of its "
          "own, where Python and other libraries of this program would find thread-specific data that is not "
          "theirs");
}

Argument bind_text(nb::handle value, const std::string& where) {
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

Argument bind_buffer(nb::handle value, const ArgSpec& spec, Pins& pins) {
    if (value.is_none()) return {};
    refuse_function(value, spec.name);
    const ch_tensor tensor = pins.add(value, spec, spec.name);
    return Argument::buffer(reinterpret_cast<void*>(tensor.data), ch_tensor_bytes(&tensor));
}

}  // namespace

LibraryFunction::LibraryFunction(LibraryOwner owner, isolate::Symbol symbol, const PyType& result,
                                 const std::vector<PyType>& parameters, Timeout timeout)
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

nb::object LibraryFunction::call(const nb::args& values, nb::handle timeout_s) const {
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

    Value value;
    bool abandoned = false;
    const Outcome outcome = without_gil(guard, [&](const GoOn& go_on, ch_error* out_error) {
        return owner_->call(symbol_, signature_, arguments.data(), {timeout, go_on}, &value, &abandoned, out_error);
    });
    if (abandoned) {  // it still uses what it was given
        pins->abandon();
        nb::object(values).release();
    }
    outcome.raise_if_failed();
    return to_python(value);
}

Argument LibraryFunction::bind(size_t index, nb::handle value, Pins& pins) const {
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

Argument LibraryFunction::bind_pointer(nb::handle value, const std::string& where) const {
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

Argument LibraryFunction::bind_memory(const LibraryMemory& memory, const std::string& where) const {
    if (!memory.is_of(*owner_)) {
        raise(CH_INVALID_ARGUMENT, where, "wanted memory of this library, found some that another one has made");
    }
    if (memory.freed()) raise(CH_INVALID_ARGUMENT, where, "the memory was freed");
    return {memory.address(), nullptr, 0};
}

nb::object LibraryFunction::to_python(const Value& value) const {
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

void bind_library_function(nb::module_& module) {
    nb::class_<LibraryFunction>(module, "LibraryFunction", "A function of an open library; see chiphost.isolate.")
        .def("__call__", &LibraryFunction::call, "values"_a, nb::kw_only(), "timeout_s"_a = nb::none(),
             nb::sig("def __call__(self, *values: object, timeout_s: float | None = None) -> typing.Any"))
        .def_prop_ro("name", &LibraryFunction::name);
}

}  // namespace chiphost::bindings
