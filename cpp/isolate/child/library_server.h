// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <unistd.h>

#include <set>
#include <string>
#include <vector>

#include "child_server.h"
#include "chiphost/isolate/signature.h"
#include "status/status.h"

namespace chiphost::isolate {

// The child's side of a library handle: one library for the life of the process, called on the thread that handles
// messages.
class LibraryServer final : public ChildServer::Handler {
public:
    Status handle(ChildVerb verb, SharedMemory& memory, ch_error* out_error) override;

private:
    Status open(SharedMemory& memory, ch_error* out_error);
    Status find(SharedMemory& memory, ch_error* out_error);
    Status call(SharedMemory& memory, ch_error* out_error);
    Status allocate(SharedMemory& memory, ch_error* out_error);
    Status free_memory(SharedMemory& memory);
    Status answer_text(SharedMemory& memory, const Value& value, ch_error* out_error);

    const pid_t process_ = getpid();
    std::string path_;
    void* library_ = nullptr;
    // The library's memory, kept until the end: its destructors may use it.
    std::set<void*> blocks_;
    // Signature and arguments of the call under way; both are kept for the memory that they have.
    Signature signature_;
    std::vector<Argument> arguments_;
};

}  // namespace chiphost::isolate
