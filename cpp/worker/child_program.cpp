// SPDX-License-Identifier: Apache-2.0
//
// chiphost_child: the program of a child process. It does for its parent what ChipWorker does in its own process, or
// has a library for a handle of the parent's.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "child_messages.h"
#include "chiphost/align.h"
#include "device_context.h"
#include "fault_report.h"
#include "interpose/signal_masks.h"
#include "isolate/child/child_server.h"
#include "isolate/child/library_messages.h"
#include "isolate/child/library_server.h"
#include "isolate/domain/domain.h"
#include "runtime_library.h"
#include "status/report.h"

namespace chiphost::worker {

using isolate::ChildVerb;
using isolate::SharedMemory;

namespace {

// The runtime of this process, with one context at a time. All calls come from one thread of the runtime's domain.
class RuntimeServer final : public isolate::ChildServer::Handler {
public:
    explicit RuntimeServer(const char* temp_folder) : temp_folder_(temp_folder) {}

    Status handle(ChildVerb verb, SharedMemory& memory, ch_error* out_error) override {
        switch (verb) {
            case ChildVerb::load_runtime:
                return load(memory, out_error);
            case ChildVerb::open_runtime:
                return open(memory, out_error);
            case ChildVerb::run:
                return run(memory, out_error);
            case ChildVerb::finalize_device:
                return finalize(out_error);
            case ChildVerb::count:
                return count(memory, out_error);
            default:
                return report(out_error, CH_ABI_MISMATCH, "child process", "it knows no verb %u",
                              static_cast<unsigned>(verb));
        }
    }

private:
    // Calls a verb of the runtime on this thread.
    Status call(const DeviceContext::Call& verb, ch_error* out_error) const {
        return context_->checked(verb.here(), verb.verb, out_error);
    }

    // Makes this a user of the library.
    Status use_library(SharedMemory& memory, ch_error* out_error) {
        OpenRuntime message;
        memcpy(&message, memory.at(0), sizeof message);
        TextReader texts(memory.at(sizeof message), message.text_bytes);
        RuntimeFiles files;
        files.cross_compiled = message.cross_compiled != 0;
        for (std::string* file : {&files.host, &files.aicpu, &files.aicore}) *file = texts.next();
        const std::string platform(texts.next());
        thread_ = static_cast<int32_t>(syscall(SYS_gettid));
        bool fell_back = false;
        return RuntimeLibrary::load(files, platform, {isolate::Strategy::copy, false, true}, "", &library_, &fell_back,
                                    out_error);
    }

    Status load(SharedMemory& memory, ch_error* out_error) {
        CH_TRY(use_library(memory, out_error));
        const isolate::Domain& domain = library_->domain();
        const RuntimeFiles& files = library_->files();
        for (const auto& [path, key] :
             {std::pair(&files.aicpu, &library_->aicpu_key()), std::pair(&files.aicore, &library_->aicore_key())}) {
            if (key->empty()) continue;  // of another processor
            ch_library* program = nullptr;
            ch_open_request request{};
            request.binary.key = key->c_str();
            request.binary.name = path->c_str();
            request.out_library = &program;
            ch_error later = no_error();  // whoever opens the device says it
            if (domain.anchor()->open_library(domain.anchor_state(), &request, &later) != CH_OK) continue;
            domain.anchor()->close_library(domain.anchor_state(), program, nullptr);
        }
        library_->give_back();
        return CH_OK;
    }

    Status open(SharedMemory& memory, ch_error* out_error) {
        OpenRuntime message;
        memcpy(&message, memory.at(0), sizeof message);
        CH_TRY(use_library(memory, out_error));
        context_.emplace(library_);
        const DeviceOptions options{message.device_id, message.device_memory_bytes, message.stack_bytes};
        Status opening = context_->allocate(out_error);
        if (opening.ok()) opening = call(context_->set_device(options, temp_folder_, out_error), out_error);
        if (!opening.ok()) {
            context_->release();
            return opening;
        }
        OpenedRuntime opened{};
        const RuntimeInfo& info = library_->info();
        copy_text(opened.runtime, sizeof opened.runtime, info.runtime);
        copy_text(opened.arch, sizeof opened.arch, info.arch);
        copy_text(opened.platform, sizeof opened.platform, info.platform);
        copy_text(opened.version, sizeof opened.version, info.version);
        opened.chip = info.chip;
        memcpy(memory.at(0), &opened, sizeof opened);
        return CH_OK;
    }

    Status run(SharedMemory& memory, ch_error* out_error) {
        auto& message = *memory.at<RunMessage>(0);
        if (message.callable_sent) {
            callables_.at(message.slot) =
                std::make_unique<StoredCallable>(std::string(memory.at(message.callable), message.callable_bytes));
        }
        const ch_callable callable = callables_.at(message.slot)->raw(message.callable_format);
        auto* tensors = memory.at<ch_tensor>(message.tensors);
        for (uint32_t i = 0; i < message.tensor_count; ++i) {
            tensors[i].data = reinterpret_cast<uint64_t>(memory.at(tensors[i].data));
        }
        const ch_task_args args{tensors, memory.at<uint64_t>(message.scalars), message.tensor_count,
                                message.scalar_count};
        message.result.struct_bytes = sizeof message.result;
        message.result.failed_submission = -1;
        const ch_run_request request{sizeof request, 0, &callable, &args, &message.config, &memory.control().progress,
                                     &message.result};
        WatchedRun watched;
        __atomic_store_n(&memory.control().progress.lanes[0].thread, thread_, __ATOMIC_RELAXED);
        watched.begin(callable, memory.control().progress, thread_, &memory.control().samples, &memory.control().fault);
        const Status ran = call(context_->run(&request, out_error), out_error);
        // The arena may move, so the message is not used any more.
        const ch_run_result result = message.result;
        ch_error error = no_error();
        const Status appended = append_reports(memory, result, &error);
        if (ran.ok() && !appended.ok()) {
            *out_error = error;
            return appended;
        }
        if (!ran.ok() || result.trace_count == 0) return ran;
        return append(memory, result.trace, result.trace_count * sizeof(ch_trace_event), &RunMessage::trace, "a trace",
                      out_error);
    }

