# Platforms with one defect each, which the suite must find: conformance_test.cpp says by which tests.

# Memory.
set(allocate "memory = aligned_alloc(line_bytes, align_up(bytes));")
set(free_block "free(reinterpret_cast<void*>(address));")
add_variant(canary_unaligned device_memory "${allocate}" "memory = malloc(bytes + 1);")
add_variant(canary_overlapping device_memory
    "${allocate}" "static char* arena = static_cast<char*>(aligned_alloc(64, 64 << 20));
        static uint64_t used = 0;
        if (used + bytes > (64 << 20)) used = 0;
        memory = arena + used;
        used += bytes / 64 * 64;"
    "${free_block}" "static_cast<void>(address);")
add_variant(canary_release_of_another device_memory
    "    const auto found = allocations_.find(address);"
    "    const auto found = allocations_.size() > 2 ? std::next(allocations_.begin()) : allocations_.find(address);")
add_variant(canary_release_forgets_bytes device_memory "bytes_used_ -= found->second.bytes;" "")
add_variant(canary_not_zeroed device_memory "memset(memory, zeroed ? 0 : undefined_byte, bytes)"
    "memset(memory, undefined_byte, bytes)")
add_variant(canary_limit_ignored device
    "return options.device_memory_bytes ? options.device_memory_bytes : chip.memory_bytes;"
    "return static_cast<void>(options), chip.memory_bytes;")

# Copies.
add_variant(canary_copy_one_short device "memcpy(to, reinterpret_cast<const void*>(from), bytes)"
    "memcpy(to, reinterpret_cast<const void*>(from), bytes - 1)")
add_variant(canary_wrong_direction device "memcpy(to, reinterpret_cast<const void*>(from), bytes)"
    "memcpy(reinterpret_cast<void*>(from), to, bytes)")

