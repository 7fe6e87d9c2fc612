// SPDX-License-Identifier: Apache-2.0
#include "isolate/call_arguments.h"

#include <gtest/gtest.h>
#include <string.h>

#include "isolate/call_frame.h"
#include "test_files.h"

namespace chiphost::isolate {

namespace {

// "" if functions of this signature can be called.
std::string refusal(const Signature& signature) {
    ch_error error = no_error();
    return check_signature(signature, "f", &error).ok() ? "" : tests::text_of(error);
}

Signature of_parameters(Type type, size_t count) {
    return {Type::none, std::vector<Parameter>(count, Parameter{type})};
}

// The frame's word for one argument that goes into a register for integers.
uint64_t integer_word(Type type, const Argument& argument) {
    ch_call_frame frame{};
    fill_frame({Type::none, {{type}}}, &argument, &frame);
    EXPECT_EQ(frame.stack_count, 0u);
    return frame.integers[0];
}

uint64_t integer_word(Type type, int64_t value) {
    return integer_word(type, Argument::integer(value));
}

}  // namespace

TEST(CallArguments, AreRefusedIfNobodyCouldPassThem) {
    EXPECT_EQ(refusal({Type::none, {}}), "");
    EXPECT_EQ(refusal({Type::buffer, {}}).find("SIGNATURE_UNSUPPORTED: f: a result cannot be a buffer"), 0u);
    EXPECT_EQ(refusal({Type::none, {{Type::int8}, {Type::none}}}),
              "SIGNATURE_UNSUPPORTED: f: argument 2 cannot be void");
}

TEST(CallArguments, AreRefusedIfThereIsNoRoom) {
    const size_t integers = frame_integers + CH_FRAME_STACK_WORDS, floats = CH_FRAME_FLOATS + CH_FRAME_STACK_WORDS;
    EXPECT_EQ(refusal(of_parameters(Type::buffer, integers)), "");
    EXPECT_NE(refusal(of_parameters(Type::buffer, integers + 1)), "");
    EXPECT_EQ(refusal(of_parameters(Type::float32, floats)), "");
    EXPECT_NE(refusal(of_parameters(Type::float32, floats + 1)), "");
    // Both kinds have registers of their own, and one stack.
    Signature both = of_parameters(Type::int8, integers);
    both.parameters.insert(both.parameters.end(), CH_FRAME_FLOATS, Parameter{Type::float64});
    EXPECT_EQ(refusal(both), "");
    both.parameters.push_back({Type::float64});
    EXPECT_EQ(refusal(both), "SIGNATURE_UNSUPPORTED: f: of its " + std::to_string(both.parameters.size()) +
                                 " arguments, 65 find no register; wanted at most 64");
}

TEST(CallArguments, AreExtendedByTheirType) {
    EXPECT_EQ(integer_word(Type::int8, 0x1ff), UINT64_MAX);
    EXPECT_EQ(integer_word(Type::int16, 0x1'8000), 0xffff'ffff'ffff'8000);
    EXPECT_EQ(integer_word(Type::int32, -2), UINT64_MAX - 1);
    EXPECT_EQ(integer_word(Type::int64, INT64_MIN), uint64_t{1} << 63);
    EXPECT_EQ(integer_word(Type::uint8, -1), 0xffu);
    EXPECT_EQ(integer_word(Type::uint16, -1), 0xffffu);
    EXPECT_EQ(integer_word(Type::uint32, -1), 0xffff'ffffu);
    EXPECT_EQ(integer_word(Type::uint64, -1), UINT64_MAX);
    EXPECT_EQ(integer_word(Type::boolean, 0x80), 1u) << "a bool is 0 or 1";
    EXPECT_EQ(integer_word(Type::boolean, 0), 0u);
}

TEST(CallArguments, AreAddressesOfTextsAndBuffers) {
    char data[4] = "abc";
    const auto address = reinterpret_cast<uint64_t>(data);
    EXPECT_EQ(integer_word(Type::buffer, Argument::buffer(data, sizeof data)), address);
    EXPECT_EQ(integer_word(Type::text, Argument::text(data)), address);
    EXPECT_EQ(integer_word(Type::pointer, Argument::pointer(data)), address);
    EXPECT_EQ(integer_word(Type::text, Argument::text(nullptr)), 0u);
    EXPECT_EQ(integer_word(Type::buffer, Argument::buffer(nullptr, 0)), 0u);
}

TEST(CallArguments, LieOnTheStackInTheOrderOfTheDeclaration) {
    Signature signature{Type::float32, {}};
    std::vector<Argument> arguments;
    for (size_t i = 0; i < 10; ++i) {
        signature.parameters.push_back({Type::uint64});
        arguments.push_back(Argument::integer(static_cast<int64_t>(i)));
        signature.parameters.push_back({Type::float64});
        arguments.push_back(Argument::float64(static_cast<double>(i)));
    }
    ch_call_frame frame{};
    fill_frame(signature, arguments.data(), &frame);
    EXPECT_EQ(frame.result_class, CH_RESULT_FLOAT32);
    for (size_t i = 0; i < frame_integers; ++i) EXPECT_EQ(frame.integers[i], i);
    for (size_t i = 0; i < CH_FRAME_FLOATS; ++i) EXPECT_EQ(frame.floats[i], arguments[2 * i + 1].word);
    std::vector<uint64_t> left;
    for (size_t i = 0; i < 10; ++i) {
        if (i >= frame_integers) left.push_back(i);
        if (i >= CH_FRAME_FLOATS) left.push_back(arguments[2 * i + 1].word);
    }
    EXPECT_EQ(std::vector<uint64_t>(frame.stack, frame.stack + frame.stack_count), left);
}

TEST(CallArguments, AreOfTheResultsClass) {
    for (const auto& [type, expected] : {std::pair{Type::float32, CH_RESULT_FLOAT32},
                                         {Type::float64, CH_RESULT_FLOAT64},
                                         {Type::none, CH_RESULT_INTEGER},
                                         {Type::text, CH_RESULT_INTEGER}}) {
        ch_call_frame frame{};
        fill_frame({type, {}}, nullptr, &frame);
        EXPECT_EQ(frame.result_class, static_cast<uint32_t>(expected));
    }
}

TEST(CallArguments, MakeAResultOfTheBitsThatMeanSomething) {
    EXPECT_EQ(read_result(Type::int8, 0xabcd'ef80).as_integer(), -128);
    EXPECT_EQ(read_result(Type::uint32, UINT64_MAX).as_integer(), 0xffff'ffff);
    EXPECT_EQ(read_result(Type::boolean, 0xff00).as_integer(), 0) << "only the low byte is a bool";
    EXPECT_EQ(read_result(Type::none, UINT64_MAX).word, 0u);
    EXPECT_EQ(read_result(Type::float32, 0xabcd'ef01'3f80'0000).as_float32(), 1.0f);
    EXPECT_EQ(read_result(Type::float32, 0xabcd'ef01'3f80'0000).word, 0x3f80'0000u);
    EXPECT_TRUE(read_result(Type::text, 0).is_null);
    const Value text = read_result(Type::text, reinterpret_cast<uint64_t>(""));
    EXPECT_FALSE(text.is_null);
    EXPECT_EQ(text.text, "");
}

}  // namespace chiphost::isolate
