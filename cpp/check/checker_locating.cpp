// SPDX-License-Identifier: Apache-2.0
//
// The code of accesses that were found to be wrong when the launch was over. Footprints have no code, so the launch is
// repeated in the same order, and in that one the accesses are refused that are wanted.
#include <algorithm>

#include "checker.h"

namespace chiphost::check {

bool Checker::wants_to_locate() const {
    return std::any_of(findings_.all().begin(), findings_.all().end(), [](const Finding& finding) {
        const bool found_late = finding.check == races || finding.check == coherence;
        return found_late && finding.has_second && finding.memory.kind != Memory::Kind::none &&
               (finding.first.lacks_code() || finding.second.lacks_code());
    });
}

// Notes which accesses of a kernel that begins are wanted.
void Checker::want_code(Actor& actor) {
    actor.wanted.clear();
    if (!locates_ || actor.submission == none) return;
    const KernelContext& context = actor.payload->context;
    const Task& task = tasks_[actor.submission];
    const auto buffer_of = [&](const Memory& memory) {
        const auto is_it = [&](uint32_t index) {
            const Memory& found = memory_.buffer(index).memory;
            return found.kind == memory.kind && found.number == memory.number && found.submission == memory.submission;
        };
        for (uint32_t i = 0; i < task.declared_count; ++i) {
            const uint32_t index = declared_[task.first_declared + i].buffer;
            if (index != none && is_it(index)) return index;
        }
        uint32_t index = 0;
        while (index < memory_.buffer_count() && !is_it(index)) ++index;
        return index < memory_.buffer_count() ? index : none;
    };
    const auto want = [&](const Finding& finding, Access& access) {
        if (!access.lacks_code() || access.submission != actor.submission || access.block != context.block_idx ||
            access.core != context.core) {
            return;
        }
        const uint32_t index = buffer_of(finding.memory);
        if (index == none) return;
        const uint64_t address = memory_.buffer(index).begin + static_cast<uint64_t>(access.first_byte);
        if (access.action != Action::read) actor.wanted.push_back({address, true, access.part, &access});
        if (access.action != Action::write) actor.wanted.push_back({address, false, access.part, &access});
    };
    for (Finding& finding : findings_.all()) {
        if (finding.check != races && finding.check != coherence) continue;
        want(finding, finding.first);
        if (finding.has_second) want(finding, finding.second);
    }
}

// Another part of a kernel begins, from which other accesses may be wanted.
void Checker::forbid_wanted(Actor& actor) {
    for (const Wanted& wanted : actor.wanted) {
        if (wanted.part != actor.part) continue;
        const uint64_t at = wanted.address % page_bytes;
        for (Footprint* const footprint : {&actor.footprint, &actor.copied}) {
            Page* const page = footprint->find(wanted.address >> page_bits);
            if (page) remove_states(*page, wanted.write ? may_write : may_read, at, at + 1);
        }
    }
}

void Checker::note_code(uint64_t begin, uint64_t end, bool write, const void* code) {
    for (const Wanted& wanted : actor_->wanted) {
        const bool is_it = wanted.part == actor_->part && wanted.write == write && wanted.address >= begin &&
                           wanted.address < end && wanted.access->code.empty();
        if (is_it) wanted.access->code = code_of(code);
    }
}

}  // namespace chiphost::check
