// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <new>

#include "child_process.h"
#include "circumstances.h"
#include "os/temporary_folder.h"
#include "status/report.h"

extern char** environ;

namespace chiphost::isolate {

namespace {

constexpr uint64_t start_timeout_ns = 20'000'000'000;
#ifndef P_PIDFD
constexpr auto P_PIDFD = static_cast<idtype_t>(3);
#endif

os::Descriptor process_descriptor(pid_t process) {
    return os::above_streams(static_cast<int>(syscall(SYS_pidfd_open, process, 0)));
}

// True if the kernel is too old for a call, or a filter of the program's container refuses it. Processes then have only
// their numbers.
bool not_on_this_system(int error) {
    return error == ENOSYS || error == EPERM || error == EACCES;
}

bool usable_processors_above_one() {
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) != 0 || CPU_COUNT(&set) > 1;
}

std::string signal_name(int number) {
    switch (number) {
#define NAME(signal) \
    case signal:     \
        return #signal
        NAME(SIGABRT);
        NAME(SIGBUS);
        NAME(SIGFPE);
        NAME(SIGILL);
        NAME(SIGKILL);
        NAME(SIGSEGV);
        NAME(SIGSYS);
        NAME(SIGTERM);
        NAME(SIGTRAP);
        NAME(SIGXCPU);
        NAME(SIGXFSZ);
#undef NAME
        default:
            return "signal " + std::to_string(number);
    }
}

// Attributes and actions of a posix_spawn; remembers the first that failed.
struct Spawn {
    Spawn() {
        posix_spawnattr_init(&attributes);
        posix_spawn_file_actions_init(&actions);
    }
    ~Spawn() {
        posix_spawn_file_actions_destroy(&actions);
        posix_spawnattr_destroy(&attributes);
    }
    void check(int result) {
        if (!failed) failed = result;
    }
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_t actions;
    int failed = 0;
};

}  // namespace

ChildProcess::ChildProcess(const Circumstances& circumstances) : parent_(getpid()), circumstances_(circumstances) {}

Status ChildProcess::start(const std::string& program, const Circumstances& circumstances,
                           std::unique_ptr<ChildProcess>* out_child, ch_error* out_error) {
    std::unique_ptr<ChildProcess> child(new ChildProcess(circumstances));
    const auto refuse = [&](const char* what, int failed) {
        return report(out_error, CH_PROCESS_NOT_STARTED, program, "cannot %s: %s", what, strerror(failed));
    };
    if (const int failed = child->memory_.create()) return refuse("make shared memory", failed);
    if (const int failed = child->folder_.create(circumstances.temporary_folder())) {
        return refuse(
            ("make a folder in '" + circumstances.temporary_folder() + "', the one for temporary files (TMPDIR)")
                .c_str(),
            failed);
    }
    ChildControl& control = child->memory_.control();
    if (child->folder_.path().size() >= sizeof control.temp_folder) return refuse("use TMPDIR", ENAMETOOLONG);
    copy_text(control.temp_folder, sizeof control.temp_folder, child->folder_.path());
    control.spin = usable_processors_above_one();
    CH_TRY(child->spawn(program, out_error));
    switch (child->wait(start_timeout_ns)) {
        case Answer::complete:
            *out_child = std::move(child);
            return CH_OK;
        case Answer::none:
            return report(out_error, CH_PROCESS_NOT_STARTED, program, "the program does not answer");
        case Answer::died:
            break;
    }
    const End& end = child->end();
    const bool other_version = end.known && !end.signalled && end.number == child_exit_version;
    return report(out_error, other_version ? CH_ABI_MISMATCH : CH_PROCESS_NOT_STARTED, program,
                  "the program %s instead of answering%s%s", child->describe_end().c_str(),
                  end.last_words.empty() ? "" : ": ", end.last_words.c_str());
}

