// SPDX-License-Identifier: Apache-2.0
#include "handshakes.h"

namespace chiphost::scheduler {

using namespace core_protocol;

using platform::Register;

void Handshakes::announce(const CoreSet& cores) {
    cores.for_each([&](uint32_t core) {
        Handshake& handshake = handshakes_[core];
        handshake.payloads = reinterpret_cast<uint64_t>(&payloads_[core * 2]);
        handshake.aicpu_ready.store(1, std::memory_order_release);
        platform::flush_cache(&handshake, sizeof handshake);
    });
}

bool Handshakes::all_reported(const CoreSet& cores) const {
    bool all = true;
    cores.for_each([&](uint32_t core) {
        platform::invalidate_cache(&handshakes_[core], sizeof(Handshake));
        all = all && handshakes_[core].aicore_regs_ready.load(std::memory_order_acquire) != 0;
    });
    return all;
}

void Handshakes::let_in(uint32_t core, uint32_t physical, platform::AicpuPort* port) {
    Handshake& handshake = handshakes_[core];
    handshake.registers.store(RegistersUse::open, std::memory_order_relaxed);
    if (platform::chip.has(Register::fast_path)) {
        platform::write_register(port, physical, Register::fast_path, fast_path_open);
    }
    platform::write_register(port, physical, Register::data_main_base, main_base_idle);
    handshake.aicpu_regs_ready.store(1, std::memory_order_release);
    platform::flush_cache(&handshake, sizeof handshake);
}

void Handshakes::send_away(uint32_t core) {
    Handshake& handshake = handshakes_[core];
    handshake.aicpu_regs_ready.store(launch_over, std::memory_order_release);
    platform::flush_cache(&handshake, sizeof handshake);
}

bool Handshakes::all_wait(const CoreSet& cores) const {
    bool all = true;
    cores.for_each([&](uint32_t core) {
        platform::invalidate_cache(&handshakes_[core], sizeof(Handshake));
        all = all && handshakes_[core].aicore_done.load(std::memory_order_acquire) == core + 1;
    });
    return all;
}

void Handshakes::tell_to_exit(uint32_t core, uint32_t physical, platform::AicpuPort* port) {
    Handshake& handshake = handshakes_[core];
    handshake.registers.store(RegistersUse::told_to_exit, std::memory_order_relaxed);
    platform::flush_cache(&handshake, sizeof handshake);
    platform::write_register(port, physical, Register::data_main_base, main_base_exit);
}

bool Handshakes::has_exited(uint32_t physical, platform::AicpuPort* port) {
    return platform::read_register(port, physical, Register::cond) == cond_exited;
}

void Handshakes::close_registers(uint32_t physical, platform::AicpuPort* port) {
    platform::write_register(port, physical, Register::data_main_base, main_base_idle);
    if (platform::chip.has(Register::fast_path)) {
        platform::write_register(port, physical, Register::fast_path, fast_path_close);
    }
}

}  // namespace chiphost::scheduler
