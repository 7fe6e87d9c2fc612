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

// Says which version of the table this library expects; the runtime reads it before it calls anything.
extern "C" {
__attribute__((visibility("default"), weak)) extern const ch_abi_header chiphost_orchestration_abi;
const ch_abi_header chiphost_orchestration_abi =
    CH_ABI_HEADER(ch_device_graph_ops, CH_ABI_DEVICE_ORCHESTRATION, CH_DEVICE_ORCHESTRATION_MAJOR,
                  CH_DEVICE_ORCHESTRATION_MINOR, "*");
}

namespace chiphost {

constexpr ch_core_type AIC = CH_AIC;
constexpr ch_core_type AIV = CH_AIV;

// Names a submitted task.
class TaskId {
public:
    TaskId() = default;
    explicit TaskId(int64_t value) : value_(value) {}
    int64_t value() const { return value_; }
    explicit operator bool() const { return value_ >= 0; }

private:
    int64_t value_ = -1;
};

// A task to be submitted: kernels and arguments. A kernel sees the tensors first, in the order they were added, as
// pointers to ch_device_tensor, then the scalars. All kernels of a task get the same arguments.
class Task {
public:
    // One kernel on one core.
    Task(ch_core_type core_type, int32_t func_id) : func_id_{-1, -1, -1} {
        func_id_[core_type == CH_AIC ? 0 : 1] = func_id;
    }
    // Kernels on several cores of one cluster at once; -1: not used.
    static Task mixed(int32_t aic, int32_t aiv0, int32_t aiv1) {
        Task task(AIC, aic);
        task.func_id_[1] = aiv0;
        task.func_id_[2] = aiv1;
        return task;
    }

    // Reads the tensor.
    Task& input(const DeviceTensor& tensor) { return add(CH_ROLE_INPUT, tensor); }
    // Reads and writes it.
    Task& inout(const DeviceTensor& tensor) { return add(CH_ROLE_INOUT, tensor); }
    // Writes it without reading.
    Task& output(const DeviceTensor& tensor) { return add(CH_ROLE_OUTPUT_EXISTING, tensor); }
    // Makes a new tensor, SubmittedTask::output(i) for the i-th.
    Task& output(const TensorSpec& spec) {
        Slot& slot = next(CH_ROLE_OUTPUT);
        slot.spec = spec.raw();
        return *this;
    }
    // Uses it without edges being inferred from that.
    Task& no_dep(const DeviceTensor& tensor) { return add(CH_ROLE_NO_DEP, tensor); }

    // A number as a 64-bit word: integers in two's complement, float and double by their bits.
    template <typename T>
    Task& scalar(T value) {
        static_assert(__is_trivially_copyable(T) && sizeof(T) <= 8, "a scalar has at most 8 bytes");
        require(scalar_count_ < CH_MAX_TASK_SCALARS, "Task: wanted at most %d scalars", CH_MAX_TASK_SCALARS);
        scalars_[scalar_count_++] = word_of(value);
        return *this;
    }

    // Runs as this many blocks, numbered from 0; a kernel asks get_block_idx(args).
    Task& blocks(uint32_t block_num) {
        block_num_ = block_num;
        return *this;
    }

    // Waits for this task, whatever tensors say.
    Task& after(TaskId task) {
        require(after_count_ < after_max, "Task: wanted at most %u explicit predecessors", after_max);
        after_[after_count_++] = task.value();
        return *this;
    }

    // Fills a record for ch_device_graph_ops::submit; it refers to this task.
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
class SubmittedTask {
public:
    explicit SubmittedTask(const ch_task_result& result) : result_(result) {}
    TaskId id() const { return TaskId(result_.id); }

    // The i-th new tensor. May be used until the scope ends in which the task was submitted.
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

// What the calls of DeviceGraph throw when the run is over: it failed, or was stopped. The runtime knows why; this only
// gets out of the orchestration, which should let it pass. No std::exception, so that a handler of those does.
class RunOver {};

// A scope that is open; it ends with the object.
class Scope {
public:
    explicit Scope(ch_device_graph* graph) : graph_(graph) {}
    ~Scope() { graph_->ops->scope_end(graph_); }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

private:
    ch_device_graph* graph_;
};

// The graph under construction. Used by the orchestration only, on its thread, until it returns.
//
// A call that fails records why; the run then ends with that error, whatever follows. Every call throws RunOver if the
// run is over, but failed() and the end of a Scope. An orchestration that goes on all the same is given up after some
// thousand calls: its stack is left behind, and nothing on it is destroyed.
class DeviceGraph {
public:
    explicit DeviceGraph(ch_device_graph* graph) : graph_(graph) {}

