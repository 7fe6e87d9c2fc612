// SPDX-License-Identifier: Apache-2.0
//
// One instance of a library, wherever it lives.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include "chiphost/abi/error.h"
#include "chiphost/isolate/library.h"
#include "handle_state.h"
#include "memory_blocks.h"
#include "os/thread_annotations.h"
#include "status/status.h"
#include "wait_time.h"

namespace chiphost::isolate {

// The strategy that was taken for an instance.
struct Selection {
    std::string reason;      // why, for people
    bool fell_back = false;  // the strategy is not the one that was asked for
};

// The interface that a strategy implements. Buffers are described by signature and arguments, so that an instance may
// as well live in another process. Thread-safe; all members that return a code first make sure that the instance is
// usable: CH_WRONG_PROCESS, CH_FINALIZED, CH_POISONED. The last owner closes it.
class Instance {
public:
    virtual ~Instance() = default;
    Instance(const Instance&) = delete;
    Instance& operator=(const Instance&) = delete;

    // Opens a library by options.strategy. Errors are those of Library::open, as codes.
    static Status open(const std::string& path, const Options& options, const GoOn& go_on,
                       std::shared_ptr<Instance>* out_instance, ch_error* out_error);

    virtual Status find(const std::string& name, const Wait& wait, Symbol* out_symbol, ch_error* out_error) = 0;

    // *out_abandoned: the call has not returned and never will; what the arguments refer to must be kept for ever.
    virtual Status call(const Symbol& symbol, const Signature& signature, const Argument* arguments, const Wait& wait,
                        Value* out_value, bool* out_abandoned, ch_error* out_error) = 0;

    // Memory on the library's side, as memory.h says.
    Status alloc(uint64_t bytes, const Wait& wait, MemoryBlock* out_block, ch_error* out_error);
    Status free(const MemoryBlock& block, const Wait& wait, ch_error* out_error);
    Status write(const MemoryBlock& block, uint64_t offset, const void* data, uint64_t bytes, const Wait& wait,
                 ch_error* out_error);
    Status read(const MemoryBlock& block, uint64_t offset, void* out_data, uint64_t bytes, const Wait& wait,
                ch_error* out_error);

    virtual Status close(const Wait& wait, CloseResult* out_result, ch_error* out_error) = 0;

    // The child process that the instance lives in; -1 if it lives in this one, or the child is at its end.
    virtual pid_t process_id() const { return -1; }

    bool poisoned() const { return state_.poisoned(); }
    const std::string& path() const { return path_; }
    const Options& options() const { return options_; }
    const Selection& selection() const { return selection_; }

protected:
    // The options' strategy is the one in use.
    Instance(std::string path, Options options, Selection selection);

    void set_closed(CloseResult result) CH_REQUIRES(state_);
    const CloseResult& close_result() const CH_REQUIRES(state_) { return close_result_; }
    MemoryBlocks& blocks() CH_REQUIRES(state_) { return blocks_; }

    // The functions for memory that differ from strategy to strategy. A range of memory always lies in one block.
    virtual Status make_block(uint64_t bytes, const WaitTime& time, uint64_t* out_address, ch_error* out_error)
        CH_REQUIRES(state_) = 0;
    virtual Status drop_block(uint64_t address, const WaitTime& time, ch_error* out_error) CH_REQUIRES(state_) = 0;
    virtual Status copy_in(uint64_t address, const void* data, uint64_t bytes, const WaitTime& time,
                           ch_error* out_error) CH_REQUIRES(state_) = 0;
    virtual Status copy_out(uint64_t address, void* out_data, uint64_t bytes, const WaitTime& time, ch_error* out_error)
        CH_REQUIRES(state_) = 0;

    HandleState state_;  // every call has its turn

private:
    const std::string path_;
    const Options options_;
    const Selection selection_;
    CloseResult close_result_ CH_GUARDED_BY(state_);
    MemoryBlocks blocks_ CH_GUARDED_BY(state_);
};

}  // namespace chiphost::isolate
