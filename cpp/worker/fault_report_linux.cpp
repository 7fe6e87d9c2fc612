// SPDX-License-Identifier: Apache-2.0
//
// The handler may run on any thread, also on one that was made in a linker namespace, and at any instruction: it uses
// system calls, atomics and memory of its own, takes no lock and allocates nothing. Before glibc 2.35 the unwinder
// takes the loader's lock, which another thread may hold for ever: there, only the place of the fault is told, and no
// callers.
#include "fault_report.h"

#include <dlfcn.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

#include <atomic>

#include "code_place.h"
#include "os/mutex.h"
#include "os/per_process.h"
#include "run_place.h"
#include "source_line.h"
#include "text_line.h"

namespace chiphost::worker {

namespace {

struct Signal {
    int number;
    const char* name;
    bool installed;  // ours is in the chain of handlers
    struct sigaction previous;
};

// The users of the handlers. A child made by fork() inherits the handlers, and not their users.
struct Users {
    os::Mutex mutex;  // guards the installation, too: the handler reads what does not change while it is installed
    uint32_t count CH_GUARDED_BY(mutex) = 0;  // FaultHandlers of this process

    void add_one();     // installs the handlers if it is the first
    void remove_one();  // takes them away after the last
};
os::PerProcess<Users> all_users;

Users& users_of_this_process() {
    return all_users.get([](Users*) { return new Users; });
}

Signal signals[] = {{SIGSEGV, "SIGSEGV", false, {}}, {SIGBUS, "SIGBUS", false, {}}, {SIGFPE, "SIGFPE", false, {}},
                    {SIGILL, "SIGILL", false, {}},   {SIGSYS, "SIGSYS", false, {}}, {SIGABRT, "SIGABRT", false, {}}};

// A signal that no thread blocks and hardly anybody uses, sent with this value, asks a thread where it is.
constexpr int question_signal = SIGSYS;
constexpr int question = 0x43484951;

struct Slot {
    std::atomic<const ch_run_progress*> progress{nullptr};  // not null: the rest is valid
    std::atomic<bool> taken{false};
    const ch_callable* callable = nullptr;
    isolate::CodeSamples* code = nullptr;
    isolate::FaultText* text = nullptr;
    int32_t thread = 0;

