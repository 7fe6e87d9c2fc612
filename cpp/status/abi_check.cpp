// SPDX-License-Identifier: Apache-2.0
#include "abi_check.h"

#include <stddef.h>

#include "report.h"

namespace chiphost {

namespace {

const char* kind_name(uint16_t kind) {
    switch (kind) {
        case CH_ABI_ANCHOR:
            return "an anchor";
        case CH_ABI_HOST_RUNTIME:
            return "a host runtime";
        case CH_ABI_AICPU_PROGRAM:
            return "an AICPU program";
        case CH_ABI_AICORE_PROGRAM:
            return "an AICore program";
        case CH_ABI_HOST_ORCHESTRATION:
            return "an orchestration for the host (chiphost/host_build_graph.h)";
        case CH_ABI_DEVICE_ORCHESTRATION:
            return "an orchestration for the AICPU (chiphost/device_graph.h)";
        case CH_ABI_CONFORMANCE:
            return "a conformance suite";
        default:
            return "of an unknown kind";
    }
}

bool tags_fit(std::string_view wanted_platform, std::string_view found) {
    constexpr std::string_view host = CH_HOST_TAG "/";
    if (found.substr(0, host.size()) != host) return false;
    const std::string_view platform = found.substr(host.size());
    return wanted_platform.empty() || platform == "*" || platform == wanted_platform;
}

}  // namespace

Status check_header(const ch_abi_header& header, const Expected& expected, std::string_view where,
                    ch_error* out_error) {
    if (header.magic != CH_ABI_MAGIC || header.header_bytes != sizeof(ch_abi_header)) {
        return report(out_error, CH_ABI_MISMATCH, where,
                      "wanted a table that begins with magic 0x%08x and a header of %zu bytes, found 0x%08x and %u",
                      CH_ABI_MAGIC, sizeof(ch_abi_header), header.magic, header.header_bytes);
    }
    if (header.kind != expected.kind) {
        return report(out_error, CH_ABI_MISMATCH, where, "wanted %s, found %s", kind_name(expected.kind),
                      kind_name(header.kind));
    }
    const char* tag = header.tag ? header.tag : "(none)";
    if (!tags_fit(expected.platform, tag)) {
        return report(out_error, CH_ABI_MISMATCH, where, "wanted tag " CH_HOST_TAG "/%.*s, found %s",
                      expected.platform.empty() ? 1 : static_cast<int>(expected.platform.size()),
                      expected.platform.empty() ? "*" : expected.platform.data(), tag);
    }
    if (header.major != expected.major) {
        return report(out_error, CH_ABI_MISMATCH, where, "wanted %s of ABI version %u.x, found %u.%u",
                      kind_name(expected.kind), expected.major, header.major, header.minor);
    }
    if (header.minor < expected.minor || header.table_bytes < expected.table_bytes) {
        return report(out_error, CH_ABI_MISMATCH, where,
                      "wanted %s of ABI version %u.%u or a later minor (%u bytes), found %u.%u (%u bytes)",
                      kind_name(expected.kind), expected.major, expected.minor, expected.table_bytes, header.major,
                      header.minor, header.table_bytes);
    }
    return CH_OK;
}

Status check_wanted(const ch_abi_header* abi, const char* symbol, const Expected& provided, std::string_view where,
                    ch_error* out_error) {
    if (!abi) {
        return report(out_error, CH_ENTRY_MISSING, where, "wanted the symbol %s, which the runtime's header defines",
                      symbol);
    }
    if (abi->magic == CH_ABI_MAGIC && abi->kind == provided.kind && abi->major == provided.major &&
        abi->minor <= provided.minor) {
        return CH_OK;
    }
    return report(out_error, CH_ABI_MISMATCH, where,
                  "wanted %s of version %u.%u or an earlier minor, found %s of version %u.%u", kind_name(provided.kind),
                  provided.major, provided.minor, abi->magic == CH_ABI_MAGIC ? kind_name(abi->kind) : "something else",
                  abi->major, abi->minor);
}

}  // namespace chiphost
