// SPDX-License-Identifier: Apache-2.0
#include "circumstances.h"

#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/temporary_folder.h"

extern char** environ;

namespace chiphost::isolate {

namespace {

template <typename Value>
void add(std::string* text, const Value& value) {
    text->append(reinterpret_cast<const char*>(&value), sizeof value);
}

// Adds the identity of a file, which is the same for all that are not known.
void add_file(std::string* text, bool known, const struct stat& status) {
    add(text, known ? status.st_dev : 0);
    add(text, known ? status.st_ino : 0);
}

}  // namespace

void Circumstances::find_facts() {
    std::string& text = facts_;
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
    CPU_ZERO(&processors_);
    sched_getaffinity(0, sizeof processors_, &processors_);
    add(&text, processors_);
    add(&text, geteuid());
    add(&text, getegid());
}

Circumstances Circumstances::of_this_thread() {
    Circumstances now;
    now.find_facts();
    now.temporary_folder_ = os::temporary_folder();
    now.environment_.reserve(8192);
    for (char** variable = environ; variable && *variable; ++variable) {
        now.environment_.append(*variable, strlen(*variable) + 1);
    }
    return now;
}

bool Circumstances::still_hold() const {
    Circumstances now;
    now.find_facts();
    return now.facts_ == facts_;
}

std::vector<char*> Circumstances::environment() const {
    std::vector<char*> variables;
    const char* const all = environment_.c_str();
    for (size_t at = 0; at < environment_.size(); at += strlen(all + at) + 1) {
        variables.push_back(const_cast<char*>(all + at));  // posix_spawn only reads it
    }
    variables.push_back(nullptr);
    return variables;
}

}  // namespace chiphost::isolate
