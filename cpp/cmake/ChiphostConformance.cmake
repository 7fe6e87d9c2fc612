# SPDX-License-Identifier: Apache-2.0
#
# How the conformance suite is built for a platform.

# chiphost_add_conformance(ARCH a2a3 PLATFORM sim [FOLDER folder])
#
# Builds the suite for a platform: `lib/<arch><platform>/conform/{conform,aicpu,graph_aicpu,aicore}.so` in the build
# folder, for `chiphost conform`. For PLATFORM onboard it is `lib/<arch>/conform/...`, all but the first where there are
# compilers for them. aicpu.so is a program of the suite's own, graph_aicpu.so is the real one.
#
# ARCH: one chip.
# PLATFORM: one platform; its folder has a conformance.def.
# FOLDER: where to build, instead of lib; nothing is installed then.
# Errors: the configuration ends with a message that says what was wanted and what was found.
function(chiphost_add_conformance)
    cmake_parse_arguments(arg "" "ARCH;PLATFORM;FOLDER" "" ${ARGN})
    if(NOT arg_ARCH OR NOT arg_PLATFORM OR arg_UNPARSED_ARGUMENTS)
        message(FATAL_ERROR "chiphost_add_conformance: wanted one ARCH and one PLATFORM; found ${ARGV}")
    endif()
    chiphost_check_platform(chiphost_add_conformance ${arg_ARCH} ${arg_PLATFORM})
    set(exceptions ${chiphost_${arg_PLATFORM}_include_dirs})
    list(TRANSFORM exceptions APPEND "/conformance.def")
    set(found FALSE)
    foreach(file IN LISTS exceptions)
        if(EXISTS "${file}")
            set(found TRUE)
        endif()
    endforeach()
    if(NOT found)
        list(JOIN exceptions ", " exceptions)
        message(FATAL_ERROR "chiphost_add_conformance: ${arg_PLATFORM} has no conformance.def, which may be empty: there "
                            "is none of ${exceptions}")
    endif()
    chiphost_chip_source(${arg_ARCH} ${arg_PLATFORM} chip)
    chiphost_platform_name(${arg_ARCH} ${arg_PLATFORM} platform)
    set(install FALSE)
    if(NOT arg_FOLDER)
        set(arg_FOLDER "${CMAKE_BINARY_DIR}/lib")
        set(install TRUE)
    endif()
    chiphost_add_conformance_cases()
    set(suite "${chiphost_root}/tests/conformance")
    set(own_aicpu_sources ${suite}/programs/aicpu_program.cpp ${chiphost_loading_sources})
    set(conform_sources ${suite}/suite/conformance_library.cpp $<TARGET_OBJECTS:chiphost_conformance_cases>
                        ${chiphost_${arg_PLATFORM}_host_${arg_ARCH}_sources})
    set(aicpu_sources ${own_aicpu_sources})
    set(aicore_sources ${chiphost_aicore_sources})
    chiphost_split_sources("${chiphost_aicpu_sources}" graph_aicpu_sources others)
    set(programs conform aicpu graph_aicpu aicore)
    if(arg_PLATFORM STREQUAL "onboard")
        set(programs conform)
        chiphost_add_device_programs(conform ${arg_ARCH} ${own_aicpu_sources})
        chiphost_add_aicpu_program(${arg_ARCH} ${arg_ARCH}_aicpu_program ${chiphost_aicpu_sources})
        chiphost_copy_program(conform ${arg_ARCH} ${arg_ARCH}_aicpu_program graph_aicpu)
    endif()
    foreach(program IN LISTS programs)
        set(target "${platform}_conform_${program}")
        string(REPLACE conform host port_of ${program})
        if(program STREQUAL "graph_aicpu")
            chiphost_add_parts(${arg_PLATFORM} aicpu port)
        else()
            chiphost_add_port(${arg_PLATFORM} ${port_of} port)
        endif()
        add_library(${target} MODULE ${${program}_sources} ${port} "${chip}")
        chiphost_make_program(${target})
        set(included ${${program}_sources} "${chip}")
        list(FILTER included EXCLUDE REGEX "^\\$<")
        chiphost_include_platform(${target} ${arg_PLATFORM} ${included})
        target_include_directories(${target} PRIVATE "${chiphost_root}/tests")
        target_compile_definitions(${target} PRIVATE CHIPHOST_PLATFORM="${platform}" CHIPHOST_ARCH="${arg_ARCH}")
        target_link_libraries(${target} PRIVATE Threads::Threads ${CMAKE_DL_LIBS})
        set_target_properties(${target} PROPERTIES OUTPUT_NAME ${program})
        chiphost_place_library(${target} "${arg_FOLDER}/${platform}/conform")
        if(install)
            install(TARGETS ${target} LIBRARY DESTINATION "chiphost/lib/${platform}/conform")
        endif()
    endforeach()
endfunction()

# The tests themselves: they are the same for all platforms.
function(chiphost_add_conformance_cases)
    if(TARGET chiphost_conformance_cases)
        return()
    endif()
    set(suite "${chiphost_root}/tests/conformance/suite")
    add_library(chiphost_conformance_cases OBJECT
        ${suite}/bench.cpp
        ${suite}/completion.cpp
        ${suite}/contexts.cpp
        ${suite}/copies.cpp
        ${suite}/errors.cpp
        ${suite}/graph_runtimes.cpp
        ${suite}/graphs.cpp
        ${suite}/launches.cpp
        ${suite}/memory.cpp
        ${suite}/orchestrations.cpp
        ${suite}/programs.cpp
        ${suite}/registers.cpp
        ${suite}/teardown.cpp
        ${suite}/time.cpp
        ${chiphost_root}/cpp/runtimes/host_build_graph/host_orchestration.cpp
        ${chiphost_host_frame_sources})
    target_link_libraries(chiphost_conformance_cases PRIVATE chiphost_options)
    target_include_directories(chiphost_conformance_cases PRIVATE "${chiphost_root}/tests")
    set_target_properties(chiphost_conformance_cases PROPERTIES POSITION_INDEPENDENT_CODE ON
        CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON UNITY_BUILD OFF)
endfunction()
