// SPDX-License-Identifier: Apache-2.0
#include "domain_instance.h"

#include <string.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "chiphost/abi/mailbox.h"
#include "close_pins.h"
#include "isolate/call_arguments.h"
#include "isolate/leave_behind.h"
#include "namespace_pool.h"
#include "status/report.h"

namespace chiphost::isolate {

struct DomainInstance::Post {
    ch_call_frame frame{};
    ch_call_outcome outcome{};
    std::string text;  // a path, or a symbol's name
    ch_open_request open{};
    ch_symbol_request symbol{};
    ch_library* library = nullptr;
    void* address = nullptr;
    uint32_t unloaded = 0;
    uint32_t shown = 0;
    ch_anchor_counts counts{};
    ch_error error = no_error();
    Post* next_left = nullptr;
};

DomainInstance::DomainInstance(const std::string& path, const Options& options, const Selection& selection,
                               Domain* domain, loader::UnloadTraits traits)
    : Instance(path, options, selection), domain_(domain), traits_(std::move(traits)), spare_post_(new Post) {}

DomainInstance::~DomainInstance() {
    if (state_.inherited() || state_.ended() || !library_) return;
    CloseResult ignored;
    ch_error error = no_error();
    static_cast<void>(close({options().timeout, {}}, &ignored, &error));  // nobody is there to be told
}

Status DomainInstance::open(const std::string& path, loader::UnloadTraits traits, const Options& options,
                            const Selection& selection, const GoOn& go_on, std::shared_ptr<Instance>* out_instance,
                            ch_error* out_error) {
    Domain* domain = nullptr;
    const Wait wait{options.timeout, go_on};
    const WaitTime time(wait);
    const auto still_wanted = [&] { return time.next_slice_ns() > 0 && !time.interrupted(); };
    NamespacePool& pool = NamespacePool::of_this_process();
    CH_TRY(options.strategy == Strategy::link_namespace
               ? pool.take(options.anchor_path, still_wanted, &domain, out_error)
               : Domain::open(options.strategy, options.anchor_path, &domain, out_error));
    const std::shared_ptr<DomainInstance> instance(
        new DomainInstance(path, options, selection, domain, std::move(traits)));
    CH_TRY(instance->load(go_on, out_error));
    *out_instance = instance;
    return CH_OK;
}

Status DomainInstance::load(const GoOn& go_on, ch_error* out_error) {
    const Wait wait{options().timeout, go_on};
    const WaitTime time(wait);
    const TurnLock turn(state_, time, out_error);
    CH_TRY(turn.status());
    objects_before_ = domain_->loaded_objects();
    if (const Status failed = domain_->lease_thread(&thread_, out_error, options().stack_bytes); !failed.ok()) {
        if (options().strategy == Strategy::link_namespace) NamespacePool::of_this_process().give_back(domain_);
        return failed;
    }
    // The thread tells its number when it has run once.
    ch_mailbox_call(thread_, domain_->anchor()->count, domain_->anchor_state(), nullptr, &spare_post_->counts);
    threads_.watch(thread_->system_id);

    std::unique_ptr<Post> post = std::move(spare_post_);
    post->text = path();
    post->open.binary.name = post->text.c_str();
    post->open.in_place = options().strategy == Strategy::link_namespace;
    post->open.out_library = &post->library;
    if (post->open.in_place) {
        // This is called also if the library is not to be shown: the namespace may have had it before.
        post->shown = options().default_lookup;
        if (ch_mailbox_call(thread_, domain_->anchor()->show_library, domain_->anchor_state(), post->text.c_str(),
                            &post->shown) != CH_OK) {
            spare_post_ = std::move(post);
            end(CloseState::unloaded, {});
            return report(out_error, CH_HOST_MEMORY_EXHAUSTED, "default_lookup", "out of memory");
        }
    }
    ch_mailbox_post(thread_, domain_->anchor()->open_library, domain_->anchor_state(), &post->open, &post->error);
    const Status failed = await(time, "the loader, or a constructor that it called,", post, out_error);
    if (!post) return failed;  // it hangs
    library_ = post->library;
    if (!failed.ok()) *out_error = post->error;
    spare_post_ = std::move(post);
    if (!failed.ok()) {
        const std::vector<std::string> left = objects_not_in(objects_before_, domain_->loaded_objects());
        end(left.empty() ? CloseState::unloaded : CloseState::pinned, {});
    }
    return failed;
}

// Waits for the posted call and returns its code. If it does not return in time it is given up, and *post is empty.
Status DomainInstance::await(const WaitTime& time, const std::string& what, std::unique_ptr<Post>& post,
                             ch_error* out_error) {
    bool interrupted = false;
    for (;;) {
        int32_t code = CH_OK;
        if (ch_mailbox_wait(thread_, time.next_slice_ns(), &code)) return code;
        interrupted = time.interrupted();
        if (interrupted || time.is_up()) break;
    }
    leave_behind(std::move(post));
    state_.poison([&] { return "a call of " + what + " has never returned"; });
    hung_function_ = what;
    domain_->flush_output();
    if (interrupted) {
        report(out_error, CH_INTERRUPTED, what, "interrupted, and it has not returned; %s cannot be used again",
               path().c_str());
    } else {
        report(out_error, CH_DEADLINE_EXCEEDED, what, "it did not return within %.3g s; %s cannot be used again",
               time.seconds(), path().c_str());
    }
    return out_error->code;
}

Status DomainInstance::find(const std::string& name, const Wait& wait, Symbol* out_symbol, ch_error* out_error) {
    const WaitTime time(wait);
    const TurnLock turn(state_, time, out_error);
    CH_TRY(turn.usable(out_error));
    std::unique_ptr<Post> post = std::move(spare_post_);
    post->text = name;
    post->address = nullptr;
    post->symbol = {library_, post->text.c_str(), &post->address};
    ch_mailbox_post(thread_, domain_->anchor()->find_symbol, domain_->anchor_state(), &post->symbol, nullptr);
    const Status failed = await(time, "the search for " + name, post, out_error);
    if (!post) return failed;
    *out_symbol = {name, post->address};
    spare_post_ = std::move(post);
    if (failed.ok() && out_symbol->address) return CH_OK;
    return report(out_error, CH_ENTRY_MISSING, path(), "wanted the function %s", name.c_str());
}

Status DomainInstance::call(const Symbol& symbol, const Signature& signature, const Argument* arguments,
                            const Wait& wait, Value* out_value, bool* out_abandoned, ch_error* out_error) {
    *out_abandoned = false;
    CH_TRY(check_signature(signature, symbol.name, out_error));
    const WaitTime time(wait);
    const TurnLock turn(state_, time, out_error);
    CH_TRY(turn.usable(out_error));
    std::unique_ptr<Post> post = std::move(spare_post_);
    post->frame.function = symbol.address;
    fill_frame(signature, arguments, &post->frame);
    ch_mailbox_post(thread_, domain_->anchor()->call_function, domain_->anchor_state(), &post->frame, &post->outcome);
    const Status failed = await(time, symbol.name, post, out_error);
    if (!post) {
        *out_abandoned = true;
        return failed;
    }
    spare_post_ = std::move(post);
    if (!failed.ok()) {
        return report(out_error, CH_FUNCTION_THREW, symbol.name, "an exception came out: %s",
                      spare_post_->outcome.exception);
    }
    *out_value = read_result(signature.result, spare_post_->outcome.word);
    return CH_OK;
}

Status DomainInstance::close(const Wait& wait, CloseResult* out_result, ch_error* out_error) {
    const WaitTime time(wait);
    const TurnLock turn(state_, time, out_error);
    CH_TRY(turn.status());
    if (!state_.ended()) {
        CH_TRY(unload(time, out_error));
    }
    *out_result = close_result();
    return CH_OK;
}

// Leaves behind the memory that something of the library may still use.
static void leave_blocks(MemoryBlocks& blocks) {
    struct Left {
        MemoryBlocks blocks;
        Left* next_left;
    };
    leave_behind(std::unique_ptr<Left>(new Left{std::move(blocks), nullptr}));
    blocks = {};
}

Status DomainInstance::unload(const WaitTime& time, ch_error* out_error) {
    if (poisoned()) {  // its thread is not to be had again
        leave_blocks(blocks());
        set_closed({CloseState::kept, {{PinCause::running_call, path(), hung_function_}}, false});
        return CH_OK;
    }
    bool known = false;
    const std::string running = threads_.find(&known);
    if (!known || !running.empty()) {
        // A call that does nothing to the thread; what functions have done to it is undone then.
        ch_mailbox_call(thread_, domain_->anchor()->count, domain_->anchor_state(), nullptr, &spare_post_->counts);
        end(CloseState::kept, {{known ? PinCause::running_thread : PinCause::unknown_threads, path(), running}});
        return CH_OK;
    }
    std::unique_ptr<Post> post = std::move(spare_post_);
    post->unloaded = 0;
    ch_mailbox_post(thread_, domain_->anchor()->close_library, domain_->anchor_state(), library_, &post->unloaded);
    const Status failed = await(time, "the library's destructors", post, out_error);
    if (!post) return failed;
    const bool unloaded = post->unloaded != 0;
    spare_post_ = std::move(post);
    std::vector<Pin> pins;
    if (options().strategy == Strategy::link_namespace) {
        pins = pins_of_objects(objects_not_in(objects_before_, domain_->loaded_objects()));
    } else if (!unloaded) {
        pins = pins_of_library(path(), traits_, {});
    }
    const CloseState state = pins.empty() ? CloseState::unloaded : CloseState::pinned;
    end(state, std::move(pins));
    return CH_OK;
}

// The library's code uses it, and never gives it back: which heap it is from makes no difference.
Status DomainInstance::make_block(uint64_t bytes, const WaitTime&, uint64_t* out_address, ch_error* out_error) {
    void* block = allocate_block(bytes);
    if (!block) {
        return report(out_error, CH_HOST_MEMORY_EXHAUSTED, "alloc", "the system has no %llu bytes of memory",
                      static_cast<unsigned long long>(bytes));
    }
    *out_address = reinterpret_cast<uint64_t>(block);
    return CH_OK;
}

Status DomainInstance::drop_block(uint64_t address, const WaitTime&, ch_error*) {
    free_block(reinterpret_cast<void*>(address));
    return CH_OK;
}

Status DomainInstance::copy_in(uint64_t address, const void* data, uint64_t bytes, const WaitTime&, ch_error*) {
    memcpy(reinterpret_cast<void*>(address), data, bytes);
    return CH_OK;
}

Status DomainInstance::copy_out(uint64_t address, void* out_data, uint64_t bytes, const WaitTime&, ch_error*) {
    memcpy(out_data, reinterpret_cast<const void*>(address), bytes);
    return CH_OK;
}

// Gives the thread back, and the namespace if nothing is left in it.
void DomainInstance::end(CloseState state, std::vector<Pin> pins) {
    threads_.unwatch();
    if (state == CloseState::kept) {
        leave_blocks(blocks());
    } else {
        blocks().clear([](uint64_t address) { free_block(reinterpret_cast<void*>(address)); });
    }
    domain_->return_thread(thread_);
    const bool recycled = options().strategy == Strategy::link_namespace && state == CloseState::unloaded;
    if (recycled) NamespacePool::of_this_process().give_back(domain_);
    set_closed({state, std::move(pins), recycled});
}

}  // namespace chiphost::isolate
