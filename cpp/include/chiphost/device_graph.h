// SPDX-License-Identifier: Apache-2.0
//
// For orchestrations that run on the AICPU while the cores are at work: the runtimes aicpu_build_graph and
// tensormap_and_ringbuffer.
//
//     #include <chiphost/device_graph.h>
//
//     CHIPHOST_DEVICE_ORCHESTRATION(build_graph, graph, args) {
//         const auto x = args.tensor(0), y = args.tensor(1);
//         chiphost::Task square(chiphost::AIV, /*func_id=*/0);
//         square.input(x).output(chiphost::like(x));
//         const auto squared = graph.submit(square).output(0);
//         graph.submit(chiphost::Task(chiphost::AIV, 1).input(squared).output(y));
//         return 0;
//     }
//
// In tensormap_and_ringbuffer a task waits for the tasks that touch the same elements of a tensor before it: for the
// writers of what it reads, and for the readers and writers of what it writes. In aicpu_build_graph it waits for what
// add_dependency says, and nothing of a scope starts before the scope ends.
#pragma once

#include <stdint.h>
#include <string.h>

#include "abi/device_orchestration.h"
#include "device_tensor.h"
#include "require.h"

extern "C" {
// Says which version of the table this library expects; the runtime reads it before it calls anything.
__attribute__((visibility("default"), weak)) extern const ch_abi_header chiphost_orchestration_abi;
const ch_abi_header chiphost_orchestration_abi =
    CH_ABI_HEADER(ch_device_graph_ops, CH_ABI_DEVICE_ORCHESTRATION, CH_DEVICE_ORCHESTRATION_MAJOR,
                  CH_DEVICE_ORCHESTRATION_MINOR, "*");
}

namespace chiphost {

constexpr ch_core_type AIC = CH_AIC;  // a core for matrices
constexpr ch_core_type AIV = CH_AIV;  // a core for vectors

// Names a submitted task. An id stays good for the whole run.
//
// Threads: any.
// Errors: none.
class TaskId {
public:
    // Names no task.
    TaskId() = default;
    // Names a task.
    //
    // value: its number, as ch_task_result::id has it.
    explicit TaskId(int64_t value) : value_(value) {}
    // Gives the number; negative if it names no task.
    int64_t value() const { return value_; }
    // Tells that it names a task.
    explicit operator bool() const { return value_ >= 0; }

private:
    int64_t value_ = -1;
};

// A task to be submitted: kernels and arguments. A kernel sees the tensors first, in the order they were added, as
// pointers to ch_device_tensor, then the scalars. All kernels of a task get the same arguments.
//
// Ownership: tensors and scalars are copied.
// Threads: one at a time.
// Errors: throws BadArgument for more than a task may have (CH_MAX_TASK_TENSORS, CH_MAX_TASK_SCALARS). All else is
// found by DeviceGraph::submit.
class Task {
public:
    // Describes a task of one kernel on one core.
    //
    // core_type: AIC or AIV.
    // func_id: the kernel, of the callable.
    // Errors: none.
    Task(ch_core_type core_type, int32_t func_id) : func_id_{-1, -1, -1} {
        func_id_[core_type == CH_AIC ? 0 : 1] = func_id;
    }
    // Describes a task of kernels on several cores of one cluster at once.
    //
    // aic: func_id of the kernel on the AIC; -1: not used.
    // aiv0: func_id of the kernel on the first AIV; -1: not used.
    // aiv1: func_id of the kernel on the second AIV; -1: not used.
    // Errors: none.
    static Task mixed(int32_t aic, int32_t aiv0, int32_t aiv1) {
        Task task(AIC, aic);
        task.func_id_[1] = aiv0;
        task.func_id_[2] = aiv1;
        return task;
    }

