// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <exception>
#include <new>
#include <thread>

#include "child_folder.h"
#include "child_server.h"
#include "interpose/own_signal_handlers.h"
#include "os/thread_state.h"
#include "status/guarded.h"
#include "status/report.h"

namespace chiphost::isolate {

namespace {

constexpr int exit_usage = 64;
constexpr int exit_no_resources = 71;

// The descriptors that the parent passes, in this order; -1 for one that it does not have.
struct Inherited {
    int memory, socket, stderr_pipe, real_stderr, parent, folder_lock;
};

void close_all_but(std::array<int, 6> kept) {
    std::sort(kept.begin(), kept.end());
    unsigned first = STDERR_FILENO + 1;
    const auto close_from_to = [](unsigned from, unsigned to) {
        if (from > to || syscall(SYS_close_range, from, to, 0) == 0) return;
        const long most = sysconf(_SC_OPEN_MAX);  // a kernel without close_range
        for (unsigned number = from; number <= to && number < static_cast<unsigned long>(most); ++number) {
            close(static_cast<int>(number));
        }
    };
    for (const int descriptor : kept) {
        if (descriptor < 0) continue;
        close_from_to(first, static_cast<unsigned>(descriptor) - 1);
        first = static_cast<unsigned>(descriptor) + 1;
        fcntl(descriptor, F_SETFD, FD_CLOEXEC);
    }
    close_from_to(first, ~0u);
}

// Waits for the end of the parent, or for its closing the socket, and ends this process. Allocates nothing and takes no
// lock: another thread may hang while it holds one.
[[noreturn]] void end_with_the_parent(int parent, int socket, int folder, const char* temp_folder) {
    for (;;) {
        pollfd ends[] = {{parent, POLLIN, 0}, {socket, 0, 0}};
        if (poll(ends, 2, -1) <= 0) continue;
        if (ends[0].revents || (ends[1].revents & (POLLHUP | POLLERR | POLLNVAL))) break;
    }
    ChildFolder::remove(folder, temp_folder);
    _exit(0);
}

// Passes on what is written to stderr and keeps the end of it where the parent sees it.
void forward(int from, int to, StderrTail& tail) {
    for (;;) {
        pollfd readable{from, POLLIN, 0};
        poll(&readable, 1, -1);
        char* bytes = tail.stage();
        const ssize_t got = read(from, bytes, StderrTail::capacity);
        if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN)) return;  // somebody has closed it
        if (got < 0) continue;
        tail.keep(static_cast<size_t>(got));
        for (ssize_t done = 0; done < got;) {
            const ssize_t put = write(to, bytes + done, static_cast<size_t>(got - done));
            if (put > 0) done += put;
            if (put < 0 && errno == EAGAIN) {
                pollfd writable{to, POLLOUT, 0};
                poll(&writable, 1, -1);
            } else if (put < 0 && errno != EINTR) {
                break;  // nobody listens: what the tail keeps must do
            }
        }
        tail.mark_forwarded();
    }
}

}  // namespace

int ChildServer::start(int argc, char** argv) {
    Inherited inherited{};
    std::array<int, 6> numbers{};
    if (argc != static_cast<int>(numbers.size()) + 1) {
        fprintf(stderr, "%s: chiphost starts this program; it is of no use alone\n", argv[0]);
        return exit_usage;
    }
    for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = atoi(argv[i + 1]);
    static_assert(sizeof numbers == sizeof inherited);
    memcpy(&inherited, numbers.data(), sizeof inherited);
    close_all_but(numbers);
    if (fcntl(STDOUT_FILENO, F_GETFD) < 0) open("/dev/null", O_WRONLY);  // the parent has closed its own
    setvbuf(stdout, nullptr, _IOLBF, 0);                                 // what a crash must not take away

    const int failed = memory_.adopt(os::Descriptor(inherited.memory));
    if (failed == EPROTO) {
        fprintf(stderr, "this program is of another version: it wants protocol %u with a control block of %zu bytes\n",
                child_version, sizeof(ChildControl));
        return child_exit_version;
    }
    if (failed) {
        fprintf(stderr, "cannot map the shared memory: %s\n", strerror(failed));
        return exit_no_resources;
    }
    socket_ = inherited.socket;
    process_ = getpid();
    keep_copies_apart();
    try {
        std::thread(end_with_the_parent, inherited.parent, inherited.socket, inherited.folder_lock, temp_folder())
            .detach();
        std::thread(forward, inherited.stderr_pipe, inherited.real_stderr, std::ref(memory_.control().tail)).detach();
    } catch (const std::exception& error) {
        fprintf(stderr, "cannot make a thread: %s\n", error.what());
        return exit_no_resources;
    }
    return 0;
}

// A copy of the process has the arguments of a call as fork() has them: what it does to them is its own affair.
void ChildServer::keep_copies_apart() {
    static ChildServer* server = nullptr;
    server = this;
    pthread_atfork(nullptr, nullptr, [] { server->memory_.become_private(); });
}

void ChildServer::await() {
    ChildControl& control = memory_.control();
    if (control.spin && look_for_change(&control.posted, served_, CH_MAILBOX_LOOK_NS)) return;
    __atomic_store_n(&control.child_sleeps, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&control.posted, __ATOMIC_SEQ_CST) == served_) {
        char bytes[64];
        const ssize_t got = recv(socket_, bytes, sizeof bytes, 0);
        if (got == 0) pause();                                    // the parent is gone, and so is this process soon
        if (got < 0 && errno != EINTR) _exit(exit_no_resources);  // what was loaded here has closed it
    }
    __atomic_store_n(&control.child_sleeps, 0, __ATOMIC_RELAXED);
}

void ChildServer::answer(int32_t code) {
    ChildControl& control = memory_.control();
    control.code = code;
    change(&control.completed, ++served_, &control.parent_sleeps,
           [&] { static_cast<void>(send(socket_, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT)); });
}

void ChildServer::refuse(const ch_error& error) {
    memory_.control().error = error;
    answer(error.code);
}

uint64_t ChildServer::serve(Handler& handler, uint64_t stack_bytes) {
    ChildControl& control = memory_.control();
    const os::ThreadState state = os::ThreadState::of_this_thread();
    interpose::AdmittedSignals signals;
    for (;;) {
        await();
        const auto verb = static_cast<ChildVerb>(control.verb);
        control.error = no_error();
        Status status;
        if (const int failed = memory_.follow()) {
            status = report(&control.error, CH_HOST_MEMORY_EXHAUSTED, "child process", "cannot map a message: %s",
                            strerror(failed));
        } else {
            const uint64_t wanted = handler.stack_bytes(verb, memory_);
            if (wanted > stack_bytes) return wanted;
            signals.update();
            status =
                guarded("child process", &control.error, [&] { return handler.handle(verb, memory_, &control.error); });
        }
        // The handler has called code of others, which may have made a copy of the process. Both come back here.
        if (getpid() != process_) _exit(0);
        if (verb > ChildVerb::open_library && verb <= ChildVerb::read_memory) {
            signals.note();  // functions of a library leave the thread as they want it: it is theirs alone
        } else {
            if (verb == ChildVerb::run) {
                state.restore_quickly();
            } else {
                state.restore();
            }
            signals.forget();
        }
        fflush(stdout);
        answer(status);
    }
}

}  // namespace chiphost::isolate
