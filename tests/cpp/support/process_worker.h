// SPDX-License-Identifier: Apache-2.0
//
// For tests of workers whose runtime lives in a child process: the options, a runtime that misbehaves on demand, and
// the processes.
#pragma once

#include <errno.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../fake_runtimes/misbehaving_runtime.h"
#include "isolate/child/child_pool.h"
#include "temp_folder.h"
#include "test_worker.h"

namespace chiphost::tests {

inline ChipWorker::Options in_a_process(const std::string& platform = "a2a3sim") {
    ChipWorker::Options options = options_for(platform);
    options.isolation.strategy = isolate::Strategy::process;
    return options;
}

inline ChipWorker::Options misbehaving(int32_t device_id = 0) {
    ChipWorker::Options options = in_a_process();
    options.files.host = library_path("misbehaving");
    options.device_id = device_id;
    return options;
}

// Makes the runtime do a deed; "ok" or the error.
inline std::string tell(TestWorker& worker, Deed deed, uint64_t number = 0, const isolate::Wait& wait = {},
                        const ch_tensor* tensors = nullptr, uint32_t tensor_count = 0) {
    static const TestCallable callable("graph_from_table");
    const uint64_t scalars[] = {static_cast<uint64_t>(deed), number};
    return worker.try_run(callable, ch_task_args{tensors, scalars, tensor_count, 2}, wait);
}

// kill(-1, ...) would kill every process.
inline void kill_process(pid_t process) {
    ASSERT_GT(process, 0);
    kill(process, SIGKILL);
}

inline bool ends_soon(pid_t process) {
    const int descriptor = static_cast<int>(syscall(SYS_pidfd_open, process, 0));
    if (descriptor < 0) return errno == ESRCH;
    pollfd end{descriptor, POLLIN, 0};
    const bool ended = poll(&end, 1, 30'000) == 1;
    close(descriptor);
    return ended;
}

inline bool has_child_processes() {
    siginfo_t info{};
    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

class ProcessWorker : public testing::Test {
protected:
    ProcessWorker() {
        // The system must handle the runtime's faults, not a sanitizer.
        setenv("ASAN_OPTIONS", "detect_leaks=0:handle_segv=0:handle_abort=0", 1);
    }
    ~ProcessWorker() override {
        isolate::ChildPool::of_this_process().end_idle();
        EXPECT_FALSE(has_child_processes());
    }
    const TempFolder folder_;
};

}  // namespace chiphost::tests
