// SPDX-License-Identifier: Apache-2.0
//
// The messages of a worker to its child, as they lie in the shared arena (isolate/child/child_protocol.h). Offsets
// count from the arena's beginning.
#pragma once

#include <stdint.h>

#include <string>
#include <string_view>
#include <vector>

#include "chiphost/abi/host_runtime.h"
#include "isolate/child/arena_pieces.h"
#include "isolate/child/kept_keys.h"
#include "isolate/child/shared_memory.h"
#include "runtime_library.h"
#include "status/status.h"

namespace chiphost::worker {

// Texts one after the other, each with its length before it.
class TextWriter {
public:
    void add(std::string_view text);
    const std::string& bytes() const { return bytes_; }

private:
    std::string bytes_;
};

class TextReader {
public:
    TextReader(const char* data, size_t bytes) : at_(data), end_(data + bytes) {}
    std::string_view next();  // empty at the end

private:
    const char* at_;
    const char* end_;
};

// ChildVerb::load_runtime: loads a runtime, so that open_runtime of the same files finds it. The message is that of
// open_runtime; nothing is answered but the code.
//
// ChildVerb::open_runtime: loads a runtime and opens a device. The texts are host, aicpu, aicore, platform. The answer
// is OpenedRuntime in its place.
struct OpenRuntime {
    int32_t device_id;
    uint32_t text_bytes;
    uint64_t device_memory_bytes;
    uint64_t stack_bytes;     // of the threads that run its code, at least; 0: as usual
    uint64_t cross_compiled;  // 1: see RuntimeFiles
    // char texts[text_bytes];
};

struct OpenedRuntime {
    char runtime[64];
    char arch[64];
    char platform[64];
    char version[64];
    ch_chip chip;
};

// ChildVerb::run. Tensors and scalars are arrays of ch_tensor and uint64_t; a tensor's `data` is an offset.
struct RunMessage {
    uint32_t slot;           // where the child keeps the callable
    uint32_t callable_sent;  // 1: it does not yet, and finds it at `callable`
    uint32_t callable_format;
    uint32_t tensor_count;
    uint32_t scalar_count;
    uint32_t reserved;
    uint64_t callable;
    uint64_t callable_bytes;
    uint64_t tensors;
    uint64_t scalars;
    uint64_t end;  // of all of it; the child may use what is behind
    ch_call_config config;
    // The answer. The pointers in the result mean nothing, what they point to is at these offsets; 0: there is none.
    ch_run_result result;
    uint64_t trace;
    uint64_t check_report;
    uint64_t stall_report;
};

// ChildVerb::finalize_device and ChildVerb::count have no message; the answer of the latter is a ch_anchor_counts.

// A callable as texts, and as such a copy of it in the child.
void write_callable(const ch_callable& callable, TextWriter* out_texts);

class StoredCallable {
public:
    explicit StoredCallable(std::string bytes);
    StoredCallable(const StoredCallable&) = delete;
    StoredCallable& operator=(const StoredCallable&) = delete;
    ch_callable raw(uint32_t format) const;

private:
    const std::string bytes_;
    std::vector<ch_kernel> kernels_;
    ch_callable raw_{};
};

// Arguments in the arena: every array is copied in before a run, and out after it if the run may have written it.
// Arrays that overlap are one piece there too, so that a run sees what it would see in its caller's memory.
class ArenaArguments {
public:
    // Writes message and arguments. CH_HOST_MEMORY_EXHAUSTED.
    Status write(isolate::SharedMemory& memory, const ch_callable& callable, const isolate::KeptKeys::Place& place,
                 const ch_task_args& args, const ch_call_config& config, ch_error* out_error);

    // Copies the results to the caller's arrays.
    void read_back(isolate::SharedMemory& memory, const ch_task_args& args) const;

private:
    void place_tensors(const ch_task_args& args, uint64_t* inout_end);

    isolate::ArenaPieces pieces_;
    std::vector<uint64_t> tensors_;  // offset of each
    TextWriter texts_;
};

}  // namespace chiphost::worker
