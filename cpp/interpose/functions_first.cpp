// SPDX-License-Identifier: Apache-2.0
//
// Functions of the C library under their own names, in the objects that the loader searches first: the anchor of a
// namespace, and the program of child processes. Code that is loaded there calls these functions. Private copies in the
// program's own namespace get them by way of replaced_functions.h.
#include <unistd.h>

#include "default_lookups.h"
#include "made_threads.h"
#include "own_signal_handlers.h"
#include "spawned_processes.h"

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // these have functions of their own for that

#define CHIPHOST_COMES_FIRST extern "C" __attribute__((visibility("default")))

using namespace chiphost::interpose;

CHIPHOST_COMES_FIRST int posix_spawn(pid_t* process, const char* path, const posix_spawn_file_actions_t* actions,
                                     const posix_spawnattr_t* attributes, char* const arguments[],
                                     char* const environment[]) {
    return spawn_by_path(process, path, actions, attributes, arguments, environment);
}

CHIPHOST_COMES_FIRST int posix_spawnp(pid_t* process, const char* file, const posix_spawn_file_actions_t* actions,
                                      const posix_spawnattr_t* attributes, char* const arguments[],
                                      char* const environment[]) {
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

// dlsym() and dlvsym() go by the address that they return to: it says which object they search for. So a call that is
// not for RTLD_DEFAULT must be passed on by a jump, which C++ cannot promise.
#if CHIPHOST_OWN_DEFAULT_LOOKUPS

extern "C" {
__attribute__((used, visibility("hidden"))) void* chiphost_next_dlsym() {
    return reinterpret_cast<void*>(next_dlsym());
}
__attribute__((used, visibility("hidden"))) void* chiphost_next_dlvsym() {
    return reinterpret_cast<void*>(next_dlvsym());
}
__attribute__((used, visibility("hidden"))) void* chiphost_default_dlsym(void*, const char* name, const void* asker) {
    return look_up_default(name, nullptr, asker);
}
__attribute__((used, visibility("hidden"))) void* chiphost_default_dlvsym(void*, const char* name, const char* version,
                                                                          const void* asker) {
    return look_up_default(name, version, asker);
}
}

// CHIPHOST_LOOKUP(name, asker): `asker` is the register of the first argument that the function does not have. The
// first argument is 0 for RTLD_DEFAULT; otherwise all arguments are kept for the C library's function.
// clang-format off
#ifdef __x86_64__
#define CHIPHOST_LOOKUP(name, asker) asm( \
    ".text\n" \
    ".globl " name "\n" \
    ".type " name ", @function\n" \
    ".p2align 4\n" \
    name ":\n" \
    "  .cfi_startproc\n" \
    "  endbr64\n" \
    "  testq %rdi, %rdi\n" \
    "  je 1f\n" \
    "  pushq %rdi\n" \
    "  .cfi_adjust_cfa_offset 8\n" \
    "  pushq %rsi\n" \
    "  .cfi_adjust_cfa_offset 8\n" \
    "  pushq %rdx\n" \
    "  .cfi_adjust_cfa_offset 8\n" \
    "  call chiphost_next_" name "\n" \
    "  popq %rdx\n" \
    "  .cfi_adjust_cfa_offset -8\n" \
    "  popq %rsi\n" \
    "  .cfi_adjust_cfa_offset -8\n" \
    "  popq %rdi\n" \
    "  .cfi_adjust_cfa_offset -8\n" \
    "  jmp *%rax\n" \
    "1:\n" \
    "  movq (%rsp), " asker "\n" \
    "  jmp chiphost_default_" name "\n" \
    "  .cfi_endproc\n" \
    ".size " name ", .-" name "\n")
CHIPHOST_LOOKUP("dlsym", "%rdx");
CHIPHOST_LOOKUP("dlvsym", "%rcx");
#else
#define CHIPHOST_LOOKUP(name, asker) asm( \
    ".text\n" \
    ".globl " name "\n" \
    ".type " name ", %function\n" \
    ".p2align 4\n" \
    name ":\n" \
    "  .cfi_startproc\n" \
    "  hint #34\n" \
    "  cbz x0, 1f\n" \
    "  stp x29, x30, [sp, #-48]!\n" \
    "  .cfi_def_cfa_offset 48\n" \
    "  .cfi_offset 29, -48\n" \
    "  .cfi_offset 30, -40\n" \
    "  mov x29, sp\n" \
    "  stp x0, x1, [sp, #16]\n" \
    "  str x2, [sp, #32]\n" \
    "  bl chiphost_next_" name "\n" \
    "  mov x16, x0\n" \
    "  ldr x2, [sp, #32]\n" \
    "  ldp x0, x1, [sp, #16]\n" \
    "  ldp x29, x30, [sp], #48\n" \
    "  .cfi_def_cfa_offset 0\n" \
    "  .cfi_restore 29\n" \
    "  .cfi_restore 30\n" \
    "  br x16\n" \
    "1:\n" \
    "  mov " asker ", x30\n" \
    "  b chiphost_default_" name "\n" \
    "  .cfi_endproc\n" \
    ".size " name ", .-" name "\n")
CHIPHOST_LOOKUP("dlsym", "x2");
CHIPHOST_LOOKUP("dlvsym", "x3");
#endif
// clang-format on

#endif

#ifdef CHIPHOST_IN_NAMESPACE  // a child ends with all its threads

CHIPHOST_COMES_FIRST int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*main)(void*),
                                        void* argument) noexcept {
    return make_thread(thread, attributes, main, argument);
}

#endif

#endif
