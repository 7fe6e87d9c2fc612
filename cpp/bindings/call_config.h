// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nanobind/nanobind.h>

#include "chiphost/abi/host_runtime.h"

namespace chiphost::bindings {

// Configuration of a run: the C record, and the fields that are the caller's own affair. The rows of call_config.def
// are its fields, in C++ and in Python.
struct CallConfig {
    ch_call_config raw{
        sizeof(ch_call_config),
#define CH_CONFIG_FIELD(type, name, kind, initial, ...) initial,
#include "chiphost/abi/call_config.def"
    };
#define CH_CONFIG_SECONDS(name, initial, ...) double name = initial;
#include "chiphost/abi/call_config.def"
};

// Adds the class CallConfig, and config_table: its fields for Python to read.
void bind_call_config(nanobind::module_& module);

}  // namespace chiphost::bindings
