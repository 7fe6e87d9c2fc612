# SPDX-License-Identifier: Apache-2.0
#
# Sources of the programs, by part. A program is made of the parts it needs, compiled for its chip and platform.
set(here "${CMAKE_CURRENT_LIST_DIR}")

set(chiphost_host_sources
    ${here}/abi/report.cpp
    ${here}/graph/graph_builder.cpp
    ${here}/host/device_orchestration.cpp
    ${here}/host/host_context.cpp
    ${here}/host/host_runtime.cpp
    ${here}/host/launch_area.cpp
    ${here}/host/loaded_callable.cpp
    ${here}/host/run_memory.cpp)
set(chiphost_runtime_aicpu_build_graph_sources ${here}/runtimes/aicpu_build_graph/aicpu_build_graph.cpp)
set(chiphost_runtime_host_build_graph_sources ${here}/runtimes/host_build_graph/host_build_graph.cpp)
set(chiphost_runtime_tensormap_and_ringbuffer_sources
    ${here}/runtimes/tensormap_and_ringbuffer/tensormap_and_ringbuffer.cpp)
set(chiphost_aicpu_sources
    ${here}/abi/report.cpp
    ${here}/isolate/elf_image.cpp
    ${here}/orchestrator/new_tensor.cpp
    ${here}/orchestrator/orchestration_libraries.cpp
    ${here}/orchestrator/orchestrator.cpp
    ${here}/orchestrator/task_check.cpp
    ${here}/orchestrator/task_ring.cpp
    ${here}/orchestrator/tensor_map.cpp
    ${here}/orchestrator/tensor_region.cpp
    ${here}/scheduler/aicpu_program.cpp
    ${here}/scheduler/scheduler.cpp)
set(chiphost_aicore_sources ${here}/executor/aicore_program.cpp ${here}/executor/core_executor.cpp)
unset(here)
