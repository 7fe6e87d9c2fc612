// SPDX-License-Identifier: Apache-2.0
//
// Programs of runtimes that are not what they should be.
#include <pthread.h>
#include <unistd.h>

#include <fstream>

#include "chiphost/abi/device_program.h"
#include "test_worker.h"

namespace chiphost::worker {

using namespace tests;

namespace {

ChipWorker::Options fake(const std::string& variant) {
    ChipWorker::Options options = options_for();
    options.files.host = library_path("fake_" + variant);
    return options;
}

}  // namespace

// Host runtimes that are not what they should be. None may cost a namespace or take the process down.
struct Variant {
    const char* name;
    const char* answer;  // the beginning of the error
};

void PrintTo(const Variant& variant, std::ostream* out) {
    *out << variant.name;
}

class FakeRuntime : public testing::TestWithParam<Variant> {};

TEST_P(FakeRuntime, IsJudgedRightly) {
    const std::string host = library_path(std::string("fake_") + GetParam().name);
    std::string wanted = GetParam().answer;
    if (const size_t at = wanted.find('@'); at != std::string::npos) wanted.replace(at, 1, host);
    for (int attempt = 0; attempt < 15; ++attempt) {
        TestWorker worker(nullptr);
        const std::string found = worker.try_initialize(fake(GetParam().name));
        ASSERT_EQ(found.find(wanted), 0u) << found;
        if (found == "ok") {
            static const TestCallable callable("graph_from_table");
            Table table;
            table.add_chain(1);
            EXPECT_EQ(worker.try_run(callable, table.args()), "ok");
            EXPECT_EQ(worker.result.task_count, 42u);
        }
    }
    TestWorker good;
    EXPECT_EQ(run_chain(good), "ok");
}

#define TEXT_OF(number) TEXT_OF_EXPANDED(number)
#define TEXT_OF_EXPANDED(number) #number
INSTANTIATE_TEST_SUITE_P(
    Variants, FakeRuntime,
    testing::Values(
        Variant{"good", "ok"}, Variant{"newer_minor", "ok"}, Variant{"leaks_thread", "ok"},
        Variant{"wrong_magic", "ABI_MISMATCH: @: wanted a table that begins with magic 0x54534843"},
        Variant{"wrong_kind", "ABI_MISMATCH: @: wanted a host runtime, found an anchor"},
        Variant{"wrong_tag", "ABI_MISMATCH: @: wanted tag " CH_HOST_TAG "/a2a3sim, found sparc-solaris/a2a3sim"},
        Variant{"wrong_major",
                "ABI_MISMATCH: @: wanted a host runtime of ABI version 3.x, found 4." TEXT_OF(CH_HOST_RUNTIME_MINOR)},
        Variant{"short_table", "ABI_MISMATCH: @: wanted a host runtime of ABI version 3." TEXT_OF(
                                   CH_HOST_RUNTIME_MINOR) " or a later minor"},
        Variant{"no_entry", "ENTRY_MISSING: @: wanted the function chiphost_host_runtime"},
        Variant{"throws_in_entry", "INTERNAL: @: the runtime let an exception out of chiphost_host_runtime"},
        Variant{"throws_in_size", "INTERNAL: @: the runtime let an exception out of runtime_size"},
        Variant{"throws_in_set_device", "INTERNAL: @: the runtime let an exception out of set_device"},
        Variant{"fails_in_set_device", "PLATFORM_FAILED: "}),
    [](const auto& parameter) { return std::string(parameter.param.name); });

// The two device programs: the real ones with another header.
class FakeDeviceProgram : public testing::TestWithParam<std::tuple<int, Variant>> {};

TEST_P(FakeDeviceProgram, IsJudgedRightly) {
    const auto& [which, variant] = GetParam();
    const bool aicpu = which == 0;
    ChipWorker::Options options = options_for();
    std::string& file = aicpu ? options.files.aicpu : options.files.aicore;
    file = library_path((aicpu ? "fake_aicpu_" : "fake_aicore_") + std::string(variant.name));
    std::string wanted = variant.answer;
    const auto fill_in = [&wanted](const std::string& mark, const std::string& text) {
        if (const size_t at = wanted.find(mark); at != std::string::npos) wanted.replace(at, mark.size(), text);
    };
    fill_in("@", file);
    fill_in("{program}", aicpu ? "an AICPU program" : "an AICore program");
    fill_in("{major}", std::to_string(CH_DEVICE_PROGRAM_MAJOR));
    fill_in("{next_major}", std::to_string(CH_DEVICE_PROGRAM_MAJOR + 1));
    fill_in("{minor}", std::to_string(CH_DEVICE_PROGRAM_MINOR));
    fill_in("{entry}", aicpu ? CH_AICPU_PROGRAM_ENTRY : CH_AICORE_PROGRAM_ENTRY);
    TestWorker worker(nullptr), other;
    for (int attempt = 0; attempt < 15; ++attempt) {
        const std::string found = worker.try_initialize(options);
        ASSERT_EQ(found.find(wanted), 0u) << found;
        if (found == "ok") {
            ASSERT_EQ(run_chain(worker), "ok");
        }
        ch_error error = no_error();
        ASSERT_EQ(worker.reset(&error), CH_OK);
    }
    EXPECT_EQ(worker.try_initialize(options_for()), "ok");
    EXPECT_EQ(run_chain(worker), "ok");
    EXPECT_EQ(run_chain(other), "ok");
}

INSTANTIATE_TEST_SUITE_P(
    Variants, FakeDeviceProgram,
    testing::Combine(
        testing::Values(0, 1),
        testing::Values(
            Variant{"good", "ok"}, Variant{"newer_minor", "ok"},
            Variant{"wrong_magic", "ABI_MISMATCH: @: wanted a table that begins with magic 0x54534843"},
            Variant{"wrong_kind", "ABI_MISMATCH: @: wanted {program}, found an anchor"},
            Variant{"wrong_tag", "ABI_MISMATCH: @: wanted tag " CH_HOST_TAG "/a2a3sim, found sparc-solaris/a2a3sim"},
            Variant{"wrong_major",
                    "ABI_MISMATCH: @: wanted {program} of ABI version {major}.x, found {next_major}.{minor}"},
            Variant{"short_table", "ABI_MISMATCH: @: wanted {program} of ABI version {major}.{minor} or a later minor"},
            Variant{"no_entry", "ENTRY_MISSING: @: wanted the function {entry}"})),
    [](const auto& parameter) {
        return std::string(std::get<0>(parameter.param) == 0 ? "aicpu_" : "aicore_") +
               std::get<1>(parameter.param).name;
    });

// H5: on the caller's thread, the runtime's keys would be the program's, and its values would lie in their place.
TEST(FakeRuntimes, AreNeverEnteredOnTheCallersThread) {
    pthread_key_t keys[8];
    for (pthread_key_t& key : keys) {
        ASSERT_EQ(pthread_key_create(&key, nullptr), 0);
        ASSERT_EQ(pthread_setspecific(key, "the program's"), 0);
    }
    TestWorker worker(fake("records_entry"));
    static const TestCallable callable("graph_from_table");
    Table table;
    table.add_chain(1);
    ASSERT_EQ(worker.try_run(callable, table.args()), "ok");
    for (const uint64_t thread : {worker.result.orchestration_ns, worker.result.device_ns}) {
        EXPECT_NE(thread, static_cast<uint64_t>(gettid()));
        std::string name;
        std::getline(std::ifstream("/proc/self/task/" + std::to_string(thread) + "/comm"), name);
        EXPECT_EQ(name.compare(0, 9, "chiphost-"), 0)
            << "wanted a thread of the domain, which lives on; found " << name;
    }
    for (const pthread_key_t key : keys) {
        EXPECT_STREQ(static_cast<const char*>(pthread_getspecific(key)), "the program's");
    }
}

// The caller does not wait for ever; the worker can have another runtime.
TEST(FakeRuntimes, MayHangInSetDevice) {
    for (const auto strategy : {isolate::Strategy::copy, isolate::Strategy::process}) {
        TestWorker worker(nullptr);
        ChipWorker::Options options = fake("hangs_in_set_device");
        options.isolation.strategy = strategy;
        ch_error error = no_error();
        int asked = 0;
        EXPECT_EQ(worker.initialize(options, &error, [&] { return ++asked < 3; }), CH_INTERRUPTED);
        EXPECT_NE(std::string(error.where).find("hangs_in_set_device"), std::string::npos);
        EXPECT_EQ(asked, 3);
        EXPECT_FALSE(worker.initialized());
        EXPECT_EQ(worker.try_initialize(options_for()), "ok");
        EXPECT_EQ(run_chain(worker), "ok");
    }
}

TEST(FakeRuntimes, MayThrowInOtherVerbs) {
    static const TestCallable callable("graph_from_table");
    Table table;
    table.add_chain(1);
    TestWorker throws_in_run(fake("throws_in_run"));
    EXPECT_EQ(throws_in_run.try_run(callable, table.args()).find("INTERNAL: "), 0u);
    TestWorker throws_in_finalize(fake("throws_in_finalize"));
    ch_error error = no_error();
    EXPECT_EQ(throws_in_finalize.reset(&error), CH_INTERNAL);
    EXPECT_EQ(throws_in_finalize.try_initialize(options_for()), "ok");
    EXPECT_EQ(run_chain(throws_in_finalize), "ok");
}

// The error for something that a runtime forgot names the function that forgot it, and the process lives on.
TEST(CarelessRuntimes, AreToldWhatTheyForgot) {
    static const TestCallable callable("graph_from_table");
    Table table;
    table.add_chain(1);
    const auto run = [&](const std::string& variant) {
        ChipWorker::Options options = options_for();
        options.files.host = library_path("careless_" + variant);
        TestWorker worker(nullptr);
        const std::string made = worker.try_initialize(options);
        return made == "ok" ? worker.try_run(callable, table.args()) : made;
    };
    EXPECT_EQ(run("no_runtime"), "INTERNAL: careless: make_runtime returned no runtime");
    EXPECT_EQ(run("no_orchestration"), "INTERNAL: careless: load returned CH_OK and no orchestration");
    EXPECT_EQ(run("other_name"),
              "ABI_MISMATCH: careless: wanted the runtime_name \"careless\", as it is built, found \"thorough\"");
    EXPECT_EQ(run("returns_a_number"), "INTERNAL: careless: the runtime, or the platform it is built for, returned " +
                                           std::to_string(CH_INVALID_ARGUMENT) + " in run without filling the error");
    EXPECT_EQ(run("throws_at_the_end"), "INTERNAL: run: end_run");
    EXPECT_EQ(run("throws_twice"), "INTERNAL: run: end_run");
}

}  // namespace chiphost::worker
