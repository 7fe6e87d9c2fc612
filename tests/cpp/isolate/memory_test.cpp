// SPDX-License-Identifier: Apache-2.0
//
// Memory on a library's side: the same under every strategy. Every test runs in a process of its own.
#include "chiphost/isolate/memory.h"

#include <stdint.h>

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "chiphost/isolate/library.h"
#include "random_seed.h"
#include "test_files.h"

namespace chiphost::isolate {

using tests::library_path;
using namespace std::chrono_literals;

namespace {

Library open(Strategy strategy) {
    Options options;
    options.strategy = strategy;
    return Library::open(library_path("signatures"), options);
}

template <typename Body>
std::pair<ch_code, std::string> error_of(Body&& body) {
    try {
        body();
    } catch (const Error& error) {
        return {error.code(), error.message()};
    }
    return {CH_OK, "no error"};
}

// The type of the same name in signatures.cpp.
struct Node {
    const double* values;
    uint64_t count;
    const Node* next;
};

Memory copy_of(const Library& library, const void* data, size_t bytes) {
    Memory memory = library.alloc(bytes);
    memory.write(data, bytes);
    return memory;
}

// A list of nodes, one for each row.
Memory list_of(const Library& library, const std::vector<std::vector<double>>& rows) {
    const Node* next = nullptr;
    std::vector<Memory> nodes;
    for (auto row = rows.rbegin(); row != rows.rend(); ++row) {
        const Node node{copy_of(library, row->data(), row->size() * sizeof(double)).as<double>(), row->size(), next};
        nodes.push_back(copy_of(library, &node, sizeof node));
        next = nodes.back().as<Node>();
    }
    return nodes.back();
}

class LibraryMemory : public testing::TestWithParam<Strategy> {
protected:
    Library library = open(GetParam());
};

std::string name_of(const testing::TestParamInfo<Strategy>& info) {
    return strategy_name(info.param);
}

#if CHIPHOST_SANITIZED  // H10
const auto strategies = testing::Values(Strategy::copy, Strategy::process);
#else
const auto strategies = testing::Values(Strategy::copy, Strategy::link_namespace, Strategy::process);
#endif
INSTANTIATE_TEST_SUITE_P(Strategies, LibraryMemory, strategies, name_of);

}  // namespace

TEST_P(LibraryMemory, HoldsWhatPointsToMore) {
    const Memory list = list_of(library, {{1, 2, 3}, {4.5}, {-1, 0.25}});
    EXPECT_EQ(library.function<double(void*)>("sum_of_list")(list.as<void>()), 9.75);
}

TEST_P(LibraryMemory, StaysBetweenCallsWithoutAHandle) {
    library.function<void(void*)>("keep_list")(list_of(library, {{1, 2}, {3}}).as<void>());
    const auto sum = library.function<double()>("sum_of_kept_list");
    for (int i = 0; i < 100; ++i) library.alloc(4096).free();
    EXPECT_EQ(sum(), 6);
}

TEST_P(LibraryMemory, IsWrittenByTheLibrary) {
    const Memory values = library.alloc(5 * sizeof(int32_t));
    library.function<void(void*, uint64_t, int32_t)>("fill")(values.as<int32_t>() + 1, 3, 7);
    std::vector<int32_t> found(5, -1);
    values.read(found.data(), 5 * sizeof(int32_t));
    EXPECT_EQ(found, (std::vector<int32_t>{0, 7, 7, 7, 0}));
    values.read(found.data(), 2 * sizeof(int32_t), 3 * sizeof(int32_t));
    EXPECT_EQ(found[0], 7);
    EXPECT_EQ(found[1], 0);
}

TEST_P(LibraryMemory, IsZeroAndAligned) {
    for (const size_t bytes : {size_t{1}, size_t{64}, size_t{1000}, size_t{1} << 20}) {
        const Memory memory = library.alloc(bytes);
        EXPECT_EQ(memory.bytes(), bytes);
        EXPECT_EQ(memory.address() % 64, 0u);
        std::vector<char> found(bytes, 1);
        memory.read(found.data(), bytes);
        EXPECT_EQ(std::count(found.begin(), found.end(), 0), static_cast<std::ptrdiff_t>(bytes));
        std::fill(found.begin(), found.end(), 1);
        memory.write(found.data(), bytes);  // the bytes must not show in the next block
        memory.free();
    }
}

// The block has more bytes than are copied to a child at once; they are written at any place.
TEST_P(LibraryMemory, KeepsWhatIsWritten) {
    constexpr size_t size = (40 << 20) + 13;
    const tests::RandomSeed seed;
    std::mt19937_64 random(seed.value());
    std::vector<uint8_t> expected(size);
    const Memory memory = library.alloc(size);
    for (int i = 0; i < 6; ++i) {
        const size_t first = i == 0 ? 0 : random() % size;
        std::vector<uint8_t> part(i == 0 ? size : random() % (size - first) + 1);
        for (uint8_t& byte : part) byte = static_cast<uint8_t>(random());
        std::copy(part.begin(), part.end(), expected.begin() + static_cast<std::ptrdiff_t>(first));
        memory.write(part.data(), part.size(), first);
    }
    std::vector<uint8_t> found(size);
    memory.read(found.data(), size);
    EXPECT_TRUE(found == expected);
}

TEST_P(LibraryMemory, IsNotReadOrWrittenBeyondItsEnds) {
    const Memory memory = library.alloc(16);
    std::vector<char> data(64, 1);
    for (const auto& [bytes, offset] : std::vector<std::pair<size_t, size_t>>{
             {17, 0}, {1, 16}, {0, 17}, {9, 8}, {1, SIZE_MAX}, {SIZE_MAX, 1}, {16, SIZE_MAX - 7}}) {
        const std::string words = "wanted " + std::to_string(bytes) + " bytes from byte " + std::to_string(offset) +
                                  " on, of memory that has 16";
        EXPECT_EQ(error_of([&, b = bytes, o = offset] { memory.write(data.data(), b, o); }),
                  std::pair(CH_INVALID_ARGUMENT, words));
        EXPECT_EQ(error_of([&, b = bytes, o = offset] { memory.read(data.data(), b, o); }),
                  std::pair(CH_INVALID_ARGUMENT, words));
    }
    EXPECT_EQ(data, std::vector<char>(64, 1));
    memory.write(data.data(), 0, 16);
    memory.read(data.data(), 16);
    EXPECT_EQ(std::count(data.begin(), data.begin() + 16, 0), 16);
}

TEST_P(LibraryMemory, CannotBeUsedOnceItIsFreed) {
    const Memory memory = library.alloc(32);
    const Memory same = memory;
    memory.free();
    memory.free();
    const Memory next = library.alloc(32);  // maybe at the same address
    char byte = 0;
    for (const Memory& freed : {memory, same}) {
        const auto [code, words] = error_of([&] { freed.write(&byte, 1); });
        EXPECT_EQ(code, CH_INVALID_ARGUMENT);
        EXPECT_NE(words.find("(32 bytes) was freed"), std::string::npos) << words;
        freed.free();  // not the other's
    }
    next.write(&byte, 1);
}

TEST_P(LibraryMemory, OfNoOrTooManyBytesIsAnError) {
    EXPECT_EQ(error_of([&] { library.alloc(0); }), std::pair(CH_INVALID_ARGUMENT, std::string("wanted 1 byte or more, "
                                                                                              "found 0")));
#if !CHIPHOST_SANITIZED  // these report it themselves
    for (const size_t bytes : {size_t{1} << 60, SIZE_MAX, SIZE_MAX - 100}) {
        EXPECT_EQ(
            error_of([&] { library.alloc(bytes); }),
            std::pair(CH_HOST_MEMORY_EXHAUSTED, "the system has no " + std::to_string(bytes) + " bytes of memory"));
    }
#endif
    EXPECT_EQ(library.function<int32_t()>("next_call")(), 1);
}

TEST_P(LibraryMemory, GoesWithItsLibrary) {
    const Memory memory = library.alloc(8);
    char byte = 0;
    EXPECT_EQ(library.close().text(), "unloaded");
    for (const auto& [code, words] : {error_of([&] { memory.read(&byte, 1); }), error_of([&] { memory.free(); }),
                                      error_of([&] { library.alloc(8); })}) {
        EXPECT_EQ(code, CH_FINALIZED) << words;
    }
    auto other = std::make_unique<Library>(open(GetParam()));
    const Memory left = other->alloc(8);
    other.reset();
    EXPECT_EQ(error_of([&] { left.write(&byte, 1); }), std::pair(CH_FINALIZED, std::string("the library was closed")));
}

// A call that never returns goes on using its memory: it is not freed, and nobody else may have it.
TEST_P(LibraryMemory, OfAPoisonedLibraryIsLeft) {
    const Memory memory = library.alloc(8);
    EXPECT_EQ(error_of([&] { library.function<void()>("never_return").within(50ms)(); }).first, CH_DEADLINE_EXCEEDED);
    char byte = 0;
    EXPECT_EQ(error_of([&] { memory.read(&byte, 1); }).first, CH_POISONED);
    EXPECT_EQ(error_of([&] { memory.free(); }).first, CH_POISONED);
    if (GetParam() == Strategy::process) return;
    *memory.as<volatile char>() = 1;
    library.close();
    *memory.as<volatile char>() = 2;
}

TEST_P(LibraryMemory, MayBeUsedFromManyThreads) {
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&, i] {
            for (int n = 0; n < 50; ++n) {
                const std::vector<double> row(static_cast<size_t>(n + 1), i + 1);
                const Memory values = copy_of(library, row.data(), row.size() * sizeof(double));
                const Node node{values.as<double>(), row.size(), nullptr};
                const Memory list = copy_of(library, &node, sizeof node);
                ASSERT_EQ(library.function<double(void*)>("sum_of_list")(list.as<void>()), (i + 1) * (n + 1));
                values.free();
                list.free();
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
}

}  // namespace chiphost::isolate
