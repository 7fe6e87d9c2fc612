// SPDX-License-Identifier: Apache-2.0
//
// What instrumented code reads and writes: which pages it may touch, and what it did with them.
#include <string.h>

#include <algorithm>

#include "checker.h"
#include "chiphost/hand_over.h"
#include "graph/tensor_region.h"

namespace chiphost::check {

namespace {

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
    recorder_.record.depth = 0;
    if (!own_pages_.empty()) forget_own_pages();
    if (actor_ == actor) return;
    if (actor_) actor_->current().put_aside();
    if (actor) actor->current().bring_back();
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
    actor.begun = false;
    actor.copying = 0;
    actor.core = core;
    actor.payload = &payload;
}

// Looks up what a kernel is. Many tasks are small, so this waits until the kernel touches device memory.
void Checker::begin_kernel(Actor& actor) {
    if (unread_graph_) read_host_graph();
    const core_protocol::Payload& payload = *actor.payload;
    const uint32_t core = actor.core;
    actor.begun = true;
    actor.submission = submission_of(payload.context.task);
    actor.cluster = core_protocol::cluster_of(core, block_dim_);
    actor.slot = core < block_dim_ ? 0 : 1 + (core - block_dim_) % 2;
    actor.shares_block = (payload.cores & (payload.cores - 1)) != 0;
    has_shared_blocks_ = has_shared_blocks_ || actor.shares_block;
    actor.segment = none;
    actor.part = 0;
    actor.has_views = false;
    actor.clock = {};
    actor.clock[actor.slot] = 1;
    BlockOrder& block = blocks_[actor.cluster];
    if (actor.shares_block && (block.submission != actor.submission || block.block != payload.context.block_idx)) {
        block.submission = actor.submission;
        block.block = payload.context.block_idx;
        block.released.clear();
    }
    want_code(actor);
}

void Checker::leave_kernel(uint32_t core, bool returned) {
    Actor& actor = *cores_[core];
    if (returned) {
        if (actor.has_accesses()) {
            file_accesses(actor);
            actor.forget();
        }
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

// Judges what the states do not allow, and notes the access. An atomic operation is not noted here.
void Checker::access(uint64_t address, uint64_t bytes, bool write, const void* code, bool noted) {
    const ByteState allowed = write ? may_write : may_read;
    const uint8_t done = write ? (noted ? was_written | may_read : may_read) : (noted ? was_read : 0);
    if (!actor_ || address >= end_ || (address < begin_ && bytes <= begin_ - address)) return;
    if (!actor_->begun) begin_kernel(*actor_);
    const uint64_t last = bytes < end_ - address ? address + bytes : end_;
    for (address = std::max(address, begin_); address < last;) {
        const uint64_t base = address & ~(page_bytes - 1);
        const uint64_t end = std::min(last - base, page_bytes);
        Page& page = *page_of(base >> page_bits);
        const uint64_t begin = address - base;
        for (uint64_t at = first_without(page, allowed, begin, end); at < end;) {
            uint64_t after = at + 1;
            while (after < end && !(page.state[after] & allowed)) ++after;
            refuse(base + at, base + after, write, code);
            add_states(page, allowed, at, after);  // it has been judged
            at = first_without(page, allowed, after, end);
        }
        add_states(page, done, begin, end);
        address = base + end;
    }
}

// True for a page that the orchestration may use as it likes: it begins with the runtime's own memory, and has no
// tensor. What is behind that memory belongs to nobody.
bool Checker::is_own_page(uint64_t begin) const {
    const uint64_t end = begin + page_bytes;
    uint64_t first = 0, last = 0;
    if (!memory_.allocation_at(begin, &first, &last)) return false;
    for (const auto& [from, to] : heaps_) {
        if (from < end && to > begin) return false;
    }
    bool has_buffer = false;
    memory_.for_each_buffer_in(begin, end, [&](const Buffer&) { has_buffer = true; });
    return !has_buffer;
}

// A page of device memory for who runs now.
Page* Checker::page_of(uint64_t number) {
    if (Page* const known = actor_->current().find(number)) return known;
    const uint64_t begin = number << page_bits;
    if (actor_->is_orchestration) {
        Page* const own = shadow_.page(number);
        if (std::find(own_pages_.begin(), own_pages_.end(), number) != own_pages_.end()) return own;
        if (is_own_page(begin)) {
            own_pages_.push_back(number);
            memset(own, any_state, sizeof *own);
            return own;
        }
    }
    // What was done with other bytes is nobody's use.
    const uint64_t end = begin + page_bytes;
    uint64_t first = end, last = begin;  // bytes of buffers
    bool within_buffer = false;          // nothing else is in the page
    const auto widen = [&](uint64_t from, uint64_t to) {
        if (from >= end || to <= begin) return;
        first = std::min(first, std::max(from, begin));
        last = std::max(last, std::min(to, end));
    };
    make_views(*actor_);
    for (const View& view : actor_->views) {
        const Buffer& buffer = memory_.buffer(view.declared.buffer);
        widen(buffer.begin, buffer.end);
    }
    memory_.for_each_buffer_in(begin, end, [&](const Buffer& buffer) {
        widen(buffer.begin, buffer.end);
        within_buffer = buffer.begin <= begin && buffer.end >= end;
    });
    if (first > last) first = last;
    Page* const page = actor_->current().add(number, first - begin, last - begin);
    allow(*page, begin, end, within_buffer);
    return page;
}

void Checker::forget_own_pages() {
    for (const uint64_t number : own_pages_) *shadow_.page(number) = {};
    own_pages_.clear();
}

// Says what the code that runs now may do with a page, which is [begin, end). `within_buffer`: all of it is one
// buffer's.
void Checker::allow(Page& page, uint64_t begin, uint64_t end, bool within_buffer) {
    const auto set = [&](ByteState state, uint64_t from, uint64_t to) {
        add_states(page, state, from - begin, to - begin);
    };
    const auto set_part = [&](ByteState state, uint64_t from, uint64_t to) {
        if (from < end && to > begin) set(state, std::max(from, begin), std::min(to, end));
    };
    const auto forbid = [&](uint64_t from, uint64_t to) {
        if (from >= end || to <= begin) return;
        remove_states(page, may_read | may_write, std::max(from, begin) - begin, std::min(to, end) - begin);
    };
    if (!within_buffer) {
        // The runtime's own memory may be read: descriptors of tensors and arguments are there.
        memory_.for_each_allocation_in(begin, end, [&](uint64_t from, uint64_t to) {
            const bool hands_over = hand_over_ >= from && hand_over_ < to && hand_over_ != 0;
            const int states = hands_over || actor_->is_orchestration ? may_read | may_write : may_read;
            from = std::max(from, begin);
            to = std::min(to, end);
            if (from < to) memset(page.state + (from - begin), states, to - from);  // nothing is there yet
        });
        for (const auto& [from, to] : heaps_) forbid(from, to);
    }
    memory_.for_each_buffer_in(begin, end, [&](const Buffer& buffer) {
        if (!within_buffer) forbid(buffer.begin, buffer.end);
        if (!actor_->is_orchestration || buffer.state != Buffer::State::live) return;
        set_part(may_write, buffer.begin, buffer.end);
        memory_.written().for_each_in(std::max(begin, buffer.begin), std::min(end, buffer.end),
                                      [&](uint64_t from, uint64_t to) { set(may_read, from, to); });
    });
    if (actor_->is_orchestration) return;
    for (const LocalMemory& local : local_memories_) {
        if (static_cast<int32_t>(local.core) != actor_->payload->context.core) continue;
        set_part(may_read, local.begin, local.end);
        set_part(may_write, local.begin, local.end);
    }
    for (const View& view : actor_->views) {
        const int role = view.declared.role;
        view.for_each_in(begin, end, [&](uint64_t from, uint64_t to) {
            if (role != CH_ROLE_INPUT) set(may_write, from, to);
            if (role == CH_ROLE_OUTPUT || role == CH_ROLE_OUTPUT_EXISTING) return;
            memory_.written().for_each_in(from, to, [&](uint64_t first, uint64_t last) { set(may_read, first, last); });
        });
    }
    for (const Wanted& wanted : actor_->wanted) {
        if (wanted.part != actor_->part || wanted.address < begin || wanted.address >= end) continue;
        const uint64_t at = wanted.address - begin;
        remove_states(page, wanted.write ? may_write : may_read, at, at + 1);
    }
}

// Looks up what the task has declared. It is done when a kernel first touches device memory.
void Checker::make_views(Actor& actor) {
    if (actor.has_views) return;
    actor.has_views = true;
    actor.views.clear();
    if (actor.is_orchestration || actor.submission == none) return;
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
                                       actor.clock, payload.context.core, payload.func_id, actor.part});
    }
    return actor.segment;
}

