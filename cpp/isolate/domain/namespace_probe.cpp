// SPDX-License-Identifier: Apache-2.0
#include "namespace_probe.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vector>

#include "chiphost/abi/mailbox.h"
#include "glibc_tunables.h"
#include "loader/elf_image.h"
#include "loader/library_file.h"
#include "loader/loader_gate.h"
#include "loader/loader_path.h"
#include "loader/loader_refusal.h"
#include "status/report.h"

#ifdef __GLIBC__
#include <gnu/libc-version.h>
#endif

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CHIPHOST_WITH_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define CHIPHOST_WITH_SANITIZER 1
#endif
#endif

namespace chiphost::isolate {

const char* namespaces_unavailable() {
#if !defined(LM_ID_NEWLM)
    return "this system's loader has no dlmopen";
#elif defined(CHIPHOST_WITH_SANITIZER)
    return "this build has a sanitizer, and such a library does not load into a namespace";
#else
    return nullptr;
#endif
}

NamespaceLimit limit_named_by(const char* words) {
    if (strstr(words, "static TLS")) return NamespaceLimit::static_tls;
    if (strstr(words, "no more namespaces")) return NamespaceLimit::count;
    return NamespaceLimit::none;
}

#if defined(LM_ID_NEWLM) && defined(__GLIBC__)

namespace {

// The record that the loader keeps for debuggers. The program's dynamic section says where it is; a library's does not,
// and the symbol _r_debug may be a program's own copy of it.
const r_debug* debug_record() {
    const r_debug* record = nullptr;
    const auto find = [](dl_phdr_info* info, size_t, void* out_record) {
        for (size_t i = 0; i < info->dlpi_phnum; ++i) {
            if (info->dlpi_phdr[i].p_type != PT_DYNAMIC) continue;
            const auto* entry = reinterpret_cast<const ElfW(Dyn)*>(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
            for (; entry->d_tag != DT_NULL; ++entry) {
                if (entry->d_tag == DT_DEBUG) {
                    *static_cast<const r_debug**>(out_record) = reinterpret_cast<const r_debug*>(entry->d_un.d_ptr);
                }
            }
        }
        return 1;  // the program is the first
    };
    const loader::LoaderPass pass(loader::loader_gate_of_this_process());
    dl_iterate_phdr(find, &record);
    return record;
}

// glibc 2.35 and later list all namespaces there. Declared here, since older headers do not.
struct DebugRecordExtended {
    r_debug base;
    const DebugRecordExtended* next;
};

bool lists_namespaces() {
    int major = 0;
    int minor = 0;
    return sscanf(gnu_get_libc_version(), "%d.%d", &major, &minor) == 2 && (major > 2 || minor >= 35);
}

// The answer that a child writes to the pipe, at once and as a whole.
struct Answer {
    size_t opened;
    char words[400];
};
static_assert(sizeof(Answer) <= PIPE_BUF, "must arrive in one piece");

// Runs in the child. Other threads of the parent do not exist here, and what they had locked stays locked, but for the
// loader's and malloc's own locks, which fork() takes care of. So nothing but the loader and system calls is used, no
// exit handler runs, and whoever waits has a deadline.
[[noreturn]] void open_until_refused(pid_t parent, int pipe, const char* anchor, const char* library) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    // A crash ends the child only: no handler of the program, no core file.
    prctl(PR_SET_DUMPABLE, 0);
    sigset_t faults;
    sigemptyset(&faults);
    for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS}) {
        signal(fault, SIG_DFL);
        sigaddset(&faults, fault);
    }
    sigprocmask(SIG_UNBLOCK, &faults, nullptr);
    if (const int null = open("/dev/null", O_RDWR); null >= 0) {
        dup2(null, STDOUT_FILENO);
        dup2(null, STDERR_FILENO);
    }
    Answer answer{};
    for (; answer.opened <= namespaces_max; ++answer.opened) {
        void* handle = dlmopen(LM_ID_NEWLM, anchor, RTLD_NOW | RTLD_LOCAL);
        Lmid_t list = LM_ID_BASE;
        if (handle && *library) {
            handle = dlinfo(handle, RTLD_DI_LMID, &list) == 0 ? dlmopen(list, library, RTLD_NOW | RTLD_LOCAL) : nullptr;
        }
        if (!handle) {
            copy_text(answer.words, sizeof answer.words, loader::loader_words());
            break;
        }
    }
    const ssize_t written = write(pipe, &answer, sizeof answer);
    _exit(written == static_cast<ssize_t>(sizeof answer) ? 0 : 1);
}

class Pipe {
public:
    Pipe() {
        if (pipe2(ends_, O_CLOEXEC) != 0) ends_[0] = ends_[1] = -1;
    }
    ~Pipe() {
        close_end(0);
        close_end(1);
    }
    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;
    bool ok() const { return ends_[0] >= 0; }
    int out() const { return ends_[0]; }
    int in() const { return ends_[1]; }
    void close_in() { close_end(1); }

private:
    void close_end(int end) {
        if (ends_[end] >= 0) close(ends_[end]);
        ends_[end] = -1;
    }
    int ends_[2];
};

