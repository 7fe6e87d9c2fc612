// SPDX-License-Identifier: Apache-2.0
//
// The reasons why objects are still loaded after a library was closed.
#pragma once

#include <string>
#include <vector>

#include "chiphost/isolate/close_result.h"
#include "loader/elf_image.h"

namespace chiphost::isolate {

// Paths of `after` that are not in `before`.
std::vector<std::string> objects_not_in(const std::vector<std::string>& before, const std::vector<std::string>& after);

// A loaded object as a reason to keep those it needs.
struct LeftObject {
    std::string path;
    loader::UnloadTraits traits;
};

// At least one reason why the library is left, with `others` left beside it.
std::vector<Pin> pins_of_library(const std::string& path, const loader::UnloadTraits& traits,
                                 const std::vector<LeftObject>& others);

// The reasons why each of the objects is left; empty without objects.
std::vector<Pin> pins_of_objects(const std::vector<std::string>& paths);

}  // namespace chiphost::isolate
