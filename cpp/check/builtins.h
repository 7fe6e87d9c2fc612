// SPDX-License-Identifier: Apache-2.0
//
// Included by g++ before programs that are compiled for checks, and of no use to others: __builtin_memcpy and its like
// become calls, which chiphost's checks see. g++ would write instructions for them after it has instrumented the rest.
//
// In a constant expression they stay what they are.
#pragma once

#ifdef __cplusplus
extern "C" {

// The functions of the C library under other names.
void* chiphost_checked_memchr(const void* at, int value, __SIZE_TYPE__ bytes) __asm__("memchr")
    __attribute__((nothrow));
int chiphost_checked_memcmp(const void* one, const void* other, __SIZE_TYPE__ bytes) __asm__("memcmp")
    __attribute__((nothrow));
void* chiphost_checked_memcpy(void* to, const void* from, __SIZE_TYPE__ bytes) __asm__("memcpy")
    __attribute__((nothrow));
void* chiphost_checked_memmove(void* to, const void* from, __SIZE_TYPE__ bytes) __asm__("memmove")
    __attribute__((nothrow));
void* chiphost_checked_mempcpy(void* to, const void* from, __SIZE_TYPE__ bytes) __asm__("mempcpy")
    __attribute__((nothrow));
void* chiphost_checked_memset(void* to, int value, __SIZE_TYPE__ bytes) __asm__("memset") __attribute__((nothrow));
int chiphost_checked_strcmp(const char* one, const char* other) __asm__("strcmp") __attribute__((nothrow));
char* chiphost_checked_strcpy(char* to, const char* from) __asm__("strcpy") __attribute__((nothrow));
__SIZE_TYPE__ chiphost_checked_strlen(const char* text) __asm__("strlen") __attribute__((nothrow));
int chiphost_checked_strncmp(const char* one, const char* other, __SIZE_TYPE__ most) __asm__("strncmp")
    __attribute__((nothrow));
char* chiphost_checked_strncpy(char* to, const char* from, __SIZE_TYPE__ most) __asm__("strncpy")
    __attribute__((nothrow));

}  // extern "C"

// The builtin function in a constant expression, else the call.
#define CHIPHOST_CHECKED(name, ...) \
    (__builtin_is_constant_evaluated() ? __builtin_##name(__VA_ARGS__) : chiphost_checked_##name(__VA_ARGS__))

// A macro is not expanded in itself, so the builtin functions are still there for the one above.
#define __builtin_memchr(...) CHIPHOST_CHECKED(memchr, __VA_ARGS__)
#define __builtin_memcmp(...) CHIPHOST_CHECKED(memcmp, __VA_ARGS__)
#define __builtin_memcpy(...) CHIPHOST_CHECKED(memcpy, __VA_ARGS__)
#define __builtin_memmove(...) CHIPHOST_CHECKED(memmove, __VA_ARGS__)
#define __builtin_mempcpy(...) CHIPHOST_CHECKED(mempcpy, __VA_ARGS__)
#define __builtin_memset(...) CHIPHOST_CHECKED(memset, __VA_ARGS__)
#define __builtin_strcmp(...) CHIPHOST_CHECKED(strcmp, __VA_ARGS__)
#define __builtin_strcpy(...) CHIPHOST_CHECKED(strcpy, __VA_ARGS__)
#define __builtin_strlen(...) CHIPHOST_CHECKED(strlen, __VA_ARGS__)
#define __builtin_strncmp(...) CHIPHOST_CHECKED(strncmp, __VA_ARGS__)
#define __builtin_strncpy(...) CHIPHOST_CHECKED(strncpy, __VA_ARGS__)
#endif
