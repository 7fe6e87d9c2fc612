// SPDX-License-Identifier: Apache-2.0
#include "device_built_runtime.h"

#include <stddef.h>
#include <string.h>

#include <algorithm>

#include "chiphost/abi/device_orchestration.h"
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
// Of the default sizes, to fit a small device. So many leave half of the memory to others, further ones an eighth.
constexpr uint32_t halvings_good = 6, halvings_max = 14;
constexpr uint32_t heap_halvings_max = 12;
constexpr uint64_t heap_bytes_worth_keeping = 32 << 20;  // in use from one run to the next

constexpr uint64_t aligned(uint64_t bytes, uint64_t alignment = 64) {
    return (bytes + alignment - 1) / alignment * alignment;
}

// The orchestration's file, in device memory for as long as the callable is loaded.
class DeviceLibrary final : public Orchestration {
public:
    explicit DeviceLibrary(platform::Device* device) : device_(device) {}
    ~DeviceLibrary() override {
        if (address_) platform::release(device_, address_);
    }

    int32_t load(const ch_callable& callable, ch_error* out_error) {
        const ch_binary& binary = callable.orchestration;
        name_ = binary.name;
        key_ = binary.key ? binary.key : "";
        entry_ = callable.entry;
        bytes_ = binary.bytes;
        if (entry_.size() >= graph::name_bytes || key_.size() >= graph::key_bytes) {
            return report(out_error, CH_INVALID_ARGUMENT, binary.name,
                          "wanted an entry of fewer than %u characters and a key of fewer than %u", graph::name_bytes,
                          graph::key_bytes);
        }
        CH_TRY(platform::allocate(device_, bytes_, &address_, out_error));
        return platform::copy_to_device(device_, address_, binary.data, bytes_, out_error);
    }

    void describe(graph::Orchestration* plan) const {
        plan->library = address_;
        plan->library_bytes = bytes_;
        copy_text(plan->library_key, sizeof plan->library_key, key_.c_str());
        copy_text(plan->library_name, sizeof plan->library_name, name_.c_str());
        copy_text(plan->entry, sizeof plan->entry, entry_.c_str());
    }

private:
    platform::Device* const device_;
    std::string name_, key_, entry_;
    uint64_t address_ = 0;
    uint64_t bytes_ = 0;
};

ch_device_tensor describe(const ch_tensor& tensor, uint64_t address, uint32_t number) {
    ch_device_tensor result{};
    result.address = result.buffer = address;
    result.buffer_bytes = ch_tensor_bytes(&tensor);
    result.owner = -1;
    result.dtype = tensor.dtype;
    result.flags = tensor.access == CH_IN ? CH_TENSOR_READ_ONLY : 0;
    result.number = number;
    ch_set_row_major(&result, tensor.shape, tensor.ndims);
    return result;
}

}  // namespace

int32_t DeviceBuiltRuntime::load(const ch_callable& callable, std::unique_ptr<Orchestration>* out_orchestration,
                                 ch_error* out_error) {
    auto library = std::make_unique<DeviceLibrary>(device_);
    CH_TRY(library->load(callable, out_error));
    *out_orchestration = std::move(library);
    return CH_OK;
}

