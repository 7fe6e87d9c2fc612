// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nanobind/nanobind.h>

#include "worker/exploration.h"

namespace chiphost::bindings {

// Adds the class Exploration.
void bind_exploration(nanobind::module_& module);

}  // namespace chiphost::bindings