    // The number of the thread of a lane; 0: there is none.
    int32_t thread_of(const ch_run_progress& run, uint32_t lane) const {
        return lane == 0 ? thread : __atomic_load_n(&run.lanes[lane].thread, __ATOMIC_RELAXED);
    }
};
constexpr int32_t slot_count = 256;
Slot slots[slot_count];
std::atomic<uint32_t> readers{0};  // handlers that look at slots
std::atomic<bool> reporting{false};

int32_t this_thread() {
    return static_cast<int32_t>(syscall(SYS_gettid));
}

// Adds where this thread is in the run. False: it is none of the run's threads.
bool describe_place(const Slot& slot, const ch_run_progress& progress, TextLine* line) {
    const int32_t thread = this_thread();
    bool involved = slot.thread == thread;
    for (uint32_t lane = 0; lane < CH_MAX_SIM_THREADS; ++lane) {
        const auto& own = progress.lanes[lane];
        if (slot.thread_of(progress, lane) != thread) continue;
        involved = true;
        const int64_t task = __atomic_load_n(&own.task, __ATOMIC_RELAXED);
        if (task < 0) continue;
        const int32_t func_id = __atomic_load_n(&own.func_id, __ATOMIC_RELAXED);
        const char* name = kernel_name(*slot.callable, func_id);
        if (name) {
            line->add(" in kernel `").add(name).add("`");
        } else {
            line->add(" in kernel of func_id ").add_number(func_id);
        }
        line->add(" of submit #").add_number(__atomic_load_n(&own.submission, __ATOMIC_RELAXED));
        line->add(" on core ").add_number(__atomic_load_n(&own.core, __ATOMIC_RELAXED));
        return true;
    }
    if (!involved) return false;
    const uint32_t phase = __atomic_load_n(&progress.phase, __ATOMIC_RELAXED);
    const bool orchestrating =
        phase == CH_PHASE_ORCHESTRATION || __atomic_load_n(&progress.orchestrating, __ATOMIC_RELAXED) != 0;
    line->add(orchestrating ? " in the orchestration " : " in chiphost, in a run of ");
    line->add(slot.callable->orchestration.name);
    if (orchestrating) line->add(" (").add(slot.callable->entry).add(")");
    return true;
}

void* program_counter(const ucontext_t& context) {
#if defined(__x86_64__)
    return reinterpret_cast<void*>(context.uc_mcontext.gregs[REG_RIP]);
#elif defined(__aarch64__)
    return reinterpret_cast<void*>(context.uc_mcontext.pc);
#else
    return static_cast<void>(context), nullptr;
#endif
}

struct Stack {
    void* fault;  // where the signal came
    const ch_callable* callable;
    isolate::FaultText* text;
    bool begun = false;  // the frames of the handler are behind
    int32_t frame = 0;
    const void* before = nullptr;  // code of the last frame
};

void write(TextLine* line, isolate::FaultText* text) {
    if (!text) return line->write(STDERR_FILENO);
    size_t bytes = 0;
    const char* finished = line->finished(&bytes);
    text->add(finished, bytes);
}

void write_frame(int32_t number, void* address, bool is_call, Stack* stack) {
    TextLine line;
    line.add("  #").add_number(number).add(" ");
    // A return address belongs to the instruction after the call, which may be another function's.
    const void* const code = static_cast<char*>(address) - (is_call ? 1 : 0);
    describe_code(code, &line);
    // Of a recursion one line is enough: there is not much room, and each takes a process.
    if (code != stack->before) add_source_line(*stack->callable, code, &line);
    stack->before = code;
    write(&line, stack->text);
}

void walk_stack([[maybe_unused]] _Unwind_Trace_Fn visit, [[maybe_unused]] void* argument) {
#if __GLIBC_PREREQ(2, 35)
    _Unwind_Backtrace(visit, argument);
#endif
}

_Unwind_Reason_Code visit_frame(_Unwind_Context* context, void* argument) {
    constexpr int32_t frames_max = 12;  // what is above belongs to chiphost
    auto& stack = *static_cast<Stack*>(argument);
    int before = 0;
    void* address = reinterpret_cast<void*>(_Unwind_GetIPInfo(context, &before));
    stack.begun = stack.begun || address == stack.fault;
    if (!stack.begun) return _URC_NO_REASON;
    if (!address && stack.frame != 0) return _URC_END_OF_STACK;  // the first function of a thread has no caller
    write_frame(stack.frame, address, before == 0, &stack);
    return ++stack.frame < frames_max ? _URC_NO_REASON : _URC_END_OF_STACK;
}

void write_stack(void* fault, const ch_callable& callable, isolate::FaultText* text) {
    Stack stack{fault, &callable, text};
    walk_stack(visit_frame, &stack);
    if (!stack.begun) write_frame(0, stack.fault, false, &stack);  // the code there is none that can be unwound
}

void report(const Signal& signal, const siginfo_t& info, const ucontext_t& context) {
    TextLine line;
    line.add("chiphost: ").add(signal.name);
    if (info.si_code > 0) line.add(" at address ").add_hex(reinterpret_cast<uint64_t>(info.si_addr));
    readers.fetch_add(1);
    bool known = false;
    isolate::FaultText* text = nullptr;
    const ch_callable* callable = nullptr;
    for (const Slot& slot : slots) {
        const ch_run_progress* progress = slot.progress.load();
        if (progress && describe_place(slot, *progress, &line)) {
            known = true;
            text = slot.text;
            callable = slot.callable;
            break;
        }
    }
    if (known) {
        write(&line, text);
        write_stack(program_counter(context), *callable, text);
    }
    readers.fetch_sub(1);
}

struct SampleWalk {
    const ch_callable& callable;
    const void* program;  // whose frames are taken, once one was seen
    isolate::CodeSample* sample;
};

// Takes the frames of the innermost program of the run, up to those of another.
_Unwind_Reason_Code take_frame(_Unwind_Context* context, void* argument) {
    auto& walk = *static_cast<SampleWalk*>(argument);
    isolate::CodeSample& sample = *walk.sample;
    int before = 0;
    const uint64_t address = _Unwind_GetIPInfo(context, &before);
    // What is kept are return addresses: one behind the instruction.
    const uint64_t return_address = address + (before != 0);
    ProgramCode code{};
    if (address == 0) return _URC_END_OF_STACK;
    if (!find_program_code(walk.callable, reinterpret_cast<void*>(address), &code)) {
        return walk.program ? _URC_END_OF_STACK : _URC_NO_REASON;
    }
    if (walk.program && code.program != walk.program) return _URC_END_OF_STACK;
    walk.program = code.program;
    sample.func_id = code.func_id;
    sample.at[sample.depth++] = code.address + (return_address - address);
    return sample.depth < isolate::CodeSample::depth_max ? _URC_NO_REASON : _URC_END_OF_STACK;
}

void take_sample(const ch_callable& callable, isolate::CodeSample* out_sample) {
    out_sample->depth = 0;
    SampleWalk walk{callable, nullptr, out_sample};
    walk_stack(take_frame, &walk);
    __atomic_store_n(&out_sample->taken, 1, __ATOMIC_RELEASE);
}

// Answers ask_for_code, in the thread that is asked.
void answer_question() {
    const int32_t thread = this_thread();
    readers.fetch_add(1);
    for (const Slot& slot : slots) {
        const ch_run_progress* progress = slot.progress.load();
        for (uint32_t lane = 0; progress && slot.code && lane < CH_MAX_SIM_THREADS; ++lane) {
            if (slot.thread_of(*progress, lane) == thread) take_sample(*slot.callable, &slot.code->lanes[lane]);
        }
    }
    readers.fetch_sub(1);
}

// The process whose runs are watched. A copy that one of its kernels has made has the handlers, too, and no runs.
std::atomic<pid_t> watched_process{0};

// True if the signal is about what this thread has done, and was not sent by somebody else.
bool is_own_fault(const siginfo_t& info) {
    return info.si_code > 0 || info.si_pid == getpid();
}

// Lets happen what would have happened without this handler.
void pass_on(const Signal& signal, siginfo_t* info, void* context) {
    const struct sigaction& previous = signal.previous;
    if (previous.sa_flags & SA_SIGINFO) {
        previous.sa_sigaction(signal.number, info, context);
    } else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
        previous.sa_handler(signal.number);
    } else {
        // A fault comes again as soon as this returns. A signal that was sent does not: it is sent again.
        sigaction(signal.number, &previous, nullptr);
        if (info->si_code <= 0) syscall(SYS_tgkill, getpid(), this_thread(), signal.number);
    }
}

void handle(int number, siginfo_t* info, void* context) {
    const int before = errno;
    if (number == question_signal && info->si_code == SI_QUEUE && info->si_value.sival_int == question) {
        if (watched_process.load() == getpid()) answer_question();
        errno = before;
        return;
    }
    for (const Signal& signal : signals) {
        if (signal.number != number) continue;
        if (is_own_fault(*info) && watched_process.load() == getpid()) {
            // If two threads crash at once, the second must not end the process while the first one writes. The first
            // may crash again, though.
            constexpr int patience = 1000;
            const timespec millisecond{0, 1'000'000};
            for (int i = 0; i < patience && reporting.exchange(true); ++i) nanosleep(&millisecond, nullptr);
            report(signal, *info, *static_cast<const ucontext_t*>(context));
            reporting.store(false);
        }
        errno = before;
        pass_on(signal, info, context);
        return;
    }
}

bool is_ours(const struct sigaction& action) {
    return (action.sa_flags & SA_SIGINFO) && action.sa_sigaction == handle;
}

// The loader binds what the handler calls at the first call: not in the handler. Once is enough, and costs more than
// the rest of a worker's init.
void bind_calls() {
    [[maybe_unused]] static const bool bound = [] {
        walk_stack([](_Unwind_Context*, void*) { return _URC_END_OF_STACK; }, nullptr);
        TextLine ignored;
        describe_code(reinterpret_cast<void*>(handle), &ignored);
        find_addr2line();
        add_source_line({}, reinterpret_cast<void*>(handle), &ignored);
        isolate::CodeSample none{};
        take_sample({}, &none);
        return true;
    }();
}

void Users::add_one() {
    const os::MutexLock lock(mutex);
    if (count++ != 0) return;
    watched_process.store(getpid());
    bind_calls();
    struct sigaction action{};
    action.sa_sigaction = handle;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;  // a thread that was asked goes on
    sigemptyset(&action.sa_mask);
    for (Signal& signal : signals) {
        if (signal.installed) continue;
        struct sigaction previous{};
        if (sigaction(signal.number, nullptr, &previous) != 0) continue;
        signal.previous = previous;  // before ours can be called
        signal.installed = sigaction(signal.number, &action, nullptr) == 0;
    }
}

void Users::remove_one() {
    const os::MutexLock lock(mutex);
    if (--count != 0) return;
    for (Signal& signal : signals) {
        struct sigaction now{};
        if (!signal.installed || sigaction(signal.number, nullptr, &now) != 0 || !is_ours(now)) continue;
        sigaction(signal.number, &signal.previous, nullptr);
        signal.installed = false;
    }
}

}  // namespace

