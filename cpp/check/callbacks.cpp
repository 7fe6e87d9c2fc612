// SPDX-License-Identifier: Apache-2.0
//
// The functions that instrumented programs call before they access memory. The names and their meaning are the
// compiler's: the interface between -fsanitize=thread and its runtime, as g++ and clang++ use it.
//
// This file is compiled into an archive of its own, without any sanitizer, and linked into every instrumented program.
// It needs nothing but the functions that it wraps.
#include <stddef.h>
#include <string.h>

#include "access_recorder.h"

namespace {

using chiphost::check::AccessRecorder;
using chiphost::check::AccessWord;
using chiphost::check::AtomicUse;

AccessRecorder* recorder = nullptr;

constexpr uint64_t low_bits(uint32_t bytes) {
    return bytes >= 64 ? ~uint64_t{0} : (uint64_t{1} << bytes) - 1;
}

template <uint32_t bytes, bool write>
[[gnu::always_inline]] inline void note(const void* address, const void* code) {
    AccessRecorder* const record = recorder;
    if (__builtin_expect(!record, 0)) return;
    const auto at = reinterpret_cast<uint64_t>(address);
    const uint64_t page = at >> chiphost::check::page_bits;
    const AccessRecorder::Entry& entry = record->entries[AccessRecorder::entry_of(page)];
    const uint32_t bit = at & 63;
    if (__builtin_expect(entry.tag == (page | record->generation) && bit + bytes <= 64, 1)) {
        AccessWord& word = entry.words[at >> 6 & (chiphost::check::words_of_page - 1)];
        const uint64_t mask = low_bits(bytes) << bit;
        if (__builtin_expect((mask & ~(write ? word.may_write : word.may_read)) == 0, 1)) {
            if (write) {
                word.written |= mask;
                word.may_read |= mask;
            } else {
                word.read |= mask;
            }
            return;
        }
    }
    record->access(record, at, bytes, write, code);
}

[[gnu::noinline]] void note_range(const void* address, uint64_t bytes, bool write, const void* code) {
    AccessRecorder* const record = recorder;
    if (!record || bytes == 0) return;
    record->access(record, reinterpret_cast<uint64_t>(address), bytes, write, code);
}

constexpr bool releases(int order) {
    return order >= __ATOMIC_RELEASE;  // release, acquire and release, sequentially consistent
}
constexpr bool acquires(int order) {
    return order == __ATOMIC_CONSUME || order == __ATOMIC_ACQUIRE || order >= __ATOMIC_ACQ_REL;
}

// Says of an atomic operation what it does, around `operation`.
template <typename T, typename Operation>
[[gnu::always_inline]] inline auto atomically(const volatile T* address, AtomicUse use, int order, const void* code,
                                              Operation&& operation) {
    AccessRecorder* const record = recorder;
    const auto at = reinterpret_cast<uint64_t>(address);
    // A relaxed operation orders nothing, and is noted before it as the others are.
    if (record) record->atomic(record, at, sizeof(T), use, releases(order) ? 1 : 0, code);
    const auto result = operation();
    if (record && acquires(order)) record->atomic(record, at, sizeof(T), AtomicUse::load, 2, code);
    return result;
}

}  // namespace

#define CODE __builtin_return_address(0)

