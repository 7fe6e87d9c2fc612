# SPDX-License-Identifier: Apache-2.0
#
# How programs for chiphost are built: runtimes, platforms, orchestrations and kernels. Used by chiphost's own build and by
# projects that say find_package(chiphost). What it defines is known in the folder that includes it and below.

# The folder with cpp/ and platform/: in the checkout, or as installed.
get_filename_component(chiphost_root "${CMAKE_CURRENT_LIST_DIR}/../src" ABSOLUTE)
if(NOT EXISTS "${chiphost_root}/platform")
    get_filename_component(chiphost_root "${CMAKE_CURRENT_LIST_DIR}/../.." ABSOLUTE)
endif()
find_package(Threads REQUIRED)

# Without a build type nothing is optimised, and a scheduler takes three times as long. Only a project that is nobody's part
# decides for its user; generators with several configurations choose when they build.
get_property(chiphost_multi_config GLOBAL PROPERTY GENERATOR_IS_MULTI_CONFIG)
if(NOT CMAKE_BUILD_TYPE AND NOT chiphost_multi_config)
    get_property(chiphost_said GLOBAL PROPERTY chiphost_said_build_type)
    if(PROJECT_SOURCE_DIR STREQUAL CMAKE_SOURCE_DIR)
        set(CMAKE_BUILD_TYPE Release CACHE STRING "Debug, Release, RelWithDebInfo or MinSizeRel" FORCE)
        set(CMAKE_BUILD_TYPE Release)  # for a project that has an empty one of its own
        message(STATUS "chiphost: CMAKE_BUILD_TYPE is not set: it is Release")
    elseif(NOT chiphost_said)
        message(STATUS "chiphost: CMAKE_BUILD_TYPE is not set: what is built is not optimised; set it, for example to "
                       "Release")
        set_property(GLOBAL PROPERTY chiphost_said_build_type TRUE)
    endif()
endif()
unset(chiphost_multi_config)
set(chiphost_identifier "^[a-zA-Z_][a-zA-Z0-9_]*$")

# What everything of chiphost is compiled with.
if(NOT TARGET chiphost_options)
    add_library(chiphost_options INTERFACE)
    target_include_directories(chiphost_options INTERFACE "${chiphost_root}/cpp" "${chiphost_root}/cpp/include"
                                                          "${chiphost_root}/platform/include")
    target_compile_features(chiphost_options INTERFACE cxx_std_17)
    target_compile_definitions(chiphost_options INTERFACE CHIPHOST_VERSION="${chiphost_VERSION}" _GNU_SOURCE)
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
        # An object with STB_GNU_UNIQUE symbols is never unloaded (docs/internals/namespaces.md, H1).
        target_compile_options(chiphost_options INTERFACE -fno-gnu-unique)
    endif()
    if(CHIPHOST_WERROR)
        target_compile_options(chiphost_options INTERFACE -Werror)
    endif()
    if(CHIPHOST_SANITIZE)
        # The lines of what it reports; variables for a debugger take a fifth of the build.
        target_compile_options(chiphost_options INTERFACE -fsanitize=${CHIPHOST_SANITIZE} -fno-omit-frame-pointer
                                                          $<$<NOT:$<CONFIG:Debug>>:-g1>)
        target_link_options(chiphost_options INTERFACE -fsanitize=${CHIPHOST_SANITIZE})
        if(CHIPHOST_SANITIZE MATCHES "undefined")
            # What is found ends the program: otherwise it is printed, and a test may pass. It also halves the programs,
            # which tests load again and again. AddressSanitizer finds what the size of an object tells.
            target_compile_options(chiphost_options INTERFACE -fno-sanitize-recover=undefined -fno-sanitize=object-size)
        endif()
    endif()
endif()

