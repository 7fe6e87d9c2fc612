// SPDX-License-Identifier: Apache-2.0
#include "suite_run.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "isolate/domain/domain.h"
#include "status/abi_check.h"
#include "status/report.h"
#include "status/status.h"
#include "test_process.h"

namespace chiphost::conformance {

namespace {

using isolate::Domain;

struct Known {
    std::string test;
    std::string reason;
    ch_conformance_outcome outcome;
};

// The suite, loaded as a worker loads a host runtime. In the child only.
class LoadedSuite {
public:
    int32_t load(const SuiteOptions& options, ch_error* out_error) {
        ch_library* library = nullptr;
        void* entry = nullptr;
        uint64_t answer = 0;
        int32_t code = Domain::open(options.strategy, options.anchor_path, &domain_, out_error);
        if (code == CH_OK) code = domain_->open_library(options.suite, &library, out_error);
        if (code == CH_OK) {
            code = domain_->find_symbol(library, CH_CONFORMANCE_ENTRY, options.suite, &entry, out_error);
        }
        if (code != CH_OK) return code;
        const ch_question question{reinterpret_cast<const void* (*)()>(entry), nullptr};
        code = domain_->ask(question, options.suite, CH_CONFORMANCE_ENTRY, &answer, out_error);
        if (code != CH_OK) return code;
        table_ = reinterpret_cast<const ch_conformance*>(answer);
        return check_header(
            table_->header,
            {CH_ABI_CONFORMANCE, CH_CONFORMANCE_MAJOR, CH_CONFORMANCE_MINOR, sizeof(ch_conformance), options.platform},
            options.suite, out_error);
    }

    int32_t run(uint32_t test, const SuiteOptions& options, const std::string& temp_folder,
                ch_conformance_result* out_result, ch_error* out_error) {
        ch_mailbox* thread = nullptr;
        CH_TRY(domain_->lease_thread(&thread, out_error));
        ch_device_options device{};
        device.struct_bytes = sizeof device;
        device.aicpu = {options.aicpu.c_str(), options.aicpu.c_str()};
        device.aicore = {options.aicore.c_str(), options.aicore.c_str()};
        device.anchor = domain_->anchor();
        device.anchor_state = domain_->anchor_state();
        device.temp_folder = temp_folder.c_str();
        device.sdk_folder = options.sdk_folder.c_str();
        const ch_conformance_request request{test, 0, &device, options.folder.c_str()};
        if (ch_mailbox_call(thread, table_->run, out_result, &request, nullptr) == CH_OK) return CH_OK;
        out_result->outcome = CH_CONFORMANCE_FAILED;  // the other tests may still give results
        copy_text(out_result->message, sizeof out_result->message, "the test let an exception out");
        return CH_OK;
    }

