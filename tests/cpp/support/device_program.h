// SPDX-License-Identifier: Apache-2.0
//
// Operations for the orchestration device_program_from_table, random ones among them, and workers that run them.
#pragma once

#include <bitset>
#include <random>
#include <string>
#include <vector>

#include "chiphost/abi/device_orchestration.h"
#include "test_files.h"
#include "worker/chip_worker.h"

namespace chiphost::tests {

inline constexpr isolate::Strategy strategy =
    CHIPHOST_SANITIZED ? isolate::Strategy::copy : isolate::Strategy::link_namespace;

// The programs of an installed runtime.
inline worker::ChipWorker::Options options_of(const std::string& platform, const std::string& runtime) {
    const std::string folder = std::string(CHIPHOST_LIB) + "/" + platform + "/" + runtime + "/";
    worker::ChipWorker::Options options;
    options.files = {folder + "host.so", folder + "aicpu.so", folder + "aicore.so"};
    options.platform = platform;
    options.anchor_path = CHIPHOST_ANCHOR;
    options.isolation.strategy = strategy;
    return options;
}

// An orchestration for the AICPU with all kernels that tests use. Equal keys are the same library to a worker.
class DeviceCallable {
public:
    explicit DeviceCallable(const std::string& key = "device_program_from_table",
                            const std::string& orchestration = "device_program_from_table")
        : key_(key), orchestration_("orchestration_" + orchestration) {
        raw.format = CH_CALLABLE_FORMAT;
        raw.kernel_count = static_cast<uint32_t>(std::size(kernels_));
        raw.key = key_.c_str();
        raw.orchestration = orchestration_.raw();
        raw.orchestration.key = key_.c_str();
        raw.entry = "build_graph";
        raw.kernels = kernels_;
    }
    DeviceCallable(const DeviceCallable&) = delete;
    DeviceCallable& operator=(const DeviceCallable&) = delete;
    ch_callable raw{};

private:
    std::string key_;
    Binary orchestration_;
    const Binary mix_{"kernel_mix_numbers"}, hang_{"kernel_wait_for_word"}, deal_{"kernel_deal_values"},
        answer_{"kernel_answer_values"};
    const Binary parts_[3] = {Binary("kernel_write_part_0"), Binary("kernel_write_part_1"),
                              Binary("kernel_write_part_2")};
    const ch_kernel kernels_[9] = {
        {0, CH_AIC, mix_.raw()},      {1, CH_AIV, mix_.raw()},      {2, CH_AIC, hang_.raw()},
        {3, CH_AIV, hang_.raw()},     {4, CH_AIC, parts_[0].raw()}, {5, CH_AIV, parts_[1].raw()},
        {6, CH_AIV, parts_[2].raw()}, {7, CH_AIC, deal_.raw()},     {8, CH_AIV, answer_.raw()}};
};

enum Operation : int32_t { mix, begin, end, element, make, use, fail, raise, hang, parts, deal, column, edge, stall };

// A list of operations for device_program_from_table, and their expected results.
struct Operations {
    std::vector<int32_t> lines;
    std::vector<int64_t> data;

    void add(Operation operation, int32_t a = 0, int32_t b = 0, int32_t c = 0, int32_t d = 0, int32_t e = 0) {
        lines.insert(lines.end(), {operation, a, b, c, d, e});
    }

    // True if edges are named: tasks of a manual scope keep their slots until it ends, so small rings may be too small.
    bool names_edges() const {
        for (size_t at = 0; at < lines.size(); at += 6) {
            if (lines[at] == edge) return true;
        }
        return false;
    }

