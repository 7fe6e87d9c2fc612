// SPDX-License-Identifier: Apache-2.0
//
// A child process that works for this one: the parent's side.
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>

#include "child_folder.h"
#include "child_protocol.h"
#include "circumstances.h"
#include "kept_keys.h"
#include "os/descriptor.h"
#include "shared_memory.h"
#include "status/status.h"

namespace chiphost::isolate {

// The child ends when the parent does, however that happens, and removes its temporary files. Its stdin is empty, its
// stdout is the parent's; what it writes to stderr goes on to the parent's. Signals that a terminal sends to both do
// not reach it.
//
// Used by one thread at a time; cancelling through memory().control().progress is for any thread. In a process made by
// fork() a ChildProcess of the parent's can only be destroyed, which ends nothing.
class ChildProcess {
public:
    // Starts the program and waits for its first answer. CH_PROCESS_NOT_STARTED, CH_ABI_MISMATCH.
    // The child begins under these circumstances, but for the working directory, the streams and the limits, which are
    // those of the moment.
    static Status start(const std::string& program, const Circumstances& circumstances,
                        std::unique_ptr<ChildProcess>* out_child, ch_error* out_error);
    // Starts the program under the circumstances of the calling thread.
    static Status start(const std::string& program, std::unique_ptr<ChildProcess>* out_child, ch_error* out_error) {
        return start(program, Circumstances::of_this_thread(), out_child, out_error);
    }

    // Ends the child if it lives, waits for that, and removes its temporary files.
    ~ChildProcess();
    ChildProcess(const ChildProcess&) = delete;
    ChildProcess& operator=(const ChildProcess&) = delete;

    pid_t id() const { return id_; }
    SharedMemory& memory() { return memory_; }
    const std::string& temp_folder() const { return folder_.path(); }
    KeptKeys& kept() { return kept_; }
    // The circumstances that the child was started under; see circumstances.h.
    const Circumstances& circumstances() const { return circumstances_; }

    // Notes that from now on code of others has run in the child.
    void use_up() { used_up_ = true; }
    bool used_up() const { return used_up_; }

    // True if the child lives and can be asked. Does not wait.
    bool usable();

    // True if the child has not been asked for anything yet.
    bool fresh() { return memory_.control().posted == 1; }

    // Asks for something; the message is in the arena. Call `wait` then until there is an answer.
    void post(ChildVerb verb);

    enum class Answer {
        none,      // timeout_ns have passed
        complete,  // control().code and the arena have the answer
        died       // the child has ended, and `end` says how
    };
    Answer wait(uint64_t timeout_ns);

    // The end of a child.
    struct End {
        bool known;      // false: somebody else has taken its status
        bool signalled;  // by signal `number`, else it has exited with code `number`
        int number;
        std::string last_words;  // the end of what it wrote to stderr since the last `post`; empty for want of memory
    };
    // Ends the child if it still lives, and says how it came to its end.
    const End& end();
    // "was killed by SIGSEGV", "exited with code 3".
    std::string describe_end();
    // Fills an error with the child's end: CH_PROCESS_DIED, "process 12 was killed by SIGSEGV while <during>", and the
    // last words.
    Status report_end(const std::string& where, const std::string& during, ch_error* out_error);

private:
    explicit ChildProcess(const Circumstances& circumstances);
    Status spawn(const std::string& program, ch_error* out_error);
    void kill_and_reap();
    void read_last_words();
    void take_wake_ups();

    const pid_t parent_;
    pid_t id_ = -1;
    SharedMemory memory_;
    ChildFolder folder_;
    os::Descriptor socket_;
    os::Descriptor process_;  // a pidfd; none on a system without them
    os::Descriptor stderr_;   // reading end of the child's stderr
    KeptKeys kept_;
    const Circumstances circumstances_;
    bool used_up_ = false;
    uint64_t tail_begin_ = 0;
    std::optional<End> end_;
};

}  // namespace chiphost::isolate
