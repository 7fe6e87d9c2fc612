// SPDX-License-Identifier: Apache-2.0
//
// For tests of the scheduler alone: the test plays the cores. It answers through their registers when it likes, and
// sees the scheduler's writes there, step by step. A program includes this in one source only, as it defines the
// platform.
#pragma once

#include <gtest/gtest.h>
#include <string.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "chiphost/hand_over.h"
#include "graph/graph_builder.h"
#include "platform_without_strands.h"
#include "scheduler/scheduler.h"
#include "status/report.h"

namespace chiphost::platform {

struct AicpuPort {
    std::vector<uint32_t>* registers;
    uint32_t signals;
};

uint32_t read_register(AicpuPort* port, uint32_t core, Register which) {
    return (*port->registers)[core * register_count + static_cast<uint32_t>(which)];
}
void write_register(AicpuPort* port, uint32_t core, Register which, uint32_t value) {
    (*port->registers)[core * register_count + static_cast<uint32_t>(which)] = value;
}
void signal_threads(AicpuPort* port) {
    ++port->signals;
}
void invalidate_cache(const void*, size_t) {}
void flush_cache(const void*, size_t) {}
void forget_content(void*, size_t) {}
void log_line(AicpuPort*, const char*) {}
int32_t load_device_orch_so(AicpuPort*, const void*, size_t, const char* name, void**, ch_error* out_error) {
    return report(out_error, CH_LOAD_REFUSED, name, "this platform loads none");
}
void* find_in_device_orch_so(void*, const char*) {
    return nullptr;
}
void close_device_orch_so(AicpuPort*, void*) {}

}  // namespace chiphost::platform

namespace chiphost::scheduler {

using namespace core_protocol;

using graph::GraphBuilder;
using graph::Shape;
using graph::Task;
using platform::Register;

// Cores 0.. are AIC, then two AIV for each. A core's physical number is 2 more than its own.
class PlayedChip {
public:
    PlayedChip(GraphBuilder& graph, uint32_t cluster_count, uint32_t threads = 1)
        : clusters(cluster_count),
          cores(clusters * 3),
          handshakes(cores),
          payloads(2 * cores),
          hand_over(new HandOverArea[clusters]{}),
          registers(platform::chip.physical_cores * platform::register_count),
          image_(graph.image_bytes() / sizeof(Line) + 1),
          ports_(threads) {
        auto* base = reinterpret_cast<char*>(image_.data());
        graph.write_image(reinterpret_cast<uint64_t>(base), [&](uint64_t offset, const void* source, uint64_t bytes) {
            if (bytes) memcpy(base + offset, source, bytes);
        });
        for (uint32_t i = 0; i < 8; ++i) kernels_[i] = 1000 + i;
        launch.format = CH_LAUNCH_FORMAT;
        launch.block_dim = clusters;
        launch.aicpu_thread_count = threads;
        launch.kernel_count = 8;
        launch.graph = reinterpret_cast<uint64_t>(base);
        launch.kernels = reinterpret_cast<uint64_t>(kernels_);
        launch.handshakes = reinterpret_cast<uint64_t>(handshakes.data());
        launch.payloads = reinterpret_cast<uint64_t>(payloads.data());
        launch.status = reinterpret_cast<uint64_t>(&status);
        launch.hand_over = reinterpret_cast<uint64_t>(hand_over.get());
        for (platform::AicpuPort& port : ports_) {
            port = {&registers, 0};
            port_addresses_.push_back(&port);
        }
    }

    // Makes the last task of the graph, an AIV one that waits for nothing, a MIX task.
    void make_mix(uint32_t index, uint8_t cores_of_task) {
        auto& image = *reinterpret_cast<graph::Image*>(launch.graph);
        Task& mix = task(index);
        mix.shape = Shape::mix;
        mix.cores = cores_of_task;
        mix.unfinished = static_cast<uint32_t>(__builtin_popcount(cores_of_task));
        graph::Queue& aiv = image.queues[static_cast<uint32_t>(Shape::aiv)];
        reinterpret_cast<graph::QueueCell*>(aiv.cells)[--aiv.tail] = {0, graph::none};
        mix_cells_[0] = {1, index};
        mix_cells_[1] = {0, graph::none};
        graph::Queue& queue = image.queues[static_cast<uint32_t>(Shape::mix)];
        queue.cells = reinterpret_cast<uint64_t>(mix_cells_);
        queue.capacity = 2;
        queue.tail = 1;
    }
    Task& task(uint32_t index) {
        return reinterpret_cast<Task*>(reinterpret_cast<graph::Image*>(launch.graph)->tasks)[index];
    }

    void begin() { scheduler.emplace(launch, port_addresses_.data(), &libraries_); }
    ch_step step(uint32_t thread = 0) { return scheduler->step(thread); }
    void step_all() {
        for (uint32_t thread = 0; thread < ports_.size(); ++thread) step(thread);
    }
    // The cores' half of the handshake. Afterwards every thread is about to take its first look at the queues.
    void shake_hands() {
        begin();
        step_all();
        for (uint32_t core = 0; core < cores; ++core) report_core(core, type_of(core), core + 2);
        step_all();
        for (uint32_t core = 0; core < cores; ++core) {
            EXPECT_EQ(handshakes[core].aicpu_regs_ready.load(), 1u);
            handshakes[core].aicore_done = core + 1;
        }
        step_all();
    }
    uint32_t type_of(uint32_t core) const { return core < clusters ? CH_AIC : CH_AIV; }
    void report_core(uint32_t core, uint32_t type, uint32_t physical) {
        EXPECT_EQ(handshakes[core].aicpu_ready.load(), 1u);
        handshakes[core].core_type = type;
        handshakes[core].physical_core = physical;
        handshakes[core].aicore_regs_ready = 1;
    }

    uint32_t& at(uint32_t core, Register which) {
        return registers[(core + 2) * platform::register_count + static_cast<uint32_t>(which)];
    }
    uint32_t dispatched(uint32_t core) { return at(core, Register::data_main_base); }
    void take(uint32_t core, uint32_t number) { at(core, Register::cond) = number; }
    void finish(uint32_t core, uint32_t number) { at(core, Register::cond) = number | cond_finish_bit; }
    const Payload& payload(uint32_t core, uint32_t number) const { return payloads[2 * core + (number & 1)]; }
    uint32_t signals(uint32_t thread = 0) const { return ports_[thread].signals; }

    const uint32_t clusters, cores;
    std::vector<Handshake> handshakes;
    std::vector<Payload> payloads;
    std::unique_ptr<HandOverArea[]> hand_over;
    std::vector<uint32_t> registers;
    ch_launch launch{};
    ch_launch_status status{};
    std::optional<Scheduler> scheduler;

private:
    struct alignas(64) Line {
        char bytes[64];
    };
    std::vector<Line> image_;
    graph::QueueCell mix_cells_[2];
    uint64_t kernels_[8];
    std::vector<platform::AicpuPort> ports_;
    std::vector<void*> port_addresses_;
    orchestrator::OrchestrationLibraries libraries_;
};

inline void add_tasks(GraphBuilder& graph, uint32_t count, Shape shape = Shape::aiv, uint16_t func_id = 1) {
    for (uint32_t i = 0; i < count; ++i) {
        const uint64_t args[] = {i, 77};
        graph.add_task(shape, func_id, args, 2);
    }
}

}  // namespace chiphost::scheduler
