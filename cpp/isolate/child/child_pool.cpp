// SPDX-License-Identifier: Apache-2.0
#include "child_pool.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <new>
#include <thread>
#include <utility>

#include "isolate/wait_time.h"
#include "os/per_process.h"
#include "status/report.h"

namespace chiphost::isolate {

namespace {

constexpr auto idle_thread_time = std::chrono::seconds(1);  // after so long without work the thread ends
constexpr auto end_time_max = std::chrono::seconds(5);      // so long the process waits for the thread when it exits
constexpr auto patience = std::chrono::seconds(2);          // so long a caller waits for a spare that is being made
constexpr size_t used_before_max = 32;

}  // namespace

ChildPool& ChildPool::of_this_process() {
    static os::PerProcess<ChildPool> pool;
    return pool.get([](ChildPool* inherited) {
        // A process that a fork made has its parent's handlers: they then find this process's own pool.
        if (!inherited) {
            atexit([] {
                ChildPool& ending = of_this_process();
                {
                    const os::MutexLock lock(ending.mutex_);
                    ending.ending_ = true;
                }
                ending.end_idle();
            });
        }
        return new ChildPool;
    });
}

ChildPool::~ChildPool() {
    end_all();
}

void ChildPool::end_all() {
    {
        const os::MutexLock lock(mutex_);
        ending_ = true;
    }
    changed_.notify_all();
    end_idle();
    os::MutexLock lock(mutex_);
    changed_.wait(lock, [&]() CH_REQUIRES(mutex_) { return !thread_runs_; });
}

// Takes a waiting child out; nullptr without one. Ends the children of the key that are of no use now.
std::unique_ptr<ChildProcess> ChildPool::find(const std::string& key, const Circumstances& now) {
    std::list<Idle> useless;
    const os::MutexLock lock(mutex_);
    for (auto next = idle_.begin(); next != idle_.end();) {
        const auto idle = next++;
        if (idle->key != key) continue;
        if (idle->child->circumstances() == now && idle->child->usable()) {
            std::unique_ptr<ChildProcess> found = std::move(idle->child);
            idle_.erase(idle);
            return found;
        }
        useless.splice(useless.end(), idle_, idle);
    }
    return nullptr;
}

Status ChildPool::take(const std::string& key, const std::string& program, const Prepare& prepare, const GoOn& go_on,
                       std::unique_ptr<ChildProcess>* out_child, ch_error* out_error) {
    const Wait wait{patience, go_on};
    const WaitTime time(wait);
    const Circumstances circumstances = Circumstances::of_this_thread();
    for (;;) {
        *out_child = find(key, circumstances);
        os::MutexLock lock(mutex_);
        if (*out_child || !in_the_making(key) || time.is_up()) {
            order_spare(key, program, prepare, circumstances);
            break;
        }
        // The spare that is being made is ready sooner than a new child would be.
        changed_.wait_for(lock, std::chrono::nanoseconds(time.next_slice_ns()));
        lock.unlock();
        if (time.interrupted()) {
            return report(out_error, CH_INTERRUPTED, program, "interrupted while a process was being started");
        }
    }
    return *out_child ? CH_OK : ChildProcess::start(program, circumstances, out_child, out_error);
}

// Has a spare made, so that whoever takes the next child of the key finds one, if it can be had.
void ChildPool::order_spare(const std::string& key, const std::string& program, const Prepare& prepare,
                            const Circumstances& circumstances) {
    const auto of_key = [&](const auto& entry) { return entry.key == key; };
    if (ending_ || in_the_making(key) || std::any_of(idle_.begin(), idle_.end(), of_key)) return;
    if (!was_used_up_before(key)) return;
    orders_.push_back({key, program, prepare, circumstances});
    if (!start_thread()) orders_.pop_back();
    changed_.notify_all();
}

bool ChildPool::in_the_making(const std::string& key) const {
    return making_ == key || std::any_of(orders_.begin(), orders_.end(), [&](const Order& o) { return o.key == key; });
}

bool ChildPool::was_used_up_before(const std::string& key) const {
    return std::find(used_before_.begin(), used_before_.end(), key) != used_before_.end();
}

void ChildPool::give_back(const std::string& key, std::unique_ptr<ChildProcess> child) {
    if (!child->usable()) return;
    if (!child->used_up()) child->memory().trim();
    // Both lists end the children in them when the lock has been released.
    std::list<std::unique_ptr<ChildProcess>> used_up;
    Idle too_many;
    const os::MutexLock lock(mutex_);
    if (child->used_up()) {
        used_up.push_back(std::move(child));
        if (!was_used_up_before(key)) used_before_.push_front(key);
        if (used_before_.size() > used_before_max) used_before_.pop_back();
        if (used_up_.size() == used_up_max || !start_thread()) return;
        used_up_.splice(used_up_.end(), used_up);
        changed_.notify_all();
        return;
    }
    if (ending_) return;
    idle_.push_front({key, std::move(child)});
    trim(&too_many);
}

void ChildPool::trim(Idle* out_too_many) {
    if (idle_.size() <= idle_max) return;
    *out_too_many = std::move(idle_.back());
    idle_.pop_back();
}

// Makes the pool's thread if there is none. False: there is no thread.
bool ChildPool::start_thread() {
    if (thread_runs_) return true;
    if (ending_) return false;
    // The program's signals are for its own threads.
    sigset_t block;
    sigset_t before;
    sigfillset(&block);
    for (int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS}) sigdelset(&block, fault);
    pthread_sigmask(SIG_SETMASK, &block, &before);
    try {
        std::thread([this] { work(); }).detach();
        thread_runs_ = true;
    } catch (const std::exception&) {  // then there is no spare, and whoever gives a child back ends it
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return thread_runs_;
}

void ChildPool::work() {
    pthread_setname_np(pthread_self(), "chiphost-pool");  // no thread of a library's: see started_threads.h
    os::MutexLock lock(mutex_);
    const auto wanted = [&]() CH_REQUIRES(mutex_) { return has_work() || ending_; };
    while (changed_.wait_for(lock, idle_thread_time, wanted) && has_work()) {
        std::list<Order> order;
        std::list<std::unique_ptr<ChildProcess>> used_up;
        if (!orders_.empty()) order.splice(order.end(), orders_, orders_.begin());
        if (order.empty()) used_up.swap(used_up_);
        thread_works_ = true;
        if (!order.empty()) making_.swap(order.front().key);
        lock.unlock();
        used_up.clear();
        std::list<Idle> made;
        if (!order.empty()) made = make_spare(order.front());
        Idle too_many;
        lock.lock();
        if (!made.empty() && !ending_) {
            made.front().key.swap(making_);
            idle_.splice(idle_.begin(), made);
        }
        making_.clear();
        trim(&too_many);
        thread_works_ = false;
        changed_.notify_all();
        lock.unlock();
        made.clear();
        too_many.child.reset();
        lock.lock();
    }
    thread_runs_ = false;
    changed_.notify_all();
}

// A child that has been prepared; empty if that failed: whoever wants a child then starts one, and is told why not. The
// program may change its environment meanwhile, so the child gets the one of whoever has ordered it.
std::list<ChildPool::Idle> ChildPool::make_spare(const Order& order) {
    std::list<Idle> made;
    const cpu_set_t& processors = order.circumstances.processors();
    if (sched_setaffinity(0, sizeof processors, &processors) != 0) return made;
    try {
        made.emplace_back();
        ch_error ignored = no_error();
        if (ChildProcess::start(order.program, order.circumstances, &made.front().child, &ignored) == CH_OK &&
            order.circumstances.still_hold() && order.prepare(*made.front().child) && made.front().child->usable()) {
            return made;
        }
    } catch (const std::exception&) {  // then there is no spare
    }
    return {};
}

void ChildPool::end_idle() {
    std::list<Idle> ended;
    os::MutexLock lock(mutex_);
    ended.swap(idle_);
    orders_.clear();
    changed_.notify_all();
    changed_.wait_for(lock, end_time_max,
                      [&]() CH_REQUIRES(mutex_) { return !thread_works_ && (used_up_.empty() || !thread_runs_); });
    ended.splice(ended.end(), idle_);  // the spare that was being made until now
    lock.unlock();
}

size_t ChildPool::idle() {
    const os::MutexLock lock(mutex_);
    return idle_.size();
}

}  // namespace chiphost::isolate
