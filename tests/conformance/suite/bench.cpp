// SPDX-License-Identifier: Apache-2.0
#include "bench.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <algorithm>
#include <fstream>
#include <iterator>

#include "chiphost/hand_over.h"
#include "graph/core_protocol.h"
#include "status/report.h"

namespace chiphost::conformance {

namespace {

std::string describe(int32_t code, const ch_error& error) {
    return std::string(code_name(code)) + ": " + error.where + ": " + error.message;
}

void check_record(int32_t code, const ch_error& error, const char* call) {
    check(error.code == code, "%s returned %s, and the error record says %s", call, code_name(code),
          code_name(error.code));
    check(error.message[0] != '\0', "%s returned %s, and the error record has no message", call, code_name(code));
}

// Device memory of zeros that is freed at the end. (Not from allocate_zeroed: that has tests of its own.)
class Memory {
public:
    Memory(const OpenDevice& device, uint64_t bytes) : device_(device), address_(device.allocate(bytes)) {
        device.fill(address_, bytes, 0);
    }
    ~Memory() { device_.release(address_); }
    Memory(const Memory&) = delete;
    Memory& operator=(const Memory&) = delete;
    uint64_t address() const { return address_; }

private:
    const OpenDevice& device_;
    const uint64_t address_;
};

// Sets the flag after a while. When exactly does not matter: it is legal before, during and after a launch.
struct Canceller {
    ch_run_progress* progress;
    uint64_t after_ns;
    uint64_t cancelled_at_ns;
};
int32_t cancel_later(void* argument, const void*, void*) {
    auto& self = *static_cast<Canceller*>(argument);
    const timespec pause{0, static_cast<long>(self.after_ns)};
    nanosleep(&pause, nullptr);
    self.cancelled_at_ns = ch_monotonic_ns();
    __atomic_store_n(&self.progress->cancel, 1, __ATOMIC_RELEASE);
    return CH_OK;
}

}  // namespace

void check(bool holds, const char* format, ...) {
    if (holds) return;
    char text[1024];
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    throw Failed{text};
}

void succeed(int32_t code, const ch_error& error, const char* call) {
    if (code == CH_OK) return;
    check_record(code, error, call);
    if (code == CH_UNIMPLEMENTED) throw Unsupported{describe(code, error)};
    throw Failed{std::string(call) + " failed: " + describe(code, error)};
}

void fail_with(std::initializer_list<ch_code> wanted, int32_t code, const ch_error& error, const char* call) {
    check(code != CH_OK, "%s succeeded; wanted %s", call, code_name(*wanted.begin()));
    check_record(code, error, call);
    if (code == CH_UNIMPLEMENTED) throw Unsupported{describe(code, error)};
    check(std::find(wanted.begin(), wanted.end(), code) != wanted.end(), "%s: wanted %s; found %s", call,
          code_name(*wanted.begin()), describe(code, error).c_str());
}

File::File(const std::string& folder, const std::string& file) : name(file), key("conformance-" + file) {
    std::ifstream stream(folder + "/" + file + ".so", std::ios::binary);
    if (!stream) throw Unsupported{"the platform's build makes no " + file + ".so in " + folder};
    bytes.assign(std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>());
}

OpenDevice::OpenDevice(const ch_device_options& options) {
    ch_error error = no_error();
    succeed(platform::open_device(options, &device_, &error), error, "open_device");
    check(device_ != nullptr, "open_device succeeded and made no device");
}

void OpenDevice::close() {
    if (device_) platform::close_device(device_);
    device_ = nullptr;
}

uint64_t OpenDevice::allocate(uint64_t bytes) const {
    uint64_t address = 0;
    ch_error error = no_error();
    succeed(platform::allocate(device_, bytes, &address, &error), error, "allocate");
    return address;
}

uint64_t OpenDevice::allocate_zeroed(uint64_t bytes) const {
    uint64_t address = 0;
    ch_error error = no_error();
    succeed(platform::allocate_zeroed(device_, bytes, &address, &error), error, "allocate_zeroed");
    return address;
}

void OpenDevice::write(uint64_t to, const void* from, uint64_t bytes) const {
    ch_error error = no_error();
    succeed(platform::copy_to_device(device_, to, from, bytes, &error), error, "copy_to_device");
}

void OpenDevice::read(void* to, uint64_t from, uint64_t bytes) const {
    ch_error error = no_error();
    succeed(platform::copy_from_device(device_, to, from, bytes, &error), error, "copy_from_device");
}

std::vector<unsigned char> OpenDevice::read(uint64_t from, uint64_t bytes) const {
    std::vector<unsigned char> result(bytes);
    read(result.data(), from, bytes);
    return result;
}

void OpenDevice::fill(uint64_t to, uint64_t bytes, unsigned char with) const {
    const std::vector<unsigned char> content(bytes, with);
    write(to, content.data(), bytes);
}

LoadedKernel OpenDevice::load(const File& kernel, ch_core_type core_type) const {
    LoadedKernel loaded;
    ch_error error = no_error();
    succeed(platform::load_kernel(device_, {0, static_cast<uint32_t>(core_type), kernel.binary()}, &loaded, &error),
            error, "load_kernel");
    return loaded;
}

ch_run_progress no_progress() {
    ch_run_progress progress{};
    for (auto& lane : progress.lanes) lane.task = -1;
    return progress;
}

void check_launch(const OpenDevice& device, const Plan& plan) {
    ch_run_progress progress = no_progress();
    const platform::LaunchOptions options{0,         plan.block_dim, plan.aicpu_threads, plan.sim_threads,
                                          plan.seed, &progress,      plan.trace};
    ch_error error = no_error();
    succeed(platform::check_launch(device.get(), options, &error), error, "check_launch");
}

Launched try_launch(const OpenDevice& device, const Plan& plan) {
    check_launch(device, plan);
    const uint32_t cores = plan.block_dim * 3;
    const uint64_t handshake_bytes = cores * sizeof(core_protocol::Handshake);
    const Memory script(device, sizeof(Script));
    const Memory record(device, sizeof(ch_launch));
    const Memory status(device, sizeof(ch_launch_status));
    const Memory handshakes(device, handshake_bytes);
    const Memory payloads(device, 2 * cores * sizeof(core_protocol::Payload));
    const Memory kernels(device, cores * sizeof(KernelRecord));
    const Memory table(device, sizeof(uint64_t));
    const Memory marks(device, sizeof Launched::close_marks);
    const Memory hand_over(device, plan.kernel.hands_over ? plan.block_dim * sizeof(HandOverArea) : 1);
    std::vector<std::unique_ptr<Memory>> libraries;

    Launched result;
    Script& wanted = result.script;
    wanted.work = plan.work;
    wanted.rounds = plan.rounds;
    wanted.records = kernels.address();
    wanted.close_marks = marks.address();
    wanted.memory = plan.memory;
    wanted.memory_bytes = plan.memory_bytes;
    wanted.abandoned_stack = plan.abandoned_stack;
    copy_text(wanted.library_name, sizeof wanted.library_name, plan.library_name);
    copy_text(wanted.temp_folder, sizeof wanted.temp_folder, plan.temp_folder);
    for (const File* file : plan.libraries) {
        libraries.push_back(std::make_unique<Memory>(device, file->bytes.size()));
        device.write(libraries.back()->address(), file->bytes.data(), file->bytes.size());
        wanted.libraries[wanted.library_count] = libraries.back()->address();
        wanted.library_bytes[wanted.library_count++] = file->bytes.size();
    }
    device.write(script.address(), &wanted, sizeof wanted);
    device.write(table.address(), &plan.kernel.address, sizeof plan.kernel.address);
    result.status.error = no_error();
    device.write(status.address(), &result.status, sizeof result.status);
    ch_launch launch{};
    launch.format = CH_LAUNCH_FORMAT;
    launch.block_dim = plan.block_dim;
    launch.aicpu_thread_count = plan.aicpu_threads;
    launch.kernel_count = 1;
    launch.graph = script.address();
    launch.kernels = table.address();
    launch.handshakes = handshakes.address();
    launch.payloads = payloads.address();
    launch.status = status.address();
    launch.hand_over = plan.kernel.hands_over ? hand_over.address() : 0;
    device.write(record.address(), &launch, sizeof launch);

    ch_run_progress progress = no_progress();
    const platform::LaunchOptions options{record.address(), plan.block_dim, plan.aicpu_threads,
                                          plan.sim_threads, plan.seed,      plan.progress ? plan.progress : &progress,
                                          plan.trace};
    result.error = no_error();
    result.code = platform::launch(device.get(), options, &result.error);
    if (result.code != CH_OK) check_record(result.code, result.error, "launch");
    if (result.code == CH_UNIMPLEMENTED) {
        check(!plan.trace, "launch has no trace, and check_launch did not say so");
        throw Unsupported{describe(result.code, result.error)};
    }
    device.read(&result.script, script.address(), sizeof result.script);
    device.read(&result.status, status.address(), sizeof result.status);
    device.read(&result.close_marks, marks.address(), sizeof result.close_marks);
    result.kernels.resize(cores);
    device.read(result.kernels.data(), kernels.address(), cores * sizeof(KernelRecord));
    return result;
}

Launched launch(const OpenDevice& device, const Plan& plan) {
    Launched result = try_launch(device, plan);
    succeed(result.code, result.error, "launch");
    for (uint32_t thread = 0; thread < plan.aicpu_threads; ++thread) {
        check(result.script.threads[thread].begun != 0, "AICPU thread %u of %u was never stepped", thread,
              plan.aicpu_threads);
        check(result.script.threads[thread].done != 0, "launch returned before AICPU thread %u of %u was done", thread,
              plan.aicpu_threads);
    }
    check(result.script.begun == 1 && result.script.ended == 1,
          "the AICPU program's begin was called %u times and its end %u times in one launch", result.script.begun,
          result.script.ended);
    return result;
}

void check_dispatches(const Plan& plan, const Launched& launched, uint64_t answer) {
    for (uint32_t core = 0; core < plan.block_dim * 3; ++core) {
        const KernelRecord& kernel = launched.kernels[core];
        const CoreRecord& seen = launched.script.cores[core];
        check(kernel.calls == plan.rounds, "core %u called the kernel %llu times; wanted %u", core,
              static_cast<unsigned long long>(kernel.calls), plan.rounds);
        check(kernel.answer == answer, "core %u called another kernel: it answers %llu; wanted %llu", core,
              static_cast<unsigned long long>(kernel.answer), static_cast<unsigned long long>(answer));
        check(kernel.out_of_order == 0, "core %u ran %llu dispatches out of order", core,
              static_cast<unsigned long long>(kernel.out_of_order));
        check(kernel.bad_args == 0, "the kernel on core %u found %llu arguments that are not those of its dispatch",
              core, static_cast<unsigned long long>(kernel.bad_args));
        check(seen.finished == plan.rounds, "the AICPU saw %u of %u dispatches of core %u finish", seen.finished,
              plan.rounds, core);
        check(seen.surprises == 0, "COND of core %u had %u values out of order; the last is 0x%x", core, seen.surprises,
              seen.surprise);
    }
}

Launched cut_off(const Bench& bench, const OpenDevice& device, Plan plan, std::initializer_list<ch_code> wanted,
                 uint64_t after_ns) {
    for (int attempt = 1;; ++attempt) {
        ch_run_progress progress = no_progress();
        plan.progress = &progress;
        Canceller canceller{&progress, after_ns, 0};
        Bench::Meanwhile meanwhile(bench, cancel_later, &canceller);
        Launched launched = try_launch(device, plan);
        const uint64_t ended = ch_monotonic_ns();
        meanwhile.wait();
        fail_with(wanted, launched.code, launched.error, "a launch that was cancelled");
        const int64_t late = static_cast<int64_t>(ended - canceller.cancelled_at_ns);
        if (late < static_cast<int64_t>(end_ns_max)) return launched;
        check(attempt < end_attempts_max, "a launch ended %lld ms after the cancel; wanted at most %llu",
              static_cast<long long>(late) / static_cast<long long>(ms),
              static_cast<unsigned long long>(end_ns_max / ms));
    }
}

Launched cut_off_where(const Bench& bench, const OpenDevice& device, const Plan& plan,
                       bool (*there)(const Script& script), const char* where) {
    for (uint64_t after_ns = 5 * ms; after_ns < 1000 * ms; after_ns *= 2) {
        Launched launched = cut_off(bench, device, plan, {CH_DEADLINE_EXCEEDED}, after_ns);
        if (there(launched.script)) return launched;
    }
    throw Failed{std::string("within a second a launch has not come to ") + where};
}

ch_anchor_counts Bench::counts() const {
    ch_anchor_counts counts{};
    options_.anchor->count(options_.anchor_state, nullptr, &counts);
    return counts;
}

Bench::Meanwhile::Meanwhile(const Bench& bench, ch_call call, void* argument) : options_(bench.options()) {
    options_.anchor->lease_thread(options_.anchor_state, nullptr, &thread_);
    check(thread_ != nullptr, "the system refuses a thread");
    ch_mailbox_post(thread_, call, argument, nullptr, nullptr);
}

void Bench::Meanwhile::wait() {
    if (!thread_) return;
    int32_t code = CH_OK;
    ch_mailbox_wait(thread_, CH_MAILBOX_FOR_EVER, &code);
    options_.anchor->return_thread(options_.anchor_state, thread_, nullptr);
    thread_ = nullptr;
}

}  // namespace chiphost::conformance
