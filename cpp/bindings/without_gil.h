// SPDX-License-Identifier: Apache-2.0
//
// Calls of the C++ core for Python, made while other threads may run Python.
#pragma once

#include <nanobind/nanobind.h>

#include <memory>
#include <utility>

#include "call_guard.h"
#include "chiphost/isolate/wait.h"
#include "raise.h"
#include "status/report.h"
#include "status/status.h"

namespace chiphost::bindings {

using isolate::GoOn;

// The end of a call of the core. Made, asked and destroyed with the GIL held.
class [[nodiscard]] Outcome {
public:
    Outcome(Status status, const ch_error& error, std::unique_ptr<nanobind::python_error> interruption)
        : status_(status), error_(error), interruption_(std::move(interruption)) {}

    // The exception that a signal handler raised, such as KeyboardInterrupt, comes first; then the core's own error.
    void raise_if_failed() const {
        if (interruption_) throw nanobind::python_error(*interruption_);
        if (!status_.ok()) raise(error_);
    }

private:
    const Status status_;
    const ch_error error_;
    const std::unique_ptr<nanobind::python_error> interruption_;
};

// Calls `body(go_on, out_error)`, which returns a Status, without the GIL. The body may ask `go_on`, in this thread
// only, whether a call that waits should go on: not if a signal handler has raised, nor if the process is about to end.
template <typename Body>
Outcome without_gil(const CallGuard& guard, Body&& body) {
    std::unique_ptr<nanobind::python_error> interruption;
    const GoOn go_on = [&] {
        if (guard.to_end()) return false;
        const nanobind::gil_scoped_acquire locked;
        if (PyErr_CheckSignals() == 0) return true;
        interruption = std::make_unique<nanobind::python_error>();
        return false;
    };
    ch_error error = no_error();
    Status status;
    {
        const nanobind::gil_scoped_release unlocked;
        status = body(go_on, &error);
    }
    return {status, error, std::move(interruption)};
}

// Calls `body(out_error)` without the GIL. Only for short calls, which do not wait and ask nobody.
template <typename Body>
Outcome without_gil(Body&& body) {
    ch_error error = no_error();
    Status status;
    {
        const nanobind::gil_scoped_release unlocked;
        status = body(&error);
    }
    return {status, error, nullptr};
}

}  // namespace chiphost::bindings
