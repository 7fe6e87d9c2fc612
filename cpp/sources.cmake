# SPDX-License-Identifier: Apache-2.0
#
# Sources of the programs, by part. A program is made of the parts it needs, compiled for its chip and platform.

# All that host runtimes have in common, but for their table; with what two of chiphost's own share, so that it is
# compiled once for them.
set(chiphost_host_frame_sources
    ${chiphost_root}/cpp/graph/graph_builder.cpp
    ${chiphost_root}/cpp/graph/kernel_names.cpp
    ${chiphost_root}/cpp/graph/task_check.cpp
    ${chiphost_root}/cpp/graph/tensor_region.cpp
    ${chiphost_root}/cpp/host/host_context.cpp
    ${chiphost_root}/cpp/host/launch_area.cpp
    ${chiphost_root}/cpp/host/loaded_callable.cpp
    ${chiphost_root}/cpp/host/opened_device.cpp
    ${chiphost_root}/cpp/host/reference_outputs.cpp
    ${chiphost_root}/cpp/host/run_memory.cpp
    ${chiphost_root}/cpp/runtimes/device_built/device_built_runtime.cpp
    ${chiphost_root}/cpp/runtimes/device_built/device_library.cpp
    ${chiphost_root}/cpp/runtimes/device_built/ring_memory.cpp
    ${chiphost_root}/cpp/status/abi_check.cpp
    ${chiphost_root}/cpp/status/report.cpp)
set(chiphost_host_sources ${chiphost_host_frame_sources} ${chiphost_root}/cpp/host/host_runtime.cpp)
set(chiphost_runtime_aicpu_build_graph_sources ${chiphost_root}/cpp/runtimes/aicpu_build_graph/aicpu_build_graph.cpp)
set(chiphost_runtime_host_build_graph_sources
    ${chiphost_root}/cpp/runtimes/host_build_graph/host_build_graph.cpp
    ${chiphost_root}/cpp/runtimes/host_build_graph/host_orchestration.cpp)
set(chiphost_runtime_tensormap_and_ringbuffer_sources
    ${chiphost_root}/cpp/runtimes/tensormap_and_ringbuffer/tensormap_and_ringbuffer.cpp)
# What platform/shared/orch_so_file.cpp is linked with.
set(chiphost_loading_sources
    ${chiphost_root}/cpp/loader/constructors.cpp
    ${chiphost_root}/cpp/loader/elf_image.cpp
    ${chiphost_root}/cpp/os/thread_state.cpp
    ${chiphost_root}/cpp/status/abi_check.cpp
    ${chiphost_root}/cpp/status/report.cpp)
set(chiphost_aicpu_sources
    ${chiphost_loading_sources}
    ${chiphost_root}/cpp/graph/kernel_names.cpp
    ${chiphost_root}/cpp/graph/task_check.cpp
    ${chiphost_root}/cpp/graph/tensor_region.cpp
    ${chiphost_root}/cpp/orchestrator/graph_calls.cpp
    ${chiphost_root}/cpp/orchestrator/new_tensor.cpp
    ${chiphost_root}/cpp/orchestrator/orchestration_libraries.cpp
    ${chiphost_root}/cpp/orchestrator/orchestrator.cpp
    ${chiphost_root}/cpp/orchestrator/orchestrator_checks.cpp
    ${chiphost_root}/cpp/orchestrator/orchestrator_elements.cpp
    ${chiphost_root}/cpp/orchestrator/orchestrator_scopes.cpp
    ${chiphost_root}/cpp/orchestrator/orchestrator_tasks.cpp
    ${chiphost_root}/cpp/orchestrator/ring_room.cpp
    ${chiphost_root}/cpp/orchestrator/strand.cpp
    ${chiphost_root}/cpp/orchestrator/task_ring.cpp
    ${chiphost_root}/cpp/orchestrator/tensor_map.cpp
    ${chiphost_root}/cpp/scheduler/aicpu_program.cpp
    ${chiphost_root}/cpp/scheduler/chosen_dispatch.cpp
    ${chiphost_root}/cpp/scheduler/handshakes.cpp
    ${chiphost_root}/cpp/scheduler/scheduler.cpp
    ${chiphost_root}/cpp/scheduler/stall_text.cpp)
set(chiphost_aicore_sources ${chiphost_root}/cpp/executor/aicore_program.cpp ${chiphost_root}/cpp/executor/core_executor.cpp)
# The checks of simulated platforms (cpp/check).
set(chiphost_check_sources
    ${chiphost_root}/cpp/check/checker.cpp
    ${chiphost_root}/cpp/check/checker_accesses.cpp
    ${chiphost_root}/cpp/check/checker_coherence.cpp
    ${chiphost_root}/cpp/check/checker_graph.cpp
    ${chiphost_root}/cpp/check/checker_locating.cpp
    ${chiphost_root}/cpp/check/checker_refusals.cpp
    ${chiphost_root}/cpp/check/coherence_search.cpp
    ${chiphost_root}/cpp/check/finding.cpp
    ${chiphost_root}/cpp/check/footprint.cpp
    ${chiphost_root}/cpp/check/live_memory.cpp
    ${chiphost_root}/cpp/check/race_search.cpp
    ${chiphost_root}/cpp/check/task_order.cpp)
