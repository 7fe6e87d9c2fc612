// SPDX-License-Identifier: Apache-2.0
//
// Graphs of all kinds, as workers run them: the real AICPU program and the real AICore program on the platform, with
// everything between a run and a launch. The real AICPU program may do things that the suite's own never does.
#include <string.h>
#include <time.h>

#include <string>

#include "bench.h"
#include "conformance/graph_plan.h"
#include "graph_runtimes.h"
#include "host/host_context.h"
#include "status/report.h"

namespace chiphost::conformance {

namespace {

constexpr uint32_t runs = 10;  // with each number of threads
constexpr uint64_t patience_ns = 20'000 * ms;
constexpr uint64_t look_every_ns = 5 * ms;

// Cancels a run that does not end: its error says which tasks wait, and for which others.
struct Watch {
    ch_run_progress* progress;
    uint64_t deadline_ns;  // atomic; 0: there is nothing more to watch
};
int32_t watch(void* argument, const void*, void*) {
    auto& self = *static_cast<Watch*>(argument);
    for (;;) {
        const uint64_t deadline_ns = __atomic_load_n(&self.deadline_ns, __ATOMIC_ACQUIRE);
        if (deadline_ns == 0) return CH_OK;
        if (ch_monotonic_ns() > deadline_ns) __atomic_store_n(&self.progress->cancel, 1, __ATOMIC_RELEASE);
        const timespec pause{0, static_cast<long>(look_every_ns)};
        nanosleep(&pause, nullptr);
    }
}

std::string program_beside(const char* path, const char* name) {
    const std::string all = path;
    return all.substr(0, all.rfind('/') + 1) + name;
}

class Cells {
public:
    Cells() : words_((graph_rows + 1) * graph_columns * cell_words) {
        for (uint32_t column = 0; column < graph_columns; ++column) {
            for (uint32_t word = 0; word < cell_words; ++word) at(0, column)[word] = argument(column, word);
        }
    }

    uint64_t* at(uint32_t row, uint32_t column) { return &words_[(row * graph_columns + column) * cell_words]; }

    ch_tensor tensor() {
        ch_tensor tensor{};
        tensor.data = reinterpret_cast<uint64_t>(words_.data());
        tensor.ndims = 3;
        tensor.shape[0] = graph_rows + 1;
        tensor.shape[1] = graph_columns;
        tensor.shape[2] = cell_words;
        tensor.dtype = CH_UINT64;
        tensor.access = CH_INOUT;
        return tensor;
    }

    // Computes the graph's result from the first row.
    void compute() {
        for (uint32_t row = 1; row <= graph_rows; ++row) {
            for (uint32_t column = 0; column < graph_columns; ++column) {
                const uint64_t* left = at(row - 1, graph_left(column));
                const uint64_t* right = at(row - 1, graph_right(column));
                const uint32_t number = row * graph_columns + column;
                for (uint32_t word = 0; word < cell_words; ++word) {
                    at(row, column)[word] = graph_value(left[word], right[word], number, word);
                }
            }
        }
    }

