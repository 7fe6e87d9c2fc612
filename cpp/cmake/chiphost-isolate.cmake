# SPDX-License-Identifier: Apache-2.0
#
# Component isolate of chiphostConfig.cmake.
find_dependency(Threads)
include("${CMAKE_CURRENT_LIST_DIR}/chiphost-isolate-targets.cmake")

# Where a program finds the anchor without being told.
get_filename_component(chiphost_anchor "${CMAKE_CURRENT_LIST_DIR}/../lib/chiphost_anchor.so" ABSOLUTE)
target_compile_definitions(chiphost::isolate INTERFACE "CHIPHOST_ISOLATE_ANCHOR=\"${chiphost_anchor}\"")
unset(chiphost_anchor)
