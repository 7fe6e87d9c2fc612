# SPDX-License-Identifier: Apache-2.0
#
# Component isolate of chiphostConfig.cmake.
find_dependency(Threads)
include("${CMAKE_CURRENT_LIST_DIR}/chiphost-isolate-targets.cmake")

# Where a program finds the anchor and the program of child processes without being told.
get_filename_component(chiphost_lib "${CMAKE_CURRENT_LIST_DIR}/../lib" ABSOLUTE)
target_compile_definitions(chiphost::isolate INTERFACE
    "CHIPHOST_ISOLATE_ANCHOR=\"${chiphost_lib}/chiphost_anchor.so\""
    "CHIPHOST_ISOLATE_CHILD=\"${chiphost_lib}/chiphost_child\"")
unset(chiphost_lib)
