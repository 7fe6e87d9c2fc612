// SPDX-License-Identifier: Apache-2.0
//
// Functions of the C library that start a process, with the right signal mask for it (signal_masks.h). They keep the
// contracts of the originals, but system() leaves SIGINT and SIGQUIT alone. fork() needs no function here.
#pragma once

#include <spawn.h>
#include <stdio.h>
#include <sys/types.h>

namespace chiphost::interpose {

// The work of posix_spawn() and posix_spawnp().
int spawn_by_path(pid_t* process, const char* path, const posix_spawn_file_actions_t* actions,
                  const posix_spawnattr_t* attributes, char* const arguments[], char* const environment[]);
int spawn_by_name(pid_t* process, const char* file, const posix_spawn_file_actions_t* actions,
                  const posix_spawnattr_t* attributes, char* const arguments[], char* const environment[]);
// The work of system(), popen() and pclose().
int run_shell(const char* command);
FILE* open_shell(const char* command, const char* mode);
int close_shell(FILE* file);
// The work of vfork().
pid_t fork_instead();

}  // namespace chiphost::interpose
