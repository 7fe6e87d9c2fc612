// SPDX-License-Identifier: Apache-2.0
//
// What instrumented code reads and writes: which pages it may touch, and what it did with them.
#include <algorithm>

#include "checker.h"
#include "chiphost/hand_over.h"
#include "graph/tensor_region.h"

namespace chiphost::check {

namespace {

constexpr uint64_t generation_step = uint64_t{1} << 48;  // above the numbers of pages

// Calls visit(begin, end) for the ranges of addresses of a view, in the order of addresses.
template <typename Visit>
void for_each_row(const ch_device_tensor& tensor, Visit&& visit) {
    const graph::TensorRegion region = graph::region_of(tensor);
    if (region.first_byte == region.end_byte) return;
    if (region.contiguous) {
        visit(region.first_byte, region.end_byte);
        return;
    }
    const uint64_t element = ch_dtype_bytes(tensor.dtype);
    const uint32_t last = region.ndims - 1u;
    uint32_t index[CH_MAX_DIMS] = {};
    for (bool more = true; more;) {
        uint64_t number = 0;  // of the row's first element in the array
        for (uint32_t dim = 0; dim < region.ndims; ++dim) {
            number = number * region.raw_shape[dim] + region.offset[dim] + index[dim];
        }
        const uint64_t begin = region.array + number * element;
        visit(begin, begin + region.extent[last] * element);
        more = false;
        for (uint32_t dim = last; dim-- > 0 && !more;) {
            more = ++index[dim] < region.extent[dim];
            if (!more) index[dim] = 0;
        }
    }
}

}  // namespace

bool Checker::View::contains(uint64_t address) const {
    const auto after = std::upper_bound(ranges.begin(), ranges.end(), address,
                                        [](uint64_t value, const auto& range) { return value < range.first; });
    return after != ranges.begin() && address < std::prev(after)->second;
}

template <typename Visit>
void Checker::View::for_each_in(uint64_t begin, uint64_t end, Visit&& visit) const {
    auto range = std::upper_bound(ranges.begin(), ranges.end(), begin,
                                  [](uint64_t value, const auto& each) { return value < each.second; });
    for (; range != ranges.end() && range->first < end; ++range) {
        visit(std::max(begin, range->first), std::min(end, range->second));
    }
}

// Another code runs from now on: it may touch what is its own.
void Checker::switch_to(Actor* actor) {
    AccessRecorder& record = recorder_.record;
    record.generation += generation_step;
    if (record.generation == 0) {  // it has come round: entries of old could be taken for new ones
        for (AccessRecorder::Entry& entry : record.entries) entry.tag = 0;
        record.generation = generation_step;
    }
    record.depth = 0;
    actor_ = actor;
}

void Checker::enter_kernel(uint32_t core, const core_protocol::Payload& payload) {
    Actor& actor = *cores_[core];
    const bool goes_on = actor.active;
    switch_to(&actor);
    if (goes_on) {
        recorder_.record.depth = static_cast<uint32_t>(actor.stack.size());
        std::copy(actor.stack.begin(), actor.stack.end(), recorder_.record.stack);
        return;
    }
    actor.active = true;
    actor.payload = &payload;
    actor.submission = submission_of(payload.context.task);
    actor.cluster = core_protocol::cluster_of(core, block_dim_);
    actor.slot = core < block_dim_ ? 0 : 1 + (core - block_dim_) % 2;
    actor.shares_block = (payload.cores & (payload.cores - 1)) != 0;
    actor.segment = none;
    actor.has_views = false;
    actor.clock = {};
    actor.clock[actor.slot] = 1;
    BlockOrder& block = blocks_[actor.cluster];
    if (actor.shares_block && (block.submission != actor.submission || block.block != payload.context.block_idx)) {
        block.submission = actor.submission;
        block.block = payload.context.block_idx;
        block.released.clear();
    }
}

void Checker::leave_kernel(uint32_t core, bool returned) {
    Actor& actor = *cores_[core];
    if (returned) {
        end_segment(actor);
        actor.footprint.clear();
        actor.active = false;
    } else {
        const AccessRecorder& record = recorder_.record;
        actor.stack.assign(record.stack, record.stack + std::min(record.depth, AccessRecorder::stack_max));
    }
    switch_to(nullptr);
}

void Checker::enter_orchestration() {
    Actor& actor = *orchestration_;
    switch_to(&actor);
    actor.is_orchestration = true;
    if (!actor.active) {
        actor.active = true;
        actor.segment = none;
        actor.stack.clear();
    }
    recorder_.record.depth = static_cast<uint32_t>(actor.stack.size());
    std::copy(actor.stack.begin(), actor.stack.end(), recorder_.record.stack);
}

void Checker::leave_orchestration() {
    const AccessRecorder& record = recorder_.record;
    orchestration_->stack.assign(record.stack, record.stack + std::min(record.depth, AccessRecorder::stack_max));
    switch_to(nullptr);
}

// Judges what the entries do not allow, and notes the access. An atomic operation is not noted here.
void Checker::access(uint64_t address, uint64_t bytes, bool write, const void* code, bool noted) {
    while (bytes != 0) {
        AccessWord& word = words_of(address >> page_bits)[address / 64 % words_of_page];
        const auto bit = static_cast<uint32_t>(address % 64);
        const uint64_t count = std::min<uint64_t>(64 - bit, bytes);
        const uint64_t mask = (count == 64 ? ~uint64_t{0} : (uint64_t{1} << count) - 1) << bit;
        uint64_t refused = mask & ~(write ? word.may_write : word.may_read);
        while (refused != 0) {
            const auto low = static_cast<uint32_t>(__builtin_ctzll(refused));
            const uint64_t rest = ~(refused >> low);
            const uint32_t length = rest == 0 ? 64 : static_cast<uint32_t>(__builtin_ctzll(rest));
            const uint64_t base = address - bit + low;
            refuse(base, base + length, write, code);
            const uint64_t judged = (length == 64 ? ~uint64_t{0} : (uint64_t{1} << length) - 1) << low;
            (write ? word.may_write : word.may_read) |= judged;  // it has been judged
            refused &= ~judged;
        }
        if (write) word.may_read |= mask;
        if (noted) (write ? word.written : word.read) |= mask;
        address += count;
        bytes -= count;
    }
}

// The words of a page for who runs now; its entry is valid afterwards.
AccessWord* Checker::words_of(uint64_t number) {
    AccessRecorder::Entry& entry = recorder_.record.entries[AccessRecorder::entry_of(number)];
    if (entry.tag == (number | recorder_.record.generation)) return entry.words;
    const uint64_t begin = number << page_bits;
    Page* page = &anything_;
    if (actor_ && begin + page_bytes > begin_ && begin < end_) {
        page = actor_->footprint.find(number);
        if (!page) {
            page = actor_->footprint.add(number);
            allow(*page, begin, begin + page_bytes);
        }
    }
    entry = {number | recorder_.record.generation, page->words};
    return page->words;
}

// Says what the code that runs now may do with a page, which is [begin, end).
void Checker::allow(Page& page, uint64_t begin, uint64_t end) {
    const auto set = [&](uint64_t AccessWord::* member, uint64_t from, uint64_t to) {
        set_bits(page, member, static_cast<uint32_t>(from - begin), static_cast<uint32_t>(to - begin));
    };
    const auto set_part = [&](uint64_t AccessWord::* member, uint64_t from, uint64_t to) {
        if (from < end && to > begin) set(member, std::max(from, begin), std::min(to, end));
    };
    // The runtime's own memory may be read: descriptors of tensors and arguments are there.
    memory_.for_each_allocation_in(begin, end, [&](uint64_t from, uint64_t to) {
        set_part(&AccessWord::may_read, from, to);
        const bool hands_over = hand_over_ >= from && hand_over_ < to && hand_over_ != 0;
        if (hands_over || actor_->is_orchestration) set_part(&AccessWord::may_write, from, to);
    });
    const auto forbid = [&](uint64_t from, uint64_t to) {
        if (from >= end || to <= begin) return;
        const auto first = static_cast<uint32_t>(std::max(from, begin) - begin);
        const auto last = static_cast<uint32_t>(std::min(to, end) - begin);
        clear_bits(page, &AccessWord::may_read, first, last);
        clear_bits(page, &AccessWord::may_write, first, last);
    };
    for (const auto& [from, to] : heaps_) forbid(from, to);
    memory_.for_each_buffer_in(begin, end, [&](const Buffer& buffer) {
        forbid(buffer.begin, buffer.end);
        if (!actor_->is_orchestration || buffer.state != Buffer::State::live) return;
        set_part(&AccessWord::may_write, buffer.begin, buffer.end);
        memory_.written().for_each_in(std::max(begin, buffer.begin), std::min(end, buffer.end),
                                      [&](uint64_t from, uint64_t to) { set(&AccessWord::may_read, from, to); });
    });
    if (actor_->is_orchestration) return;
    make_views(*actor_);
    for (const View& view : actor_->views) {
        const int role = view.declared.role;
        view.for_each_in(begin, end, [&](uint64_t from, uint64_t to) {
            if (role != CH_ROLE_INPUT) set(&AccessWord::may_write, from, to);
            if (role == CH_ROLE_OUTPUT || role == CH_ROLE_OUTPUT_EXISTING) return;
            memory_.written().for_each_in(
                from, to, [&](uint64_t first, uint64_t last) { set(&AccessWord::may_read, first, last); });
        });
    }
}

// Looks up what the task has declared. It is done when a kernel first touches device memory.
void Checker::make_views(Actor& actor) {
    if (actor.has_views) return;
    actor.has_views = true;
    actor.views.clear();
    if (actor.submission == none) return;
    const Task& task = tasks_[actor.submission];
    for (uint32_t i = 0; i < task.declared_count; ++i) {
        const Declared& declared = declared_[task.first_declared + i];
        if (declared.buffer == none) continue;
        View view{declared, {}};
        const uint64_t word = actor.payload->args[declared.argument];
        const bool is_tensor = declared.role >= 0 || (word >= image_tensors_[0] && word < image_tensors_[1]);
        if (is_tensor) {
            for_each_row(*reinterpret_cast<const ch_device_tensor*>(word), [&](uint64_t begin, uint64_t end) {
                if (!view.ranges.empty() && view.ranges.back().second == begin) {
                    view.ranges.back().second = end;
                } else {
                    view.ranges.push_back({begin, end});
                }
            });
        } else {
            view.ranges.push_back({memory_.buffer(declared.buffer).begin, memory_.buffer(declared.buffer).end});
        }
        actor.views.push_back(std::move(view));
    }
}

uint32_t Checker::segment_of(Actor& actor) {
    if (actor.segment != none) return actor.segment;
    if (actor.is_orchestration) {
        actor.segment = segments_.add({orchestration_node(), -1, 0, {}, -1, -1});
    } else {
        const core_protocol::Payload& payload = *actor.payload;
        actor.segment = segments_.add({tasks_[actor.submission].node, payload.context.block_idx, actor.slot,
                                       actor.clock, payload.context.core, payload.func_id});
    }
    return actor.segment;
}

void Checker::add_use(const Actor& actor, uint64_t begin, uint64_t end, Action action, uint32_t segment) {
    while (begin < end) {
        // A tensor that the task has declared is there; another may have come to its end.
        uint32_t index = none;
        for (const View& view : actor.views) {
            const Buffer& buffer = memory_.buffer(view.declared.buffer);
            if (begin >= buffer.begin && begin < buffer.end) index = view.declared.buffer;
        }
        if (index == none) index = memory_.buffer_at(begin);
        if (index == none) return;  // it has been refused
        Buffer& buffer = memory_.buffer(index);
        const uint64_t part = std::min(end, buffer.end);
        buffer.uses.push_back({begin, part, segment, action, AtomicUse::load});
        begin = part;
    }
}

// Files what was read and written since the segment began.
void Checker::end_segment(Actor& actor) {
    if (!actor.active || actor.footprint.empty()) return;
    if (!actor.is_orchestration && actor.submission == none) return;
    const auto file = [&](uint64_t AccessWord::* member, Action action) {
        actor.footprint.for_each_range(member, [&](uint64_t begin, uint64_t end) {
            add_use(actor, begin, end, action, segment_of(actor));
            if (action == Action::write) memory_.written(begin, end);
        });
    };
    file(&AccessWord::read, Action::read);
    file(&AccessWord::written, Action::write);
    actor.footprint.forget_accesses();
    if (actor.is_orchestration) {
        // Later it may be allowed other things: tasks may have come to their end.
        actor.footprint.clear();
        if (actor_ == &actor) {
            const uint32_t depth = recorder_.record.depth;
            switch_to(&actor);
            recorder_.record.depth = depth;
        }
        actor.segment = none;
    }
}

// An atomic operation orders the cores that run one block. Between tasks it orders nothing: which of them comes first
// is the schedule's choice.
void Checker::atomic(uint64_t address, uint64_t bytes, AtomicUse use, uint32_t after, const void* code) {
    if (!actor_) return;
    Actor& actor = *actor_;
    if (after != 2) {
        access(address, bytes, use != AtomicUse::load, code, false);
        if (use != AtomicUse::store) access(address, bytes, false, code, false);
        note_atomic(actor, address, bytes, use);
    }
    if (!actor.shares_block || after == 0) return;
    auto& released = blocks_[actor.cluster].released;
    if (after == 1) {  // it releases
        end_segment(actor);
        actor.segment = none;
        Clock& clock = released[address];
        for (uint32_t core = 0; core < cores_of_cluster; ++core) clock[core] = std::max(clock[core], actor.clock[core]);
        ++actor.clock[actor.slot];
        return;
    }
    const auto found = released.find(address);
    if (found == released.end()) return;
    Clock clock = actor.clock;
    for (uint32_t core = 0; core < cores_of_cluster; ++core) clock[core] = std::max(clock[core], found->second[core]);
    if (clock == actor.clock) return;
    end_segment(actor);
    actor.segment = none;
    actor.clock = clock;
}

void Checker::note_atomic(Actor& actor, uint64_t address, uint64_t bytes, AtomicUse use) {
    if (address < begin_ || address >= end_ || (!actor.is_orchestration && actor.submission == none)) return;
    const uint32_t index = memory_.buffer_at(address);
    if (index == none) return;
    std::vector<Use>& uses = memory_.buffer(index).uses;
    const Use now{address, address + bytes, segment_of(actor), Action::atomic, use};
    const bool again = !uses.empty() && uses.back().segment == now.segment && uses.back().begin == address &&
                       uses.back().atomic == use && uses.back().action == Action::atomic;
    if (!again) uses.push_back(now);
    if (use != AtomicUse::load) memory_.written(address, address + bytes);
}

}  // namespace chiphost::check