# Where a target's library goes, under its plain name: Python looks for that, and generators with several configurations
# would add a folder for each, CMAKE_DEBUG_POSTFIX letters.
function(chiphost_place_library target folder)
    set_target_properties(${target} PROPERTIES LIBRARY_OUTPUT_DIRECTORY "${folder}")
    set(configurations Debug Release RelWithDebInfo MinSizeRel ${CMAKE_BUILD_TYPE} ${CMAKE_CONFIGURATION_TYPES})
    list(REMOVE_DUPLICATES configurations)
    foreach(configuration IN LISTS configurations)
        string(TOUPPER "${configuration}" configuration)
        set_target_properties(${target} PROPERTIES LIBRARY_OUTPUT_DIRECTORY_${configuration} "${folder}"
                                                   ${configuration}_POSTFIX "")
    endforeach()
endfunction()

# A program that the dynamic loader loads: nothing exported but its entry, nothing left unresolved. Not of one
# file with all sources (UNITY_BUILD), as each has helpers of its own that may have the same name.
function(chiphost_make_program target)
    target_link_libraries(${target} PRIVATE chiphost_options)
    set_target_properties(${target} PROPERTIES PREFIX "" SUFFIX ".so" CXX_VISIBILITY_PRESET hidden
                                               VISIBILITY_INLINES_HIDDEN ON UNITY_BUILD OFF)
    if(NOT CHIPHOST_SANITIZE)
        target_link_options(${target} PRIVATE -Wl,--no-undefined)
    endif()
endfunction()

# Sources of chiphost in which the names of runtime, chip and platform appear are compiled for each program, the others
# once for each platform: a program is linked of both. Only what is below chiphost_root counts: that may be anywhere.
function(chiphost_split_sources sources out_named out_others)
    set(named "")
    set(others "")
    foreach(source IN LISTS sources)
        file(RELATIVE_PATH name "${chiphost_root}" "${source}")
        if(name MATCHES "_program\\.cpp$|host_runtime\\.cpp$|^cpp/runtimes/" AND NOT name MATCHES "^cpp/runtimes/device_built/")
            list(APPEND named "${source}")
        else()
            list(APPEND others "${source}")
        endif()
    endforeach()
    set(${out_named} ${named} PARENT_SCOPE)
    set(${out_others} ${others} PARENT_SCOPE)
endfunction()

# What programs ("host", "aicpu", "aicore") on a platform share, as objects: chiphost's own part, and the platform's.
function(chiphost_add_parts platform program out_objects)
    chiphost_split_sources("${chiphost_${program}_sources}" named parts)
    chiphost_add_objects("chiphost_${platform}_${program}_parts" ${platform} ${parts})
    chiphost_add_port(${platform} ${program} port)
    set(${out_objects} "$<TARGET_OBJECTS:chiphost_${platform}_${program}_parts>" ${port} PARENT_SCOPE)
endfunction()

function(chiphost_add_port platform program out_objects)
    chiphost_add_objects("chiphost_${platform}_${program}_port" ${platform} ${chiphost_${platform}_${program}_sources})
    set(${out_objects} "$<TARGET_OBJECTS:chiphost_${platform}_${program}_port>" PARENT_SCOPE)
endfunction()

# Sources of a target that include files of a platform: compiled again when files are added there.
function(chiphost_include_platform target platform)
    target_include_directories(${target} PRIVATE ${chiphost_${platform}_include_dirs})
    target_compile_definitions(${target} PRIVATE ${chiphost_${platform}_definition})
    set(variables ${chiphost_${platform}_sdk_variables})
    if(variables)
        list(TRANSFORM variables REPLACE "(.+)" "\"\\1\",")
        list(JOIN variables " " variables)
        target_compile_definitions(${target} PRIVATE "CHIPHOST_SDK_VARIABLES=${variables}")
    endif()
    set_property(SOURCE ${ARGN} APPEND PROPERTY OBJECT_DEPENDS ${chiphost_${platform}_file_lists})
endfunction()

