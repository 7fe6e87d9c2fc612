// SPDX-License-Identifier: Apache-2.0
//
// Memory on the library's side, for what arguments cannot describe: structures with pointers to more, and what a
// library keeps between calls. It is the same with all strategies.
//
//     isolate::Memory values = library.alloc(3 * sizeof(double));
//     values.write(numbers, sizeof numbers);
//     struct { double* values; uint64_t count; } request{values.as<double>(), 3};
//     isolate::Memory argument = library.alloc(sizeof request);
//     argument.write(&request, sizeof request);
//     double total = library.function<double(void*)>("total")(argument.as<void>());
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <memory>

namespace chiphost::isolate {

class Instance;

// A handle of a block of memory; made by Library::alloc. Copies of it are the same block. It lives until free(), or
// until the library is closed, whether there is a handle or not, and keeps no library open. chiphost has made it and
// frees it: the library must not. What a call that never returned, or a thread that is left, may still use is never
// freed.
//
// Threads: any, of the process that opened the library. Members that do something wait for calls of the library that
// are under way, as long as its timeout says.
// Errors: they throw Error: CH_FINALIZED once the library was closed or is gone, and what Library says otherwise.
// Nothing is done then.
// Ownership: the library's; see above.
class Memory {
public:
    // Gives the address in the library's address space, aligned to 64 bytes. With Strategy::process it means nothing
    // here; it may be passed to the library, as may addresses within the block, and be written into other blocks.
    //
    // Errors: none.
    uint64_t address() const;
    // Gives the address as a pointer.
    //
    // T: what it points to.
    // Errors: none.
    template <typename T>
    T* as() const {
        return reinterpret_cast<T*>(address());
    }
    // Gives the size of the block.
    //
    // Errors: none.
    size_t bytes() const;

    // Copies into the block.
    //
    // data: `bytes` bytes of this program's memory, borrowed for the call.
    // offset: byte of the block at which they begin.
    // Errors: CH_INVALID_ARGUMENT for what lies outside the block, or after `free`; else as for all members.
    void write(const void* data, size_t bytes, size_t offset = 0) const;
    // Copies out of the block.
    //
    // out_data: room for `bytes` bytes in this program's memory.
    // offset: byte of the block at which they begin.
    // Errors: CH_INVALID_ARGUMENT for what lies outside the block, or after `free`; else as for all members.
    void read(void* out_data, size_t bytes, size_t offset = 0) const;
    // Gives the block back. Nothing the library has may refer to it any more. A second call does nothing.
    void free() const;

private:
    friend class Library;
    struct State;
    explicit Memory(std::shared_ptr<State> state) : state_(std::move(state)) {}

    std::shared_ptr<State> state_;
};

}  // namespace chiphost::isolate
