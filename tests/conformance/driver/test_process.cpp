// SPDX-License-Identifier: Apache-2.0
#include "test_process.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "chiphost/abi/mailbox.h"
#include "os/descriptor.h"

namespace chiphost::conformance {

namespace {

using os::Descriptor;

constexpr size_t last_words_max = 2000;

std::string content_of(int file, size_t bytes_max) {
    const off_t bytes = lseek(file, 0, SEEK_END);
    if (bytes <= 0) return "";
    std::string text(std::min(static_cast<size_t>(bytes), bytes_max), '\0');
    const ssize_t got = pread(file, text.data(), text.size(), bytes - static_cast<off_t>(text.size()));
    text.resize(got > 0 ? static_cast<size_t>(got) : 0);
    return text;
}

// Waits until the process has ended. False: the time is over, or nobody reads this process's output any more.
bool await(pid_t child, uint64_t timeout_ns) {
    const int descriptor = static_cast<int>(syscall(SYS_pidfd_open, child, 0));
    if (descriptor < 0) return true;  // an old kernel: without a limit
    const Descriptor process(descriptor);
    const uint64_t end = ch_monotonic_ns() + timeout_ns;
    bool stdout_open = true;
    for (;;) {
        const uint64_t now = ch_monotonic_ns();
        if (now >= end) return false;
        pollfd wanted[] = {{descriptor, POLLIN, 0}, {STDOUT_FILENO, 0, 0}};
        poll(wanted, stdout_open ? 2 : 1, static_cast<int>((end - now) / 1'000'000 + 1));
        if (wanted[0].revents) return true;
        if (wanted[1].revents & POLLERR) return false;
        if (wanted[1].revents) stdout_open = false;  // there is none
    }
}

}  // namespace

ProcessEnd run_in_process(const std::function<void(int file)>& body, uint64_t timeout_ns) {
    ProcessEnd end;
    const Descriptor output(memfd_create("conformance-output", MFD_CLOEXEC));
    const Descriptor words(memfd_create("conformance-stderr", MFD_CLOEXEC));
    fflush(nullptr);
    const pid_t parent = getpid();
    const pid_t child = output.get() < 0 || words.get() < 0 ? -1 : fork();
    if (child < 0) {
        end.how = std::string("could not be started: ") + strerror(errno);
        return end;
    }
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) _exit(1);  // it ended before
        // Output of the platform must not get into the parent's report.
        dup2(words.get(), STDOUT_FILENO);
        dup2(words.get(), STDERR_FILENO);
        body(output.get());
        fflush(nullptr);
        _exit(0);
    }
    const bool ended = await(child, timeout_ns);
    if (!ended) kill(child, SIGKILL);
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    end.complete = ended && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!ended) {
        end.how = "did not end within " + std::to_string(timeout_ns / 1'000'000'000) + " s";
    } else if (WIFSIGNALED(status)) {
        end.how = "was ended by signal " + std::to_string(WTERMSIG(status)) + " (" + strsignal(WTERMSIG(status)) + ")";
    } else if (!end.complete) {
        end.how = "exited with code " + std::to_string(WEXITSTATUS(status));
    }
    end.output = content_of(output.get(), SIZE_MAX);
    end.last_words = content_of(words.get(), last_words_max);
    return end;
}

}  // namespace chiphost::conformance
