// SPDX-License-Identifier: Apache-2.0
//
// Child processes themselves: they start, talk and end, and nothing of them stays.
#include "isolate/child/child_process.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <filesystem>
#include <future>
#include <thread>
#include <utility>

#include "isolate/child/child_pool.h"
#include "temp_folder.h"
#include "test_files.h"

namespace chiphost::isolate {

namespace {

using tests::text_of;
namespace fs = std::filesystem;

size_t open_descriptors() {
    size_t count = 0;
    for ([[maybe_unused]] const auto& entry : fs::directory_iterator("/proc/self/fd")) ++count;
    return count;
}

bool has_child_processes() {
    siginfo_t info{};
    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

class ChildProcesses : public testing::Test {
protected:
    // "ok" or the error.
    std::string start(std::unique_ptr<ChildProcess>* out_child, const std::string& program = CHIPHOST_CHILD) {
        ch_error error = no_error();
        return ChildProcess::start(program, out_child, &error) == CH_OK ? "ok" : text_of(error);
    }
    std::unique_ptr<ChildProcess> started() {
        std::unique_ptr<ChildProcess> child;
        EXPECT_EQ(start(&child), "ok");
        return child;
    }
    std::string script(const std::string& name, const std::string& text) {
        const std::string path = testing::TempDir() + "/chiphost_" + name + "_" + std::to_string(getpid());
        std::ofstream(path) << "#!/bin/sh\n" << text << "\n";
        chmod(path.c_str(), 0700);
        return path;
    }

    const tests::TempFolder folder_;
};

ChildProcess::Answer ask(ChildProcess& child, ChildVerb verb) {
    child.post(verb);
    return child.wait(CH_MAILBOX_FOR_EVER);
}

// A child of the pool; a spare child has answered once.
int32_t take(ChildPool& pool, const std::string& key, std::unique_ptr<ChildProcess>* out_child) {
    ch_error error = no_error();
    const auto prepare = [](ChildProcess& child) {
        return ask(child, ChildVerb::hello) == ChildProcess::Answer::complete;
    };
    return pool.take(key, CHIPHOST_CHILD, prepare, {}, out_child, &error);
}

}  // namespace

TEST_F(ChildProcesses, AnswerAndEnd) {
    const size_t descriptors = open_descriptors();
    {
        const auto child = started();
        ASSERT_TRUE(child);
        EXPECT_TRUE(child->usable());
        EXPECT_TRUE(fs::is_directory(child->temp_folder()));
        for (int i = 0; i < 100; ++i) {
            ASSERT_EQ(ask(*child, ChildVerb::hello), ChildProcess::Answer::complete);
            ASSERT_EQ(child->memory().control().code, CH_OK);
        }
        // After the time in which the child looks it sleeps, and is woken.
        for (int i = 0; i < 5; ++i) {
            std::this_thread::sleep_for(std::chrono::milliseconds(2));
            ASSERT_EQ(ask(*child, ChildVerb::hello), ChildProcess::Answer::complete);
        }
        ASSERT_EQ(ask(*child, static_cast<ChildVerb>(999)), ChildProcess::Answer::complete);
        EXPECT_EQ(text_of(child->memory().control().error), "ABI_MISMATCH: child process: it knows no verb 999");
        const ChildProcess::End& end = child->end();
        EXPECT_TRUE(end.known && end.signalled);
        EXPECT_EQ(end.number, SIGKILL);
        EXPECT_EQ(child->describe_end(), "was killed by SIGKILL");
        EXPECT_FALSE(child->usable());
        EXPECT_EQ(child->wait(0), ChildProcess::Answer::died);
    }
    EXPECT_EQ(open_descriptors(), descriptors);
    EXPECT_FALSE(has_child_processes());
}

TEST_F(ChildProcesses, KeepNothingOpenThatTheyWereNotGiven) {
    const int pipe_of_this_process = open("/dev/null", O_RDONLY);  // without CLOEXEC
    const auto child = started();
    ASSERT_TRUE(child);
    size_t count = 0;
    for ([[maybe_unused]] const auto& entry : fs::directory_iterator("/proc/" + std::to_string(child->id()) + "/fd")) {
        ++count;
    }
    EXPECT_EQ(count, 3u + 6u) << "standard streams, and memory, socket, pipe, stderr, parent, folder";
    close(pipe_of_this_process);
}

TEST_F(ChildProcesses, WorkWhateverStandardStreamsAreClosed) {
    for (int closed = 1; closed < 8; ++closed) {
        int kept[3];
        for (int stream = 0; stream < 3; ++stream) {
            kept[stream] = fcntl(stream, F_DUPFD_CLOEXEC, 10);
            if (closed & 1 << stream) close(stream);
        }
        std::unique_ptr<ChildProcess> child;
        const std::string answer = start(&child);
        const bool talks = child && ask(*child, ChildVerb::hello) == ChildProcess::Answer::complete;
        child.reset();
        for (int stream = 0; stream < 3; ++stream) {
            dup2(kept[stream], stream);
            close(kept[stream]);
        }
        ASSERT_EQ(answer, "ok") << closed;
        EXPECT_TRUE(talks) << closed;
    }
}

TEST_F(ChildProcesses, ShareAnArenaThatGrows) {
    const auto child = started();
    ASSERT_TRUE(child);
    SharedMemory& memory = child->memory();
    for (uint64_t bytes : {uint64_t{1} << 10, uint64_t{3} << 20, uint64_t{100} << 20}) {
        ASSERT_EQ(memory.reserve(bytes), 0);
        memory.at(0)[0] = 7;
        memory.at(0)[bytes - 1] = 8;
        ASSERT_EQ(ask(*child, ChildVerb::hello), ChildProcess::Answer::complete) << "the child could not follow";
        ASSERT_EQ(memory.control().code, CH_OK);
        EXPECT_EQ(memory.at(0)[0], 7) << "contents stay";
    }
    EXPECT_EQ(memory.reserve(UINT64_MAX), ENOMEM);
    EXPECT_NE(memory.reserve(uint64_t{1} << 60), 0);
    struct stat before{};
    struct stat after{};
    fstat(memory.file(), &before);
    memory.trim();
    fstat(memory.file(), &after);
    EXPECT_LT(after.st_blocks, before.st_blocks / 10) << "memory was not given back";
    ASSERT_EQ(ask(*child, ChildVerb::hello), ChildProcess::Answer::complete);
}

TEST_F(ChildProcesses, AreNotReachedByCtrlC) {
    const auto child = started();
    ASSERT_TRUE(child);
    for (const int signal : {SIGINT, SIGQUIT, SIGHUP, SIGTSTP, SIGTTIN, SIGTTOU, SIGPIPE}) kill(child->id(), signal);
    for (int i = 0; i < 20; ++i) ASSERT_EQ(ask(*child, ChildVerb::hello), ChildProcess::Answer::complete);
}

TEST_F(ChildProcesses, ThatAreKilledAreNoticedAtOnce) {
    const auto child = started();
    ASSERT_TRUE(child);
    kill(child->id(), SIGSTOP);  // it cannot answer
    siginfo_t stopped{};
    ASSERT_EQ(waitid(P_PID, static_cast<id_t>(child->id()), &stopped, WSTOPPED), 0);
    child->post(ChildVerb::hello);
    EXPECT_EQ(child->wait(20'000'000), ChildProcess::Answer::none);
    std::thread kills([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));  // so that the wait has begun
        kill(child->id(), SIGKILL);
    });
    EXPECT_EQ(child->wait(CH_MAILBOX_FOR_EVER), ChildProcess::Answer::died);
    kills.join();
    EXPECT_EQ(child->describe_end(), "was killed by SIGKILL");
}

