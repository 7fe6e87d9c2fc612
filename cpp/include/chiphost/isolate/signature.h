// SPDX-License-Identifier: Apache-2.0
//
// What a C function takes and returns, for calls that are described at run time.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <string>
#include <vector>

namespace chiphost::isolate {

enum class Type : uint8_t {
    none,  // void; results only
    boolean,
    int8,
    int16,
    int32,
    int64,
    uint8,
    uint16,
    uint32,
    uint64,
    float32,
    float64,
    pointer,  // an opaque address of the library's own, such as a handle that it returned; never read
    text,     // a NUL-terminated string; as a result it is copied
    buffer,   // a range of the caller's memory; parameters only
};

// What the function does with a buffer.
enum class Access : uint8_t { in, out, inout };

struct Parameter {
    Type type = Type::none;
    Access access = Access::in;  // buffers only
};

struct Signature {
    Type result = Type::none;
    std::vector<Parameter> parameters;
};

// One value for a parameter. Refers to the caller's memory, which must last until the call has returned; after a call
// that never returned, for ever.
struct Argument {
    uint64_t word = 0;     // numbers: integers in two's complement, floats by their bits; pointers
    void* data = nullptr;  // buffers and texts; may be nullptr
    size_t bytes = 0;      // buffers

    static Argument integer(int64_t value) { return {static_cast<uint64_t>(value), nullptr, 0}; }
    static Argument float32(float value) { return of_bits(value); }
    static Argument float64(double value) { return of_bits(value); }
    static Argument pointer(const void* address) { return {reinterpret_cast<uint64_t>(address), nullptr, 0}; }
    static Argument text(const char* text) { return {0, const_cast<char*>(text), 0}; }
    static Argument buffer(const void* data, size_t bytes) { return {0, const_cast<void*>(data), bytes}; }

private:
    template <typename T>
    static Argument of_bits(T value) {
        Argument argument;
        memcpy(&argument.word, &value, sizeof value);
        return argument;
    }
};

// What a function returned.
struct Value {
    uint64_t word = 0;  // extended to 64 bits by its type; a float32 in the low half
    std::string text;   // Type::text, unless is_null
    bool is_null = false;

    int64_t as_integer() const { return static_cast<int64_t>(word); }
    float as_float32() const { return as<float>(); }
    double as_float64() const { return as<double>(); }
    void* as_pointer() const { return reinterpret_cast<void*>(word); }

private:
    template <typename T>
    T as() const {
        T value;
        memcpy(&value, &word, sizeof value);
        return value;
    }
};

}  // namespace chiphost::isolate
