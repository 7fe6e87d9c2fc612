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

extern "C" {
// Says which version of the table this library expects; the runtime reads it before it calls anything.
__attribute__((visibility("default"), weak)) extern const ch_abi_header chiphost_orchestration_abi;
const ch_abi_header chiphost_orchestration_abi = CH_ABI_HEADER(
    ch_host_graph_ops, CH_ABI_HOST_ORCHESTRATION, CH_HOST_ORCHESTRATION_MAJOR, CH_HOST_ORCHESTRATION_MINOR, "*");
}

namespace chiphost {

constexpr ch_core_type AIC = CH_AIC;  // a core for matrices
constexpr ch_core_type AIV = CH_AIV;  // a core for vectors

// An address in device memory. It is not to be dereferenced on the host.
//
// Ownership: the memory belongs to the run; the value keeps nothing alive.
// Threads: any.
// Errors: none.
class DevicePointer {
public:
    // Is no address.
    DevicePointer() = default;
    // Is this address.
    explicit DevicePointer(uint64_t address) : address_(address) {}
    // Gives the number; 0 if it is no address.
    uint64_t address() const { return address_; }
    // Tells that it is an address.
    explicit operator bool() const { return address_ != 0; }
    // Gives the address so many `bytes` further.
    DevicePointer operator+(uint64_t bytes) const { return DevicePointer(address_ + bytes); }
    // Gives the address of an element of an array.
    //
    // T: the type of the elements.
    // index: number of the element.
    template <typename T>
    DevicePointer element(uint64_t index) const {
        return DevicePointer(address_ + index * sizeof(T));
    }

private:
    uint64_t address_ = 0;
};

// One argument of a task as its 64-bit word.
//
// Threads: any.
// Errors: none.
class Word {
public:
    // Makes the word of an address.
    //
    // pointer: the address.
    Word(DevicePointer pointer) : bits_(pointer.address()) {}
    // Makes the word of a number: integers in two's complement, float and double by their bits.
    //
    // T: an arithmetic type or an enum, of at most 8 bytes.
    // value: the number.
    template <typename T, typename = std::enable_if_t<std::is_arithmetic<T>::value || std::is_enum<T>::value>>
    Word(T value) : bits_(0) {
        if constexpr (std::is_floating_point<T>::value) {
            static_assert(sizeof(T) <= 8, "long double has no place in an argument");
            memcpy(&bits_, &value, sizeof(T));  // little-endian
        } else {
            bits_ = static_cast<uint64_t>(static_cast<int64_t>(value));
        }
    }
    // Gives the word.
    uint64_t bits() const { return bits_; }

private:
    uint64_t bits_;
};
static_assert(sizeof(Word) == sizeof(uint64_t), "an array of Word is an array of words");

// One argument of a task: a tensor, or a word. Tensors and whatever makes a Word become one by themselves.
//
// Threads: any.
// Errors: none.
class Argument {
public:
    // Copies the tensor's description.
    Argument(const DeviceTensor& tensor) : is_tensor_(true), tensor_(tensor.raw()) {}
    // Takes a `word`.
    Argument(Word word) : is_tensor_(false), word_(word.bits()) {}
    // Takes what makes a word.
    //
    // T: as for Word.
    // value: as for Word.
    template <typename T, typename = decltype(Word(std::declval<T>()))>
    Argument(T value) : Argument(Word(value)) {}

    // Gives the record.
    //
    // Ownership: it refers to this argument.
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

// The graph under construction, for the orchestration until it returns.
//
// Threads: that of the orchestration.
// Errors: a call that fails records why; the run then ends with that error, whatever follows. Return values need no
// check: ids become negative and addresses 0, and further calls do nothing.
// Ownership: arguments are borrowed for the call.
//
// The calls are inlined wherever they are: the runtime tells the line of a call by its return address.
class HostGraph {
public:
    using TaskId = int32_t;  // 0, 1, 2, ... in the order of the calls; negative after an error

    // Wraps the runtime's graph, which lives until the orchestration returns.
    explicit HostGraph(ch_host_graph* graph) : graph_(graph) {}

