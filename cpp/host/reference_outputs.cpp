// SPDX-License-Identifier: Apache-2.0
#include "reference_outputs.h"

#include <string.h>

#include <algorithm>

namespace chiphost::host {

namespace {

// Calls visit(data, bytes) for the arrays that a run may write.
template <typename Visit>
void for_each_output(const ch_task_args& args, Visit&& visit) {
    for (uint32_t i = 0; i < args.tensor_count; ++i) {
        const ch_tensor& tensor = args.tensors[i];
        const uint64_t bytes = ch_tensor_bytes(&tensor);
        if (tensor.access != CH_IN && bytes != 0) visit(reinterpret_cast<char*>(tensor.data), bytes);
    }
}

}  // namespace

ReferenceOutputs::Bytes ReferenceOutputs::bytes_of(const ch_task_args& args) {
    Bytes all;
    for_each_output(args, [&](const char* data, uint64_t bytes) { all.insert(all.end(), data, data + bytes); });
    return all;
}

void ReferenceOutputs::begin(const ch_task_args& args) {
    before_ = bytes_of(args);
    accepted_.clear();
}

void ReferenceOutputs::restore(const ch_task_args& args) const {
    const char* from = before_.data();
    for_each_output(args, [&](char* data, uint64_t bytes) {
        memcpy(data, from, bytes);
        from += bytes;
    });
}

bool ReferenceOutputs::equal(const ch_task_args& args, const Bytes& wanted) {
    const char* expected = wanted.data();
    bool same = true;
    for_each_output(args, [&](const char* data, uint64_t bytes) {
        same = same && memcmp(data, expected, bytes) == 0;
        expected += bytes;
    });
    return same;
}

bool ReferenceOutputs::matches(const ch_task_args& args) const {
    return std::any_of(accepted_.begin(), accepted_.end(), [&](const Bytes& bytes) { return equal(args, bytes); });
}

}  // namespace chiphost::host
