// SPDX-License-Identifier: Apache-2.0
//
// The program chiphost_conform: runs the conformance suite and prints one JSON object for each test. `chiphost conform`
// runs it and makes reports of its output.
//
// Exit codes: 0 all tests are good, 1 one is not, 2 wrong usage, no test has the text, or the suite cannot be loaded.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "status/report.h"
#include "suite_run.h"

using namespace chiphost;
using namespace chiphost::conformance;

namespace {

constexpr char usage[] =
    "usage: chiphost_conform SUITE AICPU AICORE KERNELS --platform NAME --anchor FILE [--isolation namespace|copy]\n"
    "                        [--only TEXT] [--timeout SECONDS] [--sdk FOLDER] [--list]\n";

// A JSON string. Characters outside ASCII are written as they are.
std::string quoted(const std::string& text) {
    std::string result = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') {
            result += '\\';
            result += c;
        } else if (static_cast<unsigned char>(c) < 0x20) {
            char escaped[8];
            snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned>(c));
            result += escaped;
        } else {
            result += c;
        }
    }
    return result + '"';
}

void print(const TestResult& test, bool ran) {
    printf("{\"id\": %s, \"requirements\": %s", quoted(test.id).c_str(), quoted(test.requirements).c_str());
    if (ran) {
        const char* outcome = test.outcome == CH_CONFORMANCE_PASSED        ? "passed"
                              : test.outcome == CH_CONFORMANCE_UNSUPPORTED ? "unsupported"
                                                                           : "failed";
        printf(", \"outcome\": \"%s\", \"good\": %s, \"seconds\": %.6f, \"message\": %s, \"reason\": %s", outcome,
               test.good ? "true" : "false", test.seconds, quoted(test.message).c_str(), quoted(test.reason).c_str());
    }
    printf("}\n");
    fflush(stdout);
}

bool parse(int count, char** words, SuiteOptions* out_options, bool* out_list) {
    if (count < 5) return false;
    std::string* const files[] = {&out_options->suite, &out_options->aicpu, &out_options->aicore, &out_options->folder};
    for (int i = 0; i < 4; ++i) *files[i] = words[i + 1];
    for (int i = 5; i < count; ++i) {
        const std::string option = words[i];
        if (option == "--list") {
            *out_list = true;
            continue;
        }
        if (++i == count) return false;
        const std::string value = words[i];
        if (option == "--platform") {
            out_options->platform = value;
        } else if (option == "--anchor") {
            out_options->anchor_path = value;
        } else if (option == "--only") {
            out_options->text = value;
        } else if (option == "--sdk") {
            out_options->sdk_folder = value;
        } else if (option == "--isolation" && (value == "namespace" || value == "copy")) {
            out_options->strategy = value == "copy" ? isolate::Strategy::copy : isolate::Strategy::link_namespace;
        } else if (option == "--timeout" && atoi(value.c_str()) > 0) {
            out_options->timeout_ns = static_cast<uint64_t>(atoi(value.c_str())) * 1'000'000'000;
        } else {
            return false;
        }
    }
    return !out_options->platform.empty() && !out_options->anchor_path.empty();
}

}  // namespace

int main(int count, char** words) {
    SuiteOptions options;
    bool list = false;
    if (!parse(count, words, &options, &list)) {
        fputs(usage, stderr);
        return 2;
    }
    ch_error error = no_error();
    int32_t code = CH_OK;
    bool all_good = true;
    if (list) {
        std::vector<TestResult> tests;
        code = list_tests(options, &tests, &error);
        for (const TestResult& test : tests) print(test, false);
    } else {
        code = run_suite(
            options,
            [&](const TestResult& test) {
                print(test, true);
                all_good = all_good && test.good;
            },
            &error);
    }
    if (code != CH_OK) {
        fprintf(stderr, "%s: %s: %s\n", code_name(code), error.where, error.message);
        return 2;
    }
    return all_good ? 0 : 1;
}
