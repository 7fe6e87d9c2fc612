// SPDX-License-Identifier: Apache-2.0
//
// The suite's AICPU program: follows the script in device memory, with the platform's half of the AICPU. The AICore
// program is the real one.
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <new>

#include "chiphost/abi/device_program.h"
#include "chiphost/platform/aicpu.h"
#include "conformance/script.h"
#include "graph/core_protocol.h"
#include "status/report.h"

namespace chiphost::conformance {

namespace {

using core_protocol::Handshake;
using core_protocol::Payload;
using platform::Register;

constexpr uint32_t steps_between_ends = 64;  // Work::nothing
// The time that a strand that cannot pause waits for the end of its launch before it gives the thread back: less than a
// launch may take to end.
constexpr uint64_t strand_patience_ns = 250'000'000;
// Work::signal: the time in which no thread is stepped before the signal, the longest wait for that, and the time that
// a thread may take to be stepped after the signal.
constexpr uint64_t quiet_ns = 10'000'000;
constexpr uint64_t quiet_patience_ns = 100'000'000;
constexpr uint64_t wake_up_patience_ns = 5'000'000'000;

static_assert(cores_max >= platform::cores_max && threads_max >= platform::aicpu_threads_max, "script.h");

uint64_t now_ns() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

template <typename T>
T* at(uint64_t address) {
    return reinterpret_cast<T*>(address);
}

// One launch.
class Launch {
public:
    Launch(const ch_launch& launch, void* const* ports)
        : launch_(launch), script_(*at<Script>(launch.graph)), kernel_(*at<const uint64_t>(launch.kernels)) {
        for (uint32_t i = 0; i < launch.aicpu_thread_count; ++i) {
            threads_[i].port = static_cast<platform::AicpuPort*>(ports[i]);
            for (uint32_t before = 0; before < i; ++before) {
                if (threads_[before].port == threads_[i].port) script_.ports_shared = 1;
            }
        }
        ++script_.begun;
        show(&script_, sizeof script_);
    }

    ch_step step(uint32_t index) {
        Thread& thread = threads_[index];
        switch (thread.phase) {
            case Phase::announce:
                script_.threads[index].begun = 1;
                for_each_core(index, [&](uint32_t core) {
                    Handshake& handshake = at<Handshake>(launch_.handshakes)[core];
                    handshake.payloads = launch_.payloads + 2 * core * sizeof(Payload);
                    handshake.aicpu_ready.store(1, std::memory_order_release);
                    show(&handshake, sizeof handshake);
                });
                thread.phase = Phase::open_registers;
                return CH_STEP_WORKED;
            case Phase::open_registers:
                if (!all_say(index, &Handshake::aicore_regs_ready, [](uint32_t) { return 1u; })) return CH_STEP_POLL;
                for_each_core(index, [&](uint32_t core) { open_registers(thread, core); });
                thread.phase = Phase::await_cores;
                return CH_STEP_WORKED;
            case Phase::await_cores:
                if (!all_say(index, &Handshake::aicore_done, [](uint32_t core) { return core + 1; })) {
                    return CH_STEP_POLL;
                }
                thread.phase = Phase::work;
                return CH_STEP_WORKED;
            case Phase::work: {
                const ch_step result = work(index);
                if (result != CH_STEP_DONE) return result;
                for_each_core(index, [&](uint32_t core) {
                    Handshake& handshake = at<Handshake>(launch_.handshakes)[core];
                    handshake.registers.store(core_protocol::RegistersUse::told_to_exit, std::memory_order_relaxed);
                    show(&handshake, sizeof handshake);
                    write(thread, core, core_protocol::main_base_exit);
                });
                thread.phase = Phase::await_exit;
                return CH_STEP_WORKED;
            }
            case Phase::await_exit: {
                bool all = true;
                for_each_core(index,
                              [&](uint32_t core) { all = all && cond(thread, core) == core_protocol::cond_exited; });
                if (!all) return CH_STEP_IDLE;
                for_each_core(index, [&](uint32_t core) {
                    if (reachable(core)) close_registers(thread, core);
                });
                script_.threads[index].done = 1;
                show(&script_, sizeof script_);
                thread.phase = Phase::done;
                return CH_STEP_DONE;
            }
            case Phase::done:
                return CH_STEP_DONE;
        }
        return CH_STEP_DONE;
    }

    void stop() { stopping_.store(true, std::memory_order_release); }

