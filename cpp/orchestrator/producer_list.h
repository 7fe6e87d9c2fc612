// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>
#include <string.h>

namespace chiphost::orchestrator {

// The tasks that must come before the one that is being submitted, each once, by slot. An owner made a tensor that the
// task uses: it needs an edge also when it has completed, for the edge holds the tensor's memory.
class ProducerList {
public:
    struct Producer {
        uint32_t slot;
        bool owner;
    };

    // Borrowed: a word for each slot in `list`, and one more in `marks`, zeroed.
    void begin(uint32_t* list, uint32_t* marks, uint32_t slot_count) {
        list_ = list;
        marks_ = marks;
        slot_count_ = slot_count;
        count_ = 0;
    }

    void clear() {
        count_ = 0;
        if (++marks_[0] != 0) return;
        memset(marks_, 0, (1 + uint64_t{slot_count_}) * sizeof *marks_);
        marks_[0] = 1;
    }
    // An owner must be added before it is added otherwise.
    void add(uint32_t slot, bool owner) {
        uint32_t& mark = marks_[1 + slot];
        if (mark == marks_[0]) return;
        mark = marks_[0];
        list_[count_++] = slot | (owner ? owner_flag : 0);
    }

    uint32_t count() const { return count_; }
    Producer at(uint32_t index) const { return {list_[index] & ~owner_flag, (list_[index] & owner_flag) != 0}; }

    // Keeps those for which keep(producer) holds.
    template <typename Keep>
    void filter(Keep&& keep) {
        const uint32_t before = count_;
        count_ = 0;
        for (uint32_t i = 0; i < before; ++i) {
            if (keep(at(i))) list_[count_++] = list_[i];
        }
    }

private:
    static constexpr uint32_t owner_flag = 0x80000000;

    uint32_t* list_ = nullptr;
    uint32_t* marks_ = nullptr;  // [0]: the last mark given; then the mark each slot was added with
    uint32_t slot_count_ = 0;
    uint32_t count_ = 0;
};

}  // namespace chiphost::orchestrator
