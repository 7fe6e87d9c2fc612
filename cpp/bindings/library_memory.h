// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nanobind/nanobind.h>
#include <stdint.h>

#include <memory>
#include <optional>

#include "isolate/instance.h"

namespace chiphost::bindings {

// A block of memory on a library's side. Keeps no library open: everything but the facts raises StateError (FINALIZED)
// once it is closed. Needs the GIL, and gives it away while the library works.
class LibraryMemory {
public:
    LibraryMemory(std::shared_ptr<isolate::Instance> instance, const isolate::MemoryBlock& block)
        : instance_(instance), block_(block) {}

    uint64_t address() const { return block_.address; }
    uint64_t bytes() const { return block_.bytes; }
    bool is_of(const isolate::Instance& instance) const { return instance_.lock().get() == &instance; }
    bool freed() const { return freed_; }

    // Arrays are what Pins takes. Offsets and counts are in bytes; without a count, all that follows is read.
    void write(nanobind::handle data, uint64_t offset) const;
    nanobind::bytes read(std::optional<uint64_t> count, uint64_t offset) const;
    void read_into(nanobind::handle array, uint64_t offset) const;
    void free();

private:
    template <typename Body>
    void use(Body&& body) const;

    const std::weak_ptr<isolate::Instance> instance_;
    const isolate::MemoryBlock block_;
    bool freed_ = false;
};

// Adds the class LibraryMemory.
void bind_library_memory(nanobind::module_& module);

}  // namespace chiphost::bindings
