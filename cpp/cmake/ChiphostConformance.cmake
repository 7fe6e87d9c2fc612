# How the conformance suite is built (tests/conformance).
set(suite "${chiphost_SOURCE_DIR}/tests/conformance")

# The tests themselves are the same for all platforms.
add_library(chiphost_conformance_cases OBJECT
    ${suite}/suite/bench.cpp
    ${suite}/suite/completion.cpp
    ${suite}/suite/contexts.cpp
    ${suite}/suite/copies.cpp
    ${suite}/suite/errors.cpp
    ${suite}/suite/launches.cpp
    ${suite}/suite/memory.cpp
    ${suite}/suite/orchestrations.cpp
    ${suite}/suite/programs.cpp
    ${suite}/suite/registers.cpp
    ${suite}/suite/teardown.cpp
    ${suite}/suite/time.cpp
    ${chiphost_SOURCE_DIR}/cpp/abi/report.cpp)
target_link_libraries(chiphost_conformance_cases PRIVATE chiphost_options)
target_include_directories(chiphost_conformance_cases PRIVATE "${chiphost_SOURCE_DIR}/tests")

# The program that runs them.
add_library(chiphost_conformance_driver STATIC ${suite}/driver/suite_run.cpp ${suite}/driver/test_process.cpp)
target_link_libraries(chiphost_conformance_driver PUBLIC chiphost_isolate)
target_include_directories(chiphost_conformance_driver PUBLIC "${chiphost_SOURCE_DIR}/tests")
add_executable(chiphost_conform ${suite}/driver/conform_main.cpp)
target_link_libraries(chiphost_conform PRIVATE chiphost_conformance_driver)
set_target_properties(chiphost_conform PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/lib")
install(TARGETS chiphost_conform RUNTIME DESTINATION chiphost/lib)

# chiphost_conformance_library(NAME SOURCE [DEFINITIONS...]): a kernel or an orchestration that tests load.
function(chiphost_conformance_library name source)
    set(target conformance_${name})
    add_library(${target} MODULE "${suite}/${source}.cpp")
    chiphost_make_program(${target})
    target_include_directories(${target} PRIVATE "${chiphost_SOURCE_DIR}/tests")
    target_compile_definitions(${target} PRIVATE ${ARGN})
    set_target_properties(${target} PROPERTIES CXX_VISIBILITY_PRESET default OUTPUT_NAME ${name}
                                               LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/lib/conformance")
endfunction()

# chiphost_add_conformance(ARCH a2a3 PLATFORM sim [CHIP FILE] [FOLDER FOLDER])
#
# Builds the suite for a platform: lib/<arch><platform>/conform/{conform,aicpu,aicore}.so. The platform's folder has a
# conformance.def. CHIP: instead of platform/<arch>/chip.cpp. FOLDER: where to build, instead of lib; nothing is
# installed then.
function(chiphost_add_conformance)
    cmake_parse_arguments(arg "" "ARCH;PLATFORM;CHIP;FOLDER" "" ${ARGN})
    set(platform "${arg_ARCH}${arg_PLATFORM}")
    if(NOT arg_CHIP)
        set(arg_CHIP "${chiphost_SOURCE_DIR}/platform/${arg_ARCH}/chip.cpp")
    endif()
    if(NOT arg_FOLDER)
        set(arg_FOLDER "${CMAKE_BINARY_DIR}/lib")
        set(install TRUE)
    endif()
    chiphost_platform_folder(${arg_PLATFORM} sources)
    set(conform_sources ${suite}/suite/conformance_library.cpp $<TARGET_OBJECTS:chiphost_conformance_cases>
                        ${chiphost_${arg_PLATFORM}_host_sources})
    set(aicpu_sources ${suite}/programs/aicpu_program.cpp ${chiphost_SOURCE_DIR}/cpp/abi/report.cpp
                      ${chiphost_SOURCE_DIR}/cpp/isolate/constructors.cpp
                      ${chiphost_${arg_PLATFORM}_aicpu_sources})
    set(aicore_sources ${chiphost_aicore_sources} ${chiphost_${arg_PLATFORM}_aicore_sources})
    foreach(program IN ITEMS conform aicpu aicore)
        set(target "${platform}_conform_${program}")
        add_library(${target} MODULE ${${program}_sources} "${arg_CHIP}")
        chiphost_make_program(${target})
        target_include_directories(${target} PRIVATE "${sources}" "${chiphost_SOURCE_DIR}/platform"
                                                     "${chiphost_SOURCE_DIR}/tests")
        target_compile_definitions(${target} PRIVATE CHIPHOST_PLATFORM="${platform}" CHIPHOST_ARCH="${arg_ARCH}")
        set_target_properties(${target} PROPERTIES OUTPUT_NAME ${program}
                                                   LIBRARY_OUTPUT_DIRECTORY "${arg_FOLDER}/${platform}/conform")
        if(install)
            install(TARGETS ${target} LIBRARY DESTINATION "chiphost/lib/${platform}/conform")
        endif()
    endforeach()
    target_link_libraries(${platform}_conform_conform PRIVATE Threads::Threads)
    target_link_libraries(${platform}_conform_aicpu PRIVATE ${CMAKE_DL_LIBS})
endfunction()

# What tests load on platforms whose cores run programs of this machine.
set(libraries)
foreach(answer IN ITEMS 1 2)
    chiphost_conformance_library(record_${answer} kernels/record ANSWER=${answer})
    chiphost_conformance_library(counting_${answer} orchestrations/counting ANSWER=${answer})
    list(APPEND libraries conformance_record_${answer} conformance_counting_${answer})
endforeach()
foreach(kernel IN ITEMS throw hand_over no_entry)
    chiphost_conformance_library(${kernel} kernels/${kernel})
    list(APPEND libraries conformance_${kernel})
endforeach()
install(TARGETS ${libraries} LIBRARY DESTINATION chiphost/lib/conformance)
