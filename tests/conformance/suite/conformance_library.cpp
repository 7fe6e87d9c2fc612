// SPDX-License-Identifier: Apache-2.0
//
// The table of the suite. Compiled for each platform: its name and its conformance.def are in here.
#include <stdio.h>

#include <exception>

#include "bench.h"

namespace chiphost::conformance {

namespace {

// This is unused if conformance.def lists nothing.
[[maybe_unused]] constexpr ch_conformance_known listed(const char* test, const char* reason,
                                                       ch_conformance_outcome outcome) {
    if (*test == '\0' || *reason == '\0') throw "a line of conformance.def wants a test and a reason";
    return {test, reason, outcome, 0};
}

constexpr ch_conformance_known known[] = {
#define CH_UNSUPPORTED(test, reason) listed(test, reason, CH_CONFORMANCE_UNSUPPORTED),
#define CH_FAILS(test, reason) listed(test, reason, CH_CONFORMANCE_FAILED),
#include "conformance.def"
    {},  // there may be no other
};

const Cases& cases() {
    static const Cases all = [] {
        Cases result;
        for (const auto& group :
             {memory_cases(), copy_cases(), program_cases(), register_cases(), launch_cases(), completion_cases(),
              orchestration_cases(), time_cases(), graph_cases(), error_cases(), context_cases(), teardown_cases()}) {
            result.insert(result.end(), group.begin(), group.end());
        }
        return result;
    }();
    return all;
}

int32_t run(void* first, const void* second, void*) {
    auto& result = *static_cast<ch_conformance_result*>(first);
    const auto& request = *static_cast<const ch_conformance_request*>(second);
    const auto end = [&](ch_conformance_outcome outcome, const char* message) {
        result.outcome = outcome;
        snprintf(result.message, sizeof result.message, "%s", message);
    };
    // Records of launches would end before the chip does.
    if (const platform::Chip::Excess excess = chip.excess(); excess.what) {
        char message[128];
        snprintf(message, sizeof message, "the chip %s has %u %s, and there is room for %u", chip.name, excess.found,
                 excess.what, excess.most);
        end(CH_CONFORMANCE_FAILED, message);
        return CH_OK;
    }
    try {
        cases()[request.test].run(Bench(request));
        end(CH_CONFORMANCE_PASSED, "");
    } catch (const Failed& failed) {
        end(CH_CONFORMANCE_FAILED, failed.message.c_str());
    } catch (const Unsupported& unsupported) {
        end(CH_CONFORMANCE_UNSUPPORTED, unsupported.message.c_str());
    } catch (const std::exception& error) {
        end(CH_CONFORMANCE_FAILED, error.what());
    } catch (...) {
        end(CH_CONFORMANCE_FAILED, "an exception came out of the platform that is no std::exception");
    }
    return CH_OK;
}

}  // namespace

}  // namespace chiphost::conformance

const char* const chiphost::platform::platform_name = CHIPHOST_PLATFORM;

extern "C" __attribute__((visibility("default"))) const ch_conformance* chiphost_conformance() {
    using namespace chiphost::conformance;
    static const std::vector<ch_conformance_test> tests = [] {
        std::vector<ch_conformance_test> result;
        for (const Case& test : cases()) result.push_back({test.id, test.requirements});
        return result;
    }();
    static const ch_conformance table = {
        CH_ABI_HEADER(ch_conformance, CH_ABI_CONFORMANCE, CH_CONFORMANCE_MAJOR, CH_CONFORMANCE_MINOR,
                      CHIPHOST_PLATFORM),
        tests.data(),
        known,
        static_cast<uint32_t>(tests.size()),
        sizeof known / sizeof *known - 1,
        run,
    };
    return &table;
}
