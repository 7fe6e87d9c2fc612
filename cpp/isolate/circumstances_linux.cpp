// SPDX-License-Identifier: Apache-2.0
#include "circumstances.h"

#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

extern char** environ;

namespace chiphost::isolate {

namespace {

template <typename Value>
void add(std::string* text, const Value& value) {
    text->append(reinterpret_cast<const char*>(&value), sizeof value);
}

// Which file it is; the same for all that are none.
void add_file(std::string* text, bool known, const struct stat& status) {
    add(text, known ? status.st_dev : 0);
    add(text, known ? status.st_ino : 0);
}

}  // namespace

std::string circumstances_of_this_process() {
    std::string text;
    text.reserve(8192);
    struct stat status{};
    add_file(&text, stat(".", &status) == 0, status);
    for (const int stream : {STDOUT_FILENO, STDERR_FILENO}) {
        const bool open = fstat(stream, &status) == 0;
        add_file(&text, open, status);
    }
    for (int which = 0; which < RLIM_NLIMITS; ++which) {
        rlimit limit{};
        getrlimit(static_cast<__rlimit_resource_t>(which), &limit);
        add(&text, limit.rlim_cur);
        add(&text, limit.rlim_max);
    }
    cpu_set_t processors;
    CPU_ZERO(&processors);
    sched_getaffinity(0, sizeof processors, &processors);
    add(&text, processors);
    add(&text, geteuid());
    add(&text, getegid());
    for (char** variable = environ; variable && *variable; ++variable) {
        text.append(*variable, strlen(*variable) + 1);
    }
    return text;
}

}  // namespace chiphost::isolate
