// SPDX-License-Identifier: Apache-2.0
#include "timeout.h"

#include <nanobind/stl/string.h>
#include <string.h>

#include <string>

#include "raise.h"
#include "scalar.h"

namespace nb = nanobind;

namespace chiphost::bindings {

double seconds_of(nb::handle timeout_s) {
    const uint64_t word = scalar_word(timeout_s, CH_FLOAT64, "timeout_s");
    double seconds = 0;
    memcpy(&seconds, &word, sizeof seconds);
    if (!(seconds >= 0)) {  // NaN too
        raise(CH_CONFIG_OUT_OF_RANGE, "timeout_s",
              "wanted 0 or more, found " + nb::cast<std::string>(nb::str(nb::float_(seconds))));
    }
    return seconds;
}

isolate::Timeout timeout_of(double seconds) {
    if (!(seconds > 0 && seconds < 1e9)) return isolate::no_timeout;
    return isolate::Timeout(static_cast<int64_t>(seconds * 1e9));
}

isolate::Timeout timeout_of(nb::handle timeout_s, isolate::Timeout fallback) {
    return timeout_s.is_none() ? fallback : timeout_of(seconds_of(timeout_s));
}

}  // namespace chiphost::bindings
