// SPDX-License-Identifier: Apache-2.0
#include "library_server.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <exception>

#include "arena_pieces.h"
#include "interpose/default_lookups.h"
#include "isolate/call_arguments.h"
#include "isolate/call_frame.h"
#include "isolate/memory_blocks.h"
#include "library_messages.h"
#include "loader/loader_gate.h"
#include "loader/loader_path.h"
#include "loader/loader_refusal.h"
#include "os/mapped_address_linux.h"
#include "status/report.h"

namespace chiphost::isolate {

Status LibraryServer::handle(ChildVerb verb, SharedMemory& memory, ch_error* out_error) {
    switch (verb) {
        case ChildVerb::open_library:
            return open(memory, out_error);
        case ChildVerb::find_symbol:
            return find(memory, out_error);
        case ChildVerb::call_function:
            return call(memory, out_error);
        case ChildVerb::allocate_memory:
            return allocate(memory, out_error);
        case ChildVerb::free_memory:
            return free_memory(memory);
        case ChildVerb::write_memory:
            memcpy(reinterpret_cast<void*>(memory.at<UseMemory>(0)->address), memory.at(memory_data),
                   memory.at<UseMemory>(0)->bytes);
            return CH_OK;
        case ChildVerb::read_memory:
            memcpy(memory.at(memory_data), reinterpret_cast<const void*>(memory.at<UseMemory>(0)->address),
                   memory.at<UseMemory>(0)->bytes);
            return CH_OK;
        case ChildVerb::close_library:
            __atomic_store_n(&memory.at<CloseLibrary>(0)->begun, 1, __ATOMIC_RELEASE);
            // Not dlclose: threads of the library may still run its code. Destructors and what it has registered with
            // atexit() run, and streams are flushed.
            exit(EXIT_SUCCESS);
        default:
            return report(out_error, CH_ABI_MISMATCH, "child process", "it knows no verb %u",
                          static_cast<unsigned>(verb));
    }
}

// Opens the file itself, not a copy: nothing else is loaded here that it would have to be kept apart from.
Status LibraryServer::open(SharedMemory& memory, ch_error* out_error) {
    if (library_) return report(out_error, CH_INTERNAL, "child process", "it has a library already");
    path_ = memory.at(sizeof(OpenLibrary));
    // dlopen is declared not to throw, so the compiler would drop what catches; a constructor throws nevertheless. The
    // loader's lock stays taken then: the child is of no use any more, and is ended.
    void* (*volatile may_throw)(const char*, int) = dlopen;
    const loader::LoaderPath path(path_);
    const bool shown = memory.at<OpenLibrary>(0)->default_lookup != 0;
    interpose::show_library(path.c_str(), shown);
    interpose::look_up_behind(loader::loader_gate_of_this_process());
    // RTLD_GLOBAL is the next best: what the library loads is then bound to its symbols, too.
    const int flags = RTLD_NOW | (shown && !CHIPHOST_OWN_DEFAULT_LOOKUPS ? RTLD_GLOBAL : RTLD_LOCAL);
    try {
        library_ = may_throw(path.c_str(), flags);
    } catch (const std::exception& error) {
        return report(out_error, CH_LOAD_REFUSED, path_, "a constructor of a static variable threw: %s", error.what());
    } catch (...) {
        return report(out_error, CH_LOAD_REFUSED, path_, "a constructor of a static variable threw an exception");
    }
    if (!library_) return loader::report_refusal(out_error, path_, path.words(loader::loader_words(), path_).c_str());
    return CH_OK;
}

Status LibraryServer::find(SharedMemory& memory, ch_error* out_error) {
    const std::string name = memory.at(0);
    const auto address = reinterpret_cast<uint64_t>(dlsym(library_, name.c_str()));
    if (!address) return report(out_error, CH_ENTRY_MISSING, path_, "wanted the function %s", name.c_str());
    memcpy(memory.at(0), &address, sizeof address);
    return CH_OK;
}

Status LibraryServer::call(SharedMemory& memory, ch_error* out_error) {
    auto* message = memory.at<CallFunction>(0);
    const auto* parameters = memory.at<CallParameter>(sizeof *message);
    signature_.result = static_cast<Type>(message->result);
    signature_.parameters.clear();
    arguments_.clear();
    for (uint32_t i = 0; i < message->parameters; ++i) {
        const CallParameter& parameter = parameters[i];
        if (parameter.of_callers && !os::is_mapped(parameter.word)) {
            return report(out_error, CH_INVALID_ARGUMENT, "",
                          "argument %u is an address of the caller's memory, and the library is in a process of its "
                          "own; describe it with In, Out or InOut",
                          i + 1);
        }
        signature_.parameters.push_back({static_cast<Type>(parameter.type)});
        arguments_.push_back({parameter.word, parameter.in_arena ? memory.at(parameter.word) : nullptr, 0});
    }
    ch_call_frame frame{};
    ch_call_outcome outcome{};
    frame.function = reinterpret_cast<void*>(message->function);
    fill_frame(signature_, arguments_.data(), &frame);
    __atomic_store_n(&message->begun, 1, __ATOMIC_RELEASE);
    const int32_t code = call_frame(frame, &outcome);
    if (getpid() != process_) _exit(0);  // a copy that the function has made: the answer is not its own to write
    if (code != CH_OK) {
        return report(out_error, CH_FUNCTION_THREW, "", "an exception came out: %s", outcome.exception);
    }
    const Value value = read_result(signature_.result, outcome.word);
    message->word = value.word;
    return signature_.result == Type::text ? answer_text(memory, value, out_error) : CH_OK;
}

Status LibraryServer::allocate(SharedMemory& memory, ch_error* out_error) {
    auto* message = memory.at<UseMemory>(0);
    void* block = allocate_block(message->bytes);
    if (!block) {
        return report(out_error, CH_HOST_MEMORY_EXHAUSTED, "alloc", "the system has no %llu bytes of memory",
                      static_cast<unsigned long long>(message->bytes));
    }
    message->address = reinterpret_cast<uint64_t>(block);
    blocks_.insert(block);
    return CH_OK;
}

Status LibraryServer::free_memory(SharedMemory& memory) {
    void* block = reinterpret_cast<void*>(memory.at<UseMemory>(0)->address);
    blocks_.erase(block);
    free_block(block);
    return CH_OK;
}

Status LibraryServer::answer_text(SharedMemory& memory, const Value& value, ch_error* out_error) {
    const uint64_t at = ArenaPieces::aligned(memory.at<CallFunction>(0)->end);
    if (const int failed = memory.reserve(at + value.text.size())) {
        return report(out_error, CH_HOST_MEMORY_EXHAUSTED, "shared memory", "wanted %zu bytes for a text: %s",
                      value.text.size(), strerror(failed));
    }
    memcpy(memory.at(at), value.text.data(), value.text.size());
    auto* message = memory.at<CallFunction>(0);  // the arena may have moved
    message->is_null = value.is_null;
    message->text = at;
    message->text_bytes = value.text.size();
    return CH_OK;
}

}  // namespace chiphost::isolate
