// SPDX-License-Identifier: Apache-2.0
//
// The scheduler alone: the test plays the cores. It answers through their registers when it likes, and sees the
// scheduler's writes there, step by step.
#include "scheduler/scheduler.h"

#include <gtest/gtest.h>
#include <string.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "chiphost/hand_over.h"
#include "graph/graph_builder.h"
#include "platform_without_strands.h"
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

namespace {

// Cores 0.. are AIC, then two AIV for each. A core's physical number is 2 more than its own.
class Chip {
public:
    Chip(GraphBuilder& graph, uint32_t cluster_count, uint32_t threads = 1)
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

void add_tasks(GraphBuilder& graph, uint32_t count, Shape shape = Shape::aiv, uint16_t func_id = 1) {
    for (uint32_t i = 0; i < count; ++i) {
        const uint64_t args[] = {i, 77};
        graph.add_task(shape, func_id, args, 2);
    }
}

}  // namespace

// A core that has not taken a dispatch would lose it: the next one is written over it.
TEST(Scheduler, WritesASecondDispatchOnlyWhenTheFirstWasTaken) {
    GraphBuilder graph;
    add_tasks(graph, 40);
    Chip chip(graph, 1);
    chip.shake_hands();
    EXPECT_EQ(chip.dispatched(0), main_base_idle) << "there is nothing for the AIC";
    for (int i = 0; i < 5; ++i) {
        chip.step();
        ASSERT_EQ(chip.dispatched(1), 1u);
        ASSERT_EQ(chip.dispatched(2), 1u);
    }
    chip.take(2, 1);
    chip.step();
    EXPECT_EQ(chip.dispatched(1), 1u);
    EXPECT_EQ(chip.dispatched(2), 2u);
    EXPECT_NE(chip.payload(2, 1).context.task, chip.payload(2, 2).context.task);
    EXPECT_EQ(chip.payload(2, 2).args[0], static_cast<uint64_t>(chip.payload(2, 2).context.task));
    const int64_t running = chip.payload(2, 1).context.task;

    for (int i = 0; i < 5; ++i) chip.step();
    ASSERT_EQ(chip.dispatched(2), 2u) << "a core has two payloads";
    ASSERT_EQ(chip.payload(2, 1).context.task, running);
    chip.finish(2, 1);
    chip.step();
    EXPECT_EQ(chip.dispatched(2), 2u) << "the second has not been taken";
    chip.take(2, 2);
    chip.step();
    EXPECT_EQ(chip.dispatched(2), 3u);
}

// It writes none either if a core is idle that an earlier look has seen at work.
TEST(Scheduler, WritesASecondDispatchToNoCoreThatWasIdle) {
    GraphBuilder graph;
    add_tasks(graph, 41);
    for (uint32_t i = 1; i < 41; ++i) graph.add_edge(0, i);
    Chip chip(graph, 1);
    chip.shake_hands();
    chip.step();
    ASSERT_EQ(chip.dispatched(1), 1u);
    chip.take(1, 1);
    chip.step();
    chip.finish(1, 1);
    for (int i = 0; i < 5; ++i) {
        chip.step();
        ASSERT_EQ(chip.dispatched(1), 2u);
        ASSERT_EQ(chip.dispatched(2), 1u);
    }
}

// It does so only if cores are short: otherwise a task would wait behind another while a core is idle.
TEST(Scheduler, WritesNoSecondDispatchWhileThereAreCoresEnough) {
    GraphBuilder graph;
    add_tasks(graph, 3);
    Chip chip(graph, 1);
    chip.shake_hands();
    chip.step();
    for (const uint32_t core : {1u, 2u}) chip.take(core, 1);
    chip.step();
    for (const uint32_t core : {1u, 2u}) EXPECT_EQ(chip.dispatched(core), 1u);
    chip.finish(1, 1);
    chip.step();
    EXPECT_EQ(chip.dispatched(1), 2u);
    EXPECT_EQ(chip.dispatched(2), 1u);
}

// A core answers with its last word only: the word for a later dispatch says that the earlier one has finished.
TEST(Scheduler, TakesTheAnswerForALaterDispatchForBoth) {
    GraphBuilder graph;
    add_tasks(graph, 4);
    Chip chip(graph, 1);
    chip.shake_hands();
    chip.step();
    chip.take(1, 1);
    chip.step();
    ASSERT_EQ(chip.dispatched(1), 2u);
    chip.finish(1, 2);
    chip.step();
    chip.finish(2, 1);
    chip.step();
    EXPECT_EQ(chip.dispatched(1) == 3 || chip.dispatched(2) == 2, true);
    const uint32_t last = chip.dispatched(1) == 3 ? 1 : 2;
    chip.finish(last, chip.dispatched(last));
    EXPECT_EQ(chip.step(), CH_STEP_WORKED);
    EXPECT_EQ(chip.step(), CH_STEP_WORKED);  // all four are complete
    EXPECT_EQ(chip.dispatched(0), main_base_exit);
}

// The value of a register from before the dispatch is no answer to it.
TEST(Scheduler, TakesNoAnswerOfAnEarlierDispatch) {
    GraphBuilder graph;
    add_tasks(graph, 3);
    graph.add_edge(0, 2);
    graph.add_edge(1, 2);
    Chip chip(graph, 1);
    chip.shake_hands();
    chip.step();
    for (const uint32_t core : {1u, 2u}) chip.finish(core, 1);
    chip.step();
    ASSERT_EQ(chip.dispatched(1), 2u);
    for (int i = 0; i < 3; ++i) chip.step();
    EXPECT_NE(chip.dispatched(0), main_base_exit) << "the third task has not run";
    chip.finish(1, 2);
    chip.step();
    chip.step();
    EXPECT_EQ(chip.dispatched(0), main_base_exit);
}

TEST(Scheduler, RefusesACoreOfTheWrongType) {
    for (const uint32_t wrong : {0u, 1u}) {
        GraphBuilder graph;
        add_tasks(graph, 1);
        Chip chip(graph, 1);
        chip.begin();
        chip.step();
        for (uint32_t core = 0; core < chip.cores; ++core) {
            chip.report_core(core, core == wrong ? 1 - chip.type_of(core) : chip.type_of(core), core + 2);
        }
        chip.step();
        EXPECT_EQ(chip.status.error.code, CH_CORE_HANDSHAKE_FAILED);
        EXPECT_EQ(chip.status.error.core, static_cast<int32_t>(wrong));
        EXPECT_NE(strstr(chip.status.error.message,
                         wrong == 0 ? "of type 0, the core says 2 of type 1" : "of type 1, the core says 3 of type 0"),
                  nullptr)
            << chip.status.error.message;
        EXPECT_EQ(chip.handshakes[wrong].aicpu_regs_ready.load(), launch_over) << "it is told to go";
        EXPECT_EQ(chip.at(wrong, Register::data_main_base), 0u) << "its registers are not touched";
    }
}

TEST(Scheduler, RefusesANumberThatNoCoreHas) {
    for (const uint32_t beyond : {0u, 1u}) {
        GraphBuilder graph;
        Chip chip(graph, 1);
        chip.begin();
        chip.step();
        for (uint32_t core = 0; core < chip.cores; ++core) {
            chip.report_core(core, chip.type_of(core),
                             core == 2 ? platform::chip.physical_cores - 1 + beyond : core + 2);
        }
        chip.step();
        EXPECT_EQ(chip.status.error.code, beyond ? CH_CORE_HANDSHAKE_FAILED : CH_OK);
    }
}

TEST(Scheduler, WaitsForEveryCoreToBeReady) {
    GraphBuilder graph;
    Chip chip(graph, 1);
    chip.begin();
    chip.step();
    chip.report_core(0, CH_AIC, 2);
    chip.report_core(1, CH_AIV, 3);
    EXPECT_EQ(chip.step(), CH_STEP_POLL);
    EXPECT_EQ(chip.handshakes[0].aicpu_regs_ready.load(), 0u);
    chip.report_core(2, CH_AIV, 4);
    EXPECT_EQ(chip.step(), CH_STEP_WORKED);
    for (uint32_t core = 0; core < chip.cores; ++core) {
        EXPECT_EQ(chip.at(core, Register::fast_path), fast_path_open);
        EXPECT_EQ(chip.dispatched(core), main_base_idle);
        EXPECT_EQ(chip.step(), CH_STEP_POLL);
        chip.handshakes[core].aicore_done = core + 1;
    }
    EXPECT_EQ(chip.step(), CH_STEP_WORKED);
}

// Tiles that the last task of the cluster has pushed and nobody popped are not the next one's, in any queue.
TEST(Scheduler, HandsAClusterOverEmpty) {
    for (const uint8_t cores : {uint8_t{7}, uint8_t{6}, uint8_t{3}}) {
        for (const uint32_t cluster : {0u, 1u}) {
            GraphBuilder graph;
            add_tasks(graph, 1);
            Chip chip(graph, 2, 2);
            chip.make_mix(0, cores);
            HandOverArea& own = chip.hand_over[cluster];
            HandOverArea& other = chip.hand_over[1 - cluster];
            for (HandOverArea* area : {&own, &other}) {
                for (HandOverQueue* queue : {&area->to_aiv[0], &area->to_aiv[1], &area->to_aic[0], &area->to_aic[1]}) {
                    queue->pushed = 5;
                    queue->popped = 4;
                }
            }
            chip.shake_hands();
            chip.step(cluster);  // the thread of the same number has it
            const uint32_t of_cluster[] = {cluster, 2 + 2 * cluster, 3 + 2 * cluster};
            for (uint32_t slot = 0; slot < 3; ++slot) {
                const uint32_t core = of_cluster[slot];
                ASSERT_EQ(chip.dispatched(core), cores & 1 << slot ? 1u : main_base_idle);
                if (!(cores & 1 << slot)) continue;
                EXPECT_EQ(chip.payload(core, 1).context.hand_over, reinterpret_cast<uint64_t>(&own));
                EXPECT_EQ(chip.payload(core, 1).context.sub_block_id, slot == 2 ? 1 : 0);
            }
            for (const HandOverQueue* queue : {&own.to_aiv[0], &own.to_aiv[1], &own.to_aic[0], &own.to_aic[1]}) {
                EXPECT_EQ(queue->pushed, 0u);
                EXPECT_EQ(queue->popped, 0u);
            }
            EXPECT_EQ(other.to_aic[1].pushed, 5u) << "another cluster's is left alone";
        }
    }
}

// A MIX task takes its cores at the same time, so all of the cluster must be idle.
TEST(Scheduler, WaitsForTheWholeClusterOfAMixTask) {
    GraphBuilder graph;
    add_tasks(graph, 2);
    Chip chip(graph, 1);
    chip.make_mix(1, 7);
    chip.shake_hands();
    chip.step();
    EXPECT_EQ(chip.dispatched(0), 1u);
    EXPECT_EQ(chip.payload(1, 1).context.task, 1) << "the MIX task goes first";
    for (const uint32_t core : {0u, 1u}) chip.finish(core, 1);
    chip.step();
    EXPECT_EQ(chip.dispatched(1), 2u) << "the AIV task";
    chip.finish(1, 2);
    chip.step();
    EXPECT_NE(chip.dispatched(0), main_base_exit) << "a third of the MIX task is still running";
    chip.finish(2, 1);
    chip.step();
    chip.step();
    EXPECT_EQ(chip.dispatched(0), main_base_exit);
}

TEST(Scheduler, StartsNothingAfterAKernelThatThrew) {
    GraphBuilder graph;
    add_tasks(graph, 2, Shape::aiv, 6);
    graph.add_edge(0, 1);
    Chip chip(graph, 1);
    chip.shake_hands();
    chip.step();
    Payload& payload = chip.payloads[2 * 1 + 1];
    EXPECT_EQ(payload.kernel, 1006u);
    EXPECT_EQ(payload.func_id, 6u);
    EXPECT_EQ(payload.args[1], 77u);
    payload.status = KernelStatus::threw;
    strcpy(payload.fault_text, "what it says");
    chip.finish(1, 1);
    chip.step();
    EXPECT_EQ(chip.status.error.code, CH_KERNEL_THREW);
    EXPECT_EQ(chip.status.error.task, 0);
    EXPECT_EQ(chip.status.error.core, 1);
    EXPECT_EQ(chip.status.error.func_id, 6);
    EXPECT_NE(strstr(chip.status.error.message, "what it says"), nullptr) << chip.status.error.message;
    EXPECT_EQ(chip.dispatched(1), 1u);
    EXPECT_EQ(chip.dispatched(2), main_base_idle);
    chip.step();
    EXPECT_EQ(chip.dispatched(1), main_base_exit);
    EXPECT_EQ(chip.status.tasks_done, 0u);
}

// A payload is used for the third dispatch again: nothing of the first is in it.
TEST(Scheduler, ForgetsHowTheLastKernelEnded) {
    GraphBuilder graph;
    add_tasks(graph, 1);
    Chip chip(graph, 1);
    for (Payload& payload : chip.payloads) payload.status = KernelStatus::threw;
    chip.shake_hands();
    chip.step();
    chip.finish(1, 1);
    chip.step();
    EXPECT_EQ(chip.status.error.code, CH_OK) << chip.status.error.message;
}

// There are as many cores as one error has room for.
TEST(Scheduler, NamesEveryCoreThatHasNotFinished) {
    GraphBuilder graph;
    add_tasks(graph, 32);
    Chip chip(graph, 16);
    chip.shake_hands();
    chip.step();
    ch_error stall;
    chip.scheduler->explain_stall(&stall);
    EXPECT_EQ(stall.code, CH_STALLED);
    EXPECT_EQ(stall.core, 16);
    EXPECT_EQ(strncmp(stall.message, "0 of 32 tasks completed; core 16 has ", 37), 0) << stall.message;
    for (uint32_t core = 16; core < 48; ++core) {
        const std::string wanted = "; core " + std::to_string(core) + " has not finished task ";
        EXPECT_NE(strstr(stall.message, wanted.c_str()), nullptr) << core << " in " << stall.message;
    }
}

// A graph of thousands of tasks would fill the message with them.
TEST(Scheduler, NamesFourOfTheTasksThatWait) {
    const std::pair<uint32_t, bool> graphs[] = {{3, false}, {4, false}, {5, false}, {20, false}, {3, true}, {5, true}};
    for (const auto& [edges, in_a_row] : graphs) {
        GraphBuilder graph;
        add_tasks(graph, 1 + edges);
        for (uint32_t i = 1; i <= edges; ++i) graph.add_edge(in_a_row ? i - 1 : 0, i);
        Chip chip(graph, 1);
        chip.shake_hands();
        chip.step();
        ch_error stall;
        chip.scheduler->explain_stall(&stall);
        uint32_t named = 0;
        for (const char* at = stall.message; (at = strstr(at, " waits for task ")) != nullptr; ++at) ++named;
        EXPECT_EQ(named, std::min(edges, 4u)) << stall.message;
        EXPECT_NE(strstr(stall.message, "; core 1 has not finished task 0;"), nullptr) << stall.message;
        EXPECT_EQ(stall.task, 0) << "it is the one that all others wait for";
    }
}

TEST(Scheduler, ReportsTheFirstOfTwoFaults) {
    GraphBuilder graph;
    add_tasks(graph, 2);
    Chip chip(graph, 1);
    chip.shake_hands();
    chip.step();
    for (const uint32_t core : {1u, 2u}) {
        chip.payloads[2 * core + 1].status = KernelStatus::threw;
        chip.finish(core, 1);
    }
    chip.step();
    EXPECT_EQ(chip.status.error.code, CH_KERNEL_THREW);
    EXPECT_EQ(chip.status.error.core, 1);
}

TEST(Scheduler, IsDoneWhenItsCoresHaveGone) {
    for (const bool backwards : {false, true}) {
        GraphBuilder graph;
        add_tasks(graph, 1);
        Chip chip(graph, 1);
        chip.shake_hands();
        chip.step();
        chip.finish(1, 1);
        chip.step();
        chip.step();
        for (uint32_t i = 0; i < chip.cores; ++i) {
            const uint32_t core = backwards ? chip.cores - 1 - i : i;
            EXPECT_EQ(chip.dispatched(core), main_base_exit);
            EXPECT_EQ(chip.step(), CH_STEP_IDLE);
            EXPECT_EQ(chip.status.tasks_done, 0u) << "not before the last one";
            chip.at(core, Register::cond) = cond_exited;
        }
        EXPECT_EQ(chip.step(), CH_STEP_DONE);
        EXPECT_EQ(chip.status.tasks_done, 1u);
        for (uint32_t core = 0; core < chip.cores; ++core) {
            EXPECT_EQ(chip.dispatched(core), main_base_idle);
            EXPECT_EQ(chip.at(core, Register::fast_path), fast_path_close);
        }
    }
}

// Threads have clusters in turn, and sleep: a thread that makes more tasks ready than its own cores can start tells
// others.
TEST(Scheduler, TellsOtherThreadsWhatItCannotStart) {
    GraphBuilder graph;
    add_tasks(graph, 9);
    for (uint32_t i = 1; i < 9; ++i) graph.add_edge(0, i);
    Chip chip(graph, 2, 2);
    chip.shake_hands();
    chip.step(0);
    chip.step(1);
    ASSERT_EQ(chip.dispatched(2), 1u);  // the first AIV of cluster 0, which is thread 0's
    const uint32_t before = chip.signals(0);
    chip.finish(2, 1);
    chip.step(0);
    EXPECT_GT(chip.signals(0), before);
    chip.step(1);
    for (const uint32_t core : {4u, 5u}) EXPECT_EQ(chip.dispatched(core), 1u) << core;
}

TEST(Scheduler, RefusesAGraphOfAnotherFormat) {
    for (const bool launch : {false, true}) {
        GraphBuilder graph;
        add_tasks(graph, 1);
        Chip chip(graph, 1);
        if (launch) {
            ++chip.launch.format;
        } else {
            ++reinterpret_cast<graph::Image*>(chip.launch.graph)->format;
        }
        chip.shake_hands();
        chip.step();
        EXPECT_EQ(chip.status.error.code, CH_ABI_MISMATCH);
        for (uint32_t core = 0; core < chip.cores; ++core) EXPECT_EQ(chip.dispatched(core), main_base_idle);
    }
}

}  // namespace chiphost::scheduler
