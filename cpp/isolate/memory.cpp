// SPDX-License-Identifier: Apache-2.0
#include "chiphost/isolate/memory.h"

#include "chiphost/isolate/library.h"
#include "instance.h"
#include "status/report.h"

namespace chiphost::isolate {

struct Memory::State {
    std::weak_ptr<Instance> instance;
    MemoryBlock block;

    // Does something with the instance, if there still is one.
    template <typename Body>
    void use(Body&& body) const {
        ch_error error = no_error();
        Status status;
        if (const std::shared_ptr<Instance> open = instance.lock()) {
            status = body(*open, Wait{open->options().timeout, {}}, &error);
        } else {
            status = report(&error, CH_FINALIZED, "memory", "the library was closed");
        }
        if (!status.ok()) throw Error(error);
    }
};

Memory Library::alloc(size_t bytes) const {
    MemoryBlock block;
    ch_error error = no_error();
    const Status status = instance_->alloc(bytes, {instance_->options().timeout, {}}, &block, &error);
    if (!status.ok()) throw Error(error);
    return Memory(std::make_shared<Memory::State>(Memory::State{instance_, block}));
}

uint64_t Memory::address() const {
    return state_->block.address;
}

size_t Memory::bytes() const {
    return state_->block.bytes;
}

void Memory::write(const void* data, size_t bytes, size_t offset) const {
    state_->use([&](Instance& instance, const Wait& wait, ch_error* out_error) {
        return instance.write(state_->block, offset, data, bytes, wait, out_error);
    });
}

void Memory::read(void* out_data, size_t bytes, size_t offset) const {
    state_->use([&](Instance& instance, const Wait& wait, ch_error* out_error) {
        return instance.read(state_->block, offset, out_data, bytes, wait, out_error);
    });
}

void Memory::free() const {
    state_->use([&](Instance& instance, const Wait& wait, ch_error* out_error) {
        return instance.free(state_->block, wait, out_error);
    });
}

}  // namespace chiphost::isolate
