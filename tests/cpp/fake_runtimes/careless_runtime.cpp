// SPDX-License-Identifier: Apache-2.0
//
// Runtimes written for the frame of host/runtime.h, with one carelessness each.
#include <stdexcept>

#include "host/runtime.h"

namespace {

using namespace chiphost;

class Careless final : public host::Runtime {
public:
    int32_t load(const ch_callable&, std::unique_ptr<host::Orchestration>* out_orchestration, ch_error*) override {
#ifndef CARELESS_NO_ORCHESTRATION
        *out_orchestration = std::make_unique<host::Orchestration>();
#endif
        static_cast<void>(out_orchestration);
        return CH_OK;
    }
    int32_t build(const host::RunInput&, host::BuiltGraph*, ch_error*) override {
#ifdef CARELESS_THROWS_TWICE
        throw std::runtime_error("build");
#endif
        return CH_INVALID_ARGUMENT;  // without an error record
    }
    int32_t copy_out(ch_error*) override { return CH_OK; }
    void end_run() override {
#if defined(CARELESS_THROWS_AT_THE_END) || defined(CARELESS_THROWS_TWICE)
        throw std::runtime_error("end_run");
#endif
    }
};

}  // namespace

#ifdef CARELESS_OTHER_NAME
const char* const chiphost::host::runtime_name = "thorough";
#else
const char* const chiphost::host::runtime_name = "careless";
#endif

std::unique_ptr<chiphost::host::Runtime> chiphost::host::make_runtime(platform::Device*, const ch_anchor*, void*) {
#ifdef CARELESS_NO_RUNTIME
    return nullptr;
#else
    return std::make_unique<Careless>();
#endif
}
