// SPDX-License-Identifier: Apache-2.0
//
// chiphost._core: the C++ core as Python sees it. The public surface is made of this by the package's Python modules.
#include <ctype.h>
#include <errno.h>
#include <nanobind/nanobind.h>
#include <nanobind/stl/filesystem.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>
#include <stdlib.h>
#include <string.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "array.h"
#include "call_guard.h"
#include "chiphost/abi/host_orchestration.h"
#include "chiphost/abi/mailbox.h"
#include "isolate/child/child_process.h"
#include "isolate/domain/glibc_tunables.h"
#include "isolate/domain/namespace_budget.h"
#include "isolate/domain/namespace_pool.h"
#include "library.h"
#include "patience.h"
#include "python_output.h"
#include "raise.h"
#include "status/report.h"
#include "worker/chip_worker.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace chiphost::bindings {

namespace {

// (bytes, key, name)
using PyBinary = std::tuple<nb::bytes, std::string, std::string>;
// (func_id, core_type, binary)
using PyKernel = std::tuple<int, int, PyBinary>;
// (name, kind, dtype or -1, shape or None; -1 in it: any length)
using PyArg = std::tuple<std::string, std::string, int, std::optional<std::vector<int64_t>>>;

// A callable and the bytes it refers to. Immutable, so that any number of workers may run it at once.
class Callable {
public:
    Callable(PyBinary orchestration, std::string entry, std::vector<PyKernel> kernels, std::string key,
             std::optional<std::vector<PyArg>> signature)
        : entry_(std::move(entry)), key_(std::move(key)), has_signature_(signature.has_value()) {
        binaries_.reserve(kernels.size() + 1);  // addresses are taken below
        raw_.orchestration = keep(std::move(orchestration));
        for (PyKernel& kernel : kernels) {
            ch_kernel& raw = kernels_.emplace_back();
            raw.func_id = static_cast<uint32_t>(std::get<0>(kernel));
            raw.core_type = static_cast<uint32_t>(std::get<1>(kernel));
            raw.binary = keep(std::move(std::get<2>(kernel)));
        }
        raw_.format = CH_CALLABLE_FORMAT;
        raw_.kernel_count = static_cast<uint32_t>(kernels_.size());
        raw_.key = key_.c_str();
        raw_.entry = entry_.c_str();
        raw_.kernels = kernels_.data();
        if (signature) {
            for (const PyArg& arg : *signature) add_arg(arg);
        }
    }
    Callable(const Callable&) = delete;
    Callable& operator=(const Callable&) = delete;

    const ch_callable& raw() const { return raw_; }
    bool has_signature() const { return has_signature_; }
    const std::vector<ArgSpec>& signature() const { return signature_; }

private:
    ch_binary keep(PyBinary binary) {
        binaries_.push_back(std::move(binary));
        const auto& [data, key, name] = binaries_.back();
        return {data.c_str(), data.size(), key.c_str(), name.c_str()};
    }

    void add_arg(const PyArg& arg) {
        const auto& [name, kind, dtype, shape] = arg;
        ArgSpec spec;
        spec.name = name;
        spec.scalar = kind == "scalar";
        spec.access = kind == "in" ? CH_IN : kind == "out" ? CH_OUT : kind == "inout" ? CH_INOUT : CH_ACCESS_UNKNOWN;
        spec.dtype = dtype;
        spec.any_shape = !shape.has_value();
        if (shape) spec.shape = *shape;
        signature_.push_back(std::move(spec));
    }

