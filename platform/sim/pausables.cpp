// SPDX-License-Identifier: Apache-2.0
#include "pausables.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

#include <utility>

#include "status/report.h"

namespace chiphost::platform {

Status Pausables::make(uint32_t cores, ch_error* out_error) {
    if (!orchestration_) {
        auto made = std::make_unique<Pausable>();
        if (!made->stack.make(stack_bytes_)) {
            return report(out_error, CH_HOST_MEMORY_EXHAUSTED, "device", "no memory for the orchestration's stack");
        }
        orchestration_ = std::move(made);
    }
    if (kernels_.size() < cores) kernels_.resize(cores);
    for (uint32_t core = 0; core < cores; ++core) {
        if (kernels_[core]) continue;
        auto made = std::make_unique<Pausable>();
        if (!made->stack.make(stack_bytes_)) {
            return report(out_error, CH_HOST_MEMORY_EXHAUSTED, "device", "no memory for the stack of core %u", core);
        }
        kernels_[core] = std::move(made);
    }
    return CH_OK;
}

uint32_t Pausables::leave_behind(std::unique_ptr<Pausable>* pausable) {
#ifdef __SANITIZE_ADDRESS__
    __lsan_register_root_region((*pausable)->stack.base(), (*pausable)->stack.bytes());
#endif
    (void)pausable->release();
    return ++left_behind_;
}

}  // namespace chiphost::platform
