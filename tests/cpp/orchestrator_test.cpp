// SPDX-License-Identifier: Apache-2.0
//
// Orchestrations on the AICPU, on the real programs of tensormap_and_ringbuffer; with ThreadSanitizer an edge that is
// missing shows as a race between two kernels.
#include <dirent.h>

#include <atomic>
#include <random>
#include <thread>

#include "chiphost/abi/device_orchestration.h"
#include "random_seed.h"
#include "test_files.h"
#include "worker/chip_worker.h"

namespace chiphost::worker {

using tests::Binary;
using tests::text_of;

namespace {

constexpr isolate::Strategy strategy = CHIPHOST_SANITIZED ? isolate::Strategy::copy : isolate::Strategy::link_namespace;

ChipWorker::Options options_for(const std::string& platform, const std::string& runtime) {
    const std::string folder = std::string(CHIPHOST_LIB) + "/" + platform + "/" + runtime + "/";
    ChipWorker::Options options;
    options.files = {folder + "host.so", folder + "aicpu.so", folder + "aicore.so"};
    options.platform = platform;
    options.anchor_path = CHIPHOST_ANCHOR;
    options.isolation.strategy = strategy;
    return options;
}

// Kernels 0 on AIC and 1 on AIV mix numbers; 2 on AIC and 3 on AIV wait for a word that nobody writes.
class Callable {
public:
    explicit Callable(const char* key = "device_program_from_table")
        : key_(key),
          orchestration_("orchestration_device_program_from_table"),
          mix_("kernel_mix_numbers"),
          hang_("kernel_wait_for_word"),
          kernels_{
              {0, CH_AIC, mix_.raw()}, {1, CH_AIV, mix_.raw()}, {2, CH_AIC, hang_.raw()}, {3, CH_AIV, hang_.raw()}} {
        raw.format = CH_CALLABLE_FORMAT;
        raw.kernel_count = 4;
        raw.key = key_.c_str();
        raw.orchestration = orchestration_.raw();
        raw.orchestration.key = key_.c_str();
        raw.entry = "build_graph";
        raw.kernels = kernels_;
    }
    ch_callable raw{};

private:
    std::string key_;
    Binary orchestration_, mix_, hang_;
    ch_kernel kernels_[4];
};

enum Operation : int32_t { mix, begin, end, element, make, use, fail, raise, hang };

// A program for device_program_from_table, and what it must do.
struct Program {
    std::vector<int32_t> lines;
    std::vector<int64_t> data;

    void add(Operation operation, int32_t a = 0, int32_t b = 0, int32_t c = 0, int32_t d = 0, int32_t e = 0) {
        lines.insert(lines.end(), {operation, a, b, c, d, e});
    }

    // In the order of the program, one after the other.
    std::vector<int64_t> result() const {
        std::vector<int64_t> values = data;
        std::vector<uint64_t> made(8, 7);
        uint64_t number = 0;
        const auto mix_into = [&](const uint64_t* from, int32_t from_count, uint64_t* to, int32_t to_count) {
            uint64_t sum = ++number;
            for (int32_t i = 0; i < from_count; ++i) sum = sum * 5 + from[i];
            for (int32_t i = 0; i < to_count; ++i) to[i] = to[i] * 3 + sum;
        };
        auto* words = reinterpret_cast<uint64_t*>(values.data());
        for (size_t at = 0; at < lines.size(); at += 6) {
            const int32_t* line = &lines[at];
            if (line[0] == mix) mix_into(words + line[2], line[3], words + line[4], line[5]);
            if (line[0] == element) values[line[2]] = values[line[1]] + 1;
            if (line[0] == make) {
                made.assign(8, 7);
                mix_into(words + line[1], line[2], made.data(), 8);
            }
            if (line[0] == use) mix_into(made.data(), 8, words + line[1], line[2]);
        }
        return values;
    }
};

class Worker : public ChipWorker {
public:
    explicit Worker(const std::string& platform = "a2a3sim", const std::string& runtime = "tensormap_and_ringbuffer") {
        error = no_error();
        EXPECT_EQ(initialize(options_for(platform, runtime), &error), CH_OK) << text_of(error);
    }