    std::vector<PyBinary> binaries_;
    std::vector<ch_kernel> kernels_;
    std::string entry_;
    std::string key_;
    bool has_signature_;
    std::vector<ArgSpec> signature_;
    ch_callable raw_{};
};

// Configuration of a run; the C record plus the deadline, which is the caller's own affair.
struct CallConfig {
    ch_call_config raw{sizeof(ch_call_config), 0, 0, 1, 1, 0, 0, 0, 0, 0};
    double timeout_s = 60.0;
};

// What is 0 in the record is left to the runtime, which knows the chip: None in Python.
std::string number_or_none(uint64_t number) {
    return number ? std::to_string(number) : "None";
}

std::string config_text(const CallConfig& config) {
    const ch_call_config& raw = config.raw;
    return "CallConfig(block_dim=" + number_or_none(raw.block_dim) +
           ", aicpu_thread_num=" + number_or_none(raw.aicpu_thread_num) +
           ", orch_thread_num=" + std::to_string(raw.orch_thread_num) +
           ", sim_threads=" + std::to_string(raw.sim_threads) + ", seed=" + std::to_string(raw.seed) +
           ", trace=" + (raw.trace ? "True" : "False") + ", ring_task_window=" + number_or_none(raw.ring_task_window) +
           ", ring_heap_bytes=" + number_or_none(raw.ring_heap_bytes) +
           ", ring_dep_pool=" + number_or_none(raw.ring_dep_pool) +
           ", timeout_s=" + nb::cast<std::string>(nb::str(nb::float_(config.timeout_s))) + ")";
}

// True is an integer for Python, and block_dim=True a slip.
void refuse_bool(nb::handle value, const char* name) {
    const std::string type = type_of(value);
    if (type == "bool" || type == "bool_") raise(CH_INVALID_ARGUMENT, name, "wanted a number, found " + type);
}

// A field of CallConfig that the C record keeps unsigned; a value that it cannot hold is out of range for every chip.
template <uint32_t ch_call_config::* field>
void set_field(CallConfig& config, nb::handle value, const char* name) {
    refuse_bool(value, name);
    int overflow = 0;
    if (PyLong_Check(value.ptr())) PyLong_AsLongLongAndOverflow(value.ptr(), &overflow);
    const uint64_t word = overflow ? UINT64_MAX : scalar_word(value, CH_INT64, name);
    if (word > UINT32_MAX) {
        raise(CH_CONFIG_OUT_OF_RANGE, name,
              "wanted 0 or more, within the bounds that the chip sets; found " + nb::cast<std::string>(nb::str(value)));
    }
    config.raw.*field = static_cast<uint32_t>(word);
}

template <uint64_t ch_call_config::* field>
void set_wide_field(CallConfig& config, nb::handle value, const char* name) {
    refuse_bool(value, name);
    config.raw.*field = scalar_word(value, CH_UINT64, name);
}

// A field that None leaves to the runtime. It is 0 then, so that 0 itself has to be refused here.
template <auto field>
void set_or_leave(CallConfig& config, nb::handle value, const char* name, uint32_t least) {
    constexpr bool wide = std::is_same_v<decltype(field), uint64_t ch_call_config::*>;
    if (value.is_none()) {
        config.raw.*field = 0;
        return;
    }
    CallConfig changed = config;
    if constexpr (wide) {
        set_wide_field<field>(changed, value, name);
    } else {
        set_field<field>(changed, value, name);
    }
    if (changed.raw.*field == 0) {
        raise(CH_CONFIG_OUT_OF_RANGE, name,
              "wanted " + std::to_string(least) + " or more, or None for what the chip has; found 0");
    }
    config = changed;
}

nb::object number_or_none_object(uint64_t number) {
    return number ? nb::cast(number) : nb::none();
}

// Defaults that the environment gives. An argument of None asks for them, and stays None if it gives none.
nb::object or_environment(nb::handle value, const char* variable) {
    if (!value.is_none()) return nb::borrow(value);
    const char* text = getenv(variable);
    if (!text || !*text) return nb::none();
    char* end = nullptr;
    errno = 0;
    const unsigned long long number = strtoull(text, &end, 10);
    if (errno || *end || !isdigit(static_cast<unsigned char>(*text))) {
        raise(CH_CONFIG_OUT_OF_RANGE, variable,
              std::string("wanted a number in the environment variable, found '") + text + "'");
    }
    return nb::cast(static_cast<uint64_t>(number));
}

void set_timeout(CallConfig& config, nb::handle value) {
    refuse_bool(value, "timeout_s");
    const uint64_t word = scalar_word(value, CH_FLOAT64, "timeout_s");
    double seconds = 0;
    memcpy(&seconds, &word, sizeof seconds);
    if (!(seconds >= 0)) {  // NaN too
        raise(CH_CONFIG_OUT_OF_RANGE, "timeout_s",
              "wanted 0 or more, found " + nb::cast<std::string>(nb::str(nb::float_(seconds))));
    }
    config.timeout_s = seconds;
}

void set_trace(CallConfig& config, nb::handle value) {
    if (!PyBool_Check(value.ptr())) {
        raise(CH_INVALID_ARGUMENT, "trace", "wanted True or False, found " + type_of(value));
    }
    config.raw.trace = value.ptr() == Py_True;
}

// Instead of nanobind's list of all that it would take.
void refuse_unknown_fields(const nb::kwargs& unknown) {
    for (const auto& [name, value] : unknown) {
        throw nb::type_error(("CallConfig has no field " + nb::cast<std::string>(nb::repr(name))).c_str());
    }
}

// All fields, in the order of config_text.
using ConfigState =
    std::tuple<uint32_t, uint32_t, uint32_t, uint32_t, uint64_t, bool, uint32_t, uint64_t, uint32_t, double>;

ConfigState config_state(const CallConfig& config) {
    const ch_call_config& raw = config.raw;
    return {raw.block_dim,  raw.aicpu_thread_num, raw.orch_thread_num, raw.sim_threads,   raw.seed,
            raw.trace != 0, raw.ring_task_window, raw.ring_heap_bytes, raw.ring_dep_pool, config.timeout_s};
}

void set_config_state(CallConfig* out_config, const ConfigState& state) {
    new (out_config) CallConfig;
    ch_call_config& raw = out_config->raw;
    bool trace = false;
    std::tie(raw.block_dim, raw.aicpu_thread_num, raw.orch_thread_num, raw.sim_threads, raw.seed, trace,
             raw.ring_task_window, raw.ring_heap_bytes, raw.ring_dep_pool, out_config->timeout_s) = state;
    raw.trace = trace;
}

struct RunResult {
    uint64_t task_count;
    uint64_t orchestration_ns;
    uint64_t device_ns;
    uint64_t total_ns;
    nb::object trace;
};

// Any bytes, as Python's os.fsencode gives them: a file's name need not be UTF-8.
using FilePath = std::filesystem::path;

// A worker and what Python needs to call it.
class Worker {
public:
    void init(const FilePath& host, const FilePath& aicpu, const FilePath& aicore, const std::string& platform,
              const FilePath& anchor, const FilePath& child, const std::string& isolation, bool fall_back_if_spent,
              int device_id, uint64_t device_memory_bytes, uint64_t stack_bytes) {
        const CallGuard guard;
        write_python_output();
        worker::ChipWorker::Options options;
        options.files = {host.string(), aicpu.string(), aicore.string()};
        options.platform = platform;
        options.anchor_path = anchor.string();
        options.child_path = child.string();
        options.isolation.strategy = isolation == "copy"      ? isolate::Strategy::copy
                                     : isolation == "process" ? isolate::Strategy::process
                                                              : isolate::Strategy::link_namespace;
        options.isolation.fall_back_if_spent = fall_back_if_spent;
        options.device_id = device_id;
        options.device_memory_bytes = device_memory_bytes;
        options.stack_bytes = stack_bytes;
        Patience patience(guard);
        ch_error error = no_error();
        int32_t code = CH_OK;
        {
            const nb::gil_scoped_release unlocked;
            code = worker_.initialize(options, &error, patience.go_on());
        }
        patience.raise_if_failed(code, error);
    }

