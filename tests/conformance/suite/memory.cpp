// SPDX-License-Identifier: Apache-2.0
//
// Device memory. Needs open_device, close_device, allocate, allocate_zeroed, release and the two copies.
#include <algorithm>

#include "bench.h"
#include "status/report.h"

namespace chiphost::conformance {

namespace {

constexpr uint64_t limit_bytes = 512 << 10;

void open_and_close(const Bench& bench) {
    for (int round = 0; round < 3; ++round) bench.open();
}

void aligned(const Bench& bench) {
    const OpenDevice device = bench.open();
    for (uint64_t bytes : {1, 8, 63, 64, 65, 1000, 4097, 70000}) {
        for (const bool zeroed : {false, true}) {
            const uint64_t address = zeroed ? device.allocate_zeroed(bytes) : device.allocate(bytes);
            check(address != 0, "%llu bytes are at address 0", static_cast<unsigned long long>(bytes));
            check(address % 64 == 0, "%llu bytes are at 0x%llx, which is no multiple of 64",
                  static_cast<unsigned long long>(bytes), static_cast<unsigned long long>(address));
        }
    }
}

void zero_bytes(const Bench& bench) {
    const OpenDevice device = bench.open();
    const uint64_t first = device.allocate(0), second = device.allocate_zeroed(0);
    check(first != 0 && second != 0 && first != second, "two allocations of 0 bytes are at 0x%llx and 0x%llx",
          static_cast<unsigned long long>(first), static_cast<unsigned long long>(second));
    device.fill(first, 1, 7);
    check(device.read(first, 1)[0] == 7, "an allocation of 0 bytes holds no byte");
    device.release(first);
    device.release(second);
}

// Blocks of many sizes, each filled with a byte of its own, all of them still there at the end.
void apart(const Bench& bench) {
    const OpenDevice device = bench.open();
    struct Block {
        uint64_t address, bytes;
    };
    std::vector<Block> blocks;
    for (uint64_t i = 0; i < 48; ++i) {
        const uint64_t bytes = 1 + i * i * 3 % 5000;
        blocks.push_back({i % 3 == 2 ? device.allocate_zeroed(bytes) : device.allocate(bytes), bytes});
        device.fill(blocks.back().address, bytes, static_cast<unsigned char>(i + 1));
    }
    for (uint64_t i = 0; i < blocks.size(); ++i) {
        const std::vector<unsigned char> content = device.read(blocks[i].address, blocks[i].bytes);
        const auto wrong = std::find_if(content.begin(), content.end(), [&](unsigned char c) { return c != i + 1; });
        check(wrong == content.end(), "block %llu of %llu bytes has a byte of block %d: they overlap",
              static_cast<unsigned long long>(i), static_cast<unsigned long long>(blocks[i].bytes),
              wrong == content.end() ? 0 : *wrong - 1);
    }
    std::sort(blocks.begin(), blocks.end(), [](const Block& a, const Block& b) { return a.address < b.address; });
    for (size_t i = 1; i < blocks.size(); ++i) {
        check(blocks[i - 1].address + blocks[i - 1].bytes <= blocks[i].address, "blocks at 0x%llx and 0x%llx overlap",
              static_cast<unsigned long long>(blocks[i - 1].address),
              static_cast<unsigned long long>(blocks[i].address));
    }
}

// This holds also for memory that was in use before, of small and of large sizes.
void zeroed(const Bench& bench) {
    const OpenDevice device = bench.open();
    for (uint64_t bytes : {1, 100, 4096, 70000, 200000}) {
        const uint64_t used = device.allocate(bytes);
        device.fill(used, bytes, 0xA5);
        device.release(used);
        const uint64_t address = device.allocate_zeroed(bytes);
        const std::vector<unsigned char> content = device.read(address, bytes);
        const auto wrong = std::find_if(content.begin(), content.end(), [](unsigned char c) { return c != 0; });
        check(wrong == content.end(), "byte %lld of %llu is 0x%02x; wanted 0",
              static_cast<long long>(wrong - content.begin()), static_cast<unsigned long long>(bytes),
              wrong == content.end() ? 0 : *wrong);
        device.release(address);
    }
}

void release_one(const Bench& bench) {
    const OpenDevice device = bench.open();
    constexpr uint64_t bytes = 3000;
    uint64_t blocks[5];
    for (unsigned char i = 0; i < 5; ++i) {
        blocks[i] = device.allocate(bytes);
        device.fill(blocks[i], bytes, static_cast<unsigned char>(i + 1));
    }
    device.release(blocks[1]);
    device.release(blocks[3]);
    // A new block must not get the memory of one that is in use.
    for (int i = 0; i < 8; ++i) device.fill(device.allocate(bytes), bytes, 0xEE);
    for (const int i : {0, 2, 4}) {
        const std::vector<unsigned char> content = device.read(blocks[i], bytes);
        const auto wrong = std::find_if(content.begin(), content.end(), [&](unsigned char c) { return c != i + 1; });
        check(wrong == content.end(), "release of another block took block %d: it was given away again", i);
    }
}

// Released memory can be allocated again, for ever.
void release_gives_back(const Bench& bench) {
    ch_device_options options = bench.options();
    options.device_memory_bytes = limit_bytes;
    const OpenDevice device(options);
    for (int round = 0; round < 50; ++round) {
        const uint64_t first = device.allocate(limit_bytes / 2), second = device.allocate_zeroed(limit_bytes / 4);
        device.release(round % 2 ? first : second);
        device.release(round % 2 ? second : first);
    }
}

void limit(const Bench& bench) {
    ch_device_options options = bench.options();
    options.device_memory_bytes = limit_bytes;
    const OpenDevice device(options);
    const uint64_t half = device.allocate(limit_bytes / 2);
    for (const bool zeroed : {false, true}) {
        const uint64_t wanted = limit_bytes * 3 / 4 + 3;
        uint64_t address = 0;
        ch_error error = no_error();
        const int32_t code =
            (zeroed ? platform::allocate_zeroed : platform::allocate)(device.get(), wanted, &address, &error);
        fail_with({CH_DEVICE_MEMORY_EXHAUSTED}, code, error, "allocate of more than device_memory_bytes");
        check(std::string(error.message).find(std::to_string(wanted)) != std::string::npos,
              "the message does not say that %llu bytes were wanted: %s", static_cast<unsigned long long>(wanted),
              error.message);
    }
    device.release(device.allocate(limit_bytes / 4));
    device.release(half);
    device.allocate(limit_bytes * 3 / 4 + 3);
}

// A device without a limit of its own has as much memory as the chip. (Sizes near 2^64 must not wrap round.)
void chip_limit(const Bench& bench) {
    const OpenDevice device = bench.open();
    for (uint64_t wanted : {chip.memory_bytes + 1, uint64_t{1} << 62, UINT64_MAX - 70, UINT64_MAX}) {
        uint64_t address = 0;
        ch_error error = no_error();
        const int32_t code = platform::allocate(device.get(), wanted, &address, &error);
        fail_with({CH_DEVICE_MEMORY_EXHAUSTED}, code, error, "allocate of more than the chip has");
    }
    device.release(device.allocate(100));
}

}  // namespace

Cases memory_cases() {
    return {
        {"memory.open_and_close", "PLAT-01", open_and_close},
        {"memory.aligned", "PLAT-02", aligned},
        {"memory.zero_bytes", "PLAT-03", zero_bytes},
        {"memory.apart", "PLAT-04", apart},
        {"memory.zeroed", "PLAT-05", zeroed},
        {"memory.release_one", "PLAT-06", release_one},
        {"memory.release_gives_back", "PLAT-06", release_gives_back},
        {"memory.limit", "PLAT-07", limit},
        {"memory.chip_limit", "PLAT-07", chip_limit},
    };
}

}  // namespace chiphost::conformance
