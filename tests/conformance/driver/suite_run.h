// SPDX-License-Identifier: Apache-2.0
//
// Runs the suite against a platform: every test in a child process of its own, on a thread of a domain, as a worker
// runs a host runtime. A test that crashes or never returns is a failed test.
#pragma once

#include <stdint.h>

#include <functional>
#include <string>
#include <vector>

#include "chiphost/isolate/strategy.h"
#include "conformance/conformance.h"

namespace chiphost::conformance {

struct SuiteOptions {
    std::string suite, aicpu, aicore;  // the three programs
    std::string folder;                // the folder of the kernels and orchestrations
    std::string platform;              // the suite's platform, for example "a2a3sim"
    std::string anchor_path;
    std::string sdk_folder;  // the folder of a chip vendor's software, "" if none is named
    isolate::Strategy strategy = isolate::Strategy::link_namespace;
    std::string text;                      // selects tests with this text in their id
    uint64_t timeout_ns = 30'000'000'000;  // of each test
};

struct TestResult {
    std::string id;
    std::string requirements;
    ch_conformance_outcome outcome = CH_CONFORMANCE_FAILED;
    bool good = false;    // passed, or did what the platform's conformance.def says of it
    std::string message;  // what happened; why it is not good
    std::string reason;   // from conformance.def
    double seconds = 0;
};

// The tests of the suite that are selected. Fails with CH_ABI_MISMATCH or the errors of loading a library.
[[nodiscard]] int32_t list_tests(const SuiteOptions& options, std::vector<TestResult>* out_tests, ch_error* out_error);

// Runs them in order; `ended` is called after each. The caller has no other threads. The platform passes if all are
// good. Fails like list_tests, and with CH_INVALID_ARGUMENT if no test is selected.
[[nodiscard]] int32_t run_suite(const SuiteOptions& options, const std::function<void(const TestResult&)>& ended,
                                ch_error* out_error);

}  // namespace chiphost::conformance
