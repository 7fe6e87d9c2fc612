// SPDX-License-Identifier: Apache-2.0
//
// The child's side of a child process (child_process.h).
#pragma once

#include <sys/types.h>

#include "child_protocol.h"
#include "shared_memory.h"
#include "status/status.h"

namespace chiphost::isolate {

// Takes the parent's messages from the shared memory. Also has two threads of its own, from before anything is loaded:
// one ends the process as soon as the parent is gone, whatever the others do; one forwards stderr.
class ChildServer {
public:
    // The work that the process is there for. Called in the thread of `serve`, for one message after the other.
    class Handler {
    public:
        virtual ~Handler() = default;
        // The message is in the arena, and so is the answer. CH_OK, or a code with *out_error filled.
        virtual Status handle(ChildVerb verb, SharedMemory& memory, ch_error* out_error) = 0;

        // Bytes of stack that this message, and all that follow, must have at least; 0: any will do.
        virtual uint64_t stack_bytes(ChildVerb, SharedMemory&) { return 0; }
    };

    // Called once in a process. Takes over what the parent has left in the arguments; all other descriptors but the
    // standard streams are closed. Returns the exit code if that fails, after saying why on stderr; else 0.
    [[nodiscard]] int start(int argc, char** argv);

    // Answers messages until the process ends, or until one wants a larger stack than this thread has, `stack_bytes`.
    // That one is not answered: it waits for serve() on another thread, or for refuse(). Returns what it wants. A copy
    // of the process that a handler comes back in ends there.
    uint64_t serve(Handler& handler, uint64_t stack_bytes);

    // Answers the message that waits with an error.
    void refuse(const ch_error& error);

    const char* temp_folder() { return memory_.control().temp_folder; }

private:
    void keep_copies_apart();
    void await();
    void answer(int32_t code);

    SharedMemory memory_;
    int socket_ = -1;
    pid_t process_ = -1;
    uint32_t served_ = 0;  // messages answered so far
};

}  // namespace chiphost::isolate
