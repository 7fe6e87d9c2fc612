# SPDX-License-Identifier: Apache-2.0
"""A library for tests of isolation, and a process of its own for code that would spoil this one."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

SOURCE = r"""
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <stdexcept>
static int calls = 0;
static int cell = 7;
static volatile int go_on = 1;
extern "C" {
int next_call() { return ++calls; }
double sum(const double* values, size_t count) { double s = 0; while (count--) s += *values++; return s; }
void scale(float* values, size_t count, float factor) { while (count--) *values++ *= factor; }
void fill(unsigned char* out, size_t count, uint8_t value) { memset(out, value, count); }
int8_t negate(int8_t x) { return static_cast<int8_t>(-x); }
bool both(bool a, bool b) { return a && b; }
uint64_t same(uint64_t x) { return x; }
float third(float x) { return x / 3; }
const char* name(int wanted) { return wanted ? "tank" : nullptr; }
size_t length(const char* text) { return text ? strlen(text) : 1000; }
void* open_cell() { return &cell; }
int read_cell(void* handle) { return handle ? *static_cast<int*>(handle) : -1; }
int is_null(const void* address) { return address == nullptr; }
void throw_text() { throw std::runtime_error("the tank is empty"); }
int wait_for_release() { while (go_on) usleep(1000); return 5; }
void nap(int ms) { usleep(1000 * ms); }
// True if all calls have come here while this one waited.
int meet(int* here, int all) {
    __atomic_add_fetch(here, 1, __ATOMIC_SEQ_CST);
    for (int ms = 0; ms < 20000 && __atomic_load_n(here, __ATOMIC_SEQ_CST) < all; ++ms) usleep(1000);
    return __atomic_load_n(here, __ATOMIC_SEQ_CST) >= all;
}
void crash() { fputs("about to crash\n", stderr); raise(SIGSEGV); }
void give_up() { abort(); }
void leave(int code) { exit(code); }
static void* sleep_long(void*) { for (;;) pause(); }
struct Node { const double* values; size_t count; const Node* next; };
double sum_of_list(const Node* node) {
    double s = 0;
    for (; node; node = node->next) s += sum(node->values, node->count);
    return s;
}
int start_thread() { pthread_t thread; return pthread_create(&thread, nullptr, sleep_long, nullptr); }
}
"""
UNIQUE = """
template <typename T> struct Once { static int calls; };
template <typename T> int Once<T>::calls = 0;
extern "C" int count() { return ++Once<int>::calls; }
"""
STRATEGIES = ("copy", "namespace", "process")


def in_a_process(path: Path, program: str, first: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    """`first` comes before chiphost is imported."""
    text = f"{first}\nimport sys\nfrom ctypes import c_int\nfrom chiphost import isolate\npath = sys.argv[1]\n"
    command = [sys.executable, "-c", text + textwrap.dedent(program), str(path)]
    environment = {**os.environ, **variables}
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment)
