// SPDX-License-Identifier: Apache-2.0
//
// The calls of the vendor's runtime that load programs and start them.
#include <string.h>

#include <mutex>
#include <string>

#include "chiphost/abi/device_program.h"
#include "chiphost/platform/chip.h"
#include "onboard/driver.h"
#include "onboard/launch_record.h"
#include "shared/orch_so_file.h"
#include "standin_cores.h"
#include "standin_state.h"
#include "standin_stream.h"

using namespace chiphost::platform;
using namespace chiphost::platform::standin;

static constexpr int32_t aicpu_exception = 507018;

STANDIN_CALL int32_t rtRegisterAllKernel(const VendorBinary* binary, void** out_handle) {
    STANDIN_PLANTED();
    if (binary->magic != vendor_binary_elf) return refuse(invalid_parameter, "no ELF file for both kinds of cores");
    void* library = load(binary->data, binary->bytes, "AICore program");
    if (!library) return invalid_parameter;
    const auto entry =
        reinterpret_cast<ch_aicore_program_entry>(find_in_device_orch_so(library, CH_AICORE_PROGRAM_ENTRY));
    if (!entry) return refuse(invalid_parameter, "the AICore program has no entry");
    *out_handle = new CoreProgram{library, entry()};
    return 0;
}

STANDIN_CALL int32_t rtDevBinaryUnRegister(void* handle) {
    STANDIN_PLANTED();
    auto* program = static_cast<CoreProgram*>(handle);
    close_library(nullptr, program->library);
    delete program;
    return 0;
}

STANDIN_CALL int32_t rtKernelLaunchWithHandleV2(void* handle, uint64_t, uint32_t blocks, VendorCoreArgs* args, void*,
                                                void* stream, const VendorTaskConfig* config) {
    STANDIN_PLANTED();
    if (const int32_t code = check_stream(stream)) return code;
    LaunchRecord* record = nullptr;
    if (args->args_bytes != sizeof record) return refuse(invalid_parameter, "wanted the address of a record");
    memcpy(static_cast<void*>(&record), args->args, sizeof record);
    if (!is_device_memory(record, sizeof *record)) return refuse(invalid_parameter, "the record is not on the device");
    if (blocks == 0 || blocks > chip.clusters) return refuse(invalid_parameter, "the chip has not so many clusters");
    if (config->schedule_mode != vendor_schedule_batch) return refuse(invalid_parameter, "cores would come one by one");
    const ch_aicore_program* program = static_cast<CoreProgram*>(handle)->table;
    begin_use(record, &Process::Use::aicore, {});
    const std::string held_by = variable("CHIPHOST_STANDIN_HOLD");
    const bool late = !variable("CHIPHOST_STANDIN_LATE").empty();
    static_cast<Stream*>(stream)->start([=] {
        const int32_t code = run_cores(program, blocks, record, held_by, late);
        end_use(record, &Process::Use::aicore);
        return code;
    });
    return 0;
}

STANDIN_CALL int32_t rtAicpuKernelLaunchExWithArgs(uint32_t kind, const char* operation, uint32_t blocks,
                                                   const VendorAicpuArgs* args, void*, void* stream, uint32_t) {
    STANDIN_PLANTED();
    if (const int32_t code = check_stream(stream)) return code;
    if (kind != vendor_aicpu_kfc || strcmp(operation, "AST_DYN_AICPU") != 0) {
        return refuse(invalid_parameter, "no such operation");
    }
    const std::string bytes(static_cast<const char*>(args->args), args->args_bytes);
    const std::string kernel = bytes.c_str() + args->kernel_name_offset;
    if (bytes.c_str() + args->library_name_offset != std::string("libaicpu_extend_kernels.so")) {
        return refuse(invalid_parameter, "no such library");
    }
    const auto& launch = *reinterpret_cast<const AicpuLaunchArgs*>(bytes.data());
    const auto* library = reinterpret_cast<const LibraryArgs*>(launch.library);
    if (!is_device_memory(library, sizeof *library)) return refuse(invalid_parameter, "no library is named");
    const bool first = kernel == "DynTileFwkKernelServerInit";
    if (!first && kernel != "DynTileFwkKernelServer") return refuse(invalid_parameter, "no such kernel");
    void* loaded = nullptr;
    {
        const std::lock_guard<std::mutex> lock(process().mutex);
        void*& kept = process().aicpu_library;
        if (first && !kept) {
            kept = load(reinterpret_cast<const void*>(library->data), library->bytes, "AICPU program");
            if (!kept) return aicpu_exception;
        }
        loaded = kept;
    }
    using Entry = uint32_t (*)(void* arguments);
    const char* symbol = first ? "DynTileFwkBackendKernelServerInit" : "DynTileFwkBackendKernelServer";
    const auto entry = loaded ? reinterpret_cast<Entry>(find_in_device_orch_so(loaded, symbol)) : nullptr;
    if (!entry) return refuse(aicpu_exception, "the AICPU program has no such function");
    const auto* record = reinterpret_cast<const LaunchRecord*>(launch.record);
    if (!is_device_memory(record, sizeof *record)) return refuse(invalid_parameter, "the record is not on the device");
    const std::string held_by = variable("CHIPHOST_STANDIN_HOLD");
    for (uint32_t i = 0; i < blocks; ++i) begin_use(record, &Process::Use::aicpu, {launch.library, library->data});
    for (uint32_t i = 0; i < blocks; ++i) {
        static_cast<Stream*>(stream)->start([=]() mutable {
            hold(held_by);
            std::string own = bytes;  // every thread has the arguments
            const uint32_t code = entry(own.data());
            end_use(record, &Process::Use::aicpu);
            return code == 0 ? 0 : aicpu_exception;
        });
    }
    return 0;
}
