// SPDX-License-Identifier: Apache-2.0
//
// The loader of orchestrations, once for the simulated chip and once for a real one (built with a folder of the
// test's).
#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "chiphost/platform/aicpu.h"
#include "test_files.h"
#include "watched_writes.h"
#ifdef CHIPHOST_ORCH_SO_SIM
#include "shared/orch_so_file.h"
#include "sim_port.h"
#endif

namespace chiphost::platform {

namespace {

const std::filesystem::path folder = CHIPHOST_ORCH_SO_DIR;

std::string fixed_path(int number) {
    return folder / ("chiphost_orch_" + std::to_string(getpid()) + "_" + std::to_string(number) + ".so");
}

#ifdef CHIPHOST_ORCH_SO_SIM
AicpuPort* port() {
    static const std::string name = folder;
    static AicpuPort port = [] {
        AicpuPort result{};
        result.temp_folder = name.c_str();
        return result;
    }();
    return &port;
}
#else
AicpuPort* port() {
    return nullptr;
}
#endif

// A folder of the test's own, which both loaders use.
class OrchSoLoader : public testing::Test {
protected:
    void SetUp() override {
        std::filesystem::remove_all(folder);
        std::filesystem::create_directories(folder);
    }
    void TearDown() override { std::filesystem::remove_all(folder); }

    size_t files() const {
        size_t count = 0;
        for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder)) ++count;
        return count;
    }

    // Loads the counting library, which returns 1, 2, 3, ...
    void* load() {
        void* library = nullptr;
        EXPECT_EQ(load_device_orch_so(port(), counter.bytes.data(), counter.bytes.size(), "counter", &library, &error),
                  CH_OK)
            << tests::text_of(error);
        return library;
    }
    static int count(void* library) {
        using Count = int32_t (*)(void*, const void*, void*);
        return reinterpret_cast<Count>(find_in_device_orch_so(library, "count_call"))(nullptr, nullptr, nullptr);
    }

    const tests::Binary counter{"counter"};
    ch_error error = no_error();
};

}  // namespace

TEST_F(OrchSoLoader, GivesEveryLoadVariablesOfItsOwn) {
    void* first = load();
    void* second = load();
    EXPECT_EQ(files(), 0u);
    EXPECT_EQ(count(first), 1);
    EXPECT_EQ(count(first), 2);
    EXPECT_EQ(count(second), 1);
    EXPECT_EQ(find_in_device_orch_so(first, "no_such_symbol"), nullptr);
    close_device_orch_so(port(), first);
    void* third = load();
    EXPECT_EQ(count(third), 1);
    EXPECT_EQ(count(second), 2);
    close_device_orch_so(port(), second);
    close_device_orch_so(port(), third);
}

