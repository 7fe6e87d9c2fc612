// SPDX-License-Identifier: Apache-2.0
#include "finding.h"

#include <string.h>

#include <algorithm>
#include <utility>

namespace chiphost::check {

namespace {

bool same_actor(const Access& a, const Access& b) {
    return a.actor == b.actor && a.action == b.action && a.func_id == b.func_id && a.code == b.code &&
           a.submitted == b.submitted;
}

bool same_memory(const Memory& a, const Memory& b) {
    // Outputs of tasks that one line submits are one cause, whichever of them it is.
    return a.kind == b.kind && a.number == b.number && a.name == b.name;
}

bool same_cause(const Finding& a, const Finding& b) {
    return a.check == b.check && strcmp(a.what, b.what) == 0 && a.has_second == b.has_second &&
           same_actor(a.first, b.first) && same_memory(a.memory, b.memory) &&
           (!a.has_second || same_actor(a.second, b.second));
}

// True if both are of the same task, block and memory: then they are one range that came in pieces.
bool same_place(const Finding& a, const Finding& b) {
    return a.first.submission == b.first.submission && a.first.block == b.first.block &&
           a.memory.submission == b.memory.submission &&
           (!a.has_second || (a.second.submission == b.second.submission && a.second.block == b.second.block));
}

// Writes JSON. Values are numbers, words of the checker, and names of a chip's memories: none needs quoting.
class Json {
public:
    Json& open(char bracket) {
        separate();
        text_ += bracket;
        first_ = true;
        return *this;
    }
    Json& close(char bracket) {
        text_ += bracket;
        first_ = false;
        return *this;
    }
    Json& key(const char* name) {
        separate();
        text_ += '"';
        text_ += name;
        text_ += "\": ";
        first_ = true;
        return *this;
    }
    template <typename Number>
    Json& number(Number value) {
        separate();
        text_ += std::to_string(value);
        return *this;
    }
    Json& word(const std::string& value) {
        separate();
        text_ += '"' + value + '"';
        return *this;
    }
    Json& null() {
        separate();
        text_ += "null";
        return *this;
    }
    std::string take() { return std::move(text_); }

private:
    void separate() {
        if (!first_) text_ += ", ";
        first_ = false;
    }