    // Adds a tensor that the task reads.
    //
    // tensor: an argument of the run, or made in an open scope; or a view.
    Task& input(const DeviceTensor& tensor) { return add(CH_ROLE_INPUT, tensor); }
    // Adds a tensor that the task reads and writes.
    //
    // tensor: an argument of the run, or made in an open scope; or a view.
    Task& inout(const DeviceTensor& tensor) { return add(CH_ROLE_INOUT, tensor); }
    // Adds a tensor that the task writes without reading it.
    //
    // tensor: an argument of the run, or made in an open scope; or a view.
    Task& output(const DeviceTensor& tensor) { return add(CH_ROLE_OUTPUT_EXISTING, tensor); }
    // Adds a tensor that is made for the task: SubmittedTask::output gives it.
    //
    // spec: its shape and dtype; copied.
    Task& output(const TensorSpec& spec) {
        Slot& slot = next(CH_ROLE_OUTPUT);
        slot.spec = spec.raw();
        return *this;
    }
    // Adds a tensor without edges being inferred from that, but the one to the task that made it.
    //
    // tensor: an argument of the run, or made in an open scope; or a view.
    Task& no_dep(const DeviceTensor& tensor) { return add(CH_ROLE_NO_DEP, tensor); }

    // Adds a number as a 64-bit word: integers in two's complement, float and double by their bits.
    //
    // T: its type, of at most 8 bytes.
    // value: the number.
    template <typename T>
    Task& scalar(T value) {
        static_assert(__is_trivially_copyable(T) && sizeof(T) <= 8, "a scalar has at most 8 bytes");
        require(scalar_count_ < CH_MAX_TASK_SCALARS, "Task: wanted at most %d scalars", CH_MAX_TASK_SCALARS);
        scalars_[scalar_count_++] = word_of(value);
        return *this;
    }

    // Lets the task run as several blocks, numbered from 0; a kernel asks get_block_idx().
    //
    // block_num: how many, 1 or more.
    // Errors: none.
    Task& blocks(uint32_t block_num) {
        block_num_ = block_num;
        return *this;
    }

    // Lets the task wait for another, whatever tensors say.
    //
    // task: one that was submitted.
    // Errors: throws BadArgument for more than 64.
    Task& after(TaskId task) {
        require(after_count_ < after_max, "Task: wanted at most %u explicit predecessors", after_max);
        after_[after_count_++] = task.value();
        return *this;
    }

    // Fills a record for ch_device_graph_ops::submit.
    //
    // out_spec: the record; it refers to this task and to `tensors`.
    // tensors: room for CH_MAX_TASK_TENSORS.
    // Errors: none.
    void fill(ch_task_spec* out_spec, ch_task_tensor* tensors) const {
        *out_spec = ch_task_spec{};
        out_spec->struct_bytes = sizeof(ch_task_spec);
        for (int i = 0; i < 3; ++i) out_spec->func_id[i] = func_id_[i];
        out_spec->block_num = block_num_;
        out_spec->tensor_count = tensor_count_;
        out_spec->scalar_count = scalar_count_;
        out_spec->after_count = after_count_;
        for (uint32_t i = 0; i < tensor_count_; ++i) {
            tensors[i].role = slots_[i].role;
            if (slots_[i].role == CH_ROLE_OUTPUT) {
                tensors[i].spec = &slots_[i].spec;
            } else {
                tensors[i].tensor = &slots_[i].tensor;
            }
        }
        out_spec->tensors = tensors;
        out_spec->scalars = scalars_;
        out_spec->after = after_;
    }

private:
    static constexpr uint32_t after_max = 64;

    struct Slot {
        uint32_t role;
        union {
            ch_device_tensor tensor;
            ch_tensor_spec spec;
        };
    };

    template <typename T>
    static constexpr bool is_signed_integer() {
        if constexpr (__is_class(T)) {  // such as bfloat16
            return false;
        } else {
            return static_cast<T>(-1) < static_cast<T>(0) && static_cast<T>(1) / 2 == 0;
        }
    }
    template <typename T>
    static uint64_t word_of(T value) {
        if constexpr (is_signed_integer<T>()) {
            return static_cast<uint64_t>(static_cast<int64_t>(value));
        } else {
            uint64_t word = 0;
            memcpy(&word, &value, sizeof(T));  // little-endian
            return word;
        }
    }