function(chiphost_add_objects target platform)
    if(TARGET ${target})
        return()
    endif()
    add_library(${target} OBJECT ${ARGN})
    target_link_libraries(${target} PRIVATE chiphost_options)
    chiphost_include_platform(${target} ${platform} ${ARGN})
    set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE ON CXX_VISIBILITY_PRESET hidden
                                               VISIBILITY_INLINES_HIDDEN ON UNITY_BUILD OFF)
endfunction()

# chiphost_add_platform(NAME name [FOLDER folder] [BASED_ON sim] [CHIP file] [DESCRIPTION text]
#                       [KIND simulated|real] [SOFTWARE words] [SDK_VARIABLES name...]
#                       [HOST_SOURCES file...] [AICPU_SOURCES file...] [AICORE_SOURCES file...])
#
# Makes a platform for chiphost_add_runtime(PLATFORM name): the functions of platform/include, for each of the three
# programs. It is known in this folder and below.
#
# NAME: of the platform, in small letters.
# FOLDER: where its files are, headers and conformance.def among them; otherwise this folder.
# BASED_ON: takes over another platform, but for sources that a file of the same name stands in for.
# CHIP: a source that defines chiphost::platform::chip; otherwise the constants are those of the ARCH.
# DESCRIPTION: a line for `chiphost doctor`.
# KIND: real if its programs run on a chip; otherwise the kind of BASED_ON, or simulated.
# SOFTWARE: which software the chip needs, in words for messages.
# SDK_VARIABLES: the environment variables that may name the folder of that software, best first. `open_device` gets the
#   folder in the first that is set. Python reads all of this in lib/<arch><name>/platform.json.
# HOST_SOURCES: what is linked into host runtimes. A source that is not in FOLDER may be one that chiphost's platforms
#   share: shared/orch_so_file.cpp, sim/fiber.cpp.
# AICPU_SOURCES: what is linked into AICPU programs.
# AICORE_SOURCES: what is linked into AICore programs.
# Errors: the configuration ends with a message that says what was wanted and what was found.
function(chiphost_add_platform)
    # By PARSE_ARGV a DESCRIPTION may have semicolons.
    cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME;FOLDER;BASED_ON;CHIP;DESCRIPTION;KIND;SOFTWARE"
                          "SDK_VARIABLES;HOST_SOURCES;AICPU_SOURCES;AICORE_SOURCES")
    if(NOT arg_NAME MATCHES "^[a-z][a-z0-9_]*$" OR arg_UNPARSED_ARGUMENTS)
        message(FATAL_ERROR "chiphost_add_platform: wanted NAME in small letters, found '${arg_NAME}', "
                            "and '${arg_UNPARSED_ARGUMENTS}'")
    endif()
    # The platform would be another than the one that was meant: with the constants of the chip family, or simulated.
    foreach(keyword IN ITEMS FOLDER BASED_ON CHIP KIND)
        if("${keyword}" IN_LIST ARGV AND "${arg_${keyword}}" STREQUAL "")
            message(FATAL_ERROR "chiphost_add_platform: wanted a value of ${keyword} for ${arg_NAME}; found none")
        endif()
    endforeach()
    # Targets are named after the platform. Every folder that finds chiphost adds chiphost's own again.
    get_property(added_by GLOBAL PROPERTY chiphost_added_${arg_NAME})
    if(DEFINED chiphost_${arg_NAME}_host_sources
       OR (added_by AND NOT CMAKE_CURRENT_LIST_FILE STREQUAL "${chiphost_root}/platform/sources.cmake"))
        message(FATAL_ERROR "chiphost_add_platform: wanted the NAME of a new platform; found '${arg_NAME}', which "
                            "${added_by} has added")
    endif()
    set_property(GLOBAL PROPERTY chiphost_added_${arg_NAME} "${CMAKE_CURRENT_LIST_FILE}")
    if(arg_BASED_ON AND NOT DEFINED chiphost_${arg_BASED_ON}_host_sources)
        chiphost_name_platforms("${arg_BASED_ON}" names)
        message(FATAL_ERROR "chiphost_add_platform: there is no platform '${arg_BASED_ON}' to be BASED_ON; ${names}")
    endif()
    if(arg_BASED_ON STREQUAL "onboard")
        message(FATAL_ERROR "chiphost_add_platform: ${arg_NAME} cannot be BASED_ON onboard: the device programs of "
                            "real chips are built by other compilers, for PLATFORM onboard alone")
    endif()
    get_filename_component(folder "${arg_FOLDER}" ABSOLUTE)
    if(NOT IS_DIRECTORY "${folder}")
        message(FATAL_ERROR "chiphost_add_platform: the FOLDER of ${arg_NAME} is missing: ${folder}")
    endif()
    string(ASCII 1 first)
    string(ASCII 31 last)
    foreach(text IN ITEMS DESCRIPTION SOFTWARE)
        if("${arg_${text}}" MATCHES "[${first}-${last}]")
            message(FATAL_ERROR "chiphost_add_platform: the ${text} of ${arg_NAME} has a line break or another control "
                                "character: ${arg_${text}}")
        endif()
    endforeach()
    set(kind simulated)
    set(software "")
    set(sdk_variables "")
    if(arg_BASED_ON)
        set(kind "${chiphost_${arg_BASED_ON}_kind}")
        set(software "${chiphost_${arg_BASED_ON}_software}")
        set(sdk_variables ${chiphost_${arg_BASED_ON}_sdk_variables})
    endif()
    foreach(name IN ITEMS KIND SOFTWARE SDK_VARIABLES)
        if(DEFINED arg_${name})
            string(TOLOWER ${name} own)
            set(${own} "${arg_${name}}")
        endif()
    endforeach()
    if(NOT kind MATCHES "^(simulated|real)$")
        message(FATAL_ERROR "chiphost_add_platform: wanted KIND simulated or real for ${arg_NAME}; found '${kind}'")
    endif()
    foreach(variable IN LISTS sdk_variables)
        if(NOT variable MATCHES "${chiphost_identifier}")
            message(FATAL_ERROR "chiphost_add_platform: wanted names of environment variables as the SDK_VARIABLES of "
                                "${arg_NAME}; found '${variable}'")
        endif()
    endforeach()
    set(chiphost_${arg_NAME}_kind "${kind}" PARENT_SCOPE)
    set(chiphost_${arg_NAME}_software "${software}" PARENT_SCOPE)
    set(chiphost_${arg_NAME}_sdk_variables ${sdk_variables} PARENT_SCOPE)
    foreach(program IN ITEMS HOST AICPU AICORE)
        string(TOLOWER ${program} part)
        set(sources "")
        set(names "")
        set(own ${arg_${program}_SOURCES})
        foreach(source IN LISTS own)
            get_filename_component(path "${source}" ABSOLUTE BASE_DIR "${folder}")
            get_filename_component(name "${source}" NAME)
            if(NOT EXISTS "${path}" AND NOT IS_ABSOLUTE "${source}" AND EXISTS "${chiphost_root}/platform/${source}")
                set(path "${chiphost_root}/platform/${source}")
            endif()
            list(APPEND sources "${path}")
            list(APPEND names "${name}")
        endforeach()
        foreach(source IN LISTS chiphost_${arg_BASED_ON}_${part}_sources)
            get_filename_component(name "${source}" NAME)
            if(NOT name IN_LIST names)
                list(APPEND sources "${source}")
            endif()
        endforeach()
        if(NOT sources)
            message(FATAL_ERROR "chiphost_add_platform: ${arg_NAME} has no ${program}_SOURCES")
        endif()
        set(chiphost_${arg_NAME}_${part}_sources ${sources} PARENT_SCOPE)
    endforeach()
    set(include_dirs "${folder}" ${chiphost_${arg_BASED_ON}_include_dirs} "${chiphost_root}/platform")
    list(REMOVE_DUPLICATES include_dirs)
    set(chiphost_${arg_NAME}_include_dirs ${include_dirs} PARENT_SCOPE)
    # A file that is added later may stand before one that was found elsewhere, which no compiler's list of what it has
    # read can say. So the names are in the commands that compile for a platform of a project: a compiler cache sees them,
    # too. Those of chiphost's own have no such word, as they are the same for everybody who has them in a cache.
    file(GLOB found CONFIGURE_DEPENDS "${folder}/*.h" "${folder}/*.hpp" "${folder}/*.inc" "${folder}/*.def"
                                      "${folder}/*/*.h")
    list(JOIN found "\n" found)
    set(file_list "${CMAKE_BINARY_DIR}/chiphost_platforms/${arg_NAME}.txt")
    set(known "")
    if(EXISTS "${file_list}")
        file(READ "${file_list}" known)
    endif()
    if(NOT known STREQUAL "${found}\n")
        file(WRITE "${file_list}" "${found}\n")
    endif()
    set(chiphost_${arg_NAME}_file_lists "${file_list}" ${chiphost_${arg_BASED_ON}_file_lists} PARENT_SCOPE)
    string(FIND "${folder}/" "${chiphost_root}/platform/" own)
    set(definition "")
    if(NOT own EQUAL 0)
        string(MD5 digest "${found}")
        set(definition "CHIPHOST_PLATFORM_FILES=_${digest}")
    endif()
    set(chiphost_${arg_NAME}_definition "${definition}" PARENT_SCOPE)
    set(chip "${chiphost_${arg_BASED_ON}_chip}")
    if(arg_CHIP)
        get_filename_component(chip "${arg_CHIP}" ABSOLUTE BASE_DIR "${folder}")
        if(NOT EXISTS "${chip}")
            message(FATAL_ERROR "chiphost_add_platform: the CHIP of ${arg_NAME} is missing: ${chip}")
        endif()
    endif()
    if(chip)
        set(chiphost_${arg_NAME}_chip "${chip}" PARENT_SCOPE)
    endif()
    set(chiphost_${arg_NAME}_description "${arg_DESCRIPTION}" PARENT_SCOPE)
