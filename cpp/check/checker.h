// SPDX-License-Identifier: Apache-2.0
//
// Looks on while a simulated chip runs a graph of instrumented programs, and says what is wrong with it for every
// schedule: races, accesses that a task has not declared or that go out of its tensors, reads of bytes that nobody has
// written (docs/internals/checks.md).
//
// Who tells what: the device its allocations and copies, the cores which kernel they run, the orchestrator its
// submissions (graph::RunObserver), and instrumented code its accesses (AccessRecorder). A graph that the host has
// built is read from its image.
//
// Threads: one at a time. Functions throw std::bad_alloc.
#pragma once

#include <stdint.h>

#include <array>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "access_recorder.h"
#include "chiphost/abi/device_program.h"
#include "coherence_search.h"
#include "edge_rules.h"
#include "finding.h"
#include "footprint.h"
#include "graph/core_protocol.h"
#include "graph/orchestration.h"
#include "graph/run_observer.h"
#include "graph/task.h"
#include "live_memory.h"
#include "segments.h"
#include "task_order.h"

namespace chiphost::check {

class Checker {
public:
    // Memory whose name others know.
    struct NamedMemory {
        uint64_t begin;  // address
        Memory memory;   // without its size
    };

    // Device memory has addresses in [begin, end). As many bytes behind the end are the checker's (Shadow).
    // `line_bytes`: of the cores' data caches.
    Checker(uint64_t begin, uint64_t end, uint32_t line_bytes);
    ~Checker();
    Checker(const Checker&) = delete;
    Checker& operator=(const Checker&) = delete;

    // Of all instrumented programs of the device.
    AccessRecorder* recorder() { return &recorder_.record; }

    // Of the device.
    void allocated(uint64_t address, uint64_t bytes, bool zeroed);
    void released(uint64_t address);
    void copied_in(uint64_t address, uint64_t bytes);
    // True if there is a finding now that report() has not told before.
    bool copied_out(uint64_t address, uint64_t bytes);

    // A run begins: what is allocated from now on may be its orchestration's.
    void begin_run() { fresh_.clear(); }

    // Around a launch. The record's `observer` is to be observer() before the launch begins.
    //
    // `locates`: it repeats the launch before, in the same order, and only looks for the code of what that one has
    // found.
    // `arrays`: copies of the run's arrays that a host orchestration has made.
    void begin_launch(const ch_launch& launch, uint32_t checks, bool locates, const std::vector<NamedMemory>& arrays);
    void end_launch();
    // True if the last launch has findings whose code another one could tell: races are found when all is over.
    bool wants_to_locate() const;
    const graph::RunObserver* observer() const { return &observer_; }

    // The findings of the last launch, and of copies since then, as JSON.
    std::string report() const;

    // Of the cores: a kernel begins or goes on; it has paused or returned.
    void enter_kernel(uint32_t core, const core_protocol::Payload& payload);
    void leave_kernel(uint32_t core, bool returned);

    // Of a core that gives its kernel memory of its own, such as the UB. It holds for the launch.
    void local_memory(uint32_t core, const char* name, uint64_t address, uint64_t bytes);

    // Of the AICPU thread that runs the orchestration.
    void enter_orchestration();
    void leave_orchestration();

private:
    static constexpr uint32_t none = UINT32_MAX;

    // The record, and whose it is.
    struct Recorder {
        AccessRecorder record;
        Checker* checker;
    };

    // Return addresses of a call and of those that led to it, innermost first, as far as they are known; then 0.
    using CallStack = std::array<uint64_t, 4>;
    // A tensor, or a pointer, among a task's arguments.
    struct Declared {
        uint16_t argument;
        int16_t role;  // ch_tensor_role, -1: none
        uint32_t buffer;
    };
    struct Task {
        int64_t id;
        CallStack submitted;
        uint32_t node;
        uint32_t first_declared, declared_count;  // in declared_
        uint32_t block_num;
    };
    // The part of a buffer that a task may use.
    struct View {
        Declared declared;
        std::vector<std::pair<uint64_t, uint64_t>> ranges;  // of addresses, ascending