    Slot& next(ch_tensor_role role) {
        require(tensor_count_ < CH_MAX_TASK_TENSORS, "Task: wanted at most %d tensors", CH_MAX_TASK_TENSORS);
        Slot& slot = slots_[tensor_count_++];
        slot.role = role;
        return slot;
    }
    Task& add(ch_tensor_role role, const DeviceTensor& tensor) {
        next(role).tensor = tensor.raw();
        return *this;
    }

    int32_t func_id_[3];
    uint32_t block_num_ = 1;
    uint32_t tensor_count_ = 0;
    uint32_t scalar_count_ = 0;
    uint32_t after_count_ = 0;
    Slot slots_[CH_MAX_TASK_TENSORS];        // the first tensor_count_ are set
    uint64_t scalars_[CH_MAX_TASK_SCALARS];  // the first scalar_count_ are set
    int64_t after_[after_max];               // the first after_count_ are set
};

// A task that was submitted, and the tensors that were made for it.
//
// Threads: that of the orchestration.
// Errors: none, unless a function says otherwise.
class SubmittedTask {
public:
    // Copies a record.
    //
    // result: of ch_device_graph_ops::submit; it refers to memory of the runtime.
    explicit SubmittedTask(const ch_task_result& result) : result_(result) {}
    // Gives the task's id.
    TaskId id() const { return TaskId(result_.id); }

    // Gives a new tensor. It may be used until the scope ends in which the task was submitted.
    //
    // index: its number among the new tensors, in the order of Task::output.
    // Errors: throws BadArgument if there is none, or the scope has ended.
    DeviceTensor output(uint32_t index) const {
        require(index < result_.output_count, "SubmittedTask::output(%u): the task made %u tensors", index,
                result_.output_count);
        require(result_.outputs[index].owner == result_.id, "SubmittedTask::output(%u): the task's scope has ended",
                index);
        return DeviceTensor(result_.outputs[index]);
    }

private:
    ch_task_result result_;
};

// The calls of DeviceGraph throw it when the run is over: it failed, or was stopped. The runtime knows why; this only
// gets out of the orchestration, which should let it pass. It is no std::exception, so that a handler of those does.
class RunOver {};

// A scope that is open; DeviceGraph::scope makes it.
//
// Threads: that of the orchestration.
// Errors: none; a scope that cannot be ended ends the run.
class Scope {
public:
    // Takes over the innermost scope.
    //
    // graph: borrowed until the object is destroyed.
    explicit Scope(ch_device_graph* graph) : graph_(graph) {}
    // Ends the scope.
    ~Scope() { graph_->ops->scope_end(graph_); }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

private:
    ch_device_graph* graph_;
};

// The graph under construction, for the orchestration until it returns.
//
// Threads: that of the orchestration.
// Errors: throws RunOver if the run is over. A call that fails records why; the run then ends with that error, whatever
// follows. An orchestration that goes on all the same is given up after some thousand calls: its stack is left behind,
// and nothing on it is destroyed.
// Ownership: arguments are borrowed for the call.
//
// The calls are inlined wherever they are: the runtime tells the line of a call by its return address.
class DeviceGraph {
public:
    // Wraps the runtime's graph, which lives until the orchestration returns.
    //
    // Errors: none.
    explicit DeviceGraph(ch_device_graph* graph) : graph_(graph) {}

    // Submits a task to the innermost scope. It waits for room if need be.
    //
    // task: copied.
    // Errors: throws RunOver after those of ch_device_graph_ops::submit.
    [[gnu::always_inline]] SubmittedTask submit(const Task& task) {
        ch_task_tensor tensors[CH_MAX_TASK_TENSORS];
        ch_task_spec spec;
        task.fill(&spec, tensors);
        ch_task_result result{-1, nullptr, 0, 0};
        if (graph_->ops->submit(graph_, &spec, &result) != 0) stop();
        return SubmittedTask(result);
    }

