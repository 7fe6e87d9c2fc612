// SPDX-License-Identifier: Apache-2.0
#include "device_built_runtime.h"

#include <string.h>

#include <algorithm>

#include "chiphost/abi/device_orchestration.h"
#include "chiphost/align.h"
#include "device_library.h"
#include "status/report.h"

namespace chiphost::host {

namespace {

constexpr uint64_t heap_bytes_worth_keeping = 32 << 20;  // in use from one run to the next

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
                          "[argument %u] and [argument %u] may both be written and share only a part of their memory; "
                          "pass arrays "
                          "that are apart, or the same array twice",
                          other.argument, index);
        }
    }
    return CH_OK;
}

// Copies the tensors and the list of arguments to the device.
Status DeviceBuiltRuntime::place_arguments(const RunInput& input, ch_error* out_error) {
    const ch_task_args& args = input.args;
    const uint64_t tensors_at = align_up(sizeof(ch_device_args));
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
                          "[argument %u]: wanted fewer than 2^32 elements, found %llu", i,
                          static_cast<unsigned long long>(ch_tensor_elements(&tensor)));
        }
        uint64_t address = 0;
        CH_TRY(find_alias(args, i, &address, out_error));
        const bool shared = address != 0;
        if (!shared) {
            if (const Status failed = memory_.allocate(tensor_bytes, &address, out_error); !failed.ok()) {
                if (failed != CH_DEVICE_MEMORY_EXHAUSTED) return failed;
                const std::string why = out_error->message;
                return report(
                    out_error, CH_DEVICE_MEMORY_EXHAUSTED, "args",
                    "[argument %u]: %s; the rings have %llu (ring_heap_bytes, ring_task_window, ring_dep_pool)", i,
                    why.c_str(), static_cast<unsigned long long>(rings_.bytes()));
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
    graph::Orchestration& plan = rings_.plan();
    plan.args = base;
    plan.kernel_types = base + types_at;
    plan.kernel_count = input.kernels.size();
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
    CH_TRY(rings_.reserve(input.config, room, out_error));
    CH_TRY(place_arguments(input, out_error));
    static_cast<const DeviceLibrary&>(input.orchestration).describe(&rings_.plan());
    unfinished_ = true;
    return rings_.write(&out_graph->image, out_error);
}

int32_t DeviceBuiltRuntime::copy_out(ch_error* out_error) {
    unfinished_ = false;
    uint64_t touched = 0;
    CH_TRY(rings_.read_heap_touched(&touched, out_error));
    give_back_ = touched > heap_bytes_worth_keeping;
    for (const Result& result : results_) {
        CH_TRY(platform::copy_from_device(device_, result.host, result.device, result.bytes, out_error));
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