    // No strand may be left running, except one that is to be abandoned.
    void end() {
        stop();
        while (thread_in_strand_ && script_.work != Work::abandon_strand && !resume(*thread_in_strand_)) {
        }
        ++script_.ended;
        show(&script_, sizeof script_);
    }

private:
    enum class Phase : uint8_t { announce, open_registers, await_cores, work, await_exit, done };

    struct Thread {
        platform::AicpuPort* port = nullptr;
        Phase phase = Phase::announce;
        uint32_t steps = 0;
    };

    // One core's dispatches.
    struct Dispatches {
        uint32_t written = 0;
        uint32_t acknowledged = 0;
        uint32_t finished = 0;
        uint32_t cond = core_protocol::cond_idle;  // as last seen
    };

    // Makes what this thread wrote visible to cores and host.
    static void show(const void* address, size_t bytes) { platform::flush_cache(address, bytes); }

    // Clusters are dealt to threads in turn.
    template <typename Visit>
    void for_each_core(uint32_t thread, Visit&& visit) {
        for (uint32_t cluster = thread; cluster < launch_.block_dim; cluster += launch_.aicpu_thread_count) {
            const uint32_t aiv = launch_.block_dim + 2 * cluster;
            for (uint32_t core : {cluster, aiv, aiv + 1}) visit(core);
        }
    }

    template <typename Wanted>
    bool all_say(uint32_t thread, std::atomic<uint32_t> Handshake::* word, Wanted&& wanted) {
        bool all = true;
        for_each_core(thread, [&](uint32_t core) {
            Handshake& handshake = at<Handshake>(launch_.handshakes)[core];
            platform::invalidate_cache(&handshake, sizeof handshake);
            all = all && (handshake.*word).load(std::memory_order_acquire) == wanted(core);
        });
        return all;
    }

    bool reachable(uint32_t core) const { return script_.cores[core].physical < platform::chip.physical_cores; }

    void open_registers(Thread& thread, uint32_t core) {
        Handshake& handshake = at<Handshake>(launch_.handshakes)[core];
        script_.cores[core].physical = handshake.physical_core;
        script_.cores[core].type = handshake.core_type;
        if (reachable(core)) {
            handshake.registers.store(core_protocol::RegistersUse::open, std::memory_order_relaxed);
            if (platform::chip.has(Register::fast_path)) {
                platform::write_register(thread.port, handshake.physical_core, Register::fast_path,
                                         core_protocol::fast_path_open);
            }
            write(thread, core, core_protocol::main_base_idle);
        }
        handshake.aicpu_regs_ready.store(1, std::memory_order_release);
        show(&handshake, sizeof handshake);
    }

    void close_registers(Thread& thread, uint32_t core) {
        write(thread, core, core_protocol::main_base_idle);
        if (platform::chip.has(Register::fast_path)) {
            platform::write_register(thread.port, script_.cores[core].physical, Register::fast_path,
                                     core_protocol::fast_path_close);
        }
    }

    void write(Thread& thread, uint32_t core, uint32_t value) {
        if (!reachable(core)) return;
        platform::write_register(thread.port, script_.cores[core].physical, Register::data_main_base, value);
    }

    // A core without registers counts as gone.
    uint32_t cond(Thread& thread, uint32_t core) {
        if (!reachable(core)) return core_protocol::cond_exited;
        return platform::read_register(thread.port, script_.cores[core].physical, Register::cond);
    }

    // One step of a thread's share. CH_STEP_DONE: it has done it.
    ch_step work(uint32_t index) {
        Thread& thread = threads_[index];
        if (stopping_.load(std::memory_order_acquire)) return CH_STEP_DONE;
        switch (script_.work) {
            case Work::nothing:
                return thread.steps++ < index * steps_between_ends ? CH_STEP_WORKED : CH_STEP_DONE;
            case Work::dispatch:
            case Work::dispatch_ahead:
            case Work::overwrite:
                return dispatch(index);
            case Work::strand:
                if (index != 0) return CH_STEP_DONE;
                return run_strand(thread) ? CH_STEP_DONE : CH_STEP_WORKED;
            case Work::signal:
                return signal(index);
            case Work::orchestrations:
                if (index == 0) load_orchestrations(thread);
                return CH_STEP_DONE;
            case Work::report_status:
                if (index == 0) report_status();
                return CH_STEP_DONE;
            case Work::forget:
                if (index == 0) platform::forget_content(at<void>(script_.memory), script_.memory_bytes);
                return CH_STEP_DONE;
            case Work::never_end:
                return index == 0 ? CH_STEP_POLL : CH_STEP_DONE;
            case Work::never_end_in_strand:
            case Work::abandon_strand:
                if (index != 0) return CH_STEP_DONE;
                return run_strand(thread) ? CH_STEP_POLL : CH_STEP_WORKED;
            case Work::sleep_for_ever:
                return CH_STEP_IDLE;
        }
        return CH_STEP_DONE;
    }

