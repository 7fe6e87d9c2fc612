// SPDX-License-Identifier: Apache-2.0
#include "driver.h"

#include <dlfcn.h>

#include <string>
#include <vector>

#include "loader/loader_gate.h"
#include "loader/loader_path.h"
#include "status/report.h"

namespace chiphost::platform {

namespace {

constexpr const char* library_names[] = {"libascendcl.so", "libruntime.so", "libascend_hal.so"};
// The kernel driver's installer puts its library there.
constexpr const char* driver_folder = "/usr/local/Ascend/driver/lib64/driver";

// The places of a library, best first. A name without a folder is looked for by the loader.
std::vector<std::string> places(const char* sdk_folder, const char* name) {
    std::vector<std::string> found;
    if (*sdk_folder) found.push_back(std::string(sdk_folder) + "/lib64/" + name);
    found.emplace_back(name);
    found.push_back(std::string(driver_folder) + "/" + name);
    return found;
}

// For messages: no variable names the vendor's folder.
std::string none_is_set() {
    std::string words;
    for (const char* name : {CHIPHOST_SDK_VARIABLES})
        words += (words.empty() ? "neither " : " nor ") + std::string(name);
    return words + " is set";
}

void* open_first(const std::vector<std::string>& paths, std::string* out_refusals) {
    for (const std::string& path : paths) {
        if (void* library = dlopen(loader::LoaderPath(path).c_str(), RTLD_NOW | RTLD_LOCAL)) return library;
        const char* why = dlerror();
        if (!out_refusals->empty()) *out_refusals += "; ";
        *out_refusals += why ? why : path;
    }
    return nullptr;
}

}  // namespace

Driver::~Driver() {
    if (kept_) return;
    const loader::LoaderPass pass(gate_);
    for (void* library : libraries_) {
        if (library) dlclose(library);
    }
}

Status Driver::load(const char* sdk_folder, const char* sdk_variable, const char* register_name, ch_error* out_error) {
    std::string missing, refusals;
    const loader::LoaderPass pass(gate_);
    for (int i = 0; i < library_count; ++i) {
        std::string why;
        libraries_[i] = open_first(places(sdk_folder, library_names[i]), &why);
        if (libraries_[i]) continue;
        missing += (missing.empty() ? "" : ", ") + std::string(library_names[i]);
        if (refusals.empty()) refusals = why;
    }
    if (!missing.empty()) {
        std::string sdk = "(" + none_is_set() + ") ";
        if (*sdk_folder) {
            const std::string named_by = *sdk_variable ? " (" + std::string(sdk_variable) + ")" : "";
            sdk = "in " + std::string(sdk_folder) + "/lib64" + named_by + ", ";
        }
        return report(out_error, CH_PLATFORM_FAILED, "driver",
                      "the chip vendor's software is missing: %s; looked %swhere the dynamic loader looks "
                      "(LD_LIBRARY_PATH, ldconfig), and in %s; the loader says: %s",
                      missing.c_str(), sdk.c_str(), driver_folder, refusals.c_str());
    }
    const auto find = [&](Library library, const char* name) {
        void* address = dlsym(libraries_[library], name);
        if (!address) missing += (missing.empty() ? "" : ", ") + std::string(name) + " in " + library_names[library];
        return address;
    };
#define CHIPHOST_VENDOR_CALL(library, name, parameters) name = reinterpret_cast<decltype(name)>(find(library, #name));
    CHIPHOST_VENDOR_CALLS(CHIPHOST_VENDOR_CALL)
#undef CHIPHOST_VENDOR_CALL
    register_call = find(hal, register_name);
    recent_error_ = reinterpret_cast<const char* (*)()>(dlsym(libraries_[acl], "aclGetRecentErrMsg"));
    if (missing.empty()) return CH_OK;
    return report(out_error, CH_PLATFORM_FAILED, "driver", "the chip vendor's software is of another version: no %s",
                  missing.c_str());
}

void* Driver::find_in_runtime(const char* name) const {
    return dlsym(libraries_[runtime], name);
}

Status Driver::failed(const char* call, int32_t code, ch_error* out_error) const {
    const char* words = recent_error_ ? recent_error_() : nullptr;
    return report(out_error, CH_PLATFORM_FAILED, "device", "%s returned %d%s%s", call, code,
                  words && *words ? ": " : "", words && *words ? words : "");
}

}  // namespace chiphost::platform