        bool contains(uint64_t address) const;
        template <typename Visit>
        void for_each_in(uint64_t begin, uint64_t end, Visit&& visit) const;
    };
    // An access whose code a launch is to find: the first one of that kind to a byte.
    struct Wanted {
        uint64_t address;
        bool write;
        uint32_t part;   // of the execution
        Access* access;  // of a finding
    };
    // Whoever runs instrumented code: a kernel on a core, or the orchestration.
    struct Actor {
        Actor(PagePool* pool, const Shadow* shadow) : footprint(pool, shadow), copied(pool, shadow) {}

        bool active = false;
        bool is_orchestration = false;
        bool begun = true;  // false: a kernel that has touched nothing yet; what follows the payload is not known yet
        uint32_t copying = 0;  // BlockCopy objects that live
        uint32_t core = 0;
        const core_protocol::Payload* payload = nullptr;
        uint32_t submission = 0;
        uint32_t slot = 0;  // which core of its cluster
        uint32_t cluster = 0;
        bool shares_block = false;  // other cores run the same block
        bool has_views = false;
        Clock clock{};
        uint32_t segment = none;  // of what it does now; none: it has done nothing yet
        uint32_t part = 0;        // segments that it has left behind
        std::vector<View> views;
        Footprint footprint;             // of its scalar unit
        Footprint copied;                // of its block copies
        std::vector<const void*> stack;  // while it pauses
        std::vector<Wanted> wanted;      // of this kernel, while the launch locates

        Footprint& current() { return copying ? copied : footprint; }
        const Footprint& other() const { return copying ? footprint : copied; }
        bool has_accesses() const { return !footprint.empty() || !copied.empty(); }
        void forget() {
            footprint.clear();
            copied.clear();
        }
    };
    // How the cores of a cluster that run one block have synchronized.
    struct BlockOrder {
        uint32_t submission = none;
        int32_t block = -1;
        std::unordered_map<uint64_t, Clock> released;  // by the address of an atomic variable
    };
    // A tensor of a task that edges follow from.
    struct Tracked {
        uint32_t buffer;
        graph::TensorRegion region;
        bool write;
    };
    struct LocalMemory {
        uint32_t core;
        const char* name;
        uint64_t begin, end;
    };
    struct Allocation {
        uint64_t begin, end;
        bool freed;
    };

    // checker.cpp
    void read_host_graph();
    void read_host_edges(const graph::Image& image);
    void read_arguments(const graph::Orchestration& plan);
    void add_allocations(const ch_launch& launch, const std::vector<NamedMemory>& arrays);
    static Memory describe(const ch_device_tensor& tensor, Memory::Kind kind, uint32_t number);
    uint32_t add_task(int64_t id, uint64_t code, uint32_t block_num);
    uint32_t submission_of(int64_t id) const;
    void find_races();
    void add_finding(Finding finding) {
        if (!locates_) findings_.add(std::move(finding));
    }

    // checker_coherence.cpp
    void flush(uint64_t address, uint64_t bytes);
    void block_copy(bool begins);
    void find_incoherences();

    // checker_locating.cpp
    void want_code(Actor& actor);
    void forbid_wanted(Actor& actor);
    void note_code(uint64_t begin, uint64_t end, bool write, const void* code);

    // checker_graph.cpp: graph::RunObserver
    void submitted(const graph::Submission& submission);
    void waits(int64_t producer, int64_t consumer);
    void depends(int64_t producer, int64_t consumer);
    void scope_ended(uint32_t scope);
    void element(const ch_device_tensor& element, bool write, uint64_t code);
    uint32_t orchestration_node();
    void check_edges(uint32_t submission);

