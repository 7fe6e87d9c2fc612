// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include <algorithm>

#include "bench.h"
#include "status/report.h"

namespace chiphost::conformance {

namespace {

constexpr unsigned char untouched = 0x5A;
constexpr uint64_t sizes[] = {1, 2, 7, 63, 64, 65, 1000, 4096, 65537};
constexpr uint64_t offsets[] = {0, 1, 31, 64};
constexpr uint64_t margin = 128;

std::vector<unsigned char> pattern(uint64_t bytes) {
    std::vector<unsigned char> result(bytes);
    for (uint64_t i = 0; i < bytes; ++i)
        result[i] = static_cast<unsigned char>(argument(bytes, static_cast<uint32_t>(i)) >> 56);
    return result;
}

// Checks for `content` at `offset`, and `untouched` all round.
void check_bytes(const std::vector<unsigned char>& found, const std::vector<unsigned char>& content, uint64_t offset,
                 const char* call) {
    for (uint64_t i = 0; i < found.size(); ++i) {
        const bool inside = i >= offset && i < offset + content.size();
        const int wanted = inside ? content[i - offset] : untouched;
        check(found[i] == wanted, "%s of %llu bytes: byte %lld is 0x%02x; wanted 0x%02x", call,
              static_cast<unsigned long long>(content.size()), static_cast<long long>(i - offset), found[i], wanted);
    }
}

void to_device(const Bench& bench) {
    const OpenDevice device = bench.open();
    for (uint64_t bytes : sizes) {
        for (uint64_t offset : offsets) {
            const std::vector<unsigned char> content = pattern(bytes);
            const uint64_t whole = offset + bytes + margin;
            const uint64_t address = device.allocate(whole);
            device.fill(address, whole, untouched);
            device.write(address + offset, content.data(), bytes);
            check_bytes(device.read(address, whole), content, offset, "copy_to_device");
            device.release(address);
        }
    }
}

void from_device(const Bench& bench) {
    const OpenDevice device = bench.open();
    for (uint64_t bytes : sizes) {
        for (uint64_t offset : offsets) {
            const std::vector<unsigned char> content = pattern(bytes);
            const uint64_t address = device.allocate(offset + bytes);
            device.write(address + offset, content.data(), bytes);
            std::vector<unsigned char> found(offset + bytes + margin, untouched);
            device.read(found.data() + offset, address + offset, bytes);
            check_bytes(found, content, offset, "copy_from_device");
            device.release(address);
        }
    }
}

void nothing(const Bench& bench) {
    const OpenDevice device = bench.open();
    const uint64_t address = device.allocate(64);
    device.fill(address, 64, untouched);
    for (uint64_t to : {address, uint64_t{0}}) {
        device.write(to, nullptr, 0);
        device.read(nullptr, to, 0);
    }
    check_bytes(device.read(address, 64), {}, 0, "a copy of 0 bytes");
}

// The host's memory is the caller's again as soon as a copy has returned.
void complete(const Bench& bench) {
    const OpenDevice device = bench.open();
    constexpr uint64_t bytes = 100000;
    std::vector<unsigned char> host(bytes, 1);
    const uint64_t address = device.allocate(bytes);
    device.write(address, host.data(), bytes);
    std::fill(host.begin(), host.end(), untouched);
    const std::vector<unsigned char> found = device.read(address, bytes);
    check(std::count(found.begin(), found.end(), 1) == static_cast<long>(bytes),
          "the device got what the host wrote after copy_to_device had returned");
}

}  // namespace

Cases copy_cases() {
    return {
        {"copies.to_device", "PLAT-08", to_device},
        {"copies.from_device", "PLAT-08", from_device},
        {"copies.nothing", "PLAT-09", nothing},
        {"copies.complete", "PLAT-10", complete},
    };
}

}  // namespace chiphost::conformance
