// SPDX-License-Identifier: Apache-2.0
//
// For orchestrations of the host_build_graph runtime: C++ functions that run on the host and describe the whole graph
// before the device starts.
//
//     #include <chiphost/host_build_graph.h>
//
//     CHIPHOST_HOST_ORCHESTRATION(build_graph, graph, args) {
//         const auto x = graph.input(args.tensor(0)), y = graph.output(args.tensor(1));
//         const auto squared = graph.make(chiphost::like(x));
//         const auto square = graph.add_task(chiphost::AIV, /*func_id=*/0, {x, squared});
//         const auto root = graph.add_task(chiphost::AIV, /*func_id=*/1, {squared, y});
//         graph.add_successor(square, root);
//         return 0;
//     }
//
// A kernel finds a tensor with tensor_arg and tensor_data, as in the other runtimes: it can be the same file. Instead
// of tensors, a task may be given addresses (copy_in, copy_out, device_malloc), which a kernel finds with pointer_arg.
#pragma once

#include <stdint.h>
#include <string.h>

#include <initializer_list>
#include <type_traits>
#include <utility>

#include "abi/host_orchestration.h"
#include "device_tensor.h"
#include "task_args.h"

// Says which version of the table this library expects; the runtime reads it before it calls anything.
extern "C" {
__attribute__((visibility("default"), weak)) extern const ch_abi_header chiphost_orchestration_abi;
const ch_abi_header chiphost_orchestration_abi = CH_ABI_HEADER(
    ch_host_graph_ops, CH_ABI_HOST_ORCHESTRATION, CH_HOST_ORCHESTRATION_MAJOR, CH_HOST_ORCHESTRATION_MINOR, "*");
}

namespace chiphost {

constexpr ch_core_type AIC = CH_AIC;
constexpr ch_core_type AIV = CH_AIV;

// An address in device memory. Not to be dereferenced on the host.
class DevicePointer {
public:
    DevicePointer() = default;
    explicit DevicePointer(uint64_t address) : address_(address) {}
    uint64_t address() const { return address_; }
    explicit operator bool() const { return address_ != 0; }
    // Address `bytes` further.
    DevicePointer operator+(uint64_t bytes) const { return DevicePointer(address_ + bytes); }
    // Address of element `index` of an array of T.
    template <typename T>
    DevicePointer element(uint64_t index) const {
        return DevicePointer(address_ + index * sizeof(T));
    }

private:
    uint64_t address_ = 0;
};

// One argument of a task as its 64-bit word: addresses, integers in two's complement, float and double by their bits.
class Word {
public:
    Word(DevicePointer pointer) : bits_(pointer.address()) {}
    template <typename T, typename = std::enable_if_t<std::is_arithmetic<T>::value || std::is_enum<T>::value>>
    Word(T value) : bits_(0) {
        if constexpr (std::is_floating_point<T>::value) {
            static_assert(sizeof(T) <= 8, "long double has no place in an argument");
            memcpy(&bits_, &value, sizeof(T));  // little-endian
        } else {
            bits_ = static_cast<uint64_t>(static_cast<int64_t>(value));
        }
    }
    uint64_t bits() const { return bits_; }

private:
    uint64_t bits_;
};
static_assert(sizeof(Word) == sizeof(uint64_t), "an array of Word is an array of words");

// One argument of a task: a tensor, or a word.
class Argument {
public:
    Argument(const DeviceTensor& tensor) : is_tensor_(true), tensor_(tensor.raw()) {}
    Argument(Word word) : is_tensor_(false), word_(word.bits()) {}
    template <typename T, typename = decltype(Word(std::declval<T>()))>
    Argument(T value) : Argument(Word(value)) {}

