// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "chiphost/abi/header.h"

// The header of a program with the fault that the build asks for, if any.
constexpr ch_abi_header with_fault(ch_abi_header header) {
#ifdef FAKE_WRONG_MAGIC
    header.magic = 0x12345678;
#endif
#ifdef FAKE_WRONG_KIND
    header.kind = CH_ABI_ANCHOR;
#endif
#ifdef FAKE_WRONG_TAG
    header.tag = "sparc-solaris/a2a3sim";
#endif
#ifdef FAKE_WRONG_MAJOR
    header.major += 1;
#endif
#ifdef FAKE_NEWER_MINOR
    header.minor += 1;
    header.table_bytes += 8;
#endif
#ifdef FAKE_SHORT_TABLE
    header.table_bytes -= 8;
#endif
    return header;
}
