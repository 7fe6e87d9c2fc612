// SPDX-License-Identifier: Apache-2.0
//
// A stand-in for the chip vendor's three libraries, for tests: device memory is this process's memory, the AICPU is
// threads of it, and one more thread steps the cores. The device programs are those of a real chip, built for this
// processor. The stand-in checks what it can: addresses, names, sizes, and that the host leaves alone the memory that
// programs use.
//
// CHIPHOST_STANDIN_FAIL="aclrtMalloc=507899" makes a call return a code.
// CHIPHOST_STANDIN_HOLD=FILE holds programs that are started now for as long as the file exists.
// CHIPHOST_STANDIN_LATE=1 makes cores that are started now take their registers only when the AICPU has left.
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <mutex>

#include "chiphost/platform/chip.h"
#include "onboard/driver.h"
#include "standin_registers.h"
#include "standin_state.h"
#include "standin_stream.h"

using namespace chiphost::platform;
using namespace chiphost::platform::standin;

static constexpr uint64_t map_from_bytes = 64 << 10;
static constexpr int undefined_byte = 0xFF;

STANDIN_CALL const char* aclGetRecentErrMsg() {
    return last_error().c_str();
}

STANDIN_CALL int32_t aclInit(const char*) {
    STANDIN_PLANTED();
    const std::lock_guard<std::mutex> lock(process().mutex);
    if (!process().violation.empty()) return refuse(invalid_parameter, process().violation);
    if (process().initialized) return refuse(acl_error_repeat_initialize, "initialized already");
    process().initialized = true;
    return 0;
}

STANDIN_CALL int32_t aclrtSetDevice(int32_t device) {
    STANDIN_PLANTED();
    return device == 0 ? 0 : refuse(107001, "the stand-in has device 0 only");
}

STANDIN_CALL int32_t aclrtMalloc(void** out_address, size_t bytes, int32_t) {
    STANDIN_PLANTED();
    Process& all = process();
    const std::lock_guard<std::mutex> lock(all.mutex);
    if (bytes == 0) return refuse(invalid_parameter, "wanted 0 bytes");
    if (bytes > chip.memory_bytes - all.allocated_bytes) return refuse(acl_error_out_of_memory, "out of memory");
    const bool mapped = bytes >= map_from_bytes;
    void* memory =
        mapped ? mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
               : aligned_alloc(64, (bytes + 63) / 64 * 64);
    if (!memory || memory == MAP_FAILED) return refuse(acl_error_out_of_memory, "the host has no memory");
    if (!mapped) memset(memory, undefined_byte, bytes);
    all.allocations[reinterpret_cast<uint64_t>(memory)] = {bytes, mapped};
    all.allocated_bytes += bytes;
    *out_address = memory;
    return 0;
}

STANDIN_CALL int32_t aclrtFree(void* address) {
    STANDIN_PLANTED();
    Process& all = process();
    const std::lock_guard<std::mutex> lock(all.mutex);
    const auto found = all.allocations.find(reinterpret_cast<uint64_t>(address));
    if (found == all.allocations.end()) return refuse(invalid_parameter, "no such memory");
    if (const int32_t code = check_unused(__func__, found->first, found->second.bytes)) return code;
    forget_kernel(found->first);
    if (found->second.mapped) {
        munmap(address, found->second.bytes);
    } else {
        free(address);
    }
    all.allocated_bytes -= found->second.bytes;
    all.allocations.erase(found);
    return 0;
}

STANDIN_CALL int32_t aclrtMemset(void* address, size_t bytes_max, int32_t value, size_t bytes) {
    STANDIN_PLANTED();
    if (bytes > bytes_max || !is_device_memory(address, bytes)) return refuse(invalid_parameter, "no such memory");
    {
        const std::lock_guard<std::mutex> lock(process().mutex);
        if (const int32_t code = check_unused(__func__, reinterpret_cast<uint64_t>(address), bytes)) return code;
        // The rings are large and little of them is used.
        const auto* allocation = find(reinterpret_cast<uint64_t>(address), bytes);
        if (value == 0 && allocation->second.mapped && allocation->second.bytes == bytes) {
            madvise(address, bytes, MADV_DONTNEED);
            return 0;
        }
    }
    memset(address, value, bytes);
    return 0;
}

