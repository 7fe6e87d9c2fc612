// SPDX-License-Identifier: Apache-2.0
#include "library_owner.h"

#include <nanobind/nanobind.h>

#include "call_guard.h"

namespace nb = nanobind;

namespace chiphost::bindings {

LibraryOwner::~LibraryOwner() {
    try {
        const CallGuard guard;
        const nb::gil_scoped_release unlocked;
        instance_.reset();
    } catch (const nb::python_error&) {
        new std::shared_ptr<isolate::Instance>(std::move(instance_));  // the process is ending: it stays open
    }
}

}  // namespace chiphost::bindings