    // The functions that add tasks are part of their caller: the return address of the call says which line of the
    // orchestration has added a task.

    // Adds a task: one call of a kernel on one core. Tensors come first, then scalars, if the kernel is to run in other
    // runtimes too.
    //
    // core_type: AIC or AIV, as the kernel was built.
    // func_id: the kernel, of the callable.
    // args: what it is given; copied.
    // arg_count: entries of `args`, at most CH_MAX_TASK_ARGS.
    // Returns: the task's id.
    // Errors: those of ch_host_graph_ops::add_tensor_task.
    [[gnu::always_inline]] TaskId add_task(ch_core_type core_type, int32_t func_id,
                                           std::initializer_list<Argument> args) {
        return add_task(core_type, func_id, args.begin(), static_cast<uint32_t>(args.size()));
    }
    [[gnu::always_inline]] TaskId add_task(ch_core_type core_type, int32_t func_id, const Argument* args,
                                           uint32_t arg_count) {
        const RawArguments raw(args, arg_count);
        return raw.only_words ? graph_->ops->add_task(graph_, raw.words, arg_count, func_id, core_type)
                              : graph_->ops->add_tensor_task(graph_, raw.arguments, arg_count, func_id, core_type);
    }
    // Adds a task whose arguments are words only.
    //
    // W: Word.
    // core_type: AIC or AIV, as the kernel was built.
    // func_id: the kernel, of the callable.
    // args: what it is given; copied.
    // arg_count: entries of `args`, at most CH_MAX_TASK_ARGS.
    // Returns: the task's id.
    // Errors: those of ch_host_graph_ops::add_task.
    template <typename W, typename = std::enable_if_t<std::is_same<W, Word>::value>>
    [[gnu::always_inline]] TaskId add_task(ch_core_type core_type, int32_t func_id, std::initializer_list<W> args) {
        return add_task(core_type, func_id, args.begin(), static_cast<uint32_t>(args.size()));
    }
    [[gnu::always_inline]] TaskId add_task(ch_core_type core_type, int32_t func_id, const Word* args,
                                           uint32_t arg_count) {
        return graph_->ops->add_task(graph_, reinterpret_cast<const uint64_t*>(args), arg_count, func_id, core_type);
    }

    // Adds an edge: `to` starts after `from` has completed.
    //
    // from: id of a task of this graph.
    // to: id of another.
    // Errors: those of ch_host_graph_ops::add_successor.
    [[gnu::always_inline]] void add_successor(TaskId from, TaskId to) { graph_->ops->add_successor(graph_, from, to); }

    // Gives a tensor in device memory that stands for an argument of the run: `input` starts as the argument, `output`
    // is copied into it after the run and starts undefined, `inout` does both. Views of it (device_tensor.h) cost
    // nothing.
    //
    // tensor: an argument of the run.
    // Ownership: the memory is freed when the run ends.
    // Errors: CH_DEVICE_MEMORY_EXHAUSTED; CH_HOST_RANGE_INVALID for an output that must not be written.
    DeviceTensor input(const Tensor& tensor) { return describe(tensor, copy_in(tensor), CH_TENSOR_READ_ONLY); }
    DeviceTensor output(const Tensor& tensor) { return describe(tensor, copy_out(tensor), 0); }
    DeviceTensor inout(const Tensor& tensor) { return describe(tensor, copy_in_out(tensor), 0); }

    // Makes a tensor in device memory.
    //
    // spec: its shape and dtype, and how its elements start.
    // Ownership: the memory is freed when the run ends.
    // Errors: CH_DEVICE_MEMORY_EXHAUSTED.
    DeviceTensor make(const TensorSpec& spec) {
        const ch_tensor_spec& raw = spec.raw();
        const uint64_t bytes = ch_shape_bytes(raw.shape, raw.ndims, raw.dtype);
        const DevicePointer memory = device_malloc(bytes);
        if (memory && raw.has_initial) fill(memory, bytes, raw);
        return place(memory, bytes, raw.shape, raw.ndims, raw.dtype, raw.flags);
    }

