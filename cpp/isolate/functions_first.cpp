// SPDX-License-Identifier: Apache-2.0
//
// Functions of the C library under their own names, for what the loader searches first: the anchor of a namespace, and
// the program of child processes. What is loaded there calls these. Private copies in the program's own namespace are
// told (replaced_functions.h).
#include <unistd.h>

#include "made_threads.h"
#include "own_signal_handlers.h"
#include "spawned_processes.h"

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // these have functions of their own for that

#define CHIPHOST_COMES_FIRST extern "C" __attribute__((visibility("default")))

using namespace chiphost::isolate;

CHIPHOST_COMES_FIRST int posix_spawn(pid_t* process, const char* path, const posix_spawn_file_actions_t* actions,
                                     const posix_spawnattr_t* attributes, char* const arguments[],
                                     char* const environment[]) noexcept {
    return spawn_by_path(process, path, actions, attributes, arguments, environment);
}

CHIPHOST_COMES_FIRST int posix_spawnp(pid_t* process, const char* file, const posix_spawn_file_actions_t* actions,
                                      const posix_spawnattr_t* attributes, char* const arguments[],
                                      char* const environment[]) noexcept {
    return spawn_by_name(process, file, actions, attributes, arguments, environment);
}

CHIPHOST_COMES_FIRST int system(const char* command) {
    return run_shell(command);
}

CHIPHOST_COMES_FIRST FILE* popen(const char* command, const char* mode) {
    return open_shell(command, mode);
}

CHIPHOST_COMES_FIRST int pclose(FILE* file) {
    return close_shell(file);
}

CHIPHOST_COMES_FIRST pid_t vfork() noexcept {
    return fork_instead();
}

CHIPHOST_COMES_FIRST int sigaction(int number, const struct sigaction* action, struct sigaction* out_before) noexcept {
    return install_action(number, action, out_before);
}

CHIPHOST_COMES_FIRST sighandler_t signal(int number, sighandler_t handler) noexcept {
    return install_handler(number, handler);
}

#ifdef CHIPHOST_IN_NAMESPACE  // a child ends with all its threads

CHIPHOST_COMES_FIRST int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*main)(void*),
                                        void* argument) noexcept {
    return make_thread(thread, attributes, main, argument);
}

#endif

#endif
