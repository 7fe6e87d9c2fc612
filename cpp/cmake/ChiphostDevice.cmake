# SPDX-License-Identifier: Apache-2.0
#
# The two programs of a real chip, built by other compilers than the rest: the AICPU is an aarch64 processor with Linux, the
# cores have the vendor's compiler. Where one is missing, its program is left out: the configuration says so, and opening a
# device.

# The vendor's folders, best first, as the SDK_VARIABLES of PLATFORM onboard name them. An empty variable counts as
# unset.
set(chiphost_sdk_folders "")
foreach(variable IN LISTS chiphost_onboard_sdk_variables)
    if(NOT "$ENV{${variable}}" STREQUAL "")
        list(APPEND chiphost_sdk_folders "$ENV{${variable}}")
    endif()
endforeach()
list(TRANSFORM chiphost_sdk_folders APPEND "/tools/hcc/bin" OUTPUT_VARIABLE chiphost_hcc_folders)
list(TRANSFORM chiphost_sdk_folders APPEND "/bin" OUTPUT_VARIABLE chiphost_ccec_folders)

find_program(CHIPHOST_AICPU_CXX NAMES aarch64-linux-gnu-g++ aarch64-target-linux-gnu-g++
             HINTS ${chiphost_hcc_folders} DOC "C++ compiler for the AICPU programs of real chips")
find_program(CHIPHOST_CCEC NAMES ccec HINTS ${chiphost_ccec_folders}
             DOC "The vendor's compiler for the AICore programs of real chips")
# Another ld.lld does not know the cores. What is in the folders for programs may be a link to where ccec is.
if(CHIPHOST_CCEC)
    get_filename_component(chiphost_ccec_file "${CHIPHOST_CCEC}" REALPATH)
    get_filename_component(chiphost_ccec_folder "${chiphost_ccec_file}" DIRECTORY)
    find_program(CHIPHOST_CCEC_LD NAMES ld.lld PATHS "${chiphost_ccec_folder}" NO_DEFAULT_PATH
                 DOC "The linker that comes with ccec")
endif()

# Says once that the programs for a processor are left out: a device cannot be opened then. `variable` has no compiler.
function(chiphost_say_left_out processor variable compiler)
    get_property(said GLOBAL PROPERTY chiphost_left_out_${processor})
    if(said)
        return()
    endif()
    set_property(GLOBAL PROPERTY chiphost_left_out_${processor} TRUE)
    if("${${variable}}" STREQUAL "")
        set(why "${variable} is empty")
    elseif(variable STREQUAL "CHIPHOST_CCEC_LD")
        set(why "no ${compiler} (${variable}) in ${chiphost_ccec_folder}, where ccec is")
    else()
        list(JOIN chiphost_onboard_sdk_variables " nor " where)
        set(where "neither ${where} is set")
        if(chiphost_sdk_folders)
            list(JOIN chiphost_sdk_folders " and " where)
            set(where "nor in ${where}")
        endif()
        set(why "no ${compiler} (${variable}) on PATH, ${where}")
    endif()
    message(STATUS "chiphost: the ${processor} programs of real chips are left out: ${why}")
endfunction()

# Compiles sources by a compiler that is not CMake's. The objects are in out_objects.
function(chiphost_cross_compile folder out_objects)
    cmake_parse_arguments(arg "" "" "COMMAND;SOURCES" ${ARGN})
    if(CMAKE_CXX_COMPILER_LAUNCHER)
        list(PREPEND arg_COMMAND ${CMAKE_CXX_COMPILER_LAUNCHER})
    endif()
    set(objects "")
    foreach(source IN LISTS arg_SOURCES)
        file(RELATIVE_PATH name "${chiphost_root}" "${source}")
        set(object "${folder}/${name}.o")
        get_filename_component(object_folder "${object}" DIRECTORY)
        file(MAKE_DIRECTORY "${object_folder}")
        add_custom_command(OUTPUT "${object}"
            COMMAND ${arg_COMMAND} -MD -MT "${object}" -MF "${object}.d" -o "${object}" -c "${source}"
            DEPENDS "${source}" DEPFILE "${object}.d" VERBATIM COMMENT "Building ${name} for the device")
        list(APPEND objects "${object}")
    endforeach()
    set(${out_objects} ${objects} PARENT_SCOPE)
endfunction()

set(chiphost_device_includes "-I${chiphost_root}/cpp" "-I${chiphost_root}/cpp/include"
    "-I${chiphost_root}/platform" "-I${chiphost_root}/platform/include"
    "-I${chiphost_root}/platform/onboard" "-I${chiphost_root}/tests")
set(chiphost_device_flags -std=c++17 -O2 -g -Wall -Wextra -Wshadow -Wno-missing-field-initializers)

# chiphost_add_device_programs(RUNTIME ARCH [SOURCE...])
#
# lib/<arch>/<runtime>/{aicpu,aicore}.so. They are the same for all runtimes: built once, and copied. SOURCES: of an AICPU
# program of its own.
function(chiphost_add_device_programs runtime arch)
    set(aicpu "${arch}_aicpu_program")
    set(sources ${chiphost_aicpu_sources})
    if(ARGN)
        set(aicpu "${arch}_${runtime}_aicpu_program")
        set(sources ${ARGN})
    endif()
    chiphost_add_aicpu_program(${arch} ${aicpu} ${sources})
    chiphost_copy_program(${runtime} ${arch} ${aicpu} aicpu)
    chiphost_add_aicore_program(${arch} ${arch}_aicore_program)
    chiphost_copy_program(${runtime} ${arch} ${arch}_aicore_program aicore)
