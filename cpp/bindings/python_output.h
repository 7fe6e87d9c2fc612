// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace chiphost::bindings {

// Writes out what Python has printed so far, before code is called that prints by itself: otherwise a pipe gets that
// first. Only if sys.stdout is a file as Python makes it; others (a notebook's, a test's) have an order of their own.
// Needs the GIL. Throws nanobind::python_error for an interruption; other errors are Python's to find at the next
// print.
void write_python_output();

}  // namespace chiphost::bindings