// What a core does from now on is another segment.
void Checker::begin_segment(Actor& actor) {
    end_segment(actor);
    actor.segment = none;
    ++actor.part;
    if (locates_) forbid_wanted(actor);
}

void Checker::add_use(const Actor& actor, uint64_t begin, uint64_t end, Action action, uint32_t segment, bool copied) {
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
        buffer.uses.push_back({begin, part, segment, action, AtomicUse::load, copied});
        begin = part;
    }
}

// Files what was read and written since the segment began.
void Checker::file_accesses(Actor& actor) {
    if (!actor.is_orchestration && actor.submission == none) return;
    const ByteState states[] = {was_read, was_written};
    const auto file = [&](const Footprint& footprint, bool copied) {
        written_ranges_.clear();
        footprint.for_each_range(states, [&](ByteState state, uint64_t begin, uint64_t end) {
            if (state == was_read) {
                add_use(actor, begin, end, Action::read, segment_of(actor), copied);
            } else {
                written_ranges_.push_back({begin, end});
            }
        });
        for (const auto& [begin, end] : written_ranges_) {
            add_use(actor, begin, end, Action::write, segment_of(actor), copied);
            memory_.written(begin, end);
        }
    };
    file(actor.footprint, false);
    if (!actor.copied.empty()) file(actor.copied, true);
}

void Checker::end_segment(Actor& actor) {
    if (!actor.active || !actor.has_accesses()) return;
    file_accesses(actor);
    actor.footprint.forget_accesses();
    actor.copied.forget_accesses();
    if (actor.is_orchestration) {
        // Later it may be allowed other things: tasks may have come to their end.
        actor.forget();
        if (actor_ == &actor) forget_own_pages();
        actor.segment = none;
    }
}

// An atomic operation orders the cores that run one block. Between tasks it orders nothing: which of them comes first
// is the schedule's choice.
void Checker::atomic(uint64_t address, uint64_t bytes, AtomicUse use, uint32_t after, const void* code) {
    if (!actor_) return;
    Actor& actor = *actor_;
    if (!actor.begun) begin_kernel(actor);
    if (after != 2) {
        access(address, bytes, use != AtomicUse::load, code, false);
        if (use != AtomicUse::store) access(address, bytes, false, code, false);
        note_atomic(actor, address, bytes, use);
    }
    if (!actor.shares_block || after == 0) return;
    auto& released = blocks_[actor.cluster].released;
    if (after == 1) {  // it releases
        begin_segment(actor);
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
    begin_segment(actor);
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
