# How chiphost's programs are built.

# What every target of chiphost is compiled with.
add_library(chiphost_options INTERFACE)
target_include_directories(chiphost_options INTERFACE "${CMAKE_CURRENT_SOURCE_DIR}/cpp"
                                                      "${CMAKE_CURRENT_SOURCE_DIR}/cpp/include"
                                                      "${CMAKE_CURRENT_SOURCE_DIR}/platform/include")
target_compile_definitions(chiphost_options INTERFACE CHIPHOST_VERSION="${PROJECT_VERSION}" _GNU_SOURCE)
target_compile_options(chiphost_options INTERFACE -Wall -Wextra -Wshadow -Wno-missing-field-initializers)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # An object with STB_GNU_UNIQUE symbols is never unloaded (docs/internals/namespaces.md, H1).
    target_compile_options(chiphost_options INTERFACE -fno-gnu-unique)
endif()
if(CHIPHOST_WERROR)
    target_compile_options(chiphost_options INTERFACE -Werror)
endif()
if(CHIPHOST_SANITIZE)
    target_compile_options(chiphost_options INTERFACE -fsanitize=${CHIPHOST_SANITIZE} -fno-omit-frame-pointer -g)
    target_link_options(chiphost_options INTERFACE -fsanitize=${CHIPHOST_SANITIZE})
endif()

# A program that the dynamic loader loads: nothing exported but its entry, nothing left unresolved.
function(chiphost_make_program target)
    target_link_libraries(${target} PRIVATE chiphost_options)
    set_target_properties(${target} PROPERTIES PREFIX "" SUFFIX ".so")
    if(NOT CHIPHOST_SANITIZE)
        target_link_options(${target} PRIVATE -Wl,--no-undefined)
    endif()
endfunction()

# Sources in which the names of runtime, chip and platform appear are compiled for each program, the others once for each
# platform: a program is linked of both.
set(chiphost_named_sources "_program\\.cpp$|host_runtime\\.cpp$|device\\.cpp$|/runtimes/")

# Where a platform's headers are: platform/<name>, or what chiphost_<name>_folder says.
function(chiphost_platform_folder platform out_folder)
    if(NOT DEFINED chiphost_${platform}_folder)
        set(chiphost_${platform}_folder "${chiphost_SOURCE_DIR}/platform/${platform}")
    endif()
    set(${out_folder} "${chiphost_${platform}_folder}" PARENT_SCOPE)
endfunction()

# The sources of one program ("host", "aicpu", "aicore") on a platform that do not depend on names, as objects.
function(chiphost_add_parts platform program out_target)
    set(target "chiphost_${platform}_${program}_parts")
    set(${out_target} ${target} PARENT_SCOPE)
    if(TARGET ${target})
        return()
    endif()
    set(parts ${chiphost_${program}_sources} ${chiphost_${platform}_${program}_sources})
    list(FILTER parts EXCLUDE REGEX "${chiphost_named_sources}")
    add_library(${target} OBJECT ${parts})
    target_link_libraries(${target} PRIVATE chiphost_options)
    chiphost_platform_folder(${platform} folder)
    target_include_directories(${target} PRIVATE "${folder}" "${chiphost_SOURCE_DIR}/platform")
endfunction()

# chiphost_add_runtime(NAME host_build_graph ARCH a2a3 PLATFORM sim [PROGRAMS host aicpu aicore])
#
# Builds the three programs of a runtime for a chip on a platform: lib/<arch><platform>/<name>/{host,aicpu,aicore}.so,
# and lib/<arch>/<name>/... for the real chip. PROGRAMS: only these.
function(chiphost_add_runtime)
    cmake_parse_arguments(arg "" "NAME;ARCH;PLATFORM" "PROGRAMS" ${ARGN})
    chiphost_platform_name(${arg_ARCH} ${arg_PLATFORM} platform)
    set(folder "lib/${platform}/${arg_NAME}")
    if(NOT arg_PROGRAMS)
        set(arg_PROGRAMS host aicpu aicore)
    endif()

    foreach(program IN LISTS arg_PROGRAMS)
        set(target "${platform}_${arg_NAME}_${program}")
        chiphost_add_parts(${arg_PLATFORM} ${program} parts)
        set(named ${chiphost_${program}_sources} ${chiphost_${arg_PLATFORM}_${program}_sources})
        list(FILTER named INCLUDE REGEX "${chiphost_named_sources}")
        list(APPEND named ${chiphost_${arg_PLATFORM}_${program}_${arg_ARCH}_sources})
        if(program STREQUAL "host")
            list(APPEND named ${chiphost_runtime_${arg_NAME}_sources})
        endif()
        add_library(${target} MODULE ${named} $<TARGET_OBJECTS:${parts}>
                                     "${chiphost_SOURCE_DIR}/platform/${arg_ARCH}/chip.cpp")
        chiphost_make_program(${target})
        chiphost_platform_folder(${arg_PLATFORM} sources)
        target_include_directories(${target} PRIVATE "${sources}" "${chiphost_SOURCE_DIR}/platform")
        target_compile_definitions(${target} PRIVATE CHIPHOST_PLATFORM="${platform}" CHIPHOST_ARCH="${arg_ARCH}"
                                                     CHIPHOST_RUNTIME="${arg_NAME}")
        target_link_libraries(${target} PRIVATE Threads::Threads ${CMAKE_DL_LIBS})
        set_target_properties(${target} PROPERTIES OUTPUT_NAME ${program}
                                                   LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/${folder}")
        install(TARGETS ${target} LIBRARY DESTINATION "chiphost/${folder}")
    endforeach()
endfunction()

# "a2a3sim", or "a2a3" for the real chip.
function(chiphost_platform_name arch platform out_name)
    if(platform STREQUAL "onboard")
        set(platform "")
    endif()
    set(${out_name} "${arch}${platform}" PARENT_SCOPE)
endfunction()