extern "C" {

__attribute__((visibility("default"))) uint32_t chiphost_check_attach(AccessRecorder* to) {
    recorder = to;
    return chiphost::check::recorder_format;
}

void __tsan_init() {}
void __tsan_ignore_thread_begin() {}
void __tsan_ignore_thread_end() {}

void __tsan_func_entry(void* code) {
    AccessRecorder* const record = recorder;
    if (!record) return;
    if (record->depth < AccessRecorder::stack_max) record->stack[record->depth] = code;
    ++record->depth;
}
void __tsan_func_exit() {
    AccessRecorder* const record = recorder;
    if (record && record->depth > 0) --record->depth;
}

#define ACCESSES(bytes)                                          \
    void __tsan_read##bytes(void* address) {                     \
        note<bytes, false>(address, CODE);                       \
    }                                                            \
    void __tsan_write##bytes(void* address) {                    \
        note<bytes, true>(address, CODE);                        \
    }                                                            \
    void __tsan_read##bytes##_pc(void* address, void* code) {    \
        note<bytes, false>(address, code);                       \
    }                                                            \
    void __tsan_write##bytes##_pc(void* address, void* code) {   \
        note<bytes, true>(address, code);                        \
    }                                                            \
    void __tsan_unaligned_read##bytes(void* address) {           \
        note<bytes, false>(address, CODE);                       \
    }                                                            \
    void __tsan_unaligned_write##bytes(void* address) {          \
        note<bytes, true>(address, CODE);                        \
    }                                                            \
    void __tsan_volatile_read##bytes(void* address) {            \
        note<bytes, false>(address, CODE);                       \
    }                                                            \
    void __tsan_volatile_write##bytes(void* address) {           \
        note<bytes, true>(address, CODE);                        \
    }                                                            \
    void __tsan_unaligned_volatile_read##bytes(void* address) {  \
        note<bytes, false>(address, CODE);                       \
    }                                                            \
    void __tsan_unaligned_volatile_write##bytes(void* address) { \
        note<bytes, true>(address, CODE);                        \
    }                                                            \
    void __tsan_read_write##bytes(void* address) {               \
        note<bytes, false>(address, CODE);                       \
        note<bytes, true>(address, CODE);                        \
    }                                                            \
    void __tsan_unaligned_read_write##bytes(void* address) {     \
        note<bytes, false>(address, CODE);                       \
        note<bytes, true>(address, CODE);                        \
    }
ACCESSES(1)
ACCESSES(2)
ACCESSES(4)
ACCESSES(8)
ACCESSES(16)
#undef ACCESSES

void __tsan_read_range(void* address, uint64_t bytes) {
    note_range(address, bytes, false, CODE);
}
void __tsan_write_range(void* address, uint64_t bytes) {
    note_range(address, bytes, true, CODE);
}
void __tsan_vptr_read(void** address) {
    note<sizeof(void*), false>(address, CODE);
}
void __tsan_vptr_update(void** address, void*) {
    note<sizeof(void*), true>(address, CODE);
}

#define ATOMICS(bits, T)                                                                                             \
    T __tsan_atomic##bits##_load(const volatile T* at, int order) {                                                  \
        return atomically(at, AtomicUse::load, order, CODE, [&] { return __atomic_load_n(at, __ATOMIC_SEQ_CST); });  \
    }                                                                                                                \
    void __tsan_atomic##bits##_store(volatile T* at, T value, int order) {                                           \
        atomically(at, AtomicUse::store, order, CODE, [&] {                                                          \
            __atomic_store_n(at, value, __ATOMIC_SEQ_CST);                                                           \
            return 0;                                                                                                \
        });                                                                                                          \
    }                                                                                                                \
    UPDATE(bits, T, exchange, update, __atomic_exchange_n)                                                           \
    UPDATE(bits, T, fetch_add, add, __atomic_fetch_add)                                                              \
    UPDATE(bits, T, fetch_sub, add, __atomic_fetch_sub)                                                              \
    UPDATE(bits, T, fetch_and, bit_and, __atomic_fetch_and)                                                          \
    UPDATE(bits, T, fetch_or, bit_or, __atomic_fetch_or)                                                             \
    UPDATE(bits, T, fetch_xor, bit_xor, __atomic_fetch_xor)                                                          \
    UPDATE(bits, T, fetch_nand, update, __atomic_fetch_nand)                                                         \
    int __tsan_atomic##bits##_compare_exchange_strong(volatile T* at, T* expected, T value, int order, int) {        \
        return atomically(at, AtomicUse::update, order, CODE, [&] {                                                  \
            return int{__atomic_compare_exchange_n(at, expected, value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)}; \
        });                                                                                                          \
    }                                                                                                                \
    int __tsan_atomic##bits##_compare_exchange_weak(volatile T* at, T* expected, T value, int order, int) {          \
        return atomically(at, AtomicUse::update, order, CODE, [&] {                                                  \
            return int{__atomic_compare_exchange_n(at, expected, value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)}; \
        });                                                                                                          \
    }                                                                                                                \
    T __tsan_atomic##bits##_compare_exchange_val(volatile T* at, T expected, T value, int order, int) {              \
        return atomically(at, AtomicUse::update, order, CODE, [&] {                                                  \
            __atomic_compare_exchange_n(at, &expected, value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);            \
            return expected;                                                                                         \
        });                                                                                                          \
    }
#define UPDATE(bits, T, name, use, builtin)                                                                       \
    T __tsan_atomic##bits##_##name(volatile T* at, T value, int order) {                                          \
        return atomically(at, AtomicUse::use, order, CODE, [&] { return builtin(at, value, __ATOMIC_SEQ_CST); }); \
    }
