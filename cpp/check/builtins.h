// SPDX-License-Identifier: Apache-2.0
//
// Included by g++ before programs that are compiled for checks, and of no use to others: __builtin_memcpy and its like
// become calls, which chiphost's checks see. g++ would write instructions for them after it has instrumented the rest.
//
// In a constant expression they stay what they are.
#pragma once

#ifdef __cplusplus
extern "C" {

/** memchr of the C library. */
void* chiphost_checked_memchr(const void* at, int value, __SIZE_TYPE__ bytes) __asm__("memchr")
    __attribute__((nothrow));
/** memcmp of the C library. */
int chiphost_checked_memcmp(const void* one, const void* other, __SIZE_TYPE__ bytes) __asm__("memcmp")
    __attribute__((nothrow));
/** memcpy of the C library. */
void* chiphost_checked_memcpy(void* to, const void* from, __SIZE_TYPE__ bytes) __asm__("memcpy")
    __attribute__((nothrow));
/** memmove of the C library. */
void* chiphost_checked_memmove(void* to, const void* from, __SIZE_TYPE__ bytes) __asm__("memmove")
    __attribute__((nothrow));
/** memset of the C library. */
void* chiphost_checked_memset(void* to, int value, __SIZE_TYPE__ bytes) __asm__("memset") __attribute__((nothrow));
/** strlen of the C library. */
__SIZE_TYPE__ chiphost_checked_strlen(const char* text) __asm__("strlen") __attribute__((nothrow));

}  // extern "C"

/** The builtin function in a constant expression, else the call. */
#define CHIPHOST_CHECKED(name, ...) \
    (__builtin_is_constant_evaluated() ? __builtin_##name(__VA_ARGS__) : chiphost_checked_##name(__VA_ARGS__))

// A macro is not expanded in itself, so the builtin functions are still there for the one above.
#define __builtin_memchr(...) CHIPHOST_CHECKED(memchr, __VA_ARGS__)
#define __builtin_memcmp(...) CHIPHOST_CHECKED(memcmp, __VA_ARGS__)
#define __builtin_memcpy(...) CHIPHOST_CHECKED(memcpy, __VA_ARGS__)
#define __builtin_memmove(...) CHIPHOST_CHECKED(memmove, __VA_ARGS__)
#define __builtin_memset(...) CHIPHOST_CHECKED(memset, __VA_ARGS__)
#define __builtin_strlen(...) CHIPHOST_CHECKED(strlen, __VA_ARGS__)
#endif