TEST_F(ChildProcesses, WhoseStatusIsTakenByOthers) {
    {
        const auto child = started();
        ASSERT_TRUE(child);
        kill(child->id(), SIGKILL);
        int status = 0;
        ASSERT_EQ(waitpid(-1, &status, 0), child->id());
        EXPECT_FALSE(child->usable());
        EXPECT_FALSE(child->end().known);
        EXPECT_NE(child->describe_end().find("how is not known"), std::string::npos);
    }
    signal(SIGCHLD, SIG_IGN);
    const auto child = started();
    ASSERT_TRUE(child);
    EXPECT_EQ(ask(*child, ChildVerb::hello), ChildProcess::Answer::complete);
    EXPECT_FALSE(child->end().known);
    signal(SIGCHLD, SIG_DFL);
    EXPECT_FALSE(has_child_processes());
}

TEST_F(ChildProcesses, ThatCannotBeStarted) {
    std::unique_ptr<ChildProcess> child;
    const size_t descriptors = open_descriptors();
    EXPECT_EQ(start(&child, "/no/such/program"),
              "PROCESS_NOT_STARTED: /no/such/program: cannot start the program: No such file or directory");
    EXPECT_EQ(start(&child, "/bin/true"),
              "PROCESS_NOT_STARTED: /bin/true: the program exited with code 0 instead of answering");
    const std::string crashes = script("crashes", "echo its own words >&2; kill -SEGV $$");
    EXPECT_EQ(start(&child, crashes), "PROCESS_NOT_STARTED: " + crashes +
                                          ": the program was killed by SIGSEGV instead of answering: its own words");
    const std::string other = script("other_version", "echo wanted another >&2; exit 65");
    EXPECT_EQ(start(&child, other),
              "ABI_MISMATCH: " + other + ": the program exited with code 65 instead of answering: wanted another");
    unlink(crashes.c_str());
    unlink(other.c_str());
    EXPECT_EQ(open_descriptors(), descriptors);
    EXPECT_FALSE(has_child_processes());
    // A person who starts it by hand is told what it is.
    const int status = system(CHIPHOST_CHILD " 2>/dev/null");
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 64);
}

