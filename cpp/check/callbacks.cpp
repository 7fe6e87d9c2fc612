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
using chiphost::check::AtomicUse;

// Stands for the recorder as long as there is none: nothing is looked at.
AccessRecorder nobody = {chiphost::check::recorder_format,
                         0,
                         0,
                         0,
                         0,
                         [](AccessRecorder*, uint64_t, uint64_t, uint32_t, const void*) {},
                         [](AccessRecorder*, uint64_t, uint64_t, AtomicUse, uint32_t, const void*) {},
                         [](AccessRecorder*, uint64_t, uint64_t) {},
                         [](AccessRecorder*, uint32_t) {},
                         {}};
AccessRecorder* recorder = &nobody;

// What the recorder says of memory. The program has it in variables of its own, where fewer instructions find it.
uint64_t memory_begin = 0, memory_bytes = 0, memory_states = 0;

constexpr uint64_t each_byte = 0x0101010101010101u;

template <typename T>
[[gnu::always_inline]] inline T load(uint64_t address) {
    T value;
    __builtin_memcpy(&value, reinterpret_cast<const void*>(address), sizeof value);
    return value;
}

// Notes an access if the states of its bytes allow it; they are `words` of type T. What was read before may be read
// again, and there is nothing to write. A write is noted in any case: most are the first to their bytes. False: it is
// for the recorder's function.
template <typename T, bool write, uint32_t words = 1>
[[gnu::always_inline]] inline bool note_states(uint64_t address) {
    constexpr T all = static_cast<T>(each_byte);
    constexpr T done = all * chiphost::check::was_read;
    constexpr T allowed = all * (write ? chiphost::check::may_write : chiphost::check::may_read);
    // Who has written a byte may read it.
    constexpr T noted = write ? all * (chiphost::check::was_written | chiphost::check::may_read) : done;
    uint64_t states = memory_states;
    T now[words];
    T common = static_cast<T>(~T{0});
    for (uint32_t word = 0; word < words; ++word) {
        now[word] = load<T>(states + address + word * sizeof(T));
        common &= now[word];
    }
    if (!write && __builtin_expect((~common & done) == 0, 1)) return true;
    if (__builtin_expect((~common & allowed) != 0, 0)) return false;
    __asm__("" : "+r"(states));  // the sum is not worth a register and an instruction
    for (uint32_t word = 0; word < words; ++word) {
        const T then = now[word] | noted;
        __builtin_memcpy(reinterpret_cast<void*>(states + address + word * sizeof(T)), &then, sizeof then);
    }
    return true;
}

// True for memory that nobody looks at, such as a stack.
[[gnu::always_inline]] inline bool is_free(uint64_t address) {
    return address - memory_begin >= memory_bytes;
}
inline bool is_free(uint64_t address, uint64_t bytes) {
    return is_free(address) && (address >= memory_begin || bytes <= memory_begin - address);
}

// An access to 1, 2, 4, 8 or 16 bytes.
template <uint32_t bytes, bool write>
[[gnu::always_inline]] inline bool noted(uint64_t address) {
    if (is_free(address)) return true;
    if constexpr (bytes == 1) return note_states<uint8_t, write>(address);
    if constexpr (bytes == 2) return note_states<uint16_t, write>(address);
    if constexpr (bytes == 4) return note_states<uint32_t, write>(address);
    if constexpr (bytes == 8) return note_states<uint64_t, write>(address);
    return note_states<uint64_t, write, 2>(address);
}

// An access to any bytes. Vectors and small structures are of 8, 12, 16, 24, 32 or 64 bytes.
template <bool write>
[[gnu::always_inline]] inline void note_bytes(const void* address, uint64_t bytes, const void* code) {
    constexpr uint64_t small_bytes_max = 64;
    const auto at = reinterpret_cast<uint64_t>(address);
    if (is_free(at, bytes)) return;
    if (bytes % 4 == 0 && bytes <= small_bytes_max) {
        uint64_t done = 0;
        while (done + 8 <= bytes && note_states<uint64_t, write>(at + done)) done += 8;
        if (done + 4 == bytes && note_states<uint32_t, write>(at + done)) done += 4;
        if (done == bytes) return;
    }
    if (bytes != 0) recorder->access(recorder, at, bytes, write, code);
}

[[gnu::noinline]] void note_range(const void* address, uint64_t bytes, bool write, const void* code) {
    const auto at = reinterpret_cast<uint64_t>(address);
    if (bytes != 0 && !is_free(at, bytes)) recorder->access(recorder, at, bytes, write, code);
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
    record->atomic(record, at, sizeof(T), use, releases(order) ? 1 : 0, code);
    const auto result = operation();
    if (acquires(order)) record->atomic(record, at, sizeof(T), AtomicUse::load, 2, code);
    return result;
}

}  // namespace

#define CODE __builtin_return_address(0)