Status ChildProcess::spawn(const std::string& program, ch_error* out_error) {
    const auto refuse = [&](const char* what, int failed) {
        return report(out_error, CH_PROCESS_NOT_STARTED, program, "cannot %s: %s", what, strerror(failed));
    };
    // All descriptors are CLOEXEC, so that no other child of this process gets them; for this child, dup2 onto itself
    // takes that away.
    int pair[2] = {-1, -1};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) return refuse("make a socket", errno);
    socket_ = os::above_streams(pair[0]);
    const os::Descriptor childs_socket = os::above_streams(pair[1]);
    if (pipe2(pair, O_CLOEXEC) != 0) return refuse("make a pipe", errno);
    stderr_ = os::above_streams(pair[0]);
    const os::Descriptor childs_stderr = os::above_streams(pair[1]);
    // The child's forwarding thread reads from the pipe too, and polls before it reads.
    if (fcntl(stderr_.get(), F_SETFL, O_NONBLOCK) != 0) return refuse("make a pipe", errno);
    os::Descriptor real_stderr(fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3));
    if (!real_stderr.ok() && errno == EBADF) real_stderr = os::above_streams(open("/dev/null", O_WRONLY | O_CLOEXEC));
    if (!real_stderr.ok()) return refuse("duplicate stderr", errno);
    const os::Descriptor this_process = process_descriptor(getpid());
    if (!this_process.ok() && !not_on_this_system(errno)) return refuse("refer to this process", errno);

    Spawn spawn;
    std::array<std::string, 6> numbers;
    const std::array<int, 6> descriptors = {memory_.file(),    childs_socket.get(), stderr_.get(),
                                            real_stderr.get(), this_process.get(),  folder_.lock()};
    for (size_t i = 0; i < descriptors.size(); ++i) {
        numbers[i] = std::to_string(descriptors[i]);
        if (descriptors[i] < 0) continue;
        spawn.check(posix_spawn_file_actions_adddup2(&spawn.actions, descriptors[i], descriptors[i]));
    }
    spawn.check(posix_spawn_file_actions_addopen(&spawn.actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0));
    spawn.check(posix_spawn_file_actions_adddup2(&spawn.actions, childs_stderr.get(), STDERR_FILENO));
    // Only faults are delivered. The thread that runs libraries' code takes more (child_server_linux.cpp).
    sigset_t all;
    sigset_t block;
    sigfillset(&all);
    sigfillset(&block);
    for (int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS}) sigdelset(&block, fault);
    spawn.check(posix_spawnattr_setsigdefault(&spawn.attributes, &all));
    spawn.check(posix_spawnattr_setsigmask(&spawn.attributes, &block));
    spawn.check(posix_spawnattr_setflags(&spawn.attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK));
    if (spawn.failed) return refuse("prepare a process", spawn.failed);

    std::string name = program.substr(program.rfind('/') + 1);
    char* arguments[] = {name.data(),       numbers[0].data(), numbers[1].data(), numbers[2].data(),
                         numbers[3].data(), numbers[4].data(), numbers[5].data(), nullptr};
    memory_.control().posted = 1;
    memory_.control().verb = static_cast<uint32_t>(ChildVerb::hello);
    const std::vector<char*> environment = circumstances_.environment();
    pid_t id = -1;
    if (const int failed =
            posix_spawn(&id, program.c_str(), &spawn.actions, &spawn.attributes, arguments, environment.data())) {
        return refuse("start the program", failed);
    }
    id_ = id;
    process_ = process_descriptor(id);
    if (!process_.ok() && !not_on_this_system(errno) && errno != ESRCH) return refuse("refer to the child", errno);
    return CH_OK;
}

ChildProcess::~ChildProcess() {
    if (parent_ == getpid()) {
        kill_and_reap();
        folder_.remove();
    }
}

bool ChildProcess::usable() {
    if (id_ < 0 || end_ || parent_ != getpid()) return false;
    pollfd ends[] = {
        {process_.ok() ? process_.get() : socket_.get(), static_cast<short>(process_.ok() ? POLLIN : 0), 0}};
    return poll(ends, 1, 0) == 0 && folder_.exists();
}

void ChildProcess::post(ChildVerb verb) {
    ChildControl& control = memory_.control();
    tail_begin_ = control.tail.position();
    __atomic_store_n(&control.fault.bytes, 0, __ATOMIC_RELAXED);  // of a fault that its code has survived
    control.verb = static_cast<uint32_t>(verb);
    change(&control.posted, control.posted + 1, &control.child_sleeps, [&] {
        // If the child has ended, waiting finds that.
        static_cast<void>(send(socket_.get(), "", 1, MSG_NOSIGNAL | MSG_DONTWAIT));
    });
}

void ChildProcess::take_wake_ups() {
    char bytes[64];
    while (recv(socket_.get(), bytes, sizeof bytes, MSG_DONTWAIT) > 0) {
    }
}

