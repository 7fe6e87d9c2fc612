// SPDX-License-Identifier: Apache-2.0
#include "strand.h"

namespace chiphost::orchestrator {

bool Strand::go_on(void (*body)(void*), void* argument) {
    if (over_) return true;
    const bool stopped = scheduler_->stopped();
    over_ =
        platform::resume_strand(port_, body, argument) || (stopped && ++resumes_after_stop_ > resumes_after_stop_max);
    return over_;
}

bool Strand::breathe() {
    const bool due = ++calls_ % breathe_every == 0;
    if (!platform::should_breathe(port_, due) && !scheduler_->stopped()) return true;
    pause();
    return !scheduler_->stopped();
}

}  // namespace chiphost::orchestrator