// The sizes of a configuration, for a device with `room` bytes besides the arguments of the run. Those that are left to
// us are halved together until all rings take half of that, or at least leave something for the programs. A function of
// the run alone: what fits must not depend on the runs before.
DeviceBuiltRuntime::RingSizes DeviceBuiltRuntime::sizes_for(const ch_call_config& config, uint64_t room) const {
    const auto halved = [&](uint32_t times) {
        RingSizes sizes{config.ring_task_window, config.ring_dep_pool, aligned(config.ring_heap_bytes, heap_alignment)};
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
DeviceBuiltRuntime::Layout DeviceBuiltRuntime::lay_out(const RingSizes& sizes) const {
    Layout at;
    graph::Image& image = at.image;
    graph::Orchestration& plan = at.plan;
    const uint32_t slots = sizes.window * graph::ring_count;
    const uint32_t edges = sizes.edges * graph::ring_count;
    const uint64_t record_bytes = std::max(sizes.window * record_bytes_per_slot, record_bytes_min);
    uint64_t end = aligned(sizeof(graph::Image));
    const auto place = [&](uint64_t bytes, uint64_t alignment = 64) {
        const uint64_t begin = aligned(end, alignment);
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
    image.args = aligned(end);
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

Status DeviceBuiltRuntime::reserve_rings(const RingSizes& sizes, ch_error* out_error) {
    if (rings_.address() && sizes == sizes_) return CH_OK;
    rings_.release();
    const Layout layout = lay_out(sizes);
    if (const Status failed = rings_.reserve_zeroed(layout.bytes, out_error); !failed.ok()) {
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
    const uint64_t base = aligned(rings_.address(), heap_alignment);
    for (uint64_t* address : {&plan_address_, &image_.tasks, &plan_.slots, &image_.edges, &plan_.predecessors,
                              &plan_.found, &plan_.marks, &plan_.map_entries, &plan_.map_buckets, &image_.args}) {
        *address += base;
    }
    for (auto& queue : image_.queues) queue.cells += base;
    image_.orchestration = plan_address_;
    for (graph::Ring& ring : plan_.rings) ring.heap += base;
    // The queues' positions are the device's from now on.
    const int32_t code = platform::copy_to_device(device_, base, &image_, sizeof image_, out_error);
    if (code != CH_OK) rings_.release();
    return code;
}

// Device memory of an earlier argument that is the same array, 0 if there is none. Arrays that may be written must not
// meet otherwise: their results could not all be copied back. An input may meet anything: it is a copy.
Status DeviceBuiltRuntime::find_alias(const ch_task_args& args, uint32_t index, uint64_t* out_address,
                                      ch_error* out_error) const {
    *out_address = 0;
    const ch_tensor& tensor = args.tensors[index];
    const uint64_t bytes = ch_tensor_bytes(&tensor);
    if (tensor.access == CH_IN || bytes == 0) return CH_OK;
    for (const Result& other : results_) {
        const auto data = reinterpret_cast<uint64_t>(other.host);
        if (data == tensor.data && other.bytes == bytes) {
            *out_address = other.device;
            return CH_OK;
        }
        if (tensor.data < data + other.bytes && data < tensor.data + bytes) {
            return report(out_error, CH_ARGUMENT_LAYOUT, "args",
                          "tensors %u and %u may both be written and share only a part of their memory; pass arrays "
                          "that are apart, or the same array twice",
                          other.argument, index);
        }
    }
    return CH_OK;
}

// Copies the tensors and the list of arguments to the device.
Status DeviceBuiltRuntime::place_arguments(const RunInput& input, ch_error* out_error) {
    const ch_task_args& args = input.args;
    const uint64_t tensors_at = aligned(sizeof(ch_device_args));
    const uint64_t scalars_at = tensors_at + args.tensor_count * sizeof(ch_device_tensor);
    const uint64_t types_at = scalars_at + args.scalar_count * sizeof(uint64_t);
    const uint64_t bytes = types_at + input.kernels.size();
    CH_TRY(arguments_on_device_.reserve(bytes, out_error));
    const uint64_t base = arguments_on_device_.address();
    arguments_.assign(bytes, 0);
    ch_device_args list{};
    list.tensors = reinterpret_cast<const ch_device_tensor*>(base + tensors_at);
    list.scalars = reinterpret_cast<const uint64_t*>(base + scalars_at);
    list.tensor_count = args.tensor_count;
    list.scalar_count = args.scalar_count;
    memcpy(arguments_.data(), &list, sizeof list);
    for (uint32_t i = 0; i < args.tensor_count; ++i) {
        const ch_tensor& tensor = args.tensors[i];
        const uint64_t tensor_bytes = ch_tensor_bytes(&tensor);
        if (ch_tensor_elements(&tensor) > UINT32_MAX) {
            return report(out_error, CH_ARGUMENT_SHAPE, "args",
                          "tensor %u: wanted fewer than 2^32 elements, found %llu", i,
                          static_cast<unsigned long long>(ch_tensor_elements(&tensor)));
        }
        uint64_t address = 0;
        CH_TRY(find_alias(args, i, &address, out_error));
        const bool shared = address != 0;
        if (!shared) {
            if (const Status failed = memory_.allocate(tensor_bytes, &address, out_error); !failed.ok()) {
                if (failed != CH_DEVICE_MEMORY_EXHAUSTED) return failed;
                const std::string why = out_error->message;
                return report(out_error, CH_DEVICE_MEMORY_EXHAUSTED, "args",
                              "tensor %u: %s; the rings have %llu (ring_heap_bytes, ring_task_window, ring_dep_pool)",
                              i, why.c_str(), static_cast<unsigned long long>(rings_.bytes()));
            }
        }
        if (tensor.access != CH_OUT) {
            const auto* host = reinterpret_cast<const void*>(tensor.data);
            CH_TRY(platform::copy_to_device(device_, address, host, tensor_bytes, out_error));
        }
        if (tensor.access != CH_IN && tensor_bytes != 0 && !shared) {
            results_.push_back({reinterpret_cast<void*>(tensor.data), address, tensor_bytes, i});
        }
        const ch_device_tensor described = describe(tensor, address, i);
        memcpy(arguments_.data() + tensors_at + i * sizeof described, &described, sizeof described);
    }
    if (args.scalar_count) memcpy(arguments_.data() + scalars_at, args.scalars, args.scalar_count * sizeof(uint64_t));
    for (uint32_t func_id = 0; func_id < input.kernels.size(); ++func_id) {
        const KernelTable::Entry kernel = input.kernels[func_id];
        arguments_[types_at + func_id] = static_cast<char>(kernel.address ? kernel.core_type : UINT8_MAX);
    }
    plan_.args = base;
    plan_.kernel_types = base + types_at;
    plan_.kernel_count = input.kernels.size();
    return platform::copy_to_device(device_, base, arguments_.data(), bytes, out_error);
}

int32_t DeviceBuiltRuntime::build(const RunInput& input, BuiltGraph* out_graph, ch_error* out_error) {
    if (input.config.orch_thread_num != 1) {
        return report(out_error, CH_CONFIG_OUT_OF_RANGE, "orch_thread_num",
                      "wanted 1: one AICPU thread runs the orchestration; found %u", input.config.orch_thread_num);
    }
    uint64_t arguments = 0;
    for (uint32_t i = 0; i < input.args.tensor_count; ++i) arguments += ch_tensor_bytes(&input.args.tensors[i]);
    const uint64_t room = input.device_memory_bytes - std::min(arguments, input.device_memory_bytes);
    // A run that asks for the same as the one before lays nothing out.
    const RingSizes asked{input.config.ring_task_window, input.config.ring_dep_pool, input.config.ring_heap_bytes};
    if (!rings_.address() || !(asked == asked_) || room != room_) {
        CH_TRY(reserve_rings(sizes_for(input.config, room), out_error));
        asked_ = asked;
        room_ = room;
    }
    CH_TRY(place_arguments(input, out_error));
    static_cast<const DeviceLibrary&>(input.orchestration).describe(&plan_);
    CH_TRY(platform::copy_to_device(device_, plan_address_, &plan_, sizeof plan_, out_error));
    image_.task_count = graph::unknown_count;
    out_graph->image = aligned(rings_.address(), heap_alignment);
    unfinished_ = true;
    return platform::copy_to_device(device_, out_graph->image, &image_, offsetof(graph::Image, queues), out_error);
}

int32_t DeviceBuiltRuntime::copy_out(ch_error* out_error) {
    unfinished_ = false;
    uint64_t touched = 0;
    const uint64_t touched_at = plan_address_ + offsetof(graph::Orchestration, heap_touched);
    CH_TRY(platform::copy_from_device(device_, &touched, touched_at, sizeof touched, out_error));
    give_back_ = touched > heap_bytes_worth_keeping;
    for (const Result& result : results_) {
        if (const int32_t code =
                platform::copy_from_device(device_, result.host, result.device, result.bytes, out_error)) {
            return code;
        }
    }
    return CH_OK;
}

void DeviceBuiltRuntime::end_run() {
    if (unfinished_ || give_back_) rings_.release();
    unfinished_ = give_back_ = false;
    memory_.release_all();
    results_.clear();
}

}  // namespace chiphost::host