    // Starts every dispatch that can be started and reads answers. The answer for a dispatch says that earlier ones
    // have finished.
    ch_step dispatch(uint32_t index) {
        Thread& thread = threads_[index];
        bool all = true;
        for_each_core(index, [&](uint32_t core) {
            if (!reachable(core)) return;
            Dispatches& dispatches = dispatches_[core];
            if (dispatches.written == 0) {
                start(thread, core);
            } else {
                collect(thread, core);
                const uint32_t free_from =
                    script_.work == Work::dispatch_ahead ? dispatches.acknowledged : dispatches.finished;
                if (free_from == dispatches.written && dispatches.written < script_.rounds) start(thread, core);
            }
            all = all && dispatches.finished == script_.rounds;
        });
        return all ? CH_STEP_DONE : CH_STEP_IDLE;
    }

    void start(Thread& thread, uint32_t core) {
        const uint32_t number = ++dispatches_[core].written;
        Payload& payload = at<Payload>(launch_.payloads)[2 * core + (number & 1)];
        payload.kernel = kernel_;
        payload.status = core_protocol::KernelStatus::ok;
        payload.func_id = 0;
        payload.cores = 1;
        payload.context = KernelContext{};
        payload.context.task = number;
        payload.context.block_idx = static_cast<int32_t>(number);
        payload.context.block_num = static_cast<int32_t>(script_.rounds);
        payload.context.core = static_cast<int32_t>(core);
        const bool aiv = core >= launch_.block_dim;
        payload.context.core_type = static_cast<int16_t>(aiv ? CH_AIV : CH_AIC);
        payload.context.sub_block_id = static_cast<int16_t>(aiv ? (core - launch_.block_dim) % 2 : 0);
        payload.context.hand_over = launch_.hand_over;
        payload.context_address = reinterpret_cast<uint64_t>(&payload.context);
        payload.args[0] = script_.records + core * sizeof(KernelRecord);
        payload.args[1] = number;
        for (uint32_t i = 2; i < kernel_args; ++i) payload.args[i] = argument(number, i);
        show(&payload, sizeof payload);
        if (script_.work == Work::overwrite) write(thread, core, core_protocol::main_base_idle);
        write(thread, core, number);
    }

    void collect(Thread& thread, uint32_t core) {
        Dispatches& dispatches = dispatches_[core];
        CoreRecord& record = script_.cores[core];
        const uint32_t answer = cond(thread, core);
        if (answer == dispatches.cond) return;
        const uint32_t number = answer & ~core_protocol::cond_finish_bit;
        const bool finished = (answer & core_protocol::cond_finish_bit) != 0;
        const bool older =
            number < dispatches.acknowledged || (number == dispatches.acknowledged && dispatches.finished == number);
        if (number == 0 || number > dispatches.written || older) {
            ++record.surprises;
            record.surprise = answer;
            return;
        }
        dispatches.cond = answer;
        const uint32_t finished_now = finished ? number : number - 1;
        for (uint32_t done = dispatches.finished + 1; done <= finished_now; ++done) note_end(core, done);
        dispatches.acknowledged = number;
        dispatches.finished = finished_now;
        record.acknowledged = number;
        record.finished = finished_now;
    }

    void note_end(uint32_t core, uint32_t number) {
        Payload& payload = at<Payload>(launch_.payloads)[2 * core + (number & 1)];
        platform::invalidate_cache(&payload, sizeof payload);
        if (payload.status == core_protocol::KernelStatus::ok) return;
        ++script_.cores[core].threw;
        copy_text(script_.cores[core].fault, sizeof script_.cores[core].fault, payload.fault_text);
    }

    // True: the strand has returned.
    bool run_strand(Thread& thread) {
        if (script_.strand_ended) return true;
        thread_in_strand_ = &thread;
        return resume(thread);
    }

    bool resume(Thread& thread) {
        ++script_.resumes;
        strand_thread_ = &thread;
        const bool returned =
            platform::resume_strand(thread.port, [](void* self) { static_cast<Launch*>(self)->strand(); }, this);
        if (returned) thread_in_strand_ = nullptr;
        return returned;
    }

