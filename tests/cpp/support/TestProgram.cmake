# The compile of sources with GoogleTest in them, which takes most of the build of the tests.

# The headers of tests are read once. This is a program, because its readers are compiled for one: gcc takes no header
# that was compiled with other flags. -O0: the result of a test does not depend on its own speed, and optimizing
# them takes twice as long. Checks for undefined behaviour add half again; they are for the code under test.
set(test_flags -O0)
if(CHIPHOST_SANITIZE MATCHES "undefined")
    list(APPEND test_flags -fno-sanitize=undefined)
endif()
set(test_headers "${CMAKE_CURRENT_LIST_DIR}/test_headers")
add_executable(test_headers "${test_headers}.cpp")
target_link_libraries(test_headers PRIVATE chiphost_options GTest::gtest_main)
target_compile_options(test_headers PRIVATE ${test_flags})
target_precompile_headers(test_headers PRIVATE "${test_headers}.h")

# chiphost_compile_test(TARGET SOURCE): the other sources of the program are chiphost's own, and compiled as these are.
function(chiphost_compile_test target source)
    get_target_property(sources ${target} SOURCES)
    list(REMOVE_ITEM sources ${source})
    set_source_files_properties(${sources} PROPERTIES SKIP_PRECOMPILE_HEADERS ON)
    set_source_files_properties(${source} PROPERTIES COMPILE_OPTIONS "${test_flags}")
    target_precompile_headers(${target} REUSE_FROM test_headers)
endfunction()
