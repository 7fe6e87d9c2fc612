// SPDX-License-Identifier: Apache-2.0
#include "core_executor.h"

namespace chiphost::executor {

using namespace core_protocol;

__aicore__ CoreExecutor::CoreExecutor(const ch_launch& launch, uint32_t core, uint32_t core_type,
                                      platform::AicorePort* port)
    : handshake_(reinterpret_cast<Handshake*>(launch.handshakes)[core]),
      port_(port),
      core_(core),
      core_type_(core_type) {}

__aicore__ ch_step CoreExecutor::step() {
    switch (phase_) {
        case Phase::await_aicpu:
            if (handshake_.aicpu_ready.load(std::memory_order_acquire) == 0) return CH_STEP_POLL;
            payloads_ = reinterpret_cast<Payload*>(handshake_.payloads);
            handshake_.physical_core = platform::physical_core(port_);
            handshake_.core_type = core_type_;
            handshake_.aicore_regs_ready.store(1, std::memory_order_release);
            phase_ = Phase::await_registers;
            return CH_STEP_WORKED;
        case Phase::await_registers:
            return await_registers();
        case Phase::run:
            return next_dispatch();
        case Phase::acknowledged:
            return execute();
        case Phase::done:
            return CH_STEP_DONE;
    }
    return CH_STEP_DONE;
}

__aicore__ ch_step CoreExecutor::await_registers() {
    const uint32_t ready = handshake_.aicpu_regs_ready.load(std::memory_order_acquire);
    if (ready == 0) return CH_STEP_POLL;
    if (ready == launch_over) {
        phase_ = Phase::done;
        return CH_STEP_DONE;
    }
    platform::write_cond(port_, cond_idle);
    handshake_.aicore_done.store(core_ + 1, std::memory_order_release);
    phase_ = Phase::run;
    return CH_STEP_WORKED;
}

__aicore__ ch_step CoreExecutor::next_dispatch() {
    const uint32_t number = platform::read_main_base(port_);
    if (number == number_ || number == main_base_idle) return CH_STEP_IDLE;
    number_ = number;
    if (number == main_base_exit) {
        platform::write_cond(port_, cond_exited);
        phase_ = Phase::done;
        return CH_STEP_DONE;
    }
    platform::write_cond(port_, number);
    phase_ = Phase::acknowledged;
    return platform::pause_after_ack(port_) ? CH_STEP_WORKED : execute();
}

__aicore__ ch_step CoreExecutor::execute() {
    if (!platform::call_kernel(port_, &payloads_[number_ & 1])) return CH_STEP_IDLE;
    platform::write_cond(port_, number_ | cond_finish_bit);
    phase_ = Phase::run;
    return platform::read_main_base(port_) == number_ ? CH_STEP_IDLE : CH_STEP_WORKED;
}

}  // namespace chiphost::executor
