// SPDX-License-Identifier: Apache-2.0
//
// A stand-in for the chip vendor's three libraries, for tests: device memory is this process's memory, the AICPU is
// threads of it, and one more thread steps the cores. The device programs are those of a real chip, built for this
// processor. The stand-in checks what it can: addresses, names, sizes, and that the host leaves alone the memory that
// programs use.
//
// CHIPHOST_STANDIN_FAIL="aclrtMalloc=507899" makes a call return a code.
// CHIPHOST_STANDIN_HOLD=FILE holds programs that are started now for as long as the file exists.
// CHIPHOST_STANDIN_LATE=1 makes cores that are started now take their registers only when the AICPU has left.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "chiphost/abi/device_program.h"
#include "chiphost/align.h"
#include "onboard/driver.h"
#include "onboard/launch_record.h"
#include "shared/orch_so_file.h"
#include "standin_core.h"
#include "status/report.h"

namespace chiphost::platform {

// A function of the loader of orchestrations, which is not part of this.
void* find_in_device_orch_so(void* library, const char* symbol);

namespace {

constexpr uint64_t map_from_bytes = 64 << 10;
constexpr int undefined_byte = 0xFF;
constexpr size_t kernel_stack_bytes = 8u << 20;
constexpr int32_t invalid_parameter = 107000;
constexpr int32_t aicpu_exception = 507018;

using Kernel = void (*)(int64_t* args);

// The state of the process: the vendor's software has one, too.
struct Process {
    struct Allocation {
        uint64_t bytes;
        bool mapped;
    };
    // Programs that have been started and have not ended, and addresses in the memory that they use.
    struct Use {
        uint32_t aicpu = 0;
        uint32_t aicore = 0;
        std::vector<uint64_t> addresses;
    };
    std::mutex mutex;
    std::map<uint64_t, Allocation> allocations;  // by address
    std::map<const LaunchRecord*, Use> uses;
    std::string violation;  // the host's misuse of memory that is in use
    uint64_t allocated_bytes = 0;
    std::map<uint64_t, void*> kernels;  // libraries of kernels' images, by address
    bool initialized = false;
    void* aicpu_library = nullptr;  // the first that was launched, as the vendor's software keeps it
    char* registers = nullptr;
    std::mutex cores;  // held by the one launch that has the cores; others wait for their turn
};

Process& process() {
    static auto& one = *new Process;
    return one;
}

std::string& last_error() {
    static thread_local auto& text = *new std::string;
    return text;
}

int32_t refuse(int32_t code, const std::string& words) {
    last_error() = words;
    return code;
}

// The code that a test wants a call to return.
int32_t planted(const char* call) {
    const char* wanted = getenv("CHIPHOST_STANDIN_FAIL");
    const size_t length = strlen(call);
    if (!wanted || strncmp(wanted, call, length) != 0 || wanted[length] != '=') return 0;
    return refuse(atoi(wanted + length + 1), std::string("EZ9999: planted in ") + call);
}

// The allocation that contains a range. Call this with the lock held.
const std::pair<const uint64_t, Process::Allocation>* find(uint64_t address, uint64_t bytes) {
    auto& allocations = process().allocations;
    auto after = allocations.upper_bound(address);
    if (after == allocations.begin()) return nullptr;
    --after;
    const uint64_t offset = address - after->first;
    return offset <= after->second.bytes && bytes <= after->second.bytes - offset ? &*after : nullptr;
}

bool is_device_memory(const void* address, uint64_t bytes) {
    const std::lock_guard<std::mutex> lock(process().mutex);
    return find(reinterpret_cast<uint64_t>(address), bytes) != nullptr;
}

void begin_use(const LaunchRecord* record, uint32_t Process::Use::* programs, std::vector<uint64_t> addresses) {
    addresses.push_back(reinterpret_cast<uint64_t>(record));
    if (record->verb == LaunchVerb::run) {
        const auto& launch = *reinterpret_cast<const ch_launch*>(record->launch);
        for (uint64_t address : {record->launch, record->ranges, launch.graph, launch.kernels, launch.handshakes,
                                 launch.payloads, launch.status, launch.hand_over}) {
            if (address) addresses.push_back(address);
        }
    }
    const std::lock_guard<std::mutex> lock(process().mutex);
    Process::Use& use = process().uses[record];
    ++(use.*programs);
    use.addresses.insert(use.addresses.end(), addresses.begin(), addresses.end());
}

void end_use(const LaunchRecord* record, uint32_t Process::Use::* programs) {
    const std::lock_guard<std::mutex> lock(process().mutex);
    const auto found = process().uses.find(record);
    --(found->second.*programs);
    if (found->second.aicpu + found->second.aicore == 0) process().uses.erase(found);
}

bool aicpu_runs(const LaunchRecord* record) {
    const std::lock_guard<std::mutex> lock(process().mutex);
    const auto found = process().uses.find(record);
    return found != process().uses.end() && found->second.aicpu != 0;
}

// 0 if the host may change the range. A chip would let it, and then nobody would know why programs never end. The next
// initialization reports the first violation as well: a call that frees memory has nobody to tell. Call this with the
// lock held.
int32_t check_unused(const char* call, uint64_t address, uint64_t bytes) {
    for (const auto& [record, use] : process().uses) {
        for (uint64_t used : use.addresses) {
            const auto* allocation = find(used, 1);
            if (!allocation || allocation->first >= address + bytes) continue;
            if (address >= allocation->first + allocation->second.bytes) continue;
            std::string& violation = process().violation;
            if (violation.empty()) violation = std::string(call) + " of memory that programs use";
            return refuse(invalid_parameter, violation);
        }
    }
    return 0;
}

std::string variable(const char* name) {
    const char* value = getenv(name);
    return value ? value : "";
}

void hold(const std::string& file) {
    while (!file.empty() && access(file.c_str(), F_OK) == 0) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
}

void* load(const void* data, size_t bytes, const char* name) {
    void* library = nullptr;
    ch_error error = no_error();
    if (load_from_memory(nullptr, data, bytes, name, &library, &error) != CH_OK) last_error() = error.message;
    return library;
}

// Call with the lock held.
void forget_kernel(uint64_t address) {
    auto& kernels = process().kernels;
    const auto found = kernels.find(address);
    if (found == kernels.end()) return;
    close_library(nullptr, found->second);
    kernels.erase(found);
}

Kernel find_kernel(uint64_t address) {
    Process& all = process();
    const std::lock_guard<std::mutex> lock(all.mutex);
    const auto known = all.kernels.find(address);
    void* library = known == all.kernels.end() ? nullptr : known->second;
    if (!library) {
        const auto* allocation = find(address, 4);
        if (!allocation || memcmp(reinterpret_cast<void*>(address),
                                  "\x7f"
                                  "ELF",
                                  4) != 0)
            return nullptr;
        library = load(reinterpret_cast<void*>(address), allocation->second.bytes, "kernel");
        if (library) all.kernels[address] = library;
    }
    return library ? reinterpret_cast<Kernel>(find_in_device_orch_so(library, "kernel_entry")) : nullptr;
}

// The place of a launch's core on the chip: it has another number, so that nobody can mix them up.
struct Place {
    uint32_t physical;
    uint64_t registers;
};

constexpr uint64_t mib = uint64_t{1} << 20;

bool is_a5() {
    return strcmp(chip.name, "a5") == 0;
}

uint32_t group_count() {
    return chip.physical_cores / 3;
}

uint64_t group_bytes() {
    return is_a5() ? 3 * mib : 8 * mib;
}

// Call with the lock held.
char* registers() {
    char*& memory = process().registers;
    if (!memory) {
        void* made = mmap(nullptr, group_count() * group_bytes(), PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (made == MAP_FAILED) abort();
        memory = static_cast<char*>(made);
    }
    return memory;
}

Place place_of(uint32_t core, uint32_t block_dim) {
    const uint32_t cluster = core < block_dim ? core : (core - block_dim) / 2;
    const uint32_t sub_core = core < block_dim ? 0 : 1 + (core - block_dim) % 2;
    const uint32_t group = (cluster * 7 + 3) % group_count();
    const uint32_t per_die = is_a5() ? 18 : group_count();
    const uint32_t die = group / per_die, on_die = group % per_die;
    const uint32_t on_die_core = sub_core == 0 ? on_die : per_die + 2 * on_die + sub_core - 1;
    return {die * per_die * 3 + on_die_core,
            reinterpret_cast<uint64_t>(registers()) + group * group_bytes() + sub_core * mib};
}

// The programs that were started on a stream and have not ended. A wait is for all of them.
class Stream {
public:
    template <typename Body>
    void start(Body&& body) {
        const std::lock_guard<std::mutex> lock(mutex_);
        ++running_;
        threads_.emplace_back([this, body]() mutable {
            const int32_t code = body();
            const std::lock_guard<std::mutex> ended(mutex_);
            if (code != 0) code_ = code;
            if (--running_ == 0) idle_.notify_all();
        });
    }

    int32_t wait(int32_t timeout_ms) {
        std::unique_lock<std::mutex> lock(mutex_);
        if (!idle_.wait_for(lock, std::chrono::milliseconds(timeout_ms), [&] { return running_ == 0; })) {
            return refuse(acl_error_stream_timeout, "the stream is still busy");
        }
        for (std::thread& thread : threads_) thread.join();
        threads_.clear();
        const int32_t code = code_;
        code_ = 0;
        return code;
    }

    ~Stream() {
        for (std::thread& thread : threads_) thread.join();
    }

private:
    std::mutex mutex_;
    std::condition_variable idle_;
    std::vector<std::thread> threads_;
    int running_ = 0;
    int32_t code_ = 0;
};

// A registered AICore program.
struct CoreProgram {
    void* library;
    const ch_aicore_program* table;
};

// Steps the cores in turn until all have exited.
int32_t run_cores(const ch_aicore_program* program, uint32_t block_dim, const LaunchRecord* record,
                  const std::string& held_by, bool late) {
    const std::lock_guard<std::mutex> turn(process().cores);
    hold(held_by);
    const auto* launch = reinterpret_cast<const ch_launch*>(record->launch);
    const uint32_t cores = block_dim * 3;
    const uint64_t context_bytes = align_up(program->context_bytes());
    const std::unique_ptr<char, decltype(&free)> contexts(static_cast<char*>(aligned_alloc(64, context_bytes * cores)),
                                                          free);
    std::vector<AicorePort> ports(cores);
    for (uint32_t core = 0; core < cores; ++core) {
        AicorePort& port = ports[core];
        Place place{};
        {
            const std::lock_guard<std::mutex> lock(process().mutex);
            place = place_of(core, block_dim);
        }
        port.physical = place.physical;
        port.registers = place.registers;
        port.find_kernel = find_kernel;
        port.services.fiber = &port.fiber;
        port.services.pause = [](const KernelServices* services) {
            static_cast<const StandinServices*>(services)->fiber->pause();
        };
        port.services.notify = [](const KernelServices*) {};
        if (!port.stack.make(kernel_stack_bytes)) return refuse(acl_error_out_of_memory, "no stack for a core");
        program->init(contexts.get() + core * context_bytes, launch, core, core < block_dim ? CH_AIC : CH_AIV, &port);
    }
    const auto* handshakes = reinterpret_cast<const core_protocol::Handshake*>(launch->handshakes);
    const auto is_late = [&](uint32_t core) {
        return late && handshakes[core].aicpu_regs_ready.load() != 0 && handshakes[core].aicore_done.load() == 0 &&
               aicpu_runs(record);
    };
    std::vector<bool> done(cores);
    for (uint32_t left = cores; left != 0;) {
        bool worked = false;
        for (uint32_t core = 0; core < cores; ++core) {
            if (done[core] || is_late(core)) continue;
            const ch_step step = program->step(contexts.get() + core * context_bytes);
            worked = worked || step == CH_STEP_WORKED;
            if (step != CH_STEP_DONE) continue;
            done[core] = true;
            --left;
        }
        if (!worked) std::this_thread::yield();
    }
    return 0;
}

int32_t check_stream(const void* stream) {
    return stream ? 0 : refuse(invalid_parameter, "there is no such stream");
}

}  // namespace

}  // namespace chiphost::platform

using namespace chiphost::platform;

#define STANDIN_CALL extern "C" __attribute__((visibility("default")))
#define STANDIN_PLANTED() \
    if (const int32_t code = planted(__func__)) return code

STANDIN_CALL const char* aclGetRecentErrMsg() {
    return last_error().c_str();
}

STANDIN_CALL int32_t aclInit(const char*) {
    STANDIN_PLANTED();
    const std::lock_guard<std::mutex> lock(process().mutex);
    if (!process().violation.empty()) return refuse(invalid_parameter, process().violation);
    if (process().initialized) return refuse(acl_error_repeat_initialize, "initialized already");
    process().initialized = true;
    return 0;
}

STANDIN_CALL int32_t aclrtSetDevice(int32_t device) {
    STANDIN_PLANTED();
    return device == 0 ? 0 : refuse(107001, "the stand-in has device 0 only");
}

STANDIN_CALL int32_t aclrtMalloc(void** out_address, size_t bytes, int32_t) {
    STANDIN_PLANTED();
    Process& all = process();
    const std::lock_guard<std::mutex> lock(all.mutex);
    if (bytes == 0) return refuse(invalid_parameter, "wanted 0 bytes");
    if (bytes > chip.memory_bytes - all.allocated_bytes) return refuse(acl_error_out_of_memory, "out of memory");
    const bool mapped = bytes >= map_from_bytes;
    void* memory =
        mapped ? mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
               : aligned_alloc(64, (bytes + 63) / 64 * 64);
    if (!memory || memory == MAP_FAILED) return refuse(acl_error_out_of_memory, "the host has no memory");
    if (!mapped) memset(memory, undefined_byte, bytes);
    all.allocations[reinterpret_cast<uint64_t>(memory)] = {bytes, mapped};
    all.allocated_bytes += bytes;
    *out_address = memory;
    return 0;
}

STANDIN_CALL int32_t aclrtFree(void* address) {
    STANDIN_PLANTED();
    Process& all = process();
    const std::lock_guard<std::mutex> lock(all.mutex);
    const auto found = all.allocations.find(reinterpret_cast<uint64_t>(address));
    if (found == all.allocations.end()) return refuse(invalid_parameter, "no such memory");
    if (const int32_t code = check_unused(__func__, found->first, found->second.bytes)) return code;
    forget_kernel(found->first);
    if (found->second.mapped) {
        munmap(address, found->second.bytes);
    } else {
        free(address);
    }
    all.allocated_bytes -= found->second.bytes;
    all.allocations.erase(found);
    return 0;
}

STANDIN_CALL int32_t aclrtMemset(void* address, size_t bytes_max, int32_t value, size_t bytes) {
    STANDIN_PLANTED();
    if (bytes > bytes_max || !is_device_memory(address, bytes)) return refuse(invalid_parameter, "no such memory");
    {
        const std::lock_guard<std::mutex> lock(process().mutex);
        if (const int32_t code = check_unused(__func__, reinterpret_cast<uint64_t>(address), bytes)) return code;
        // The rings are large and little of them is used.
        const auto* allocation = find(reinterpret_cast<uint64_t>(address), bytes);
        if (value == 0 && allocation->second.mapped && allocation->second.bytes == bytes) {
            madvise(address, bytes, MADV_DONTNEED);
            return 0;
        }
    }
    memset(address, value, bytes);
    return 0;
}

STANDIN_CALL int32_t aclrtMemcpy(void* to, size_t bytes_max, const void* from, size_t bytes, int32_t kind) {
    STANDIN_PLANTED();
    if (kind != acl_host_to_device && kind != acl_device_to_host) return refuse(invalid_parameter, "no such direction");
    const void* device = kind == acl_host_to_device ? to : from;
    if (bytes > bytes_max || !is_device_memory(device, bytes)) return refuse(invalid_parameter, "no such memory");
    if (kind == acl_host_to_device) {
        const std::lock_guard<std::mutex> lock(process().mutex);
        // Single words are how the host speaks to programs.
        if (bytes > sizeof(uint32_t)) {
            if (const int32_t code = check_unused(__func__, reinterpret_cast<uint64_t>(to), bytes)) return code;
        }
        forget_kernel(reinterpret_cast<uint64_t>(to));
    }
    if (bytes == sizeof(uint32_t) && reinterpret_cast<uint64_t>(to) % sizeof(uint32_t) == 0) {
        // A word is copied as a whole, also while programs look at it.
        uint32_t word = 0;
        memcpy(&word, from, sizeof word);
        __atomic_store_n(static_cast<uint32_t*>(to), word, __ATOMIC_RELEASE);
        return 0;
    }
    memcpy(to, from, bytes);
    return 0;
}

STANDIN_CALL int32_t aclrtCreateStream(void** out_stream) {
    STANDIN_PLANTED();
    *out_stream = new Stream;
    return 0;
}

STANDIN_CALL int32_t aclrtDestroyStream(void* stream) {
    STANDIN_PLANTED();
    delete static_cast<Stream*>(stream);
    return 0;
}

STANDIN_CALL int32_t aclrtSynchronizeStreamWithTimeout(void* stream, int32_t timeout_ms) {
    STANDIN_PLANTED();
    if (const int32_t code = check_stream(stream)) return code;
    return static_cast<Stream*>(stream)->wait(timeout_ms);
}

STANDIN_CALL int32_t rtRegisterAllKernel(const VendorBinary* binary, void** out_handle) {
    STANDIN_PLANTED();
    if (binary->magic != vendor_binary_elf) return refuse(invalid_parameter, "no ELF file for both kinds of cores");
    void* library = load(binary->data, binary->bytes, "AICore program");
    if (!library) return invalid_parameter;
    const auto entry =
        reinterpret_cast<ch_aicore_program_entry>(find_in_device_orch_so(library, CH_AICORE_PROGRAM_ENTRY));
    if (!entry) return refuse(invalid_parameter, "the AICore program has no entry");
    *out_handle = new CoreProgram{library, entry()};
    return 0;
}

STANDIN_CALL int32_t rtDevBinaryUnRegister(void* handle) {
    STANDIN_PLANTED();
    auto* program = static_cast<CoreProgram*>(handle);
    close_library(nullptr, program->library);
    delete program;
    return 0;
}

STANDIN_CALL int32_t rtKernelLaunchWithHandleV2(void* handle, uint64_t, uint32_t blocks, VendorCoreArgs* args, void*,
                                                void* stream, const VendorTaskConfig* config) {
    STANDIN_PLANTED();
    if (const int32_t code = check_stream(stream)) return code;
    LaunchRecord* record = nullptr;
    if (args->args_bytes != sizeof record) return refuse(invalid_parameter, "wanted the address of a record");
    memcpy(static_cast<void*>(&record), args->args, sizeof record);
    if (!is_device_memory(record, sizeof *record)) return refuse(invalid_parameter, "the record is not on the device");
    if (blocks == 0 || blocks > chip.clusters) return refuse(invalid_parameter, "the chip has not so many clusters");
    if (config->schedule_mode != vendor_schedule_batch) return refuse(invalid_parameter, "cores would come one by one");
    const ch_aicore_program* program = static_cast<CoreProgram*>(handle)->table;
    begin_use(record, &Process::Use::aicore, {});
    const std::string held_by = variable("CHIPHOST_STANDIN_HOLD");
    const bool late = !variable("CHIPHOST_STANDIN_LATE").empty();
    static_cast<Stream*>(stream)->start([=] {
        const int32_t code = run_cores(program, blocks, record, held_by, late);
        end_use(record, &Process::Use::aicore);
        return code;
    });
    return 0;
}

STANDIN_CALL int32_t rtAicpuKernelLaunchExWithArgs(uint32_t kind, const char* operation, uint32_t blocks,
                                                   const VendorAicpuArgs* args, void*, void* stream, uint32_t) {
    STANDIN_PLANTED();
    if (const int32_t code = check_stream(stream)) return code;
    if (kind != vendor_aicpu_kfc || strcmp(operation, "AST_DYN_AICPU") != 0) {
        return refuse(invalid_parameter, "no such operation");
    }
    const std::string bytes(static_cast<const char*>(args->args), args->args_bytes);
    const std::string kernel = bytes.c_str() + args->kernel_name_offset;
    if (bytes.c_str() + args->library_name_offset != std::string("libaicpu_extend_kernels.so")) {
        return refuse(invalid_parameter, "no such library");
    }
    const auto& launch = *reinterpret_cast<const AicpuLaunchArgs*>(bytes.data());
    const auto* library = reinterpret_cast<const LibraryArgs*>(launch.library);
    if (!is_device_memory(library, sizeof *library)) return refuse(invalid_parameter, "no library is named");
    const bool first = kernel == "DynTileFwkKernelServerInit";
    if (!first && kernel != "DynTileFwkKernelServer") return refuse(invalid_parameter, "no such kernel");
    void* loaded = nullptr;
    {
        const std::lock_guard<std::mutex> lock(process().mutex);
        void*& kept = process().aicpu_library;
        if (first && !kept) {
            kept = load(reinterpret_cast<const void*>(library->data), library->bytes, "AICPU program");
            if (!kept) return aicpu_exception;
        }
        loaded = kept;
    }
    using Entry = uint32_t (*)(void* arguments);
    const char* symbol = first ? "DynTileFwkBackendKernelServerInit" : "DynTileFwkBackendKernelServer";
    const auto entry = loaded ? reinterpret_cast<Entry>(find_in_device_orch_so(loaded, symbol)) : nullptr;
    if (!entry) return refuse(aicpu_exception, "the AICPU program has no such function");
    const auto* record = reinterpret_cast<const LaunchRecord*>(launch.record);
    if (!is_device_memory(record, sizeof *record)) return refuse(invalid_parameter, "the record is not on the device");
    const std::string held_by = variable("CHIPHOST_STANDIN_HOLD");
    for (uint32_t i = 0; i < blocks; ++i) begin_use(record, &Process::Use::aicpu, {launch.library, library->data});
    for (uint32_t i = 0; i < blocks; ++i) {
        static_cast<Stream*>(stream)->start([=]() mutable {
            hold(held_by);
            std::string own = bytes;  // every thread has the arguments
            const uint32_t code = entry(own.data());
            end_use(record, &Process::Use::aicpu);
            return code == 0 ? 0 : aicpu_exception;
        });
    }
    return 0;
}

namespace {

struct AddressRequest {
    uint32_t kind;
    uint32_t device;
};
struct AddressAnswer {
    uint64_t address;
    uint64_t bytes;
};
struct ResourceRequest {
    uint32_t processor;
    uint32_t resource;
    uint32_t group;
    uint32_t flag;
    uint32_t reserved[1];
};

}  // namespace

STANDIN_CALL int32_t halMemCtl(int32_t what, void* request, size_t request_bytes, void* out_answer, size_t*) {
    STANDIN_PLANTED();
    const auto& wanted = *static_cast<const AddressRequest*>(request);
    if (is_a5() || what != 0 || request_bytes != sizeof wanted || wanted.kind != 2) return 3;
    const std::lock_guard<std::mutex> lock(process().mutex);
    *static_cast<AddressAnswer*>(out_answer) = {reinterpret_cast<uint64_t>(registers()), group_count() * group_bytes()};
    return 0;
}

STANDIN_CALL int32_t halResMap(uint32_t, ResourceRequest* request, uint64_t* out_address, uint32_t* bytes) {
    STANDIN_PLANTED();
    if (!is_a5() || request->resource != 0 || request->group >= group_count() || *bytes != group_bytes()) return 3;
    const std::lock_guard<std::mutex> lock(process().mutex);
    *out_address = reinterpret_cast<uint64_t>(registers()) + request->group * group_bytes();
    return 0;
}

STANDIN_CALL int32_t rtGetC2cCtrlAddr(uint64_t* out_address, uint32_t* out_bytes) {
    STANDIN_PLANTED();
    *out_address = 0xC2C000;
    *out_bytes = 0x1000;
    return 0;
}
