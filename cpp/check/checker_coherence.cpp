// SPDX-License-Identifier: Apache-2.0
//
// Data caches: what kernels say about them, and what the caches make of a run.
#include <algorithm>

#include "checker.h"

namespace chiphost::check {

void Checker::flush(uint64_t address, uint64_t bytes) {
    if (!actor_ || actor_->is_orchestration) return;
    if (!actor_->begun) begin_kernel(*actor_);
    if (!actor_->shares_block || actor_->submission == none) return;
    begin_segment(*actor_);
    const uint64_t line = line_bytes_;
    const bool whole = bytes == 0;
    const uint64_t begin = whole ? 0 : address / line * line;
    const uint64_t end = whole ? UINT64_MAX : (address + bytes + line - 1) / line * line;
    flushes_.push_back({segment_of(*actor_), begin, end});
}

void Checker::block_copy(bool begins) {
    if (!actor_ || actor_->is_orchestration) return;
    if (!begins && actor_->copying == 0) return;
    // The other footprint's pages are in the shadow from now on.
    const bool changes = begins ? actor_->copying == 0 : actor_->copying == 1;
    if (changes) actor_->current().put_aside();
    actor_->copying += begins ? 1 : -1;
    if (changes) actor_->current().bring_back();
}

void Checker::find_incoherences() {
    CoherenceSearch search(memory_, segments_, order_, flushes_, line_bytes_);
    for (const Incoherence& found : search.find(has_shared_blocks_)) {
        const Buffer& buffer = memory_.buffer(found.buffer);
        const auto described = [&](const Use& use) {
            Access access = access_of(use, buffer);
            access.first_byte = static_cast<int64_t>(std::max(use.begin, found.begin) - buffer.begin);
            return access;
        };
        Finding finding;
        finding.check = coherence;
        finding.what = found.what;
        finding.memory = buffer.memory;
        finding.begin = static_cast<int64_t>(found.begin - buffer.begin);
        finding.end = static_cast<int64_t>(found.end - buffer.begin);
        finding.has_second = true;
        finding.first = described(found.first);
        finding.second = described(found.second);
        findings_.add_apart(std::move(finding));
    }
}

}  // namespace chiphost::check