    // Adds an edge: one task starts after another has completed.
    //
    // producer: the earlier task; it was submitted first.
    // consumer: the later one, of an open manual scope (every scope of aicpu_build_graph is).
    // Errors: throws RunOver after those of ch_device_graph_ops::add_dependency.
    [[gnu::always_inline]] void add_dependency(TaskId producer, TaskId consumer) {
        if (graph_->ops->add_dependency(graph_, producer.value(), consumer.value()) != 0) stop();
    }

    // Opens a scope that lasts as long as the returned object. What is made in it may be reclaimed afterwards.
    //
    // mode: how its tasks are ordered.
    // Errors: throws RunOver after those of ch_device_graph_ops::scope_begin.
    [[nodiscard, gnu::always_inline]] Scope scope(ch_scope_mode mode = CH_SCOPE_AUTO) {
        scope_begin(mode);
        return Scope(graph_);
    }

    // Opens a scope without an object: `scope_end` must close it.
    //
    // mode: how its tasks are ordered.
    // Errors: throws RunOver after those of ch_device_graph_ops::scope_begin.
    [[gnu::always_inline]] void scope_begin(ch_scope_mode mode = CH_SCOPE_AUTO) {
        if (graph_->ops->scope_begin(graph_, mode) != 0) stop();
    }

    // Closes the innermost scope.
    //
    // Errors: throws RunOver after those of ch_device_graph_ops::scope_end.
    [[gnu::always_inline]] void scope_end() {
        if (graph_->ops->scope_end(graph_) != 0) stop();
    }

    // Reads one element, after the tasks that write it have completed.
    //
    // T: a type with the size of the dtype.
    // tensor: where it is.
    // indices: its place, one for each dimension.
    // Errors: throws BadArgument for another size or number of indices; RunOver after those of
    // ch_device_graph_ops::get_element.
    template <typename T>
    [[gnu::always_inline]] T read(const DeviceTensor& tensor, std::initializer_list<uint32_t> indices) {
        check_element<T>(tensor, indices.size());
        uint64_t bits = 0;
        if (graph_->ops->get_element(graph_, &tensor.raw(), indices.begin(), &bits) != 0) stop();
        T value;
        memcpy(&value, &bits, sizeof(T));
        return value;
    }

    // Writes one element, after the tasks that read or write it have completed.
    //
    // T: a type with the size of the dtype.
    // tensor: where it is.
    // indices: its place, one for each dimension.
    // value: what it becomes.
    // Errors: throws BadArgument for another size or number of indices; RunOver after those of
    // ch_device_graph_ops::set_element.
    template <typename T>
    [[gnu::always_inline]] void write(const DeviceTensor& tensor, std::initializer_list<uint32_t> indices, T value) {
        check_element<T>(tensor, indices.size());
        uint64_t bits = 0;
        memcpy(&bits, &value, sizeof(T));
        if (graph_->ops->set_element(graph_, &tensor.raw(), indices.begin(), bits) != 0) stop();
    }

    // Makes a row-major tensor of elements that lie in one tensor argument of the run: part of its memory in another
    // shape or dtype.
    //
    // address: device address of its first element.
    // spec: its shape and dtype.
    // Errors: throws RunOver after those of ch_device_graph_ops::tensor_at.
    [[gnu::always_inline]] DeviceTensor tensor_at(uint64_t address, const TensorSpec& spec) {
        ch_device_tensor tensor;
        if (graph_->ops->tensor_at(graph_, address, &spec.raw(), &tensor) != 0) stop();
        return DeviceTensor(tensor);
    }

    // Tells that the run has failed already.
    //
    // Errors: none.
    bool failed() const { return graph_->ops->is_fatal(graph_) != 0; }

