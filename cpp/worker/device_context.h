// SPDX-License-Identifier: Apache-2.0
//
// A device context of a runtime that is loaded in this process.
#pragma once

#include <stdint.h>

#include <memory>
#include <string>
#include <utility>

#include "chiphost/abi/host_runtime.h"
#include "chiphost/abi/mailbox.h"
#include "runtime_library.h"
#include "status/status.h"

namespace chiphost::worker {

// Options of a device for who opens it, besides its runtime.
struct DeviceOptions {
    int32_t device_id = 0;
    uint64_t device_memory_bytes = 0;  // 0: what the chip has
    uint64_t stack_bytes = 0;          // of the threads that run its code, at least; 0: as usual (os/stack_size.h)
};

// The context's memory, and the runtime's three verbs on it: a use of the library, which release() ends. Destroying a
// context that was not released leaves it behind as it is, with the use. Used by one thread at a time; whoever has it
// says on which thread of the runtime's domain a verb is called.
class DeviceContext {
public:
    // A verb on the context, in the form that the threads of a domain take. Refers to what it was made from.
    struct Call {
        const char* verb;
        ch_call function;
        void* memory;
        const void* request;
        ch_error* out_error;

        // Calls the verb on the calling thread. Returns the verb's code, or CH_ANCHOR_CALL_THREW.
        int32_t here() const;
        // Calls the verb on the thread of a mailbox, which returns the same code.
        void post(ch_mailbox* thread) const { ch_mailbox_post(thread, function, memory, request, out_error); }
    };

    explicit DeviceContext(std::shared_ptr<RuntimeLibrary> library) : library_(std::move(library)) {}
    DeviceContext(const DeviceContext&) = delete;
    DeviceContext& operator=(const DeviceContext&) = delete;

    // Allocates the context's memory, before any verb is called. CH_HOST_MEMORY_EXHAUSTED.
    Status allocate(ch_error* out_error);

    // temp_folder must live as long as the context.
    Call set_device(const DeviceOptions& options, const char* temp_folder, ch_error* out_error);
    Call run(const ch_run_request* request, ch_error* out_error);
    Call finalize_device(ch_error* out_error);

    // Makes a Status of the verb's code. A verb that let an exception out breaks its contract, which is an error of its
    // own.
    Status checked(int32_t code, const char* verb, ch_error* out_error) const;

    // Frees the memory and gives the use of the library back.
    void release();

    RuntimeLibrary& library() const { return *library_; }
    const std::shared_ptr<RuntimeLibrary>& shared_library() const { return library_; }

private:
    const std::shared_ptr<RuntimeLibrary> library_;
    void* memory_ = nullptr;
    ch_device_options device_{};
};

}  // namespace chiphost::worker
