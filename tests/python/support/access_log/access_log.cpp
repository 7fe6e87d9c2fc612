// SPDX-License-Identifier: Apache-2.0
//
// The callbacks of instrumented programs, for tests of the compile alone: they note which bytes of one block of memory
// are read and written. The names and their meaning are those of the compiler.
#include <stddef.h>
#include <stdint.h>
#include <string.h>

namespace {

const char* block = nullptr;
size_t block_bytes = 0;
uint8_t* marks = nullptr;  // of each byte of the block: 1 read, 2 written, 4 by an atomic operation

void note(const volatile void* address, size_t bytes, uint8_t mark) {
    const char* first = static_cast<const char*>(const_cast<const void*>(address));
    for (const char* at = first; at != first + bytes; ++at)
        if (marks && at >= block && at < block + block_bytes) marks[at - block] |= mark;
}

}  // namespace

extern "C" {

uint32_t chiphost_check_attach(void*) {
    return 1;
}

// Notes accesses to `bytes` bytes at `memory` in `to`, which has a byte for each; nullptr ends it.
void access_log_begin(const void* memory, size_t bytes, uint8_t* to) {
    block = static_cast<const char*>(memory), block_bytes = bytes, marks = to;
}

void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_atomic_thread_fence(int) {}
void __tsan_atomic_signal_fence(int) {}
void __tsan_read_range(void* at, size_t bytes) {
    note(at, bytes, 1);
}
void __tsan_write_range(void* at, size_t bytes) {
    note(at, bytes, 2);
}
void __tsan_vptr_read(void** at) {
    note(at, sizeof *at, 1);
}
void __tsan_vptr_update(void** at, void*) {
    note(at, sizeof *at, 2);
}

#define ACCESSES(bytes)                                 \
    void __tsan_read##bytes(void* at) {                 \
        note(at, bytes, 1);                             \
    }                                                   \
    void __tsan_write##bytes(void* at) {                \
        note(at, bytes, 2);                             \
    }                                                   \
    void __tsan_unaligned_read##bytes(void* at) {       \
        note(at, bytes, 1);                             \
    }                                                   \
    void __tsan_unaligned_write##bytes(void* at) {      \
        note(at, bytes, 2);                             \
    }                                                   \
    void __tsan_read_write##bytes(void* at) {           \
        note(at, bytes, 3);                             \
    }                                                   \
    void __tsan_unaligned_read_write##bytes(void* at) { \
        note(at, bytes, 3);                             \
    }
ACCESSES(1)
ACCESSES(2)
ACCESSES(4)
ACCESSES(8)
ACCESSES(16)

uint32_t __tsan_atomic32_load(const volatile uint32_t* at, int) {
    note(at, 4, 5);
    return __atomic_load_n(at, __ATOMIC_SEQ_CST);
}
void __tsan_atomic32_store(volatile uint32_t* at, uint32_t value, int) {
    note(at, 4, 6);
    __atomic_store_n(at, value, __ATOMIC_SEQ_CST);
}
uint32_t __tsan_atomic32_fetch_add(volatile uint32_t* at, uint32_t value, int) {
    note(at, 4, 7);
    return __atomic_fetch_add(at, value, __ATOMIC_SEQ_CST);
}

// The linker gives these the functions of the C library.
decltype(memcmp) __real_memcmp;
decltype(memcpy) __real_memcpy;
decltype(memmove) __real_memmove;
decltype(memset) __real_memset;
decltype(strlen) __real_strlen;

int __wrap_memcmp(const void* one, const void* other, size_t bytes) {
    note(one, bytes, 1), note(other, bytes, 1);
    return __real_memcmp(one, other, bytes);
}
void* __wrap_memcpy(void* to, const void* from, size_t bytes) {
    note(from, bytes, 1), note(to, bytes, 2);
    return __real_memcpy(to, from, bytes);
}
void* __wrap_memmove(void* to, const void* from, size_t bytes) {
    note(from, bytes, 1), note(to, bytes, 2);
    return __real_memmove(to, from, bytes);
}
void* __wrap_memset(void* to, int value, size_t bytes) {
    note(to, bytes, 2);
    return __real_memset(to, value, bytes);
}
size_t __wrap_strlen(const char* text) {
    const size_t bytes = __real_strlen(text);
    note(text, bytes + 1, 1);
    return bytes;
}
void* __tsan_memcpy(void* to, const void* from, size_t bytes) {
    return __wrap_memcpy(to, from, bytes);
}
void* __tsan_memmove(void* to, const void* from, size_t bytes) {
    return __wrap_memmove(to, from, bytes);
}
void* __tsan_memset(void* to, int value, size_t bytes) {
    return __wrap_memset(to, value, bytes);
}

}  // extern "C"
