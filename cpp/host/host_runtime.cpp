// SPDX-License-Identifier: Apache-2.0
//
// The table of a host runtime: contexts behind the C ABI.
#include "chiphost/abi/host_runtime.h"

#include <string.h>

#include "host_context.h"
#include "status/guarded.h"
#include "status/record.h"
#include "status/report.h"

// "NAME", for each of the SDK_VARIABLES of chiphost_add_platform.
#ifndef CHIPHOST_SDK_VARIABLES
#define CHIPHOST_SDK_VARIABLES
#endif

const char* const chiphost::platform::platform_name = CHIPHOST_PLATFORM;

namespace chiphost::host {

namespace {

// No exception may leave the library, and no error without words.
template <typename Body>
Status worded(const char* where, ch_error* out_error, Body&& body) {
    const Status failed = guarded(where, out_error, body);
    if (failed.ok() || out_error->code != CH_OK) return failed;
    return report(out_error, CH_INTERNAL, CHIPHOST_RUNTIME,
                  "the runtime, or the platform it is built for, returned %d in %s without filling the error",
                  failed.code(), where);
}

uint64_t runtime_size() {
    return sizeof(HostContext);
}

int32_t set_device(void* memory, const ch_device_options* options, ch_error* out_error) {
    ch_device_options known;
    CH_TRY(read_record(*options, CH_DEVICE_OPTIONS_BYTES_MIN, "set_device", &known, out_error));
    if (strcmp(runtime_name, CHIPHOST_RUNTIME) != 0) {
        return report(out_error, CH_ABI_MISMATCH, CHIPHOST_RUNTIME,
                      "wanted the runtime_name \"%s\", as it is built, found \"%s\"", CHIPHOST_RUNTIME, runtime_name);
    }
    auto* context = new (memory) HostContext;
    const Status failed = worded("set_device", out_error, [&] { return context->open(known, out_error); });
    if (!failed.ok()) context->~HostContext();
    return failed;
}

int32_t run(void* memory, const ch_run_request* request, ch_error* out_error) {
    ch_run_request known;
    ch_call_config config;
    CH_TRY(read_record(*request, CH_RUN_REQUEST_BYTES_MIN, "run", &known, out_error));
    CH_TRY(read_record(*known.config, CH_CALL_CONFIG_BYTES_MIN, "run", &config, out_error));
    ch_run_result result{};
    result.failed_submission = -1;
    known.config = &config;
    known.out_result = &result;
    ch_exploration exploration;
    if (known.exploration) {
        CH_TRY(read_record(*known.exploration, CH_EXPLORATION_BYTES_MIN, "run", &exploration, out_error));
        known.exploration = &exploration;
    }
    const Status failed =
        worded("run", out_error, [&] { return static_cast<HostContext*>(memory)->run(known, out_error); });
    write_record(result, request->out_result);
    if (known.exploration) write_record(exploration, request->exploration);
    return failed;
}

int32_t finalize_device(void* memory, const void*, ch_error* out_error) {
    return worded("finalize_device", out_error, [&]() -> int32_t {
        static_cast<HostContext*>(memory)->~HostContext();
        return CH_OK;
    });
}

}  // namespace

}  // namespace chiphost::host

extern "C" __attribute__((visibility("default"))) const ch_host_runtime* chiphost_host_runtime() {
    using namespace chiphost::host;
    const chiphost::platform::Chip& constants = chiphost::platform::chip;
    static const ch_chip chip = {sizeof(ch_chip), constants.clusters, constants.aicpu_threads, 0,
                                 constants.memory_bytes};
    static const char* const sdk_variables[] = {CHIPHOST_SDK_VARIABLES nullptr};
    static const ch_host_runtime table = {
        CH_ABI_HEADER(ch_host_runtime, CH_ABI_HOST_RUNTIME, CH_HOST_RUNTIME_MAJOR, CH_HOST_RUNTIME_MINOR,
                      CHIPHOST_PLATFORM),
        CHIPHOST_RUNTIME,
        CHIPHOST_ARCH,
        CHIPHOST_PLATFORM,
        CHIPHOST_VERSION,
        runtime_size,
        set_device,
        run,
        finalize_device,
        &chip,
        sdk_variables,
    };
    return &table;
}