    // The configuration by value: while the run goes on without the GIL, others may change what they passed.
    RunResult run(const nb::object& callable_object, nb::sequence args, CallConfig config) {
        const CallGuard guard;
        write_python_output();
        const auto& callable = nb::cast<const Callable&>(callable_object);
        auto call = std::make_unique<Call>();
        call->callable = callable_object;
        bind(callable, args, *call);

        isolate::Wait wait;
        if (config.timeout_s > 0 && config.timeout_s < 1e9) {
            wait.timeout = isolate::Timeout(static_cast<int64_t>(config.timeout_s * 1e9));
        }
        Patience patience(guard);
        wait.go_on = patience.go_on();

        ch_run_result result{};
        std::vector<ch_trace_event> trace;
        ch_error error = no_error();
        auto end = worker::ChipWorker::RunEnd::returned;
        int32_t code = CH_OK;
        {
            const nb::gil_scoped_release unlocked;
            code = worker_.run(callable.raw(), call->args, config.raw, wait, &result,
                               config.raw.trace ? &trace : nullptr, &end, &error);
        }
        if (end == worker::ChipWorker::RunEnd::abandoned) {
            call->pins.abandon();
            static_cast<void>(call.release());  // the run still reads the arguments and the callable
        }
        patience.raise_if_failed(code, error);
        nb::object trace_bytes = nb::none();
        if (config.raw.trace) trace_bytes = nb::bytes(trace.data(), trace.size() * sizeof(ch_trace_event));
        return {result.task_count, result.orchestration_ns, result.device_ns, result.total_ns, trace_bytes};
    }

