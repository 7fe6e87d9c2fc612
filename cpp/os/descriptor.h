// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <utility>

namespace chiphost::os {

// Owns a file descriptor.
class Descriptor {
public:
    explicit Descriptor(int number = -1) : number_(number) {}
    Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        std::swap(number_, other.number_);
        return *this;
    }
    ~Descriptor() { reset(); }

    bool ok() const { return number_ >= 0; }
    int get() const { return number_; }
    void reset() {
        if (ok()) close(std::exchange(number_, -1));
    }

private:
    int number_;
};

// Takes a descriptor over, under a number that is no standard stream's (0 to 2): a child has its own uses for those.
inline Descriptor above_streams(int number) {
    if (number < 0 || number > STDERR_FILENO) return Descriptor(number);
    const Descriptor low(number);
    return Descriptor(fcntl(number, F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
}

}  // namespace chiphost::os
