// SPDX-License-Identifier: Apache-2.0
#include "worker/child_messages.h"

#include <gtest/gtest.h>
#include <string.h>

#include <memory>
#include <numeric>

#include "test_files.h"

namespace chiphost::worker {

namespace {

ch_binary binary_of(const char* data, const char* key, const char* name) {
    return {data, strlen(data), key, name};
}

struct TestCallable {
    const ch_kernel kernels[2] = {{3, CH_AIV, binary_of("first", "k1", "add")},
                                  {1023, CH_AIC, binary_of("", "k2", "")}};
    const ch_callable raw{CH_CALLABLE_FORMAT, 2, "the key", binary_of("code", "o", "graph"), "entry", kernels};
};

ch_tensor tensor_of(const void* data, uint32_t elements, ch_access access) {
    ch_tensor tensor{};
    tensor.data = reinterpret_cast<uint64_t>(data);
    tensor.shape[0] = elements;
    tensor.ndims = 1;
    tensor.dtype = CH_UINT8;
    tensor.access = static_cast<uint8_t>(access);
    return tensor;
}

// The texts that a reader finds in a copy of so many bytes, which ends where they do.
std::vector<std::string> texts_in(const std::string& bytes, size_t count, size_t reads) {
    const std::unique_ptr<char[]> copy(new char[count]);
    memcpy(copy.get(), bytes.data(), count);
    TextReader reader(copy.get(), count);
    std::vector<std::string> texts;
    for (size_t i = 0; i < reads; ++i) texts.emplace_back(reader.next());
    return texts;
}

class ArenaArgumentsTest : public testing::Test {
protected:
    ArenaArgumentsTest() {
        EXPECT_EQ(memory.create(), 0);
        std::iota(std::begin(data), std::end(data), uint8_t{0});
    }
    const RunMessage& write(const std::vector<ch_tensor>& tensors, bool kept = false) {
        args = {tensors.data(), scalars, static_cast<uint32_t>(tensors.size()), 2};
        EXPECT_EQ(arguments.write(memory, callable.raw, {5, kept}, args, {}, &error), CH_OK) << tests::text_of(error);
        return *memory.at<RunMessage>(0);
    }
    uint8_t* sent(const RunMessage& message, uint32_t tensor) {
        return memory.at<uint8_t>(memory.at<ch_tensor>(message.tensors)[tensor].data);
    }

