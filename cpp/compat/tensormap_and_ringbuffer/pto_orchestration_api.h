// SPDX-License-Identifier: Apache-2.0
//
// Orchestrations that were written for simpler's tensormap_and_ringbuffer. CHIPHOST_SIMPLER_ENTRY is the name of the
// function that submits the tasks; chiphost_simpler_entry calls it.
#pragma once

#include "device_orchestration.h"

inline PTO2Runtime* pto2_current_runtime() {
    return chiphost_simpler::bound();
}

[[gnu::always_inline]] inline TaskOutputTensors pto2_rt_submit_task(const MixedKernels& kernels, const Arg& args) {
    return TaskOutputTensors(args.submit(pto2_current_runtime(), kernels));
}
[[gnu::always_inline]] inline TaskOutputTensors pto2_rt_submit_aic_task(int32_t kernel, const Arg& args) {
    return pto2_rt_submit_task({kernel, INVALID_KERNEL_ID, INVALID_KERNEL_ID}, args);
}
[[gnu::always_inline]] inline TaskOutputTensors pto2_rt_submit_aiv_task(int32_t kernel, const Arg& args) {
    return pto2_rt_submit_task({INVALID_KERNEL_ID, kernel, INVALID_KERNEL_ID}, args);
}

[[gnu::always_inline]] inline void pto2_rt_scope_begin() {
    chiphost_simpler::scope_begin(pto2_current_runtime());
}
[[gnu::always_inline]] inline void pto2_rt_scope_end() {
    chiphost_simpler::scope_end(pto2_current_runtime());
}
inline bool pto2_rt_is_fatal() {
    PTO2Runtime* const runtime = pto2_current_runtime();
    return chiphost_simpler::call(runtime, runtime->ops->is_fatal) != 0;
}
// The runtime sees that the orchestration has returned.
inline void pto2_rt_orchestration_done() {}

class PTO2ScopeGuard {
public:
    PTO2ScopeGuard() { pto2_rt_scope_begin(); }
    ~PTO2ScopeGuard() { pto2_rt_scope_end(); }
    PTO2ScopeGuard(const PTO2ScopeGuard&) = delete;
    PTO2ScopeGuard& operator=(const PTO2ScopeGuard&) = delete;
};
#define PTO2_SCOPE_GUARD() [[maybe_unused]] PTO2ScopeGuard CHIPHOST_SIMPLER_JOINED(scope_guard_, __COUNTER__)
#define PTO2_SCOPE() if (PTO2_SCOPE_GUARD(); true)

// Access to one element; `indices` has one entry for each dimension of the tensor. Both wait for the tasks that write
// the tensor; a write also waits for those that read it.
template <typename T = uint64_t>
[[gnu::always_inline]] inline T get_tensor_data(const Tensor& tensor, uint32_t ndims, const uint32_t indices[]) {
    chiphost::require(ndims == tensor.ndims, "get_tensor_data: wanted %u indices, found %u", tensor.ndims, ndims);
    ch_device_graph* const graph = pto2_current_runtime();
    uint64_t word = 0;
    chiphost_simpler::call_or_end(graph, graph->ops->get_element, &tensor.raw(), indices, &word);
    return from_u64<T>(word);
}
template <typename T = uint64_t>
[[gnu::always_inline]] inline void set_tensor_data(const Tensor& tensor, uint32_t ndims, const uint32_t indices[],
                                                   T value) {
    chiphost::require(ndims == tensor.ndims, "set_tensor_data: wanted %u indices, found %u", tensor.ndims, ndims);
    ch_device_graph* const graph = pto2_current_runtime();
    chiphost_simpler::call_or_end(graph, graph->ops->set_element, &tensor.raw(), indices, to_u64(value));
}

#define LOG_ERROR(...) chiphost_simpler::log(pto2_current_runtime(), 4, __func__, __VA_ARGS__)
#define LOG_WARN(...) chiphost_simpler::log(pto2_current_runtime(), 3, __func__, __VA_ARGS__)
#define LOG_INFO(...) chiphost_simpler::log(pto2_current_runtime(), 2, __func__, __VA_ARGS__)
#define LOG_DEBUG(...) chiphost_simpler::log(pto2_current_runtime(), 1, __func__, __VA_ARGS__)
#define LOG_ALWAYS(...) chiphost_simpler::log(pto2_current_runtime(), 5, __func__, __VA_ARGS__)

extern "C" void CHIPHOST_SIMPLER_ENTRY(const ChipStorageTaskArgs& args, int orch_thread_num, int orch_thread_index);

extern "C" __attribute__((visibility("default"), weak)) int32_t chiphost_simpler_entry(ch_device_graph* graph,
                                                                                       const ch_device_args* args) {
    const ChipStorageTaskArgs all = chiphost_simpler::begin(graph, *args);
    CHIPHOST_SIMPLER_ENTRY(all, 1, 0);
    return 0;
}