    // checker_accesses.cpp
    void switch_to(Actor* actor);
    void begin_kernel(Actor& actor);
    void access(uint64_t address, uint64_t bytes, bool write, const void* code, bool noted = true);
    void atomic(uint64_t address, uint64_t bytes, AtomicUse use, uint32_t after, const void* code);
    void note_atomic(Actor& actor, uint64_t address, uint64_t bytes, AtomicUse use);
    bool is_own_page(uint64_t begin) const;
    Page* page_of(uint64_t number);
    void forget_own_pages();
    void allow(Page& page, uint64_t begin, uint64_t end, bool within_buffer);
    void make_views(Actor& actor);
    void file_accesses(Actor& actor);
    void end_segment(Actor& actor);
    uint32_t segment_of(Actor& actor);
    void begin_segment(Actor& actor);
    void add_use(const Actor& actor, uint64_t begin, uint64_t end, Action action, uint32_t segment, bool copied);

    // checker_refusals.cpp
    void refuse(uint64_t begin, uint64_t end, bool write, const void* code);
    bool judge(uint64_t address, bool write, Finding* out_finding);
    const LocalMemory* local_memory_near(uint64_t address) const;
    void judge_outside(uint64_t address, bool write, Finding* out_finding) const;
    bool has_written_otherwise(uint64_t address) const;
    bool written_by_task(const Buffer& buffer, uint64_t address) const;
    Access access_of(const Actor& actor, Action action, const void* code) const;
    Access access_of(const Use& use, const Buffer& buffer) const;
    static uint64_t offset_of(uint64_t code);
    static std::vector<uint64_t> offsets_of(const CallStack& calls);
    std::vector<uint64_t> code_of(const void* code) const;

    const uint64_t begin_, end_;
    const uint32_t line_bytes_;
    Recorder recorder_{};
    graph::RunObserver observer_{};
    const Shadow shadow_;

    LiveMemory memory_;
    std::vector<Allocation> fresh_;  // since the run began
    PagePool pages_;

    // The launch.
    uint32_t checks_ = 0;
    bool launched_ = false;
    bool locates_ = false;
    bool has_shared_blocks_ = false;  // blocks that several cores run together
    uint32_t block_dim_ = 0;
    uint64_t hand_over_ = 0;
    std::vector<LocalMemory> local_memories_;
    const graph::Image* unread_graph_ = nullptr;  // that the host has built: read when a kernel touches device memory
    uint64_t task_count_ = 0;                     // once the launch has ended
    uint64_t image_tensors_[2] = {0, 0};
    std::vector<std::pair<uint64_t, uint64_t>> heaps_;
    Findings findings_;
    Segments segments_;
    std::vector<Flush> flushes_;                           // of cores that run a block with others
    std::unordered_map<uint32_t, uint64_t> element_code_;  // of element accesses, by segment
    TaskOrder order_;
    std::vector<Task> tasks_;        // by submission
    std::vector<uint8_t> is_over_;   // by submission: 1 if the task has completed
    std::vector<uint32_t> task_of_;  // submission by node; none: the orchestration
    std::vector<Declared> declared_;
    std::vector<uint32_t> by_ring_[graph::ring_count];  // submission by number
    EdgeRules rules_;
    std::vector<TaskOrder::Pair> inferred_;  // edges
    std::vector<Tracked> tracked_;           // of the task being submitted
    std::vector<uint32_t> wanted_;           // nodes that the task being submitted has to wait for
    std::vector<uint32_t> made_;             // nodes that the runtime makes it wait for
    uint32_t checked_submission_ = none;
    uint32_t last_event_ = none;                                   // node of the orchestration's last access
    std::vector<std::pair<uint32_t, uint32_t>> outputs_of_scope_;  // scope and buffer, of scopes that are open
    uint64_t unnecessary_edges_ = 0;

    std::vector<std::unique_ptr<Actor>> cores_;
    std::unique_ptr<Actor> orchestration_;
    std::vector<BlockOrder> blocks_;                             // by cluster
    Actor* actor_ = nullptr;                                     // whose code runs now
    std::vector<uint64_t> own_pages_;                            // of the orchestration, while it runs
    std::vector<std::pair<uint64_t, uint64_t>> written_ranges_;  // by the segment that is being filed
};

}  // namespace chiphost::check