endfunction()

# Copies what a target has built into a runtime's folder, as <name>.so, if there is a compiler for it.
function(chiphost_copy_program runtime arch target name)
    if(NOT TARGET ${target})
        return()
    endif()
    get_target_property(file ${target} chiphost_file)
    set(copy "${CMAKE_BINARY_DIR}/lib/${arch}/${runtime}/${name}.so")
    add_custom_command(OUTPUT "${copy}" COMMAND ${CMAKE_COMMAND} -E copy "${file}" "${copy}" DEPENDS "${file}" VERBATIM)
    add_custom_target(${arch}_${runtime}_${name} ALL DEPENDS "${copy}")
    add_dependencies(${arch}_${runtime}_${name} ${target})
    install(FILES "${file}" DESTINATION "chiphost/lib/${arch}/${runtime}" RENAME "${name}.so")
endfunction()

# The target of a program that is built by commands, and its file.
function(chiphost_name_program target file)
    add_custom_target(${target} DEPENDS "${file}")
    set_target_properties(${target} PROPERTIES chiphost_file "${file}")
endfunction()

# chiphost_add_aicpu_program(ARCH TARGET SOURCE...): an AICPU program, if there is a compiler for it.
function(chiphost_add_aicpu_program arch target)
    if(NOT CHIPHOST_AICPU_CXX)
        chiphost_say_left_out(AICPU CHIPHOST_AICPU_CXX "compiler for aarch64")
    endif()
    if(NOT CHIPHOST_AICPU_CXX OR TARGET ${target})
        return()
    endif()
    set(folder "${CMAKE_BINARY_DIR}/device/${target}")
    set(command ${CHIPHOST_AICPU_CXX} ${chiphost_device_flags} -fPIC -fvisibility=hidden -fvisibility-inlines-hidden
        -fno-gnu-unique -D_GNU_SOURCE "-DCHIPHOST_PLATFORM=\"${arch}\"" ${chiphost_device_includes})
    if(CHIPHOST_WERROR)
        list(APPEND command -Werror)
    endif()
    chiphost_cross_compile("${folder}" objects COMMAND ${command}
        SOURCES ${ARGN} ${chiphost_onboard_aicpu_sources}
                "${chiphost_root}/platform/${arch}/chip.cpp")
    add_custom_command(OUTPUT "${folder}/aicpu.so"
        COMMAND ${CHIPHOST_AICPU_CXX} -shared -Wl,--no-undefined -o "${folder}/aicpu.so" ${objects} -ldl -lpthread
        DEPENDS ${objects} VERBATIM COMMENT "Linking the AICPU program of ${arch}")
    chiphost_name_program(${target} "${folder}/aicpu.so")
endfunction()

# The AICore program, if there is a compiler for it: an ELF file with an entry for each kind of core.
function(chiphost_add_aicore_program arch target)
    if(NOT CHIPHOST_CCEC)
        chiphost_say_left_out(AICore CHIPHOST_CCEC ccec)
    elseif(NOT CHIPHOST_CCEC_LD)
        chiphost_say_left_out(AICore CHIPHOST_CCEC_LD ld.lld)
    endif()
    if(NOT CHIPHOST_CCEC OR NOT CHIPHOST_CCEC_LD OR TARGET ${target})
        return()
    endif()
    string(TOUPPER "${arch}" family)
    set(ccec_arch_a2a3 dav-c220)
    set(ccec_arch_a5 dav-c310)
    set(folder "${CMAKE_BINARY_DIR}/device/${target}")
    set(all "")
    foreach(kind IN ITEMS cube vec)
        chiphost_cross_compile("${folder}/${kind}" objects
            COMMAND ${CHIPHOST_CCEC} -x cce --cce-aicore-only "--cce-aicore-arch=${ccec_arch_${arch}}-${kind}"
                    ${chiphost_device_flags} -mllvm -cce-aicore-stack-size=0x8000
                    -mllvm -cce-aicore-function-stack-size=0x8000 -mllvm -cce-aicore-record-overflow=false
                    -mllvm -cce-aicore-addr-transform -mllvm -cce-aicore-dcci-insert-for-scalar=false
                    "-DCHIPHOST_PLATFORM=\"${arch}\"" "-DCHIPHOST_ARCH_${family}=1" ${chiphost_device_includes}
            SOURCES "${chiphost_root}/cpp/executor/core_executor.cpp" ${chiphost_onboard_aicore_sources})
        add_custom_command(OUTPUT "${folder}/${kind}.o"
            COMMAND ${CHIPHOST_CCEC_LD} -r -o "${folder}/${kind}.o" ${objects}
            DEPENDS ${objects} VERBATIM)
        list(APPEND all "${folder}/${kind}.o")
    endforeach()
    add_custom_command(OUTPUT "${folder}/aicore.so"
        COMMAND ${CHIPHOST_CCEC_LD} -m aicorelinux -Ttext=0 -static -n -o "${folder}/aicore.so" ${all}
        DEPENDS ${all} VERBATIM COMMENT "Linking the AICore program of ${arch}")
    chiphost_name_program(${target} "${folder}/aicore.so")
endfunction()
