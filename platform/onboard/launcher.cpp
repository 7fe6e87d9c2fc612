// SPDX-License-Identifier: Apache-2.0
#include "launcher.h"

#include <stddef.h>
#include <string.h>

#include <algorithm>

#include "graph/core_protocol.h"
#include "program_file.h"
#include "registers.h"
#include "status/report.h"

namespace chiphost::platform {

namespace {

constexpr int32_t look_every_ms = 20;  // whether the caller wants the launch to end
constexpr uint64_t stall_ns = 10'000'000'000;
// The vendor's own AICPU library, which takes ours from memory, loads it, and calls it.
constexpr const char* vendor_library = "libaicpu_extend_kernels.so";
constexpr const char* vendor_operation = "AST_DYN_AICPU";
constexpr const char* first_kernel = "DynTileFwkKernelServerInit";  // loads the library, too
constexpr const char* other_kernel = "DynTileFwkKernelServer";
// The vendor's software looks for these in the two programs.
constexpr const char* aicpu_entries[] = {"DynTileFwkBackendKernelServerInit", "DynTileFwkBackendKernelServer"};
constexpr const char* aicore_entries[] = {"chiphost_core_0_mix_aic", "chiphost_core_0_mix_aiv"};

// The arguments of an AICPU launch, with the names the vendor's runtime wants behind them.
struct NamedArgs {
    AicpuLaunchArgs args;
    char kernel[32];
    char library[32];
};

uint64_t as_address(const void* pointer) {
    return reinterpret_cast<uint64_t>(pointer);
}

}  // namespace

Launcher::~Launcher() {
    if (aicore_handle_) driver_.rtDevBinaryUnRegister(aicore_handle_);
    for (void* stream : {aicpu_stream_, aicore_stream_}) {
        if (stream) driver_.aclrtDestroyStream(stream);
    }
    for (const Memory& memory : {library_, library_args_, bases_, record_memory_, ranges_memory_}) {
        if (memory.address) driver_.aclrtFree(memory.address);
    }
}

bool Launcher::close() {
    ch_error ignored = no_error();
    // A context that cannot be destroyed is lost with the process; there is nobody left to tell.
    if (opened_ && !lost_) static_cast<void>(serve(LaunchVerb::close, other_kernel, &ignored));
    opened_ = false;
    return !lost_;
}

Status Launcher::reserve(uint64_t bytes, Memory* memory, ch_error* out_error) {
    if (bytes <= memory->bytes) return CH_OK;
    if (memory->address) driver_.aclrtFree(memory->address);
    *memory = Memory{};
    const int32_t code = driver_.aclrtMalloc(&memory->address, bytes, acl_malloc_huge_first);
    if (code != 0) {
        memory->address = nullptr;
        return driver_.failed("aclrtMalloc", code, out_error);
    }
    memory->bytes = bytes;
    return CH_OK;
}

Status Launcher::write(const Memory& to, const void* from, uint64_t bytes, ch_error* out_error) {
    const int32_t code = driver_.aclrtMemcpy(to.address, to.bytes, from, bytes, acl_host_to_device);
    return code == 0 ? Status(CH_OK) : driver_.failed("aclrtMemcpy", code, out_error);
}

Status Launcher::open(const ch_device_options& options, ch_error* out_error) {
    for (void** stream : {&aicpu_stream_, &aicore_stream_}) {
        if (const int32_t code = driver_.aclrtCreateStream(stream); code != 0) {
            *stream = nullptr;
            return driver_.failed("aclrtCreateStream", code, out_error);
        }
    }
    record_.format = launch_record_format;
    copy_text(record_.chip, sizeof record_.chip, chip.name);
    record_.stall_ns = stall_ns;
    std::vector<uint64_t> bases(chip.physical_cores);
    CH_TRY(map_registers(driver_, options.device_id, bases.data(), &record_.cross_core, out_error));
    const uint64_t bytes = bases.size() * sizeof(uint64_t);
    CH_TRY(reserve(bytes, &bases_, out_error));
    CH_TRY(write(bases_, bases.data(), bytes, out_error));
    record_.register_bases = as_address(bases_.address);
    CH_TRY(reserve(sizeof record_, &record_memory_, out_error));
    CH_TRY(load_aicore(options, out_error));
    return load_aicpu(options, out_error);
}

Status Launcher::load_aicpu(const ch_device_options& options, ch_error* out_error) {
    std::string program;
    CH_TRY(read_program(options.aicpu.path, "the AICPU program is built where CMake finds a compiler for aarch64",
                        &program, out_error));
    for (const char* entry : aicpu_entries) {
        CH_TRY(check_entry(program, entry, options.aicpu.path, out_error));
    }
    CH_TRY(reserve(program.size(), &library_, out_error));
    CH_TRY(write(library_, program.data(), program.size(), out_error));
    LibraryArgs args{};
    args.data = as_address(library_.address);
    args.bytes = program.size();
    args.device_id = static_cast<uint64_t>(options.device_id);
    CH_TRY(reserve(sizeof args, &library_args_, out_error));
    CH_TRY(write(library_args_, &args, sizeof args, out_error));
    CH_TRY(serve(LaunchVerb::open, first_kernel, out_error));
    if (record_.new_context == 0) {
        return report(out_error, CH_PLATFORM_FAILED, "device",
                      "the AICPU has not run the program %s: it made no context; the vendor's software keeps the first "
                      "AICPU program that a process loads",
                      options.aicpu.path);
    }
    record_.context = record_.new_context;
    opened_ = true;
    return CH_OK;
}

Status Launcher::load_aicore(const ch_device_options& options, ch_error* out_error) {
    CH_TRY(read_program(options.aicore.path, "the AICore program is built where CMake finds the vendor's compiler ccec",
                        &aicore_program_, out_error));
    for (const char* entry : aicore_entries) {
        CH_TRY(check_entry(aicore_program_, entry, options.aicore.path, out_error));
    }
    const VendorBinary binary{vendor_binary_elf, 0, aicore_program_.data(), aicore_program_.size()};
    const int32_t code = driver_.rtRegisterAllKernel(&binary, &aicore_handle_);
    if (code == 0) return CH_OK;
    aicore_handle_ = nullptr;
    return driver_.failed("rtRegisterAllKernel", code, out_error);
}

Status Launcher::start_aicpu(const char* kernel, uint32_t threads, ch_error* out_error) {
    NamedArgs named{};
    named.args.library = as_address(library_args_.address);
    named.args.record = as_address(record_memory_.address);
    copy_text(named.kernel, sizeof named.kernel, kernel);
    copy_text(named.library, sizeof named.library, vendor_library);
    VendorAicpuArgs args{};
    args.args = &named;
    args.args_bytes = sizeof named;
    args.kernel_name_offset = offsetof(NamedArgs, kernel);
    args.library_name_offset = offsetof(NamedArgs, library);
    const int32_t code = driver_.rtAicpuKernelLaunchExWithArgs(vendor_aicpu_kfc, vendor_operation, threads, &args,
                                                               nullptr, aicpu_stream_, 0);
    return code == 0 ? Status(CH_OK) : driver_.failed("rtAicpuKernelLaunchExWithArgs", code, out_error);
}

Status Launcher::start_aicore(uint32_t block_dim, ch_error* out_error) {
    void* record = record_memory_.address;
    VendorCoreArgs args{};
    args.args = &record;
    args.args_bytes = sizeof record;
    VendorTaskConfig config{};
    config.schedule_mode = vendor_schedule_batch;
    const int32_t code =
        driver_.rtKernelLaunchWithHandleV2(aicore_handle_, 0, block_dim, &args, nullptr, aicore_stream_, &config);
    return code == 0 ? Status(CH_OK) : driver_.failed("rtKernelLaunchWithHandleV2", code, out_error);
}

Status Launcher::write_record(ch_error* out_error) {
    record_.arrived = record_.begun = record_.left = 0;
    record_.error = no_error();
    record_.cancel = 0;
    cancelled_ = false;
    return write(record_memory_, &record_, sizeof record_, out_error);
}

// Reads what the AICPU says of the launch.
Status Launcher::read_record(ch_error* out_error) {
    const int32_t code =
        driver_.aclrtMemcpy(&record_, sizeof record_, record_memory_.address, sizeof record_, acl_device_to_host);
    if (code != 0) return driver_.failed("aclrtMemcpy", code, out_error);
    return record_.error.code == CH_OK ? CH_OK : copy_record(record_.error, out_error);
}

// One thread does something that is no launch of a graph.
Status Launcher::serve(LaunchVerb verb, const char* kernel, ch_error* out_error) {
    record_.verb = verb;
    record_.threads = 1;
    CH_TRY(write_record(out_error));
    CH_TRY(start_aicpu(kernel, 1, out_error));
    if (const Status failed = wait(aicpu_stream_, nullptr, out_error); !failed.ok()) {
        lost_ = wait_again(aicpu_stream_) != 0;
        return failed;
    }
    return read_record(out_error);
}

void Launcher::note_released(uint64_t address, uint64_t bytes) {
    const auto inside = [&](const MemoryRange& range) { return range.address - address < bytes; };
    ranges_.erase(std::remove_if(ranges_.begin(), ranges_.end(), inside), ranges_.end());
}

void Launcher::cancel() {
    const uint32_t one = 1;
    char* record = static_cast<char*>(record_memory_.address);
    // Should this fail, the launch goes on and the caller, who has a deadline, gives it up.
    cancelled_ = driver_.aclrtMemcpy(record + offsetof(LaunchRecord, cancel), sizeof one, &one, sizeof one,
                                     acl_host_to_device) == 0;
}

Status Launcher::wait(void* stream, ch_run_progress* progress, ch_error* out_error) {
    for (;;) {
        const int32_t code = driver_.aclrtSynchronizeStreamWithTimeout(stream, look_every_ms);
        if (code == 0) return CH_OK;
        if (code != acl_error_stream_timeout) {
            return driver_.failed("aclrtSynchronizeStreamWithTimeout", code, out_error);
        }
        if (progress && !cancelled_ && __atomic_load_n(&progress->cancel, __ATOMIC_ACQUIRE)) cancel();
    }
}

// Cores whose AICPU has not come, or has gone, wait in the handshake. They are told that the launch is over, word for
// word, as they write to the same line. Others may be in a kernel, or wait for a register that only an AICPU can write.
void Launcher::release_cores(const LaunchOptions& options) {
    ch_launch launch{};
    void* from = reinterpret_cast<void*>(options.launch);
    if (driver_.aclrtMemcpy(&launch, sizeof launch, from, sizeof launch, acl_device_to_host) != 0) return;
    const auto set = [&](uint32_t core, size_t offset, uint32_t value) {
        void* to = reinterpret_cast<char*>(launch.handshakes) + core * sizeof(core_protocol::Handshake) + offset;
        return driver_.aclrtMemcpy(to, sizeof value, &value, sizeof value, acl_host_to_device) == 0;
    };
    for (uint32_t core = 0; core < launch.block_dim * 3; ++core) {
        if (!set(core, offsetof(core_protocol::Handshake, aicpu_regs_ready), core_protocol::launch_over) ||
            !set(core, offsetof(core_protocol::Handshake, aicpu_ready), 1)) {
            return;
        }
    }
}

// After a failure of a stream: an AICPU that runs nevertheless ends its cores on request, those without one are
// released here. Neither is so if the device cannot be asked any more.
void Launcher::end_cores(const LaunchOptions& options) {
    cancel();
    int32_t code = wait_again(aicore_stream_);
    if (code == acl_error_stream_timeout) {
        release_cores(options);
        code = wait_again(aicore_stream_);
    }
    // A stream that has failed may say so again. One that is busy has a program that runs.
    lost_ = code != 0 || wait_again(aicpu_stream_) == acl_error_stream_timeout;
}

Status Launcher::launch(const LaunchOptions& options, ch_error* out_error) {
    const uint64_t bytes = ranges_.size() * sizeof(MemoryRange);
    CH_TRY(reserve(bytes, &ranges_memory_, out_error));
    if (bytes != 0) {
        CH_TRY(write(ranges_memory_, ranges_.data(), bytes, out_error));
    }
    record_.verb = LaunchVerb::run;
    record_.launch = options.launch;
    record_.threads = options.aicpu_threads;
    record_.ranges = as_address(ranges_memory_.address);
    record_.range_count = static_cast<uint32_t>(ranges_.size());
    CH_TRY(write_record(out_error));
    // The cores first: the runtime loads their program at the first launch, and the AICPU would wait for it.
    CH_TRY(start_aicore(options.block_dim, out_error));
    if (const Status failed = start_aicpu(other_kernel, chip.aicpu_threads_launched, out_error); !failed.ok()) {
        end_cores(options);
        return failed;
    }
    ranges_.clear();  // only now: without the AICPU nobody has looked at them
    if (const Status failed = wait(aicpu_stream_, options.progress, out_error); !failed.ok()) {
        end_cores(options);
        return failed;
    }
    // The AICPU is through: a core that failed is, too, and the others have been told to exit.
    if (const Status failed = wait(aicore_stream_, options.progress, out_error); !failed.ok()) {
        end_cores(options);
        return failed;
    }
    return read_record(out_error);
}

}  // namespace chiphost::platform
