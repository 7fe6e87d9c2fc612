// SPDX-License-Identifier: Apache-2.0
//
// Callables that are at fault: orchestrations that misbehave, kernels that throw, and libraries that cannot be loaded.
#include "test_worker.h"

namespace chiphost::worker {

using namespace tests;

struct Misbehaviour {
    int32_t what;
    const char* begins;
};

// For the test's name, which would otherwise be the bytes of it, with addresses that differ in each run.
void PrintTo(const Misbehaviour& misbehaviour, std::ostream* out) {
    *out << misbehaviour.what;
}

class MisbehavingOrchestration : public testing::TestWithParam<Misbehaviour> {};

// Every fault of an orchestration is an error that says what it was, and the worker goes on.
TEST_P(MisbehavingOrchestration, IsReported) {
    TestWorker worker;
    const TestCallable callable("misbehave");
    int32_t output[4] = {11, 12, 13, 14};
    const ch_tensor out = tensor(output, CH_INT32, {4}, CH_OUT);
    const uint64_t what = static_cast<uint64_t>(static_cast<int64_t>(GetParam().what));
    const ch_task_args args{&out, &what, 1, 1};
    const std::string text = worker.try_run(callable, args);
    EXPECT_EQ(text.find(GetParam().begins), 0u) << text;
    if (GetParam().what != 0) {
        EXPECT_EQ(output[0], 11) << "a run that failed wrote to its output";
    }
    EXPECT_EQ(run_chain(worker), "ok");
}

INSTANTIATE_TEST_SUITE_P(
    Faults, MisbehavingOrchestration,
    testing::Values(
        Misbehaviour{0, "ok"},
        Misbehaviour{1, "ORCHESTRATION_FAILED: build_graph of orchestration_misbehave: returned -7"},
        Misbehaviour{2, "ORCHESTRATION_THREW: build_graph of orchestration_misbehave: the orchestration's own words"},
        Misbehaviour{3,
                     "FUNC_ID_OUT_OF_RANGE: submit #0 (kernel of func_id 1024): wanted func_id 0 to 1023, found 1024"},
        Misbehaviour{4, "FUNC_ID_OUT_OF_RANGE: submit #0: wanted func_id 0 to 1023, found -1"},
        Misbehaviour{
            5, "KERNEL_MISSING: submit #0 (kernel of func_id 9): the callable has no kernel of func_id 9; called at ["},
        Misbehaviour{
            6,
            "CORE_TYPE_INVALID: submit #0 (kernel `kernel_record_task`): wanted core type 0 (AIC) or 1 (AIV), found 2"},
        Misbehaviour{7,
                     "CORE_TYPE_INVALID: submit #0 (kernel `kernel_record_task`): the kernel was built for AIV, the "
                     "task wants AIC"},
        Misbehaviour{
            8, "TASK_ID_OUT_OF_RANGE: add_successor: edge from submit #0 to submit #1: the last task is submit #0"},
        Misbehaviour{
            9, "TOO_MANY_TASK_ARGS: submit #0 (kernel `kernel_record_task`): wanted at most 160 arguments, found 161"},
        Misbehaviour{10, "GRAPH_CYCLE: graph: tasks wait for each other: submit #1 (kernel `kernel_record_task`) at ["},
        Misbehaviour{11, "DEVICE_MEMORY_EXHAUSTED: device memory: wanted 1152921504606846976 bytes, "},
        Misbehaviour{12, "DEVICE_POINTER_INVALID: copy_to_device: 4 bytes at "},
        Misbehaviour{13, "HOST_RANGE_INVALID: record_tensor_pair: 16 bytes at "},
        Misbehaviour{14, "DEVICE_POINTER_INVALID: device_free: "},
        Misbehaviour{15, "DEVICE_POINTER_INVALID: record_tensor_pair: "},
        Misbehaviour{16, "ORCHESTRATION_THREW: build_graph of orchestration_misbehave: an exception that is no "},
        Misbehaviour{18,
                     "FUNC_ID_OUT_OF_RANGE: submit #0 (kernel of func_id 1024): wanted func_id 0 to 1023, found 1024"},
        Misbehaviour{99, "ORCHESTRATION_THREW: build_graph of orchestration_misbehave: TaskArgs::tensor(3): the run"}),
    [](const auto& parameter) { return std::to_string(parameter.param.what); });

TEST(Worker, ReportsAThrowingKernel) {
    TestWorker worker;
    run_throwing_kernel(worker);
    EXPECT_EQ(worker.error.func_id, 3);
    EXPECT_GE(worker.error.core, 0);
    EXPECT_LT(worker.error.core, 3) << "an AIC";
    EXPECT_EQ(run_chain(worker), "ok");
}

TEST(Worker, RefusesCallablesThatCannotBeLoaded) {
    TestWorker worker;
    TestCallable callable("graph_from_table");
    Table table;
    table.add_chain(1);
    ch_callable broken = callable.raw;
    broken.key = "no entry";
    broken.entry = "no_such_function";
    const auto attempt = [&] {
        ch_error error = no_error();
        ChipWorker::RunEnd end;
        ch_run_result result{};
        return worker.run(broken, table.args(), worker.config, {}, &result, nullptr, &end, &error) == CH_OK
                   ? std::string("ok")
                   : text_of(error);
    };
    EXPECT_EQ(attempt(), "ENTRY_MISSING: orchestration_graph_from_table: wanted the function no_such_function");
    broken = callable.raw;
    broken.key = "no elf";
    broken.orchestration.key = "no elf";
    broken.orchestration.data = "This is no shared library.";
    broken.orchestration.bytes = 26;
    EXPECT_EQ(attempt().find("NOT_ELF: orchestration_graph_from_table: "), 0u) << attempt();
    broken = callable.raw;
    broken.key = "no orchestration";
    const Binary counter("counter");
    broken.orchestration = counter.raw();
    EXPECT_EQ(attempt().find("ENTRY_MISSING: counter: wanted the symbol chiphost_orchestration_abi"), 0u) << attempt();
    broken = callable.raw;
    broken.key = "kernel without entry";
    ch_kernel kernel{0, CH_AIV, counter.raw()};
    broken.kernels = &kernel;
    broken.kernel_count = 1;
    EXPECT_EQ(attempt(), "ENTRY_MISSING: counter: wanted the function kernel_entry in the kernel of func_id 0");
    broken = callable.raw;
    broken.format = 99;
    EXPECT_EQ(attempt(), "ABI_MISMATCH: callable: wanted format 1, found 99");
    EXPECT_EQ(run_chain(worker), "ok");
}

}  // namespace chiphost::worker
