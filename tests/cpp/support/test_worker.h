// SPDX-License-Identifier: Apache-2.0
//
// A worker, callables and arguments for tests of workers.
#pragma once

#include <algorithm>
#include <filesystem>
#include <memory>

#include "test_files.h"
#include "worker/chip_worker.h"

namespace chiphost::tests {

using worker::ChipWorker;

inline constexpr isolate::Strategy default_strategy =
    CHIPHOST_SANITIZED ? isolate::Strategy::copy : isolate::Strategy::link_namespace;

inline ChipWorker::Options options_for(const std::string& platform = "a2a3sim") {
    const std::string folder = std::string(CHIPHOST_LIB) + "/" + platform + "/host_build_graph/";
    ChipWorker::Options options;
    options.files = {folder + "host.so", folder + "aicpu.so", folder + "aicore.so"};
    options.platform = platform;
    options.anchor_path = CHIPHOST_ANCHOR;
    options.isolation.strategy = default_strategy;
    options.child_path = CHIPHOST_CHILD;
    return options;
}

// A callable of test libraries: kernel 0 on AIC, 1 on AIV record their tasks; 2 hangs; 3 throws.
class TestCallable {
public:
    explicit TestCallable(const std::string& orchestration)
        : orchestration_("orchestration_" + orchestration),
          kernels_{Binary("kernel_record_task"), Binary("kernel_wait_for_word"), Binary("kernel_throw_exception")},
          raw_kernels_{{0, CH_AIC, kernels_[0].raw()},
                       {1, CH_AIV, kernels_[0].raw()},
                       {2, CH_AIV, kernels_[1].raw()},
                       {3, CH_AIC, kernels_[2].raw()}} {
        raw.format = CH_CALLABLE_FORMAT;
        raw.kernel_count = 4;
        raw.key = orchestration_.name.c_str();
        raw.orchestration = orchestration_.raw();
        raw.entry = "build_graph";
        raw.kernels = raw_kernels_;
    }

    ch_callable raw{};

private:
    Binary orchestration_;
    Binary kernels_[3];
    ch_kernel raw_kernels_[4];
};

// A worker with shorthands that fail the test.
class TestWorker : public ChipWorker {
public:
    explicit TestWorker(const Options& options = options_for()) { EXPECT_EQ(try_initialize(options), "ok"); }
    TestWorker(std::nullptr_t) {}

    std::string try_initialize(const Options& options) {
        error = no_error();
        return initialize(options, &error) == CH_OK ? "ok" : text_of(error);
    }

    // Runs; "ok" or the error.
    std::string try_run(const TestCallable& callable, const ch_task_args& args, const isolate::Wait& wait = {}) {
        error = no_error();
        return run(callable.raw, args, config, wait, &result, &trace, &end, &error) == CH_OK ? "ok" : text_of(error);
    }

    ch_call_config config{sizeof(ch_call_config), 3, 3, 1, 1, 0, 0, 64, 64, 16384};
    ch_run_result result{};
    std::vector<ch_trace_event> trace;
    RunEnd end = RunEnd::returned;
    ch_error error = no_error();
};

inline ch_tensor tensor(void* data, ch_dtype dtype, std::vector<uint32_t> shape, ch_access access) {
    ch_tensor result{};
    result.data = reinterpret_cast<uint64_t>(data);
    result.ndims = static_cast<uint32_t>(shape.size());
    std::copy(shape.begin(), shape.end(), result.shape);
    result.dtype = static_cast<uint8_t>(dtype);
    result.access = static_cast<uint8_t>(access);
    return result;
}

// Arguments of graph_from_table.
struct Table {
    std::vector<int32_t> tasks;  // func_id, core type
    std::vector<int32_t> edges;
    std::vector<uint64_t> log;

    void add_chain(uint32_t length) {
        for (uint32_t i = 0; i < length; ++i) {
            tasks.insert(tasks.end(), {int32_t(i % 2), int32_t(i % 2)});
            if (i) edges.insert(edges.end(), {int32_t(i) - 1, int32_t(i)});
        }
    }
    const ch_task_args& args() {
        log.assign(tasks.size() / 2 + 1, 0);
        tensors[0] = tensor(tasks.data(), CH_INT32, {uint32_t(tasks.size() / 2), 2}, CH_IN);
        tensors[1] = tensor(edges.data(), CH_INT32, {uint32_t(edges.size() / 2), 2}, CH_IN);
        tensors[2] = tensor(log.data(), CH_UINT64, {uint32_t(log.size())}, CH_INOUT);
        raw = {tensors, nullptr, 3, 0};
        return raw;
    }
    void verify_chain() {
        for (uint64_t i = 0; i < log.size(); ++i) ASSERT_EQ(log[i], i == 0 ? log.size() - 1 : i);
    }

    ch_tensor tensors[3];
    ch_task_args raw;
};

inline std::string run_chain(TestWorker& worker, uint32_t length = 20) {
    static const TestCallable callable("graph_from_table");
    Table table;
    table.add_chain(length);
    const std::string text = worker.try_run(callable, table.args());
    if (text == "ok") table.verify_chain();
    return text;
}

// Runs a chain whose last kernel throws, and checks the error.
inline void run_throwing_kernel(TestWorker& worker) {
    const TestCallable callable("graph_from_table");
    Table table;
    table.add_chain(3);
    table.tasks.insert(table.tasks.end(), {3, CH_AIC});
    const std::string text = worker.try_run(callable, table.args());
    const std::string wanted =
        "KERNEL_THREW: kernel_throw_exception: kernel `kernel_throw_exception` of submit #3 on core " +
        std::to_string(worker.error.core) + " threw: the kernel's own words; submitted at [orchestration+0x";
    EXPECT_EQ(text.find(wanted), 0u) << text;
    EXPECT_EQ(worker.error.task, 3);
    EXPECT_EQ(worker.result.failed_submission, 3);
}

// Keeps an object that a hanging run refers to: never freed, but reachable, so that it does not count as leaked.
template <typename T>
T* keep_for_ever(T* value) {
    static auto* kept = new std::vector<std::shared_ptr<void>>;
    kept->emplace_back(value);
    return value;
}

inline size_t entries(const char* folder) {
    size_t count = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder)) ++count;
    return count;
}

inline size_t lines_of(const char* path) {
    std::ifstream file(path);
    return static_cast<size_t>(
        std::count(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>(), '\n'));
}

}  // namespace chiphost::tests