STANDIN_CALL int32_t aclrtMemcpy(void* to, size_t bytes_max, const void* from, size_t bytes, int32_t kind) {
    STANDIN_PLANTED();
    if (kind != acl_host_to_device && kind != acl_device_to_host) return refuse(invalid_parameter, "no such direction");
    const void* device = kind == acl_host_to_device ? to : from;
    if (bytes > bytes_max || !is_device_memory(device, bytes)) return refuse(invalid_parameter, "no such memory");
    if (kind == acl_host_to_device) {
        const std::lock_guard<std::mutex> lock(process().mutex);
        // Single words are how the host speaks to programs.
        if (bytes > sizeof(uint32_t)) {
            if (const int32_t code = check_unused(__func__, reinterpret_cast<uint64_t>(to), bytes)) return code;
        }
        forget_kernel(reinterpret_cast<uint64_t>(to));
    }
    if (bytes == sizeof(uint32_t) && reinterpret_cast<uint64_t>(to) % sizeof(uint32_t) == 0) {
        // A word is copied as a whole, also while programs look at it.
        uint32_t word = 0;
        memcpy(&word, from, sizeof word);
        __atomic_store_n(static_cast<uint32_t*>(to), word, __ATOMIC_RELEASE);
        return 0;
    }
    memcpy(to, from, bytes);
    return 0;
}

STANDIN_CALL int32_t aclrtCreateStream(void** out_stream) {
    STANDIN_PLANTED();
    *out_stream = new Stream;
    return 0;
}

STANDIN_CALL int32_t aclrtDestroyStream(void* stream) {
    STANDIN_PLANTED();
    delete static_cast<Stream*>(stream);
    return 0;
}

STANDIN_CALL int32_t aclrtSynchronizeStreamWithTimeout(void* stream, int32_t timeout_ms) {
    STANDIN_PLANTED();
    if (const int32_t code = check_stream(stream)) return code;
    return static_cast<Stream*>(stream)->wait(timeout_ms);
}

namespace {

struct AddressRequest {
    uint32_t kind;
    uint32_t device;
};
struct AddressAnswer {
    uint64_t address;
    uint64_t bytes;
};
struct ResourceRequest {
    uint32_t processor;
    uint32_t resource;
    uint32_t group;
    uint32_t flag;
    uint32_t reserved[1];
};

}  // namespace

STANDIN_CALL int32_t halMemCtl(int32_t what, void* request, size_t request_bytes, void* out_answer, size_t*) {
    STANDIN_PLANTED();
    const auto& wanted = *static_cast<const AddressRequest*>(request);
    if (is_a5() || what != 0 || request_bytes != sizeof wanted || wanted.kind != 2) return 3;
    const std::lock_guard<std::mutex> lock(process().mutex);
    *static_cast<AddressAnswer*>(out_answer) = {reinterpret_cast<uint64_t>(registers()), group_count() * group_bytes()};
    return 0;
}

STANDIN_CALL int32_t halResMap(uint32_t, ResourceRequest* request, uint64_t* out_address, uint32_t* bytes) {
    STANDIN_PLANTED();
    if (!is_a5() || request->resource != 0 || request->group >= group_count() || *bytes != group_bytes()) return 3;
    const std::lock_guard<std::mutex> lock(process().mutex);
    *out_address = reinterpret_cast<uint64_t>(registers()) + request->group * group_bytes();
    return 0;
}

STANDIN_CALL int32_t rtGetC2cCtrlAddr(uint64_t* out_address, uint32_t* out_bytes) {
    STANDIN_PLANTED();
    *out_address = 0xC2C000;
    *out_bytes = 0x1000;
    return 0;
}
