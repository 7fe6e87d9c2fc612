// SPDX-License-Identifier: Apache-2.0
//
// chiphost._core: the C++ core as Python sees it. The public surface is made of this by the package's Python modules.
#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "abi/report.h"
#include "array.h"
#include "chiphost/abi/host_orchestration.h"
#include "isolate/namespace_budget.h"
#include "raise.h"
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
    ch_call_config raw{sizeof(ch_call_config), 24, 3, 1, 1, 0, 0};
    double timeout_s = 60.0;
};

std::string config_text(const CallConfig& config) {
    const ch_call_config& raw = config.raw;
    return "CallConfig(block_dim=" + std::to_string(raw.block_dim) +
           ", aicpu_thread_num=" + std::to_string(raw.aicpu_thread_num) +
           ", orch_thread_num=" + std::to_string(raw.orch_thread_num) +
           ", sim_threads=" + std::to_string(raw.sim_threads) + ", seed=" + std::to_string(raw.seed) +
           ", trace=" + (raw.trace ? "True" : "False") +
           ", timeout_s=" + nb::cast<std::string>(nb::str(nb::float_(config.timeout_s))) + ")";
}

// A field of CallConfig that the C record keeps unsigned; a value that it cannot hold is out of range for every chip.
template <uint32_t ch_call_config::* field>
void set_field(CallConfig& config, nb::handle value, const char* name) {
    const uint64_t word = scalar_word(value, CH_INT64, name);
    if (word > UINT32_MAX) {
        raise(CH_CONFIG_OUT_OF_RANGE, name, "wanted 0 or more, found " + nb::cast<std::string>(nb::str(value)));
    }
    config.raw.*field = static_cast<uint32_t>(word);
}

struct RunResult {
    uint64_t task_count;
    uint64_t orchestration_ns;
    uint64_t device_ns;
    uint64_t total_ns;
    nb::object trace;
};

// A worker and what Python needs to call it.
class Worker {
public:
    void init(const std::string& host, const std::string& aicpu, const std::string& aicore, const std::string& platform,
              const std::string& anchor, const std::string& isolation, bool copy_if_spent, int device_id,
              uint64_t device_memory_bytes) {
        worker::ChipWorker::Options options;
        options.files = {host, aicpu, aicore};
        options.platform = platform;
        options.anchor_path = anchor;
        options.isolation.strategy = isolation == "copy" ? isolate::Strategy::copy : isolate::Strategy::link_namespace;
        options.isolation.copy_if_spent = copy_if_spent;
        options.device_id = device_id;
        options.device_memory_bytes = device_memory_bytes;
        ch_error error = no_error();
        int32_t code = CH_OK;
        {
            const nb::gil_scoped_release unlocked;
            code = worker_.initialize(options, &error);
        }
        if (code != CH_OK) raise(error);
    }

    RunResult run(const nb::object& callable_object, nb::sequence args, const CallConfig& config) {
        const auto& callable = nb::cast<const Callable&>(callable_object);
        auto call = std::make_unique<Call>();
        call->callable = callable_object;
        bind(callable, args, *call);

        worker::ChipWorker::Wait wait;
        if (config.timeout_s > 0 && config.timeout_s < 1e9) {
            wait.timeout_ns = static_cast<uint64_t>(config.timeout_s * 1e9);
        }
        nb::python_error* pending = nullptr;
        std::unique_ptr<nb::python_error> interruption;
        wait.go_on = [&]() {
            const nb::gil_scoped_acquire locked;
            if (PyErr_CheckSignals() == 0) return true;
            interruption = std::make_unique<nb::python_error>();
            pending = interruption.get();
            return false;
        };

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
        if (pending) throw nb::python_error(*pending);
        if (code != CH_OK) raise(error);
        nb::object trace_bytes = nb::none();
        if (config.raw.trace) trace_bytes = nb::bytes(trace.data(), trace.size() * sizeof(ch_trace_event));
        return {result.task_count, result.orchestration_ns, result.device_ns, result.total_ns, trace_bytes};
    }

    void reset() {
        ch_error error = no_error();
        int32_t code = CH_OK;
        {
            const nb::gil_scoped_release unlocked;
            code = worker_.reset(&error);
        }
        if (code != CH_OK) raise(error);
    }

    void finalize() {
        const nb::gil_scoped_release unlocked;
        worker_.finalize();
    }

    void cancel() { worker_.cancel(); }

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

nb::object runtime_property(const Worker& self, const char* ch_host_runtime::* field) {
    const worker::RuntimeLibrary* library = self.worker().library();
    if (!library) return nb::none();
    return nb::str(library->table().*field);
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
        "namespace_numbers",
        [] {
            const auto numbers = isolate::NamespaceBudget::of_this_process().numbers();
            nb::dict result;
            result["opened"] = numbers.opened;
            result["limit"] = numbers.limit;
            result["tunable_namespaces"] = numbers.tunable_namespaces;
            result["tunable_static_tls"] = numbers.tunable_static_tls;
            return result;
        },
        nb::sig("def namespace_numbers() -> dict[str, int]"),
        "How many linker namespaces this process has opened and can open, and the tunables that set the limit.");

