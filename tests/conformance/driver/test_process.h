// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>

#include <functional>
#include <string>

namespace chiphost::conformance {

// What a child process has left.
struct ProcessEnd {
    bool complete = false;   // it exited by itself, with code 0
    std::string how;         // "was ended by signal 11 (Segmentation fault)", "did not end within 30 s"
    std::string output;      // what the body wrote to the file
    std::string last_words;  // the end of what it wrote to stdout and stderr
};

// Runs body(file) in a child made by fork() and waits for its end, at most timeout_ns; the child is killed then, and
// also when this process ends. What it prints is in last_words. The caller has no other threads. `errno` in `how` if
// there can be no child.
ProcessEnd run_in_process(const std::function<void(int file)>& body, uint64_t timeout_ns);

}  // namespace chiphost::conformance
