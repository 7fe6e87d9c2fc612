// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "arena_pieces.h"
#include "child_process.h"
#include "isolate/instance.h"
#include "status/status.h"

namespace chiphost::isolate {

// A library in a child process of its own. Whatever happens there ends the child at most: the call that was under way
// fails, and the instance is poisoned, for the library's globals are gone. No other library gets the child after it.
class ChildInstance final : public Instance {
public:
    static Status open(const std::string& path, const Options& options, const Selection& selection, const GoOn& go_on,
                       std::shared_ptr<Instance>* out_instance, ch_error* out_error);
    ~ChildInstance() override;

    Status find(const std::string& name, const Wait& wait, Symbol* out_symbol, ch_error* out_error) override;
    Status call(const Symbol& symbol, const Signature& signature, const Argument* arguments, const Wait& wait,
                Value* out_value, bool* out_abandoned, ch_error* out_error) override;
    Status close(const Wait& wait, CloseResult* out_result, ch_error* out_error) override;
    pid_t process_id() const override { return process_id_.load(); }

private:
    ChildInstance(const std::string& path, const Options& options, const Selection& selection)
        : Instance(path, options, selection) {}
    Status load(const GoOn& go_on, ch_error* out_error);
    Status make_block(uint64_t bytes, const WaitTime& time, uint64_t* out_address, ch_error* out_error)
        CH_REQUIRES(state_) override;
    Status drop_block(uint64_t address, const WaitTime& time, ch_error* out_error) CH_REQUIRES(state_) override;
    Status copy_in(uint64_t address, const void* data, uint64_t bytes, const WaitTime& time, ch_error* out_error)
        CH_REQUIRES(state_) override;
    Status copy_out(uint64_t address, void* out_data, uint64_t bytes, const WaitTime& time, ch_error* out_error)
        CH_REQUIRES(state_) override;
    Status post_memory(ChildVerb verb, uint64_t address, uint64_t bytes, const WaitTime& time, ch_error* out_error)
        CH_REQUIRES(state_);
    Status ask(ChildVerb verb, const std::string& text, const WaitTime& time, const std::string& where,
               ch_error* out_error) CH_REQUIRES(state_);
    const char* doing() CH_REQUIRES(state_);
    Status await(const WaitTime& time, const std::string& where, ch_error* out_error) CH_REQUIRES(state_);
    Status write_call(const Symbol& symbol, const Signature& signature, const Argument* arguments, ch_error* out_error)
        CH_REQUIRES(state_);
    Status read_answer(const Symbol& symbol, const Signature& signature, const Argument* arguments, Value* out_value,
                       ch_error* out_error) CH_REQUIRES(state_);
    void end_child() CH_REQUIRES(state_);

    std::unique_ptr<ChildProcess> child_ CH_GUARDED_BY(state_);
    ArenaPieces pieces_ CH_GUARDED_BY(state_);

    std::atomic<pid_t> process_id_{-1};
};

}  // namespace chiphost::isolate