    std::string text_;
    bool first_ = true;
};

void write(Json& json, const Access& access) {
    static const char* const actors[] = {"task", "orchestration", "host"};
    static const char* const actions[] = {"read", "write", "atomic"};
    json.open('{');
    json.key("actor").word(actors[static_cast<int>(access.actor)]);
    json.key("action").word(actions[static_cast<int>(access.action)]);
    if (access.actor == Access::Actor::task) {
        json.key("submission").number(access.submission);
        json.key("id").number(access.id);
        json.key("func_id").number(access.func_id);
        json.key("block").number(access.block);
        json.key("block_num").number(access.block_num);
        json.key("core").number(access.core);
        json.key("argument").number(access.argument);
        json.key("role").number(access.role);
    }
    json.key("program").number(access.actor == Access::Actor::task ? access.func_id : -1);
    json.key("code").open('[');
    for (const uint64_t offset : access.code) json.number(offset);
    json.close(']');
    json.key("submitted").open('[');
    for (const uint64_t offset : access.submitted) json.number(offset);
    json.close(']').close('}');
}

void write(Json& json, const Memory& memory) {
    static const char* const kinds[] = {"argument", "output", "allocation", "runtime", "local", "none"};
    json.open('{');
    json.key("kind").word(kinds[static_cast<int>(memory.kind)]);
    json.key("number").number(memory.number);
    if (memory.kind == Memory::Kind::output) json.key("submission").number(memory.submission);
    if (memory.kind == Memory::Kind::local) json.key("name").word(memory.name);
    json.key("bytes").number(memory.bytes);
    if (memory.has_shape) {
        json.key("shape").open('[');
        for (uint32_t dim = 0; dim < memory.ndims; ++dim) json.number(memory.shape[dim]);
        json.close(']');
        json.key("dtype").number(memory.dtype);
    }
    json.close('}');
}

void write_indices(Json& json, const Memory& memory, uint64_t element) {
    uint64_t indices[CH_MAX_DIMS] = {};
    for (uint32_t dim = memory.ndims; dim-- > 0;) {
        indices[dim] = element % memory.shape[dim];
        element /= memory.shape[dim];
    }
    json.open('[');
    for (uint32_t dim = 0; dim < memory.ndims; ++dim) json.number(indices[dim]);
    json.close(']');
}

void write_elements(Json& json, const Finding& finding) {
    const Memory& memory = finding.memory;
    const bool inside =
        finding.begin >= 0 && finding.end > finding.begin && static_cast<uint64_t>(finding.end) <= memory.bytes;
    if (!memory.has_shape || !inside) {
        json.key("elements").null();
        return;
    }
    const uint64_t bytes = ch_dtype_bytes(memory.dtype);
    json.key("elements").open('{');
    json.key("first");
    write_indices(json, memory, static_cast<uint64_t>(finding.begin) / bytes);
    json.key("last");
    write_indices(json, memory, static_cast<uint64_t>(finding.end - 1) / bytes);
    json.close('}');
}

void write(Json& json, const Finding& finding) {
    static const std::pair<uint32_t, const char*> names[] = {{races, "races"},         {declared, "declared"},
                                                             {memory, "memory"},       {init, "init"},
                                                             {coherence, "coherence"}, {arguments, "arguments"}};
    json.open('{');
    for (const auto& [bit, name] : names) {
        if (bit == finding.check) json.key("check").word(name);
    }
    json.key("what").word(finding.what);
    json.key("count").number(finding.count);
    json.key("first");
    write(json, finding.first);
    json.key("second");
    if (finding.has_second) {
        write(json, finding.second);
    } else {
        json.null();
    }
    json.key("memory");
    write(json, finding.memory);
    json.key("begin").number(finding.begin);
    json.key("end").number(finding.end);
    write_elements(json, finding);
    json.close('}');
}

}  // namespace

// The one of the same cause that is kept, nullptr if none is.
Finding* Findings::find(const Finding& finding) {
    const auto known = std::find_if(findings_.begin(), findings_.end(),
                                    [&](const Finding& each) { return same_cause(each, finding); });
    return known == findings_.end() ? nullptr : &*known;
}

void Findings::add(Finding finding) {
    if (Finding* const known = find(finding)) {
        ++known->count;
        const bool adjoins = finding.begin <= known->end && known->begin <= finding.end;
        if (adjoins && same_place(*known, finding)) {
            known->begin = std::min(known->begin, finding.begin);
            known->end = std::max(known->end, finding.end);
        }
        return;
    }
    keep(std::move(finding), kept_max);
}

void Findings::keep(Finding finding, size_t most) {
    if (findings_.size() < most) {
        findings_.push_back(std::move(finding));
    } else {
        ++dropped_;
    }
}

void Findings::add_apart(Finding finding) {
    size_t same = 0;
    for (const Finding& known : findings_) same += same_cause(known, finding);
    if (same >= apart_max) return add(std::move(finding));
    keep(std::move(finding), kept_max * apart_max);
}

void Findings::merge() {
    std::vector<Finding> all = std::move(findings_);
    findings_.clear();
    for (Finding& finding : all) {
        if (Finding* const known = find(finding)) known->count += finding.count - 1;  // add() counts one
        add(std::move(finding));
    }
}

void Findings::clear() {
    findings_.clear();
    dropped_ = 0;
}

std::string to_json(const Findings& findings, uint32_t checks, uint64_t tasks, uint64_t edges,
                    uint64_t unnecessary_edges) {
    Json json;
    json.open('{');
    json.key("format").number(1);
    json.key("checks").number(checks);
    json.key("tasks").number(tasks);
    json.key("edges").number(edges);
    json.key("unnecessary_edges").number(unnecessary_edges);
    json.key("dropped").number(findings.dropped());
    json.key("findings").open('[');
    for (const Finding& finding : findings.all()) write(json, finding);
    json.close(']').close('}');
    return json.take();
}

}  // namespace chiphost::check
