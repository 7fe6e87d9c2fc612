// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nanobind/nanobind.h>

#include <functional>
#include <memory>

#include "call_guard.h"
#include "raise.h"

namespace chiphost::bindings {

// Whether a call that waits without the GIL should go on. Made, asked and destroyed in the thread of the call.
class Patience {
public:
    explicit Patience(const CallGuard& guard) : guard_(guard) {}

    std::function<bool()> go_on() {
        return [this] { return ask(); };
    }

    // What a signal handler raised, such as KeyboardInterrupt, comes first. Needs the GIL.
    void raise_if_failed(int32_t code, const ch_error& error) const {
        if (interruption_) throw nanobind::python_error(*interruption_);
        if (code != CH_OK) raise(error);
    }

private:
    bool ask() {
        if (guard_.to_end()) return false;
        const nanobind::gil_scoped_acquire locked;
        if (PyErr_CheckSignals() == 0) return true;
        interruption_ = std::make_unique<nanobind::python_error>();
        return false;
    }

    const CallGuard& guard_;
    std::unique_ptr<nanobind::python_error> interruption_;
};

}  // namespace chiphost::bindings
