// SPDX-License-Identifier: Apache-2.0
//
// A runtime of one's own. Its graph is a loop: the kernels of a callable, one after the other in the order of their
// numbers, as many times as the orchestration says. Every kernel gets all tensors and scalars of the run.
//
// Every call that can fail is checked: it gives a code, or an answer that says "no".
#include <exception>
#include <vector>

#include "chiphost/abi/host_orchestration.h"
#include "graph/graph_builder.h"
#include "host/device_buffer.h"
#include "host/run_memory.h"
#include "host/runtime.h"
#include "status/report.h"
#include "status/status.h"

namespace {

using namespace chiphost;

// The orchestration of this runtime is a function that returns the number of rounds of a run, or less than 0 if it
// failed.
// [count]
using CountRounds = int32_t (*)(const ch_task_args* args);
// [count]

// The orchestration's library, loaded into the namespace this runtime lives in.
class Rounds final : public host::Orchestration {
public:
    Rounds(const ch_anchor* anchor, void* state) : anchor_(anchor), state_(state) {}
    ~Rounds() override {
        if (library_) anchor_->close_library(state_, library_, nullptr);
    }

    int32_t load(const ch_callable& callable, ch_error* out_error) {
        ch_open_request open{};
        open.binary = callable.orchestration;
        open.out_library = &library_;
        CH_TRY(anchor_->open_library(state_, &open, out_error));
        void* entry = nullptr;
        const ch_symbol_request find{library_, callable.entry, &entry};
        if (const int32_t code = anchor_->find_symbol(state_, &find, nullptr)) {
            return report(out_error, static_cast<ch_code>(code), open.binary.name, "%s cannot be looked up",
                          callable.entry);
        }
        if (!entry) return report(out_error, CH_ENTRY_MISSING, open.binary.name, "wanted %s", callable.entry);
        count_ = reinterpret_cast<CountRounds>(entry);
        return CH_OK;
    }

    int32_t count(const ch_task_args& args) const { return count_(&args); }

private:
    const ch_anchor* const anchor_;
    void* const state_;
    ch_library* library_ = nullptr;
    CountRounds count_ = nullptr;
};

class Repeat final : public host::Runtime {
public:
    Repeat(platform::Device* device, const ch_anchor* anchor, void* state)
        : device_(device), anchor_(anchor), state_(state), memory_(device), image_(device) {}

    int32_t load(const ch_callable& callable, std::unique_ptr<host::Orchestration>* out_orchestration,
                 ch_error* out_error) override {
        auto rounds = std::make_unique<Rounds>(anchor_, state_);
        CH_TRY(rounds->load(callable, out_error));
        *out_orchestration = std::move(rounds);
        return CH_OK;
    }

    int32_t build(const host::RunInput& input, host::BuiltGraph* out_graph, ch_error* out_error) override {
        args_ = &input.args;
        CH_TRY(check_arguments(out_error));
        CH_TRY(copy_in(out_error));
        const int32_t rounds = static_cast<const Rounds&>(input.orchestration).count(input.args);
        if (rounds < 0) {
            const int32_t code =
                report(out_error, CH_ORCHESTRATION_FAILED, "rounds", "the orchestration returned %d", rounds);
            out_error->detail_code = rounds;
            return code;
        }
        for (int32_t round = 0; round < rounds; ++round) {
            if (__atomic_load_n(&input.progress.cancel, __ATOMIC_RELAXED)) {
                return report(out_error, CH_DEADLINE_EXCEEDED, "rounds", "stopped on request in round %d", round);
            }
            for (uint32_t func_id = 0; func_id < input.kernels.size(); ++func_id) {
                const host::KernelTable::Entry kernel = input.kernels[func_id];
                if (kernel.address == 0) continue;
                CH_TRY(add_task(func_id, kernel.core_type, out_error));
            }
        }
        out_graph->task_count = graph_.task_count();
        return ship(&out_graph->image, out_error);
    }

