// SPDX-License-Identifier: Apache-2.0
//
// Accesses that are not allowed: which kind of fault it is, and whose memory it is.
#include <dlfcn.h>

#include <algorithm>

#include "checker.h"
#include "os/code_offset.h"

namespace chiphost::check {

namespace {

// An access so close to a tensor that a task has declared was meant for that.
constexpr uint64_t near_bytes = 4096;
// Farther than that from all memory of the run, an address has nothing to do with it.
constexpr uint64_t far_bytes = 64 << 10;

}  // namespace

// Finds out what is wrong with an access to [begin, end), all within a page. Not everything that gets here is: what
// may be read depends on what others have written meanwhile, and not everything is asked for.
void Checker::refuse(uint64_t begin, uint64_t end, bool write, const void* code) {
    if (!launched_ || !actor_) return;
    Actor& actor = *actor_;
    if (locates_) return note_code(begin, end, write, code);
    if (actor.shares_block) {
        for (auto& core : cores_) {
            const bool same_block =
                core->active && core->submission == actor.submission && core->cluster == actor.cluster;
            if (core.get() != &actor && same_block) end_segment(*core);
        }
    }
    Finding last;  // of the bytes before
    bool has_last = false;
    for (uint64_t address = begin; address < end; ++address) {
        Finding finding;
        if (!judge(address, write, &finding)) continue;
        const auto at = static_cast<int64_t>(address) + finding.begin;  // judge() gives what to add
        finding.begin = at;
        finding.end = at + 1;
        if (has_last && last.check == finding.check && last.what == finding.what && last.end == at &&
            last.memory.kind == finding.memory.kind && last.memory.number == finding.memory.number) {
            last.end = finding.end;
            continue;
        }
        if (has_last) add_finding(std::move(last));
        const int32_t argument = finding.first.argument;
        const int32_t role = finding.first.role;
        finding.first = access_of(actor, write ? Action::write : Action::read, code);
        finding.first.argument = argument;
        finding.first.role = role;
        last = std::move(finding);
        has_last = true;
    }
    if (has_last) add_finding(std::move(last));
}

// Fills what is wrong with one byte: everything but who did it. `begin` becomes what is to be added to the address.
// False: nothing is, or it is of a kind that was not asked for.
bool Checker::judge(uint64_t address, bool write, Finding* out_finding) {
    Finding& finding = *out_finding;
    const auto name_buffer = [&](const Buffer& buffer) {
        finding.memory = buffer.memory;
        finding.begin = -static_cast<int64_t>(buffer.begin);
    };
    const auto fault = [&](Check check, const char* what) {
        finding.check = check;
        finding.what = what;
        return (checks_ & check) != 0;
    };
    make_views(*actor_);
    const View* beside = nullptr;  // of the same buffer, and the byte is not in it
    const View* within = nullptr;
    for (const View& view : actor_->views) {
        const Buffer& buffer = memory_.buffer(view.declared.buffer);
        if (address < buffer.begin || address >= buffer.end) continue;
        if (!view.contains(address)) {
            beside = beside ? beside : &view;
            continue;
        }
        // If several arguments have the byte, the one counts that allows most.
        const int role = view.declared.role;
        if (write && role != CH_ROLE_INPUT) return false;
        const bool output = role == CH_ROLE_OUTPUT || role == CH_ROLE_OUTPUT_EXISTING;
        const bool is_written = output ? written_by_task(buffer, address)
                                       : memory_.written().first_missing(address, address + 1) != address;
        if (!write && (is_written || has_written_otherwise(address))) return false;
        if (!within || !output) within = &view;
    }
    if (const View* const view = within ? within : beside) {
        const Buffer& buffer = memory_.buffer(view->declared.buffer);
        name_buffer(buffer);
        finding.first.argument = view->declared.argument;
        finding.first.role = view->declared.role;
        if (!within) return fault(memory, "outside_view");
        if (write) return fault(declared, "write_to_input");
        const bool output = view->declared.role == CH_ROLE_OUTPUT || view->declared.role == CH_ROLE_OUTPUT_EXISTING;
        return output ? fault(declared, "read_before_write") : fault(init, "unwritten");
    }
    const uint32_t index = memory_.buffer_at(address);
    if (index != none && actor_->is_orchestration && memory_.buffer(index).state == Buffer::State::live) {
        name_buffer(memory_.buffer(index));
        return write ? false : fault(init, "unwritten");
    }
    judge_outside(address, write, out_finding);
    return (checks_ & finding.check) != 0;
}

// The memory of this core that an address is beside; nullptr if there is none.
const Checker::LocalMemory* Checker::local_memory_near(uint64_t address) const {
    if (actor_->is_orchestration) return nullptr;
    for (const LocalMemory& local : local_memories_) {
        const bool own = static_cast<int32_t>(local.core) == actor_->payload->context.core;
        if (own && address + far_bytes > local.begin && address < local.end + far_bytes) return &local;
    }
    return nullptr;
}

// The byte is in nothing that the task has declared.
void Checker::judge_outside(uint64_t address, bool write, Finding* out_finding) const {
    Finding& finding = *out_finding;
    const auto fault = [&](Check check, const char* what, const Buffer* buffer) {
        finding.check = check;
        finding.what = what;
        finding.begin = 0;
        if (!buffer) return;
        finding.memory = buffer->memory;
        finding.begin = -static_cast<int64_t>(buffer->begin);
    };
    const View* nearest = nullptr;
    uint64_t distance = near_bytes;
    for (const View& view : actor_->views) {
        const Buffer& buffer = memory_.buffer(view.declared.buffer);
        const uint64_t gap = address >= buffer.end ? address - buffer.end : buffer.begin - address - 1;
        if (gap >= distance) continue;
        distance = gap;
        nearest = &view;
    }
    if (nearest) {
        const Buffer& buffer = memory_.buffer(nearest->declared.buffer);
        fault(memory, address < buffer.begin ? "before" : "past_end", &buffer);
        finding.first.argument = nearest->declared.argument;
        finding.first.role = nearest->declared.role;
        return;
    }
    if (const uint32_t index = memory_.buffer_at(address); index != none) {
        const Buffer& buffer = memory_.buffer(index);
        switch (buffer.state) {
            case Buffer::State::freed:
                return fault(memory, "freed", &buffer);
            case Buffer::State::expired:
                return fault(memory, "expired", &buffer);
            case Buffer::State::live:
                return fault(declared, write ? "undeclared_write" : "undeclared_read", &buffer);
        }
    }
    if (const LocalMemory* const local = local_memory_near(address)) {
        fault(memory, "local_memory", nullptr);
        finding.memory.kind = Memory::Kind::local;
        finding.memory.name = local->name;
        finding.memory.bytes = local->end - local->begin;
        finding.begin = -static_cast<int64_t>(local->begin);
        return;
    }
    uint64_t begin = 0, end = 0;
    const bool in_heap = std::any_of(heaps_.begin(), heaps_.end(),
                                     [&](const auto& heap) { return address >= heap.first && address < heap.second; });
    if (!in_heap && memory_.allocation_at(address, &begin, &end)) {
        fault(memory, "runtime_memory", nullptr);
        finding.memory.kind = Memory::Kind::runtime;
        finding.memory.bytes = end - begin;
        finding.begin = -static_cast<int64_t>(begin);
        return;
    }
    if (const uint32_t index = memory_.nearest_buffer(address, far_bytes); index != none) {
        const Buffer& buffer = memory_.buffer(index);
        return fault(memory, address < buffer.begin ? "before" : "past_end", &buffer);
    }
    fault(memory, "no_memory", nullptr);
}

// True if this task, on whichever core, has written the byte before.
bool Checker::written_by_task(const Buffer& buffer, uint64_t address) const {
    return std::any_of(buffer.uses.rbegin(), buffer.uses.rend(), [&](const Use& use) {
        return use.writes() && address >= use.begin && address < use.end &&
               task_of_[segments_[use.segment].node] == actor_->submission;
    });
}

// True if the code that runs has written the byte as it does not write now: itself, or by block copies.
bool Checker::has_written_otherwise(uint64_t address) const {
    const Page* const page = actor_->other().find(address >> page_bits);
    return page && (page->state[address % page_bytes] & was_written) != 0;
}

uint64_t Checker::offset_of(uint64_t code) {
    return os::code_offset(code);
}

// Offsets in the program that made the call; callers of another program are left out.
std::vector<uint64_t> Checker::offsets_of(const CallStack& calls) {
    std::vector<uint64_t> offsets;
    const void* program = nullptr;
    for (const uint64_t code : calls) {
        Dl_info info;
        if (code == 0 || dladdr(reinterpret_cast<void*>(code), &info) == 0) break;
        if (program && program != info.dli_fbase) break;
        program = info.dli_fbase;
        offsets.push_back(code - reinterpret_cast<uint64_t>(program));
    }
    return offsets;
}

// The call that leads to `code`, as far as it is in the same program.
std::vector<uint64_t> Checker::code_of(const void* code) const {
    std::vector<uint64_t> offsets;
    Dl_info own, caller;
    if (dladdr(code, &own) == 0) return offsets;
    const auto base = reinterpret_cast<uint64_t>(own.dli_fbase);
    offsets.push_back(reinterpret_cast<uint64_t>(code) - base);
    const AccessRecorder& record = recorder_.record;
    for (uint32_t depth = std::min(record.depth, AccessRecorder::stack_max); depth-- > 0;) {
        if (dladdr(record.stack[depth], &caller) == 0 || caller.dli_fbase != own.dli_fbase) break;
        offsets.push_back(reinterpret_cast<uint64_t>(record.stack[depth]) - base);
    }
    return offsets;
}

Access Checker::access_of(const Actor& actor, Action action, const void* code) const {
    Access access;
    access.action = action;
    access.code = code_of(code);
    if (actor.is_orchestration) {
        access.actor = Access::Actor::orchestration;
        return access;
    }
    const KernelContext& context = actor.payload->context;
    access.submission = actor.submission;
    access.id = context.task;
    access.func_id = actor.payload->func_id;
    access.block = context.block_idx;
    access.block_num = static_cast<uint32_t>(context.block_num);
    access.core = context.core;
    if (actor.submission != none) access.submitted = offsets_of(tasks_[actor.submission].submitted);
    return access;
}

Access Checker::access_of(const Use& use, const Buffer& buffer) const {
    Access access;
    access.action = use.action;
    const Segment& segment = segments_[use.segment];
    const uint32_t submission = task_of_[segment.node];
    if (submission == none) {
        access.actor = Access::Actor::orchestration;
        const auto code = element_code_.find(use.segment);
        if (code != element_code_.end()) access.code.push_back(offset_of(code->second));
        return access;
    }
    const Task& task = tasks_[submission];
    access.submission = submission;
    access.id = task.id;
    access.func_id = segment.func_id;
    access.block = segment.block;
    access.block_num = task.block_num;
    access.core = segment.core;
    access.part = segment.part;
    access.submitted = offsets_of(task.submitted);
    for (uint32_t i = 0; i < task.declared_count; ++i) {
        const Declared& declared = declared_[task.first_declared + i];
        if (declared.buffer == none || &memory_.buffer(declared.buffer) != &buffer) continue;
        access.argument = declared.argument;
        access.role = declared.role;
        break;
    }
    return access;
}

}  // namespace chiphost::check
