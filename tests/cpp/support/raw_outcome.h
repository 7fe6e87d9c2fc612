// SPDX-License-Identifier: Apache-2.0
//
// A hazard without chiphost: plain dlmopen and dlopen, in a process that may be lost to it.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#ifdef __GLIBC__
#include <gnu/libc-version.h>
#endif

namespace chiphost::tests {

constexpr int code_of_giving_up = 99;

// Ends a child whose body cannot do what it is meant to: a failure of the test, not a hazard that is gone.
[[noreturn]] inline void give_up_in_child() {
    _exit(code_of_giving_up);
}

// Runs the body in a child. Returns the body's text, or the way in which it has ended the child.
template <typename Body>
std::string raw_outcome(Body&& body) {
    int ends[2];
    if (pipe(ends) != 0) return "no pipe";
    const pid_t child = fork();
    if (child < 0) return "no child";
    if (child == 0) {
        constexpr unsigned hangs_after_s = 60;
        alarm(hangs_after_s);
        const rlimit no_core{0, 0};
        setrlimit(RLIMIT_CORE, &no_core);
        if (const int null = open("/dev/null", O_RDWR); null >= 0) dup2(null, STDERR_FILENO);
        const std::string text = body();
        _exit(write(ends[1], text.data(), text.size()) == static_cast<ssize_t>(text.size()) ? 0 : 1);
    }
    close(ends[1]);
    std::string text;
    char piece[256];
    for (ssize_t got = 0; (got = read(ends[0], piece, sizeof piece)) > 0;) text.append(piece, static_cast<size_t>(got));
    close(ends[0]);
    int status = 0;
    if (waitpid(child, &status, 0) != child) return "lost the child";
    if (WIFSIGNALED(status)) return "killed by signal " + std::to_string(WTERMSIG(status));
    if (WEXITSTATUS(status) == code_of_giving_up)
        ADD_FAILURE() << "the child could not load a library or find a function";
    if (WEXITSTATUS(status) != 0) return "exit code " + std::to_string(WEXITSTATUS(status));
    return text;
}

inline std::string c_library() {
#ifdef __GLIBC__
    return std::string("glibc ") + gnu_get_libc_version();
#else
    return "a C library that is not glibc";
#endif
}

// The words for a row of docs/internals/namespaces.md that does not hold here.
inline std::string row_differs(const std::string& row, const std::string& expected, const std::string& found) {
    return "row " + row + " does not hold here: expected \"" + expected + "\", as glibc 2.36 on x86-64; found \"" +
           found + "\" with " + c_library();
}

// Ends a test with words if its hazard is gone, or other than measured. chiphost's own side is asserted before.
#define SKIP_UNLESS_AS_MEASURED(row, expected, found) \
    if ((found) != (expected)) GTEST_SKIP() << ::chiphost::tests::row_differs(row, expected, found)

}  // namespace chiphost::tests