    // Ends the run with an error of the orchestration's own: CH_ORCHESTRATION_FATAL.
    //
    // code: a number of its own, for ch_error::detail_code.
    // text: the message; copied.
    // Errors: throws RunOver.
    [[noreturn]] void fail(int32_t code, const char* text) {
        graph_->ops->report_fatal(graph_, code, text);
        stop();
    }

    // Writes a line to the log.
    //
    // text: the line, NUL-terminated.
    void log(const char* text) {
        graph_->ops->log(graph_, 0, text);
        if (failed()) stop();
    }

    // Tells how many clusters this run uses.
    int32_t cluster_count() const {
        const int32_t count = graph_->ops->get_cluster_count(graph_);
        if (count < 0) stop();
        return count;
    }

private:
    template <typename T>
    static void check_element(const DeviceTensor& tensor, size_t indices) {
        require(sizeof(T) == ch_dtype_bytes(tensor.raw().dtype), "the value has %zu bytes, the tensor's dtype %u",
                sizeof(T), ch_dtype_bytes(tensor.raw().dtype));
        require(indices == tensor.ndims(), "wanted %u indices, found %zu", tensor.ndims(), indices);
    }

    [[noreturn]] static void stop() { throw RunOver(); }

    ch_device_graph* graph_;
};

// The arguments of the run. Tensors and scalars are numbered apart, each in the order of the call.
//
// Ownership: the runtime's; they are valid during the orchestration.
// Threads: that of the orchestration.
// Errors: none, unless a function says otherwise.
class DeviceArgs {
public:
    // Wraps what an orchestration is called with.
    //
    // args: the record, to which it refers.
    explicit DeviceArgs(const ch_device_args& args) : args_(&args) {}
    // Gives the number of tensors.
    uint32_t tensor_count() const { return args_->tensor_count; }
    // Gives the number of scalars.
    uint32_t scalar_count() const { return args_->scalar_count; }
    // Gives a tensor.
    //
    // index: its number among the tensors.
    // Errors: throws BadArgument if there is none.
    DeviceTensor tensor(uint32_t index) const {
        require(index < args_->tensor_count, "DeviceArgs::tensor(%u): the run was given %u", index,
                args_->tensor_count);
        return DeviceTensor(args_->tensors[index]);
    }
    // Gives a scalar: the low bytes of its 64-bit word.
    //
    // T: its type, of at most 8 bytes.
    // index: its number among the scalars.
    // Errors: throws BadArgument if there is none.
    template <typename T = uint64_t>
    T scalar(uint32_t index) const {
        static_assert(__is_trivially_copyable(T) && sizeof(T) <= 8, "a scalar has at most 8 bytes");
        require(index < args_->scalar_count, "DeviceArgs::scalar(%u): the run was given %u", index,
                args_->scalar_count);
        T value;
        memcpy(&value, &args_->scalars[index], sizeof(T));
        return value;
    }

private:
    const ch_device_args* args_;
};

}  // namespace chiphost

// Defines an orchestration function. Its body follows, sees the graph and the arguments under the names given, and
// returns 0, or a code of its own that ends the run.
//
// name: of the function.
// graph: name of the DeviceGraph.
// args: name of the DeviceArgs.
#define CHIPHOST_DEVICE_ORCHESTRATION(name, graph, args)                                             \
    static int32_t name##_body(::chiphost::DeviceGraph& graph, const ::chiphost::DeviceArgs& args);  \
    extern "C" __attribute__((visibility("default"))) int32_t name(ch_device_graph* raw_graph,       \
                                                                   const ch_device_args* raw_args) { \
        ::chiphost::DeviceGraph wrapped_graph(raw_graph);                                            \
        const ::chiphost::DeviceArgs wrapped_args(*raw_args);                                        \
        return name##_body(wrapped_graph, wrapped_args);                                             \
    }                                                                                                \
    static int32_t name##_body([[maybe_unused]] ::chiphost::DeviceGraph& graph,                      \
                               [[maybe_unused]] const ::chiphost::DeviceArgs& args)
