// SPDX-License-Identifier: Apache-2.0
//
// The tools of a test: devices, programs, launches of the suite's AICPU program, and ways to fail.
#pragma once

#include <stdint.h>

#include <memory>
#include <string>
#include <vector>

#include "chiphost/platform/device.h"
#include "conformance/conformance.h"
#include "conformance/script.h"

namespace chiphost::conformance {

using platform::chip;
using platform::LoadedKernel;

// A test that goes on after a failure could only give wrong results, so failures are thrown.
struct Failed {
    std::string message;
};
struct Unsupported {
    std::string message;
};

// Fails the test, with a text as of printf, unless the condition holds.
[[gnu::format(printf, 2, 3)]]
void check(bool holds, const char* format, ...);

// Returns if the call has succeeded; else the test fails, or is unsupported if the platform says so. Also looks at the
// error record: every test checks errors at least so far.
void succeed(int32_t code, const ch_error& error, const char* call);

// Fails the test unless the call has failed with one of the codes, and says so in the record.
void fail_with(std::initializer_list<ch_code> wanted, int32_t code, const ch_error& error, const char* call);

// Bytes of a file of the set. Unsupported if there is none: the platform's build has not made it.
struct File {
    File(const std::string& folder, const std::string& file);
    ch_binary binary() const { return {bytes.data(), bytes.size(), key.c_str(), name.c_str()}; }

    std::string name;
    std::string key;
    std::vector<char> bytes;
};

// An open device. A call that must not fail makes the test fail if it does.
class OpenDevice {
public:
    explicit OpenDevice(const ch_device_options& options);
    ~OpenDevice() { close(); }
    OpenDevice(OpenDevice&& other) noexcept : device_(other.device_) { other.device_ = nullptr; }
    OpenDevice& operator=(OpenDevice&&) = delete;

    platform::Device* get() const { return device_; }
    void close();

    uint64_t allocate(uint64_t bytes) const;
    uint64_t allocate_zeroed(uint64_t bytes) const;
    void release(uint64_t address) const { platform::release(device_, address); }
    void write(uint64_t to, const void* from, uint64_t bytes) const;
    void read(void* to, uint64_t from, uint64_t bytes) const;
    std::vector<unsigned char> read(uint64_t from, uint64_t bytes) const;
    void fill(uint64_t to, uint64_t bytes, unsigned char with) const;
    LoadedKernel load(const File& kernel, ch_core_type core_type = CH_AIV) const;
    void unload(const LoadedKernel& kernel) const { platform::unload_kernel(device_, kernel); }

private:
    platform::Device* device_ = nullptr;
};

// The settings of a launch. `launch` fills the fields of the script that hold addresses of records.
struct Plan {
    Work work = Work::nothing;
    uint32_t rounds = 1;
    uint32_t block_dim = 1;
    uint32_t aicpu_threads = 1;
    uint32_t sim_threads = 1;
    uint64_t seed = 0;
    LoadedKernel kernel{};
    std::vector<const File*> libraries{};
    const char* library_name = "conformance";
    const char* temp_folder = "";           // see Script
    uint64_t memory = 0, memory_bytes = 0;  // Work::forget
    uint64_t abandoned_stack = 0;           // see Script
    ch_run_progress* progress = nullptr;    // nullptr: one that nobody cancels
    std::vector<ch_trace_event>* trace = nullptr;
};

// The results of a launch.
struct Launched {
    int32_t code = CH_OK;
    ch_error error{};
    Script script{};
    ch_launch_status status{};
    std::vector<KernelRecord> kernels;  // by core
    uint64_t close_marks[libraries_max] = {};
};

// Checks that the platform says such a launch would begin.
void check_launch(const OpenDevice& device, const Plan& plan);

// Launches and reads all back; the launch itself may fail.
Launched try_launch(const OpenDevice& device, const Plan& plan);

// Like try_launch, but the launch must have succeeded, all threads must be done, and begin and end of the program must
// have been called once.
Launched launch(const OpenDevice& device, const Plan& plan);

// Checks that every core has run the plan's dispatches, in order, with their arguments.
void check_dispatches(const Plan& plan, const Launched& launched, uint64_t answer);

// The time that a worker waits after a cancel before it gives the device up.
constexpr uint64_t ms = 1'000'000;
constexpr uint64_t end_ns_max = 500 * ms;
constexpr int end_attempts_max = 3;  // a port that is late is so each time; a busy machine is not

class Bench;

// Launches something without an end and cancels it after a while: it must end soon, with one of the codes.
Launched cut_off(const Bench& bench, const OpenDevice& device, Plan plan, std::initializer_list<ch_code> wanted,
                 uint64_t after_ns = 5 * ms);

// Like cut_off, but waits until `there` says that a launch has got far enough: a busy machine may need some time for
// that.
Launched cut_off_where(const Bench& bench, const OpenDevice& device, const Plan& plan,
                       bool (*there)(const Script& script), const char* where);

// A progress record in which nothing has happened.
ch_run_progress no_progress();

// The environment that a test is given.
class Bench {
public:
    explicit Bench(const ch_conformance_request& request) : options_(*request.device), folder_(request.folder) {}

    const ch_device_options& options() const { return options_; }
    OpenDevice open() const { return OpenDevice(options_); }
    File file(const std::string& name) const { return File(folder_, name); }
    const std::string& folder() const { return folder_; }
    ch_anchor_counts counts() const;
    uint64_t libraries_in_use() const { return counts().libraries - counts().libraries_idle; }

    // Runs a function on another thread, as soon as that exists. The destructor waits for its end.
    class Meanwhile {
    public:
        Meanwhile(const Bench& bench, ch_call call, void* argument);
        ~Meanwhile() { wait(); }
        Meanwhile(const Meanwhile&) = delete;
        Meanwhile& operator=(const Meanwhile&) = delete;
        void wait();

    private:
        const ch_device_options& options_;
        ch_mailbox* thread_ = nullptr;
    };

private:
    ch_device_options options_;
    std::string folder_;
};

// One test.
struct Case {
    const char* id;
    const char* requirements;
    void (*run)(const Bench& bench);
};

// The groups, in the order in which a port gets to pass them.
using Cases = std::vector<Case>;
Cases memory_cases();
Cases copy_cases();
Cases program_cases();
Cases register_cases();
Cases launch_cases();
Cases completion_cases();
Cases orchestration_cases();
Cases time_cases();
Cases error_cases();
Cases context_cases();
Cases teardown_cases();
Cases graph_cases();

}  // namespace chiphost::conformance