extern "C" {

__attribute__((visibility("default"))) uint32_t chiphost_check_attach(AccessRecorder* to) {
    recorder = to ? to : &nobody;
    memory_begin = recorder->begin;
    memory_bytes = recorder->bytes;
    memory_states = recorder->states;
    return chiphost::check::recorder_format;
}

// Called by the functions of chiphost/data_cache.h.
void chiphost_check_flush(const volatile void* address, uint64_t bytes) {
    recorder->flush(recorder, reinterpret_cast<uint64_t>(address), bytes);
}
void chiphost_check_block_copy(uint32_t begins) {
    recorder->block_copy(recorder, begins);
}

void __tsan_init() {}
void __tsan_ignore_thread_begin() {}
void __tsan_ignore_thread_end() {}

void __tsan_func_entry(void* code) {
    AccessRecorder* const record = recorder;
    if (record->depth < AccessRecorder::stack_max) record->stack[record->depth] = code;
    ++record->depth;
}
void __tsan_func_exit() {
    AccessRecorder* const record = recorder;
    if (record->depth > 0) --record->depth;
}

// The return address is looked up where it is needed.
#define NOTE(bytes, write, address, code)                        \
    do {                                                         \
        const auto at = reinterpret_cast<uint64_t>(address);     \
        if (__builtin_expect(noted<bytes, write>(at), 1)) break; \
        recorder->access(recorder, at, bytes, write, code);      \
    } while (false)

#define ACCESSES(bytes)                                          \
    void __tsan_read##bytes(void* address) {                     \
        NOTE(bytes, false, address, CODE);                       \
    }                                                            \
    void __tsan_write##bytes(void* address) {                    \
        NOTE(bytes, true, address, CODE);                        \
    }                                                            \
    void __tsan_read##bytes##_pc(void* address, void* code) {    \
        NOTE(bytes, false, address, code);                       \
    }                                                            \
    void __tsan_write##bytes##_pc(void* address, void* code) {   \
        NOTE(bytes, true, address, code);                        \
    }                                                            \
    void __tsan_volatile_read##bytes(void* address) {            \
        NOTE(bytes, false, address, CODE);                       \
    }                                                            \
    void __tsan_volatile_write##bytes(void* address) {           \
        NOTE(bytes, true, address, CODE);                        \
    }                                                            \
    void __tsan_unaligned_read##bytes(void* address) {           \
        NOTE(bytes, false, address, CODE);                       \
    }                                                            \
    void __tsan_unaligned_write##bytes(void* address) {          \
        NOTE(bytes, true, address, CODE);                        \
    }                                                            \
    void __tsan_unaligned_volatile_read##bytes(void* address) {  \
        NOTE(bytes, false, address, CODE);                       \
    }                                                            \
    void __tsan_unaligned_volatile_write##bytes(void* address) { \
        NOTE(bytes, true, address, CODE);                        \
    }                                                            \
    void __tsan_read_write##bytes(void* address) {               \
        NOTE(bytes, false, address, CODE);                       \
        NOTE(bytes, true, address, CODE);                        \
    }                                                            \
    void __tsan_unaligned_read_write##bytes(void* address) {     \
        NOTE(bytes, false, address, CODE);                       \
        NOTE(bytes, true, address, CODE);                        \
    }
ACCESSES(1)
ACCESSES(2)
ACCESSES(4)
ACCESSES(8)
ACCESSES(16)
#undef ACCESSES

void __tsan_read_range(void* address, uint64_t bytes) {
    note_bytes<false>(address, bytes, CODE);
}
void __tsan_write_range(void* address, uint64_t bytes) {
    note_bytes<true>(address, bytes, CODE);
}
void __tsan_vptr_read(void** address) {
    NOTE(sizeof(void*), false, address, CODE);
}
void __tsan_vptr_update(void** address, void*) {
    NOTE(sizeof(void*), true, address, CODE);
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
decltype(strnlen) __real_strnlen;
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
size_t __wrap_strnlen(const char* text, size_t most) {
    const size_t length = __real_strnlen(text, most);
    note_range(text, length < most ? length + 1 : most, false, CODE);
    return length;
}
int __wrap_strcmp(const char* a, const char* b) {
    note_range(a, __real_strlen(a) + 1, false, CODE);
    note_range(b, __real_strlen(b) + 1, false, CODE);
    return __real_strcmp(a, b);
}
int __wrap_strncmp(const char* a, const char* b, size_t most) {
    note_range(a, __real_strnlen(a, most), false, CODE);
    note_range(b, __real_strnlen(b, most), false, CODE);
    return __real_strncmp(a, b, most);
}
char* __wrap_strcpy(char* to, const char* from) {
    const size_t bytes = __real_strlen(from) + 1;
    note_range(from, bytes, false, CODE);
    note_range(to, bytes, true, CODE);
    return __real_strcpy(to, from);
}
char* __wrap_strncpy(char* to, const char* from, size_t most) {
    note_range(from, __real_strnlen(from, most), false, CODE);
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
