// SPDX-License-Identifier: Apache-2.0
//
// The parts that the anchor has only as a shared library, the first object of a namespace: its one symbol, and an
// environment.
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "anchor.h"

namespace {

// The environment of a new namespace is the array that the program's libc has at that moment. The program may move it
// when it sets another variable, and whoever looks for one here would read what has been freed. So the namespace gets a
// copy that stays. This runs on a thread of the program, whose heap belongs to another libc: no malloc.
__attribute__((constructor)) void keep_environment() {
    char** const given = environ;
    size_t count = 0;
    size_t text_bytes = 0;
    for (; given && given[count]; ++count) text_bytes += strlen(given[count]) + 1;
    const size_t array_bytes = (count + 1) * sizeof(char*);
    void* memory = mmap(nullptr, array_bytes + text_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return;  // then there is no memory for a thread either, and the namespace is given up
    auto** copy = static_cast<char**>(memory);
    char* text = static_cast<char*>(memory) + array_bytes;
    for (size_t i = 0; i < count; ++i) {
        const size_t bytes = strlen(given[i]) + 1;
        copy[i] = static_cast<char*>(memcpy(text, given[i], bytes));
        text += bytes;
    }
    environ = copy;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) const ch_anchor* chiphost_anchor() {
    return &chiphost::isolate::anchor_of_this_program();
}
