// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <string_view>

#include "chiphost/abi/error.h"
#include "chiphost/abi/loader_gate.h"
#include "status/status.h"

namespace chiphost::loader {

// The constructors of a library that is about to be loaded, to be run after that.
//
// Inside dlopen an exception of a constructor ends the process, whoever would catch it, and a constructor that does not
// return holds the loader's lock. Out here the exception is an error of this library, and the other constructor keeps
// nobody else waiting.
class Constructors {
public:
    // Takes them out of a file: the loader will find none. The loader sees to the constructors of the libraries it
    // needs, and to a file that is no library.
    Constructors(char* data, size_t bytes);

    // Runs them, with the program's arguments, which the gate knows, or without arguments if it is nullptr. CH_OK, or
    // CH_LOAD_REFUSED if a constructor throws: then the caller must close the library. `name` is for messages.
    Status run(void* handle, const ch_loader_gate* gate, std::string_view name, ch_error* out_error) const;

private:
    uint64_t address_ = 0;  // address of their list in the library
    uint64_t bytes_ = 0;
};

}  // namespace chiphost::loader
