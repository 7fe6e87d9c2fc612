// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "onboard/driver.h"
#include "standin_state.h"

namespace chiphost::platform::standin {

// The programs that were started on a stream and have not ended. A wait is for all of them.
class Stream {
public:
    template <typename Body>
    void start(Body&& body) {
        const std::lock_guard<std::mutex> lock(mutex_);
        ++running_;
        threads_.emplace_back([this, body]() mutable {
            const int32_t code = body();
            const std::lock_guard<std::mutex> ended(mutex_);
            if (code != 0) code_ = code;
            if (--running_ == 0) idle_.notify_all();
        });
    }

    int32_t wait(int32_t timeout_ms) {
        std::unique_lock<std::mutex> lock(mutex_);
        if (!idle_.wait_for(lock, std::chrono::milliseconds(timeout_ms), [&] { return running_ == 0; })) {
            return refuse(acl_error_stream_timeout, "the stream is still busy");
        }
        for (std::thread& thread : threads_) thread.join();
        threads_.clear();
        const int32_t code = code_;
        code_ = 0;
        return code;
    }

    ~Stream() {
        for (std::thread& thread : threads_) thread.join();
    }

private:
    std::mutex mutex_;
    std::condition_variable idle_;
    std::vector<std::thread> threads_;
    int running_ = 0;
    int32_t code_ = 0;
};

inline int32_t check_stream(const void* stream) {
    return stream ? 0 : refuse(invalid_parameter, "there is no such stream");
}

}  // namespace chiphost::platform::standin
