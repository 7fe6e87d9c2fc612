// SPDX-License-Identifier: Apache-2.0
//
// Orchestrations that were written for simpler's aicpu_build_graph. CHIPHOST_SIMPLER_ENTRY is the name of the function
// that submits the tasks; chiphost_simpler_entry calls it.
#pragma once

#include "device_orchestration.h"

struct SubmitResult {
    PTO2TaskId task_id;
    TaskOutputTensors outputs;
};

namespace chiphost_simpler {

[[gnu::always_inline]] inline SubmitResult submit(ch_device_graph* graph, const MixedKernels& kernels,
                                                  const Arg& args) {
    const ch_task_result result = args.submit(graph, kernels);
    return {PTO2TaskId{static_cast<uint64_t>(result.id)}, TaskOutputTensors(result)};
}

}  // namespace chiphost_simpler

[[gnu::always_inline]] inline SubmitResult pto2_rt_submit_task(PTO2Runtime* rt, const MixedKernels& kernels,
                                                               const Arg& args) {
    return chiphost_simpler::submit(rt, kernels, args);
}
[[gnu::always_inline]] inline SubmitResult pto2_rt_submit_aic_task(PTO2Runtime* rt, int32_t kernel, const Arg& args) {
    return chiphost_simpler::submit(rt, {kernel, INVALID_KERNEL_ID, INVALID_KERNEL_ID}, args);
}
[[gnu::always_inline]] inline SubmitResult pto2_rt_submit_aiv_task(PTO2Runtime* rt, int32_t kernel, const Arg& args) {
    return chiphost_simpler::submit(rt, {INVALID_KERNEL_ID, kernel, INVALID_KERNEL_ID}, args);
}
// `consumer` starts after `producer`.
[[gnu::always_inline]] inline void pto2_rt_add_dependency(PTO2Runtime* rt, PTO2TaskId producer, PTO2TaskId consumer) {
    chiphost_simpler::call_or_end(rt, rt->ops->add_dependency, static_cast<int64_t>(producer.raw),
                                  static_cast<int64_t>(consumer.raw));
}

[[gnu::always_inline]] inline void pto2_rt_scope_begin(PTO2Runtime* rt) {
    chiphost_simpler::scope_begin(rt);
}
[[gnu::always_inline]] inline void pto2_rt_scope_end(PTO2Runtime* rt) {
    chiphost_simpler::scope_end(rt);
}
inline bool pto2_rt_is_fatal(PTO2Runtime* rt) {
    return chiphost_simpler::call(rt, rt->ops->is_fatal) != 0;
}
// The runtime sees that the orchestration has returned.
inline void pto2_rt_orchestration_done(PTO2Runtime*) {}

class PTO2ScopeGuard {
public:
    explicit PTO2ScopeGuard(PTO2Runtime* rt) : rt_(rt) { pto2_rt_scope_begin(rt_); }
    ~PTO2ScopeGuard() { pto2_rt_scope_end(rt_); }
    PTO2ScopeGuard(const PTO2ScopeGuard&) = delete;
    PTO2ScopeGuard& operator=(const PTO2ScopeGuard&) = delete;

private:
    PTO2Runtime* rt_;
};
#define PTO2_SCOPE_GUARD(rt) [[maybe_unused]] PTO2ScopeGuard CHIPHOST_SIMPLER_JOINED(scope_guard_, __COUNTER__)(rt)
#define PTO2_SCOPE(rt) if (PTO2_SCOPE_GUARD(rt); true)

#define LOG_ERROR(rt, ...) chiphost_simpler::log(rt, 4, __func__, __VA_ARGS__)
#define LOG_WARN(rt, ...) chiphost_simpler::log(rt, 3, __func__, __VA_ARGS__)
#define LOG_INFO(rt, ...) chiphost_simpler::log(rt, 2, __func__, __VA_ARGS__)
#define LOG_DEBUG(rt, ...) chiphost_simpler::log(rt, 1, __func__, __VA_ARGS__)
#define LOG_ALWAYS(rt, ...) chiphost_simpler::log(rt, 5, __func__, __VA_ARGS__)

extern "C" void CHIPHOST_SIMPLER_ENTRY(PTO2Runtime* rt, const ChipStorageTaskArgs& args, int orch_thread_num,
                                       int orch_thread_index);

extern "C" __attribute__((visibility("default"), weak)) int32_t chiphost_simpler_entry(ch_device_graph* graph,
                                                                                       const ch_device_args* args) {
    const ChipStorageTaskArgs all = chiphost_simpler::begin(graph, *args);
    CHIPHOST_SIMPLER_ENTRY(graph, all, 1, 0);
    return 0;
}