endfunction()

# chiphost_add_runtime(NAME name ARCH a2a3 [a5] PLATFORM sim... [SOURCES file...])
#
# Builds the three programs of a runtime for each chip on each platform:
# `lib/<arch><platform>/<name>/{host,aicpu,aicore}.so` in the build folder. For PLATFORM onboard, the real chip, it is
# `lib/<arch>/<name>/...`, and a device program is left out if its compiler is missing. If CHIPHOST_RUNTIME_PATH names
# the folder lib, Python finds runtime and platform by their names.
#
# NAME: of the runtime, an identifier.
# ARCH: the chips.
# PLATFORM: the platforms: sim, onboard, or what chiphost_add_platform has made.
# SOURCES: they define chiphost::host::runtime_name and make_runtime (host/runtime.h); without them it is the runtime of
#   chiphost that has the name.
# Errors: the configuration ends with a message that says what was wanted and what was found.
function(chiphost_add_runtime)
    cmake_parse_arguments(arg "" "NAME" "ARCH;PLATFORM;SOURCES" ${ARGN})
    if(NOT "${arg_NAME}" MATCHES "${chiphost_identifier}" OR NOT arg_ARCH OR NOT arg_PLATFORM OR arg_UNPARSED_ARGUMENTS)
        message(FATAL_ERROR "chiphost_add_runtime: wanted NAME (an identifier), ARCH and PLATFORM; found NAME "
                            "'${arg_NAME}', ARCH '${arg_ARCH}', PLATFORM '${arg_PLATFORM}', '${arg_UNPARSED_ARGUMENTS}'")
    endif()
    if(NOT arg_SOURCES)
        set(arg_SOURCES ${chiphost_runtime_${arg_NAME}_sources})
    endif()
    if(NOT arg_SOURCES)
        chiphost_list_names("chiphost_runtime_(.+)_sources" names)
        message(FATAL_ERROR "chiphost_add_runtime: ${arg_NAME} has no SOURCES; the runtimes that need none are "
                            "${names}")
    endif()
    foreach(platform IN LISTS arg_PLATFORM)
        foreach(arch IN LISTS arg_ARCH)
            chiphost_check_platform(chiphost_add_runtime ${arch} ${platform})
            if(platform STREQUAL "onboard")
                chiphost_add_program(host "${arg_NAME}" ${arch} ${platform} "${arg_SOURCES}")
                chiphost_add_device_programs("${arg_NAME}" ${arch})
            else()
                foreach(program IN ITEMS host aicpu aicore)
                    chiphost_add_program(${program} "${arg_NAME}" ${arch} ${platform} "${arg_SOURCES}")
                endforeach()
            endif()
            chiphost_describe_platform(${arch} ${platform})
        endforeach()
    endforeach()
