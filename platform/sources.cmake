# SPDX-License-Identifier: Apache-2.0
#
# The platforms: which sources each adds to the three programs.

chiphost_add_platform(NAME sim FOLDER "${chiphost_root}/platform/sim"
    HOST_SOURCES arena.cpp core_memory.cpp core_services.cpp decision_log.cpp device.cpp device_memory.cpp
                 device_programs.cpp event_ring.cpp exhaustive_strategy.cpp exploration.cpp fiber.cpp launcher.cpp
                 oracle.cpp order.cpp parallel_engine.cpp pausables.cpp priority_strategies.cpp sequential_engine.cpp
                 task_meetings.cpp waits.cpp ${chiphost_check_sources}
    AICPU_SOURCES aicpu_port.cpp fiber.cpp orch_so_loader.cpp shared/orch_so_file.cpp
    AICORE_SOURCES aicore_port.cpp fiber.cpp)

chiphost_add_platform(NAME onboard FOLDER "${chiphost_root}/platform/onboard"
    KIND real SOFTWARE "the chip vendor's driver and toolkit (CANN)" SDK_VARIABLES ASCEND_HOME_PATH ASCEND_TOOLKIT_HOME
    HOST_SOURCES device.cpp driver.cpp launcher.cpp program_file.cpp
    AICPU_SOURCES aicpu_entry.cpp aicpu_port.cpp launch_watch.cpp orch_so_loader.cpp shared/orch_so_file.cpp
    AICORE_SOURCES aicore_entry.cpp aicore_port.cpp)
set(chiphost_a2a3_description "Ascend 910B/C")
set(chiphost_a5_description "Ascend 950")
foreach(arch IN ITEMS a2a3 a5)
    set(chiphost_onboard_${arch}_description "${chiphost_${arch}_description}")
    set(chiphost_sim_${arch}_description "${chiphost_${arch}_description}, simulated")
    set(chiphost_onboard_host_${arch}_sources "${chiphost_root}/platform/onboard/registers_${arch}.cpp")
endforeach()

chiphost_add_platform(NAME null FOLDER "${chiphost_root}/platform/null"
    HOST_SOURCES device.cpp launch.cpp
    AICPU_SOURCES aicpu_port.cpp orch_so_loader.cpp
    AICORE_SOURCES aicore_port.cpp)
