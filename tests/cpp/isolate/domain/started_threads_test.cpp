// SPDX-License-Identifier: Apache-2.0
#include "isolate/domain/started_threads.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <functional>
#include <future>
#include <thread>

#include "loader/loader_gate.h"

namespace chiphost::isolate {

namespace {

int32_t this_thread() {
    return static_cast<int32_t>(syscall(SYS_gettid));
}

void block(int signal) {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, signal);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

void set_name(const char* name) {
    prctl(PR_SET_NAME, name);
}

std::string name_of_this_thread() {
    char name[16];
    prctl(PR_GET_NAME, name);
    return name;
}

// A thread that does something and then runs as long as this lives.
class Running {
public:
    explicit Running(const std::function<void()>& first) {
        std::promise<void> done;
        thread_ = std::thread([this, &done, first, over = over_.get_future().share()] {
            number_ = this_thread();
            first();
            done.set_value();
            over.wait();
        });
        done.get_future().wait();
    }
    ~Running() {
        over_.set_value();
        thread_.join();
        // The kernel lists a thread a little longer than it runs.
        const std::string folder = "/proc/self/task/" + std::to_string(number_);
        while (access(folder.c_str(), F_OK) == 0) std::this_thread::yield();
    }
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;

private:
    int32_t number_ = 0;
    std::promise<void> over_;
    std::thread thread_;
};

class StartedThreadsTest : public testing::Test {
protected:
    void SetUp() override {
        set_name("before");
        // With the first thread ThreadSanitizer makes one of its own, which would be taken for a library's.
        std::thread([] {}).join();
        ASSERT_TRUE(threads.watch(this_thread()));
    }
    std::string found() {
        bool known = false;
        const std::string name = threads.find(&known);
        EXPECT_TRUE(known);
        return name;
    }

    StartedThreads threads;
};

}  // namespace

TEST_F(StartedThreadsTest, AreFoundAsLongAsTheyRun) {
    EXPECT_EQ(found(), "");
    {
        const Running thread([] {});
        EXPECT_EQ(found(), name_of_this_thread()) << "a thread inherits the name";
        EXPECT_EQ(found().rfind(watched_name, 0), 0u);
    }
    EXPECT_EQ(found(), "");
}

TEST_F(StartedThreadsTest, AreKnownByTheirSignalMaskToo) {
    const Running thread([] { set_name("renamed"); });
    EXPECT_EQ(found(), "renamed");
}

TEST_F(StartedThreadsTest, AreKnownByTheirNameToo) {
    const Running thread([] { block(SIGUSR1); });
    EXPECT_EQ(found(), name_of_this_thread());
}

TEST_F(StartedThreadsTest, AreNotThoseOfOthers) {
    const Running other([] {
        set_name("other");
        block(SIGUSR1);
    });
    const Running own([] { set_name("chiphost-any"); });
    const Running of_another_library([] { set_name("chiphost.abcdef"); });
    EXPECT_EQ(found(), "");
}

TEST_F(StartedThreadsTest, AreThoseThatAreNoted) {
    ch_thread_origins* origins = loader::loader_gate_of_this_process()->origins;
    ASSERT_NE(origins, nullptr);
    const int32_t watched = this_thread();
    {
        const Running of_another([&] {
            set_name("of another");
            ch_thread_origins_note(origins, this_thread(), watched + 1);
        });
        EXPECT_EQ(found(), "") << "it has the mask, but another thread has made it";
    }
    ch_thread_origins_reset(origins);
    const Running own([&] {
        set_name("own");
        block(SIGUSR1);
        ch_thread_origins_note(origins, this_thread(), watched);
    });
    EXPECT_EQ(found(), "own") << "it has neither name nor mask, but it is noted";
    ch_thread_origins_reset(origins);
}

TEST_F(StartedThreadsTest, WereNotThereBefore) {
    const Running earlier([] {});
    ASSERT_TRUE(threads.watch(this_thread()));
    EXPECT_EQ(found(), "");
}

TEST_F(StartedThreadsTest, TakeTheNameAwayAgain) {
    const std::string watched = name_of_this_thread();
    threads.unwatch();
    EXPECT_EQ(name_of_this_thread(), "before");
    StartedThreads next;
    ASSERT_TRUE(next.watch(this_thread()));
    EXPECT_NE(name_of_this_thread(), watched) << "no two libraries have a name";
}

TEST(StartedThreads, AreUnknownWithoutAThreadToWatch) {
    StartedThreads threads;
    bool known = true;
    EXPECT_EQ(threads.find(&known), "");
    EXPECT_FALSE(known) << "nothing was watched";
    EXPECT_FALSE(threads.watch(INT32_MAX)) << "there is no such thread";
    known = true;
    EXPECT_EQ(threads.find(&known), "");
    EXPECT_FALSE(known);
}

}  // namespace chiphost::isolate