endfunction()

# One program of a runtime for one chip on one platform.
function(chiphost_add_program program runtime arch platform sources)
    chiphost_platform_name(${arch} ${platform} full_name)
    chiphost_chip_source(${arch} ${platform} chip)
    set(folder "lib/${full_name}/${runtime}")
    set(target "${full_name}_${runtime}_${program}")
    chiphost_add_parts(${platform} ${program} parts)
    chiphost_split_sources("${chiphost_${program}_sources}" named others)
    list(APPEND named ${chiphost_${platform}_${program}_${arch}_sources})
    if(program STREQUAL "host")
        list(APPEND named ${sources})
    endif()
    add_library(${target} MODULE ${named} ${parts} "${chip}")
    chiphost_make_program(${target})
    chiphost_include_platform(${target} ${platform} ${named} "${chip}")
    target_compile_definitions(${target} PRIVATE CHIPHOST_PLATFORM="${full_name}" CHIPHOST_ARCH="${arch}"
                                                 CHIPHOST_RUNTIME="${runtime}")
    target_link_libraries(${target} PRIVATE Threads::Threads ${CMAKE_DL_LIBS})
    set_target_properties(${target} PROPERTIES OUTPUT_NAME ${program})
    chiphost_place_library(${target} "${CMAKE_BINARY_DIR}/${folder}")
    install(TARGETS ${target} LIBRARY DESTINATION "chiphost/${folder}")
