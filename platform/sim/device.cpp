// SPDX-License-Identifier: Apache-2.0
//
// The simulated device: this process's memory, and an engine that steps the programs.
#include "chiphost/platform/device.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

#include <memory>
#include <new>
#include <string>
#include <unordered_map>
#include <utility>

#include "chiphost/require.h"
#include "engine.h"
#include "os/stack_size.h"
#include "os/thread_clock.h"
#include "sim_port.h"
#include "status/report.h"

namespace chiphost::platform {

namespace {

constexpr uint64_t alignment = 64;
constexpr uint64_t map_from_bytes = 64 << 10;  // zeroed memory of this size and above is mapped, not written
constexpr uint32_t let_down_max = 1 << 12;     // times that a kernel's wait throws before the kernel is given up

// What a kernel's wait throws when the launch is over. No std::exception, so that a handler of those does not end it.
class LaunchOver {};

// Memory that grows to the largest size asked for.
class Scratch {
public:
    Scratch() = default;
    ~Scratch() { free(memory_); }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;

    // Undefined content. Throws std::bad_alloc.
    char* at_least(uint64_t bytes) {
        if (bytes > bytes_) {
            free(memory_);
            bytes_ = (bytes + alignment - 1) / alignment * alignment;
            memory_ = static_cast<char*>(aligned_alloc(alignment, bytes_));
            if (!memory_) {
                bytes_ = 0;
                throw std::bad_alloc();
            }
        }
        return memory_;
    }

private:
    char* memory_ = nullptr;
    uint64_t bytes_ = 0;
};

}  // namespace

class Device {
public:
    explicit Device(const ch_device_options& options)
        : anchor_(options.anchor),
          anchor_state_(options.anchor_state),
          temp_folder_(options.temp_folder),
          memory_limit_(options.device_memory_bytes ? options.device_memory_bytes : chip.memory_bytes),
          fork_mark_(ch_anchor_fork_mark(anchor_, anchor_state_)),
          keeper_{this, os::thread_clock_ns, orchestration_loaded, orchestration_closing, orchestration_opened},
          stack_bytes_(os::stack_bytes_for(options.stack_bytes)),
          registers_(chip.physical_cores * register_count) {
        anchor_->loader_gate(anchor_state_, nullptr, &loader_gate_);
    }
    ~Device();

    Status load_programs(const ch_device_options& options, ch_error* out_error);
    int32_t allocate(uint64_t bytes, bool zeroed, uint64_t* out_address, ch_error* out_error);
    void release(uint64_t address);
    int32_t load_kernel(const ch_kernel& kernel, LoadedKernel* out_kernel, ch_error* out_error);
    void unload(void* library) { anchor_->close_library(anchor_state_, library, nullptr); }
    int32_t launch(const LaunchOptions& options, ch_error* out_error);

private:
    struct Allocation {
        uint64_t bytes;
        bool mapped;
    };
    // What may pause: the orchestration, and kernels that hand tiles over, one for each core.
    struct Pausable {
        FiberStack stack;
        Fiber fiber;
    };

    // What a core's kernels find besides device memory.
    struct Memories {
        CoreMemory own;
        SharedMemory alone;    // of tasks that have this core only
        SharedMemory cluster;  // on the AIC: of tasks that have its cluster

        // `aic` is those of the cluster's AIC.
        void begin_run(CoreServices* services, Memories* aic) {
            own.begin_run();
            alone.begin_run();
            cluster.begin_run();
            services->own = &own;
            services->alone = &alone;
            services->cluster = &aic->cluster;
        }
    };

    Status load_program(const ch_program_file& file, ch_library** out_library, ch_error* out_error);
    Status find_symbol(ch_library* library, const char* symbol, const char* path, void** out_address,
                       ch_error* out_error);
    Status lend_helpers(uint32_t count, ch_error* out_error);
    Status make_fibers(uint32_t cores, ch_error* out_error);
    void end_launch(ch_error* inout_left_behind);
    void end_kernels(ch_error* inout_left_behind);
    void end_orchestration(ch_error* inout_left_behind);
    void leave_behind(std::unique_ptr<Pausable>* pausable);
    static void give_up(const KernelServices* services);
    static void orchestration_loaded(void* device, void* library, uint64_t loaded_at_ns);
    static void orchestration_closing(void* device, void* library);
    static void orchestration_opened(void* device, void* library);
    void keep_if_running(const ch_keep_request& orchestration);
    static void free_memory(uint64_t address, const Allocation& allocation);
    Status run(Engine& engine, const LaunchOptions& options, ch_error* out_error);

