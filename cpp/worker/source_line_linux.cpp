// SPDX-License-Identifier: Apache-2.0
//
// A signal handler calls this, perhaps with broken memory around it: system calls and a stack, no more. The loader
// binds calls of the C library when they are made first, and may not be called in a handler: so there are none but
// syscall().
#include "source_line.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <string>

namespace chiphost::worker {

namespace {

constexpr int patience_ms = 5000;  // for a large program on a busy machine
constexpr size_t output_max = 4096;

char addr2line[PATH_MAX];  // "": there is none

#if __GLIBC_PREREQ(2, 35)

// True if the library that is mapped at `begin` was loaded from the binary: their first bytes, with headers, notes and
// the beginning of the symbols, are equal. Loading changes none of them.
bool is_loaded_from(const char* begin, const ch_binary& binary) {
    constexpr size_t compared = 1024;
    if (binary.bytes < compared) return false;
    const char* file = static_cast<const char*>(binary.data);
    for (size_t i = 0; i < compared; ++i) {
        if (begin[i] != file[i]) return false;
    }
    return true;
}

// The binary that was loaded at `begin`, and of which kernel it is; -1: of the orchestration.
const ch_binary* find_binary(const ch_callable& callable, const char* begin, int32_t* out_func_id) {
    *out_func_id = -1;
    if (is_loaded_from(begin, callable.orchestration)) return &callable.orchestration;
    for (uint32_t i = 0; i < callable.kernel_count; ++i) {
        const ch_kernel& kernel = callable.kernels[i];
        *out_func_id = static_cast<int32_t>(kernel.func_id);
        if (is_loaded_from(begin, kernel.binary)) return &kernel.binary;
    }
    return nullptr;
}

// The same for an address in it.
const ch_binary* find_code(const ch_callable& callable, const void* address, ProgramCode* out_code) {
    dl_find_object object;
    if (_dl_find_object(const_cast<void*>(address), &object) != 0) return nullptr;
    out_code->program = object.dlfo_map_start;
    out_code->address = reinterpret_cast<uint64_t>(address) - object.dlfo_link_map->l_addr;
    return find_binary(callable, static_cast<const char*>(object.dlfo_map_start), &out_code->func_id);
}

bool write_all(int file, const ch_binary& binary) {
    const char* data = static_cast<const char*>(binary.data);
    for (uint64_t done = 0; done < binary.bytes;) {
        const long written = syscall(SYS_write, file, data + done, binary.bytes - done);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return false;
        done += static_cast<uint64_t>(written);
    }
    return true;
}

// In the child: becomes addr2line, which writes to `output`.
[[noreturn]] void become_addr2line(int program, int output, uint64_t offset) {
    TextLine path, address;
    path.add("/proc/self/fd/").add_number(program);
    address.add_hex(offset);
    const auto terminated = [](TextLine* text) {
        size_t bytes = 0;
        char* begin = const_cast<char*>(text->finished(&bytes));
        begin[bytes - 1] = '\0';
        return begin;
    };
    char name[] = "addr2line", inlined[] = "-i", file[] = "-e";
    char* const arguments[] = {name, inlined, file, terminated(&path), terminated(&address), nullptr};
    char* const environment[] = {nullptr};
    syscall(SYS_dup3, output, STDOUT_FILENO, 0);
    const auto nowhere = static_cast<int>(syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR));
    if (nowhere >= 0) syscall(SYS_dup3, nowhere, STDERR_FILENO, 0);
    syscall(SYS_execve, addr2line, arguments, environment);
    for (;;) syscall(SYS_exit_group, 127);
}

// Reads until the end, or until patience is over. Returns how much there is.
size_t read_output(int from, char (&to)[output_max]) {
    size_t used = 0;
    for (int slices = 0; slices < patience_ms / 50 && used < sizeof to;) {
        pollfd waited{from, POLLIN, 0};
        timespec slice{0, 50'000'000};
        const long ready = syscall(SYS_ppoll, &waited, 1, &slice, nullptr, 0);
        if (ready <= 0) {
            ++slices;
            continue;
        }
        const long bytes = syscall(SYS_read, from, to + used, sizeof to - used);
        if (bytes <= 0) break;
        used += static_cast<size_t>(bytes);
    }
    return used;
}

size_t ask_addr2line(const ch_binary& binary, uint64_t offset, char (&to)[output_max]) {
    const auto program = static_cast<int>(syscall(SYS_memfd_create, "chiphost-lines", 0));
    if (program < 0) return 0;
    int ends[2];
    size_t bytes = 0;
    if (write_all(program, binary) && syscall(SYS_pipe2, ends, O_CLOEXEC) == 0) {
        // Like fork(), but nobody is told of its end by a signal.
        const auto child = static_cast<pid_t>(syscall(SYS_clone, 0, nullptr, nullptr, nullptr, nullptr));
        if (child == 0) become_addr2line(program, ends[1], offset);
        syscall(SYS_close, ends[1]);
        if (child > 0) {
            bytes = read_output(ends[0], to);
            syscall(SYS_kill, child, SIGKILL);
            syscall(SYS_wait4, child, nullptr, __WALL, nullptr);
        }
        syscall(SYS_close, ends[0]);
    }
    syscall(SYS_close, program);
    return bytes;
}

// Adds one line of addr2line's output, such as "/src/kernel.cpp:12 (discriminator 3)". False: it says nothing.
bool add_place(const char* text, size_t bytes, bool is_first, TextLine* line) {
    // Folders may have spaces in their names; a remark in brackets is behind the number of the line.
    size_t end = bytes;
    for (size_t at = bytes; at > 0 && text[bytes - 1] == ')'; --at) {
        if (text[at - 1] != '(') continue;
        end = at >= 2 ? at - 2 : 0;
        break;
    }
    if (end == 0 || text[0] == '?' || text[end - 1] == '?' || text[end - 1] == ':') return false;
    if (end >= 2 && text[end - 2] == ':' && text[end - 1] == '0') return false;
    line->add(is_first ? " at " : ", called in ").add_printable(text, end);
    return true;
}

void add_places(const char* output, size_t bytes, TextLine* line) {
    constexpr int places_max = 4;
    int places = 0;
    for (size_t begin = 0, at = 0; at < bytes && places < places_max; ++at) {
        if (output[at] != '\n') continue;
        places += add_place(output + begin, at - begin, places == 0, line);
        begin = at + 1;
    }
}

#endif

}  // namespace