    // The data after all operations, one after the other.
    std::vector<int64_t> result() const {
        std::vector<int64_t> values = data;
        std::vector<uint64_t> made(8, 7);
        uint64_t number = 0;  // number of the task, from 1
        auto* words = reinterpret_cast<uint64_t*>(values.data());
        const auto sum = [&](const uint64_t* from, int32_t count, int32_t stride = 1) {
            uint64_t result = number;
            for (int32_t i = 0; i < count; ++i) result = result * 5 + from[i * stride];
            return result;
        };
        const auto mix_into = [](uint64_t added, uint64_t* to, int32_t count) {
            for (int32_t i = 0; i < count; ++i) to[i] = to[i] * 3 + added;
        };
        for (size_t at = 0; at < lines.size(); at += 6) {
            const int32_t* line = &lines[at];
            switch (line[0]) {
                case mix:
                    ++number;
                    mix_into(sum(words + line[2], line[3]), words + line[4], line[5]);
                    break;
                case element:
                    values[line[2]] = values[line[1]] + 1;
                    break;
                case make:
                    ++number;
                    made.assign(8, 7);
                    mix_into(sum(words + line[1], line[2]), made.data(), 8);
                    break;
                case use:
                    ++number;
                    mix_into(sum(made.data(), 8), words + line[1], line[2]);
                    break;
                case parts:
                    ++number;
                    for (int32_t block = 0; block < line[2]; ++block) {
                        for (int32_t core = 0; core < 3; ++core) {
                            if (!(line[1] & 1 << core)) continue;
                            const auto own = static_cast<uint64_t>(7 * core + 11 * block);
                            mix_into(sum(words + line[3], line[4]) + own, words + line[5] + 3 * block + core, 1);
                        }
                    }
                    break;
                case deal:
                    ++number;
                    for (int32_t i = 0; i < line[3]; ++i) {
                        const uint64_t x = words[line[1] + i];
                        mix_into((3 * x + 1) * 5 + (x * x + 2) + number, words + line[2] + i, 1);
                    }
                    break;
                case column:
                    ++number;
                    mix_into(sum(words + line[1] + line[4], line[2], line[3]), words + line[5], 1);
                    break;
                default:
                    break;
            }
        }
        return values;
    }
};

// Makes operations for tasks in scopes that fit into small rings, with elements read and written in between. `infers`:
// the runtime finds the edges in automatic scopes; otherwise operations name them.
class RandomOperations {
public:
    RandomOperations(std::mt19937& random, bool infers) : random_(random), infers_(infers) {}

    Operations make_one() {
        for (int32_t i = 0; i < elements; ++i) operations_.data.push_back(i);
        for (uint32_t scopes = 1 + random_() % 10; scopes > 0; --scopes) add_scope();
        return std::move(operations_);
    }

private:
    static constexpr int32_t elements = 40;
    using Set = std::bitset<elements>;
    struct Use {
        Set reads, writes;
    };

    static Set range(int32_t at, int32_t count) {
        Set set;
        for (int32_t i = 0; i < count; ++i) set.set(static_cast<size_t>(at + i));
        return set;
    }
    int32_t below(int32_t end) { return static_cast<int32_t>(random_() % static_cast<uint32_t>(end)); }

    // Two places for `read` and `write` elements that do not meet: a kernel's own arguments must not.
    void two_places(int32_t read, int32_t write, int32_t* out_read_at, int32_t* out_write_at) {
        const int32_t gap = elements - read - write;
        const int32_t first = below(gap + 1), second = first + below(gap - first + 1);
        const bool read_first = random_() % 2;
        *out_read_at = read_first ? first : second + write;
        *out_write_at = read_first ? second + read : first;
    }

    void add_scope() {
        const bool manual = !infers_ || random_() % 3 == 0;
        const uint32_t depth = 1 + random_() % 4;
        // The mode does not matter if every scope is manual.
        for (uint32_t i = 0; i < depth; ++i)
            operations_.add(begin, manual && infers_ ? CH_SCOPE_MANUAL : CH_SCOPE_AUTO);
        for (uint32_t tasks = random_() % 4; tasks > 0; --tasks) {
            if (!manual && random_() % 5 == 0) add_element();
            add_task(manual);
        }
        for (uint32_t i = 0; i < depth; ++i) operations_.add(end);
        if (random_() % 3 == 0) add_element();
    }

    void add_element() { operations_.add(element, below(elements), below(elements)); }