    // Refers to this argument.
    ch_host_argument raw() const {
        ch_host_argument raw{};
        raw.is_tensor = is_tensor_;
        if (is_tensor_) {
            raw.tensor = &tensor_;
        } else {
            raw.word = word_;
        }
        return raw;
    }

private:
    bool is_tensor_;
    union {
        uint64_t word_;
        ch_device_tensor tensor_;
    };
};

// The graph under construction. Used by the orchestration only, on its thread, until it returns.
//
// A call that fails records why; the run then ends with that error, whatever follows. Return values need no check: ids
// become -1 and addresses 0, and further calls do nothing.
class HostGraph {
public:
    using TaskId = int32_t;

    explicit HostGraph(ch_host_graph* graph) : graph_(graph) {}

    // Adds a task: one call of kernel func_id with these arguments on a core of the type. At most CH_MAX_TASK_ARGS.
    // Tensors come first, then scalars, if the kernel is to run in other runtimes too.
    TaskId add_task(ch_core_type core_type, int32_t func_id, std::initializer_list<Argument> args) {
        return add_task(core_type, func_id, args.begin(), static_cast<uint32_t>(args.size()));
    }
    TaskId add_task(ch_core_type core_type, int32_t func_id, const Argument* args, uint32_t arg_count) {
        ch_host_argument raw[CH_MAX_TASK_ARGS];
        uint64_t words[CH_MAX_TASK_ARGS];
        bool only_words = true;
        for (uint32_t i = 0; i < arg_count && i < CH_MAX_TASK_ARGS; ++i) {
            raw[i] = args[i].raw();
            if (raw[i].is_tensor) {
                only_words = false;
            } else {
                words[i] = raw[i].word;
            }
        }
        return only_words ? graph_->ops->add_task(graph_, words, arg_count, func_id, core_type)
                          : graph_->ops->add_tensor_task(graph_, raw, arg_count, func_id, core_type);
    }
    // The same with words only.
    template <typename W, typename = std::enable_if_t<std::is_same<W, Word>::value>>
    TaskId add_task(ch_core_type core_type, int32_t func_id, std::initializer_list<W> args) {
        return add_task(core_type, func_id, args.begin(), static_cast<uint32_t>(args.size()));
    }
    TaskId add_task(ch_core_type core_type, int32_t func_id, const Word* args, uint32_t arg_count) {
        return graph_->ops->add_task(graph_, reinterpret_cast<const uint64_t*>(args), arg_count, func_id, core_type);
    }

    // `to` starts after `from` has completed.
    void add_successor(TaskId from, TaskId to) { graph_->ops->add_successor(graph_, from, to); }

    // A tensor argument of the run as a tensor in device memory, in whose place it is for this run: `input` starts as
    // the argument, `output` is copied into it after the run and starts undefined, `inout` does both. Views of it
    // (device_tensor.h) cost nothing.
    DeviceTensor input(const Tensor& tensor) { return describe(tensor, copy_in(tensor), CH_TENSOR_READ_ONLY); }
    DeviceTensor output(const Tensor& tensor) { return describe(tensor, copy_out(tensor), 0); }
    DeviceTensor inout(const Tensor& tensor) { return describe(tensor, copy_in_out(tensor), 0); }

    // A new tensor in device memory, freed when the run ends.
    DeviceTensor make(const TensorSpec& spec) {
        const ch_tensor_spec& raw = spec.raw();
        const uint64_t bytes = ch_shape_bytes(raw.shape, raw.ndims, raw.dtype);
        const DevicePointer memory = device_malloc(bytes);
        if (memory && raw.has_initial) fill(memory, bytes, raw);
        return place(memory, bytes, raw.shape, raw.ndims, raw.dtype, raw.flags);
    }

    // Device memory for this run: alignment 64, content undefined, freed when the run ends.
    DevicePointer device_malloc(uint64_t bytes) { return DevicePointer(graph_->ops->device_malloc(graph_, bytes)); }
    void device_free(DevicePointer pointer) { graph_->ops->device_free(graph_, pointer.address()); }

