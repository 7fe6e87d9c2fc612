// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>

#include <vector>

#include "chiphost/abi/tensor.h"

namespace chiphost::host {

// The arrays that a run may write: their bytes before it, and the bytes that they may have after it. Used while nobody
// else touches the arrays, which are borrowed for each call. Throws std::bad_alloc.
class ReferenceOutputs {
public:
    // Keeps the bytes from before a run, and forgets all others.
    void begin(const ch_task_args& args);

    // Puts them back.
    void restore(const ch_task_args& args) const;

    // From now on the arrays may come to be as they are.
    void accept(const ch_task_args& args) { accepted_.push_back(bytes_of(args)); }

    // True if the arrays are as they may be.
    bool matches(const ch_task_args& args) const;

private:
    using Bytes = std::vector<char>;

    static Bytes bytes_of(const ch_task_args& args);
    static bool equal(const ch_task_args& args, const Bytes& bytes);

    Bytes before_;
    std::vector<Bytes> accepted_;
};

}  // namespace chiphost::host