    // Allocates device memory with an alignment of 64. Its content is undefined.
    //
    // bytes: how much.
    // Ownership: the run's; it is freed at the latest when that ends.
    // Errors: CH_DEVICE_MEMORY_EXHAUSTED.
    [[gnu::always_inline]] DevicePointer device_malloc(uint64_t bytes) {
        return DevicePointer(graph_->ops->device_malloc(graph_, bytes));
    }

    // Frees device memory before the run ends.
    //
    // pointer: what `device_malloc` gave; no task may use it.
    // Errors: CH_DEVICE_POINTER_INVALID.
    [[gnu::always_inline]] void device_free(DevicePointer pointer) {
        graph_->ops->device_free(graph_, pointer.address());
    }

    // Copies from host memory to device memory now.
    //
    // device: where to.
    // host: where from; any memory of the process.
    // bytes: how many.
    // Errors: those of ch_host_graph_ops::copy_to_device.
    [[gnu::always_inline]] void copy_to_device(DevicePointer device, const void* host, uint64_t bytes) {
        graph_->ops->copy_to_device(graph_, device.address(), host, bytes);
    }

    // Has device memory copied to a tensor argument when the run has ended well.
    //
    // host: an address inside a tensor argument of the run.
    // device: where from.
    // bytes: how many.
    // Errors: those of ch_host_graph_ops::record_tensor_pair.
    [[gnu::always_inline]] void record_tensor_pair(void* host, DevicePointer device, uint64_t bytes) {
        graph_->ops->record_tensor_pair(graph_, host, device.address(), bytes);
    }

    // Makes device memory with a copy of an argument of the run.
    //
    // tensor: the argument.
    // Ownership: the memory is freed when the run ends.
    // Errors: CH_DEVICE_MEMORY_EXHAUSTED.
    DevicePointer copy_in(const Tensor& tensor) {
        const DevicePointer device = device_malloc(tensor.bytes());
        copy_to_device(device, tensor.address(), tensor.bytes());
        return device;
    }

    // Makes device memory that is copied into an argument after the run. It starts undefined.
    //
    // tensor: the argument.
    // Ownership: the memory is freed when the run ends.
    // Errors: CH_DEVICE_MEMORY_EXHAUSTED; CH_HOST_RANGE_INVALID for an argument that must not be written.
    DevicePointer copy_out(const Tensor& tensor) {
        const DevicePointer device = device_malloc(tensor.bytes());
        record_tensor_pair(tensor.address(), device, tensor.bytes());
        return device;
    }

    // Makes device memory that starts as an argument and is copied into it after the run.
    //
    // tensor: the argument.
    // Ownership: the memory is freed when the run ends.
    // Errors: CH_DEVICE_MEMORY_EXHAUSTED; CH_HOST_RANGE_INVALID for an argument that must not be written.
    DevicePointer copy_in_out(const Tensor& tensor) {
        const DevicePointer device = copy_in(tensor);
        record_tensor_pair(tensor.address(), device, tensor.bytes());
        return device;
    }

    // Gives the number of tasks so far.
    int32_t task_count() const { return graph_->ops->get_task_count(graph_); }

    // Writes the graph to stderr, one line a task.
    //
    // Errors: none.
    void print() const { graph_->ops->print_runtime(graph_); }

private:
    // The arguments of a task as the runtime takes them. They are words as long as none is a tensor.
    struct RawArguments {
        RawArguments(const Argument* args, uint32_t count) {
            for (uint32_t i = 0; i < count && i < CH_MAX_TASK_ARGS; ++i) {
                arguments[i] = args[i].raw();
                if (arguments[i].is_tensor) {
                    only_words = false;
                } else {
                    words[i] = arguments[i].word;
                }
            }
        }
        bool only_words = true;
        ch_host_argument arguments[CH_MAX_TASK_ARGS];
        uint64_t words[CH_MAX_TASK_ARGS];
    };

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

// Defines an orchestration function. Its body follows, sees the graph and the arguments under the names given, and
// returns 0, or a code of its own that ends the run.
//
// name: of the function.
// graph: name of the HostGraph.
// args: name of the TaskArgs.
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
