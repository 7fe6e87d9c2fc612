// SPDX-License-Identifier: Apache-2.0
#include "exploration.h"

#include <nanobind/stl/pair.h>
#include <nanobind/stl/vector.h>

#include <utility>
#include <vector>

namespace nb = nanobind;

namespace chiphost::bindings {

namespace {

using worker::Exploration;
using Log = std::vector<std::pair<uint32_t, uint32_t>>;

Log log_of(const std::vector<ch_decision>& decisions) {
    Log log;
    for (const ch_decision& decision : decisions) log.emplace_back(decision.number, decision.option);
    return log;
}

void set_log(Exploration& exploration, const Log& log) {
    exploration.log.clear();
    for (const auto& [number, option] : log) exploration.log.push_back({number, option});
}

}  // namespace

void bind_exploration(nb::module_& module) {
    nb::class_<Exploration> exploration(module, "Exploration", R"(What to explore, and what was found.

The record ch_exploration of host_runtime.h says what the fields mean. Those of the results are read-only.)");
    exploration.def(nb::init<>());
#define CH_WANTED(type, name)                                            \
    exploration.def_prop_rw(                                             \
        #name, [](const Exploration& self) { return self.record.name; }, \
        [](Exploration& self, type value) { self.record.name = value; })
    CH_WANTED(uint32_t, strategy);
    CH_WANTED(uint32_t, level);
    CH_WANTED(uint32_t, depth);
    CH_WANTED(uint32_t, every_core);
    CH_WANTED(uint32_t, race_free);
    CH_WANTED(uint32_t, goes_on);
    CH_WANTED(uint32_t, accepts);
    CH_WANTED(uint64_t, seed);
    CH_WANTED(uint64_t, schedules_max);
    CH_WANTED(uint64_t, time_max_ns);
#undef CH_WANTED
#define CH_RESULT(name) exploration.def_prop_ro(#name, [](const Exploration& self) { return self.record.name; })
    CH_RESULT(outcome);
    CH_RESULT(schedules);
    CH_RESULT(orders);
    CH_RESULT(events);
    CH_RESULT(decisions);
    CH_RESULT(processors);
#undef CH_RESULT
    exploration.def_prop_rw("log", [](const Exploration& self) { return log_of(self.log); }, set_log);
    exploration.def_prop_ro("found", [](const Exploration& self) { return log_of(self.found); });
}

}  // namespace chiphost::bindings