    const ch_anchor* const anchor_;
    void* const anchor_state_;
    ch_loader_gate* loader_gate_ = nullptr;
    const std::string temp_folder_;
    const uint64_t memory_limit_;
    const ch_fork_mark* const fork_mark_;
    const OrchestrationKeeper keeper_;
    std::vector<ch_keep_request> orchestrations_;  // that the AICPU program has loaded
    const uint64_t stack_bytes_;                   // of fibers and helpers
    uint64_t memory_used_ = 0;
    std::unordered_map<uint64_t, Allocation> allocations_;  // by address
    ch_library* aicpu_library_ = nullptr;
    ch_library* aicore_library_ = nullptr;
    const ch_aicpu_program* aicpu_program_ = nullptr;
    const ch_aicore_program* aicore_program_ = nullptr;
    std::vector<SimRegisters::Cell> registers_;
    Scratch aicpu_context_;
    bool aicpu_created_ = false;
    bool kernels_pause_ = false;  // one was loaded that does
    std::unique_ptr<Pausable> orchestration_;
    std::vector<std::unique_ptr<Pausable>> kernel_fibers_;
    Scratch core_contexts_;
    std::vector<AicorePort> core_ports_;
    std::vector<std::unique_ptr<Memories>> memories_;  // by core
    uint32_t left_behind_ = 0;                         // stacks of what did not return
    std::vector<ch_mailbox*> helpers_;                 // lent for as long as the device is open
    uint8_t core_of_physical_[Processors::max_cores] = {};
};

Device::~Device() {
    if (aicpu_created_) {
        for (const ch_keep_request& orchestration : orchestrations_) keep_if_running(orchestration);
        ch_loader_gate_enter(loader_gate_);  // for the orchestrations that it unloads
        aicpu_program_->destroy(aicpu_context_.at_least(0));
        ch_loader_gate_leave(loader_gate_);
    }
    for (const auto& [address, allocation] : allocations_) free_memory(address, allocation);
    for (ch_mailbox* helper : helpers_) {
        helper->same_user = 0;
        ch_anchor_counts ignored;
        ch_mailbox_call(helper, anchor_->count, anchor_state_, nullptr, &ignored);  // puts its state back, all of it
    }
    for (ch_mailbox* helper : helpers_) anchor_->return_thread(anchor_state_, helper, nullptr);
    if (aicpu_library_) unload(aicpu_library_);
    if (aicore_library_) unload(aicore_library_);
}

// On the stack of a processor, which no exception may leave.
void Device::orchestration_loaded(void* device, void* library, uint64_t loaded_at_ns) {
    try {
        static_cast<Device*>(device)->orchestrations_.push_back({library, loaded_at_ns});
    } catch (const std::bad_alloc&) {
    }
}

void Device::orchestration_closing(void* device, void* library) {
    auto& self = *static_cast<Device*>(device);
    for (auto& orchestration : self.orchestrations_) {
        if (orchestration.handle != library) continue;
        self.keep_if_running(orchestration);
        orchestration = self.orchestrations_.back();
        self.orchestrations_.pop_back();
        return;
    }
}

void Device::orchestration_opened(void* device, void* library) {
    const auto& self = *static_cast<Device*>(device);
    self.anchor_->adopt(self.anchor_state_, library, nullptr);
}

void Device::keep_if_running(const ch_keep_request& orchestration) {
    uint32_t kept = 0;
    anchor_->keep_if_running(anchor_state_, &orchestration, &kept);
}

Status Device::load_program(const ch_program_file& file, ch_library** out_library, ch_error* out_error) {
    ch_open_request request{};
    request.binary.key = file.key;
    request.binary.name = file.path;
    request.out_library = out_library;
    return anchor_->open_library(anchor_state_, &request, out_error);
}

// nullptr if the library does not define it.
Status Device::find_symbol(ch_library* library, const char* symbol, const char* path, void** out_address,
                           ch_error* out_error) {
    *out_address = nullptr;
    const ch_symbol_request request{library, symbol, out_address};
    if (anchor_->find_symbol(anchor_state_, &request, nullptr) == CH_OK) return CH_OK;
    return report(out_error, CH_HOST_MEMORY_EXHAUSTED, path, "out of memory while looking for %s", symbol);
}

Status Device::load_programs(const ch_device_options& options, ch_error* out_error) {
    const auto find = [&](ch_library* library, const char* symbol, const char* path, void** out_entry) -> int32_t {
        CH_TRY(find_symbol(library, symbol, path, out_entry, out_error));
        return *out_entry ? CH_OK : report(out_error, CH_ENTRY_MISSING, path, "wanted the function %s", symbol);
    };
    void* entry = nullptr;
    CH_TRY(load_program(options.aicpu, &aicpu_library_, out_error));
    CH_TRY(find(aicpu_library_, CH_AICPU_PROGRAM_ENTRY, options.aicpu.path, &entry));
    aicpu_program_ = reinterpret_cast<ch_aicpu_program_entry>(entry)();
    CH_TRY(check_header(aicpu_program_->header,
                        {CH_ABI_AICPU_PROGRAM, CH_DEVICE_PROGRAM_MAJOR, CH_DEVICE_PROGRAM_MINOR,
                         sizeof(ch_aicpu_program), platform_name},
                        options.aicpu.path, out_error));
    CH_TRY(load_program(options.aicore, &aicore_library_, out_error));
    CH_TRY(find(aicore_library_, CH_AICORE_PROGRAM_ENTRY, options.aicore.path, &entry));
    aicore_program_ = reinterpret_cast<ch_aicore_program_entry>(entry)();
    return check_header(aicore_program_->header,
                        {CH_ABI_AICORE_PROGRAM, CH_DEVICE_PROGRAM_MAJOR, CH_DEVICE_PROGRAM_MINOR,
                         sizeof(ch_aicore_program), platform_name},
                        options.aicore.path, out_error);
}

int32_t Device::allocate(uint64_t bytes, bool zeroed, uint64_t* out_address, ch_error* out_error) {
    const uint64_t room = memory_limit_ - memory_used_;
    const uint64_t wanted = bytes ? bytes : 1;
    const bool mapped = zeroed && wanted >= map_from_bytes;
    void* memory = nullptr;
    if (wanted <= room && mapped) {
        memory = mmap(nullptr, wanted, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED) memory = nullptr;
    } else if (wanted <= room) {
        memory = aligned_alloc(alignment, (wanted + alignment - 1) / alignment * alignment);
        // Undefined content is not what the last run left there: results that nobody wrote must not look right.
        if (memory) memset(memory, zeroed ? 0 : undefined_byte, wanted);
    }
    if (!memory) {
        return report(out_error, CH_DEVICE_MEMORY_EXHAUSTED, "device memory",
                      "wanted %llu bytes, %llu of %llu bytes are free%s", static_cast<unsigned long long>(wanted),
                      static_cast<unsigned long long>(room), static_cast<unsigned long long>(memory_limit_),
                      wanted <= room ? ", but the host has no memory to simulate them" : "");
    }
    *out_address = reinterpret_cast<uint64_t>(memory);
    const Allocation allocation{wanted, mapped};
    try {
        allocations_[*out_address] = allocation;
    } catch (...) {
        free_memory(std::exchange(*out_address, 0), allocation);
        throw;
    }
    memory_used_ += wanted;
    return CH_OK;
}

void Device::free_memory(uint64_t address, const Allocation& allocation) {
    if (allocation.mapped) {
        munmap(reinterpret_cast<void*>(address), allocation.bytes);
    } else {
        free(reinterpret_cast<void*>(address));
    }
}

void Device::release(uint64_t address) {
    const auto found = allocations_.find(address);
    if (found == allocations_.end()) return;
    memory_used_ -= found->second.bytes;
    free_memory(address, found->second);
    allocations_.erase(found);
}

int32_t Device::load_kernel(const ch_kernel& kernel, LoadedKernel* out_kernel, ch_error* out_error) {
    ch_library* library = nullptr;
    ch_open_request request{};
    request.binary = kernel.binary;
    request.out_library = &library;
    CH_TRY(anchor_->open_library(anchor_state_, &request, out_error));
    void* entry = nullptr;
    void* mark = nullptr;
    const char* const name = kernel.binary.name;
    int32_t code = find_symbol(library, "kernel_entry", name, &entry, out_error);
    if (code == CH_OK && !entry) {
        code = report(out_error, CH_ENTRY_MISSING, name, "wanted the function kernel_entry in the kernel of func_id %u",
                      kernel.func_id);
    }
    if (code == CH_OK) code = find_symbol(library, "chiphost_kernel_hands_over", name, &mark, out_error);
    if (code != CH_OK) {
        unload(library);
        return code;
    }
    if (mark) kernels_pause_ = true;
    *out_kernel =
        LoadedKernel{reinterpret_cast<uint64_t>(entry) | (mark ? kernel_pauses_bit : 0), library, mark != nullptr};
    return CH_OK;
}

constexpr KernelServices core_services = {
    [](const KernelServices* services) {
        Fiber* const fiber = static_cast<const CoreServices*>(services)->fiber;
        require(fiber,
                "this kernel waits for another core, but its library does not export chiphost_kernel_hands_over");
        fiber->pause();
    },
    [](const KernelServices* services) {
        const auto& self = *static_cast<const CoreServices*>(services);
        self.hooks->handed_over(self.hooks->engine, self.core);
    },
    [](const KernelServices* services, LocalMemory which, uint64_t* out_bytes) {
        return static_cast<const CoreServices*>(services)->own->at(which, out_bytes);
    },
    [](const KernelServices* services, const char* name, uint64_t bytes) {
        const auto& self = *static_cast<const CoreServices*>(services);
        const KernelContext& context = self.payload->context;
        const bool has_cluster = (self.payload->cores & (self.payload->cores - 1)) != 0;
        SharedMemory& shared = has_cluster ? *self.cluster : *self.alone;
        return shared.at(context.task, context.block_idx, name, bytes);
    },
};

// A kernel that waits is let down: the launch is over. One that waits again and again is not resumed any more.
void Device::give_up(const KernelServices* services) {
    const auto& self = *static_cast<const CoreServices*>(services);
    if (++self.let_down > let_down_max) self.fiber->pause();
    throw LaunchOver();
}

Status Device::make_fibers(uint32_t cores, ch_error* out_error) {
    if (!orchestration_) {
        auto made = std::make_unique<Pausable>();
        if (!made->stack.make(stack_bytes_)) {
            return report(out_error, CH_HOST_MEMORY_EXHAUSTED, "device", "no memory for the orchestration's stack");
        }
        orchestration_ = std::move(made);
    }
    if (kernels_pause_ && kernel_fibers_.size() < cores) kernel_fibers_.resize(cores);
    for (uint32_t core = 0; kernels_pause_ && core < cores; ++core) {
        if (kernel_fibers_[core]) continue;
        auto made = std::make_unique<Pausable>();
        if (!made->stack.make(stack_bytes_)) {
            return report(out_error, CH_HOST_MEMORY_EXHAUSTED, "device", "no memory for the stack of core %u", core);
        }
        kernel_fibers_[core] = std::move(made);
    }
    return CH_OK;
}

// What does not return although it was told to is never resumed. Its stack stays as it is, for good: nothing on it is
// destroyed, so nobody may use that memory again.
void Device::leave_behind(std::unique_ptr<Pausable>* pausable) {
#ifdef __SANITIZE_ADDRESS__
    __lsan_register_root_region((*pausable)->stack.base(), (*pausable)->stack.bytes());
#endif
    (void)pausable->release();
    ++left_behind_;
}

// Kernels that were waiting when the launch was cut off must return before their stacks are used again.
void Device::end_kernels(ch_error* inout_left_behind) {
    for (AicorePort& port : core_ports_) {
        if (!port.services.fiber || !port.services.fiber->begun()) continue;
        port.services.pause = give_up;
        port.enter(*port.paused);
        const bool returned = port.services.fiber->resume(*port.stack, nullptr, nullptr);
        port.leave();
        if (returned) continue;
        leave_behind(&kernel_fibers_[port.core]);
        append(inout_left_behind,
               "; kernel %u of task %lld on core %u did not return when its wait failed %u times, and was left behind "
               "with its stack (%u of this worker)",
               port.paused->func_id, static_cast<long long>(port.paused->context.task), port.core, let_down_max,
               left_behind_);
    }
}

// The AICPU program has done what it can to make the orchestration return.
void Device::end_orchestration(ch_error* inout_left_behind) {
    if (!orchestration_->fiber.begun()) return;
    leave_behind(&orchestration_);
    append(inout_left_behind,
           "; the orchestration did not return although its calls said again and again that the run is over, and was "
           "left behind with its stack (%u of this worker)",
           left_behind_);
}

// Nothing may refer to the launch any more afterwards.
void Device::end_launch(ch_error* inout_left_behind) {
    aicpu_program_->end(aicpu_context_.at_least(0));
    end_orchestration(inout_left_behind);
    end_kernels(inout_left_behind);
}

Status Device::lend_helpers(uint32_t count, ch_error* out_error) {
    helpers_.reserve(count);  // before one is lent that would be lost
    while (helpers_.size() < count) {
        ch_mailbox* helper = nullptr;
        if (const Status failed = anchor_->lease_thread(anchor_state_, &stack_bytes_, &helper); !failed.ok()) {
            return report(out_error, static_cast<ch_code>(failed.code()), "sim_threads",
                          "the system refuses thread %zu of %u helpers", helpers_.size() + 1, count);
        }
        helper->same_user = 1;  // until the device is closed
        helpers_.push_back(helper);
    }
    return CH_OK;
}

int32_t Device::launch(const LaunchOptions& options, ch_error* out_error) {
    if (options.sim_threads <= 1) {
        SequentialEngine engine(options.seed, options.progress, options.out_trace);
        return run(engine, options, out_error);
    }
    CH_TRY(lend_helpers(options.sim_threads - 1, out_error));
    const std::vector<ch_mailbox*> helpers(helpers_.begin(), helpers_.begin() + options.sim_threads - 1);
    ParallelEngine engine(helpers, options.progress);
    return run(engine, options, out_error);
}

Status Device::run(Engine& engine, const LaunchOptions& options, ch_error* out_error) {
    const auto& launch = *reinterpret_cast<const ch_launch*>(options.launch);
    const uint32_t cores = options.block_dim * 3;
    CH_TRY(make_fibers(cores, out_error));
    const SimRegisters registers{registers_.data()};

    AicpuPort aicpu_ports[Processors::max_aicpu_threads];
    void* aicpu_port_addresses[Processors::max_aicpu_threads];
    for (uint32_t thread = 0; thread < options.aicpu_threads; ++thread) {
        const uint64_t random = options.seed == 0 ? 0 : ~options.seed * 2 + 1;
        aicpu_ports[thread] = {registers,
                               engine.hooks(),
                               core_of_physical_,
                               thread,
                               random,
                               &orchestration_->fiber,
                               &orchestration_->stack,
                               temp_folder_.c_str(),
                               options.progress,
                               loader_gate_,
                               &keeper_};
        aicpu_port_addresses[thread] = &aicpu_ports[thread];
    }
    core_ports_.resize(cores);
    while (memories_.size() < cores) memories_.push_back(std::make_unique<Memories>());
    const uint64_t core_bytes = (aicore_program_->context_bytes() + alignment - 1) / alignment * alignment;
    char* core_contexts = core_contexts_.at_least(core_bytes * cores);
    for (uint32_t core = 0; core < cores; ++core) {
        const uint32_t physical = sim_physical_core(core);
        core_of_physical_[physical] = static_cast<uint8_t>(core);
        const uint64_t random = options.seed == 0 ? 0 : (options.seed + core) * 2 + 1;
        AicorePort& port = core_ports_[core];
        port = {registers, engine.hooks(), core, physical, random, 0, options.progress, nullptr, {}, nullptr};
        static_cast<KernelServices&>(port.services) = core_services;
        port.services.hooks = engine.hooks();
        port.services.core = core;
        memories_[core]->begin_run(&port.services, memories_[core_protocol::cluster_of(core, options.block_dim)].get());
        if (core < kernel_fibers_.size() && kernel_fibers_[core]) {
            port.services.fiber = &kernel_fibers_[core]->fiber;
            port.stack = &kernel_fibers_[core]->stack;
        }
        // The previous launch may have been cut off: no register may speak of it.
        registers.at(physical, Register::data_main_base)
            .store(core_protocol::main_base_idle, std::memory_order_relaxed);
        registers.at(physical, Register::cond).store(0, std::memory_order_relaxed);
        aicore_program_->init(core_contexts + core * core_bytes, &launch, core,
                              core < options.block_dim ? CH_AIC : CH_AIV, &core_ports_[core]);
    }
    char* aicpu_context = aicpu_context_.at_least(aicpu_program_->context_bytes());
    if (!aicpu_created_) aicpu_program_->create(aicpu_context);
    aicpu_created_ = true;
    aicpu_program_->begin(aicpu_context, &launch, aicpu_port_addresses);
    // Also when the engine throws, for want of memory: nobody may go on on the fibers of a launch that is over.
    struct EndOfLaunch {
        Device& device;
        ch_error left_behind = no_error();  // its message says what was
        bool ended = false;
        explicit EndOfLaunch(Device& of) : device(of) {}
        void end() {
            if (ended) return;
            ended = true;
            device.end_launch(&left_behind);
        }
        ~EndOfLaunch() { end(); }
    } end_of_launch(*this);

    const Processors processors{aicpu_program_,     aicpu_context, options.aicpu_threads,
                                aicore_program_,    core_contexts, core_bytes,
                                core_ports_.data(), cores,         fork_mark_};
    const End end = engine.run(processors);
    int32_t code = CH_OK;
    if (end != End::finished) {
        ch_error state;
        aicpu_program_->explain_stall(aicpu_context, &state);
        *out_error = state;
        if (end == End::cancelled) {
            report(out_error, CH_DEADLINE_EXCEEDED, "device", "stopped on request; %s", state.message);
            out_error->task = state.task;
            out_error->core = state.core;
        }
        code = out_error->code;
    }
    end_of_launch.end();
    const char* left_behind = end_of_launch.left_behind.message;
    // The run's error is here or in what the scheduler wrote; the host says which.
    auto& status = *reinterpret_cast<ch_launch_status*>(launch.status);
    if (code != CH_OK) append(out_error, "%s", left_behind);
    if (status.complete) append(&status.error, "%s", left_behind);
    return code;
}

int32_t open_device(const ch_device_options& options, Device** out_device, ch_error* out_error) {
    if (const Chip::Excess excess = chip.excess(); excess.what) {
        return report(out_error, CH_PLATFORM_FAILED, chip.name, "the chip has %u %s, and there is room for %u",
                      excess.found, excess.what, excess.most);
    }
    auto device = std::make_unique<Device>(options);
    CH_TRY(device->load_programs(options, out_error));
    *out_device = device.release();
    return CH_OK;
}

void close_device(Device* device) {
    delete device;
}

int32_t allocate(Device* device, uint64_t bytes, uint64_t* out_address, ch_error* out_error) {
    return device->allocate(bytes, false, out_address, out_error);
}

int32_t allocate_zeroed(Device* device, uint64_t bytes, uint64_t* out_address, ch_error* out_error) {
    return device->allocate(bytes, true, out_address, out_error);
}

void release(Device* device, uint64_t address) {
    device->release(address);
}

int32_t copy_to_device(Device*, uint64_t to, const void* from, uint64_t bytes, ch_error*) {
    if (bytes != 0) memcpy(reinterpret_cast<void*>(to), from, bytes);
    return CH_OK;
}

int32_t copy_from_device(Device*, void* to, uint64_t from, uint64_t bytes, ch_error*) {
    if (bytes != 0) memcpy(to, reinterpret_cast<const void*>(from), bytes);
    return CH_OK;
}

int32_t load_kernel(Device* device, const ch_kernel& kernel, LoadedKernel* out_kernel, ch_error* out_error) {
    return device->load_kernel(kernel, out_kernel, out_error);
}

void unload_kernel(Device* device, const LoadedKernel& kernel) {
    device->unload(kernel.owner);
}

// Everything that a launch has begun is over when it returns, or is left behind with memory of its own.
int32_t check_launch(Device*, const LaunchOptions&, ch_error*) {
    return CH_OK;
}

int32_t launch(Device* device, const LaunchOptions& options, ch_error* out_error) {
    return device->launch(options, out_error);
}

}  // namespace chiphost::platform
