// SPDX-License-Identifier: Apache-2.0
//
// Names that orchestrations written for simpler's aicpu_build_graph and tensormap_and_ringbuffer have in common. Their
// pto_orchestration_api.h differ: in one every call passes the runtime, in the other the runtime is known.
#pragma once

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include "chiphost/device_graph.h"
#include "task_args.h"
#include "tensor.h"

using PTO2Runtime = ch_device_graph;

// The number of arguments that a run must have at least: tensors and scalars together.
struct PTO2OrchestrationConfig {
    int expected_arg_count;
};

// ring << 32 | number in the ring, as ch_task_result::id.
struct PTO2TaskId {
    uint64_t raw = 0;
    static constexpr PTO2TaskId invalid() { return PTO2TaskId{~uint64_t{0}}; }
    bool is_valid() const { return raw != ~uint64_t{0}; }
    bool operator==(const PTO2TaskId& other) const { return raw == other.raw; }
    bool operator!=(const PTO2TaskId& other) const { return raw != other.raw; }
};

namespace chiphost_simpler {

// The graph of the run whose orchestration this thread is in. Runs of several workers may use one loaded library at the
// same time, and an orchestration may go on on another thread after any call into the runtime; so it is written at the
// begin and after every call, and only ever read through a function that looks at the thread anew.
extern "C" __attribute__((visibility("hidden"), weak)) thread_local ch_device_graph* chiphost_bound_graph = nullptr;

__attribute__((noinline)) inline ch_device_graph* bound() {
    asm volatile("");  // keeps the compiler from merging two calls
    chiphost::require(chiphost_bound_graph, "a function of pto_orchestration_api.h was called on a thread of its own");
    return chiphost_bound_graph;
}
__attribute__((noinline)) inline void bind(ch_device_graph* graph) {
    asm volatile("");
    chiphost_bound_graph = graph;
}

// Calls a function of the runtime.
template <typename Result, typename... Parameters, typename... Values>
[[gnu::always_inline]] Result call(ch_device_graph* graph, Result (*function)(ch_device_graph*, Parameters...),
                                   Values... values) {
    const Result result = function(graph, values...);
    bind(graph);
    return result;
}
// Calls a function of the runtime that returns a negative number if the run is over.
template <typename... Parameters, typename... Values>
[[gnu::always_inline]] inline void call_or_end(ch_device_graph* graph,
                                               int32_t (*function)(ch_device_graph*, Parameters...), Values... values) {
    if (call(graph, function, values...) != 0) throw chiphost::RunOver();
}

}  // namespace chiphost_simpler

constexpr int32_t INVALID_KERNEL_ID = -1;

// The kernels of one task, on the cores of one cluster.
struct MixedKernels {
    int32_t aic_kernel_id = INVALID_KERNEL_ID;
    int32_t aiv0_kernel_id = INVALID_KERNEL_ID;
    int32_t aiv1_kernel_id = INVALID_KERNEL_ID;
};

// The number of blocks of a task.
class PTO2LaunchSpec {
public:
    int16_t block_num() const { return block_num_; }
    void set_block_num(int16_t count) { block_num_ = count; }
    int16_t core_num() const { return block_num_; }
    void set_core_num(int16_t count) { block_num_ = count; }

private:
    int16_t block_num_ = 1;
};

constexpr int MAX_TENSOR_ARGS = 16;
constexpr int MAX_SCALAR_ARGS = 128;

// The arguments of a task: tensors, then scalars. Tensors are looked at when the task is submitted, and must live until
// then. What does not fit throws chiphost::BadArgument.
class Arg {
public:
    PTO2LaunchSpec launch_spec;

    // Removes all arguments; launch_spec stays as it is.
    void reset() { tensor_count_ = scalar_count_ = 0; }

    void add_input(const Tensor& tensor) { add(CH_ROLE_INPUT, tensor); }
    void add_inout(const Tensor& tensor) { add(CH_ROLE_INOUT, tensor); }
    // Adds an existing tensor that the task writes.
    void add_output(const Tensor& tensor) { add(CH_ROLE_OUTPUT_EXISTING, tensor); }
    void add_no_dep(const Tensor& tensor) { add(CH_ROLE_NO_DEP, tensor); }
    // Adds a tensor that the task makes: TaskOutputTensors::get_ref returns it.
    void add_output(const TensorCreateInfo& info) {
        Slot& slot = next(CH_ROLE_OUTPUT);
        slot.spec = info.raw();
    }

