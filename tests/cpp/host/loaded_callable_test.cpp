// SPDX-License-Identifier: Apache-2.0
//
// The callables that a context keeps after it has run them; nothing is left of those that it has dropped.
#include "host/loaded_callable.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "fake_device.h"

namespace chiphost::host {

const char* const runtime_name = "test";

namespace {

// Counts the orchestrations that exist.
class CountingRuntime : public Runtime {
public:
    struct Counted : Orchestration {
        explicit Counted(uint32_t* count) : count_(count) { ++*count_; }
        ~Counted() override { --*count_; }
        uint32_t* const count_;
    };
    int32_t load(const ch_callable& callable, std::unique_ptr<Orchestration>* out_orchestration,
                 ch_error* out_error) override {
        if (callable.entry == std::string("none")) return CH_OK;
        if (callable.entry == std::string("refused")) return report(out_error, CH_ENTRY_MISSING, "entry", "no entry");
        *out_orchestration = std::make_unique<Counted>(&orchestrations);
        return CH_OK;
    }
    int32_t build(const RunInput&, BuiltGraph*, ch_error*) override { return CH_OK; }
    int32_t copy_out(ch_error*) override { return CH_OK; }
    void end_run() override {}

    uint32_t orchestrations = 0;
};

class LoadedCallablesTest : public testing::Test {
protected:
    // "OK", or the error's name.
    std::string get(const std::string& key, const std::string& entry = "build_graph") {
        ch_kernel kernels[2]{};
        kernels[0] = {7, CH_AIV, {}};
        kernels[0].binary.name = kernel_name.c_str();
        kernels[1] = {2, CH_AIC, {}};
        kernels[1].binary.name = "second";
        ch_callable callable{};
        callable.key = key.c_str();
        callable.entry = entry.c_str();
        callable.kernels = kernels;
        callable.kernel_count = 2;
        error = no_error();
        return code_name(callables->get(callable, &found, &error));
    }
    size_t count(const std::string& name) const {
        return static_cast<size_t>(std::count(device.kernels.begin(), device.kernels.end(), name));
    }

    platform::Device device;
    CountingRuntime runtime;
    std::unique_ptr<LoadedCallables> callables = std::make_unique<LoadedCallables>(&device, &runtime);
    std::string kernel_name = "first";
    LoadedCallable* found = nullptr;
    ch_error error = no_error();
};

constexpr size_t kept_max = LoadedCallables::kept_max;

}  // namespace

TEST_F(LoadedCallablesTest, LoadsACallableOnce) {
    ASSERT_EQ(get("a"), "OK");
    const LoadedCallable* first = found;
    ASSERT_EQ(get("a"), "OK");
    EXPECT_EQ(found, first);
    EXPECT_EQ(device.kernel_loads, 2u);
    EXPECT_EQ(found->kernels().size(), 8u);
    EXPECT_EQ(found->kernels()[7].core_type, uint32_t{CH_AIV});
    EXPECT_FALSE(found->hands_over());
    const auto* addresses = reinterpret_cast<const uint64_t*>(found->kernel_addresses());
    EXPECT_EQ(addresses[7], 107u);
    EXPECT_EQ(addresses[2], 102u);
    EXPECT_EQ(addresses[3], 0u);
}

TEST_F(LoadedCallablesTest, SaysWhetherAKernelHandsOver) {
    kernel_name = "hands over";
    ASSERT_EQ(get("a"), "OK");
    EXPECT_TRUE(found->hands_over());
}

// One callable more than are kept, then the first again: it is loaded anew, and works.
TEST_F(LoadedCallablesTest, LoadsAnewWhatWasDropped) {
    for (size_t i = 0; i < kept_max + 1; ++i) ASSERT_EQ(get(std::to_string(i)), "OK");
    const uint32_t loads = device.kernel_loads;
    ASSERT_EQ(get("0"), "OK");
    EXPECT_EQ(device.kernel_loads, loads + 2);
    EXPECT_EQ(reinterpret_cast<const uint64_t*>(found->kernel_addresses())[7], 107u);
    EXPECT_EQ(found->kernels()[7].address, 107u);
}

// Nothing stays of kernels, the table of their addresses in device memory, and the orchestration.
TEST_F(LoadedCallablesTest, KeepsNothingOfWhatWasDropped) {
    for (size_t i = 0; i < 3 * kept_max; ++i) ASSERT_EQ(get(std::to_string(i)), "OK");
    EXPECT_EQ(device.memory.size(), kept_max);
    EXPECT_EQ(device.kernels.size(), 2 * kept_max);
    EXPECT_EQ(runtime.orchestrations, kept_max);
    callables.reset();
    EXPECT_EQ(device.memory.size(), 0u);
    EXPECT_EQ(device.kernels.size(), 0u);
    EXPECT_EQ(runtime.orchestrations, 0u);
}

TEST_F(LoadedCallablesTest, DropsTheLeastRecentlyUsed) {
    for (size_t i = 0; i < kept_max; ++i) {
        kernel_name = "kernel of " + std::to_string(i);
        ASSERT_EQ(get(std::to_string(i)), "OK");
    }
    ASSERT_EQ(get("0"), "OK");  // used again
    ASSERT_EQ(get("one more"), "OK");
    EXPECT_EQ(count("kernel of 0"), 1u);
    EXPECT_EQ(count("kernel of 1"), 0u);
    EXPECT_EQ(count("kernel of 2"), 1u);
}

// A callable may be refused for any reason, and at any point: nothing of it stays, and it can be tried again.
TEST_F(LoadedCallablesTest, KeepsNothingOfWhatWasRefused) {
    ASSERT_EQ(get("good"), "OK");
    const auto expect_only_good = [&] {
        EXPECT_EQ(device.memory.size(), 1u);
        EXPECT_EQ(device.kernels.size(), 2u);
        EXPECT_EQ(runtime.orchestrations, 1u);
    };
    EXPECT_EQ(get("refused", "refused"), "ENTRY_MISSING");
    expect_only_good();
    EXPECT_EQ(get("none", "none"), "INTERNAL");
    expect_only_good();
    device.allocations_left = 0;
    EXPECT_EQ(get("no memory"), "DEVICE_MEMORY_EXHAUSTED");
    expect_only_good();
    device.allocations_left = UINT32_MAX;
    kernel_name = "broken";
    EXPECT_EQ(get("broken"), "LOAD_REFUSED");
    expect_only_good();
    kernel_name = "first";
    for (const char* key : {"refused", "none", "no memory", "broken"}) EXPECT_EQ(get(key), "OK") << key;
    EXPECT_EQ(device.memory.size(), 5u);
}

TEST_F(LoadedCallablesTest, RefusesKernelsThatCannotBe) {
    ch_kernel kernel{CH_MAX_FUNC_ID + 1, CH_AIV, {}};
    kernel.binary.name = "kernel";
    ch_callable callable{};
    callable.key = "a";
    callable.entry = "build_graph";
    callable.kernels = &kernel;
    callable.kernel_count = 1;
    EXPECT_EQ(callables->get(callable, &found, &error), CH_FUNC_ID_OUT_OF_RANGE);
    kernel.func_id = CH_MAX_FUNC_ID;
    kernel.core_type = 2;
    EXPECT_EQ(callables->get(callable, &found, &error), CH_CORE_TYPE_INVALID);
    kernel.core_type = CH_AIC;
    EXPECT_EQ(callables->get(callable, &found, &error), CH_OK);
    EXPECT_EQ(device.kernels.size(), 1u);
}

}  // namespace chiphost::host