# Programs.
add_variant(canary_kernel_stays device "device->unload(kernel.owner);" "static_cast<void>(device), static_cast<void>(kernel);")
add_variant(canary_mark_lost device "library, mark != nullptr}" "library, false}")
add_variant(canary_all_marked device "library, mark != nullptr}" "library, true}")
add_variant(canary_error_lost device "failed = report(out_error, CH_ENTRY_MISSING, name,"
    "ch_error lost{};
        failed = report(&lost, CH_ENTRY_MISSING, name,")

add_variant(canary_refused_kernel_stays device "        unload(library);
        return failed;" "        return failed;")
add_variant(canary_aicpu_header_unchecked device_programs
    "check_header(aicpu_->header," "0 * check_header(aicpu_->header,")
add_variant(canary_aicore_header_unchecked device_programs
    "check_header(aicore_->header," "0 * check_header(aicore_->header,")

# Registers.
add_variant(canary_write_lost aicpu_port "    port->registers.at(physical_core, which).store(value, std::memory_order_release);"
    "    if (which == Register::data_main_base && value == 3) return;
    port->registers.at(physical_core, which).store(value, std::memory_order_release);")
# A write that takes a dispatch back is held and comes after the next one.
add_variant(canary_writes_reordered aicpu_port
    "    port->registers.at(physical_core, which).store(value, std::memory_order_release);"
    "    auto& held = port->registers.at(physical_core, Register::fast_path);
    if (which == Register::data_main_base) {
        const uint32_t current = port->registers.at(physical_core, which).load(std::memory_order_acquire);
        if (value == core_protocol::main_base_idle && current < 0x1000) {
            held.store(1);
            return;
        }
        if (held.exchange(0) == 1) value = core_protocol::main_base_idle;
    }
    port->registers.at(physical_core, which).store(value, std::memory_order_release);")
# Dispatches are told apart by the lowest bits of their numbers, as far as the suite's own program goes.
add_variant(canary_narrow_register aicpu_port
    "    port->registers.at(physical_core, which).store(value, std::memory_order_release);"
    "    if (which == Register::data_main_base && value > 0x30 && value < 0x1000) value = 2 + value % 0x30;
    port->registers.at(physical_core, which).store(value, std::memory_order_release);")
add_variant(canary_signal_lost aicpu_port
    "    port->hooks->threads_signalled(port->hooks->engine, port->thread);" "    static_cast<void>(port);")
# This wakes only the thread before.
add_variant(canary_signal_for_one sequential_engine
    "self.runnable_[1] |= (self.aicpu_alive_ & ~(uint64_t{1} << thread)) << (first_aicpu & 63);"
    "if (thread > 0 && (self.aicpu_alive_ & uint64_t{1} << (thread - 1))) self.set_runnable(first_aicpu + thread - 1);")
add_variant(canary_physical_core_twice aicore_port "    return port->physical;" "    return port->physical / 2 * 2;")

# Launches and their ends.
add_variant(canary_returns_early sequential_engine "while (aicpu_alive_ != 0) {"
    "while (aicpu_alive_ == (uint64_t{1} << processors.aicpu_threads) - 1) {")
add_variant(canary_kernel_fault_lost aicore_port
    "payload->status = core_protocol::KernelStatus::threw;
        snprintf(payload->fault_text, sizeof payload->fault_text, \"%s\", error.what());"
    "static_cast<void>(error);")
add_variant(canary_lanes_empty aicore_port "    port->enter(*payload);" "")
add_variant(canary_failure_lost launcher "    if (end == End::finished) return CH_OK;" "    if (end == End::finished) return CH_OK;
    *out_error = no_error();
    return CH_OK;")
add_variant(canary_cancel_ignored sequential_engine "__atomic_load_n(&progress_->cancel, __ATOMIC_RELAXED)" "false")
add_variant(canary_cancel_late launcher
    "    const End end = engine.run(processors);" "    const End end = engine.run(processors);
    if (end == End::cancelled) usleep(600'000);"
    "#include <utility>" "#include <unistd.h>
#include <utility>")
# A launch that was cancelled before is refused.
add_variant(canary_cut_off_not_ended launcher
    "    const uint32_t cores = options.block_dim * 3;" "    const uint32_t cores = options.block_dim * 3;
    if (options.progress->cancel) return report(out_error, CH_DEADLINE_EXCEEDED, \"device\", \"stopped on request\");"
    "    ~EndOfLaunch() { end(); }" "    ~EndOfLaunch() {}"
    "    end_of_launch.end();" "    if (end == End::finished) end_of_launch.end();")
add_variant(canary_launch_not_ended launcher "programs_.aicpu().end(programs_.aicpu_context());" "")

add_variant(canary_lost_by_a_cut_off device
    "class Device {" "static bool cut_off_once = false;
class Device {"
    "    return device->launch(options, out_error);" "    const Status failed = device->launch(options, out_error);
    if (!failed.ok()) cut_off_once = true;
    return failed;"
    "int32_t check_launch(Device* device, const LaunchOptions&, ch_error*) {
    device->begin_run();
    return CH_OK;"
    "int32_t check_launch(Device*, const LaunchOptions&, ch_error* out_error) {
    return cut_off_once ? report(out_error, CH_PLATFORM_FAILED, \"device\", \"lost\") : CH_OK;")
add_variant(canary_question_takes_memory device
    "int32_t check_launch(Device* device, const LaunchOptions&, ch_error*) {
    device->begin_run();
    return CH_OK;"
    "int32_t check_launch(Device* device, const LaunchOptions&, ch_error* out_error) {
    uint64_t address = 0;
    return device->allocate(64, false, &address, out_error);")
# This thread comes besides those that the anchor lends.
add_variant(canary_thread_of_its_own launcher
    "    const End end = engine.run(processors);" "    std::atomic<bool> over{false};
    std::thread own([&] {
        while (!over) usleep(1000);
    });
    const End end = engine.run(processors);
    over = true;
    own.join();"
    "#include <utility>" "#include <unistd.h>

#include <atomic>
#include <thread>
#include <utility>")
add_variant(canary_strand_stack_again pausables "    (void)pausable->release();" "    pausable->reset();")
add_variant(canary_forgets_too_much aicpu_port "memset(address, undefined_byte, bytes);"
    "memset(address, undefined_byte, bytes + 1);")

# Orchestrations.
add_variant(canary_cached_by_name orch_so_loader
    "%s/chiphost-orch-XXXXXX.so" "%s/chiphost-orch.so"
    "mkostemps(path, 3, O_CLOEXEC)" "open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600)")
add_variant(canary_unload_leaks orch_so_file "dlclose(library);" "static_cast<void>(library);")
add_variant(canary_file_left orch_so_file "    unlink(path);
    if (!*out_library)" "    if (!*out_library)")

# Contexts and teardown.
add_variant(canary_memory_shared device_memory
    "#include <utility>" "#include <map>
#include <utility>"
    "${allocate}" "static std::map<const void*, uint64_t> all;
        uint64_t& next = all[this];
        static char* shared = static_cast<char*>(aligned_alloc(64, 64 << 20));
        if (next + bytes > (64 << 20)) next = 0;
        memory = shared + next;
        next += align_up(bytes);"
    "${free_block}" "static_cast<void>(address);")
add_variant(canary_close_leaks device_memory "for (const auto& [address, allocation] : allocations_) free_memory(address, allocation);" "")
add_variant(canary_thread_kept launcher
    "for (ch_mailbox* helper : helpers_) anchor_->return_thread(anchor_state_, helper, nullptr);" "")