// Every thread must get its own variables. All libraries stay loaded until the end: ThreadSanitizer does not see that
// the dynamic loader has unmapped one library before it maps another in its place.
TEST_F(OrchSoLoader, LoadsOnSeveralThreadsAtOnce) {
    constexpr int thread_count = 8, rounds = 10;
    std::vector<void*> libraries(thread_count * rounds);
    std::vector<std::thread> threads;
    for (int i = 0; i < thread_count; ++i) {
        threads.emplace_back([&, i] {
            for (int round = 0; round < rounds; ++round) {
                void*& library = libraries[i * rounds + round];
                ch_error own = no_error();
                ASSERT_EQ(
                    load_device_orch_so(port(), counter.bytes.data(), counter.bytes.size(), "counter", &library, &own),
                    CH_OK)
                    << tests::text_of(own);
                ASSERT_EQ(count(library), 1);
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(files(), 0u);
    for (void* library : libraries) close_device_orch_so(port(), library);
}

// Another user has put a link where the file is to be: nothing is written through it.
TEST_F(OrchSoLoader, FollowsNoLink) {
    const std::string target = folder / "target";
    for (int number : {0, 1}) ASSERT_EQ(symlink(target.c_str(), fixed_path(number).c_str()), 0);
    void* library = load();
    EXPECT_EQ(count(library), 1);
    EXPECT_FALSE(std::filesystem::exists(target));
    EXPECT_EQ(files(), 2u);  // the links
    close_device_orch_so(port(), library);
}

// As long as the file exists only its owner can read and write it, whatever the umask, and a program that another
// thread starts meanwhile does not get it.
TEST_F(OrchSoLoader, KeepsItsFileToItself) {
    const mode_t before = umask(0);
    tests::WatchedWrites writes;
    void* library = load();
    umask(before);
    ASSERT_GE(writes.seen().size(), 1u);
    for (const tests::WatchedWrites::Seen& seen : writes.seen()) {
        EXPECT_EQ(seen.path.find(folder.string() + "/"), 0u) << seen.path;
        EXPECT_EQ(seen.mode & 07777, 0600u);
        EXPECT_TRUE(seen.close_on_exec);
    }
    close_device_orch_so(port(), library);
}

TEST_F(OrchSoLoader, ClosesALibraryWhoseConstructorThrows) {
    const tests::Binary thrower("throws_when_loaded");
    const std::string prefix = folder;
    const size_t before = tests::mappings_of(prefix);
    for (int round = 0; round < 3; ++round) {
        void* library = this;
        EXPECT_EQ(load_device_orch_so(port(), thrower.bytes.data(), thrower.bytes.size(), "thrower", &library, &error),
                  CH_LOAD_REFUSED);
        EXPECT_EQ(library, nullptr);
        EXPECT_EQ(tests::mappings_of(prefix), before);
        EXPECT_EQ(files(), 0u);
    }
}

TEST_F(OrchSoLoader, SaysWhatTheLoaderRefuses) {
    void* library = nullptr;
    EXPECT_EQ(load_device_orch_so(port(), "no library", 10, "orchestration", &library, &error), CH_LOAD_REFUSED);
    EXPECT_EQ(library, nullptr);
    EXPECT_EQ(files(), 0u);
}

#ifdef CHIPHOST_ORCH_SO_SIM

// No file can be made in a folder that does not exist, nor in one whose file system makes no files.
TEST_F(OrchSoLoader, LoadsFromElsewhereIfTheFolderIsOfNoUse) {
    for (const char* useless : {CHIPHOST_ORCH_SO_DIR "/missing", "/proc"}) {
        AicpuPort other{};
        other.temp_folder = useless;
        void* libraries[2]{};
        for (void*& library : libraries) {
            ASSERT_EQ(
                load_device_orch_so(&other, counter.bytes.data(), counter.bytes.size(), "counter", &library, &error),
                CH_OK)
                << tests::text_of(error);
            EXPECT_EQ(count(library), 1);
            EXPECT_EQ(error.code, CH_OK);
        }
        for (void* library : libraries) close_device_orch_so(port(), library);
        void* none = nullptr;
        EXPECT_EQ(load_device_orch_so(&other, "no library", 10, "orchestration", &none, &error), CH_LOAD_REFUSED);
        EXPECT_EQ(none, nullptr);
    }
}

TEST_F(OrchSoLoader, KeepsItsMemoryToItself) {
    tests::WatchedWrites writes;
    void* library = nullptr;
    ASSERT_EQ(load_from_memory(nullptr, counter.bytes.data(), counter.bytes.size(), "counter", &library, &error), CH_OK)
        << tests::text_of(error);
    ASSERT_GE(writes.seen().size(), 1u);
    for (const tests::WatchedWrites::Seen& seen : writes.seen()) EXPECT_TRUE(seen.close_on_exec) << seen.path;
    close_device_orch_so(port(), library);
}

TEST_F(OrchSoLoader, LoadsFromMemory) {
    void* libraries[3]{};
    for (void*& library : libraries) {
        ASSERT_EQ(load_from_memory(nullptr, counter.bytes.data(), counter.bytes.size(), "counter", &library, &error),
                  CH_OK)
            << tests::text_of(error);
        EXPECT_EQ(count(library), 1);
    }
    EXPECT_EQ(count(libraries[0]), 2);
    for (void* library : libraries) close_device_orch_so(port(), library);
}

#else

TEST_F(OrchSoLoader, NamesTheFolderThatIsMissing) {
    std::filesystem::remove_all(folder);
    void* library = nullptr;
    EXPECT_EQ(load_device_orch_so(port(), "no library", 10, "orchestration", &library, &error), CH_FILE_UNREADABLE);
    EXPECT_NE(std::string(error.message).find(folder), std::string::npos) << error.message;
}

#endif

}  // namespace chiphost::platform
