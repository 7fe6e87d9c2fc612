// SPDX-License-Identifier: Apache-2.0
//
// The state of the stand-in: memory, the programs that use it, and the libraries that are loaded.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "onboard/launch_record.h"

#define STANDIN_CALL extern "C" __attribute__((visibility("default")))
#define STANDIN_PLANTED() \
    if (const int32_t code = ::chiphost::platform::standin::planted(__func__)) return code

namespace chiphost::platform {

// A function of the loader of orchestrations, which is not part of this.
void* find_in_device_orch_so(void* library, const char* symbol);

namespace standin {

constexpr int32_t invalid_parameter = 107000;

using Kernel = void (*)(int64_t* args);

// The state of the process: the vendor's software has one, too.
struct Process {
    struct Allocation {
        uint64_t bytes;
        bool mapped;
    };
    // Programs that have been started and have not ended, and addresses in the memory that they use.
    struct Use {
        uint32_t aicpu = 0;
        uint32_t aicore = 0;
        std::vector<uint64_t> addresses;
    };
    std::mutex mutex;
    std::map<uint64_t, Allocation> allocations;  // by address
    std::map<const LaunchRecord*, Use> uses;
    std::string violation;  // the host's misuse of memory that is in use
    uint64_t allocated_bytes = 0;
    std::map<uint64_t, void*> kernels;  // libraries of kernels' images, by address
    bool initialized = false;
    void* aicpu_library = nullptr;  // the first that was launched, as the vendor's software keeps it
    char* registers = nullptr;
    std::mutex cores;  // held by the one launch that has the cores; others wait for their turn
};

Process& process();

// The words of this thread's last call that failed.
std::string& last_error();

// Keeps the words, and returns the code.
int32_t refuse(int32_t code, const std::string& words);

// The code that a test wants a call to return.
int32_t planted(const char* call);

// The allocation that contains a range. Call this with the lock held.
const std::pair<const uint64_t, Process::Allocation>* find(uint64_t address, uint64_t bytes);

bool is_device_memory(const void* address, uint64_t bytes);

// A program that has the record begins and ends. `addresses` lie in memory that it uses.
void begin_use(const LaunchRecord* record, uint32_t Process::Use::* programs, std::vector<uint64_t> addresses);
void end_use(const LaunchRecord* record, uint32_t Process::Use::* programs);
bool aicpu_runs(const LaunchRecord* record);

// 0 if the host may change the range. A chip would let it, and then nobody would know why programs never end. The next
// initialization reports the first violation as well: a call that frees memory has nobody to tell. Call this with the
// lock held.
int32_t check_unused(const char* call, uint64_t address, uint64_t bytes);

// The value of a variable of the environment; "" without one.
std::string variable(const char* name);

// Returns when there is no such file.
void hold(const std::string& file);

// Loads a library; nullptr with words in last_error().
void* load(const void* data, size_t bytes, const char* name);

// Closes the library of a kernel whose image is overwritten or freed. Call this with the lock held.
void forget_kernel(uint64_t address);

// The kernel whose image is at a device address; nullptr: there is none.
Kernel find_kernel(uint64_t address);

}  // namespace standin

}  // namespace chiphost::platform