    nb::class_<CallConfig>(module, "CallConfig", R"(How a run is executed.

Attributes:
    block_dim: clusters in use, each 1 AIC and 2 AIV cores: 1 to 24 on a2a3, 1 to 36 on a5.
    aicpu_thread_num: AICPU scheduler threads: 1 to 4 on a2a3, 1 to 7 on a5.
    orch_thread_num: AICPU threads for orchestration; host_build_graph needs none.
    sim_threads: host threads that run the simulated processors: 1 to 64. With 1 a run is deterministic.
    seed: order in which simulated processors step: 0 is in turn, every other number an order of its own.
    trace: record what every processor did; needs sim_threads 1.
    timeout_s: wall-clock seconds after which the run is stopped; 0 waits for ever.)")
        .def(
            "__init__",
            [](CallConfig* self, nb::handle block_dim, nb::handle aicpu_thread_num, nb::handle orch_thread_num,
               nb::handle sim_threads, nb::handle seed, bool trace, double timeout_s) {
                new (self) CallConfig;
                set_field<&ch_call_config::block_dim>(*self, block_dim, "block_dim");
                set_field<&ch_call_config::aicpu_thread_num>(*self, aicpu_thread_num, "aicpu_thread_num");
                set_field<&ch_call_config::orch_thread_num>(*self, orch_thread_num, "orch_thread_num");
                set_field<&ch_call_config::sim_threads>(*self, sim_threads, "sim_threads");
                self->raw.seed = scalar_word(seed, CH_UINT64, "seed");
                self->raw.trace = trace;
                self->timeout_s = timeout_s;
            },
            "block_dim"_a = 24, "aicpu_thread_num"_a = 3, "orch_thread_num"_a = 1, nb::kw_only(), "sim_threads"_a = 1,
            "seed"_a = 0, "trace"_a = false, "timeout_s"_a = 60.0,
            nb::sig("def __init__(self, block_dim: int = 24, aicpu_thread_num: int = 3, orch_thread_num: int = 1, *, "
                    "sim_threads: int = 1, seed: int = 0, trace: bool = False, timeout_s: float = 60.0) -> None"))
#define CH_CONFIG_FIELD(name)                                                                             \
    .def_prop_rw(                                                                                         \
        #name, [](const CallConfig& self) { return self.raw.name; },                                      \
        [](CallConfig& self, nb::handle value) { set_field<&ch_call_config::name>(self, value, #name); }, \
        nb::for_getter(nb::sig("def " #name "(self) -> int")),                                            \
        nb::for_setter(nb::sig("def " #name "(self, value: int, /) -> None")))
            CH_CONFIG_FIELD(block_dim) CH_CONFIG_FIELD(aicpu_thread_num) CH_CONFIG_FIELD(orch_thread_num)
                CH_CONFIG_FIELD(sim_threads)
#undef CH_CONFIG_FIELD
        .def_prop_rw(
            "seed", [](const CallConfig& self) { return self.raw.seed; },
            [](CallConfig& self, nb::handle value) { self.raw.seed = scalar_word(value, CH_UINT64, "seed"); },
            nb::for_getter(nb::sig("def seed(self) -> int")),
            nb::for_setter(nb::sig("def seed(self, value: int, /) -> None")))
        .def_prop_rw(
            "trace", [](const CallConfig& self) { return self.raw.trace != 0; },
            [](CallConfig& self, bool value) { self.raw.trace = value; })
        .def_rw("timeout_s", &CallConfig::timeout_s)
        .def("__copy__", [](const CallConfig& self) { return CallConfig(self); })
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
        .def("__repr__", [](const RunResult& self) {
            return "RunResult(task_count=" + std::to_string(self.task_count) +
                   ", total_ns=" + std::to_string(self.total_ns) + ")";
        });

    nb::class_<Worker>(module, "Worker", "A device context in a host runtime; see chiphost.ChipWorker.")
        .def(nb::init<>())
        .def("init", &Worker::init, "host"_a, "aicpu"_a, "aicore"_a, "platform"_a, "anchor"_a, "isolation"_a,
             "copy_if_spent"_a, "device_id"_a, "device_memory_bytes"_a)
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
            "runtime", [](const Worker& self) { return runtime_property(self, &ch_host_runtime::runtime); },
            nb::for_getter(nb::sig("def runtime(self) -> str | None")))
        .def_prop_ro(
            "platform", [](const Worker& self) { return runtime_property(self, &ch_host_runtime::platform); },
            nb::for_getter(nb::sig("def platform(self) -> str | None")))
        .def_prop_ro(
            "isolation",
            [](const Worker& self) -> nb::object {
                const auto* library = self.worker().library();
                if (!library) return nb::none();
                return nb::str(isolate::strategy_name(library->domain().strategy()));
            },
            nb::for_getter(nb::sig("def isolation(self) -> str | None")))
        .def_prop_ro("fell_back",
                     [](const Worker& self) {
                         const auto* library = self.worker().library();
                         return library && library->fell_back();
                     })
        .def(
            "counts",
            [](const Worker& self) {
                nb::dict result;
                if (const auto* library = self.worker().library()) {
                    const ch_anchor_counts counts = library->domain().counts();
                    result["threads"] = counts.threads;
                    result["threads_free"] = counts.threads_free;
                    result["libraries"] = counts.libraries;
                    result["libraries_idle"] = counts.libraries_idle;
                    result["loads"] = counts.loads;
                }
                return result;
            },
            nb::sig("def counts(self) -> dict[str, int]"), "Threads and libraries of the domain the runtime lives in.");
}
