// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

namespace chiphost::tests {

// True if `body` returns true in a child made by fork(), within so many seconds.
template <typename Body>
testing::AssertionResult holds_in_a_fork(unsigned timeout_s, Body&& body) {
    constexpr int code_of_true = 17;
    const pid_t child = fork();
    if (child == 0) {
        alarm(timeout_s);
        _exit(body() ? code_of_true : 1);
    }
    int status = 0;
    if (waitpid(child, &status, 0) != child) return testing::AssertionFailure() << "lost the child";
    if (WIFEXITED(status) && WEXITSTATUS(status) == code_of_true) return testing::AssertionSuccess();
    return testing::AssertionFailure() << "the child ended with status " << status;
}

}  // namespace chiphost::tests
