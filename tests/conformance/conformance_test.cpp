// SPDX-License-Identifier: Apache-2.0
//
// The suite on every platform of this build, and platforms with a defect, which it must find.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "chiphost/abi/host_orchestration.h"
#include "conformance/driver/suite_run.h"
#include "test_worker.h"

namespace chiphost::conformance {

namespace {

using tests::Binary;
using tests::default_strategy;
using tests::text_of;

constexpr uint64_t second_ns = 1'000'000'000;

SuiteOptions options_for(const std::string& folder, const std::string& platform) {
    SuiteOptions options;
    options.suite = folder + "/conform.so";
    options.aicpu = folder + "/aicpu.so";
    options.aicore = folder + "/aicore.so";
    options.folder = CHIPHOST_LIB "/conformance";
    options.platform = platform;
    options.anchor_path = CHIPHOST_ANCHOR;
    options.strategy = default_strategy;
    return options;
}

std::vector<TestResult> run(const SuiteOptions& options) {
    std::vector<TestResult> results;
    ch_error error = no_error();
    EXPECT_EQ(run_suite(
                  options, [&](const TestResult& test) { results.push_back(test); }, &error),
              CH_OK)
        << text_of(error);
    return results;
}

void expect_good(const std::vector<TestResult>& results) {
    EXPECT_GT(results.size(), 50u);
    for (const TestResult& result : results) EXPECT_TRUE(result.good) << result.id << ": " << result.message;
}

size_t count(const std::vector<TestResult>& results, ch_conformance_outcome outcome) {
    return static_cast<size_t>(
        std::count_if(results.begin(), results.end(), [&](const TestResult& test) { return test.outcome == outcome; }));
}

const std::string installed = CHIPHOST_LIB;
const std::string test_platforms = CHIPHOST_TEST_PLATFORMS;

class WholePlatform : public testing::TestWithParam<std::pair<std::string, std::string>> {};

// Nothing is excepted: no test is unsupported.
TEST_P(WholePlatform, PassesAll) {
    const auto [folder, platform] = GetParam();
    const std::vector<TestResult> results = run(options_for(folder, platform));
    expect_good(results);
    EXPECT_EQ(count(results, CH_CONFORMANCE_PASSED), results.size());
}

INSTANTIATE_TEST_SUITE_P(Sim, WholePlatform, testing::Values(std::pair{CHIPHOST_LIB "/a2a3sim/conform", "a2a3sim"}));
INSTANTIATE_TEST_SUITE_P(Degraded, WholePlatform,
                         testing::Values(std::pair{CHIPHOST_TEST_PLATFORMS "/one_aicpu_thread/conform", "a2a3sim"},
                                         std::pair{CHIPHOST_TEST_PLATFORMS "/slow_registers/conform", "a2a3sim"}));
#if !CHIPHOST_SANITIZED  // their code is the same, only constants of the chip differ
INSTANTIATE_TEST_SUITE_P(OtherChips, WholePlatform,
                         testing::Values(std::pair{CHIPHOST_LIB "/a5sim/conform", "a5sim"},
                                         std::pair{CHIPHOST_TEST_PLATFORMS "/no_fast_path/conform", "a2a3sim"},
                                         std::pair{CHIPHOST_TEST_PLATFORMS "/tiny_memory/conform", "a2a3sim"}));
#endif

// Copies are the other way to load a platform.
TEST(Conformance, SimPassesAsCopy) {
    SuiteOptions options = options_for(installed + "/a2a3sim/conform", "a2a3sim");
    options.strategy = isolate::Strategy::copy;
    expect_good(run(options));
}

#if !CHIPHOST_SANITIZED

TEST(Conformance, NullHasNothing) {
    const std::vector<TestResult> results = run(options_for(installed + "/a2a3null/conform", "a2a3null"));
    expect_good(results);
    EXPECT_EQ(count(results, CH_CONFORMANCE_UNSUPPORTED), results.size());
}

TEST(Conformance, ThirdPlatformPasses) {
    const std::vector<TestResult> results = run(options_for(test_platforms + "/a2a3third/conform", "a2a3third"));
    expect_good(results);
    for (const TestResult& result : results) {
        const bool unsupported = result.outcome == CH_CONFORMANCE_UNSUPPORTED;
        const bool waits = result.id == "programs.hands_over" || result.id == "launch.hand_over";
        const bool on_aicpu = result.id.rfind("orchestrations.", 0) == 0 || result.id == "graphs.aicpu_build_graph" ||
                              result.id == "graphs.tensormap_and_ringbuffer";
        EXPECT_EQ(unsupported, waits || on_aicpu) << result.id;
    }
}

#endif

// Its strands do not pause, and its threads sleep until they are woken: graphs of all kinds run on it.
TEST(Conformance, SleepingPlatformPasses) {
    const std::vector<TestResult> results = run(options_for(test_platforms + "/a2a3sleeping/conform", "a2a3sleeping"));
    expect_good(results);
    EXPECT_EQ(count(results, CH_CONFORMANCE_UNSUPPORTED), 2u);  // kernels that wait for each other
}

#if !CHIPHOST_SANITIZED

// On this platform no thread gets a signal. Answers of any core wake all threads, which hides it from programs that end
// soon.
TEST(Conformance, SignalsThatNobodyHearsAreFound) {
    SuiteOptions options = options_for(test_platforms + "/a2a3deaf/conform", "a2a3deaf");
    options.text = "launch.signal";
    const std::vector<TestResult> results = run(options);
    ASSERT_EQ(results.size(), 1u);
    EXPECT_FALSE(results[0].good);
    EXPECT_NE(results[0].message.find("slept on when thread 1 signalled"), std::string::npos) << results[0].message;
}

#endif

// A platform that prints, throws, never returns or ends the process fails tests and nothing else.
TEST(Conformance, IllBehavedPlatformFailsTests) {
    SuiteOptions options = options_for(test_platforms + "/ill_behaved/conform", "a2a3sim");
    options.timeout_ns = second_ns;
    const auto one = [&](const char* id) {
        options.text = id;
        const std::vector<TestResult> results = run(options);
        EXPECT_EQ(results.size(), 1u);
        if (results.empty()) return std::string();
        EXPECT_FALSE(results[0].good);
        EXPECT_EQ(results[0].outcome, CH_CONFORMANCE_FAILED);
        return results[0].message;
    };
    EXPECT_EQ(one("memory.open_and_close"), "the test did not end within 1 s\n{\"id\": \"printed\"}\n");
    EXPECT_NE(one("memory.zeroed").find("the test was ended by signal 6"), std::string::npos);
    EXPECT_EQ(one("errors.no_trace_of"), "an exception came out of the platform that is no std::exception");
    EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1) << "a process is left";
}

TEST(Conformance, ChipWithoutLimitIsRefused) {
    SuiteOptions options = options_for(test_platforms + "/too_many_clusters/conform", "a2a3sim");
    options.text = "memory.aligned";
    const std::vector<TestResult> results = run(options);
    ASSERT_EQ(results.size(), 1u);
    EXPECT_FALSE(results[0].good);
    EXPECT_EQ(results[0].message, "the chip a2a3 has 41 clusters, and there is room for 40");
}

TEST(Conformance, NoTestIsAnError) {
    SuiteOptions options = options_for(installed + "/a2a3sim/conform", "a2a3sim");
    options.text = "typo";
    ch_error error = no_error();
    EXPECT_EQ(
        run_suite(options, [](const TestResult& test) { ADD_FAILURE() << test.id; }, &error), CH_INVALID_ARGUMENT);
    EXPECT_STREQ(error.message, "no test has 'typo' in its name");
}

TEST(Conformance, ListIsComparedWithTheTests) {
    SuiteOptions options = options_for(test_platforms + "/wrongly_listed/conform", "a2a3sim");
    options.text = "copies.";
    std::map<std::string, std::string> messages;
    for (const TestResult& result : run(options)) {
        if (!result.good) messages[result.id] = result.message;
    }
    const std::string passes =
        "conformance.def says that it is unsupported (reason 3), but it passes: take it off the list";
    const std::map<std::string, std::string> wanted{
        {"copies.complete", passes},
        {"copies.from_device", passes},
        {"copies.nothing", "conformance.def says that it fails (reason 2), but it passes: take it off the list"},
        {"copies.to_device", passes},
        {"copies.*", "conformance.def names a test of it twice"},
        {"memory.unheard_of", "conformance.def names it, and there is no such test"},
    };
    EXPECT_EQ(messages, wanted);
}

#ifdef CHIPHOST_TEST_STANDIN

class RealChip : public testing::TestWithParam<std::string> {
protected:
    SuiteOptions options() const {
        SuiteOptions options = options_for(CHIPHOST_TEST_STANDIN "/lib/" + GetParam() + "/conform", GetParam());
        options.folder = CHIPHOST_TEST_STANDIN "/lib/conformance";
        options.timeout_ns = 100 * second_ns;        // its cores poll, also while others want the processors
        options.strategy = isolate::Strategy::copy;  // the vendor's software is one for the process
        options.sdk_folder = CHIPHOST_TEST_STANDIN "/" + GetParam();
        return options;
    }
};

TEST_P(RealChip, PassesWithAStandIn) {
    const std::vector<TestResult> results = run(options());
    expect_good(results);
    std::set<std::string> listed;
    for (const TestResult& result : results) {
        if (result.outcome != CH_CONFORMANCE_PASSED) listed.insert(result.id);
    }
    const std::set<std::string> wanted{"errors.kernel_named",      "errors.kernel_throws", "errors.no_trace_of_kernels",
                                       "launch.lent_threads",      "launch.same_trace",    "programs.broken_kernel",
                                       "programs.hands_over_only", "programs.wrong_header"};
    EXPECT_EQ(listed, wanted);
}

TEST_P(RealChip, FailsWithoutOne) {
    SuiteOptions options = this->options();
    options.sdk_folder = "/nowhere";
    options.text = "memory.open_and_close";
    const std::vector<TestResult> results = run(options);
    ASSERT_EQ(results.size(), 1u);
    EXPECT_FALSE(results[0].good);
    EXPECT_NE(results[0].message.find("the chip vendor's software is missing"), std::string::npos)
        << results[0].message;
}

INSTANTIATE_TEST_SUITE_P(StandIn, RealChip, testing::Values("a2a3"), [](const auto& name) { return name.param; });
#if !CHIPHOST_SANITIZED
INSTANTIATE_TEST_SUITE_P(OtherChips, RealChip, testing::Values("a5"), [](const auto& name) { return name.param; });
#endif

#endif

#if !CHIPHOST_SANITIZED

// The way from the null platform to one that runs graphs, as the README promises.
TEST(Conformance, ThirdPlatformIsSmall) {
    size_t lines = 0;
    for (const auto& entry : std::filesystem::directory_iterator(CHIPHOST_THIRD_PLATFORM)) {
        std::ifstream file(entry.path());
        for (std::string line; std::getline(file, line);) ++lines;
    }
    EXPECT_GT(lines, 100u);
    EXPECT_LT(lines, 400u);
}

// Seven functions of the third platform and the null platform for the rest.
TEST(Conformance, SevenFunctionsPassTheFirstGroups) {
    const std::vector<TestResult> results =
        run(options_for(test_platforms + "/a2a3first_group/conform", "a2a3first_group"));
    expect_good(results);
    for (const TestResult& result : results) {
        if (result.id.rfind("memory.", 0) == 0 || result.id.rfind("copies.", 0) == 0) {
            EXPECT_EQ(result.outcome, CH_CONFORMANCE_PASSED) << result.id << ": " << result.message;
        }
    }
}

// The scene tests/scenes/host_build_graph/vector_example, f = (a + b + 1) * (a + b + 2), unchanged.
TEST(Conformance, ThirdPlatformRunsAScene) {
    const Binary orchestration("orchestration"), add("add"), add_scalar("add_scalar"), multiply("multiply");
    const ch_kernel kernels[] = {{0, CH_AIV, add.raw()}, {1, CH_AIV, add_scalar.raw()}, {2, CH_AIV, multiply.raw()}};
    ch_callable callable{};
    callable.format = CH_CALLABLE_FORMAT;
    callable.kernel_count = 3;
    callable.key = "vector_example";
    callable.orchestration = orchestration.raw();
    callable.entry = "build_graph";
    callable.kernels = kernels;

    constexpr uint32_t elements = 16384;
    std::vector<float> a(elements, 2), b(elements, 3), f(elements, -1);
    ch_tensor tensors[3] = {};
    float* const data[] = {a.data(), b.data(), f.data()};
    for (int i = 0; i < 3; ++i) {
        tensors[i].data = reinterpret_cast<uint64_t>(data[i]);
        tensors[i].ndims = 1;
        tensors[i].shape[0] = elements;
        tensors[i].dtype = CH_FLOAT32;
        tensors[i].access = i == 2 ? CH_OUT : CH_IN;
    }
    ch_task_args args{};
    args.tensors = tensors;
    args.tensor_count = 3;

    worker::ChipWorker worker;
    ch_error error = no_error();
    ASSERT_EQ(worker.initialize(tests::options_for("a2a3third"), &error), CH_OK) << text_of(error);
    const ch_call_config config{sizeof(ch_call_config), 3, 3, 1, 1, 0, 0, 64, 64, 16384};
    ch_run_result result{};
    worker::ChipWorker::RunEnd end{};
    ASSERT_EQ(worker.run(callable, args, config, {}, &result, nullptr, &end, &error), CH_OK) << text_of(error);
    EXPECT_EQ(result.task_count, 4u);
    EXPECT_TRUE(std::all_of(f.begin(), f.end(), [](float value) { return value == 42; })) << f[0];
}

std::set<std::string> not_good(const std::vector<TestResult>& results) {
    std::set<std::string> ids;
    for (const TestResult& result : results) {
        if (!result.good) ids.insert(result.id);
    }
    return ids;
}

// A defect, and the tests that find it: these among others, or only these if `exactly`.
struct Canary {
    const char* name;
    bool exactly;
    std::set<std::string> found_by;
    const char* only = "";  // the tests to run
};

void PrintTo(const Canary& canary, std::ostream* out) {
    *out << canary.name;
}

class CanaryTest : public testing::TestWithParam<Canary> {};

TEST_P(CanaryTest, IsFound) {
    const Canary& canary = GetParam();
    SuiteOptions options = options_for(test_platforms + "/canary_" + canary.name + "/conform", "a2a3sim");
    options.text = canary.only;
    options.timeout_ns = 5 * second_ns;
    const std::vector<TestResult> results = run(options);
    const std::set<std::string> found = not_good(results);
    if (canary.exactly) {
        EXPECT_EQ(found, canary.found_by);
    } else {
        for (const std::string& id : canary.found_by) EXPECT_TRUE(found.count(id)) << id;
    }
}

// If memory itself is broken, it is chance what else goes wrong.
INSTANTIATE_TEST_SUITE_P(
    All, CanaryTest,
    testing::Values(
        Canary{"unaligned", false, {"memory.aligned"}}, Canary{"overlapping", false, {"memory.apart"}},
        Canary{"release_of_another", false, {"memory.release_one"}, "memory."},
        Canary{"release_forgets_bytes", true, {"memory.release_gives_back"}, "memory.release"},
        Canary{"not_zeroed", true, {"memory.zeroed"}},
        Canary{"limit_ignored", true, {"memory.limit", "errors.no_trace"}},
        Canary{"copy_one_short", false, {"copies.from_device"}},
        Canary{"wrong_direction", false, {"copies.from_device"}, "copies."},
        Canary{"kernel_stays", true, {"programs.unload_kernel"}, "programs."},
        Canary{"refused_kernel_stays", true, {"errors.no_trace_of_kernels"}, "errors."},
        Canary{"aicpu_header_unchecked", true, {"programs.wrong_header"}, "programs."},
        Canary{"aicore_header_unchecked", true, {"programs.wrong_header"}, "programs."},
        Canary{"mark_lost", true, {"programs.hands_over"}, "programs."},
        Canary{"all_marked", true, {"programs.hands_over_only"}, "programs."},
        Canary{"error_lost", true, {"programs.broken_kernel", "errors.no_trace_of_kernels"}},
        Canary{"write_lost", false, {"registers.dispatch", "registers.dispatch_ahead"}, "registers."},
        Canary{"writes_reordered", true, {"registers.last_write_stays"}},
        Canary{"narrow_register", false, {"graphs.host_build_graph"}, "graphs."},
        Canary{"signal_lost", false, {"graphs.host_build_graph", "graphs.tensormap_and_ringbuffer"}, "graphs."},
        Canary{"signal_for_one", true, {"launch.signal"}, "launch."},
        Canary{"physical_core_twice", false, {"registers.physical_cores"}, "registers."},
        Canary{"returns_early", false, {"completion.all_threads_done"}, "completion."},
        Canary{"kernel_fault_lost", true, {"errors.kernel_throws"}},
        Canary{"lanes_empty", true, {"errors.kernel_named"}, "errors."},
        Canary{"failure_lost",
               true,
               {"time.cancelled_before", "time.cancelled", "time.stalled", "time.cancelled_in_strand",
                "time.strand_abandoned", "time.usable_afterwards", "time.check_launch"},
               "time."},
        Canary{"cancel_ignored",
               true,
               {"time.cancelled", "time.cancelled_before", "time.cancelled_in_strand"},
               "time.cancelled"},
        Canary{"lost_by_a_cut_off", false, {"time.check_launch", "time.usable_afterwards"}, "time."},
        Canary{"question_takes_memory", true, {"time.check_launch"}, "time."},
        Canary{"thread_of_its_own", true, {"launch.lent_threads"}, "launch."},
        Canary{"strand_stack_again", true, {"time.strand_abandoned"}, "time."},
        Canary{"forgets_too_much", false, {"launch.forget_content"}, "launch."},
        Canary{"cancel_late",
               true,
               {"time.cancelled", "time.cancelled_before", "time.cancelled_in_strand"},
               "time.cancelled"},
        Canary{"cut_off_not_ended", true, {"completion.begin_and_end"}, "completion."},
        Canary{"launch_not_ended", false, {"completion.begin_and_end", "completion.status"}, "completion."},
        Canary{
            "cached_by_name", true, {"orchestrations.same_name", "orchestrations.same_file", "orchestrations.unload"}},
        Canary{"unload_leaks", true, {"orchestrations.unload"}},
        Canary{"file_left", true, {"orchestrations.leaves_no_file"}},
        Canary{"memory_shared", false, {"contexts.memory_apart"}, "contexts."},
        Canary{"close_leaks", true, {"teardown.frees_memory"}}, Canary{"thread_kept", true, {"teardown.gives_back"}}),
    [](const auto& canary) { return std::string(canary.param.name); });

#endif

}  // namespace

}  // namespace chiphost::conformance
