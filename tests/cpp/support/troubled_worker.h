// SPDX-License-Identifier: Apache-2.0
//
// For tests of workers that get into trouble: a runtime that can be built anew, a run whose results are checked, and
// checks of an error.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#include <filesystem>
#include <string>
#include <vector>

#include "device_program.h"
#include "test_worker.h"

namespace chiphost::tests {

// The programs of a runtime in a folder of the test's own, which can be made another runtime at any time.
class RuntimeFolder {
public:
    explicit RuntimeFolder(const std::string& runtime) {
        EXPECT_NE(mkdtemp(folder_.data()), nullptr);
        options = options_of("a2a3sim", runtime);
        options.child_path = CHIPHOST_CHILD;
        for (std::string* file : {&options.files.host, &options.files.aicpu, &options.files.aicore}) {
            const std::string own = folder_ + "/" + std::filesystem::path(*file).filename().string();
            std::filesystem::copy_file(*file, own);
            *file = own;
        }
        rebuild();
    }
    ~RuntimeFolder() { std::filesystem::remove_all(folder_); }
    RuntimeFolder(const RuntimeFolder&) = delete;
    RuntimeFolder& operator=(const RuntimeFolder&) = delete;

    // The next initialize() loads everything anew.
    void rebuild() {
        for (const std::string* file : {&options.files.host, &options.files.aicpu, &options.files.aicore}) {
            const timespec times[2] = {{0, UTIME_OMIT}, {1'700'000'000 + ++build_, 0}};
            ASSERT_EQ(utimensat(AT_FDCWD, file->c_str(), times, 0), 0);
        }
    }

    ChipWorker::Options options;

private:
    std::string folder_ = testing::TempDir() + "/chiphost_runtime_XXXXXX";
    time_t build_ = 0;
};

// A graph for a runtime, whose results are checked. Everything it needs is allocated beforehand.
class Work {
public:
    explicit Work(const std::string& runtime) : on_host_(runtime == "host_build_graph") {
        table_.add_chain(6);
        table_.args();
        operations_.data = {1, 2, 3, 4, 5, 6, 7, 8};
        for (const int32_t at : {0, 4}) operations_.add(mix, 0, at, 4, 4 - at, 4);
        if (runtime == "aicpu_build_graph") operations_.add(edge, 0, 1);  // nobody infers it there
        start_ = operations_.data;
        expected_ = operations_.result();
        tensors_[0] = tensor(operations_.lines.data(), CH_INT32, {uint32_t(operations_.lines.size() / 6), 6}, CH_IN);
        tensors_[1] = tensor(operations_.data.data(), CH_INT64, {uint32_t(operations_.data.size())}, CH_INOUT);
    }

    // Runs the graph and returns the worker's status.
    Status run(ChipWorker& worker, uint32_t sim_threads, ch_error* out_error) {
        const ch_call_config config{sizeof(ch_call_config), 3, 3, 1, sim_threads, 0, 0, 64, 64, 16384};
        std::copy(start_.begin(), start_.end(), operations_.data.begin());
        const ch_task_args on_device{tensors_, nullptr, 2, 0};
        std::fill(table_.log.begin(), table_.log.end(), 0);
        const ch_task_args& args = on_host_ ? table_.raw : on_device;
        ch_run_result result{};
        ChipWorker::RunEnd end = ChipWorker::RunEnd::returned;
        return worker.run(on_host_ ? host_.raw : device_.raw, args, config, {}, &result, nullptr, &end, out_error);
    }

    void verify() {
        if (on_host_) table_.verify_chain();
        if (!on_host_) {
            EXPECT_EQ(operations_.data, expected_);
        }
    }

private:
    const bool on_host_;
    const TestCallable host_{"graph_from_table"};
    const DeviceCallable device_;
    Table table_;
    Operations operations_;
    ch_tensor tensors_[2];
    std::vector<int64_t> expected_, start_;
};

inline void expect_explained(const char* call, int32_t code, const ch_error& error) {
    EXPECT_EQ(code, error.code) << call;
    EXPECT_STRNE(code_name(code), "UNKNOWN") << call << " returned " << code;
    EXPECT_STRNE(error.message, "") << call << ": " << code_name(code);
}

struct Held {
    size_t files = entries("/proc/self/fd");
    size_t threads = entries("/proc/self/task");
    size_t maps = lines_of("/proc/self/maps");
};

}  // namespace chiphost::tests
