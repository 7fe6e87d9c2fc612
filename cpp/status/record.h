// SPDX-License-Identifier: Apache-2.0
//
// Records that begin with struct_bytes, the size that their writer knows. A later minor version adds fields at the end,
// so writer and reader may know different sizes. Fields that the writer does not know are 0 for the reader.
#pragma once

#include <string.h>

#include <algorithm>

#include "report.h"
#include "status.h"

namespace chiphost {

// Reads a record. `bytes_min` is its size in the first minor version. CH_ABI_MISMATCH for a shorter one; `where` names
// the call.
template <typename Record>
Status read_record(const Record& from, size_t bytes_min, const char* where, Record* out_record, ch_error* out_error) {
    if (from.struct_bytes < bytes_min) {
        return report(out_error, CH_ABI_MISMATCH, where, "wanted a record of %zu bytes or more, found %u", bytes_min,
                      from.struct_bytes);
    }
    *out_record = Record{};
    memcpy(static_cast<void*>(out_record), &from, std::min<size_t>(from.struct_bytes, sizeof(Record)));
    return CH_OK;
}

// Writes as much of a record as its reader knows; the reader has set to->struct_bytes.
template <typename Record>
void write_record(const Record& from, Record* to) {
    const uint32_t bytes = to->struct_bytes;
    memcpy(static_cast<void*>(to), &from, std::min<size_t>(bytes, sizeof(Record)));
    to->struct_bytes = bytes;
}

}  // namespace chiphost
