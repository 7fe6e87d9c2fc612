// SPDX-License-Identifier: Apache-2.0
#include "child.h"

#include <memory>

#include "chiphost/abi/mailbox.h"
#include "file_path.h"
#include "isolate/child/child_process.h"
#include "without_gil.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace chiphost::bindings {

namespace {

// The time that the child took to answer, in seconds. Its end is not counted.
double start_child(const FilePath& program) {
    uint64_t took_ns = 0;
    without_gil([&](ch_error* out_error) {
        std::unique_ptr<isolate::ChildProcess> child;
        const uint64_t start_ns = ch_monotonic_ns();
        const Status status = isolate::ChildProcess::start(program.string(), &child, out_error);
        took_ns = ch_monotonic_ns() - start_ns;
        child.reset();
        return status;
    }).raise_if_failed();
    return static_cast<double>(took_ns) * 1e-9;
}

}  // namespace

void bind_child(nb::module_& module) {
    module.def("start_child", start_child, "program"_a,
               "Start a child process and end it; the seconds until it answered.");
}

}  // namespace chiphost::bindings
