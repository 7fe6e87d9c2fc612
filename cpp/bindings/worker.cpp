// SPDX-License-Identifier: Apache-2.0
#include "worker.h"

#include <nanobind/stl/string.h>

#include <memory>
#include <string>
#include <vector>

#include "array.h"
#include "call_config.h"
#include "call_guard.h"
#include "callable.h"
#include "exploration.h"
#include "file_path.h"
#include "python_output.h"
#include "raise.h"
#include "run_result.h"
#include "scalar.h"
#include "strategy.h"
#include "timeout.h"
#include "without_gil.h"
#include "worker/chip_worker.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace chiphost::bindings {

namespace {

// A worker and what Python needs to call it.
class Worker {
public:
    void init(const FilePath& host, const FilePath& aicpu, const FilePath& aicore, bool cross_compiled,
              const std::string& platform, const FilePath& anchor, const FilePath& child, const std::string& isolation,
              bool fall_back_if_spent, int device_id, uint64_t device_memory_bytes, uint64_t stack_bytes) {
        const CallGuard guard;
        write_python_output();
        worker::ChipWorker::Options options;
        options.files = {host.string(), aicpu.string(), aicore.string(), cross_compiled};
        options.platform = platform;
        options.anchor_path = anchor.string();
        options.child_path = child.string();
        options.isolation.strategy = strategy_of(isolation, "isolation");
        options.isolation.fall_back_if_spent = fall_back_if_spent;
        options.device_id = device_id;
        options.device_memory_bytes = device_memory_bytes;
        options.stack_bytes = stack_bytes;
        without_gil(guard, [&](const GoOn& go_on, ch_error* out_error) {
            return worker_.initialize(options, out_error, go_on);
        }).raise_if_failed();
    }

    // The configuration by value: while the run goes on without the GIL, others may change what they passed.
    RunResult run(const nb::object& callable_object, nb::sequence args, CallConfig config) {
        return execute(callable_object, args, config, nullptr);
    }

    // The arrays of the last schedule are the callers'. The exploration is filled, also after an error.
    RunResult explore(const nb::object& callable_object, nb::sequence args, CallConfig config,
                      worker::Exploration& exploration) {
        return execute(callable_object, args, config, &exploration);
    }

    RunResult execute(const nb::object& callable_object, const nb::sequence& args, const CallConfig& config,
                      worker::Exploration* exploration) {
        const CallGuard guard;
        write_python_output();
        const auto& callable = nb::cast<const Callable&>(callable_object);
        auto call = std::make_unique<Call>();
        call->callable = callable_object;
        bind(callable, args, *call);

        isolate::Wait wait;
        wait.timeout = timeout_of(config.timeout_s);
        ch_run_result result{};
        std::vector<ch_trace_event> trace;
        worker::RunReports reports;
        auto end = worker::ChipWorker::RunEnd::returned;
        const Outcome outcome = without_gil(guard, [&](const GoOn& go_on, ch_error* out_error) {
            wait.go_on = go_on;
            return worker_.run(callable.raw(), call->args, config.raw, wait, &result,
                               config.raw.trace ? &trace : nullptr, &end, out_error, &reports, exploration);
        });
        if (end == worker::ChipWorker::RunEnd::abandoned) {
            call->pins.abandon();
            static_cast<void>(call.release());  // the run still reads the arguments and the callable
        }
        nb::object check_text = nb::none();
        if (!reports.check.empty()) check_text = nb::str(reports.check.data(), reports.check.size());
        try {
            outcome.raise_if_failed();
        } catch (nb::python_error& error) {
            nb::setattr(error.value(), "check_report", check_text);
            if (!reports.stall.empty()) {
                nb::setattr(error.value(), "stall_report", nb::str(reports.stall.data(), reports.stall.size()));
            }
            if (result.failed_submission >= 0) {
                nb::setattr(error.value(), "submission", nb::int_(result.failed_submission));
            }
            throw;
        }
        nb::object trace_bytes = nb::none();
        if (config.raw.trace) trace_bytes = nb::bytes(trace.data(), trace.size() * sizeof(ch_trace_event));
        return {result.task_count, result.orchestration_ns, result.device_ns, result.total_ns, trace_bytes, check_text};
    }

    void reset() {
        const CallGuard guard;
        write_python_output();
        without_gil(guard, [&](const GoOn& go_on, ch_error* out_error) {
            return worker_.reset(out_error, go_on);
        }).raise_if_failed();
    }

    void finalize() {
        const CallGuard guard;
        write_python_output();
        without_gil(guard, [&](const GoOn& go_on, ch_error* out_error) {
            return worker_.finalize(out_error, go_on);
        }).raise_if_failed();
    }

    void cancel() { worker_.cancel(); }

    nb::dict counts() {
        const CallGuard guard;
        ch_anchor_counts counts{};
        without_gil(guard, [&](const GoOn& go_on, ch_error* out_error) {
            return worker_.count(&counts, out_error, go_on);  // the domain may be busy loading a library
        }).raise_if_failed();
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

}  // namespace

void bind_worker(nb::module_& module) {
    nb::class_<Worker>(module, "Worker", "A device context in a host runtime; see chiphost.ChipWorker.")
        .def(nb::init<>())
        .def("init", &Worker::init, "host"_a, "aicpu"_a, "aicore"_a, "cross_compiled"_a, "platform"_a, "anchor"_a,
             "child"_a, "isolation"_a, "fall_back_if_spent"_a, "device_id"_a, "device_memory_bytes"_a, "stack_bytes"_a)
        .def("run", &Worker::run, "callable"_a, "args"_a, "config"_a,
             nb::sig("def run(self, callable: Callable, args: collections.abc.Sequence[object], config: CallConfig) "
                     "-> RunResult"))
        .def("explore", &Worker::explore, "callable"_a, "args"_a, "config"_a, "exploration"_a,
             nb::sig("def explore(self, callable: Callable, args: collections.abc.Sequence[object], config: "
                     "CallConfig, exploration: Exploration) -> RunResult"))
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

}  // namespace chiphost::bindings
