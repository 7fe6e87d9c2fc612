// SPDX-License-Identifier: Apache-2.0
//
// A real device program, linked in under the name real_program, with one fault in the header of its table. The build
// says which program: FAKE_TABLE and FAKE_ENTRY.
#include "chiphost/abi/device_program.h"
#include "fake_header.h"

extern "C" const FAKE_TABLE* real_program();

namespace {

FAKE_TABLE table_with_fault() {
    FAKE_TABLE table = *real_program();
    table.header = with_fault(table.header);
    return table;
}

}  // namespace

#ifdef FAKE_NO_ENTRY
#define ENTRY some_other_name
#else
#define ENTRY FAKE_ENTRY
#endif

extern "C" __attribute__((visibility("default"))) const FAKE_TABLE* ENTRY() {
    static const FAKE_TABLE table = table_with_fault();
    return &table;
}