ATOMICS(8, uint8_t)
ATOMICS(16, uint16_t)
ATOMICS(32, uint32_t)
ATOMICS(64, uint64_t)
#undef UPDATE
#undef ATOMICS

void __tsan_atomic_thread_fence(int) {
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}
void __tsan_atomic_signal_fence(int) {}

// The linker gives these the functions of the C library (--wrap).
decltype(memcmp) __real_memcmp;
decltype(memcpy) __real_memcpy;
decltype(memmove) __real_memmove;
decltype(mempcpy) __real_mempcpy;
decltype(memset) __real_memset;
decltype(strcmp) __real_strcmp;
decltype(strcpy) __real_strcpy;
decltype(strlen) __real_strlen;
decltype(strncmp) __real_strncmp;
decltype(strncpy) __real_strncpy;
void* __real_memchr(const void* at, int value, size_t bytes);

void* __wrap_memcpy(void* to, const void* from, size_t bytes) {
    note_range(from, bytes, false, CODE);
    note_range(to, bytes, true, CODE);
    return __real_memcpy(to, from, bytes);
}
void* __wrap_memmove(void* to, const void* from, size_t bytes) {
    note_range(from, bytes, false, CODE);
    note_range(to, bytes, true, CODE);
    return __real_memmove(to, from, bytes);
}
void* __wrap_mempcpy(void* to, const void* from, size_t bytes) {
    note_range(from, bytes, false, CODE);
    note_range(to, bytes, true, CODE);
    return __real_mempcpy(to, from, bytes);
}
void __wrap_bcopy(const void* from, void* to, size_t bytes) {
    note_range(from, bytes, false, CODE);
    note_range(to, bytes, true, CODE);
    __real_memmove(to, from, bytes);
}
void* __wrap_memset(void* to, int value, size_t bytes) {
    note_range(to, bytes, true, CODE);
    return __real_memset(to, value, bytes);
}
void __wrap_bzero(void* to, size_t bytes) {
    note_range(to, bytes, true, CODE);
    __real_memset(to, 0, bytes);
}
int __wrap_memcmp(const void* a, const void* b, size_t bytes) {
    note_range(a, bytes, false, CODE);
    note_range(b, bytes, false, CODE);
    return __real_memcmp(a, b, bytes);
}
void* __wrap_memchr(const void* at, int value, size_t bytes) {
    void* const found = __real_memchr(at, value, bytes);
    const auto seen = static_cast<size_t>(static_cast<const char*>(found) - static_cast<const char*>(at)) + 1;
    note_range(at, found ? seen : bytes, false, CODE);
    return found;
}
size_t __wrap_strlen(const char* text) {
    const size_t length = __real_strlen(text);
    note_range(text, length + 1, false, CODE);
    return length;
}
int __wrap_strcmp(const char* a, const char* b) {
    note_range(a, __real_strlen(a) + 1, false, CODE);
    note_range(b, __real_strlen(b) + 1, false, CODE);
    return __real_strcmp(a, b);
}
int __wrap_strncmp(const char* a, const char* b, size_t most) {
    note_range(a, strnlen(a, most), false, CODE);
    note_range(b, strnlen(b, most), false, CODE);
    return __real_strncmp(a, b, most);
}
char* __wrap_strcpy(char* to, const char* from) {
    const size_t bytes = __real_strlen(from) + 1;
    note_range(from, bytes, false, CODE);
    note_range(to, bytes, true, CODE);
    return __real_strcpy(to, from);
}
char* __wrap_strncpy(char* to, const char* from, size_t most) {
    note_range(from, strnlen(from, most), false, CODE);
    note_range(to, most, true, CODE);
    return __real_strncpy(to, from, most);
}

// clang++ 15 and newer call these instead.
void* __tsan_memcpy(void* to, const void* from, size_t bytes) {
    note_range(from, bytes, false, CODE);
    note_range(to, bytes, true, CODE);
    return __real_memcpy(to, from, bytes);
}
void* __tsan_memmove(void* to, const void* from, size_t bytes) {
    note_range(from, bytes, false, CODE);
    note_range(to, bytes, true, CODE);
    return __real_memmove(to, from, bytes);
}
void* __tsan_memset(void* to, int value, size_t bytes) {
    note_range(to, bytes, true, CODE);
    return __real_memset(to, value, bytes);
}

}  // extern "C"
