// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <memory>

namespace chiphost::isolate {

// Gives up for ever what a call that does not return may still use. It stays reachable, so that leak checkers know it
// is meant. Needs no memory: `Left` has a member `Left* next_left` for this. Any thread.
template <typename Left>
void leave_behind(std::unique_ptr<Left> object) {
    static std::atomic<Left*> all{nullptr};
    Left* mine = object.release();
    mine->next_left = all.load();
    while (!all.compare_exchange_weak(mine->next_left, mine)) {
    }
}

}  // namespace chiphost::isolate
