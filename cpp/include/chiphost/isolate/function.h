// SPDX-License-Identifier: Apache-2.0
//
// Functions of a library as callable objects: Library::function<Type> makes one from a C++ function type.
//
// The parameters of the type may be integers, bool, enums, float, double; const char* (a NUL-terminated text); In<T>,
// Out<T>, InOut<T> (buffer.h); and other data pointers, which are passed as they are. Results are the same without
// buffers; std::string copies a text. Structures by value, references, function pointers, long double and variadic
// functions do not compile.
#pragma once

#include <array>
#include <string>
#include <type_traits>
#include <utility>

#include "buffer.h"
#include "library.h"
#include "signature.h"

namespace chiphost::isolate {

namespace detail {

template <typename T>
constexpr bool is_function_pointer = std::is_pointer_v<T> && std::is_function_v<std::remove_pointer_t<T>>;

template <typename T>
constexpr Type integer_type() {
    if (std::is_same_v<T, bool>) return Type::boolean;
    switch (sizeof(T)) {
        case 1:
            return std::is_signed_v<T> ? Type::int8 : Type::uint8;
        case 2:
            return std::is_signed_v<T> ? Type::int16 : Type::uint16;
        case 4:
            return std::is_signed_v<T> ? Type::int32 : Type::uint32;
        default:
            return std::is_signed_v<T> ? Type::int64 : Type::uint64;
    }
}

// The way in which one C++ type is passed.
template <typename T, typename = void>
struct Passing {
    static_assert(!std::is_reference_v<T>,
                  "a C function takes no references: use a pointer, In<T>, Out<T> or InOut<T>");
    static_assert(!is_function_pointer<T>,
                  "a function of this program must not be called by an isolated library: it would run on the library's "
                  "thread, in which this program's thread-specific data does not exist");
    static_assert(!std::is_class_v<T> && !std::is_union_v<T>, "structures by value are not supported: use In<T>");
    static_assert(!std::is_same_v<T, long double>, "long double is not supported: use double");
    static_assert(sizeof(T) == 0, "this type cannot be passed to a C function");
};

template <typename T>
struct Passing<T, std::enable_if_t<std::is_integral_v<T> && sizeof(T) <= 8>> {
    static constexpr Parameter parameter{integer_type<T>()};
    static Argument argument(T value) { return Argument::integer(static_cast<int64_t>(value)); }
    static T result(const Value& value) { return static_cast<T>(value.word); }
};

template <typename T>
struct Passing<T, std::enable_if_t<std::is_enum_v<T>>> {
    using Number = Passing<std::underlying_type_t<T>>;
    static constexpr Parameter parameter = Number::parameter;
    static Argument argument(T value) { return Number::argument(static_cast<std::underlying_type_t<T>>(value)); }
    static T result(const Value& value) { return static_cast<T>(Number::result(value)); }
};

template <>
struct Passing<float> {
    static constexpr Parameter parameter{Type::float32};
    static Argument argument(float value) { return Argument::float32(value); }
    static float result(const Value& value) { return value.as_float32(); }
};

template <>
struct Passing<double> {
    static constexpr Parameter parameter{Type::float64};
    static Argument argument(double value) { return Argument::float64(value); }
    static double result(const Value& value) { return value.as_float64(); }
};

template <typename T>
struct Passing<T*, std::enable_if_t<!std::is_function_v<T> && !std::is_same_v<T, const char>>> {
    static constexpr Parameter parameter{Type::pointer};
    static Argument argument(T* value) { return Argument::pointer(const_cast<std::remove_cv_t<T>*>(value)); }
    static T* result(const Value& value) { return static_cast<T*>(value.as_pointer()); }
};

template <>
struct Passing<const char*> {
    static constexpr Parameter parameter{Type::text};
    static Argument argument(const char* value) { return Argument::text(value); }
};

template <typename Buffer, Access access>
struct PassingBuffer {
    static constexpr Parameter parameter{Type::buffer, access};
    static Argument argument(const Buffer& value) { return Argument::buffer(value.data(), value.bytes()); }
};
template <typename T>
struct Passing<In<T>> : PassingBuffer<In<T>, Access::in> {};
template <typename T>
struct Passing<Out<T>> : PassingBuffer<Out<T>, Access::out> {};
template <typename T>
struct Passing<InOut<T>> : PassingBuffer<InOut<T>, Access::inout> {};

// The way in which a result comes back: as an argument is passed, with three exceptions.
template <typename T>
struct Returning {
    static constexpr Type type = Passing<T>::parameter.type;
    static_assert(type != Type::buffer, "a function returns no buffer: nobody would know its length");
    static T result(const Value& value) { return Passing<T>::result(value); }
};
template <>
struct Returning<void> {
    static constexpr Type type = Type::none;
    static void result(const Value&) {}
};
template <>
struct Returning<std::string> {
    static constexpr Type type = Type::text;
    static std::string result(const Value& value) { return value.text; }
};
template <>
struct Returning<const char*> {  // memory of the library: valid as long as it says
    static constexpr Type type = Type::pointer;
    static const char* result(const Value& value) { return static_cast<const char*>(value.as_pointer()); }
};

}  // namespace detail

template <typename Type>
class Function {
    static_assert(sizeof(Type) == 0, "wanted a function type without ..., such as double(int, float)");
};

// A function of an open library, which it keeps open. It may be copied.
//
// Result: what the function returns.
// Parameters: what it takes.
// Threads: any, of the process that opened the library. Calls of one library are made one after the other.
template <typename Result, typename... Parameters>
class Function<Result(Parameters...)> {
    // Refuses what cannot be passed here, not only when the function is called.
    static_assert(sizeof(detail::Returning<Result>) + (sizeof(detail::Passing<Parameters>) + ... + 0) > 0);

public:
    // Calls the function and waits for its result.
    //
    // values: borrowed, with what they refer to, until it has returned.
    // Errors: as Library::call.
    Result operator()(Parameters... values) const {
        const std::array<Argument, sizeof...(Parameters) + 1> arguments{
            detail::Passing<Parameters>::argument(values)...};
        const Value value = timeout_ == unset ? library_.call(symbol_, signature(), arguments.data())
                                              : library_.call(symbol_, signature(), arguments.data(), timeout_);
        return detail::Returning<Result>::result(value);
    }

    // Gives the same function with a deadline of its own.
    //
    // timeout: most that a call takes; `no_timeout` for as long as it wants.
    // Errors: none.
    Function within(Timeout timeout) const {
        Function copy = *this;
        copy.timeout_ = timeout;
        return copy;
    }

private:
    friend class Library;
    static constexpr bool returns_memory = std::is_same_v<Result, const char*>;
    static constexpr Timeout unset = Timeout::min();

    Function(Library library, Symbol symbol) : library_(std::move(library)), symbol_(std::move(symbol)) {}

    static const Signature& signature() {
        static const Signature described{detail::Returning<Result>::type, {detail::Passing<Parameters>::parameter...}};
        return described;
    }

    Library library_;
    Symbol symbol_;
    Timeout timeout_ = unset;
};

template <typename Type>
Function<Type> Library::function(const std::string& name) const {
    if constexpr (Function<Type>::returns_memory) refuse_addresses(name);
    return Function<Type>(*this, find(name));
}

}  // namespace chiphost::isolate
