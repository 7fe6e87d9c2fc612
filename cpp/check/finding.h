// SPDX-License-Identifier: Apache-2.0
//
// What the checker reports. Python makes words of it (python/chiphost/checks).
#pragma once

#include <stdint.h>

#include <string>
#include <vector>

#include "chiphost/abi/tensor.h"

namespace chiphost::check {

// Bits of ch_call_config::check.
enum Check : uint32_t { races = 1, declared = 2, memory = 4, init = 8, coherence = 16, arguments = 32 };

enum class Action : uint8_t { read, write, atomic };

// Who touched memory, and where in its code.
struct Access {
    enum class Actor : uint8_t { task, orchestration, host };

    Actor actor = Actor::task;
    Action action = Action::read;
    // Of a task:
    uint32_t submission = 0;  // its number, counted from 0 as the orchestration submitted them
    int64_t id = -1;
    int32_t func_id = -1;
    int32_t block = 0;
    uint32_t block_num = 1;
    int32_t core = -1;
    int32_t argument = -1;   // the kernel's argument that names the memory; -1: none does
    int32_t role = -1;       // its ch_tensor_role; -1: the graph says none
    int64_t first_byte = 0;  // that it touched of the finding's, from the memory's first
    uint32_t part = 0;       // of the execution: segments.h
    // Return addresses, innermost first; empty if they are not known. Offsets in the program's file.
    std::vector<uint64_t> code;
    std::vector<uint64_t> submitted;  // the same for the call that submitted the task

    // The code of an access that is found when the launch is over is not known: another launch has to tell it.
    bool lacks_code() const { return actor == Actor::task && code.empty(); }
};

// A piece of memory as people know it.
struct Memory {
    enum class Kind : uint8_t { argument, output, allocation, runtime, local, none };

    Kind kind = Kind::none;
    uint32_t number = 0;      // of the argument of the run, of the output of its task, or of the allocation
    uint32_t submission = 0;  // of the task whose output it is
    uint64_t bytes = 0;
    std::string name;  // of a core's memory
    uint8_t ndims = 0;
    uint8_t dtype = 0;
    uint32_t shape[CH_MAX_DIMS] = {};
    bool has_shape = false;
};

// One cause. Bytes count from the memory's first; `begin` is negative before it, `end` one past the last.
struct Finding {
    uint32_t check = 0;     // one bit
    const char* what = "";  // a word: docs/internals/checks.md lists them
    uint64_t count = 1;     // places or times that were merged into this one
    Access first;
    bool has_second = false;  // of a race there are two
    Access second;
    Memory memory;
    int64_t begin = 0;
    int64_t end = 0;
};

// The findings of one run, each cause once. At most `kept_max` are kept, and the others counted.
class Findings {
public:
    static constexpr size_t kept_max = 200;
    static constexpr size_t apart_max = 16;  // of one cause

    // Adds a finding, or counts it with one of the same cause: the same check, word, kernels, places in the code, and
    // memory.
    void add(Finding finding);

    // Adds a finding beside others of the same cause, of which at most `apart_max` are kept: their code, which is not
    // known yet, may show that they have different causes.
    void add_apart(Finding finding);

    // Merges what has come to be the same cause, and then keeps kept_max.
    void merge();

    void clear();

    bool empty() const { return findings_.empty(); }
    uint64_t dropped() const { return dropped_; }
    const std::vector<Finding>& all() const { return findings_; }
    std::vector<Finding>& all() { return findings_; }

private:
    Finding* find(const Finding& finding);
    void keep(Finding finding, size_t most);

    std::vector<Finding> findings_;
    uint64_t dropped_ = 0;
};

// The JSON text of a report. `tasks` and `edges` are those of the graph.
std::string to_json(const Findings& findings, uint32_t checks, uint64_t tasks, uint64_t edges,
                    uint64_t unnecessary_edges);

}  // namespace chiphost::check