    template <typename T>
    void add_scalar(T value) {
        const uint64_t word = to_u64(value);
        add_scalars(&word, 1);
    }
    void add_scalars(const uint64_t* values, int count) {
        require_room(count);
        for (int i = 0; i < count; ++i) scalars_[scalar_count_++] = values[i];
    }
    // Adds the bits of each number; the upper half of each word is 0.
    void add_scalars_i32(const int32_t* values, int count) {
        require_room(count);
        for (int i = 0; i < count; ++i) scalars_[scalar_count_++] = to_u64(values[i]);
    }
    void copy_scalars_from(const Arg& source, int first, int count) {
        chiphost::require(first >= 0 && count >= 0 && first + count <= source.scalar_count(),
                          "Arg::copy_scalars_from: wanted %d scalars from %d on, there are %d", count, first,
                          source.scalar_count());
        add_scalars(source.scalars_ + first, count);
    }
    int32_t tensor_count() const { return static_cast<int32_t>(tensor_count_); }
    int32_t scalar_count() const { return static_cast<int32_t>(scalar_count_); }

    // Submits a task with these arguments to the innermost scope.
    [[gnu::always_inline]] ch_task_result submit(ch_device_graph* graph, const MixedKernels& kernels) const {
        ch_task_tensor tensors[MAX_TENSOR_ARGS]{};
        const ch_task_spec spec = describe(kernels, tensors);
        ch_task_result result{-1, nullptr, 0, 0};
        chiphost_simpler::call_or_end(graph, graph->ops->submit, &spec, &result);
        return result;
    }

private:
    // The task as the runtime takes it. It refers to these arguments and to `tensors`.
    ch_task_spec describe(const MixedKernels& kernels, ch_task_tensor* tensors) const {
        for (uint32_t i = 0; i < tensor_count_; ++i) {
            tensors[i].role = slots_[i].role;
            if (slots_[i].role == CH_ROLE_OUTPUT) {
                tensors[i].spec = &slots_[i].spec;
            } else {
                tensors[i].tensor = &slots_[i].tensor->raw();
            }
        }
        ch_task_spec spec{};
        spec.struct_bytes = sizeof spec;
        spec.func_id[0] = kernels.aic_kernel_id;
        // A second AIV alone is a first one.
        const bool only_second = kernels.aiv0_kernel_id < 0 && kernels.aiv1_kernel_id >= 0;
        spec.func_id[1] = only_second ? kernels.aiv1_kernel_id : kernels.aiv0_kernel_id;
        spec.func_id[2] = only_second ? INVALID_KERNEL_ID : kernels.aiv1_kernel_id;
        chiphost::require(launch_spec.block_num() > 0, "Arg::launch_spec: wanted 1 block or more, found %d",
                          launch_spec.block_num());
        spec.block_num = static_cast<uint32_t>(launch_spec.block_num());
        spec.tensor_count = tensor_count_;
        spec.scalar_count = scalar_count_;
        spec.tensors = tensors;
        spec.scalars = scalars_;
        return spec;
    }

    struct Slot {
        uint32_t role = 0;
        const Tensor* tensor = nullptr;
        ch_tensor_spec spec{};
    };
    Slot& next(ch_tensor_role role) {
        chiphost::require(scalar_count_ == 0, "Arg: tensors come before scalars");
        chiphost::require(tensor_count_ < MAX_TENSOR_ARGS, "Arg: wanted at most %d tensors", MAX_TENSOR_ARGS);
        Slot& slot = slots_[tensor_count_++];
        slot.role = role;
        return slot;
    }
    void add(ch_tensor_role role, const Tensor& tensor) { next(role).tensor = &tensor; }
    void require_room(int count) const {
        chiphost::require(count >= 0 && scalar_count_ + static_cast<uint32_t>(count) <= MAX_SCALAR_ARGS,
                          "Arg: wanted at most %d scalars", MAX_SCALAR_ARGS);
    }

