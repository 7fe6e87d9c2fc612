// SPDX-License-Identifier: Apache-2.0
#include "call_arguments.h"

#include "call_frame.h"
#include "chiphost/abi/header.h"
#include "status/report.h"

namespace chiphost::isolate {

namespace {

bool is_float(Type type) {
    return type == Type::float32 || type == Type::float64;
}

// Compilers rely on small integers being extended, though no convention says so for 64 bits; and of a small result
// only the low bits are defined.
uint64_t extend(Type type, uint64_t word) {
    switch (type) {
        case Type::boolean:
            return (word & 0xff) != 0;
        case Type::int8:
            return static_cast<uint64_t>(int64_t{static_cast<int8_t>(word)});
        case Type::int16:
            return static_cast<uint64_t>(int64_t{static_cast<int16_t>(word)});
        case Type::int32:
            return static_cast<uint64_t>(int64_t{static_cast<int32_t>(word)});
        case Type::uint8:
            return static_cast<uint8_t>(word);
        case Type::uint16:
            return static_cast<uint16_t>(word);
        case Type::uint32:
        case Type::float32:
            return static_cast<uint32_t>(word);
        default:
            return word;
    }
}

}  // namespace

Status check_signature(const Signature& signature, const std::string& function, ch_error* out_error) {
    if (frame_integers == 0) {
        return report(out_error, CH_SIGNATURE_UNSUPPORTED, function,
                      "calls are made on x86-64 and AArch64 only; this is %s", CH_HOST_PROCESSOR);
    }
    if (signature.result == Type::buffer) {
        return report(out_error, CH_SIGNATURE_UNSUPPORTED, function,
                      "a result cannot be a buffer, whose length nobody would know; return a pointer or a text");
    }
    size_t integers = 0;
    size_t floats = 0;
    for (size_t i = 0; i < signature.parameters.size(); ++i) {
        const Type type = signature.parameters[i].type;
        if (type == Type::none) {
            return report(out_error, CH_SIGNATURE_UNSUPPORTED, function, "argument %zu cannot be void", i + 1);
        }
        ++(is_float(type) ? floats : integers);
    }
    const size_t on_stack = (integers > frame_integers ? integers - frame_integers : 0) +
                            (floats > CH_FRAME_FLOATS ? floats - CH_FRAME_FLOATS : 0);
    if (on_stack > CH_FRAME_STACK_WORDS) {
        return report(out_error, CH_SIGNATURE_UNSUPPORTED, function,
                      "of its %zu arguments, %zu find no register; wanted at most %d", signature.parameters.size(),
                      on_stack, CH_FRAME_STACK_WORDS);
    }
    return CH_OK;
}

void fill_frame(const Signature& signature, const Argument* arguments, ch_call_frame* out_frame) {
    out_frame->result_class = signature.result == Type::float32   ? CH_RESULT_FLOAT32
                              : signature.result == Type::float64 ? CH_RESULT_FLOAT64
                                                                  : CH_RESULT_INTEGER;
    size_t integers = 0;
    size_t floats = 0;
    uint32_t stack = 0;
    for (const Parameter& parameter : signature.parameters) {
        const Argument& argument = *arguments++;
        const bool in_memory = parameter.type == Type::buffer || parameter.type == Type::text;
        const uint64_t word =
            in_memory ? reinterpret_cast<uint64_t>(argument.data) : extend(parameter.type, argument.word);
        if (is_float(parameter.type) && floats < CH_FRAME_FLOATS) {
            out_frame->floats[floats++] = word;
        } else if (!is_float(parameter.type) && integers < frame_integers) {
            out_frame->integers[integers++] = word;
        } else {
            out_frame->stack[stack++] = word;
        }
    }
    out_frame->stack_count = stack;
}

Value read_result(Type type, uint64_t word) {
    Value value;
    value.word = type == Type::none ? 0 : extend(type, word);
    if (type == Type::text) {
        value.is_null = word == 0;
        if (word != 0) value.text = reinterpret_cast<const char*>(word);
    }
    return value;
}

}  // namespace chiphost::isolate
