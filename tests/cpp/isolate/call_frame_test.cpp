// SPDX-License-Identifier: Apache-2.0
#include "isolate/call_frame.h"

#include <gtest/gtest.h>
#include <string.h>
#include <stdexcept>

#include <string>
#include <utility>

#include "isolate/call_arguments.h"
#include "test_files.h"

namespace chiphost::isolate {

namespace {

template <size_t>
using Integer = uint64_t;

// A function of so many arguments, whose result tells each of them and their order.
template <typename Sequence>
struct Sum;
template <size_t... I>
struct Sum<std::index_sequence<I...>> {
    static uint64_t of(Integer<I>... values) {
        uint64_t sum = 0;
        ((sum = sum * 31 + values), ...);
        return sum;
    }
};

// Calls it by a frame, with 1, 2, 3 and so on.
template <size_t count>
void expect_sum() {
    Signature signature{Type::uint64, {}};
    std::vector<Argument> arguments;
    uint64_t expected = 0;
    for (size_t i = 0; i < count; ++i) {
        signature.parameters.push_back({Type::uint64});
        arguments.push_back(Argument::integer(static_cast<int64_t>(i + 1)));
        expected = expected * 31 + i + 1;
    }
    ch_error error = no_error();
    ASSERT_EQ(check_signature(signature, "sum", &error), CH_OK) << tests::text_of(error);
    ch_call_frame frame{};
    frame.function = reinterpret_cast<void*>(&Sum<std::make_index_sequence<count>>::of);
    fill_frame(signature, arguments.data(), &frame);
    EXPECT_EQ(frame.stack_count, count > frame_integers ? count - frame_integers : 0);
    ch_call_outcome outcome{};
    ASSERT_EQ(call_frame(frame, &outcome), CH_OK);
    EXPECT_EQ(outcome.word, expected) << count << " arguments";
}

// All arguments that find no register are among words that nobody has declared.
std::string all_kinds(int8_t a, double b, uint16_t c, float d, const char* e, int64_t f, double g, bool h, int32_t i,
                      float j, uint8_t k, double l, double m, double n, float o, double p, int16_t q, double r) {
    std::string text;
    for (const int64_t number : {int64_t{a}, int64_t{c}, f, int64_t{h}, int64_t{i}, int64_t{k}, int64_t{q}}) {
        text += std::to_string(number) + " ";
    }
    for (const double number : {b, double{d}, g, double{j}, l, m, n, double{o}, p, r}) {
        text += std::to_string(static_cast<int>(number * 4)) + " ";
    }
    return text + e;
}

std::string said;
void say_all_kinds(int8_t a, double b, uint16_t c, float d, const char* e, int64_t f, double g, bool h, int32_t i,
                   float j, uint8_t k, double l, double m, double n, float o, double p, int16_t q, double r) {
    said = all_kinds(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r);
}

// Calls a function without parameters.
template <typename Result>
Value result_of(Type type, Result (*function)(), int32_t* out_code = nullptr, ch_call_outcome* out_outcome = nullptr) {
    ch_call_frame frame{};
    frame.function = reinterpret_cast<void*>(function);
    fill_frame({type, {}}, nullptr, &frame);
    ch_call_outcome outcome{};
    const int32_t code = call_frame(frame, &outcome);
    if (out_code) *out_code = code;
    if (out_outcome) *out_outcome = outcome;
    return read_result(type, outcome.word);
}

}  // namespace

TEST(CallFrame, PassesEveryNumberOfArguments) {
    expect_sum<0>();
    expect_sum<1>();
    expect_sum<frame_integers>();
    expect_sum<frame_integers + 1>();
    expect_sum<frame_integers + 8>();
    expect_sum<frame_integers + 9>();
    expect_sum<frame_integers + CH_FRAME_STACK_WORDS>();
}

TEST(CallFrame, PassesEveryKindOfArgument) {
    const Signature signature{Type::none,
                              {{Type::int8},
                               {Type::float64},
                               {Type::uint16},
                               {Type::float32},
                               {Type::text},
                               {Type::int64},
                               {Type::float64},
                               {Type::boolean},
                               {Type::int32},
                               {Type::float32},
                               {Type::uint8},
                               {Type::float64},
                               {Type::float64},
                               {Type::float64},
                               {Type::float32},
                               {Type::float64},
                               {Type::int16},
                               {Type::float64}}};
    const Argument arguments[] = {Argument::integer(-1),    Argument::float64(0.25), Argument::integer(65'535),
                                  Argument::float32(-0.5f), Argument::text("words"), Argument::integer(INT64_MIN),
                                  Argument::float64(0.75),  Argument::integer(1),    Argument::integer(INT32_MIN),
                                  Argument::float32(1.25f), Argument::integer(255),  Argument::float64(1.5),
                                  Argument::float64(1.75),  Argument::float64(-2),   Argument::float32(2.25f),
                                  Argument::float64(2.5),   Argument::integer(-300), Argument::float64(2.75)};
    ch_call_frame frame{};
    frame.function = reinterpret_cast<void*>(&say_all_kinds);
    fill_frame(signature, arguments, &frame);
    ch_call_outcome outcome{};
    ASSERT_EQ(call_frame(frame, &outcome), CH_OK);
    EXPECT_EQ(said, all_kinds(-1, 0.25, 65'535, -0.5f, "words", INT64_MIN, 0.75, true, INT32_MIN, 1.25f, 255, 1.5, 1.75,
                              -2, 2.25f, 2.5, -300, 2.75));
}

TEST(CallFrame, ReturnsEveryKindOfResult) {
    EXPECT_EQ(result_of<int8_t>(Type::int8, [] { return int8_t{-5}; }).as_integer(), -5);
    EXPECT_EQ(result_of<uint16_t>(Type::uint16, [] { return uint16_t{65'535}; }).as_integer(), 65'535);
    EXPECT_EQ(result_of<int32_t>(Type::int32, [] { return INT32_MIN; }).as_integer(), INT32_MIN);
    EXPECT_EQ(result_of<uint64_t>(Type::uint64, [] { return UINT64_MAX; }).word, UINT64_MAX);
    EXPECT_EQ(result_of<bool>(Type::boolean, [] { return true; }).as_integer(), 1);
    EXPECT_EQ(result_of<float>(Type::float32, [] { return -0.5f; }).as_float32(), -0.5f);
    EXPECT_EQ(result_of<double>(Type::float64, [] { return 1e300; }).as_float64(), 1e300);
    EXPECT_EQ(result_of<void*>(Type::pointer, []() -> void* { return &said; }).as_pointer(), &said);
    EXPECT_EQ(result_of<const char*>(Type::text, [] { return "words"; }).text, "words");
    EXPECT_EQ(result_of<void>(Type::none, [] {}).word, 0u);
}

TEST(CallFrame, KeepsExceptionsIn) {
    int32_t code = CH_OK;
    ch_call_outcome outcome{};
    result_of<int32_t>(Type::int32, []() -> int32_t { throw std::runtime_error("it fell"); }, &code, &outcome);
    EXPECT_EQ(code, CH_FUNCTION_THREW);
    EXPECT_STREQ(outcome.exception, "it fell");
    result_of<double>(Type::float64, []() -> double { throw 3; }, &code, &outcome);
    EXPECT_EQ(code, CH_FUNCTION_THREW);
    EXPECT_STREQ(outcome.exception, "not a std::exception");
    result_of<void>(
        Type::none, [] { throw std::runtime_error(std::string(2 * CH_EXCEPTION_BYTES, 'x')); }, &code, &outcome);
    EXPECT_EQ(code, CH_FUNCTION_THREW);
    EXPECT_EQ(strnlen(outcome.exception, sizeof outcome.exception), sizeof outcome.exception - 1);
}

}  // namespace chiphost::isolate
