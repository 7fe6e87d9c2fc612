// SPDX-License-Identifier: Apache-2.0
#include "kernel_names.h"

#include <stdio.h>

#include "os/code_offset.h"

namespace chiphost::graph {

namespace {

struct FuncIds {
    int32_t of[3];
};

FuncIds func_ids_of(const Task& task) {
    FuncIds ids{{-1, -1, -1}};
    for (uint32_t core = 0; core < 3; ++core) {
        if (task.cores & (1u << core)) ids.of[core] = task.func_id[core];
    }
    return ids;
}

unsigned long long printed(uint64_t number) {
    return number;
}

}  // namespace

NameText KernelNames::kernel(int64_t func_id) const {
    NameText to;
    if (func_id >= 0 && func_id < count_ && names_[func_id].text[0] != '\0') {
        snprintf(to.text, sizeof to.text, "kernel `%.64s`", names_[func_id].text);
    } else {
        snprintf(to.text, sizeof to.text, "kernel of func_id %lld", static_cast<long long>(func_id));
    }
    return to;
}

NameText KernelNames::kernels(const int32_t (&func_ids)[3]) const {
    NameText to{};
    uint32_t used = 0;
    for (const int32_t func_id : func_ids) used += func_id != -1;
    size_t length = 0;
    const auto add = [&](const char* format, auto value) {
        const int added = snprintf(to.text + length, sizeof to.text - length, format, value);
        length += static_cast<size_t>(added);  // names are short: there is room for three
    };
    for (const int32_t func_id : func_ids) {
        if (func_id == -1) continue;
        if (used == 1) return kernel(func_id);
        add("%s", length == 0 ? "kernels " : ", ");
        if (func_id >= 0 && static_cast<uint32_t>(func_id) < count_ && names_[func_id].text[0] != '\0') {
            add("`%.64s`", names_[func_id].text);
        } else {
            add("of func_id %d", func_id);
        }
    }
    return to;
}

NameText KernelNames::submission(uint64_t number, const int32_t (&func_ids)[3]) const {
    NameText to;
    const NameText kernels = this->kernels(func_ids);
    if (kernels.text[0] == '\0') {
        snprintf(to.text, sizeof to.text, "submit #%llu", printed(number));
    } else {
        snprintf(to.text, sizeof to.text, "submit #%llu (%.280s)", printed(number), kernels.text);
    }
    return to;
}

NameText KernelNames::task(const Task& task) const {
    return submission(task.submission, func_ids_of(task).of);
}

NameText task_id_text(int64_t id) {
    NameText to;
    if (id < 0) {
        snprintf(to.text, sizeof to.text, "task %lld", static_cast<long long>(id));
    } else {
        const auto bits = static_cast<uint64_t>(id);
        snprintf(to.text, sizeof to.text, "task %u of ring %llu", static_cast<uint32_t>(bits), printed(bits >> 32));
    }
    return to;
}

NameText code_text(uint64_t return_address) {
    NameText to{};
    if (const uint64_t offset = os::code_offset(return_address)) {
        snprintf(to.text, sizeof to.text, " at [orchestration+0x%llx]", printed(offset));
    }
    return to;
}

}  // namespace chiphost::graph
