// SPDX-License-Identifier: Apache-2.0
//
// Functions of many signatures, and globals.
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <new>
#include <stdexcept>
#include <string>

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace {

int32_t calls = 0;
pthread_t worker;
std::atomic<bool> stop{false};

void* wait_for_stop(void*) {
    while (!stop) usleep(1000);
    return nullptr;
}

void* wait_under_another_name(void*) {
    pthread_setname_np(pthread_self(), "my_worker");
    return wait_for_stop(nullptr);
}

}  // namespace

EXPORT int32_t next_call() {
    return ++calls;
}

EXPORT int64_t weigh_integers(int8_t a, uint8_t b, int16_t c, uint16_t d, int32_t e, uint32_t f, int64_t g, uint64_t h,
                              bool i, int8_t j) {
    return a + 2 * b + 3 * c + 4 * d + 5 * int64_t{e} + 6 * int64_t{f} + 7 * g + 8 * static_cast<int64_t>(h) + 9 * i +
           10 * j;
}

EXPORT double weigh_doubles(double a, double b, double c, double d, double e, double f, double g, double h, double i,
                            double j) {
    return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * g + 8 * h + 9 * i + 10 * j;
}

// Both kinds of arguments find no more registers, at different places.
EXPORT double weigh_mixed(int32_t a, double b, float c, int64_t d, int32_t e, int32_t f, int32_t g, float h, float i,
                          float j, float k, float l, float m, int8_t n, float o, int32_t p, double q, int16_t r,
                          uint8_t s, float t, bool u) {
    return a + 2 * b + 3 * static_cast<double>(c) + 4 * static_cast<double>(d) + 5 * e + 6 * f + 7 * g +
           8 * static_cast<double>(h) + 9 * static_cast<double>(i) + 10 * static_cast<double>(j) +
           11 * static_cast<double>(k) + 12 * static_cast<double>(l) + 13 * static_cast<double>(m) + 14 * n +
           15 * static_cast<double>(o) + 16 * p + 17 * q + 18 * r + 19 * s + 20 * static_cast<double>(t) + 21 * u;
}

// The bits above the result's own are whatever was in the register.
EXPORT int8_t low_int8(int64_t word) {
    return static_cast<int8_t>(word);
}
EXPORT uint8_t low_uint8(int64_t word) {
    return static_cast<uint8_t>(word);
}
EXPORT int16_t low_int16(int64_t word) {
    return static_cast<int16_t>(word);
}
EXPORT int32_t low_int32(int64_t word) {
    return static_cast<int32_t>(word);
}
EXPORT bool is_odd(int64_t word) {
    return word & 1;
}
EXPORT float half(float value) {
    return value / 2;
}
EXPORT void set_calls(int32_t value) {
    calls = value;
}
EXPORT void* address_of_calls() {
    return &calls;
}
EXPORT int32_t read_int(const int32_t* address) {
    return *address;
}
EXPORT const char* greeting(int32_t wanted) {
    return wanted ? "hello from the library" : nullptr;
}
EXPORT uint64_t text_length(const char* text) {
    return text ? strlen(text) : UINT64_MAX;
}

EXPORT double sum(const double* values, uint64_t count) {
    double total = 0;
    for (uint64_t i = 0; i < count; ++i) total += values[i];
    return total;
}
EXPORT void scale(float* values, uint64_t count, float factor) {
    for (uint64_t i = 0; i < count; ++i) values[i] *= factor;
}
EXPORT void fill(int32_t* out_values, uint64_t count, int32_t value) {
    for (uint64_t i = 0; i < count; ++i) out_values[i] = value;
}

// A list whose nodes and values are anywhere.
struct Node {
    const double* values;
    uint64_t count;
    const Node* next;
};
EXPORT double sum_of_list(const Node* first) {
    double total = 0;
    for (const Node* node = first; node; node = node->next) total += sum(node->values, node->count);
    return total;
}
static const Node* kept_list = nullptr;
EXPORT void keep_list(const Node* first) {
    kept_list = first;
}
EXPORT double sum_of_kept_list() {
    return sum_of_list(kept_list);
}

EXPORT int32_t thread_number() {
    return static_cast<int32_t>(syscall(SYS_gettid));
}
EXPORT void throw_text() {
    throw std::runtime_error("the tank is empty");
}
EXPORT void throw_number() {
    throw 7;
}
EXPORT void never_return() {
    for (;;) pause();
}

// Copies values that both arguments share: with overlapping arguments the order shows.
EXPORT void shift(const int32_t* from, int32_t* to, uint64_t count) {
    for (uint64_t i = 0; i < count; ++i) to[i] = from[i] + 1;
}
EXPORT const char* repeat(const char* text, uint64_t times) {
    static std::string repeated;
    repeated.clear();
    while (times--) repeated += text;
    return repeated.c_str();
}
EXPORT bool is_null(const void* address) {
    return address == nullptr;
}
EXPORT void write_then_throw(int32_t* out_value) {
    *out_value = 5;
    throw std::runtime_error("after writing");
}

// Ends of the process.
EXPORT void crash() {
    fputs("about to crash\n", stderr);
    raise(SIGSEGV);
}
EXPORT void give_up() {
    fputs("giving up\n", stderr);
    abort();
}
EXPORT void leave(int32_t code) {
    exit(code);
}
EXPORT void be_killed() {
    raise(SIGKILL);
}
EXPORT int32_t process_number() {
    return static_cast<int32_t>(getpid());
}

EXPORT int32_t start_thread(int32_t renamed) {
    stop = false;
    return pthread_create(&worker, nullptr, renamed ? wait_under_another_name : wait_for_stop, nullptr);
}
EXPORT int32_t end_thread() {
    stop = true;
    return pthread_join(worker, nullptr);
}
