// SPDX-License-Identifier: Apache-2.0
#include "ring_memory.h"

#include <stddef.h>

#include <algorithm>
#include <string>

#include "chiphost/abi/device_orchestration.h"
#include "chiphost/align.h"
#include "graph/tensor_map_format.h"
#include "status/report.h"

namespace chiphost::host {

namespace {

constexpr uint64_t heap_alignment = 1024;
constexpr uint64_t heap_slack_max = 256 << 20;    // scopes of more than this overlap less
constexpr uint64_t record_bytes_per_slot = 1024;  // about what a task with 7 tensors takes
constexpr uint64_t record_bytes_min = 16384;
static_assert(CH_MAX_TASK_TENSORS * sizeof(ch_device_tensor) +
                      (CH_MAX_TASK_TENSORS + CH_MAX_TASK_SCALARS) * sizeof(uint64_t) <=
                  record_bytes_min,
              "a ring must have room for the arguments of the largest task");
static_assert(heap_slack_max % heap_alignment == 0);
constexpr uint32_t map_entries_per_slot = 4;
// How often the default sizes are halved to fit a small device. So many leave half of the memory to others, further
// ones an eighth.
constexpr uint32_t halvings_good = 6, halvings_max = 14;
constexpr uint32_t heap_halvings_max = 12;

}  // namespace

// Sizes that are left to us are halved together until all rings take half of the room, or at least leave something for
// the programs.
RingMemory::Sizes RingMemory::sizes_for(const ch_call_config& config, uint64_t room) const {
    const auto halved = [&](uint32_t times) {
        Sizes sizes{config.ring_task_window, config.ring_dep_pool, align_up(config.ring_heap_bytes, heap_alignment)};
        // Tensors can be made smaller, or in turn; there is no other way to have more tasks in a scope. So these are
        // what is kept longest.
        const uint32_t heap_times = std::min(times, heap_halvings_max);
        const uint32_t task_times = std::min(times, halvings_good) + times - heap_times;
        if (!sizes.window) sizes.window = CH_RING_TASK_WINDOW_DEFAULT >> task_times;
        if (!sizes.edges) sizes.edges = CH_RING_DEP_POOL_DEFAULT >> task_times;
        if (!sizes.heap_bytes) sizes.heap_bytes = CH_RING_HEAP_DEFAULT >> heap_times;
        return sizes;
    };
    const auto fits = [&](uint32_t times, uint64_t limit) { return lay_out(halved(times)).bytes <= limit; };
    for (uint32_t times = 0; times <= halvings_good; ++times) {
        if (fits(times, room / 2)) return halved(times);
    }
    for (uint32_t times = 0; times <= halvings_max; ++times) {
        if (fits(times, room - room / 8)) return halved(times);
    }
    return halved(halvings_max);  // the reservation of the rings fails, or that of the arguments
}

// Lays the rings and all that goes with them out in one piece of memory.
RingMemory::Layout RingMemory::lay_out(const Sizes& sizes) const {
    Layout at;
    graph::Image& image = at.image;
    graph::Orchestration& plan = at.plan;
    const uint32_t slots = sizes.window * graph::ring_count;
    const uint32_t edges = sizes.edges * graph::ring_count;
    const uint64_t record_bytes = std::max(sizes.window * record_bytes_per_slot, record_bytes_min);
    uint64_t end = align_up(sizeof(graph::Image));
    const auto place = [&](uint64_t bytes, uint64_t alignment = 64) {
        const uint64_t begin = align_up(end, alignment);
        end = begin + bytes;
        return begin;
    };
    plan.root_scope = root_scope_;
    plan.slot_count = slots;
    plan.map_capacity = slots * map_entries_per_slot;
    at.plan_address = place(sizeof(graph::Orchestration));
    image.format = graph::image_format;
    image.tasks = place(uint64_t{slots} * sizeof(graph::Task));
    plan.slots = place(uint64_t{slots} * sizeof(graph::Slot));
    image.edges = place(uint64_t{edges} * sizeof(graph::Edge));
    plan.predecessors = place(uint64_t{edges} * sizeof(graph::Predecessor));
    plan.found = place(uint64_t{slots} * sizeof(uint32_t));
    plan.marks = place((1 + uint64_t{slots}) * sizeof(uint32_t));
    plan.map_entries = place(uint64_t{plan.map_capacity} * sizeof(graph::TensorMapEntry));
    plan.map_buckets = place(graph::tensor_map_bucket_count * sizeof(graph::TensorMapBucket));
    for (auto& queue : image.queues) {
        queue.capacity = slots;
        queue.cells = place(uint64_t{slots} * sizeof(graph::QueueCell));
    }
    image.args = align_up(end);
    for (uint32_t ring = 0; ring < graph::ring_count; ++ring) {
        // The outermost scope is alone in its ring.
        const bool shared = ring != 0;
        graph::Ring& to = plan.rings[ring];
        to.first_slot = ring * sizes.window;
        to.window = sizes.window;
        to.record_bytes = record_bytes;
        to.record_slack = shared ? record_bytes : 0;
        to.first_record =
            static_cast<uint32_t>((place(record_bytes + to.record_slack) - image.args) / sizeof(uint64_t));
        to.heap_bytes = sizes.heap_bytes;
        to.heap_slack = shared ? std::min(sizes.heap_bytes, heap_slack_max) : 0;
        to.first_edge = ring * sizes.edges;
        to.edge_count = sizes.edges;
    }
    for (graph::Ring& ring : plan.rings) ring.heap = place(ring.heap_bytes + ring.heap_slack, heap_alignment);
    at.bytes = end + heap_alignment;
    return at;
}

Status RingMemory::reserve_sizes(const Sizes& sizes, ch_error* out_error) {
    if (memory_.address() && sizes == sizes_) return CH_OK;
    memory_.release();
    const Layout layout = lay_out(sizes);
    if (const Status failed = memory_.reserve_zeroed(layout.bytes, out_error); !failed.ok()) {
        if (failed != CH_DEVICE_MEMORY_EXHAUSTED) return failed;
        const std::string why = out_error->message;
        return report(out_error, CH_DEVICE_MEMORY_EXHAUSTED, "rings",
                      "%s; four rings of %llu bytes (ring_heap_bytes), %u tasks (ring_task_window) and %u edges "
                      "(ring_dep_pool) each are to fit, three of them twice",
                      why.c_str(), static_cast<unsigned long long>(sizes.heap_bytes), sizes.window, sizes.edges);
    }
    sizes_ = sizes;
    image_ = layout.image;
    plan_ = layout.plan;
    plan_address_ = layout.plan_address;
    const uint64_t base = this->base();
    for (uint64_t* address : {&plan_address_, &image_.tasks, &plan_.slots, &image_.edges, &plan_.predecessors,
                              &plan_.found, &plan_.marks, &plan_.map_entries, &plan_.map_buckets, &image_.args}) {
        *address += base;
    }
    for (auto& queue : image_.queues) queue.cells += base;
    image_.orchestration = plan_address_;
    for (graph::Ring& ring : plan_.rings) ring.heap += base;
    // The queues' positions are the device's from now on.
    const Status failed = platform::copy_to_device(device_, base, &image_, sizeof image_, out_error);
    if (!failed.ok()) memory_.release();
    return failed;
}

uint64_t RingMemory::base() const {
    return align_up(memory_.address(), heap_alignment);
}

Status RingMemory::reserve(const ch_call_config& config, uint64_t room, ch_error* out_error) {
    // A run that asks for the same as the one before lays nothing out.
    const Sizes asked{config.ring_task_window, config.ring_dep_pool, config.ring_heap_bytes};
    if (memory_.address() && asked == asked_ && room == room_) return CH_OK;
    CH_TRY(reserve_sizes(sizes_for(config, room), out_error));
    asked_ = asked;
    room_ = room;
    return CH_OK;
}

Status RingMemory::write(uint64_t* out_graph, ch_error* out_error) {
    CH_TRY(platform::copy_to_device(device_, plan_address_, &plan_, sizeof plan_, out_error));
    image_.task_count = graph::unknown_count;
    *out_graph = base();
    return platform::copy_to_device(device_, base(), &image_, offsetof(graph::Image, queues), out_error);
}

Status RingMemory::read_heap_touched(uint64_t* out_bytes, ch_error* out_error) {
    const uint64_t from = plan_address_ + offsetof(graph::Orchestration, heap_touched);
    return platform::copy_from_device(device_, out_bytes, from, sizeof *out_bytes, out_error);
}

}  // namespace chiphost::host