    void add_task(bool manual) {
        int32_t at = 0, to = 0;
        const int32_t count = 1 + below(12), to_count = 1 + below(12);
        switch (random_() % 6) {
            case 0:
                two_places(count, to_count, &at, &to);
                operations_.add(make, at, count);
                note({range(at, count), {}}, manual);
                operations_.add(use, to, to_count);
                note({{}, range(to, to_count)}, manual);
                break;
            case 1: {
                const int32_t blocks = 1 + below(6), cores = 1 + below(7);
                two_places(count, 3 * blocks, &at, &to);
                operations_.add(parts, cores, blocks, at, count, to);
                note({range(at, count), range(to, 3 * blocks)}, manual);
                break;
            }
            case 2:
                two_places(count, count, &at, &to);
                operations_.add(deal, at, to, count);
                note({range(at, count), range(to, count)}, manual);
                break;
            case 3: {
                const int32_t rows = 1 + below(4), columns = 1 + below(4);
                two_places(rows * columns, 1, &at, &to);
                operations_.add(column, at, rows, columns, below(columns), to);
                note({range(at, rows * columns), range(to, 1)}, manual);
                break;
            }
            default:
                two_places(count, to_count, &at, &to);
                operations_.add(mix, below(2), at, count, to, to_count);
                note({range(at, count), range(to, to_count)}, manual);
        }
    }

    // Notes that the last task uses these elements: adds an edge from every task that must come before it.
    void note(const Use& use, bool manual) {
        for (size_t i = 0; manual && i < uses_.size(); ++i) {
            const Use& before = uses_[i];
            if (((before.writes & (use.reads | use.writes)) | (before.reads & use.writes)).none()) continue;
            operations_.add(edge, static_cast<int32_t>(i), static_cast<int32_t>(uses_.size()));
        }
        uses_.push_back(use);
    }

    std::mt19937& random_;
    const bool infers_;
    Operations operations_;
    std::vector<Use> uses_;  // the uses of each task
};

// A worker on one of the runtimes whose orchestration runs on the AICPU.
class DeviceWorker : public worker::ChipWorker {
public:
    explicit DeviceWorker(const std::string& platform = "a2a3sim",
                          const std::string& runtime = "tensormap_and_ringbuffer") {
        start(platform, runtime);
    }
    void start(const std::string& platform, const std::string& runtime) {
        error = no_error();
        EXPECT_EQ(initialize(options_of(platform, runtime), &error), CH_OK) << text_of(error);
    }

    // Runs operations on their data: "ok" or the error.
    std::string run_operations(Operations& operations, const DeviceCallable& callable) {
        return run_on(operations.lines, 6, operations.data, callable);
    }

    // Runs operations with any int32 tensor (n, width) before the data.
    std::string run_on(std::vector<int32_t>& words, uint32_t width, std::vector<int64_t>& data,
                       const DeviceCallable& callable) {
        ch_tensor tensors[2]{};
        tensors[0].data = reinterpret_cast<uint64_t>(words.data());
        tensors[0].ndims = 2;
        tensors[0].shape[0] = static_cast<uint32_t>(words.size() / width);
        tensors[0].shape[1] = width;
        tensors[0].dtype = CH_INT32;
        tensors[0].access = CH_IN;
        tensors[1].data = reinterpret_cast<uint64_t>(data.data());
        tensors[1].ndims = 1;
        tensors[1].shape[0] = static_cast<uint32_t>(data.size());
        tensors[1].dtype = CH_INT64;
        tensors[1].access = CH_INOUT;
        const ch_task_args args{tensors, nullptr, 2, 0};
        std::vector<ch_trace_event> trace;
        RunEnd how = RunEnd::returned;
        error = no_error();
        return run(callable.raw, args, config, wait, &result, &trace, &how, &error) == CH_OK ? "ok" : text_of(error);
    }

    // Varies every setting that may not change the result.
    void vary_config(std::mt19937& random) {
        config.block_dim = 1 + random() % 4;
        config.aicpu_thread_num = 1 + random() % 4;
        config.sim_threads = random() % 3 ? 1 : 3;
        config.seed = random() % 3 ? random() : 0;
        config.ring_task_window = 8u << random() % 3;
        config.ring_dep_pool = 1024;
    }

    ch_call_config config{sizeof(ch_call_config), 3, 3, 1, 1, 0, 0, 64, 64, 16384};
    isolate::Wait wait;
    ch_run_result result{};
    ch_error error = no_error();
};

}  // namespace chiphost::tests