    void reset() {
        const CallGuard guard;
        write_python_output();
        Patience patience(guard);
        ch_error error = no_error();
        int32_t code = CH_OK;
        {
            const nb::gil_scoped_release unlocked;
            code = worker_.reset(&error, patience.go_on());
        }
        patience.raise_if_failed(code, error);
    }

    void finalize() {
        const CallGuard guard;
        write_python_output();
        Patience patience(guard);
        ch_error error = no_error();
        int32_t code = CH_OK;
        {
            const nb::gil_scoped_release unlocked;
            code = worker_.finalize(&error, patience.go_on());
        }
        patience.raise_if_failed(code, error);
    }

    void cancel() { worker_.cancel(); }

    nb::dict counts() {
        const CallGuard guard;
        Patience patience(guard);
        ch_error error = no_error();
        ch_anchor_counts counts{};
        int32_t code = CH_OK;
        {
            const nb::gil_scoped_release unlocked;  // the domain may be busy loading a library
            code = worker_.count(&counts, &error, patience.go_on());
        }
        patience.raise_if_failed(code, error);
        nb::dict result;
        if (!worker_.initialized()) return result;
        result["threads"] = counts.threads;
        result["threads_free"] = counts.threads_free;
        result["libraries"] = counts.libraries;
        result["libraries_idle"] = counts.libraries_idle;
        result["loads"] = counts.loads;
        result["pinned"] = counts.pinned;
        result["kept"] = counts.kept;
        return result;
    }

    const worker::ChipWorker& worker() const { return worker_; }

private:
    // Everything that a running call refers to.
    struct Call {
        nb::object callable;
        Pins pins;
        std::vector<ch_tensor> tensors;
        std::vector<uint64_t> scalars;
        ch_task_args args{};
    };

    static void bind(const Callable& callable, const nb::sequence& values, Call& call) {
        const size_t count = nb::len(values);
        const std::vector<ArgSpec>& signature = callable.signature();
        if (callable.has_signature() && count != signature.size()) {
            std::string names;
            for (const ArgSpec& spec : signature) names += (names.empty() ? "" : ", ") + spec.name;
            raise(CH_ARGUMENT_COUNT, "args",
                  "wanted " + std::to_string(signature.size()) + " (" + names + "), found " + std::to_string(count));
        }
        call.tensors.reserve(count);
        call.scalars.reserve(count);
        for (size_t i = 0; i < count; ++i) {
            const nb::object value = values[i];
            if (callable.has_signature()) {
                const ArgSpec& spec = signature[i];
                if (spec.scalar) {
                    call.scalars.push_back(scalar_word(value, spec.dtype, spec.name));
                } else {
                    call.tensors.push_back(call.pins.add(value, spec, spec.name));
                }
            } else if (is_number(value)) {
                call.scalars.push_back(scalar_word(value, -1, "args[" + std::to_string(i) + "]"));
            } else {
                call.tensors.push_back(call.pins.add(value, ArgSpec{}, "args[" + std::to_string(i) + "]"));
            }
        }
        call.args = {call.tensors.data(), call.scalars.data(), static_cast<uint32_t>(call.tensors.size()),
                     static_cast<uint32_t>(call.scalars.size())};
    }

    // Without a signature: Python, NumPy and ctypes numbers are scalars, everything else is an array.
    static bool is_number(const nb::object& value) {
        if (PyLong_Check(value.ptr()) || PyFloat_Check(value.ptr())) return true;
        const std::string module = nb::cast<std::string>(nb::str(value.type().attr("__module__")));
        if (module == "ctypes") return nb::hasattr(value, "value");
        return module == "numpy" && nb::hasattr(value, "ndim") && nb::cast<int>(value.attr("ndim")) == 0 &&
               !nb::hasattr(value, "__setitem__");
    }