    const TestCallable callable;
    const uint64_t scalars[2] = {7, UINT64_MAX};
    uint8_t data[200];
    isolate::SharedMemory memory;
    ArenaArguments arguments;
    ch_task_args args{};
    ch_error error = no_error();
};

}  // namespace

TEST(TextReader, GivesBackWhatWasWritten) {
    TextWriter writer;
    const std::string with_null("a\0b", 3);
    for (const std::string& text : {std::string("first"), std::string(), with_null, std::string(1000, 'x')}) {
        writer.add(text);
    }
    TextReader reader(writer.bytes().data(), writer.bytes().size());
    EXPECT_STREQ(reader.next().data(), "first") << "a text is a C string, too";
    const std::string_view empty = reader.next();
    EXPECT_EQ(empty, "");
    EXPECT_STREQ(empty.data(), "");
    EXPECT_EQ(reader.next(), with_null);
    EXPECT_EQ(reader.next(), std::string(1000, 'x'));
    for (int i = 0; i < 2; ++i) {
        EXPECT_EQ(reader.next().data(), nullptr) << "there are no more";
    }
}

TEST(TextReader, FindsNoTextThatIsCutOff) {
    TextWriter writer;
    writer.add("one");
    const size_t one = writer.bytes().size();
    writer.add("two");
    const size_t two = writer.bytes().size();
    for (size_t count = 0; count <= two; ++count) {
        const std::vector<std::string> expected{count >= one ? "one" : "", count >= two ? "two" : "", ""};
        EXPECT_EQ(texts_in(writer.bytes(), count, 3), expected) << count << " bytes";
    }
}

TEST(TextReader, EndsAtALengthThatCannotBe) {
    TextWriter behind;
    behind.add("behind");
    const uint64_t bytes = behind.bytes().size();
    for (const uint64_t length : {bytes, bytes + 1, UINT64_MAX, UINT64_MAX - 7, uint64_t{1} << 63}) {
        std::string corrupt(reinterpret_cast<const char*>(&length), sizeof length);
        corrupt += behind.bytes();
        EXPECT_EQ(texts_in(corrupt, corrupt.size(), 3), std::vector<std::string>(3)) << length;
    }
}

TEST(StoredCallable, IsACopy) {
    const TestCallable original;
    TextWriter writer;
    write_callable(original.raw, &writer);
    std::string message = writer.bytes();
    const StoredCallable stored(message);
    message.assign(message.size(), 'x');
    const ch_callable found = stored.raw(9);
    EXPECT_EQ(found.format, 9u) << "the format that was sent with this run";
    EXPECT_STREQ(found.key, "the key");
    EXPECT_STREQ(found.entry, "entry");
    EXPECT_NE(found.entry, original.raw.entry);
    ASSERT_EQ(found.kernel_count, 2u);
    const auto expect_equal = [](const ch_binary& copy, const ch_binary& source) {
        EXPECT_EQ(std::string_view(static_cast<const char*>(copy.data), copy.bytes),
                  std::string_view(static_cast<const char*>(source.data), source.bytes));
        EXPECT_STREQ(copy.key, source.key);
        EXPECT_STREQ(copy.name, source.name);
    };
    expect_equal(found.orchestration, original.raw.orchestration);
    for (uint32_t i = 0; i < 2; ++i) {
        EXPECT_EQ(found.kernels[i].func_id, original.kernels[i].func_id);
        EXPECT_EQ(found.kernels[i].core_type, original.kernels[i].core_type);
        expect_equal(found.kernels[i].binary, original.kernels[i].binary);
    }
}

TEST_F(ArenaArgumentsTest, ArriveAsTheyWere) {
    const RunMessage& message = write({tensor_of(data, 10, CH_IN), tensor_of(nullptr, 0, CH_OUT)});
    EXPECT_EQ(message.slot, 5u);
    ASSERT_EQ(message.tensor_count, 2u);
    ASSERT_EQ(message.scalar_count, 2u);
    EXPECT_EQ(memory.at<uint64_t>(message.scalars)[1], UINT64_MAX);
    EXPECT_EQ(memcmp(sent(message, 0), data, 10), 0);
    EXPECT_EQ(memory.at<ch_tensor>(message.tensors)[1].shape[0], 0u);
    EXPECT_EQ(message.config.struct_bytes, sizeof message.config);
    EXPECT_LE(static_cast<uint64_t>(sent(message, 0) + 10 - memory.at<uint8_t>(0)), message.end);
    ASSERT_EQ(message.callable_sent, 1u);
    const StoredCallable stored(std::string(memory.at(message.callable), message.callable_bytes));
    EXPECT_STREQ(stored.raw(message.callable_format).key, "the key");
}

TEST_F(ArenaArgumentsTest, BringNoCallableThatTheChildHas) {
    EXPECT_EQ(write({}).callable_sent, 1u);
    const RunMessage& message = write({}, true);
    EXPECT_EQ(message.callable_sent, 0u);
    EXPECT_EQ(message.callable_bytes, 0u);
}

TEST_F(ArenaArgumentsTest, OverlapAsTheyDidBefore) {
    const RunMessage& message =
        write({tensor_of(data + 10, 20, CH_IN), tensor_of(data + 25, 20, CH_OUT), tensor_of(data + 100, 5, CH_IN)});
    EXPECT_EQ(sent(message, 1) - sent(message, 0), 15);
    EXPECT_EQ(memcmp(sent(message, 1), data + 25, 20), 0);
    EXPECT_EQ(memcmp(sent(message, 2), data + 100, 5), 0);
}

TEST_F(ArenaArgumentsTest, BringBackWhatTheRunMayHaveWritten) {
    const std::vector<ch_tensor> tensors{tensor_of(data, 10, CH_IN), tensor_of(data + 20, 10, CH_OUT),
                                         tensor_of(data + 40, 10, CH_INOUT),
                                         tensor_of(data + 60, 10, CH_ACCESS_UNKNOWN), tensor_of(data + 80, 0, CH_OUT)};
    const RunMessage& message = write(tensors);
    for (uint32_t i = 0; i < 4; ++i) memset(sent(message, i), 255, 10);
    arguments.read_back(memory, args);
    for (uint32_t i = 0; i < sizeof data; ++i) {
        const bool written = i / 20 >= 1 && i / 20 <= 3 && i % 20 < 10;
        EXPECT_EQ(data[i], written ? 255 : i) << i;
    }
}

}  // namespace chiphost::worker