    // Its variables are on its stack.
    void strand() {
        volatile uint64_t kept[strand_words];
        for (uint32_t i = 0; i < strand_words; ++i) kept[i] = argument(1, i);
        script_.strand_stack = reinterpret_cast<uint64_t>(kept);
        const bool for_ever = script_.work != Work::strand;
        const uint64_t begun_ns = now_ns();
        for (uint32_t round = 0; for_ever || round < script_.rounds; ++round) {
            if (platform::pause_strand(strand_thread_->port)) {
                ++script_.pauses;
            } else if (now_ns() - begun_ns > strand_patience_ns) {
                break;  // no other code runs while it waits: the thread has to be given back
            }
            if (stopping_.load(std::memory_order_acquire)) break;
        }
        check_words(kept);
        // The stack that an abandoned strand has left must be unchanged.
        if (script_.abandoned_stack != 0) check_words(at<const volatile uint64_t>(script_.abandoned_stack));
        if (script_.abandoned_stack == script_.strand_stack) script_.strand_bad = 1;
        script_.strand_ended = 1;
    }

    void check_words(const volatile uint64_t* words) {
        for (uint32_t i = 0; i < strand_words; ++i) {
            if (words[i] != argument(1, i)) script_.strand_bad = 1;
        }
    }

    // Thread 1 signals when the others have been asleep for a while. All stay until the others have been stepped: once
    // a thread ends, answers of its cores might wake those that the signal has not.
    ch_step signal(uint32_t index) {
        Thread& thread = threads_[index];
        if (index != 1) {
            ThreadRecord& record = script_.threads[index];
            const uint32_t word = __atomic_load_n(&script_.word, __ATOMIC_ACQUIRE);
            if (word == 0) {
                __atomic_fetch_add(&record.waited, 1, __ATOMIC_RELEASE);
                return CH_STEP_IDLE;
            }
            __atomic_store_n(&record.woken, 1, __ATOMIC_RELEASE);
            return word == 1 ? CH_STEP_POLL : CH_STEP_DONE;
        }
        uint32_t asleep = 0, woken = 0, steps = 0;
        for (uint32_t other = 0; other < launch_.aicpu_thread_count; ++other) {
            if (other == 1) continue;
            const uint32_t waited = __atomic_load_n(&script_.threads[other].waited, __ATOMIC_ACQUIRE);
            asleep += waited != 0;
            steps += waited;
            woken += __atomic_load_n(&script_.threads[other].woken, __ATOMIC_ACQUIRE);
        }
        const uint64_t now = now_ns();
        if (signalled_) {
            const bool all = woken == launch_.aicpu_thread_count - 1;
            if (!all && now - since_ns_ < wake_up_patience_ns) return CH_STEP_POLL;
            for (ThreadRecord& record : script_.threads) {
                record.signalled = __atomic_load_n(&record.woken, __ATOMIC_ACQUIRE);
            }
            __atomic_store_n(&script_.word, 2, __ATOMIC_RELEASE);
            return CH_STEP_DONE;
        }
        if (since_ns_ == 0 || asleep < launch_.aicpu_thread_count - 1 || steps != steps_) since_ns_ = now;
        steps_ = steps;
        // Threads that never sleep are never quiet.
        const bool quiet = now - since_ns_ > quiet_ns;
        if (begun_ns_ == 0) begun_ns_ = now;
        if (!quiet && (asleep < launch_.aicpu_thread_count - 1 || now - begun_ns_ < quiet_patience_ns)) {
            return CH_STEP_POLL;
        }
        __atomic_store_n(&script_.word, 1, __ATOMIC_RELEASE);
        platform::signal_threads(thread.port);
        signalled_ = true;
        since_ns_ = now;
        return CH_STEP_POLL;
    }

    using Answer = uint64_t (*)();
    using Mark = void (*)(uint64_t*);

    // Loads all libraries, asks them, closes them; then loads the first one again.
    void load_orchestrations(Thread& thread) {
        void* handles[libraries_max] = {};
        for (uint32_t i = 0; i < script_.library_count; ++i) {
            LibraryRecord& record = script_.loaded[i];
            handles[i] = load(thread, i);
            if (!handles[i]) continue;
            const auto answer = reinterpret_cast<Answer>(find(handles[i], "conformance_answer"));
            if (answer) record.answer = answer();
            record.unknown_found = find(handles[i], "conformance_unknown") != nullptr;
            record.first_count = count(handles[i]);
            const auto mark = reinterpret_cast<Mark>(find(handles[i], "conformance_mark_at_close"));
            if (mark) mark(at<uint64_t>(script_.close_marks) + i);
        }
        for (void* handle : handles) {
            if (handle) platform::close_device_orch_so(thread.port, handle);
        }
        for (uint32_t i = 0; i < script_.library_count; ++i) {
            if (!handles[i]) continue;
            void* again = load(thread, i);
            if (!again) continue;
            script_.loaded[i].second_count = count(again);
            platform::close_device_orch_so(thread.port, again);
        }
        if (script_.temp_folder[0] == '\0') return;
        look_for_files(script_.temp_folder);
        look_for_files(P_tmpdir);
    }