    worker::ChipWorker worker_;
};

nb::object runtime_property(const Worker& self, const std::string worker::RuntimeInfo::* field) {
    const worker::RuntimeInfo* info = self.worker().info();
    if (!info) return nb::none();
    return nb::str((info->*field).c_str());
}

// Clusters, AICPU threads and bytes of memory of the worker's chip.
nb::object chip_of(const Worker& self) {
    const worker::RuntimeInfo* info = self.worker().info();
    if (!info || info->chip.clusters == 0) return nb::none();  // the second: the runtime does not say
    return nb::make_tuple(info->chip.clusters, info->chip.aicpu_threads, info->chip.memory_bytes);
}

nb::dict namespace_capacity(const FilePath& anchor, const FilePath& library) {
    isolate::NamespaceCapacity capacity;
    worker::RuntimeLibrary::Counts counts;
    size_t spare = 0;
    ch_error error = no_error();
    int32_t code = CH_OK;
    {
        const nb::gil_scoped_release unlocked;
        code = isolate::find_namespace_capacity(anchor.string(), library.string(), &capacity, &error);
        counts = worker::RuntimeLibrary::counts();
        spare = isolate::NamespacePool::of_this_process().spare();
    }
    if (code != CH_OK) raise(error);
    const auto& [numbers, probe, advice] = capacity;
    const char* limited_by = probe.limit == isolate::NamespaceLimit::count        ? "namespaces"
                             : probe.limit == isolate::NamespaceLimit::static_tls ? "static TLS"
                                                                                  : "";
    nb::dict result;
    result["opened"] = numbers.opened;
    result["others"] = numbers.others;
    result["left"] = probe.left;
    result["limited_by"] = limited_by;
    result["words"] = probe.words;
    result["spare"] = spare;
    result["idle"] = counts.namespaces_idle;
    result["pinned"] = counts.namespaces_pinned;
    result["pins"] = counts.pins;
    result["tunable_namespaces"] = numbers.tunables.namespaces;
    result["tunable_static_tls"] = numbers.tunables.static_tls;
    result["more_with"] = advice.tunables;
    result["more_namespaces"] = advice.namespaces;
    return result;
}

}  // namespace

}  // namespace chiphost::bindings

