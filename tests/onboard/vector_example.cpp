// SPDX-License-Identifier: Apache-2.0
//
// Runs a scene's graph through the AICPU program of a real chip, on the processor it is for:
//
//   vector_example LIB_FOLDER RUNTIME AICPU_PROGRAM ORCHESTRATION ADD ADD_SCALAR MULTIPLY
//
// The host runtime, the worker and the stand-in for the chip (ASCEND_HOME_PATH) are built for that processor, too; the
// AICPU program is the one that is installed. Exit code 0 if every element is right.
#include <stdio.h>

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "status/report.h"
#include "worker/chip_worker.h"

namespace {

using chiphost::worker::ChipWorker;

struct File {
    explicit File(const std::string& path) : name(path.substr(path.rfind('/') + 1)) {
        std::ifstream file(path, std::ios::binary);
        bytes.assign(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    }
    ch_binary raw() const { return {bytes.data(), bytes.size(), name.c_str(), name.c_str()}; }

    std::string name;
    std::vector<char> bytes;
};

constexpr uint32_t elements = 16384;
constexpr int rounds = 3;

ch_tensor vector_of(std::vector<float>& values, ch_access access) {
    ch_tensor tensor{};
    tensor.data = reinterpret_cast<uint64_t>(values.data());
    tensor.ndims = 1;
    tensor.shape[0] = elements;
    tensor.dtype = CH_FLOAT32;
    tensor.access = static_cast<uint8_t>(access);
    return tensor;
}

// (a + b + 1) * (a + b + 2), and a + b more if the scene has a fifth task.
float expected(float a, float b, bool on_aicpu) {
    const float sum = a + b;
    return (sum + 1) * (sum + 2) + (on_aicpu ? sum : 0);
}

int fail(const ch_error& error) {
    fprintf(stderr, "%s: %s: %s\n", chiphost::code_name(error.code), error.where, error.message);
    return 1;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 8) return 2;
    const std::string folder = argv[1], runtime = argv[2];
    ChipWorker::Options options;
    options.files = {folder + "/a2a3/" + runtime + "/host.so", argv[3], folder + "/a2a3/" + runtime + "/aicore.so"};
    options.files.cross_compiled = true;
    options.platform = "a2a3";
    options.anchor_path = folder + "/chiphost_anchor.so";
    options.isolation.strategy = chiphost::isolate::Strategy::copy;
    ChipWorker worker;
    ch_error error = chiphost::no_error();
    if (worker.initialize(options, &error) != CH_OK) return fail(error);

    const File orchestration(argv[4]), add(argv[5]), add_scalar(argv[6]), multiply(argv[7]);
    const ch_kernel kernels[] = {{0, CH_AIV, add.raw()}, {1, CH_AIV, add_scalar.raw()}, {2, CH_AIV, multiply.raw()}};
    ch_callable callable{};
    callable.format = CH_CALLABLE_FORMAT;
    callable.kernel_count = 3;
    callable.key = "vector_example";
    callable.orchestration = orchestration.raw();
    callable.entry = "build_graph";
    callable.kernels = kernels;

    ch_call_config config{};
    config.struct_bytes = sizeof config;
    config.block_dim = 3;
    config.aicpu_thread_num = 3;
    config.orch_thread_num = 1;
    config.sim_threads = 1;
    config.ring_task_window = 64;
    config.ring_dep_pool = 256;
    config.ring_heap_bytes = 1 << 20;
    for (int round = 0; round < rounds; ++round) {
        std::vector<float> a(elements), b(elements), f(elements, -1);
        for (uint32_t i = 0; i < elements; ++i) {
            a[i] = static_cast<float>(i % 97);
            b[i] = static_cast<float>(round);
        }
        ch_tensor tensors[] = {vector_of(a, CH_IN), vector_of(b, CH_IN), vector_of(f, CH_OUT)};
        const ch_task_args args{tensors, nullptr, 3, 0};
        ch_run_result result{};
        std::vector<ch_trace_event> trace;
        ChipWorker::RunEnd end{};
        chiphost::isolate::Wait wait;
        wait.timeout = std::chrono::seconds(60);
        if (worker.run(callable, args, config, wait, &result, &trace, &end, &error) != CH_OK) return fail(error);
        const bool on_aicpu = runtime != "host_build_graph";
        for (uint32_t i = 0; i < elements; ++i) {
            const float want = expected(a[i], b[i], on_aicpu);
            if (f[i] == want) continue;
            fprintf(stderr, "round %d: element %u: wanted %g, found %g\n", round, i, want, f[i]);
            return 1;
        }
        if (result.task_count != (on_aicpu ? 5u : 4u)) {
            fprintf(stderr, "round %d: found %llu tasks\n", round, static_cast<unsigned long long>(result.task_count));
            return 1;
        }
    }
    printf("%s: %d rounds right\n", runtime.c_str(), rounds);
    return 0;
}
