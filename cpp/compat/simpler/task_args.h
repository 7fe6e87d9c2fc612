// SPDX-License-Identifier: Apache-2.0
//
// For orchestrations that were written for simpler: the arguments of a run.
#pragma once

#include <stdint.h>

#include "chiphost/abi/device_orchestration.h"
#include "chiphost/abi/tensor.h"
#include "chiphost/require.h"
#include "data_type.h"

constexpr int CONTINUOUS_TENSOR_MAX_DIMS = CH_MAX_DIMS;

// A C-contiguous array: in host memory for host_build_graph, in device memory for the other runtimes.
struct ContinuousTensor {
    uint64_t data;                 // address of element 0
    uint32_t shapes[CH_MAX_DIMS];  // elements, outermost first
    uint32_t ndims;
    DataType dtype;

    template <typename T>
    T* data_as() const {
        return reinterpret_cast<T*>(data);
    }
    uint64_t nbytes() const { return ch_shape_bytes(shapes, ndims, static_cast<uint32_t>(dtype)); }
};

// A view of the arguments that the runtime passes; valid during the orchestration. An index that is out of range throws
// chiphost::BadArgument.
class ChipStorageTaskArgs {
public:
    explicit ChipStorageTaskArgs(const ch_task_args& args)
        : on_host_(&args), scalars_(args.scalars), tensor_count_(args.tensor_count), scalar_count_(args.scalar_count) {}
    explicit ChipStorageTaskArgs(const ch_device_args& args)
        : on_device_(&args),
          scalars_(args.scalars),
          tensor_count_(args.tensor_count),
          scalar_count_(args.scalar_count) {}

    int32_t tensor_count() const { return static_cast<int32_t>(tensor_count_); }
    int32_t scalar_count() const { return static_cast<int32_t>(scalar_count_); }

    ContinuousTensor tensor(int32_t index) const {
        chiphost::require(index >= 0 && static_cast<uint32_t>(index) < tensor_count_,
                          "orch_args.tensor(%d): the run was given %u tensors", index, tensor_count_);
        return on_host_ ? describe(on_host_->tensors[index].data, on_host_->tensors[index])
                        : describe(on_device_->tensors[index].address, on_device_->tensors[index]);
    }
    uint64_t scalar(int32_t index) const {
        chiphost::require(index >= 0 && static_cast<uint32_t>(index) < scalar_count_,
                          "orch_args.scalar(%d): the run was given %u scalars", index, scalar_count_);
        return scalars_[index];
    }
    const uint64_t* scalars() const { return scalars_; }
    const uint64_t* scalar_data() const { return scalars_; }

private:
    template <typename T>
    static ContinuousTensor describe(uint64_t address, const T& argument) {
        ContinuousTensor tensor{address, {}, argument.ndims, static_cast<DataType>(argument.dtype)};
        for (uint32_t dim = 0; dim < argument.ndims; ++dim) tensor.shapes[dim] = argument.shape[dim];
        return tensor;
    }

    const ch_task_args* on_host_ = nullptr;
    const ch_device_args* on_device_ = nullptr;
    const uint64_t* scalars_;
    uint32_t tensor_count_;
    uint32_t scalar_count_;
};
