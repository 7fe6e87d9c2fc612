// SPDX-License-Identifier: Apache-2.0
//
// An instance of a library in this process: in a linker namespace, or as a private copy.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "domain.h"
#include "isolate/instance.h"
#include "loader/elf_image.h"
#include "started_threads.h"
#include "status/status.h"

namespace chiphost::isolate {

// Everything of the library runs on one thread of its domain, constructors and destructors included. If that does not
// come back, the thread and the domain's place are left to the library for the rest of the process's life.
class DomainInstance final : public Instance {
public:
    // `traits` are those of the file.
    static Status open(const std::string& path, loader::UnloadTraits traits, const Options& options,
                       const Selection& selection, const GoOn& go_on, std::shared_ptr<Instance>* out_instance,
                       ch_error* out_error);
    ~DomainInstance() override;

    Status find(const std::string& name, const Wait& wait, Symbol* out_symbol, ch_error* out_error) override;
    Status call(const Symbol& symbol, const Signature& signature, const Argument* arguments, const Wait& wait,
                Value* out_value, bool* out_abandoned, ch_error* out_error) override;
    Status close(const Wait& wait, CloseResult* out_result, ch_error* out_error) override;

private:
    struct Post;  // a call on the thread and all that it refers to; left behind if the call never returns

    DomainInstance(const std::string& path, const Options& options, const Selection& selection, Domain* domain,
                   loader::UnloadTraits traits);
    Status load(const GoOn& go_on, ch_error* out_error);
    Status make_block(uint64_t bytes, const WaitTime& time, uint64_t* out_address, ch_error* out_error)
        CH_REQUIRES(state_) override;
    Status drop_block(uint64_t address, const WaitTime& time, ch_error* out_error) CH_REQUIRES(state_) override;
    Status copy_in(uint64_t address, const void* data, uint64_t bytes, const WaitTime& time, ch_error* out_error)
        CH_REQUIRES(state_) override;
    Status copy_out(uint64_t address, void* out_data, uint64_t bytes, const WaitTime& time, ch_error* out_error)
        CH_REQUIRES(state_) override;
    Status await(const WaitTime& time, const std::string& what, std::unique_ptr<Post>& post, ch_error* out_error)
        CH_REQUIRES(state_);
    Status unload(const WaitTime& time, ch_error* out_error) CH_REQUIRES(state_);
    void end(CloseState state, std::vector<Pin> pins) CH_REQUIRES(state_);

    Domain* const domain_;
    const loader::UnloadTraits traits_;
    ch_mailbox* thread_ CH_GUARDED_BY(state_) = nullptr;
    ch_library* library_ CH_GUARDED_BY(state_) = nullptr;
    StartedThreads threads_ CH_GUARDED_BY(state_);
    // The objects that were in the namespace when the library was not yet in it.
    std::vector<std::string> objects_before_ CH_GUARDED_BY(state_);
    std::unique_ptr<Post> spare_post_ CH_GUARDED_BY(state_);
    std::string hung_function_ CH_GUARDED_BY(state_);  // the function whose call never returned
};

}  // namespace chiphost::isolate
