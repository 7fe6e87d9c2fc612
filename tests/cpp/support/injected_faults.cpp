// SPDX-License-Identifier: Apache-2.0
#include "injected_faults.h"

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>

namespace chiphost::tests {

namespace {

std::atomic<uint32_t> kinds_now{0};
std::atomic<int64_t> calls_left{0};  // calls before the one that fails
std::atomic<bool> lasting_now{false};
std::atomic<const char*> failed_first{nullptr};

// True if the loader is unloading something. If memory runs out, glibc's dlclose gives up with its lock taken (2.36),
// and then nothing in the process can be loaded any more: no program could mend that.
bool in_dlclose() {
    void* callers[16];
    const int count = backtrace(callers, 16);
    for (int i = 0; i < count; ++i) {
        Dl_info info;
        if (dladdr(callers[i], &info) && info.dli_sname && strcmp(info.dli_sname, "dlclose") == 0) return true;
    }
    return false;
}

// True if this call is to fail. Calls nothing that could come back here.
bool strikes(FaultKind kind, const char* function) {
    if ((kinds_now.load(std::memory_order_acquire) & kind) == 0) return false;
    const int64_t left = calls_left.fetch_sub(1) - 1;
    if (left > 0 || (left < 0 && !lasting_now.load())) return false;
    if (kind == memory_faults && in_dlclose()) return false;
    const char* none = nullptr;
    failed_first.compare_exchange_strong(none, function);
    return true;
}

// The C library's function that this program's own one hides.
template <typename Function>
Function* hidden(const char* name) {
    return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

}  // namespace

InjectedFault::InjectedFault(uint32_t kinds, int64_t number, bool lasting) {
    in_dlclose();  // the first backtrace() allocates
    failed_first = nullptr;
    lasting_now = lasting;
    number_ = number;
    calls_left = number;
    kinds_now = kinds;
}

void InjectedFault::stop() {
    kinds_now = 0;
}

bool InjectedFault::fired() const {
    return failed_first.load() != nullptr;
}

int64_t InjectedFault::calls() const {
    return number_ - calls_left.load();
}

const char* InjectedFault::function() const {
    return fired() ? failed_first.load() : "";
}

}  // namespace chiphost::tests

using chiphost::tests::hidden;
using chiphost::tests::memory_faults;
using chiphost::tests::strikes;
using chiphost::tests::system_faults;

// The body of a function: fails with `code` and `value` when it is its turn, else calls the hidden function.
#define FAILS_OR_CALLS(kind, name, code, value, ...)         \
    static auto* const real = hidden<decltype(name)>(#name); \
    if (strikes(kind, #name)) {                              \
        errno = code;                                        \
        return value;                                        \
    }                                                        \
    return real(__VA_ARGS__)

extern "C" {

int open(const char* path, int flags, ...) {
    va_list args;
    va_start(args, flags);
    const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(args, mode_t) : 0;
    va_end(args);
    FAILS_OR_CALLS(system_faults, open, EMFILE, -1, path, flags, mode);
}

ssize_t read(int file, void* data, size_t bytes) {
    FAILS_OR_CALLS(system_faults, read, EIO, -1, file, data, bytes);
}

// A call that fails has filled the disk: half of the data fits, then nothing does.
ssize_t write(int file, const void* data, size_t bytes) {
    static auto* const real = hidden<decltype(write)>("write");
    static std::atomic<bool> disk_full{false};
    if (file > STDERR_FILENO && (disk_full.exchange(false) || strikes(system_faults, "write"))) {
        if (bytes > 1) {
            disk_full = true;
            return real(file, data, bytes / 2);
        }
        errno = ENOSPC;
        return -1;
    }
    return real(file, data, bytes);
}

int ftruncate(int file, off_t bytes) noexcept {
    FAILS_OR_CALLS(system_faults, ftruncate, ENOSPC, -1, file, bytes);
}

int fstat(int file, struct stat* out_status) noexcept {
    FAILS_OR_CALLS(system_faults, fstat, EIO, -1, file, out_status);
}

int stat(const char* path, struct stat* out_status) noexcept {
    FAILS_OR_CALLS(system_faults, stat, EACCES, -1, path, out_status);
}

int mkostemp(char* path, int flags) {
    FAILS_OR_CALLS(system_faults, mkostemp, EMFILE, -1, path, flags);
}

int mkostemps(char* path, int suffix, int flags) {
    FAILS_OR_CALLS(system_faults, mkostemps, EMFILE, -1, path, suffix, flags);
}

// It passes on six arguments, also if the caller has given fewer: AddressSanitizer would complain of the others.
__attribute__((no_sanitize("address"))) long syscall(long number, ...) noexcept {
    static auto* const real = hidden<decltype(syscall)>("syscall");
    va_list list;
    va_start(list, number);
    long args[6];
    for (long& argument : args) argument = va_arg(list, long);
    va_end(list);
    if (number == SYS_memfd_create && strikes(system_faults, "memfd_create")) {
        errno = EMFILE;
        return -1;
    }
    return real(number, args[0], args[1], args[2], args[3], args[4], args[5]);
}

#if !CHIPHOST_SANITIZED  // a sanitizer has its own

int pthread_create(pthread_t* out_thread, const pthread_attr_t* attributes, void* (*body)(void*), void* argument) {
    static auto* const real = hidden<decltype(pthread_create)>("pthread_create");
    return strikes(system_faults, "pthread_create") ? EAGAIN : real(out_thread, attributes, body, argument);
}

void* mmap(void* wanted, size_t bytes, int protection, int flags, int file, off_t offset) noexcept {
    FAILS_OR_CALLS(system_faults, mmap, ENOMEM, MAP_FAILED, wanted, bytes, protection, flags, file, offset);
}

// glibc's names of the functions behind these; dlsym would allocate.
void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);

void* malloc(size_t bytes) {
    if (!strikes(memory_faults, "malloc")) return __libc_malloc(bytes);
    errno = ENOMEM;
    return nullptr;
}

void* calloc(size_t count, size_t bytes) {
    if (!strikes(memory_faults, "calloc")) return __libc_calloc(count, bytes);
    errno = ENOMEM;
    return nullptr;
}

void* realloc(void* memory, size_t bytes) {
    if (!strikes(memory_faults, "realloc")) return __libc_realloc(memory, bytes);
    errno = ENOMEM;
    return nullptr;
}

void* aligned_alloc(size_t alignment, size_t bytes) {
    if (!strikes(memory_faults, "aligned_alloc")) return __libc_memalign(alignment, bytes);
    errno = ENOMEM;
    return nullptr;
}

int posix_memalign(void** out_memory, size_t alignment, size_t bytes) {
    if (strikes(memory_faults, "posix_memalign")) return ENOMEM;
    *out_memory = __libc_memalign(alignment, bytes);
    return *out_memory ? 0 : ENOMEM;
}

#endif

}  // extern "C"