    void copy_to_device(DevicePointer device, const void* host, uint64_t bytes) {
        graph_->ops->copy_to_device(graph_, device.address(), host, bytes);
    }

    // Copies `bytes` back from device memory to a tensor argument after the run.
    void record_tensor_pair(void* host, DevicePointer device, uint64_t bytes) {
        graph_->ops->record_tensor_pair(graph_, host, device.address(), bytes);
    }

    // Device memory with a copy of the tensor.
    DevicePointer copy_in(const Tensor& tensor) {
        const DevicePointer device = device_malloc(tensor.bytes());
        copy_to_device(device, tensor.address(), tensor.bytes());
        return device;
    }

    // Device memory that is copied into the tensor after the run. Starts undefined.
    DevicePointer copy_out(const Tensor& tensor) {
        const DevicePointer device = device_malloc(tensor.bytes());
        record_tensor_pair(tensor.address(), device, tensor.bytes());
        return device;
    }

    // Device memory that starts as the tensor and is copied into it after the run.
    DevicePointer copy_in_out(const Tensor& tensor) {
        const DevicePointer device = copy_in(tensor);
        record_tensor_pair(tensor.address(), device, tensor.bytes());
        return device;
    }

    int32_t task_count() const { return graph_->ops->get_task_count(graph_); }

    // Writes the graph to stderr, one line a task.
    void print() const { graph_->ops->print_runtime(graph_); }

private:
    static DeviceTensor place(DevicePointer memory, uint64_t bytes, const uint32_t* shape, uint32_t ndims,
                              uint8_t dtype, uint8_t flags) {
        ch_device_tensor where{};
        where.address = where.buffer = memory.address();
        where.buffer_bytes = bytes;
        where.owner = -1;
        where.dtype = dtype;
        where.flags = flags;
        return DeviceTensor::row_major(where, shape, ndims);
    }
    static DeviceTensor describe(const Tensor& tensor, DevicePointer memory, uint8_t flags) {
        uint32_t shape[CH_MAX_DIMS] = {};
        for (uint32_t dim = 0; dim < tensor.ndims(); ++dim) shape[dim] = tensor.shape(dim);
        return place(memory, tensor.bytes(), shape, tensor.ndims(), static_cast<uint8_t>(tensor.dtype()), flags);
    }
    // Every element becomes the initial one of the specification.
    void fill(DevicePointer memory, uint64_t bytes, const ch_tensor_spec& spec) {
        const uint32_t element_bytes = ch_dtype_bytes(spec.dtype);
        char part[4096];  // a multiple of every element's bytes
        for (uint32_t at = 0; at < sizeof part; at += element_bytes) memcpy(part + at, &spec.initial, element_bytes);
        for (uint64_t done = 0; done < bytes; done += sizeof part) {
            copy_to_device(memory + done, part, bytes - done < sizeof part ? bytes - done : sizeof part);
        }
    }

    ch_host_graph* graph_;
};

}  // namespace chiphost

// Defines the orchestration function `name`. Its body sees the graph and the arguments under the names given and
// returns 0, or a code of its own that ends the run.
#define CHIPHOST_HOST_ORCHESTRATION(name, graph, args)                                             \
    static int32_t name##_body(::chiphost::HostGraph& graph, const ::chiphost::TaskArgs& args);    \
    extern "C" __attribute__((visibility("default"))) int32_t name(ch_host_graph* raw_graph,       \
                                                                   const ch_task_args* raw_args) { \
        ::chiphost::HostGraph wrapped_graph(raw_graph);                                            \
        const ::chiphost::TaskArgs wrapped_args(*raw_args);                                        \
        return name##_body(wrapped_graph, wrapped_args);                                           \
    }                                                                                              \
    static int32_t name##_body([[maybe_unused]] ::chiphost::HostGraph& graph,                      \
                               [[maybe_unused]] const ::chiphost::TaskArgs& args)