    // Runs the program on its data: "ok" or the error.
    std::string run_program(Program& program, const Callable& callable) {
        ch_tensor tensors[2]{};
        tensors[0].data = reinterpret_cast<uint64_t>(program.lines.data());
        tensors[0].ndims = 2;
        tensors[0].shape[0] = static_cast<uint32_t>(program.lines.size() / 6);
        tensors[0].shape[1] = 6;
        tensors[0].dtype = CH_INT32;
        tensors[0].access = CH_IN;
        tensors[1].data = reinterpret_cast<uint64_t>(program.data.data());
        tensors[1].ndims = 1;
        tensors[1].shape[0] = static_cast<uint32_t>(program.data.size());
        tensors[1].dtype = CH_INT64;
        tensors[1].access = CH_INOUT;
        const ch_task_args args{tensors, nullptr, 2, 0};
        std::vector<ch_trace_event> trace;
        RunEnd how = RunEnd::returned;
        error = no_error();
        return run(callable.raw, args, config, wait, &result, &trace, &how, &error) == CH_OK ? "ok" : text_of(error);
    }

    ch_call_config config{sizeof(ch_call_config), 3, 3, 1, 1, 0, 0, 64, 64, 16384};
    Wait wait;
    ch_run_result result{};
    ch_error error = no_error();
};

// Tasks in scopes that fit into small rings, elements read and written in between.
Program random_program(std::mt19937& random) {
    constexpr int32_t elements = 40;
    Program program;
    for (int32_t i = 0; i < elements; ++i) program.data.push_back(i);
    const auto part = [&](int32_t* at, int32_t* count) {
        *count = 1 + static_cast<int32_t>(random() % 12);
        *at = static_cast<int32_t>(random() % (elements - *count + 1));
    };
    const uint32_t scopes = 1 + random() % 10;
    for (uint32_t scope = 0; scope < scopes; ++scope) {
        program.add(begin, CH_SCOPE_AUTO);
        const uint32_t depth = random() % 4;
        for (uint32_t i = 0; i < depth; ++i) program.add(begin, CH_SCOPE_AUTO);
        const uint32_t tasks = random() % 4;
        for (uint32_t i = 0; i < tasks; ++i) {
            int32_t at = 0, count = 0, to = 0, to_count = 0;
            part(&at, &count);
            part(&to, &to_count);
            if (to < at + count && at < to + to_count) {  // a kernel's own arguments must not overlap
                count = 1;
                at = to == 0 ? to_count : 0;
            }
            switch (random() % 5) {
                case 0:
                    program.add(element, at, to);
                    break;
                case 1:
                    program.add(make, at, count);
                    program.add(use, to, to_count);
                    ++i;
                    break;
                default:
                    program.add(mix, static_cast<int32_t>(random() % 2), at, count, to, to_count);
            }
        }
        for (uint32_t i = 0; i < depth + 1; ++i) program.add(end);
    }
    return program;
}

int entries_named(const char* folder, const char* prefix) {
    int count = 0;
    DIR* directory = opendir(folder);
    while (dirent* entry = readdir(directory)) count += strncmp(entry->d_name, prefix, strlen(prefix)) == 0;
    closedir(directory);
    return count;
}

}  // namespace

TEST(Orchestrator, RunsRandomProgramsAsIfInOrder) {
    const tests::RandomSeed seed;
    std::mt19937 random(seed.value());
    const Callable callable;
    for (const char* platform : {"a2a3sim", "a5sim"}) {
        Worker worker(platform);
        for (int round = 0; round < 150; ++round) {
            Program program = random_program(random);
            worker.config.block_dim = 1 + random() % 4;
            worker.config.aicpu_thread_num = 1 + random() % 4;
            worker.config.sim_threads = random() % 3 ? 1 : 3;
            worker.config.seed = random() % 3 ? random() : 0;
            worker.config.ring_task_window = 8u << random() % 3;
            worker.config.ring_dep_pool = 128;
            const std::vector<int64_t> expected = program.result();
            ASSERT_EQ(worker.run_program(program, callable), "ok");
            ASSERT_EQ(program.data, expected) << "round " << round;
        }
    }
}

// A ring that goes round many times, with everything it gives back in use.
TEST(Orchestrator, GoesRoundSmallRings) {
    const Callable callable;
    Worker worker;
    worker.config.ring_task_window = 4;
    worker.config.ring_heap_bytes = 2048;
    worker.config.ring_dep_pool = 4;
    for (const uint32_t sim_threads : {1u, 3u}) {
        for (const uint32_t threads : {1u, 4u}) {
            worker.config.sim_threads = sim_threads;
            worker.config.aicpu_thread_num = threads;
            Program program;
            program.data.assign(16, 1);
            for (int i = 0; i < 500; ++i) {
                program.add(begin, CH_SCOPE_AUTO);
                program.add(make, i % 8, 8);
                program.add(use, (i * 3) % 12, 4);
                program.add(end);
            }
            const std::vector<int64_t> expected = program.result();
            ASSERT_EQ(worker.run_program(program, callable), "ok");
            ASSERT_EQ(program.data, expected);
            ASSERT_EQ(worker.result.task_count, 1000u);
        }
    }
}

// Orchestrations come and go, some fail half-way; nothing is left of them but what is kept on purpose.
TEST(Orchestrator, LoadsAndForgetsLibraries) {
    const int files = entries_named("/tmp", "chiphost-orch-");
    std::vector<std::unique_ptr<Callable>> callables;
    for (int i = 0; i < 12; ++i) callables.push_back(std::make_unique<Callable>(("key" + std::to_string(i)).c_str()));
    Worker worker;
    const auto good = [&](size_t which) {
        Program program;
        program.data.assign(8, 2);
        program.add(mix, 0, 0, 4, 4, 4);
        const auto expected = program.result();
        ASSERT_EQ(worker.run_program(program, *callables[which]), "ok");
        ASSERT_EQ(program.data, expected);
    };
    const auto bad = [&](size_t which, Operation how, const std::string& wanted) {
        Program program;
        program.data.assign(8, 2);
        for (int i = 0; i < 20; ++i) program.add(mix, i % 2, 0, 4, 4, 4);
        program.add(how, 5);
        for (int i = 0; i < 20; ++i) program.add(mix, i % 2, 0, 4, 4, 4);
        const std::string text = worker.run_program(program, *callables[which]);
        ASSERT_EQ(text.rfind(wanted, 0), 0u) << text;
    };
    for (uint32_t threads : {1u, 3u}) {
        worker.config.aicpu_thread_num = threads;
        for (size_t i = 0; i < callables.size(); ++i) ASSERT_NO_FATAL_FAILURE(good(i));
        ASSERT_NO_FATAL_FAILURE(bad(3, fail, "ORCHESTRATION_FATAL: build_graph: the program says so"));
        ASSERT_NO_FATAL_FAILURE(good(4));
        ASSERT_NO_FATAL_FAILURE(bad(4, raise, "ORCHESTRATION_THREW: build_graph: the program throws"));
        ASSERT_NO_FATAL_FAILURE(good(3));
        ASSERT_NO_FATAL_FAILURE(bad(5, end, "TASK_INVALID: scope_end: there is no open scope"));
        ASSERT_NO_FATAL_FAILURE(bad(5, begin, "TASK_INVALID: scope_begin: wanted mode"));
        ASSERT_NO_FATAL_FAILURE(good(5));
        worker.config.seed += 77;
    }
    EXPECT_EQ(entries_named("/tmp", "chiphost-orch-"), files);
    worker.finalize();
}

// A library whose bytes are broken, or which lacks what is wanted.
TEST(Orchestrator, RefusesBrokenLibraries) {
    Worker worker;
    Program program;
    program.data.assign(8, 2);
    Callable callable("broken");
    callable.raw.entry = "no_such_function";
    EXPECT_EQ(worker.run_program(program, callable),
              "ENTRY_MISSING: orchestration_device_program_from_table: wanted the function no_such_function");
    Callable half("half");
    half.raw.orchestration.bytes = 4200;
    EXPECT_EQ(worker.run_program(program, half).rfind("FILE_TRUNCATED", 0), 0u) << text_of(worker.error);
    Callable other("other kind");
    const Binary host("orchestration_graph_from_table");
    other.raw.orchestration = host.raw();
    EXPECT_EQ(worker.run_program(program, other).rfind("ABI_MISMATCH", 0), 0u) << text_of(worker.error);
    const Callable good;
    EXPECT_EQ(worker.run_program(program, good), "ok");
}

// Cut off in the middle: the orchestration waits for a slot that a hanging... task holds, and is made to return.
TEST(Orchestrator, ReturnsWhenTheRunIsStopped) {
    const Callable callable;
    Worker worker;
    worker.config.ring_task_window = 4;
    Program program;
    program.data.assign(8, 2);
    for (int i = 0; i < 100000; ++i) {
        program.add(begin, CH_SCOPE_AUTO);
        program.add(mix, i % 2, 0, 4, 4, 4);
        program.add(end);
    }
    std::thread stopper([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(3));
        worker.cancel();
    });
    const std::string text = worker.run_program(program, callable);
    stopper.join();
    // The machine may be so slow that nothing had begun, or so fast that all was done.
    EXPECT_TRUE(text == "ok" || text.find("DEADLINE_EXCEEDED") == 0 || text.find("INTERRUPTED") == 0) << text;
    Program again;
    again.data.assign(8, 2);
    again.add(mix, 0, 0, 4, 4, 4);
    const auto expected = again.result();
    ASSERT_EQ(worker.run_program(again, callable), "ok");
    ASSERT_EQ(again.data, expected);
}

}  // namespace chiphost::worker