bool find_program_code(const ch_callable& callable, const void* address, ProgramCode* out_code) {
#if __GLIBC_PREREQ(2, 35)
    return find_code(callable, address, out_code) != nullptr;
#else
    return static_cast<void>(callable), static_cast<void>(address), static_cast<void>(out_code), false;
#endif
}

void find_addr2line() {
    const char* path = getenv("PATH");
    std::string folders = path ? path : "/usr/bin:/bin";
    folders += ':';
    for (size_t begin = 0, end; (end = folders.find(':', begin)) != std::string::npos; begin = end + 1) {
        const std::string file = folders.substr(begin, end - begin) + "/addr2line";
        if (file.size() >= sizeof addr2line || file[0] != '/' || access(file.c_str(), X_OK) != 0) continue;
        memcpy(addr2line, file.c_str(), file.size() + 1);
        return;
    }
}

void add_source_line(const ch_callable& callable, const void* address, TextLine* line) {
#if __GLIBC_PREREQ(2, 35)
    if (addr2line[0] == '\0') return;
    ProgramCode code;
    const ch_binary* binary = find_code(callable, address, &code);
    if (!binary) return;
    char output[output_max];
    add_places(output, ask_addr2line(*binary, code.address, output), line);
#else
    static_cast<void>(callable);
    static_cast<void>(address);
    static_cast<void>(line);
#endif
}

}  // namespace chiphost::worker
