// SPDX-License-Identifier: Apache-2.0
#include "close_pins.h"

#include <algorithm>

#include "loader/library_file.h"
#include "status/report.h"

namespace chiphost::isolate {

namespace {

bool contains(const std::vector<std::string>& list, const std::string& wanted) {
    return std::find(list.begin(), list.end(), wanted) != list.end();
}

// A file that has vanished or changed since tells nothing; then the reason stays "opened elsewhere".
loader::UnloadTraits traits_of_file(const std::string& path) {
    std::vector<char> bytes;
    ch_error ignored = no_error();
    if (loader::read_file(path, &bytes, &ignored) != CH_OK) return {};
    if (loader::check_elf_library(bytes.data(), bytes.size(), path, &ignored) != CH_OK) return {};
    return loader::unload_traits(bytes.data(), bytes.size());
}

}  // namespace

std::vector<std::string> objects_not_in(const std::vector<std::string>& before, const std::vector<std::string>& after) {
    std::vector<std::string> found;
    for (const std::string& path : after) {
        if (!contains(before, path)) found.push_back(path);
    }
    return found;
}

std::vector<Pin> pins_of_library(const std::string& path, const loader::UnloadTraits& traits,
                                 const std::vector<LeftObject>& others) {
    std::vector<Pin> pins;
    const auto add = [&](PinCause cause, std::string what = "") { pins.push_back({cause, path, std::move(what)}); };
    if (!traits.unique_symbol.empty()) add(PinCause::unique_symbol, traits.unique_symbol);
    if (traits.no_delete) add(PinCause::no_delete);
    if (traits.thread_local_destructor) add(PinCause::thread_local_destructor);
    const std::string file_name = path.substr(path.rfind('/') + 1);
    for (const LeftObject& other : others) {
        if (other.path == path) continue;
        const bool by_soname = !traits.soname.empty() && contains(other.traits.needed, traits.soname);
        if (by_soname || contains(other.traits.needed, file_name)) add(PinCause::needed_by, other.path);
    }
    if (pins.empty()) add(PinCause::opened_elsewhere);
    return pins;
}

std::vector<Pin> pins_of_objects(const std::vector<std::string>& paths) {
    std::vector<LeftObject> objects;
    for (const std::string& path : paths) objects.push_back({path, traits_of_file(path)});
    std::vector<Pin> pins;
    for (const LeftObject& object : objects) {
        for (Pin& pin : pins_of_library(object.path, object.traits, objects)) pins.push_back(std::move(pin));
    }
    return pins;
}

}  // namespace chiphost::isolate
