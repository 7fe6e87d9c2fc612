// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>

#include <functional>
#include <string>

namespace chiphost::conformance {

// The end of a child process, and its output.
struct ProcessEnd {
    bool complete = false;   // it exited by itself, with code 0
    std::string how;         // "was ended by signal 11 (Segmentation fault)", "did not end within 30 s"
    std::string output;      // the text that the body wrote to the file
    std::string last_words;  // the end of its output to stdout and stderr
};

// Runs body(file) in a child made by fork() and waits for its end, at most timeout_ns; the child is killed then, and
// also when this process ends. Its output is in last_words. The caller has no other threads. `how` has `errno` if there
// can be no child.
ProcessEnd run_in_process(const std::function<void(int file)>& body, uint64_t timeout_ns);

}  // namespace chiphost::conformance