NB_MODULE(_core, module) {
    using namespace chiphost;
    using namespace chiphost::bindings;

    nb::set_leak_warnings(false);  // a run that never returns keeps its callable on purpose

    module.attr("VERSION") = CHIPHOST_VERSION;
    module.attr("MAX_FUNC_ID") = CH_MAX_FUNC_ID;
    module.attr("MAX_TASK_ARGS") = CH_MAX_TASK_ARGS;
    module.attr("MAX_DIMS") = CH_MAX_DIMS;
    module.attr("MAX_SIM_THREADS") = CH_MAX_SIM_THREADS;

    module.def(
        "error_table",
        [] {
            nb::list rows;
#define CH_ERROR(code, name, python_class, meaning, remedy) \
    rows.append(nb::make_tuple(code, #name, #python_class, meaning, remedy));
#include "chiphost/abi/errors.def"
            return rows;
        },
        nb::sig("def error_table() -> list[tuple[int, str, str, str, str]]"),
        "Rows (code, name, Python class, meaning, remedy) of the error table.");

    module.def(
        "dtype_table",
        [] {
            nb::dict table;
#define CH_DTYPE(number, name, bytes, numpy_name) table[numpy_name] = number;
            CH_DTYPE_TABLE(CH_DTYPE)
#undef CH_DTYPE
            return table;
        },
        nb::sig("def dtype_table() -> dict[str, int]"), "Numbers of the supported dtypes by their NumPy names.");

    module.def(
        "namespaces_unavailable", [] { return isolate::namespaces_unavailable(); },
        nb::sig("def namespaces_unavailable() -> str | None"),
        "Why this build or system has no linker namespaces; None if it has.");

    module.def(
        "start_child",
        [](const FilePath& program) {
            const nb::gil_scoped_release unlocked;
            std::unique_ptr<isolate::ChildProcess> child;
            ch_error error = no_error();
            const uint64_t start_ns = ch_monotonic_ns();
            const int32_t code = isolate::ChildProcess::start(program.string(), &child, &error);
            const uint64_t took_ns = ch_monotonic_ns() - start_ns;
            child.reset();
            if (code != CH_OK) {
                const nb::gil_scoped_acquire locked;
                raise(error);
            }
            return static_cast<double>(took_ns) * 1e-9;
        },
        "program"_a, "Start a child process and end it; the seconds until it answered.");

    module.def(
        "namespace_estimate",
        [](size_t static_tls) {
            const auto tunables = isolate::LoaderTunables::in_force();
            const auto advice = isolate::advise(tunables, isolate::namespace_static_tls_min + static_tls);
            nb::dict result;
            result["namespaces"] = tunables.namespaces_estimated(static_tls);
            result["static_tls"] = tunables.static_tls_surplus();
            result["more_with"] = advice.tunables;
            return result;
        },
        "static_tls"_a, nb::sig("def namespace_estimate(static_tls: int) -> dict[str, object]"),
        "From glibc's tunables, without trying: namespaces that fit if each takes so many bytes of static TLS besides "
        "its libc's, bytes of static TLS that glibc keeps free, and the value of GLIBC_TUNABLES with which most fit.");
    module.def("namespace_capacity", namespace_capacity, "anchor"_a, "library"_a,
               nb::sig("def namespace_capacity(anchor: str, library: str) -> dict[str, object]"),
               "The fields of chiphost.capacity.Capacity, found by trying in a child process.");

    module.def("end_calls", end_calls, "error"_a, nb::sig("def end_calls(error: BaseException) -> None"),
               "Refuse the calls of other threads with this error, stop their runs and wait until they have ended.");

    nb::class_<CallConfig>(module, "CallConfig", R"(How a run is executed.

Attributes:
    block_dim: clusters in use, each 1 AIC and 2 AIV cores: 1 to 24 on a2a3, 1 to 36 on a5. None: 24, or as many as the
        chip has.
    aicpu_thread_num: AICPU scheduler threads: 1 to 4 on a2a3, 1 to 7 on a5. None: 3, or as many as the chip has.
    orch_thread_num: AICPU threads for orchestration; host_build_graph needs none.
    sim_threads: host threads that run the simulated processors: 1 to 64. With 1 a run is deterministic.
    seed: order in which simulated processors step: 0 is in turn, every other number an order of its own.
    trace: record what every processor did; needs sim_threads 1.
    ring_task_window: tasks that each of the four rings of aicpu_build_graph and tensormap_and_ringbuffer keeps: a power
        of two, 4 or more. None: 16384.
    ring_heap_bytes: memory of each ring for tensors that tasks make: 1024 or more. Used as it is touched. None: 256 MiB.
    ring_dep_pool: edges of each ring: 4 or more. None: 65536. Sizes that are None are smaller on a small device.
    timeout_s: wall-clock seconds after which the run is stopped, 0 or more; 0 waits for ever.)")
        .def(
            "__init__",
            [](CallConfig* self, nb::handle block_dim, nb::handle aicpu_thread_num, nb::handle orch_thread_num,
               nb::handle sim_threads, nb::handle seed, nb::handle trace, nb::handle ring_task_window,
               nb::handle ring_heap_bytes, nb::handle ring_dep_pool, nb::handle timeout_s, const nb::kwargs& unknown) {
                refuse_unknown_fields(unknown);
                new (self) CallConfig;
                set_or_leave<&ch_call_config::block_dim>(*self, block_dim, "block_dim", 1);
                set_or_leave<&ch_call_config::aicpu_thread_num>(*self, aicpu_thread_num, "aicpu_thread_num", 1);
                set_field<&ch_call_config::orch_thread_num>(*self, orch_thread_num, "orch_thread_num");
                set_field<&ch_call_config::sim_threads>(*self, sim_threads, "sim_threads");
                set_wide_field<&ch_call_config::seed>(*self, seed, "seed");
                set_trace(*self, trace);
                const nb::object window = or_environment(ring_task_window, "CHIPHOST_RING_TASK_WINDOW");
                set_or_leave<&ch_call_config::ring_task_window>(*self, window, "ring_task_window",
                                                                CH_RING_TASK_WINDOW_MIN);
                const nb::object pool = or_environment(ring_dep_pool, "CHIPHOST_RING_DEP_POOL");
                set_or_leave<&ch_call_config::ring_dep_pool>(*self, pool, "ring_dep_pool", CH_RING_DEP_POOL_MIN);
                const nb::object heap = or_environment(ring_heap_bytes, "CHIPHOST_RING_HEAP_BYTES");
                set_or_leave<&ch_call_config::ring_heap_bytes>(*self, heap, "ring_heap_bytes", CH_RING_HEAP_MIN);
                set_timeout(*self, timeout_s);
            },
            // None reaches the checks above, whose words are better than nanobind's.
            "block_dim"_a = nb::none(), "aicpu_thread_num"_a = nb::none(), "orch_thread_num"_a.none() = 1,
            nb::kw_only(), "sim_threads"_a.none() = 1, "seed"_a.none() = 0, "trace"_a.none() = false,
            "ring_task_window"_a = nb::none(), "ring_heap_bytes"_a = nb::none(), "ring_dep_pool"_a = nb::none(),
            "timeout_s"_a.none() = 60.0, "unknown"_a,
            nb::sig("def __init__(self, block_dim: int | None = None, aicpu_thread_num: int | None = None, "
                    "orch_thread_num: int = 1, *, sim_threads: int = 1, seed: int = 0, trace: bool = False, "
                    "ring_task_window: int | None = None, "
                    "ring_heap_bytes: int | None = None, ring_dep_pool: int | None = None, timeout_s: float = 60.0) "
                    "-> None"))
#define CH_CONFIG_FIELD(name)                                                                             \
    .def_prop_rw(                                                                                         \
        #name, [](const CallConfig& self) { return self.raw.name; },                                      \
        [](CallConfig& self, nb::handle value) { set_field<&ch_call_config::name>(self, value, #name); }, \
        nb::for_getter(nb::sig("def " #name "(self) -> int")), nb::for_setter(nb::arg("value").none()),   \
        nb::for_setter(nb::sig("def " #name "(self, value: int, /) -> None")))
            CH_CONFIG_FIELD(orch_thread_num) CH_CONFIG_FIELD(sim_threads)
#undef CH_CONFIG_FIELD
#define CH_CONFIG_FIELD(name, least)                                                                                \
    .def_prop_rw(                                                                                                   \
        #name, [](const CallConfig& self) { return number_or_none_object(self.raw.name); },                         \
        [](CallConfig& self, nb::handle value) { set_or_leave<&ch_call_config::name>(self, value, #name, least); }, \
        nb::for_getter(nb::sig("def " #name "(self) -> int | None")), nb::for_setter(nb::arg("value").none()),      \
        nb::for_setter(nb::sig("def " #name "(self, value: int | None, /) -> None")))
                CH_CONFIG_FIELD(block_dim, 1) CH_CONFIG_FIELD(aicpu_thread_num, 1)
                    CH_CONFIG_FIELD(ring_task_window, CH_RING_TASK_WINDOW_MIN)
                        CH_CONFIG_FIELD(ring_dep_pool, CH_RING_DEP_POOL_MIN)
                            CH_CONFIG_FIELD(ring_heap_bytes, CH_RING_HEAP_MIN)
#undef CH_CONFIG_FIELD
        .def_prop_rw(
            "seed", [](const CallConfig& self) { return self.raw.seed; },
            [](CallConfig& self, nb::handle value) { set_wide_field<&ch_call_config::seed>(self, value, "seed"); },
            nb::for_getter(nb::sig("def seed(self) -> int")), nb::for_setter(nb::arg("value").none()),
            nb::for_setter(nb::sig("def seed(self, value: int, /) -> None")))
        .def_prop_rw(
            "trace", [](const CallConfig& self) { return self.raw.trace != 0; }, set_trace,
            nb::for_setter(nb::arg("value").none()), nb::for_setter(nb::sig("def trace(self, value: bool, /) -> None")))
        .def_prop_rw(
            "timeout_s", [](const CallConfig& self) { return self.timeout_s; }, set_timeout,
            nb::for_setter(nb::arg("value").none()),
            nb::for_setter(nb::sig("def timeout_s(self, value: float, /) -> None")))
        .def("__copy__", [](const CallConfig& self) { return CallConfig(self); })
        .def("__getstate__", config_state)
        .def("__setstate__", set_config_state)
        .def("__repr__", config_text);

    nb::class_<Callable>(module, "Callable",
                         "Orchestration, kernels and signature as the C++ core keeps them; see chiphost.ChipCallable.")
        .def(nb::init<PyBinary, std::string, std::vector<PyKernel>, std::string, std::optional<std::vector<PyArg>>>(),
             "orchestration"_a, "entry"_a, "kernels"_a, "key"_a, "signature"_a.none());

    nb::class_<RunResult>(module, "RunResult", R"(What a run that succeeded says of itself.

Attributes:
    task_count: tasks in the graph.
    orchestration_ns: time the orchestration and the checks of the graph took.
    device_ns: time from launch to completion.
    total_ns: time in the runtime, copies included.
    trace: bytes of the trace if one was asked for, otherwise None.)")
        .def_ro("task_count", &RunResult::task_count)
        .def_ro("orchestration_ns", &RunResult::orchestration_ns)
        .def_ro("device_ns", &RunResult::device_ns)
        .def_ro("total_ns", &RunResult::total_ns)
        .def_prop_ro(
            "trace", [](const RunResult& self) { return self.trace; },
            nb::for_getter(nb::sig("def trace(self) -> bytes | None")))
        .def("__getstate__",
             [](const RunResult& self) {
                 return std::make_tuple(self.task_count, self.orchestration_ns, self.device_ns, self.total_ns,
                                        self.trace);
             })
        .def("__setstate__",
             [](RunResult* self, const std::tuple<uint64_t, uint64_t, uint64_t, uint64_t, nb::object>& state) {
                 const auto& [task_count, orchestration_ns, device_ns, total_ns, trace] = state;
                 new (self) RunResult{task_count, orchestration_ns, device_ns, total_ns, trace};
             })
        .def("__repr__", [](const RunResult& self) {
            return "RunResult(task_count=" + std::to_string(self.task_count) +
                   ", total_ns=" + std::to_string(self.total_ns) + ")";
        });

    bind_library(module);

    nb::class_<Worker>(module, "Worker", "A device context in a host runtime; see chiphost.ChipWorker.")
        .def(nb::init<>())
        .def("init", &Worker::init, "host"_a, "aicpu"_a, "aicore"_a, "platform"_a, "anchor"_a, "child"_a, "isolation"_a,
             "fall_back_if_spent"_a, "device_id"_a, "device_memory_bytes"_a, "stack_bytes"_a)
        .def("run", &Worker::run, "callable"_a, "args"_a, "config"_a,
             nb::sig("def run(self, callable: Callable, args: collections.abc.Sequence[object], config: CallConfig) "
                     "-> RunResult"))
        .def("reset", &Worker::reset)
        .def("finalize", &Worker::finalize)
        .def("cancel", &Worker::cancel)
        .def_prop_ro("initialized", [](const Worker& self) { return self.worker().initialized(); })
        .def_prop_ro("poisoned", [](const Worker& self) { return self.worker().poisoned(); })
        .def_prop_ro("device_id", [](const Worker& self) { return self.worker().device_id(); })
        .def_prop_ro(
            "runtime", [](const Worker& self) { return runtime_property(self, &worker::RuntimeInfo::runtime); },
            nb::for_getter(nb::sig("def runtime(self) -> str | None")))
        .def_prop_ro(
            "platform", [](const Worker& self) { return runtime_property(self, &worker::RuntimeInfo::platform); },
            nb::for_getter(nb::sig("def platform(self) -> str | None")))
        .def_prop_ro("chip", chip_of, nb::for_getter(nb::sig("def chip(self) -> tuple[int, int, int] | None")))
        .def_prop_ro(
            "isolation",
            [](const Worker& self) -> nb::object {
                const auto* info = self.worker().info();
                if (!info) return nb::none();
                return nb::str(isolate::strategy_name(info->strategy));
            },
            nb::for_getter(nb::sig("def isolation(self) -> str | None")))
        .def_prop_ro("fell_back", [](const Worker& self) { return self.worker().fell_back(); })
        .def_prop_ro(
            "process_id",
            [](const Worker& self) -> nb::object {
                const pid_t id = self.worker().process_id();
                return id < 0 ? nb::none() : nb::cast(static_cast<int>(id));
            },
            nb::for_getter(nb::sig("def process_id(self) -> int | None")))
        .def("counts", &Worker::counts, nb::sig("def counts(self) -> dict[str, int]"),
             "Threads and libraries of the place the runtime lives in.");
}