    uint32_t tensor_count_ = 0;
    uint32_t scalar_count_ = 0;
    Slot slots_[MAX_TENSOR_ARGS];
    uint64_t scalars_[MAX_SCALAR_ARGS]{};
};

// The tensors that were made for a task. They live until the scope ends in which it was submitted.
class TaskOutputTensors {
public:
    TaskOutputTensors() = default;
    explicit TaskOutputTensors(const ch_task_result& result)
        : tensors_(reinterpret_cast<const Tensor*>(result.outputs)), count_(result.output_count) {}
    bool empty() const { return count_ == 0; }
    uint32_t size() const { return count_; }
    const Tensor& get_ref(uint32_t index) const {
        chiphost::require(index < count_, "TaskOutputTensors::get_ref(%u): the task made %u tensors", index, count_);
        return tensors_[index];
    }

private:
    const Tensor* tensors_ = nullptr;
    uint32_t count_ = 0;
};

namespace chiphost_simpler {

// A tensor of this shape at an address in one of the run's tensor arguments; any other ends the run with an error.
[[gnu::always_inline]] inline Tensor tensor_at(ch_device_graph* graph, void* address, const uint32_t shapes[],
                                               uint32_t ndims, DataType dtype, bool manual_dep) {
    const TensorCreateInfo info(shapes, ndims, dtype, manual_dep);
    ch_device_tensor tensor;
    call_or_end(graph, graph->ops->tensor_at, reinterpret_cast<uint64_t>(address), &info.raw(), &tensor);
    return Tensor(tensor);
}

// A line for the log of the run.
[[gnu::format(printf, 4, 5)]] inline void log(ch_device_graph* graph, int32_t level, const char* function,
                                              const char* format, ...) {
    char text[1024];
    const int length = snprintf(text, sizeof text, "%s: ", function);
    va_list values;
    va_start(values, format);
    vsnprintf(text + length, sizeof text - static_cast<size_t>(length), format, values);
    va_end(values);
    graph->ops->log(graph, level, text);
    bind(graph);
}

[[gnu::always_inline]] inline void scope_begin(ch_device_graph* graph) {
    call_or_end(graph, graph->ops->scope_begin, int32_t{CH_SCOPE_AUTO});
}
// An error already belongs to the run, and the next call throws.
[[gnu::always_inline]] inline void scope_end(ch_device_graph* graph) {
    call(graph, graph->ops->scope_end);
}

}  // namespace chiphost_simpler

// The number of arguments that the orchestration wants; an orchestration may lack this function.
extern "C" __attribute__((weak)) PTO2OrchestrationConfig aicpu_orchestration_config(const ChipStorageTaskArgs& args);

namespace chiphost_simpler {

// Begins an orchestration: returns its arguments, if there are as many as it wants.
inline ChipStorageTaskArgs begin(ch_device_graph* graph, const ch_device_args& raw) {
    bind(graph);
    const ChipStorageTaskArgs args(raw);
    if (aicpu_orchestration_config) {
        const int wanted = aicpu_orchestration_config(args).expected_arg_count;
        chiphost::require(wanted <= 0 || static_cast<uint32_t>(wanted) <= raw.tensor_count + raw.scalar_count,
                          "aicpu_orchestration_config: wanted %d arguments or more, found %u tensors and %u scalars",
                          wanted, raw.tensor_count, raw.scalar_count);
    }
    return args;
}

}  // namespace chiphost_simpler

[[gnu::always_inline]] inline Tensor make_tensor_external(void* address, const uint32_t shapes[], uint32_t ndims,
                                                          DataType dtype = DataType::FLOAT32, bool manual_dep = false,
                                                          int32_t = 0) {
    return chiphost_simpler::tensor_at(chiphost_simpler::bound(), address, shapes, ndims, dtype, manual_dep);
}
[[gnu::always_inline]] inline Tensor from_tensor_arg(const ContinuousTensor& tensor, bool manual_dep = false,
                                                     int32_t version = 0) {
    return make_tensor_external(reinterpret_cast<void*>(tensor.data), tensor.shapes, tensor.ndims, tensor.dtype,
                                manual_dep, version);
}

#define CHIPHOST_SIMPLER_JOINED(x, y) CHIPHOST_SIMPLER_JOINED_(x, y)
#define CHIPHOST_SIMPLER_JOINED_(x, y) x##y
