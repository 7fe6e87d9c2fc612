// SPDX-License-Identifier: Apache-2.0
#include <stdexcept>

__attribute__((constructor)) static void complain() {
    throw std::runtime_error("no licence");
}
