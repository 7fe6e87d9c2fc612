// SPDX-License-Identifier: Apache-2.0
//
// The chip vendor's software, found when a device is opened: three libraries, and the calls of them that are used.
//
// Nothing of the vendor's is needed to build this. The structures below have the layout of the vendor's, under names of
// ours; where versions differ, they are those of the newest one, of which older ones read the beginning.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "chiphost/abi/error.h"
#include "chiphost/abi/loader_gate.h"
#include "status/status.h"

namespace chiphost::platform {

struct VendorBinary {
    uint32_t magic;
    uint32_t version;
    const void* data;
    uint64_t bytes;
};
constexpr uint32_t vendor_binary_elf = 0x43554245;  // an ELF file for both kinds of cores

struct VendorCoreArgs {
    void* args;
    void* host_inputs;
    uint32_t args_bytes;
    uint32_t tiling_address_offset;
    uint32_t tiling_data_offset;
    uint16_t host_input_count;
    uint8_t has_tiling;
    uint8_t is_on_device;
    uint8_t reserved[4];
};
static_assert(sizeof(VendorCoreArgs) == 40, "the layout is the vendor's");

struct VendorTaskConfig {
    uint8_t qos;
    uint8_t part;
    uint8_t schedule_mode;
    uint8_t crosses_dies;
    uint32_t block_offset;
    uint8_t dump;
    uint8_t never_times_out;
    uint8_t reserved[2];
    uint32_t local_memory_bytes;
};
constexpr uint8_t vendor_schedule_batch = 1;  // all blocks of a launch run at the same time, or none

struct VendorAicpuArgs {
    void* args;
    void* host_inputs;
    void* kernel_offsets;
    uint32_t args_bytes;
    uint16_t host_input_count;
    uint16_t kernel_offset_count;
    uint32_t library_name_offset;  // in args
    uint32_t kernel_name_offset;   // in args
    uint8_t is_on_device;
    uint16_t timeout;
    uint8_t reserved;
};
static_assert(offsetof(VendorAicpuArgs, library_name_offset) == 32 && sizeof(VendorAicpuArgs) == 48,
              "the layout is the vendor's");
constexpr uint32_t vendor_aicpu_kfc = 5;  // kind of kernel: runs on the AICPU's own scheduler threads

// CALL(library, name, (parameters)): every call returns an int32_t, 0 if it has succeeded.
#define CHIPHOST_VENDOR_CALLS(CALL)                                                                                    \
    CALL(acl, aclInit, (const char* config_path))                                                                      \
    CALL(acl, aclrtSetDevice, (int32_t device))                                                                        \
    CALL(acl, aclrtMalloc, (void** out_address, size_t bytes, int32_t policy))                                         \
    CALL(acl, aclrtFree, (void* address))                                                                              \
    CALL(acl, aclrtMemset, (void* address, size_t bytes_max, int32_t value, size_t bytes))                             \
    CALL(acl, aclrtMemcpy, (void* to, size_t bytes_max, const void* from, size_t bytes, int32_t kind))                 \
    CALL(acl, aclrtCreateStream, (void** out_stream))                                                                  \
    CALL(acl, aclrtDestroyStream, (void* stream))                                                                      \
    CALL(acl, aclrtSynchronizeStreamWithTimeout, (void* stream, int32_t timeout_ms))                                   \
    CALL(runtime, rtRegisterAllKernel, (const VendorBinary* binary, void** out_handle))                                \
    CALL(runtime, rtDevBinaryUnRegister, (void* handle))                                                               \
    CALL(runtime, rtKernelLaunchWithHandleV2,                                                                          \
         (void* handle, uint64_t tiling_key, uint32_t blocks, VendorCoreArgs* args, void* shared_memory, void* stream, \
          const VendorTaskConfig* config))                                                                             \
    CALL(runtime, rtAicpuKernelLaunchExWithArgs,                                                                       \
         (uint32_t kind, const char* operation, uint32_t blocks, const VendorAicpuArgs* args, void* shared_memory,     \
          void* stream, uint32_t flags))

constexpr int32_t acl_malloc_huge_first = 0;
constexpr int32_t acl_host_to_device = 1;
constexpr int32_t acl_device_to_host = 2;
// Codes that mean something to the caller.
constexpr int32_t acl_error_repeat_initialize = 100002;
constexpr int32_t acl_error_stream_timeout = 107020;
constexpr int32_t acl_error_out_of_memory = 207001;

// The calls. Libraries stay loaded for as long as this lives, and after keep() for as long as the process does: they
// may have threads of their own, and what was initialized for all is not finalized by one.
class Driver {
public:
    // `gate` is entered for the dynamic loader; nullptr: nobody closes it.
    explicit Driver(ch_loader_gate* gate) : gate_(gate) {}
    ~Driver();
    void keep() { kept_ = true; }
    Driver(const Driver&) = delete;
    Driver& operator=(const Driver&) = delete;

    // Loads the libraries and looks all calls up, among them `register_call` of the driver's own library, which is
    // another on every chip. `sdk_folder` is the vendor's folder or "", `sdk_variable` the variable that named it or
    // "". CH_PLATFORM_FAILED names everything that is missing and where it was looked for.
    Status load(const char* sdk_folder, const char* sdk_variable, const char* register_call, ch_error* out_error);

    // Makes an error of what a call returned: its name, the code, and the vendor's words if it has any.
    Status failed(const char* call, int32_t code, ch_error* out_error) const;

#define CHIPHOST_VENDOR_CALL(library, name, parameters) int32_t(*name) parameters = nullptr;
    CHIPHOST_VENDOR_CALLS(CHIPHOST_VENDOR_CALL)
#undef CHIPHOST_VENDOR_CALL
    void* register_call = nullptr;

    // A call of the runtime that only some chips have; nullptr: there is none.
    void* find_in_runtime(const char* name) const;

private:
    enum Library { acl, runtime, hal, library_count };

    ch_loader_gate* const gate_;
    void* libraries_[library_count] = {};
    bool kept_ = false;
    const char* (*recent_error_)() = nullptr;  // optional
};

}  // namespace chiphost::platform
