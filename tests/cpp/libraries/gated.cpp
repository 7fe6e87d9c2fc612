// SPDX-License-Identifier: Apache-2.0
//
// A library whose constructor does not return as long as the file /tmp/chiphost_gate_<process> exists.
#include <stdio.h>
#include <unistd.h>

__attribute__((constructor)) static void wait_for_gate() {
    char gate[64];
    snprintf(gate, sizeof gate, "/tmp/chiphost_gate_%d", static_cast<int>(getpid()));
    while (access(gate, F_OK) == 0) usleep(1000);
}
