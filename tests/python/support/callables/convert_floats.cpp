// SPDX-License-Identifier: Apache-2.0
//
// A program, no callable: converts the numbers of its input with <chiphost/float16.h> and writes the results.
//
//     convert_floats native|software|bfloat16 widen|float|double
//
// `widen` reads numbers of two bytes and writes floats. `float` and `double` read those, and write numbers of two
// bytes.
#include <chiphost/float16.h>
#include <stdio.h>
#include <string.h>

namespace {

template <typename From, typename To>
int convert() {
    From from[4096];
    To to[4096];
    while (const size_t count = fread(from, sizeof(From), 4096, stdin)) {
        for (size_t i = 0; i < count; ++i) to[i] = static_cast<To>(from[i]);
        if (fwrite(to, sizeof(To), count, stdout) != count) return 1;
    }
    return 0;
}

template <typename Half>
int convert(const char* what) {
    if (strcmp(what, "widen") == 0) return convert<Half, float>();
    if (strcmp(what, "float") == 0) return convert<float, Half>();
    return convert<double, Half>();
}

}  // namespace

int main(int, char** words) {
    using namespace chiphost;
    if (strcmp(words[1], "native") == 0) return convert<float16>(words[2]);
    if (strcmp(words[1], "software") == 0) {
        return convert<float16_detail::Software<float16_detail::HalfFormat>>(words[2]);
    }
    return convert<bfloat16>(words[2]);
}
