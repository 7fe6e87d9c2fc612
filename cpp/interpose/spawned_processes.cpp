// SPDX-License-Identifier: Apache-2.0
//
// This file also does the work of system() and popen(): the C library's own hand the mask down by calls that nothing
// can come before, and a change of this thread's mask meanwhile would let the program's handlers run on it.
#include "spawned_processes.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <exception>
#include <vector>

#include "os/mutex.h"
#include "signal_masks.h"

namespace chiphost::interpose {

namespace {

using Spawn = int (*)(pid_t*, const char*, const posix_spawn_file_actions_t*, const posix_spawnattr_t*, char* const[],
                      char* const[]);
using Close = int (*)(FILE*);

// Looked up when this object is loaded: later a constructor may hold the loader's lock.
const auto next_spawn = reinterpret_cast<Spawn>(dlsym(RTLD_NEXT, "posix_spawn"));
const auto next_spawnp = reinterpret_cast<Spawn>(dlsym(RTLD_NEXT, "posix_spawnp"));
const auto next_pclose = reinterpret_cast<Close>(dlsym(RTLD_NEXT, "pclose"));

int spawn(Spawn next, pid_t* out_process, const char* program, const posix_spawn_file_actions_t* actions,
          const posix_spawnattr_t* attributes, char* const arguments[], char* const environment[]) {
    posix_spawnattr_t own;
    if (attributes) {
        own = *attributes;  // plain data; nothing is to be destroyed
    } else if (const int failed = posix_spawnattr_init(&own)) {
        return failed;
    }
    short flags = 0;
    posix_spawnattr_getflags(&own, &flags);
    if (!(flags & POSIX_SPAWN_SETSIGMASK)) {
        const sigset_t mask = mask_to_hand_down();
        posix_spawnattr_setsigmask(&own, &mask);
        posix_spawnattr_setflags(&own, static_cast<short>(flags | POSIX_SPAWN_SETSIGMASK));
    }
    return next(out_process, program, actions, &own, arguments, environment);
}

int spawn_shell(pid_t* out_process, const char* command, const posix_spawn_file_actions_t* actions) {
    char shell[] = "sh";
    char option[] = "-c";
    char* const arguments[] = {shell, option, const_cast<char*>(command), nullptr};
    return spawn(next_spawn, out_process, "/bin/sh", actions, nullptr, arguments, environ);
}

int await(pid_t process) {
    int status = 0;
    while (waitpid(process, &status, 0) < 0) {
        if (errno != EINTR) return -1;
    }
    return status;
}

// A stream that popen() has opened here.
struct Opened {
    FILE* file;
    pid_t process;
};
struct AllOpened {
    os::Mutex mutex;
    std::vector<Opened> streams CH_GUARDED_BY(mutex);
};
AllOpened& all_opened() {
    static auto& all = *new AllOpened;  // never destroyed: a stream may still be closed at the end of the program
    return all;
}

}  // namespace

int spawn_by_path(pid_t* process, const char* path, const posix_spawn_file_actions_t* actions,
                  const posix_spawnattr_t* attributes, char* const arguments[], char* const environment[]) {
    return spawn(next_spawn, process, path, actions, attributes, arguments, environment);
}

int spawn_by_name(pid_t* process, const char* file, const posix_spawn_file_actions_t* actions,
                  const posix_spawnattr_t* attributes, char* const arguments[], char* const environment[]) {
    return spawn(next_spawnp, process, file, actions, attributes, arguments, environment);
}

// Leaves SIGINT and SIGQUIT to the program: they are handled elsewhere in it, and blocked on this thread.
int run_shell(const char* command) {
    if (!command) return access("/bin/sh", X_OK) == 0;
    pid_t process = -1;
    if (const int failed = spawn_shell(&process, command, nullptr)) {
        errno = failed;
        return -1;
    }
    return await(process);
}

FILE* open_shell(const char* command, const char* mode) {
    const bool reads = strchr(mode, 'r') != nullptr;
    if (reads == (strchr(mode, 'w') != nullptr)) {
        errno = EINVAL;
        return nullptr;
    }
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return nullptr;
    const int own = ends[reads ? 0 : 1];
    const int other = ends[reads ? 1 : 0];
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    pid_t process = -1;
    int failed = posix_spawn_file_actions_adddup2(&actions, other, reads ? STDOUT_FILENO : STDIN_FILENO);
    FILE* file = failed ? nullptr : fdopen(own, reads ? "r" : "w");
    if (!file && !failed) failed = errno;
    AllOpened& all = all_opened();
    const os::MutexLock lock(all.mutex);
    try {
        all.streams.reserve(all.streams.size() + 1);
    } catch (const std::exception&) {  // no memory; a C function lets no exception out
        if (!failed) failed = ENOMEM;
    }
    // The standard asks for this: with an end of an earlier stream, the process would keep its reader waiting.
    for (const Opened& earlier : all.streams) {
        if (!failed) failed = posix_spawn_file_actions_addclose(&actions, fileno(earlier.file));
    }
    if (!failed) failed = spawn_shell(&process, command, &actions);
    posix_spawn_file_actions_destroy(&actions);
    close(other);
    if (failed) {
        if (file) {
            fclose(file);
        } else {
            close(own);
        }
        errno = failed;
        return nullptr;
    }
    if (!strchr(mode, 'e')) fcntl(own, F_SETFD, 0);
    all.streams.push_back({file, process});
    return file;
}

int close_shell(FILE* file) {
    pid_t process = -1;
    {
        AllOpened& all = all_opened();
        const os::MutexLock lock(all.mutex);
        for (Opened& stream : all.streams) {
            if (stream.file != file) continue;
            process = stream.process;
            stream = all.streams.back();
            all.streams.pop_back();
            break;
        }
    }
    if (process < 0) return next_pclose(file);
    fclose(file);
    return await(process);
}

// The standard allows fork() here: no function can come before one that returns twice on one stack.
pid_t fork_instead() {
    return fork();
}

}  // namespace chiphost::interpose
