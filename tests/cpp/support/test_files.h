// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "chiphost/abi/callable.h"
#include "status/report.h"

namespace chiphost::tests {

inline std::string library_path(const std::string& name) {
    return std::string(CHIPHOST_TEST_LIBRARIES) + "/" + name + ".so";
}

inline std::vector<char> bytes_of(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    EXPECT_TRUE(file.good()) << path;
    return std::vector<char>((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
}

// A library's bytes as a ch_binary, with its name as key.
struct Binary {
    explicit Binary(const std::string& library) : name(library), bytes(bytes_of(library_path(library))) {}
    ch_binary raw() const { return {bytes.data(), bytes.size(), name.c_str(), name.c_str()}; }

    std::string name;
    std::vector<char> bytes;
};

// As long as it lives, the library "gated" does not finish loading in this process.
class Gate {
public:
    Gate() { std::ofstream file(path_); }
    ~Gate() { unlink(path_.c_str()); }
    Gate(const Gate&) = delete;
    Gate& operator=(const Gate&) = delete;

private:
    const std::string path_ = "/tmp/chiphost_gate_" + std::to_string(getpid());
};

// Number of lines of /proc/self/maps that name a file.
inline size_t mappings_of(const std::string& name) {
    std::ifstream maps("/proc/self/maps");
    size_t count = 0;
    for (std::string line; std::getline(maps, line);) count += line.find(name) != std::string::npos;
    return count;
}

// "NAME: where: message" of an error, for assertions.
inline std::string text_of(const ch_error& error) {
    return std::string(code_name(error.code)) + ": " + error.where + ": " + error.message;
}

}  // namespace chiphost::tests