endfunction()

# "a2a3sim", or "a2a3" for the real chip.
function(chiphost_platform_name arch platform out_name)
    if(platform STREQUAL "onboard")
        set(platform "")
    endif()
    set(${out_name} "${arch}${platform}" PARENT_SCOPE)
endfunction()

# The file with the constants of the chip: the platform's own, or that of the chip family.
function(chiphost_chip_source arch platform out_file)
    set(chip "${chiphost_root}/platform/${arch}/chip.cpp")
    if(chiphost_${platform}_chip)
        set(chip "${chiphost_${platform}_chip}")
    endif()
    set(${out_file} "${chip}" PARENT_SCOPE)
endfunction()

# Ends the configuration if there is no such platform or chip; `caller` is for the message.
function(chiphost_check_platform caller arch platform)
    if(NOT DEFINED chiphost_${platform}_host_sources)
        chiphost_name_platforms("${platform}" names)
        message(FATAL_ERROR "${caller}: there is no platform '${platform}'; ${names}; chiphost_add_platform makes one")
    endif()
    chiphost_check_arch(${caller} "${arch}")
    chiphost_chip_source(${arch} ${platform} chip)
    if(NOT EXISTS "${chip}")
        message(FATAL_ERROR "${caller}: there is no chip '${arch}', and ${platform} has no CHIP of its own: ${chip}")
    endif()
endfunction()

