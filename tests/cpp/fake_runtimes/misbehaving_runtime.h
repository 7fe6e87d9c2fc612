// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>

namespace chiphost::tests {

// The deeds that the runtime "misbehaving" can be told to do in a run.
enum class Deed : uint64_t {
    nothing,
    crash,                 // SIGSEGV
    exit,                  // with code 7
    exit_at_once,          // _exit, with code 8
    abort,                 // after a word on stderr
    hang,                  // whatever calls come
    write_stderr,          // so many bytes, and "the last line"
    write_stderr_and_die,  // like write_stderr, then SIGKILL
    wait_for_cancel,
    leave_file,  // in its temporary folder
    fork_and_die,
    close_everything,  // all descriptors
    trace,             // so many events
    increment          // first half of tensor 1 = tensor 0 + 1, bytes
};

// Devices.
constexpr int32_t crashes_when_opened = 101;
constexpr int32_t never_opens = 102;
constexpr int32_t never_closes = 103;

}  // namespace chiphost::tests