bool readable(int pipe, uint64_t timeout_ns, bool* out_hung_up) {
    pollfd ready{pipe, POLLIN, 0};
    poll(&ready, 1, static_cast<int>(timeout_ns / 1'000'000));
    *out_hung_up = ready.revents & POLLHUP;
    return ready.revents & POLLIN;
}

// True if the answer came in time. The child is gone afterwards; out_status is how it ended.
bool await_answer(pid_t child, int pipe, uint64_t timeout_ns, Answer* out_answer, int* out_status) {
    constexpr uint64_t slice_ns = 100'000'000;
    const uint64_t start = ch_monotonic_ns();
    bool answered = false;
    bool hung_up = false;
    bool reaped = false;
    while (!answered && !hung_up && !reaped && ch_monotonic_ns() - start < timeout_ns) {
        answered = readable(pipe, slice_ns, &hung_up);
        if (answered || hung_up) break;
        // Its end need not close the pipe: a child that another thread has made meanwhile may hold it too. An error
        // means that somebody waits for all children of the program.
        reaped = waitpid(child, out_status, WNOHANG) != 0;
        if (reaped) answered = readable(pipe, 0, &hung_up);
    }
    answered = answered && read(pipe, out_answer, sizeof *out_answer) == static_cast<ssize_t>(sizeof *out_answer);
    if (reaped) return answered;
    if (!answered && !hung_up) kill(child, SIGKILL);
    while (waitpid(child, out_status, 0) < 0 && errno == EINTR) {
    }
    return answered;
}

}  // namespace

std::optional<size_t> count_namespaces() {
    if (!lists_namespaces()) return std::nullopt;
    const r_debug* first = debug_record();
    if (!first) return std::nullopt;
    // The list only grows, and version 1 means that it is empty.
    size_t count = 0;
    if (__atomic_load_n(&first->r_version, __ATOMIC_ACQUIRE) < 2) return count;
    const auto* record = reinterpret_cast<const DebugRecordExtended*>(first);
    while ((record = __atomic_load_n(&record->next, __ATOMIC_ACQUIRE))) {
        count += __atomic_load_n(&record->base.r_map, __ATOMIC_ACQUIRE) != nullptr;  // null: closed
    }
    return count;
}

Status probe_namespaces(const std::string& anchor_path, const std::string& library_path, NamespaceProbe* out_probe,
                        ch_error* out_error, uint64_t timeout_ns) {
    if (const char* why = namespaces_unavailable()) {
        return report(out_error, CH_ISOLATION_UNAVAILABLE, anchor_path, "%s", why);
    }
    for (const std::string& path : {anchor_path, library_path}) {
        if (path.empty()) continue;
        std::vector<char> file;
        CH_TRY(loader::read_file(path, &file, out_error));
        CH_TRY(loader::check_elf_library(file.data(), file.size(), path, out_error));
    }
    const loader::LoaderPath anchor(anchor_path);
    const loader::LoaderPath library(library_path);
    const std::string& blamed = library_path.empty() ? anchor_path : library_path;
    Answer answer{};
    int status = 0;
    // Another thread may have been loading at the fork: then the child's loader can crash or wait for ever. That is
    // over the next time. The library may do the same, every time.
    for (const uint64_t tenths : {1, 1, 1, 1, 2, 4}) {
        Pipe pipe;
        if (!pipe.ok()) {
            return report(out_error, CH_PROCESS_NOT_STARTED, "probe", "cannot make a pipe: %s", strerror(errno));
        }
        sigset_t all;
        sigset_t before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);  // no handler of the program may run in the child
        const pid_t parent = getpid();
        const pid_t child = fork();
        if (child == 0) open_until_refused(parent, pipe.in(), anchor.c_str(), library.c_str());
        const int error = errno;
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
        if (child < 0) {
            return report(out_error, CH_PROCESS_NOT_STARTED, "probe", "cannot make a child process: %s",
                          strerror(error));
        }
        pipe.close_in();
        if (!await_answer(child, pipe.out(), timeout_ns / 10 * tenths, &answer, &status)) continue;
        out_probe->left = answer.opened;
        out_probe->words = answer.words;
        out_probe->limit = limit_named_by(answer.words);
        if (out_probe->limit == NamespaceLimit::none && answer.words[0]) {
            return loader::report_refusal(out_error, blamed, answer.words);
        }
        return CH_OK;
    }
    const bool hung = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    char how[64];
    if (hung) {
        snprintf(how, sizeof how, "did not end within %.3g s", static_cast<double>(timeout_ns) * 1e-9);
    } else if (WIFSIGNALED(status)) {
        snprintf(how, sizeof how, "ended with signal %d", WTERMSIG(status));
    } else {
        snprintf(how, sizeof how, "ended with exit code %d", WEXITSTATUS(status));
    }
    return report(out_error, CH_LOAD_REFUSED, blamed,
                  "a child process that loaded it, to find out how many namespaces are left, %s", how);
}

#else

std::optional<size_t> count_namespaces() {
    return std::nullopt;
}

Status probe_namespaces(const std::string& anchor_path, const std::string&, NamespaceProbe*, ch_error* out_error,
                        uint64_t) {
    return report(out_error, CH_ISOLATION_UNAVAILABLE, anchor_path, "this system's loader has no dlmopen");
}

#endif

}  // namespace chiphost::isolate