    static Status append_reports(SharedMemory& memory, const ch_run_result& result, ch_error* out_error) {
        if (result.check_report) {
            CH_TRY(append(memory, result.check_report, result.check_report_bytes, &RunMessage::check_report,
                          "a report of checks", out_error));
        }
        if (!result.stall_report) return CH_OK;
        return append(memory, result.stall_report, result.stall_report_bytes, &RunMessage::stall_report,
                      "a report of a stall", out_error);
    }

    // Copies a part of the answer behind all else, and writes its offset into the message.
    static Status append(SharedMemory& memory, const void* data, uint64_t bytes, uint64_t RunMessage::* offset,
                         const char* what, ch_error* out_error) {
        const uint64_t at = align_up(memory.at<RunMessage>(0)->end);
        if (const int failed = memory.reserve(at + bytes)) {
            return report(out_error, CH_HOST_MEMORY_EXHAUSTED, "shared memory", "wanted %llu bytes for %s: %s",
                          static_cast<unsigned long long>(bytes), what, strerror(failed));
        }
        memcpy(memory.at(at), data, bytes);
        memory.at<RunMessage>(0)->*offset = at;
        memory.at<RunMessage>(0)->end = at + bytes;
        return CH_OK;
    }

    Status finalize(ch_error* out_error) {
        const Status closed = call(context_->finalize_device(out_error), out_error);
        context_->release();
        return closed;
    }

    Status count(SharedMemory& memory, ch_error* out_error) {
        if (!library_) return report(out_error, CH_NOT_INITIALIZED, "child process", "no runtime is open");
        const ch_anchor_counts counts = library_->domain().counts();
        memcpy(memory.at(0), &counts, sizeof counts);
        return CH_OK;
    }

    const char* const temp_folder_;
    FaultHandlers fault_handlers_;
    int32_t thread_ = 0;  // that runs are called on
    std::shared_ptr<RuntimeLibrary> library_;
    std::optional<DeviceContext> context_;  // of the device that is open, or was last
    std::array<std::unique_ptr<StoredCallable>, isolate::KeptKeys::slots_max> callables_;
};

// The services of which a child offers one: the first verb that it is asked shows which.
class Services final : public isolate::ChildServer::Handler {
public:
    explicit Services(const char* temp_folder) : runtimes_(temp_folder) {}

    Status handle(ChildVerb verb, SharedMemory& memory, ch_error* out_error) override {
        if (verb == ChildVerb::hello) return CH_OK;
        if (verb >= ChildVerb::open_library && verb <= ChildVerb::read_memory) {
            return library_.handle(verb, memory, out_error);
        }
        return runtimes_.handle(verb, memory, out_error);
    }

    uint64_t stack_bytes(ChildVerb verb, SharedMemory& memory) override {
        if (verb == ChildVerb::open_runtime) return memory.at<OpenRuntime>(0)->stack_bytes;
        return verb == ChildVerb::open_library ? memory.at<isolate::OpenLibrary>(0)->stack_bytes : 0;
    }

private:
    RuntimeServer runtimes_;
    isolate::LibraryServer library_;
};

struct Program {
    isolate::ChildServer& server;
    Services& services;
};

int32_t serve(void* program, const void* thread, void* out_stack_bytes) {
    auto& self = *static_cast<Program*>(program);
    *static_cast<uint64_t*>(out_stack_bytes) =
        self.server.serve(self.services, static_cast<const ch_mailbox*>(thread)->stack_bytes);
    return CH_OK;
}

int run_program(int argc, char** argv) {
    // Never destroyed: exit(), called by anybody, must not take them away from the threads that go on.
    static auto& server = *new isolate::ChildServer;
    if (const int failed = server.start(argc, argv)) return failed;
    static auto& services = *new Services(server.temp_folder());
    // Libraries are called on threads of their domain only, and here that is the one for copies. These threads take the
    // signals of this process; all others block everything but faults.
    ch_error error = no_error();
    isolate::Domain* domain = nullptr;
    ch_mailbox* thread = nullptr;
    interpose::set_home(interpose::Home::child);
    if (isolate::Domain::open(isolate::Strategy::copy, "", &domain, &error) != CH_OK ||
        domain->lease_thread(&thread, &error) != CH_OK) {
        fprintf(stderr, "%s\n", error.message);
        return EXIT_FAILURE;
    }
    sigset_t none;
    sigemptyset(&none);
    interpose::hand_down_mask(interpose::blocked_for(interpose::Home::program), none);
    interpose::hand_down_mask(interpose::blocked_for(interpose::Home::child), none);
    Program program{server, services};
    for (;;) {
        uint64_t stack_bytes = 0;
        ch_mailbox_call(thread, serve, &program, thread, &stack_bytes);
        ch_mailbox* larger = nullptr;
        if (domain->lease_thread(&larger, &error, stack_bytes) == CH_OK) {
            domain->return_thread(std::exchange(thread, larger));
        } else {
            server.refuse(error);
        }
    }
}

}  // namespace

}  // namespace chiphost::worker

int main(int argc, char** argv) {
    return chiphost::worker::run_program(argc, argv);
}