    int32_t copy_out(ch_error* out_error) override {
        for (uint32_t i = 0; i < args_->tensor_count; ++i) {
            const ch_tensor& tensor = args_->tensors[i];
            if (tensor.access == CH_IN) continue;
            if (const int32_t code =
                    platform::copy_from_device(device_, reinterpret_cast<void*>(tensor.data), tensors_[i].address,
                                               ch_tensor_bytes(&tensor), out_error)) {
                return code;
            }
        }
        return CH_OK;
    }

    void end_run() override {
        graph_.clear();
        tensors_.clear();
        words_.clear();
        memory_.release_all();
    }

private:
    int32_t check_arguments(ch_error* out_error) const {
        const uint64_t count = uint64_t{args_->tensor_count} + args_->scalar_count;
        if (count > CH_MAX_TASK_ARGS) {
            return report(out_error, CH_TOO_MANY_TASK_ARGS, "args", "wanted at most %d arguments, found %llu",
                          CH_MAX_TASK_ARGS, static_cast<unsigned long long>(count));
        }
        return CH_OK;
    }

    // Copies the tensors to the device, and describes them for kernels.
    int32_t copy_in(ch_error* out_error) {
        for (uint32_t i = 0; i < args_->tensor_count; ++i) {
            const ch_tensor& tensor = args_->tensors[i];
            const uint64_t bytes = ch_tensor_bytes(&tensor);
            uint64_t address = 0;
            CH_TRY(memory_.allocate(bytes, &address, out_error));
            CH_TRY(platform::copy_to_device(device_, address, reinterpret_cast<const void*>(tensor.data), bytes,
                                            out_error));
            ch_device_tensor on_device{};
            on_device.address = on_device.buffer = address;
            on_device.buffer_bytes = bytes;
            on_device.owner = -1;
            on_device.dtype = tensor.dtype;
            ch_set_row_major(&on_device, tensor.shape, tensor.ndims);
            tensors_.push_back(on_device);
            words_.push_back(0);  // set_tensor() puts the address of the description there
        }
        words_.insert(words_.end(), args_->scalars, args_->scalars + args_->scalar_count);
        return CH_OK;
    }

    // Adds a task after all others.
    int32_t add_task(uint32_t func_id, uint32_t core_type, ch_error* out_error) {
        const graph::Shape shape = core_type == CH_AIC ? graph::Shape::aic : graph::Shape::aiv;
        const uint32_t task =
            graph_.add_task(shape, static_cast<uint16_t>(func_id), words_.data(), static_cast<uint32_t>(words_.size()));
        if (task == graph::none || (task != 0 && !graph_.add_edge(task - 1, task))) {
            return report(out_error, CH_TOO_MANY_TASKS, "rounds", "there are %u tasks already", graph_.task_count());
        }
        for (uint32_t i = 0; i < tensors_.size(); ++i) graph_.set_tensor(task, i, tensors_[i]);
        return CH_OK;
    }

    // Copies the graph to the device.
    int32_t ship(uint64_t* out_image, ch_error* out_error) {
        CH_TRY(image_.reserve(graph_.image_bytes(), out_error));
        int32_t code = CH_OK;
        graph_.write_image(image_.address(), [&](uint64_t offset, const void* part, uint64_t bytes) {
            if (code == CH_OK) {
                code = platform::copy_to_device(device_, image_.address() + offset, part, bytes, out_error);
            }
        });
        *out_image = image_.address();
        return code;
    }

    platform::Device* const device_;
    const ch_anchor* const anchor_;
    void* const state_;
    host::RunMemory memory_;    // the tensors of a run
    host::DeviceBuffer image_;  // the graph, kept from run to run
    graph::GraphBuilder graph_;
    std::vector<ch_device_tensor> tensors_;
    std::vector<uint64_t> words_;  // arguments of every kernel, tensors first
    const ch_task_args* args_ = nullptr;
};

}  // namespace

// [entry]
namespace chiphost::host {

const char* const runtime_name = "repeat";

std::unique_ptr<Runtime> make_runtime(platform::Device* device, const ch_anchor* anchor, void* anchor_state) {
    return std::make_unique<Repeat>(device, anchor, anchor_state);
}

}  // namespace chiphost::host
// [entry]
