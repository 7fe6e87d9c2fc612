// SPDX-License-Identifier: Apache-2.0
#include "call_frame.h"

#include <string.h>

#include <exception>
#include <utility>

#include "status/report.h"

namespace chiphost::isolate {

namespace {

template <typename To, typename From>
To bits(From from) {
    To to{};
    memcpy(&to, &from, sizeof from < sizeof to ? sizeof from : sizeof to);  // little-endian
    return to;
}

template <size_t>
using Integer = uint64_t;
template <size_t>
using Float = double;

// Both conventions fill integer and floating-point registers independently of each other, and put what is left on the
// stack in its order, a word each. So a function that takes all registers and some words more is called exactly as the
// real one. Words that it has not declared do no harm: the caller removes them.
template <typename Result, size_t... I, size_t... F, size_t... S>
#if defined(__clang__)
__attribute__((no_sanitize("function")))
#endif
Result
call_as(const ch_call_frame& frame, std::index_sequence<I...>, std::index_sequence<F...>, std::index_sequence<S...>) {
    using Function = Result (*)(Integer<I>..., Float<F>..., Integer<S>...);
    return reinterpret_cast<Function>(frame.function)(frame.integers[I]..., bits<double>(frame.floats[F])...,
                                                      frame.stack[S]...);
}

template <typename Result, size_t stack_words>
Result call_with_stack(const ch_call_frame& frame) {
    return call_as<Result>(frame, std::make_index_sequence<frame_integers>{},
                           std::make_index_sequence<CH_FRAME_FLOATS>{}, std::make_index_sequence<stack_words>{});
}

template <typename Result>
uint64_t call(const ch_call_frame& frame) {
    if (frame.stack_count == 0) return bits<uint64_t>(call_with_stack<Result, 0>(frame));
    if (frame.stack_count <= 8) return bits<uint64_t>(call_with_stack<Result, 8>(frame));
    return bits<uint64_t>(call_with_stack<Result, CH_FRAME_STACK_WORDS>(frame));
}

}  // namespace

int32_t call_frame(const ch_call_frame& frame, ch_call_outcome* out_outcome) {
    try {
        switch (frame.result_class) {
            case CH_RESULT_FLOAT32:
                out_outcome->word = call<float>(frame);
                break;
            case CH_RESULT_FLOAT64:
                out_outcome->word = call<double>(frame);
                break;
            default:
                out_outcome->word = call<uint64_t>(frame);
        }
        return CH_OK;
    } catch (const std::exception& error) {
        copy_text(out_outcome->exception, sizeof out_outcome->exception, error.what());
    } catch (...) {
        copy_text(out_outcome->exception, sizeof out_outcome->exception, "not a std::exception");
    }
    return CH_FUNCTION_THREW;
}

}  // namespace chiphost::isolate
