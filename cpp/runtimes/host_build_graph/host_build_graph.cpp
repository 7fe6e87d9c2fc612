// SPDX-License-Identifier: Apache-2.0
//
// host_build_graph: the orchestration runs on the host and describes the whole graph, with explicit edges, before the
// device starts.
#include "host_build_graph.h"

#include <algorithm>
#include <exception>
#include <new>
#include <utility>

#include <unistd.h>

#include "graph/core_protocol.h"
#include "graph/task_check.h"
#include "host_orchestration.h"
#include "os/float_state.h"
#include "status/report.h"

static_assert(CH_MAX_TASK_ARGS == chiphost::core_protocol::payload_args_max,
              "a core has room for the arguments of a task");

namespace chiphost::host_build_graph {

const ch_host_graph_ops HostBuildGraph::ops = {
    CH_ABI_HEADER(ch_host_graph_ops, CH_ABI_HOST_ORCHESTRATION, CH_HOST_ORCHESTRATION_MAJOR,
                  CH_HOST_ORCHESTRATION_MINOR, "*"),
    [](ch_host_graph* graph, const uint64_t* args, uint32_t arg_count, int32_t func_id, int32_t core_type) {
        self(graph).called_from_ = reinterpret_cast<uint64_t>(__builtin_return_address(0));
        return self(graph).guarded(
            "add_task", [&](HostBuildGraph& runtime) { return runtime.add_task(args, arg_count, func_id, core_type); });
    },
    [](ch_host_graph* graph, int32_t from, int32_t to) {
        self(graph).called_from_ = reinterpret_cast<uint64_t>(__builtin_return_address(0));
        return self(graph).guarded("add_successor",
                                   [&](HostBuildGraph& runtime) { return runtime.add_successor(from, to); });
    },
    [](ch_host_graph* graph, void* host, uint64_t device, uint64_t bytes) {
        self(graph).called_from_ = reinterpret_cast<uint64_t>(__builtin_return_address(0));
        return self(graph).guarded("record_tensor_pair", [&](HostBuildGraph& runtime) {
            return runtime.record_tensor_pair(host, device, bytes);
        });
    },
    [](ch_host_graph* graph) { return static_cast<int32_t>(self(graph).graph_.task_count()); },
    [](ch_host_graph* graph) {
        self(graph).guarded("print_runtime", [](HostBuildGraph& runtime) { return runtime.print(); });
    },
    [](ch_host_graph* graph, uint64_t bytes) {
        self(graph).called_from_ = reinterpret_cast<uint64_t>(__builtin_return_address(0));
        uint64_t address = 0;
        self(graph).guarded("device_malloc", [&](HostBuildGraph& runtime) {
            return -runtime.memory_.allocate(bytes, &address, &runtime.error_);
        });
        return address;
    },
    [](ch_host_graph* graph, uint64_t device) {
        self(graph).called_from_ = reinterpret_cast<uint64_t>(__builtin_return_address(0));
        return self(graph).guarded(
            "device_free", [&](HostBuildGraph& runtime) { return -runtime.memory_.release(device, &runtime.error_); });
    },
    [](ch_host_graph* graph, uint64_t device, const void* host, uint64_t bytes) {
        self(graph).called_from_ = reinterpret_cast<uint64_t>(__builtin_return_address(0));
        return self(graph).guarded(
            "copy_to_device", [&](HostBuildGraph& runtime) { return runtime.copy_to_device(device, host, bytes); });
    },
    [](ch_host_graph* graph, const ch_host_argument* args, uint32_t arg_count, int32_t func_id, int32_t core_type) {
        self(graph).called_from_ = reinterpret_cast<uint64_t>(__builtin_return_address(0));
        return self(graph).guarded("add_task", [&](HostBuildGraph& runtime) {
            return runtime.add_tensor_task(args, arg_count, func_id, core_type);
        });
    },
};

HostBuildGraph::HostBuildGraph(platform::Device* device, const ch_anchor* anchor, void* anchor_state)
    : ch_host_graph{&ops},
      device_(device),
      anchor_(anchor),
      anchor_state_(anchor_state),
      fork_mark_(ch_anchor_fork_mark(anchor, anchor_state)),
      image_(device),
      memory_(device) {
    error_ = no_error();
}

// Runs the body of one function of the table. Nothing may be thrown into the orchestration; the first error of a run
// stays, and after it nothing is done any more.
template <typename Body>
int32_t HostBuildGraph::guarded(const char* where, Body&& body) {
    if (error_.code != CH_OK) return -error_.code;
    if ((++calls_ & 0xFF) == 0 && __atomic_load_n(&input_->progress.cancel, __ATOMIC_RELAXED)) {
        return -report(&error_, CH_DEADLINE_EXCEEDED, "orchestration", "stopped on request after %u tasks",
                       graph_.task_count());
    }
    int32_t result = 0;
    try {
        result = body(*this);
    } catch (const std::bad_alloc&) {
        result = -report(&error_, CH_HOST_MEMORY_EXHAUSTED, where, "no memory for %u tasks", graph_.task_count());
    }
    if (error_.code != CH_OK) say_where();
    return result;
}

// Says where the orchestration made the call that has failed.
void HostBuildGraph::say_where() {
    const graph::NameText place = graph::code_text(called_from_);
    if (place.text[0] != '\0') append(&error_, "; called%s", place.text);
}

int32_t HostBuildGraph::load(const ch_callable& callable, std::unique_ptr<host::Orchestration>* out_orchestration,
                             ch_error* out_error) {
    auto orchestration = std::make_unique<HostOrchestration>(anchor_, anchor_state_);
    CH_TRY(orchestration->load(callable, out_error));
    *out_orchestration = std::move(orchestration);
    return CH_OK;
}

int32_t HostBuildGraph::build(const host::RunInput& input, host::BuiltGraph* out_graph, ch_error* out_error) {
    input_ = &input;
    const auto& loaded = static_cast<const HostOrchestration&>(input.orchestration);
    int32_t returned = 0;
    std::string thrown;
    bool threw = false;
    try {
        returned = loaded.entry()(this, &input.args);
    } catch (const std::exception& error) {
        threw = true;
        thrown = error.what();
    } catch (...) {
        threw = true;
        thrown = "an exception that is no std::exception";
    }
    ch_end_copy(fork_mark_);
    os::FloatState().restore();  // kernels run on this thread next
    if (error_.code != CH_OK) {
        *out_error = error_;
        out_graph->failed_submission = failed_submission_;
        return error_.code;
    }
    if (threw) return report(out_error, CH_ORCHESTRATION_THREW, loaded.name(), "%s", thrown.c_str());
    if (returned != 0) {
        const int32_t code = report(out_error, CH_ORCHESTRATION_FAILED, loaded.name(), "returned %d", returned);
        out_error->detail_code = returned;
        return code;
    }
    if (const Status failed = graph_.check(input.kernels.names(), out_error); !failed.ok()) {
        out_graph->failed_submission = out_error->task;
        return failed;
    }
    out_graph->task_count = graph_.task_count();
    out_graph->argument_copies = std::move(argument_copies_);
    return ship(&out_graph->image, out_error);
}

// Copies the finished graph to the device.
Status HostBuildGraph::ship(uint64_t* out_graph, ch_error* out_error) {
    const uint64_t bytes = graph_.image_bytes();
    if (bytes < image_.bytes() / 8) image_.release();
    CH_TRY(image_.reserve(bytes, out_error));
    Status failed;
    graph_.write_image(image_.address(), [&](uint64_t offset, const void* source, uint64_t part) {
        if (!failed.ok()) return;
        failed = platform::copy_to_device(device_, image_.address() + offset, source, part, out_error);
    });
    *out_graph = image_.address();
    return failed;
}

int32_t HostBuildGraph::copy_out(ch_error* out_error) {
    for (const TensorPair& pair : pairs_) {
        if (const Status failed = memory_.check_range(pair.device, pair.bytes, "record_tensor_pair", out_error);
            !failed.ok()) {
            return failed;  // it was freed after it was recorded
        }
        CH_TRY(platform::copy_from_device(device_, pair.host, pair.device, pair.bytes, out_error));
    }
    return CH_OK;
}

void HostBuildGraph::end_run() {
    graph_.clear();
    memory_.release_all();
    pairs_.clear();
    argument_copies_.clear();
    error_ = no_error();
    failed_submission_ = -1;
    input_ = nullptr;
}

// The submission that is under way has failed. Returns what the orchestration gets.
int32_t HostBuildGraph::blame(int32_t code, int32_t func_id) {
    failed_submission_ = graph_.task_count();
    error_.task = failed_submission_;
    error_.func_id = func_id;
    const int32_t func_ids[3] = {func_id, -1, -1};
    const graph::NameText name =
        input_->kernels.names().submission(static_cast<uint64_t>(failed_submission_), func_ids);
    copy_text(error_.where, sizeof error_.where, name.text);
    return -code;
}

int32_t HostBuildGraph::add_task(const uint64_t* args, uint32_t arg_count, int32_t func_id, int32_t core_type) {
    const uint32_t id = graph_.task_count();
    const auto refuse = [&](int32_t code) { return blame(code, func_id); };
    if (func_id < 0 || func_id > CH_MAX_FUNC_ID) {
        return refuse(report(&error_, CH_FUNC_ID_OUT_OF_RANGE, "add_task", "wanted func_id 0 to %d, found %d",
                             CH_MAX_FUNC_ID, func_id));
    }
    if (core_type != CH_AIC && core_type != CH_AIV) {
        return refuse(report(&error_, CH_CORE_TYPE_INVALID, "add_task",
                             "wanted core type %d (AIC) or %d (AIV), found %d", CH_AIC, CH_AIV, core_type));
    }
    const host::KernelTable::Entry kernel = input_->kernels[static_cast<uint32_t>(func_id)];
    if (kernel.address == 0) {
        return refuse(
            report(&error_, CH_KERNEL_MISSING, "add_task", "the callable has no kernel of func_id %d", func_id));
    }
    if (kernel.core_type != static_cast<uint32_t>(core_type)) {
        return refuse(report(&error_, CH_CORE_TYPE_INVALID, "add_task",
                             "the kernel was built for %s, the task wants %s",
                             kernel.core_type == CH_AIC ? "AIC" : "AIV", core_type == CH_AIC ? "AIC" : "AIV"));
    }
    if (arg_count > CH_MAX_TASK_ARGS) {
        return refuse(report(&error_, CH_TOO_MANY_TASK_ARGS, "add_task", "wanted at most %d arguments, found %u",
                             CH_MAX_TASK_ARGS, arg_count));
    }
    if (arg_count != 0 && !args) {
        return refuse(report(&error_, CH_INVALID_ARGUMENT, "add_task", "wanted %u arguments, found NULL", arg_count));
    }
    const graph::Shape shape = core_type == CH_AIC ? graph::Shape::aic : graph::Shape::aiv;
    if (graph_.add_task(shape, static_cast<uint16_t>(func_id), args, arg_count, called_from_) == graph::none) {
        return refuse(report(&error_, CH_TOO_MANY_TASKS, "add_task", "there are %u tasks already", id));
    }
    return static_cast<int32_t>(id);
}

int32_t HostBuildGraph::add_tensor_task(const ch_host_argument* args, uint32_t arg_count, int32_t func_id,
                                        int32_t core_type) {
    if (!args || arg_count > CH_MAX_TASK_ARGS) return add_task(nullptr, arg_count, func_id, core_type);
    uint64_t words[CH_MAX_TASK_ARGS];
    words[0] = 0;  // the compiler does not see that nobody reads them if there are none
    for (uint32_t i = 0; i < arg_count; ++i) {
        words[i] = args[i].is_tensor ? 0 : args[i].word;
        if (!args[i].is_tensor) continue;
        if (const Status failed = check_tensor(args[i].tensor, i); !failed.ok()) {
            return blame(failed, func_id);
        }
    }
    const int32_t task = add_task(words, arg_count, func_id, core_type);
    for (uint32_t i = 0; task >= 0 && i < arg_count; ++i) {
        if (args[i].is_tensor) graph_.set_tensor(static_cast<uint32_t>(task), i, *args[i].tensor);
    }
    return task;
}

// Checks that a tensor that is argument `number` of a task lies in device memory of this run.
Status HostBuildGraph::check_tensor(const ch_device_tensor* tensor, uint32_t number) {
    graph::TensorRegion region;
    CH_TRY(graph::check_tensor(tensor, "add_task", number, &region, &error_));
    ch_error why;
    const Status failed = memory_.check_range(tensor->buffer, tensor->buffer_bytes, "add_task", &why);
    if (failed.ok()) return CH_OK;
    return report(&error_, static_cast<ch_code>(failed.code()), "add_task", "tensor %u: %s", number, why.message);
}

int32_t HostBuildGraph::add_successor(int32_t from, int32_t to) {
    const auto count = static_cast<int32_t>(graph_.task_count());
    for (const int32_t id : {from, to}) {
        if (id >= 0 && id < count) continue;
        const int32_t code =
            count == 0 ? report(&error_, CH_TASK_ID_OUT_OF_RANGE, "add_successor",
                                "edge from submit #%d to submit #%d: the graph has no tasks yet", from, to)
                       : report(&error_, CH_TASK_ID_OUT_OF_RANGE, "add_successor",
                                "edge from submit #%d to submit #%d: the last task is submit #%d", from, to, count - 1);
        error_.task = id;
        return -code;
    }
    if (!graph_.add_edge(static_cast<uint32_t>(from), static_cast<uint32_t>(to))) {
        return -report(&error_, CH_TOO_MANY_TASKS, "add_successor",
                       "the edge from submit #%d to submit #%d is one too many", from, to);
    }
    return 0;
}

int32_t HostBuildGraph::record_tensor_pair(void* host, uint64_t device, uint64_t bytes) {
    if (const Status failed = memory_.check_range(device, bytes, "record_tensor_pair", &error_); !failed.ok())
        return -failed.code();
    const auto address = reinterpret_cast<uint64_t>(host);
    // Arguments may overlap: one that may be written is enough.
    uint32_t input = input_->args.tensor_count;
    for (uint32_t i = 0; i < input_->args.tensor_count; ++i) {
        const ch_tensor& tensor = input_->args.tensors[i];
        const uint64_t size = ch_tensor_bytes(&tensor);
        if (address < tensor.data || address - tensor.data > size || bytes > size - (address - tensor.data)) continue;
        if (tensor.access == CH_IN) {
            input = i;
            continue;
        }
        pairs_.push_back({host, device, bytes});
        note_copy(device, host, bytes);
        return 0;
    }
    if (input < input_->args.tensor_count) {
        return -report(
            &error_, CH_HOST_RANGE_INVALID, "record_tensor_pair",
            "[argument %u] must not be written: its array is read-only, or it is an input by the callable's signature",
            input);
    }
    return -report(&error_, CH_HOST_RANGE_INVALID, "record_tensor_pair",
                   "%llu bytes at %p are inside none of the run's %u tensors", static_cast<unsigned long long>(bytes),
                   host, input_->args.tensor_count);
}

int32_t HostBuildGraph::copy_to_device(uint64_t device, const void* host, uint64_t bytes) {
    if (const Status failed = memory_.check_range(device, bytes, "copy_to_device", &error_); !failed.ok())
        return -failed.code();
    note_copy(device, host, bytes);
    return -platform::copy_to_device(device_, device, host, bytes, &error_);
}

// Remembers which array of the run the device has a copy of, for the checks, which name memory.
void HostBuildGraph::note_copy(uint64_t device, const void* host, uint64_t bytes) {
    if (input_->config.check == 0) return;
    const auto is_known = [&](const platform::ArgumentCopy& copy) { return copy.device == device; };
    if (std::any_of(argument_copies_.begin(), argument_copies_.end(), is_known)) return;
    for (uint32_t number = 0; number < input_->args.tensor_count; ++number) {
        const ch_tensor& array = input_->args.tensors[number];
        if (array.data != reinterpret_cast<uint64_t>(host) || ch_tensor_bytes(&array) != bytes) continue;
        argument_copies_.push_back({device, number, &array});
        return;
    }
}

int32_t HostBuildGraph::print() const {
    const std::string text = graph_.describe();
    for (size_t done = 0; done < text.size();) {
        const ssize_t written = write(STDERR_FILENO, text.data() + done, text.size() - done);
        if (written <= 0) break;  // nobody reads it
        done += static_cast<size_t>(written);
    }
    return 0;
}

}  // namespace chiphost::host_build_graph

namespace chiphost::host {

const char* const runtime_name = "host_build_graph";

std::unique_ptr<Runtime> make_runtime(platform::Device* device, const ch_anchor* anchor, void* anchor_state) {
    return std::make_unique<host_build_graph::HostBuildGraph>(device, anchor, anchor_state);
}

}  // namespace chiphost::host