    const ch_conformance& table() const { return *table_; }

private:
    Domain* domain_ = nullptr;
    const ch_conformance* table_ = nullptr;
};

void put(int file, const void* data, size_t bytes) {
    if (write(file, data, bytes) != static_cast<ssize_t>(bytes)) _exit(3);
}

// Sends a record from child to parent: an error, and the body's result if there is none.
void put_error(int file, const ch_error& error) {
    put(file, &error, sizeof error);
}

void put_text(int file, const char* text) {
    put(file, text, strlen(text) + 1);
}

class Reader {
public:
    explicit Reader(const std::string& bytes) : bytes_(bytes) {}
    bool get(void* to, size_t bytes) {
        if (bytes_.size() - at_ < bytes) return false;
        memcpy(to, bytes_.data() + at_, bytes);
        at_ += bytes;
        return true;
    }
    std::string text() {
        const size_t end = std::min(bytes_.find('\0', at_), bytes_.size());
        std::string result = bytes_.substr(at_, end - at_);
        at_ = std::min(end + 1, bytes_.size());
        return result;
    }

private:
    const std::string& bytes_;
    size_t at_ = 0;
};

// Takes the child's report: CH_OK, its error, or an error that says why there is no report.
int32_t take_error(const SuiteOptions& options, const ProcessEnd& end, Reader* reader, ch_error* out_error) {
    if (end.complete && reader->get(out_error, sizeof *out_error)) return out_error->code;
    return report(out_error, CH_PROCESS_DIED, options.suite, "the process that loads the suite %s\n%s", end.how.c_str(),
                  end.last_words.c_str());
}

int32_t read_suite(const SuiteOptions& options, std::vector<TestResult>* out_tests, std::vector<Known>* out_known,
                   ch_error* out_error) {
    const ProcessEnd end = run_in_process(
        [&](int file) {
            LoadedSuite suite;
            ch_error error = no_error();
            const int32_t code = suite.load(options, &error);
            put_error(file, error);
            if (code != CH_OK) return;
            put(file, &suite.table().test_count, sizeof(uint32_t));
            put(file, &suite.table().known_count, sizeof(uint32_t));
            for (uint32_t i = 0; i < suite.table().test_count; ++i) {
                put_text(file, suite.table().tests[i].id);
                put_text(file, suite.table().tests[i].requirements);
            }
            for (uint32_t i = 0; i < suite.table().known_count; ++i) {
                put(file, &suite.table().known[i].outcome, sizeof(uint32_t));
                put_text(file, suite.table().known[i].test);
                put_text(file, suite.table().known[i].reason);
            }
        },
        options.timeout_ns);
    Reader reader(end.output);
    CH_TRY(take_error(options, end, &reader, out_error));
    uint32_t tests = 0, known = 0;
    reader.get(&tests, sizeof tests);
    reader.get(&known, sizeof known);
    for (uint32_t i = 0; i < tests; ++i) {
        TestResult test;
        test.id = reader.text();
        test.requirements = reader.text();
        out_tests->push_back(std::move(test));
    }
    for (uint32_t i = 0; i < known; ++i) {
        uint32_t outcome = 0;
        reader.get(&outcome, sizeof outcome);
        std::string test = reader.text();
        out_known->push_back({std::move(test), reader.text(), static_cast<ch_conformance_outcome>(outcome)});
    }
    return CH_OK;
}

bool matches(const Known& known, const std::string& id) {
    const std::string& pattern = known.test;
    if (pattern == id) return true;
    const bool group = pattern.size() > 2 && pattern.compare(pattern.size() - 2, 2, ".*") == 0;
    return group && id.compare(0, pattern.size() - 1, pattern, 0, pattern.size() - 1) == 0;
}

bool selected(const SuiteOptions& options, const std::string& id) {
    return id.find(options.text) != std::string::npos;
}

const char* word(ch_conformance_outcome outcome) {
    return outcome == CH_CONFORMANCE_PASSED ? "passes" : outcome == CH_CONFORMANCE_FAILED ? "fails" : "is unsupported";
}

// Compares the outcome with the platform's conformance.def.
void judge(const std::vector<Known>& known, TestResult* test) {
    const auto found = std::find_if(known.begin(), known.end(), [&](const Known& k) { return matches(k, test->id); });
    if (found == known.end()) {
        test->good = test->outcome == CH_CONFORMANCE_PASSED;
        if (test->outcome == CH_CONFORMANCE_UNSUPPORTED) test->message += "; conformance.def does not say so";
        return;
    }
    test->reason = found->reason;
    test->good = test->outcome == found->outcome;
    if (test->good) return;
    if (!test->message.empty()) test->message += "; ";
    test->message += std::string("conformance.def says that it ") + word(found->outcome) + " (" + found->reason +
                     "), but it " + word(test->outcome);
    if (test->outcome == CH_CONFORMANCE_PASSED) test->message += ": take it off the list";
}

// The mistake in a line of conformance.def; nullptr if there is none. `before` are the lines above it.
const char* problem_of(const Known& entry, const std::vector<Known>& before, const std::vector<TestResult>& tests) {
    bool found = false;
    for (const TestResult& test : tests) {
        if (!matches(entry, test.id)) continue;
        found = true;
        if (std::any_of(before.begin(), before.end(), [&](const Known& other) { return matches(other, test.id); })) {
            return "conformance.def names a test of it twice";
        }
    }
    return found ? nullptr : "conformance.def names it, and there is no such test";
}

// A folder for one test's temporary files: in TMPDIR, or in /tmp if that is of no use.
class TestFolder {
public:
    TestFolder() {
        const char* variable = getenv("TMPDIR");
        for (const char* parent : {variable && *variable ? variable : "/tmp", "/tmp"}) {
            path_ = std::string(parent) + "/chiphost-conform-XXXXXX";
            if ((made_ = mkdtemp(path_.data()) != nullptr)) return;
        }
    }
    ~TestFolder() {
        std::error_code ignored;  // an empty folder that stays harms nobody
        if (made_) std::filesystem::remove_all(path_, ignored);
    }
    TestFolder(const TestFolder&) = delete;
    TestFolder& operator=(const TestFolder&) = delete;
    bool made() const { return made_; }
    const std::string& path() const { return path_; }

private:
    std::string path_;
    bool made_ = false;
};

int32_t run_test(const SuiteOptions& options, uint32_t index, TestResult* test, ch_error* out_error) {
    const TestFolder folder;
    if (!folder.made()) {
        return report(out_error, CH_FILE_UNREADABLE, folder.path(), "no folder for temporary files: %s",
                      strerror(errno));
    }
    const uint64_t start = ch_monotonic_ns();
    const ProcessEnd end = run_in_process(
        [&](int file) {
            LoadedSuite suite;
            ch_error error = no_error();
            ch_conformance_result result{};
            if (suite.load(options, &error) == CH_OK) {
                const int32_t code = suite.run(index, options, folder.path(), &result, &error);
                static_cast<void>(code);  // it is in the record
            }
            put_error(file, error);
            put(file, &result, sizeof result);
        },
        options.timeout_ns);
    test->seconds = static_cast<double>(ch_monotonic_ns() - start) * 1e-9;
    if (!end.complete) {
        test->outcome = CH_CONFORMANCE_FAILED;
        test->message = "the test " + end.how + (end.last_words.empty() ? "" : "\n" + end.last_words);
        return CH_OK;
    }
    Reader reader(end.output);
    CH_TRY(take_error(options, end, &reader, out_error));
    ch_conformance_result result{};
    reader.get(&result, sizeof result);
    test->outcome = static_cast<ch_conformance_outcome>(result.outcome);
    test->message = result.message;
    return CH_OK;
}

}  // namespace

int32_t list_tests(const SuiteOptions& options, std::vector<TestResult>* out_tests, ch_error* out_error) {
    std::vector<TestResult> all;
    std::vector<Known> known;
    CH_TRY(read_suite(options, &all, &known, out_error));
    for (TestResult& test : all) {
        if (selected(options, test.id)) out_tests->push_back(std::move(test));
    }
    return CH_OK;
}

int32_t run_suite(const SuiteOptions& options, const std::function<void(const TestResult&)>& ended,
                  ch_error* out_error) {
    std::vector<TestResult> tests;
    std::vector<Known> known;
    CH_TRY(read_suite(options, &tests, &known, out_error));
    // A misspelt text must not look like a platform that passes.
    if (std::none_of(tests.begin(), tests.end(), [&](const TestResult& test) { return selected(options, test.id); })) {
        return report(out_error, CH_INVALID_ARGUMENT, options.suite, "no test has '%s' in its name",
                      options.text.c_str());
    }
    for (uint32_t i = 0; i < tests.size(); ++i) {
        if (!selected(options, tests[i].id)) continue;
        CH_TRY(run_test(options, i, &tests[i], out_error));
        judge(known, &tests[i]);
        ended(tests[i]);
    }
    for (auto entry = known.begin(); entry != known.end(); ++entry) {
        const char* problem = problem_of(*entry, {known.begin(), entry}, tests);
        if (!problem) continue;
        TestResult stray;
        stray.id = entry->test;
        stray.message = problem;
        ended(stray);
    }
    return CH_OK;
}

}  // namespace chiphost::conformance