    void check_equal(Cells& wanted, uint32_t threads, uint32_t block_dim) {
        for (uint32_t row = 0; row <= graph_rows; ++row) {
            for (uint32_t column = 0; column < graph_columns; ++column) {
                const int differs = memcmp(at(row, column), wanted.at(row, column), cell_words * sizeof(uint64_t));
                check(differs == 0,
                      "with %u AICPU threads and block_dim %u cell (%u, %u) is wrong: wanted %llu, found %llu", threads,
                      block_dim, row, column, static_cast<unsigned long long>(*wanted.at(row, column)),
                      static_cast<unsigned long long>(*at(row, column)));
            }
        }
    }

private:
    std::vector<uint64_t> words_;
};

void run_graphs(const Bench& bench, GraphKind kind) {
    const bool on_host = kind == GraphKind::host_build_graph;
    const bool names_edges = kind == GraphKind::aicpu_build_graph;
    const File orchestration = bench.file(on_host ? "graph_on_host" : "graph_on_device");
    const File kernel = bench.file("graph_cell");
    const ch_kernel kernels[] = {{graph_aic, CH_AIC, kernel.binary()}, {graph_aiv, CH_AIV, kernel.binary()}};
    ch_callable callable{};
    callable.format = CH_CALLABLE_FORMAT;
    callable.kernel_count = 2;
    callable.key = "conformance-graph";
    callable.orchestration = orchestration.binary();
    callable.entry = "build_graph";
    callable.kernels = kernels;

    ch_device_options options = bench.options();
    const std::string program = program_beside(options.aicpu.path, "graph_aicpu.so");
    options.aicpu = {program.c_str(), program.c_str()};
    choose_runtime(kind);
    host::HostContext context;
    ch_error error = no_error();
    succeed(context.open(options, &error), error, "open_device with the AICPU program of graphs");

    ch_run_progress progress = no_progress();
    Watch watched{&progress, ch_monotonic_ns() + patience_ns};
    struct End {
        Watch& watch;
        ~End() { __atomic_store_n(&watch.deadline_ns, 0, __ATOMIC_RELEASE); }
    };
    Bench::Meanwhile meanwhile(bench, watch, &watched);
    const End end{watched};  // before the wait for it

    Cells wanted;
    wanted.compute();
    if (!on_host && !names_edges) *wanted.at(0, 0) = *wanted.at(graph_rows, graph_columns - 1);
    const uint64_t scalars[] = {names_edges};
    for (uint32_t threads = 1; threads <= chip.aicpu_threads; ++threads) {
        for (uint32_t run = 0; run < runs; ++run) {
            ch_call_config config{};
            config.struct_bytes = sizeof config;
            config.block_dim = 1 + (run + threads) % (chip.clusters < 4 ? chip.clusters : 4);
            config.aicpu_thread_num = threads;
            config.orch_thread_num = 1;
            config.sim_threads = 1 + run % 2;
            config.seed = run / 2;
            // Fewer than the tasks of three rows, so that the orchestration has to wait for some of them.
            config.ring_task_window = 2 * graph_columns;
            config.ring_dep_pool = 8 * graph_columns;
            config.ring_heap_bytes = CH_RING_HEAP_MIN;
            Cells cells;
            ch_tensor tensor = cells.tensor();
            const ch_task_args args{&tensor, scalars, 1, 1};
            ch_run_result result{};
            const ch_run_request request{sizeof request, 0, &callable, &args, &config, &progress, &result};
            __atomic_store_n(&progress.claim, CH_CLAIM_OPEN, __ATOMIC_RELAXED);
            __atomic_store_n(&watched.deadline_ns, ch_monotonic_ns() + patience_ns, __ATOMIC_RELEASE);
            succeed(context.run(request, &error), error, "a run of a graph");
            check(result.task_count == graph_tasks, "with %u AICPU threads and block_dim %u %llu tasks ran; wanted %u",
                  threads, config.block_dim, static_cast<unsigned long long>(result.task_count), graph_tasks);
            cells.check_equal(wanted, threads, config.block_dim);
        }
    }
}

void host_build_graph(const Bench& bench) {
    run_graphs(bench, GraphKind::host_build_graph);
}

void aicpu_build_graph(const Bench& bench) {
    run_graphs(bench, GraphKind::aicpu_build_graph);
}

void tensormap_and_ringbuffer(const Bench& bench) {
    run_graphs(bench, GraphKind::tensormap_and_ringbuffer);
}

}  // namespace

Cases graph_cases() {
    return {
        {"graphs.host_build_graph", "PLAT-30", host_build_graph},
        {"graphs.aicpu_build_graph", "PLAT-30 PLAT-31", aicpu_build_graph},
        {"graphs.tensormap_and_ringbuffer", "PLAT-30 PLAT-31", tensormap_and_ringbuffer},
    };
}

}  // namespace chiphost::conformance