    // This runs here, because the disk may be the AICPU's own. A platform may change a library that it loads, but not
    // at its end.
    void look_for_files(const char* folder) {
        DIR* entries = opendir(folder);
        if (!entries) return;
        while (const dirent* entry = readdir(entries)) {
            for (uint32_t i = 0; i < script_.library_count; ++i) {
                if (!ends_as_library(dirfd(entries), entry->d_name, i)) continue;
                ++script_.files_left;
                copy_text(script_.file_left, sizeof script_.file_left, entry->d_name);
            }
        }
        closedir(entries);
    }

    bool ends_as_library(int folder, const char* name, uint32_t index) const {
        char end[mark_bytes];
        const uint64_t bytes = script_.library_bytes[index];
        struct stat about{};
        if (fstatat(folder, name, &about, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(about.st_mode)) return false;
        if (static_cast<uint64_t>(about.st_size) != bytes) return false;
        const int file = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        if (file < 0) return false;
        const ssize_t got = pread(file, end, sizeof end, static_cast<off_t>(bytes - sizeof end));
        close(file);
        return got == static_cast<ssize_t>(sizeof end) &&
               memcmp(end, at<const char>(script_.libraries[index]) + bytes - sizeof end, sizeof end) == 0;
    }

    void* load(Thread& thread, uint32_t index) {
        LibraryRecord& record = script_.loaded[index];
        ch_error error = no_error();
        void* handle = nullptr;
        record.code =
            platform::load_device_orch_so(thread.port, at<const void>(script_.libraries[index]),
                                          script_.library_bytes[index], script_.library_name, &handle, &error);
        record.error_code = error.code;
        copy_text(record.where, sizeof record.where, error.where);
        copy_text(record.message, sizeof record.message, error.message);
        if (record.code != CH_OK) return nullptr;
        ++record.loads;
        return handle;
    }

    static void* find(void* handle, const char* symbol) { return platform::find_in_device_orch_so(handle, symbol); }
    static uint64_t count(void* handle) {
        const auto counts = reinterpret_cast<Answer>(find(handle, "conformance_count"));
        return counts ? counts() : 0;
    }

    void report_status() {
        auto& status = *at<ch_launch_status>(launch_.status);
        report(&status.error, fault_code, "device", "%s", fault_message);
        status.error.task = 17;
        status.complete = 1;
        show(&status, sizeof status);
    }

    const ch_launch& launch_;
    Script& script_;
    const uint64_t kernel_;
    Thread threads_[threads_max];
    Dispatches dispatches_[cores_max];
    Thread* thread_in_strand_ = nullptr;  // the strand has not returned
    Thread* strand_thread_ = nullptr;
    std::atomic<bool> stopping_{false};
    // Fields of thread 1 for Work::signal.
    bool signalled_ = false;
    uint32_t steps_ = 0;
    uint64_t since_ns_ = 0, begun_ns_ = 0;
};

constexpr ch_aicpu_program table = {
    CH_ABI_HEADER(ch_aicpu_program, CH_ABI_AICPU_PROGRAM, CH_DEVICE_PROGRAM_MAJOR, CH_DEVICE_PROGRAM_MINOR,
                  CHIPHOST_PLATFORM),
    []() { return uint64_t{sizeof(Launch)}; },
    [](void*) {},
    [](void* context, const ch_launch* launch, void* const* ports) { new (context) Launch(*launch, ports); },
    [](void* context, uint32_t thread) { return static_cast<Launch*>(context)->step(thread); },
    [](void*, ch_error* out_error) { report(out_error, CH_STALLED, "device", "%s", stall_message); },
    [](void* context) { static_cast<Launch*>(context)->end(); },
    [](void*) {},
    [](void* context) { static_cast<Launch*>(context)->stop(); },
};

}  // namespace

}  // namespace chiphost::conformance

extern "C" __attribute__((visibility("default"))) const ch_aicpu_program* chiphost_aicpu_program() {
    return &chiphost::conformance::table;
}
