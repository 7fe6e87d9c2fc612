// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <utility>

#include "isolate/instance.h"

namespace chiphost::bindings {

// Keeps an instance of a library open. The last one closes it, which runs code of the library and may take its time.
// Destroyed with the GIL held.
class LibraryOwner {
public:
    explicit LibraryOwner(std::shared_ptr<isolate::Instance> instance) : instance_(std::move(instance)) {}
    LibraryOwner(const LibraryOwner&) = default;
    LibraryOwner& operator=(const LibraryOwner&) = delete;
    ~LibraryOwner();

    isolate::Instance& operator*() const { return *instance_; }
    isolate::Instance* operator->() const { return instance_.get(); }
    const std::shared_ptr<isolate::Instance>& shared() const { return instance_; }

private:
    std::shared_ptr<isolate::Instance> instance_;
};

}  // namespace chiphost::bindings