ChildProcess::Answer ChildProcess::wait(uint64_t timeout_ns) {
    ChildControl& control = memory_.control();
    const uint32_t before = control.posted - 1;
    const auto complete = [&] { return __atomic_load_n(&control.completed, __ATOMIC_SEQ_CST) != before; };
    if (end_) return Answer::died;
    const uint64_t start = ch_monotonic_ns();
    const uint64_t look_ns = std::min<uint64_t>(timeout_ns, CH_MAILBOX_LOOK_NS);
    bool died = false;
    if (!(control.spin && look_for_change(&control.completed, before, look_ns))) {
        __atomic_store_n(&control.parent_sleeps, 1, __ATOMIC_SEQ_CST);
        while (!complete()) {
            timespec left{};
            if (timeout_ns != CH_MAILBOX_FOR_EVER) {
                const uint64_t elapsed = ch_monotonic_ns() - start;
                if (elapsed >= timeout_ns) break;
                left = {static_cast<time_t>((timeout_ns - elapsed) / 1'000'000'000),
                        static_cast<long>((timeout_ns - elapsed) % 1'000'000'000)};
            }
            pollfd ends[] = {{socket_.get(), POLLIN, 0}, {process_.get(), POLLIN, 0}};
            if (ppoll(ends, 2, timeout_ns == CH_MAILBOX_FOR_EVER ? nullptr : &left, nullptr) <= 0) continue;
            if (ends[1].revents || (ends[0].revents & (POLLHUP | POLLERR))) {
                died = !complete();  // the last thing it did may have been to answer
                break;
            }
            take_wake_ups();
        }
        __atomic_store_n(&control.parent_sleeps, 0, __ATOMIC_RELAXED);
        if (died) return Answer::died;
        if (!complete()) return Answer::none;
    }
    if (const int failed = memory_.follow()) {
        report(&control.error, CH_HOST_MEMORY_EXHAUSTED, "shared memory", "cannot map an answer: %s", strerror(failed));
        control.code = CH_HOST_MEMORY_EXHAUSTED;
    }
    return Answer::complete;
}

void ChildProcess::kill_and_reap() {
    if (end_ || id_ < 0) return;
    siginfo_t status{};
    idtype_t kind = P_PIDFD;
    id_t id = static_cast<id_t>(process_.get());
    if (!process_.ok() || (waitid(kind, id, &status, WEXITED | WNOHANG | WNOWAIT) != 0 && errno != ECHILD)) {
        kind = P_PID;  // no descriptor, or a kernel that has them but cannot wait for one
        id = static_cast<id_t>(id_);
    }
    // A child that is known only by its number may have been reaped by somebody else, and the number be another
    // process's by now.
    const bool ours = kind == P_PIDFD || waitid(kind, id, &status, WEXITED | WNOHANG | WNOWAIT) == 0;
    const bool killed = process_.ok() && syscall(SYS_pidfd_send_signal, process_.get(), SIGKILL, nullptr, 0) == 0;
    if (!killed && waitid(P_PID, static_cast<id_t>(id_), &status, WEXITED | WNOHANG | WNOWAIT) == 0) {
        kill(id_, SIGKILL);
    }
    int result = -1;
    do {
        status = {};
        result = ours ? waitid(kind, id, &status, WEXITED) : -1;
    } while (ours && result != 0 && errno == EINTR);
    if (result != 0 && process_.ok()) {
        // Somebody else reaps the child, or nobody has to (SIGCHLD is ignored). It must be gone all the same.
        pollfd gone{process_.get(), POLLIN, 0};
        while (poll(&gone, 1, -1) < 0 && errno == EINTR) {
        }
    }
    end_.emplace();
    end_->known = result == 0 && status.si_pid != 0;
    end_->signalled = end_->known && status.si_code != CLD_EXITED;
    end_->number = end_->known ? status.si_status : 0;
    try {
        read_last_words();
    } catch (const std::bad_alloc&) {
        end_->last_words.clear();
    }
    stderr_.reset();
    memory_.trim();
    folder_.remove();
}

// Collects what the forwarding thread has taken from the pipe, and what it left there.
void ChildProcess::read_last_words() {
    const StderrTail& tail = memory_.control().tail;
    std::string& words = end_->last_words;
    words = tail.since(tail_begin_);
    std::string not_forwarded = tail.since(tail.forwarded);
    char buffer[4096];
    // Processes that the child has started may go on writing: no more than a pipe holds.
    for (int rounds = 0; rounds < 16; ++rounds) {
        const ssize_t got = read(stderr_.get(), buffer, sizeof buffer);
        if (got <= 0) break;
        words.append(buffer, static_cast<size_t>(got));
        not_forwarded.append(buffer, static_cast<size_t>(got));
    }
    // These words would otherwise be lost. If nobody listens there, they are in the error all the same.
    for (size_t done = 0; done < not_forwarded.size();) {
        const ssize_t put = write(STDERR_FILENO, not_forwarded.data() + done, not_forwarded.size() - done);
        if (put <= 0 && errno != EINTR) break;
        if (put > 0) done += static_cast<size_t>(put);
    }
    if (const std::string fault = memory_.control().fault.get(); !fault.empty()) {
        if (!words.empty() && words.back() != '\n') words += '\n';
        words += fault;
    }
    if (words.size() > StderrTail::capacity) words.erase(0, words.size() - StderrTail::capacity);
    while (!words.empty() && words.back() == '\n') words.pop_back();
}

const ChildProcess::End& ChildProcess::end() {
    kill_and_reap();
    return *end_;
}

std::string ChildProcess::describe_end() {
    const End& how = end();
    if (!how.known)
        return "ended; how is not known, for this program ignores SIGCHLD, or something else in it has taken the "
               "status";
    if (!how.signalled) return "exited with code " + std::to_string(how.number);
    return "was killed by " + signal_name(how.number);
}

Status ChildProcess::report_end(const std::string& where, const std::string& during, ch_error* out_error) {
    const End& how = end();
    constexpr size_t words_max = 1500;  // what a record has room for
    std::string words = how.last_words;
    if (words.size() > words_max) words = "..." + words.substr(words.size() - words_max);
    report(out_error, CH_PROCESS_DIED, where, "process %d %s while %s%s%s", static_cast<int>(id_),
           describe_end().c_str(), during.c_str(), words.empty() ? "" : "; its last words on stderr:\n", words.c_str());
    out_error->detail_code = how.signalled ? -how.number : how.number;
    return CH_PROCESS_DIED;
}

}  // namespace chiphost::isolate
