// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

__attribute__((constructor)) static void hang() {
    for (;;) pause();
}
