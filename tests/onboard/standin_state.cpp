// SPDX-License-Identifier: Apache-2.0
#include "standin_state.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "chiphost/abi/device_program.h"
#include "shared/orch_so_file.h"
#include "status/report.h"

namespace chiphost::platform::standin {

Process& process() {
    static auto& one = *new Process;
    return one;
}

std::string& last_error() {
    static thread_local auto& text = *new std::string;
    return text;
}

int32_t refuse(int32_t code, const std::string& words) {
    last_error() = words;
    return code;
}

int32_t planted(const char* call) {
    const char* wanted = getenv("CHIPHOST_STANDIN_FAIL");
    const size_t length = strlen(call);
    if (!wanted || strncmp(wanted, call, length) != 0 || wanted[length] != '=') return 0;
    return refuse(atoi(wanted + length + 1), std::string("EZ9999: planted in ") + call);
}

const std::pair<const uint64_t, Process::Allocation>* find(uint64_t address, uint64_t bytes) {
    auto& allocations = process().allocations;
    auto after = allocations.upper_bound(address);
    if (after == allocations.begin()) return nullptr;
    --after;
    const uint64_t offset = address - after->first;
    return offset <= after->second.bytes && bytes <= after->second.bytes - offset ? &*after : nullptr;
}

bool is_device_memory(const void* address, uint64_t bytes) {
    const std::lock_guard<std::mutex> lock(process().mutex);
    return find(reinterpret_cast<uint64_t>(address), bytes) != nullptr;
}

void begin_use(const LaunchRecord* record, uint32_t Process::Use::* programs, std::vector<uint64_t> addresses) {
    addresses.push_back(reinterpret_cast<uint64_t>(record));
    if (record->verb == LaunchVerb::run) {
        const auto& launch = *reinterpret_cast<const ch_launch*>(record->launch);
        for (uint64_t address : {record->launch, record->ranges, launch.graph, launch.kernels, launch.handshakes,
                                 launch.payloads, launch.status, launch.hand_over}) {
            if (address) addresses.push_back(address);
        }
    }
    const std::lock_guard<std::mutex> lock(process().mutex);
    Process::Use& use = process().uses[record];
    ++(use.*programs);
    use.addresses.insert(use.addresses.end(), addresses.begin(), addresses.end());
}

void end_use(const LaunchRecord* record, uint32_t Process::Use::* programs) {
    const std::lock_guard<std::mutex> lock(process().mutex);
    const auto found = process().uses.find(record);
    --(found->second.*programs);
    if (found->second.aicpu + found->second.aicore == 0) process().uses.erase(found);
}

bool aicpu_runs(const LaunchRecord* record) {
    const std::lock_guard<std::mutex> lock(process().mutex);
    const auto found = process().uses.find(record);
    return found != process().uses.end() && found->second.aicpu != 0;
}

int32_t check_unused(const char* call, uint64_t address, uint64_t bytes) {
    for (const auto& [record, use] : process().uses) {
        for (uint64_t used : use.addresses) {
            const auto* allocation = find(used, 1);
            if (!allocation || allocation->first >= address + bytes) continue;
            if (address >= allocation->first + allocation->second.bytes) continue;
            std::string& violation = process().violation;
            if (violation.empty()) violation = std::string(call) + " of memory that programs use";
            return refuse(invalid_parameter, violation);
        }
    }
    return 0;
}

std::string variable(const char* name) {
    const char* value = getenv(name);
    return value ? value : "";
}

void hold(const std::string& file) {
    while (!file.empty() && access(file.c_str(), F_OK) == 0) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
}

void* load(const void* data, size_t bytes, const char* name) {
    void* library = nullptr;
    ch_error error = no_error();
    if (load_from_memory(nullptr, data, bytes, name, &library, &error) != CH_OK) last_error() = error.message;
    return library;
}

void forget_kernel(uint64_t address) {
    auto& kernels = process().kernels;
    const auto found = kernels.find(address);
    if (found == kernels.end()) return;
    close_library(nullptr, found->second);
    kernels.erase(found);
}

Kernel find_kernel(uint64_t address) {
    Process& all = process();
    const std::lock_guard<std::mutex> lock(all.mutex);
    const auto known = all.kernels.find(address);
    void* library = known == all.kernels.end() ? nullptr : known->second;
    if (!library) {
        const auto* allocation = find(address, 4);
        if (!allocation || memcmp(reinterpret_cast<void*>(address),
                                  "\x7f"
                                  "ELF",
                                  4) != 0)
            return nullptr;
        library = load(reinterpret_cast<void*>(address), allocation->second.bytes, "kernel");
        if (library) all.kernels[address] = library;
    }
    return library ? reinterpret_cast<Kernel>(find_in_device_orch_so(library, "kernel_entry")) : nullptr;
}

}  // namespace chiphost::platform::standin
