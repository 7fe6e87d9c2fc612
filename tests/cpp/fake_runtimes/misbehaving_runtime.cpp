// SPDX-License-Identifier: Apache-2.0
//
// A host runtime that does a deed to its process, which the first scalar of a run names. It claims to execute task 3
// with kernel 1 on core 5 meanwhile. Scalar 1 is a number of bytes. Device 101 crashes when it is opened, 102 never
// opens, 103 never closes.
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <new>
#include <string>
#include <vector>

#include "chiphost/abi/host_runtime.h"
#include "misbehaving_runtime.h"
#include "status/report.h"

namespace {

using namespace chiphost::tests;

struct Context {
    int32_t device_id;
    std::string temp_folder;
    std::vector<ch_trace_event> trace;
};

[[noreturn]] void hang() {
    for (;;) pause();
}

[[noreturn]] void end_by(int signal) {
    // Sanitizers have handlers for some of these signals.
    struct sigaction by_default{};
    by_default.sa_handler = SIG_DFL;
    sigaction(signal, &by_default, nullptr);
    raise(signal);
    hang();
}

void write_to_stderr(uint64_t bytes) {
    std::string line(99, '-');
    line += '\n';
    for (uint64_t done = 0; done < bytes; done += line.size()) {
        if (write(STDERR_FILENO, line.data(), line.size()) < 0) abort();
    }
    const char end[] = "the last line\n";
    if (write(STDERR_FILENO, end, sizeof end - 1) < 0) abort();
}

uint64_t runtime_size() {
    return sizeof(Context);
}

int32_t set_device(void* memory, const ch_device_options* options, ch_error*) {
    if (options->device_id == crashes_when_opened) end_by(SIGSEGV);
    if (options->device_id == never_opens) hang();
    new (memory) Context{options->device_id, options->temp_folder, {}};
    return CH_OK;
}

int32_t run(void* memory, const ch_run_request* request, ch_error* out_error) {
    auto& context = *static_cast<Context*>(memory);
    ch_run_progress& progress = *request->progress;
    ch_run_result& result = *request->out_result;
    const ch_task_args& args = *request->args;
    const uint64_t number = args.scalar_count > 1 ? args.scalars[1] : 0;
    __atomic_store_n(&progress.phase, CH_PHASE_DEVICE, __ATOMIC_RELEASE);
    progress.lanes[0].core = 5;
    progress.lanes[0].func_id = 1;
    progress.lanes[0].submission = 3;
    __atomic_store_n(&progress.lanes[0].task, 3, __ATOMIC_RELEASE);
    switch (static_cast<Deed>(args.scalars[0])) {
        case Deed::nothing:
            break;
        case Deed::crash:
            end_by(SIGSEGV);
        case Deed::exit:
            exit(7);
        case Deed::exit_at_once:
            _exit(8);
        case Deed::abort:
            fprintf(stderr, "assertion failed: all is well\n");
            end_by(SIGABRT);
        case Deed::hang:
            hang();
        case Deed::write_stderr:
            write_to_stderr(number);
            break;
        case Deed::write_stderr_and_die:
            write_to_stderr(number);
            end_by(SIGKILL);
        case Deed::wait_for_cancel:
            while (!__atomic_load_n(&progress.cancel, __ATOMIC_ACQUIRE)) usleep(100);
            return chiphost::report(out_error, CH_DEADLINE_EXCEEDED, "device", "stopped on request");
        case Deed::leave_file: {
            const std::string path = context.temp_folder + "/left";
            if (mkdir((context.temp_folder + "/folder").c_str(), 0700) != 0) abort();
            for (const std::string& name : {path, context.temp_folder + "/folder/left"}) {
                const int file = open(name.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
                if (file < 0) abort();
                close(file);
            }
            break;
        }
        case Deed::fork_and_die:  // the child that it leaves behind has all its descriptors
            if (fork() == 0) {
                alarm(5);
                sigset_t none;
                sigemptyset(&none);
                sigprocmask(SIG_SETMASK, &none, nullptr);
                hang();
            }
            _exit(9);
        case Deed::close_everything:
            for (int descriptor = 3; descriptor < 1000; ++descriptor) close(descriptor);
            break;
        case Deed::trace:
            context.trace.assign(number, ch_trace_event{1, 2, 0, 3, 4, 5, 6});
            result.trace = context.trace.data();
            result.trace_count = number;
            break;
        case Deed::increment: {
            // The second half of the output is not touched.
            const auto* from = reinterpret_cast<const uint8_t*>(args.tensors[0].data);
            auto* to = reinterpret_cast<uint8_t*>(args.tensors[1].data);
            const uint64_t bytes = ch_tensor_bytes(&args.tensors[1]) / 2;
            for (uint64_t i = 0; i < bytes; ++i) to[i] = static_cast<uint8_t>(from[i] + 1);
            break;
        }
    }
    __atomic_store_n(&progress.lanes[0].task, -1, __ATOMIC_RELEASE);
    result.task_count = static_cast<uint64_t>(getpid());
    return CH_OK;
}

int32_t finalize_device(void* memory, const void*, ch_error*) {
    auto* context = static_cast<Context*>(memory);
    if (context->device_id == never_closes) hang();
    context->~Context();
    return CH_OK;
}

constexpr ch_host_runtime table = {CH_ABI_HEADER(ch_host_runtime, CH_ABI_HOST_RUNTIME, CH_HOST_RUNTIME_MAJOR,
                                                 CH_HOST_RUNTIME_MINOR, CHIPHOST_PLATFORM),
                                   "misbehaving",
                                   "a2a3",
                                   CHIPHOST_PLATFORM,
                                   "0",
                                   runtime_size,
                                   set_device,
                                   run,
                                   finalize_device,
                                   nullptr};

}  // namespace

extern "C" __attribute__((visibility("default"))) const ch_host_runtime* chiphost_host_runtime() {
    return &table;
}
