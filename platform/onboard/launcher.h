// SPDX-License-Identifier: Apache-2.0
//
// Starts the two device programs over the vendor's runtime and waits for them.
#pragma once

#include <stdint.h>

#include <string>
#include <vector>

#include "chiphost/platform/device.h"
#include "driver.h"
#include "launch_record.h"
#include "status/status.h"

namespace chiphost::platform {

// One device's programs. Used by one thread at a time, after aclrtSetDevice.
class Launcher {
public:
    explicit Launcher(const Driver& driver) : driver_(driver) {}
    ~Launcher();  // only after close() has said true
    Launcher(const Launcher&) = delete;
    Launcher& operator=(const Launcher&) = delete;

    // After a failure: for programs whose AICPU has failed; an AICPU gives its cores 200.
    static constexpr int32_t programs_end_ms = 500;

    // Loads both programs and makes the AICPU program's context.
    Status open(const ch_device_options& options, ch_error* out_error);

    // Destroys that context. False: a program may still run, and uses this object's memory for good.
    [[nodiscard]] bool close();

    // The host has written this: the next launch must not see what caches still have of it.
    void note_written(uint64_t address, uint64_t bytes) { ranges_.push_back({address, bytes}); }

    // The memory is no longer the device's: nobody may touch it at the next launch.
    void note_released(uint64_t address, uint64_t bytes);

    // Not when `lost`. Also returns while the programs may still run, if they could not be waited for: then `lost`.
    Status launch(const LaunchOptions& options, ch_error* out_error);

    // A program may still run. What it uses must stay as it is, and there is no launch any more.
    bool lost() const { return lost_; }

private:
    // A piece of device memory.
    struct Memory {
        void* address = nullptr;
        uint64_t bytes = 0;
    };

    Status reserve(uint64_t bytes, Memory* memory, ch_error* out_error);
    Status write(const Memory& to, const void* from, uint64_t bytes, ch_error* out_error);
    Status load_aicpu(const ch_device_options& options, ch_error* out_error);
    Status load_aicore(const ch_device_options& options, ch_error* out_error);
    Status start_aicpu(const char* kernel, uint32_t threads, ch_error* out_error);
    Status start_aicore(uint32_t block_dim, ch_error* out_error);
    Status wait(void* stream, ch_run_progress* progress, ch_error* out_error);
    int32_t wait_again(void* stream) const {
        return driver_.aclrtSynchronizeStreamWithTimeout(stream, programs_end_ms);
    }
    Status serve(LaunchVerb verb, const char* kernel, ch_error* out_error);
    Status write_record(ch_error* out_error);
    Status read_record(ch_error* out_error);
    void release_cores(const LaunchOptions& options);
    void end_cores(const LaunchOptions& options);
    void cancel();

    const Driver& driver_;
    void* aicpu_stream_ = nullptr;
    void* aicore_stream_ = nullptr;
    void* aicore_handle_ = nullptr;
    std::string aicore_program_;  // the vendor's runtime may refer to it as long as it is registered
    Memory library_, library_args_, bases_, record_memory_, ranges_memory_;
    LaunchRecord record_{};
    std::vector<MemoryRange> ranges_;
    bool opened_ = false;     // the AICPU has a context
    bool cancelled_ = false;  // the launch under way was told to end
    bool lost_ = false;
};

}  // namespace chiphost::platform