# Ends the configuration if it cannot be the name of a chip, which is in the names of macros and folders.
function(chiphost_check_arch caller arch)
    if(NOT arch MATCHES "^[a-z][a-z0-9_]*$")
        message(FATAL_ERROR "${caller}: wanted ARCH in small letters, such as a2a3; found '${arch}'")
    endif()
endfunction()

# For messages: the platforms there are. Users say a2a3sim of what is PLATFORM sim here.
function(chiphost_name_platforms unknown out_words)
    chiphost_list_names("chiphost_(.+)_host_sources" names)
    set(words "there are ${names}")
    foreach(arch IN ITEMS a2a3 a5)
        if(unknown MATCHES "^${arch}(.*)$")
            set(platform "${CMAKE_MATCH_1}")
            if(platform STREQUAL "")
                set(platform onboard)
            endif()
            if(DEFINED chiphost_${platform}_host_sources)
                string(APPEND words "; ${unknown} is ARCH ${arch} PLATFORM ${platform}")
            endif()
        endif()
    endforeach()
    set(${out_words} "${words}" PARENT_SCOPE)
endfunction()

# For messages: what is in the place of (.+) in the names of variables.
function(chiphost_list_names pattern out_names)
    get_cmake_property(names VARIABLES)
    list(FILTER names INCLUDE REGEX "^${pattern}$")
    list(TRANSFORM names REPLACE "^${pattern}$" "\\1")
    list(JOIN names ", " names)
    set(${out_names} "${names}" PARENT_SCOPE)
endfunction()

# Describes a platform in lib/<arch><platform>/platform.json, for those who have loaded none of its programs
# (python/chiphost/_runtimes/platforms.py). The package describes chiphost's own: a project that builds a runtime for one
# of them does not describe it again.
function(chiphost_describe_platform arch platform)
    chiphost_platform_name(${arch} ${platform} name)
    get_property(described GLOBAL PROPERTY chiphost_described_platforms)
    if(name IN_LIST described
       OR (platform MATCHES "^(sim|onboard)$" AND NOT "${chiphost_SOURCE_DIR}" STREQUAL "${chiphost_root}"))
        return()
    endif()
    set_property(GLOBAL APPEND PROPERTY chiphost_described_platforms "${name}")
    set(description "${name}")
    foreach(text IN ITEMS "${chiphost_${platform}_description}" "${chiphost_${platform}_${arch}_description}")
        if(text)
            set(description "${text}")
        endif()
    endforeach()
    set(software "${chiphost_${platform}_software}")
    foreach(text IN ITEMS description software)
        string(REGEX REPLACE "([\\\"])" "\\\\\\1" ${text} "${${text}}")
    endforeach()
    set(programs host)
    if(platform STREQUAL "onboard")
        set(programs device)
    endif()
    set(variables ${chiphost_${platform}_sdk_variables})
    list(TRANSFORM variables REPLACE "(.+)" "\"\\1\"")
    list(JOIN variables ", " variables)
    file(WRITE "${CMAKE_BINARY_DIR}/lib/${name}/platform.json"
         "{\"arch\": \"${arch}\", \"description\": \"${description}\", \"kind\": \"${chiphost_${platform}_kind}\", "
         "\"programs\": \"${programs}\", \"software\": \"${software}\", \"sdk_variables\": [${variables}]}\n")
    install(FILES "${CMAKE_BINARY_DIR}/lib/${name}/platform.json" DESTINATION "chiphost/lib/${name}")
endfunction()