// There is one descriptor too few at every step.
TEST_F(ChildProcesses, ThatFindNoDescriptors) {
    rlimit before{};
    getrlimit(RLIMIT_NOFILE, &before);
    const auto next_descriptor = [] {
        const int next = dup(0);
        close(next);
        return next;
    };
    const size_t descriptors = open_descriptors();
    bool started_at_last = false;
    for (int spare = 0; spare < 20 && !started_at_last; ++spare) {
        const rlimit narrow{static_cast<rlim_t>(next_descriptor() + spare), before.rlim_max};
        std::unique_ptr<ChildProcess> child;
        setrlimit(RLIMIT_NOFILE, &narrow);
        const std::string answer = start(&child);
        setrlimit(RLIMIT_NOFILE, &before);
        started_at_last = answer == "ok";
        child.reset();
        if (!started_at_last) {
            EXPECT_EQ(answer.find("PROCESS_NOT_STARTED: "), 0u) << answer;
        }
        EXPECT_EQ(open_descriptors(), descriptors) << answer;
        EXPECT_TRUE(folder_.empty()) << answer;
    }
    EXPECT_TRUE(started_at_last);
    EXPECT_FALSE(has_child_processes());
}

TEST_F(ChildProcesses, SweepWhatOthersLeft) {
    const std::string left = folder_.path() + "/chiphost-child-killed";
    const std::string used = folder_.path() + "/chiphost-child-in-use";
    fs::create_directories(left + "/inner");
    std::ofstream(left + "/inner/file") << "text";
    fs::create_directory(used);
    const int lock = open(used.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ASSERT_EQ(flock(lock, LOCK_EX), 0);
    fs::create_directory_symlink("/usr", folder_.path() + "/chiphost-child-link");
    const auto child = started();
    EXPECT_FALSE(fs::exists(left));
    EXPECT_TRUE(fs::exists(used));
    EXPECT_TRUE(fs::exists("/usr/bin"));
    EXPECT_TRUE(child && fs::exists(child->temp_folder()));
    close(lock);
    fs::remove(used);
    fs::remove(folder_.path() + "/chiphost-child-link");
}

TEST_F(ChildProcesses, UseNoProcessorWhileTheyWait) {
    const auto child = started();
    ASSERT_TRUE(child);
    const auto switches = [&] {
        std::string found;
        for (const auto& task : fs::directory_iterator("/proc/" + std::to_string(child->id()) + "/task")) {
            std::ifstream status(task.path() / "status");
            for (std::string line; std::getline(status, line);) {
                if (line.find("ctxt_switches") != std::string::npos) found += line + "\n";
            }
        }
        return found;
    };
    std::this_thread::sleep_for(std::chrono::milliseconds(200));  // past the time in which it looks
    const std::string before = switches();
    EXPECT_FALSE(before.empty());
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
#if !CHIPHOST_SANITIZED  // ThreadSanitizer has a thread of its own
    EXPECT_EQ(switches(), before);
#endif
}

TEST_F(ChildProcesses, OfAPoolAreBoundedAndReused) {
    ChildPool pool;
    std::unique_ptr<ChildProcess> child;
    ASSERT_EQ(take(pool, "a", &child), CH_OK);
    const pid_t first = child->id();
    pool.give_back("a", std::move(child));
    ASSERT_EQ(take(pool, "b", &child), CH_OK);
    EXPECT_NE(child->id(), first);
    std::unique_ptr<ChildProcess> again;
    ASSERT_EQ(take(pool, "a", &again), CH_OK);
    EXPECT_EQ(again->id(), first);
    kill(first, SIGKILL);
    while (again->usable()) sched_yield();
    pool.give_back("a", std::move(again));
    EXPECT_EQ(pool.idle(), 0u) << "a dead one is of no use";
    pool.give_back("b", std::move(child));

    // One that dies while it waits is replaced.
    ASSERT_EQ(take(pool, "b", &child), CH_OK);
    const pid_t second = child->id();
    pool.give_back("b", std::move(child));
    kill(second, SIGKILL);
    siginfo_t ended{};
    ASSERT_EQ(waitid(P_PID, static_cast<id_t>(second), &ended, WEXITED | WNOWAIT), 0);
    ASSERT_EQ(take(pool, "b", &child), CH_OK);
    EXPECT_EQ(ask(*child, ChildVerb::hello), ChildProcess::Answer::complete);

    std::vector<std::unique_ptr<ChildProcess>> many(ChildPool::idle_max + 2);
    for (auto& one : many) ASSERT_EQ(take(pool, "c", &one), CH_OK);
    for (auto& one : many) pool.give_back("c", std::move(one));
    EXPECT_EQ(pool.idle(), ChildPool::idle_max);
    pool.end_idle();
    child.reset();
    EXPECT_FALSE(has_child_processes());
}

TEST_F(ChildProcesses, OfAPoolAreNotUsedAgainOnceTheyAreUsedUp) {
    ChildPool pool;
    std::unique_ptr<ChildProcess> child;
    ASSERT_EQ(take(pool, "a", &child), CH_OK);
    const pid_t first = child->id();
    child->use_up();
    pool.give_back("a", std::move(child));
    EXPECT_EQ(pool.idle(), 0u);
    ASSERT_EQ(take(pool, "a", &child), CH_OK);
    EXPECT_NE(child->id(), first);

    // The pool has given out a second child of the kind: a third may be expected, and is prepared meanwhile.
    while (pool.idle() == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    const pid_t second = child->id();
    child->use_up();
    pool.give_back("a", std::move(child));
    ASSERT_EQ(take(pool, "a", &child), CH_OK);
    EXPECT_FALSE(child->fresh()) << "it is not the spare";
    EXPECT_NE(child->id(), second);
    pool.give_back("a", std::move(child));
    pool.end_idle();
    EXPECT_EQ(pool.idle(), 0u);
    EXPECT_FALSE(has_child_processes());
}

TEST_F(ChildProcesses, OfAPoolThatAreUsedUpDoNotPileUp) {
    ChildPool pool;
    std::vector<std::unique_ptr<ChildProcess>> many(2 * ChildPool::used_up_max);
    for (auto& one : many) {
        ASSERT_EQ(take(pool, "a", &one), CH_OK);
        one->use_up();
    }
    std::vector<pid_t> ids;
    for (const auto& one : many) ids.push_back(one->id());
    std::unique_ptr<ChildProcess> last;
    ASSERT_EQ(take(pool, "b", &last), CH_OK);
    last->use_up();
    pool.give_back("b", std::move(last));

    // The pool's thread is kept busy with a spare.
    std::promise<void> go_on;
    ch_error error = no_error();
    const auto prepare = [done = go_on.get_future().share()](ChildProcess&) {
        done.wait();
        return false;
    };
    ASSERT_EQ(pool.take("b", CHIPHOST_CHILD, prepare, {}, &last, &error), CH_OK);
    for (auto& one : many) pool.give_back("a", std::move(one));
    const auto lives = std::count_if(ids.begin(), ids.end(), [](pid_t id) { return kill(id, 0) == 0; });
    EXPECT_LE(static_cast<size_t>(lives), ChildPool::used_up_max);
    go_on.set_value();
    last.reset();
    pool.end_idle();
    EXPECT_FALSE(has_child_processes());
}

TEST_F(ChildProcesses, OfAPoolHaveWhatTheProgramHasNow) {
    ChildPool pool;
    std::unique_ptr<ChildProcess> child;
    ASSERT_EQ(take(pool, "a", &child), CH_OK);
    pid_t last = child->id();
    const auto is_used_again = [&] {
        pool.give_back("a", std::move(child));
        EXPECT_EQ(take(pool, "a", &child), CH_OK);
        return std::exchange(last, child->id()) == child->id();
    };
    EXPECT_TRUE(is_used_again());
    setenv("CHIPHOST_TEST_VARIABLE", "1", 1);
    EXPECT_FALSE(is_used_again()) << "environment";
    EXPECT_TRUE(is_used_again());
    unsetenv("CHIPHOST_TEST_VARIABLE");
    EXPECT_FALSE(is_used_again()) << "environment";
    const int here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ASSERT_EQ(chdir("/"), 0);
    EXPECT_FALSE(is_used_again()) << "working directory";
    ASSERT_EQ(fchdir(here), 0);
    close(here);
    EXPECT_FALSE(is_used_again()) << "working directory";
    rlimit limit{};
    getrlimit(RLIMIT_CORE, &limit);
    if (limit.rlim_max != 0) {
        const rlimit other{limit.rlim_cur == 0 ? limit.rlim_max : 0, limit.rlim_max};
        setrlimit(RLIMIT_CORE, &other);
        EXPECT_FALSE(is_used_again()) << "limits";
        setrlimit(RLIMIT_CORE, &limit);
        EXPECT_FALSE(is_used_again()) << "limits";
    }
    EXPECT_TRUE(is_used_again());
    const int out = dup(STDOUT_FILENO);
    const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    ASSERT_GE(dup2(nowhere, STDOUT_FILENO), 0);
    EXPECT_FALSE(is_used_again()) << "streams";
    dup2(out, STDOUT_FILENO);
    close(out);
    close(nowhere);
}

TEST(KeptKeys, GiveTheOldestSlotToTheNext) {
    KeptKeys keys;
    for (uint32_t i = 0; i < KeptKeys::slots_max; ++i) {
        const auto place = keys.find("key " + std::to_string(i));
        EXPECT_EQ(place.slot, i);
        EXPECT_FALSE(place.kept);
        keys.put(place.slot, "key " + std::to_string(i));
    }
    EXPECT_TRUE(keys.find("key 0").kept);
    auto place = keys.find("another");
    EXPECT_EQ(place.slot, 1u) << "0 was used since";
    EXPECT_FALSE(place.kept);
    EXPECT_TRUE(keys.find("key 1").kept) << "not given away before the child has the new one";
    place = keys.find("another");
    keys.put(place.slot, "another");
    EXPECT_TRUE(keys.find("another").kept);
    EXPECT_FALSE(keys.find("key 2").kept);
}

}  // namespace chiphost::isolate
