// SPDX-License-Identifier: Apache-2.0
//
// Descriptions of what a C function takes and returns, for calls that are described at run time.
//
// Threads: any.
// Errors: none.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <string>
#include <vector>

namespace chiphost::isolate {

// The type of a parameter or a result.
enum class Type : uint8_t {
    none,     // void; results only
    boolean,  // bool
    int8,     // int8_t
    int16,    // int16_t
    int32,    // int32_t
    int64,    // int64_t
    uint8,    // uint8_t
    uint16,   // uint16_t
    uint32,   // uint32_t
    uint64,   // uint64_t
    float32,  // float
    float64,  // double
    pointer,  // an opaque address of the library's own, such as a handle that it returned; never read
    text,     // a NUL-terminated string; as a result it is copied
    buffer,   // a range of the caller's memory; parameters only
};

// The ways in which a function uses a buffer.
enum class Access : uint8_t {
    in,     // it reads it
    out,    // it writes it, whatever it held
    inout,  // it reads and writes it
};

// One parameter of a function.
struct Parameter {
    Type type = Type::none;      // any but `none`
    Access access = Access::in;  // buffers only
};

// A function's signature.
struct Signature {
    Type result = Type::none;           // any but `buffer`
    std::vector<Parameter> parameters;  // in their order
};

// One value for a parameter. The functions make one.
//
// Ownership: it refers to the caller's memory, which must last until the call has returned; after a call that never
// returned, for ever.
struct Argument {
    uint64_t word = 0;     // numbers: integers in two's complement, floats by their bits; pointers
    void* data = nullptr;  // buffers and texts; may be nullptr
    size_t bytes = 0;      // buffers

    // Makes the value of a boolean or an integer of any size.
    static Argument integer(int64_t value) { return {static_cast<uint64_t>(value), nullptr, 0}; }
    // Makes the value of a Type::float32.
    static Argument float32(float value) { return of_bits(value); }
    // Makes the value of a Type::float64.
    static Argument float64(double value) { return of_bits(value); }
    // Makes the value of a Type::pointer.
    //
    // address: one of the library's own, or one that it never reads.
    static Argument pointer(const void* address) { return {reinterpret_cast<uint64_t>(address), nullptr, 0}; }
    // Makes the value of a Type::text.
    //
    // text: NUL-terminated; may be nullptr.
    static Argument text(const char* text) { return {0, const_cast<char*>(text), 0}; }
    // Makes the value of a Type::buffer.
    //
    // data: the first of `bytes` bytes; may be nullptr.
    static Argument buffer(const void* data, size_t bytes) { return {0, const_cast<void*>(data), bytes}; }

private:
    template <typename T>
    static Argument of_bits(T value) {
        Argument argument;
        memcpy(&argument.word, &value, sizeof value);
        return argument;
    }
};

// A value that a function returned.
struct Value {
    uint64_t word = 0;     // extended to 64 bits by its type; a float32 in the low half
    std::string text;      // Type::text, unless is_null
    bool is_null = false;  // Type::text: the function returned a null pointer

    // Gives the result of a boolean or an integer of any size.
    int64_t as_integer() const { return static_cast<int64_t>(word); }
    // Gives the result of a Type::float32.
    float as_float32() const { return as<float>(); }
    // Gives the result of a Type::float64.
    double as_float64() const { return as<double>(); }
    // Gives the result of a Type::pointer: an address of the library's.
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