# chiphost_add_orchestration(NAME name SOURCE file RUNTIME runtime [ARCH a2a3])
#
# Compiles an orchestration for the simulated chip, as `chiphost.compile` of Python does: `callables/<name>.so` in the
# build folder, `chiphost/callables/<name>.so` where it is installed. `chiphost.Binary.from_file` of Python reads it.
#
# NAME: of the target and the file.
# SOURCE: one C++ file.
# RUNTIME: the one that it is for, such as host_build_graph.
# ARCH: the chip; otherwise a2a3.
# Errors: the configuration ends with a message that says what was wanted and what was found.
function(chiphost_add_orchestration)
    cmake_parse_arguments(arg "" "NAME;SOURCE;RUNTIME;ARCH" "" ${ARGN})
    if(NOT arg_NAME OR NOT arg_SOURCE OR NOT "${arg_RUNTIME}" MATCHES "${chiphost_identifier}"
       OR arg_UNPARSED_ARGUMENTS)
        message(FATAL_ERROR "chiphost_add_orchestration: wanted NAME, SOURCE and RUNTIME (an identifier); "
                            "found ${ARGV}")
    endif()
    string(TOUPPER "${arg_RUNTIME}" runtime)
    chiphost_add_callable_part(chiphost_add_orchestration CHIPHOST_RUNTIME_${runtime}=1)
endfunction()

# chiphost_add_kernel(NAME name SOURCE file CORE aic|aiv [ARCH a2a3])
#
# Compiles a kernel for the simulated chip: `callables/<name>.so`, as chiphost_add_orchestration does.
#
# NAME: of the target and the file.
# SOURCE: one C++ file.
# CORE: the type of core that it is for.
# ARCH: the chip; otherwise a2a3.
# Errors: the configuration ends with a message that says what was wanted and what was found.
function(chiphost_add_kernel)
    cmake_parse_arguments(arg "" "NAME;SOURCE;CORE;ARCH" "" ${ARGN})
    if(NOT arg_NAME OR NOT arg_SOURCE OR NOT arg_CORE MATCHES "^(aic|aiv)$" OR arg_UNPARSED_ARGUMENTS)
        message(FATAL_ERROR "chiphost_add_kernel: wanted NAME, SOURCE and CORE (aic or aiv); found ${ARGV}")
    endif()
    set(core __DAV_VEC__)
    if(arg_CORE STREQUAL "aic")
        set(core __DAV_CUBE__)
    endif()
    chiphost_add_callable_part(chiphost_add_kernel ${core} __CPU_SIM)
endfunction()

# What the caller's NAME, SOURCE and ARCH say; definitions follow. Symbols stay visible: users write extern "C" and no
# attribute, and debuggers want them.
function(chiphost_add_callable_part caller)
    if(NOT arg_ARCH)
        set(arg_ARCH a2a3)
    endif()
    chiphost_check_arch(${caller} "${arg_ARCH}")
    chiphost_list_names("chiphost_(.+)_chip" with_chip)
    if(NOT EXISTS "${chiphost_root}/platform/${arg_ARCH}/chip.cpp" AND NOT with_chip)
        message(FATAL_ERROR "${caller}: there is no chip '${arg_ARCH}', and no platform here has a CHIP of its own")
    endif()
    string(TOUPPER "${arg_ARCH}" arch)
    add_library(${arg_NAME} MODULE "${arg_SOURCE}")
    target_link_libraries(${arg_NAME} PRIVATE chiphost_options)
    target_compile_options(${arg_NAME} PRIVATE -g)
    target_compile_definitions(${arg_NAME} PRIVATE CHIPHOST_ARCH_${arch}=1 ${ARGN})
    set_target_properties(${arg_NAME} PROPERTIES PREFIX "" SUFFIX ".so" CXX_VISIBILITY_PRESET default UNITY_BUILD OFF)
    chiphost_place_library(${arg_NAME} "${CMAKE_BINARY_DIR}/callables")
    install(TARGETS ${arg_NAME} LIBRARY DESTINATION chiphost/callables)
endfunction()

include("${chiphost_root}/cpp/sources.cmake")
include("${chiphost_root}/platform/sources.cmake")
include("${CMAKE_CURRENT_LIST_DIR}/ChiphostDevice.cmake")
include("${CMAKE_CURRENT_LIST_DIR}/ChiphostConformance.cmake")
