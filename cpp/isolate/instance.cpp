// SPDX-License-Identifier: Apache-2.0
#include "instance.h"

#include <filesystem>
#include <new>
#include <utility>

#include "interpose/default_lookups.h"
#include "isolate/child/child_instance.h"
#include "isolate/domain/domain_instance.h"
#include "loader/elf_image.h"
#include "loader/library_file.h"
#include "loader/loader_refusal.h"
#include "status/report.h"

namespace chiphost::isolate {

// The reason why a strategy that was tried is out.
static std::string why_not(Status failed, const ch_error& error) {
    if (failed == CH_NAMESPACES_SPENT) return "this process can open no other linker namespace";
    const char* what =
        failed == CH_STATIC_TLS_SPENT ? "no static TLS is left here for it" : "all copies would share a symbol";
    return std::string(what) + ": " + error.message;
}

Status Instance::open(const std::string& path, const Options& options, const GoOn& go_on,
                      std::shared_ptr<Instance>* out_instance, ch_error* out_error) {
    std::error_code ignored;
    std::filesystem::path absolute = std::filesystem::absolute(path, ignored);  // the loader searches for bare names
    const std::string file = absolute.empty() ? path : absolute.string();
    // These checks refuse a file without spending a namespace or starting a process.
    std::vector<char> bytes;
    CH_TRY(loader::read_file(file, &bytes, out_error));
    CH_TRY(loader::check_elf_library(bytes.data(), bytes.size(), file, out_error));

    if (options.default_lookup && options.strategy == Strategy::copy) {
        return report(
            out_error, CH_INVALID_ARGUMENT, "default_lookup",
            "a copy cannot have it, as it is in the program's own namespace: the program and all copies would "
            "find what its lookups find; take namespace or process for %s",
            file.c_str());
    }
    if (options.default_lookup && options.strategy == Strategy::link_namespace && !CHIPHOST_OWN_DEFAULT_LOOKUPS) {
        return report(
            out_error, CH_INVALID_ARGUMENT, "default_lookup",
            "a namespace cannot have it in this build of chiphost, which is for another processor than x86-64 "
            "and AArch64, or has a sanitizer; take process for %s",
            file.c_str());
    }

    const auto open_as = [&](Strategy strategy, const Selection& selection) {
        Options in_use = options;
        in_use.strategy = strategy;
        if (strategy == Strategy::process) {
            return ChildInstance::open(file, in_use, selection, go_on, out_instance, out_error);
        }
        return DomainInstance::open(file, loader::unload_traits(bytes.data(), bytes.size()), in_use, selection, go_on,
                                    out_instance, out_error);
    };
    Status failed = open_as(options.strategy, {"asked for", false});
    std::string why;
    for (const Strategy other : {Strategy::copy, Strategy::process}) {
        const bool may_help = loader::is_spent(failed) || failed == CH_UNIQUE_SYMBOL || failed == CH_VARIABLE_SHARED;
        if (!options.fall_back_if_spent || !may_help || other <= options.strategy) continue;
        if (options.default_lookup && other == Strategy::copy) continue;
        why += (why.empty() ? "" : ", and ") + why_not(failed, *out_error);
        failed = open_as(other, {why, true});
    }
    return failed;
}

static constexpr HandleState::Words library_words{
    "library",
    "opened",
    "closed",
    "call",
    "interrupted while another thread's call had the library; nothing has been done",
    "",
    "a call has never returned"};

Instance::Instance(std::string path, Options options, Selection selection)
    : state_(library_words, path),
      path_(std::move(path)),
      options_(std::move(options)),
      selection_(std::move(selection)) {}

Status Instance::alloc(uint64_t bytes, const Wait& wait, MemoryBlock* out_block, ch_error* out_error) {
    const WaitTime time(wait);
    const TurnLock turn(state_, time, out_error);
    CH_TRY(turn.usable(out_error));
    if (bytes == 0) return report(out_error, CH_INVALID_ARGUMENT, "alloc", "wanted 1 byte or more, found 0");
    uint64_t address = 0;
    CH_TRY(make_block(bytes, time, &address, out_error));
    try {
        *out_block = blocks_.add(address, bytes);
        return CH_OK;
    } catch (const std::bad_alloc&) {
        static_cast<void>(drop_block(address, time, out_error));  // the want of memory is what the caller must know
        return report(out_error, CH_HOST_MEMORY_EXHAUSTED, "alloc", "out of memory");
    }
}

Status Instance::free(const MemoryBlock& block, const Wait& wait, ch_error* out_error) {
    const WaitTime time(wait);
    const TurnLock turn(state_, time, out_error);
    CH_TRY(turn.usable(out_error));
    if (!blocks_.has(block)) return CH_OK;
    blocks_.remove(block);
    return drop_block(block.address, time, out_error);
}

Status Instance::write(const MemoryBlock& block, uint64_t offset, const void* data, uint64_t bytes, const Wait& wait,
                       ch_error* out_error) {
    const WaitTime time(wait);
    const TurnLock turn(state_, time, out_error);
    CH_TRY(turn.usable(out_error));
    CH_TRY(blocks_.check(block, offset, bytes, "write", out_error));
    return bytes ? copy_in(block.address + offset, data, bytes, time, out_error) : CH_OK;
}

Status Instance::read(const MemoryBlock& block, uint64_t offset, void* out_data, uint64_t bytes, const Wait& wait,
                      ch_error* out_error) {
    const WaitTime time(wait);
    const TurnLock turn(state_, time, out_error);
    CH_TRY(turn.usable(out_error));
    CH_TRY(blocks_.check(block, offset, bytes, "read", out_error));
    return bytes ? copy_out(block.address + offset, out_data, bytes, time, out_error) : CH_OK;
}

void Instance::set_closed(CloseResult result) {
    state_.end();
    close_result_ = std::move(result);
}

}  // namespace chiphost::isolate