FaultHandlers::FaultHandlers() : process_(getpid()) {
    users_of_this_process().add_one();
}

FaultHandlers::~FaultHandlers() {
    if (process_ == getpid()) users_of_this_process().remove_one();  // otherwise they are the parent's
}

void WatchedRun::begin(const ch_callable& callable, const ch_run_progress& progress, int32_t thread,
                       isolate::CodeSamples* code, isolate::FaultText* text) {
    end();
    for (int32_t i = 0; i < slot_count; ++i) {
        Slot& slot = slots[i];
        if (slot.taken.load(std::memory_order_relaxed) || slot.taken.exchange(true)) continue;
        slot.callable = &callable;
        slot.thread = thread;
        slot.code = code;
        slot.text = text;
        slot.progress.store(&progress);
        slot_ = i;
        return;
    }
}

void WatchedRun::end() {
    if (slot_ < 0) return;
    Slot& slot = slots[slot_];
    slot.progress.store(nullptr);
    while (readers.load() != 0) sched_yield();  // only while another thread of this process crashes
    slot.taken.store(false);
    slot_ = -1;
}

void ask_for_code(pid_t process, const ch_run_progress& progress, isolate::CodeSamples* out_code) {
    constexpr int patience = 1000;
    const timespec millisecond{0, 1'000'000};
    memset(static_cast<void*>(out_code), 0, sizeof *out_code);
    struct sigaction now{};
    if (process == getpid() && (sigaction(question_signal, nullptr, &now) != 0 || !is_ours(now))) return;
    siginfo_t info{};
    info.si_signo = question_signal;
    info.si_code = SI_QUEUE;
    info.si_pid = getpid();
    info.si_uid = getuid();
    info.si_value.sival_int = question;
    int waited = 0;
    for (uint32_t lane = 0; lane < CH_MAX_SIM_THREADS; ++lane) {
        const int32_t thread = __atomic_load_n(&progress.lanes[lane].thread, __ATOMIC_RELAXED);
        if (thread <= 0 || syscall(SYS_rt_tgsigqueueinfo, process, thread, question_signal, &info) != 0) continue;
        const uint32_t* const taken = &out_code->lanes[lane].taken;
        for (; __atomic_load_n(taken, __ATOMIC_ACQUIRE) == 0 && waited < patience; ++waited) {
            nanosleep(&millisecond, nullptr);
        }
    }
}

}  // namespace chiphost::worker