    // Submits a task to the innermost scope. Waits for room if need be.
    SubmittedTask submit(const Task& task) {
        ch_task_tensor tensors[CH_MAX_TASK_TENSORS];
        ch_task_spec spec;
        task.fill(&spec, tensors);
        ch_task_result result{-1, nullptr, 0, 0};
        if (graph_->ops->submit(graph_, &spec, &result) != 0) stop();
        return SubmittedTask(result);
    }

    // `consumer`, of an open manual scope (every scope of aicpu_build_graph is), starts after `producer`.
    void add_dependency(TaskId producer, TaskId consumer) {
        if (graph_->ops->add_dependency(graph_, producer.value(), consumer.value()) != 0) stop();
    }

    // A scope that lasts as long as the returned object. What is made in it may be reclaimed afterwards.
    [[nodiscard]] Scope scope(ch_scope_mode mode = CH_SCOPE_AUTO) {
        scope_begin(mode);
        return Scope(graph_);
    }

    // The same without an object: every begin needs its end.
    void scope_begin(ch_scope_mode mode = CH_SCOPE_AUTO) {
        if (graph_->ops->scope_begin(graph_, mode) != 0) stop();
    }
    void scope_end() {
        if (graph_->ops->scope_end(graph_) != 0) stop();
    }

    // One element, after the tasks that write it have completed. T has the size of the dtype.
    template <typename T>
    T read(const DeviceTensor& tensor, std::initializer_list<uint32_t> indices) {
        check_element<T>(tensor, indices.size());
        uint64_t bits = 0;
        if (graph_->ops->get_element(graph_, &tensor.raw(), indices.begin(), &bits) != 0) stop();
        T value;
        memcpy(&value, &bits, sizeof(T));
        return value;
    }

    // Sets one element, after the tasks that read or write it have completed.
    template <typename T>
    void write(const DeviceTensor& tensor, std::initializer_list<uint32_t> indices, T value) {
        check_element<T>(tensor, indices.size());
        uint64_t bits = 0;
        memcpy(&bits, &value, sizeof(T));
        if (graph_->ops->set_element(graph_, &tensor.raw(), indices.begin(), bits) != 0) stop();
    }

    // A row-major tensor whose first element is at a device address, of elements that lie in one tensor argument of the
    // run: part of its memory in another shape or dtype. Any other address ends the run with TASK_INVALID.
    DeviceTensor tensor_at(uint64_t address, const TensorSpec& spec) {
        ch_device_tensor tensor;
        if (graph_->ops->tensor_at(graph_, address, &spec.raw(), &tensor) != 0) stop();
        return DeviceTensor(tensor);
    }

    // Whether the run has failed already.
    bool failed() const { return graph_->ops->is_fatal(graph_) != 0; }

    // Ends the run with an error of the orchestration's own.
    [[noreturn]] void fail(int32_t code, const char* text) {
        graph_->ops->report_fatal(graph_, code, text);
        stop();
    }

    void log(const char* text) {
        graph_->ops->log(graph_, 0, text);
        if (failed()) stop();
    }

    // Clusters in use by this run.
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

// The arguments of the run. Valid during the orchestration. An index that is out of range throws BadArgument.
class DeviceArgs {
public:
    explicit DeviceArgs(const ch_device_args& args) : args_(&args) {}
    uint32_t tensor_count() const { return args_->tensor_count; }
    uint32_t scalar_count() const { return args_->scalar_count; }
    DeviceTensor tensor(uint32_t index) const {
        require(index < args_->tensor_count, "DeviceArgs::tensor(%u): the run was given %u", index,
                args_->tensor_count);
        return DeviceTensor(args_->tensors[index]);
    }
    // Scalar as T: the low bytes of its 64-bit word.
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

// Defines the orchestration function `name`. Its body sees the graph and the arguments under the names given and
// returns 0, or a code of its own that ends the run.
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
