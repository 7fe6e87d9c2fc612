// SPDX-License-Identifier: Apache-2.0
//
// Arguments that are ranges of the caller's memory. In a function's type they stand for a pointer to the elements, and
// tell its direction and, with every call, its length. So such a call may also be made in another process.
//
// Ownership: the caller's; the elements must last until the call has returned, after a call that never returned for
// ever.
// Threads: any.
// Errors: none.
#pragma once

#include <stddef.h>

#include <iterator>
#include <type_traits>

namespace chiphost::isolate {

// A range that the function reads: const T*.
//
// T: the type of the elements.
template <typename T>
class In {
public:
    // Takes `count` elements from `data` on.
    In(const T* data, size_t count) : data_(data), count_(count) {}
    // Takes all elements of a container.
    //
    // Container: such as std::vector.
    // container: it must last as long as its elements.
    template <typename Container>
    In(const Container& container) : In(std::data(container), std::size(container)) {}
    // Gives the first element.
    const T* data() const { return data_; }
    // Gives the size of all elements.
    size_t bytes() const { return count_ * sizeof(T); }

private:
    const T* data_;
    size_t count_;
};

// A range that the function reads and writes: T*.
//
// T: the type of the elements.
template <typename T>
class InOut {
public:
    // Takes `count` elements from `data` on.
    InOut(T* data, size_t count) : data_(data), count_(count) {}
    // Takes all elements of a container.
    //
    // Container: such as std::vector.
    // container: it must last as long as its elements.
    template <typename Container, typename = std::enable_if_t<!std::is_base_of_v<InOut, Container>>>
    InOut(Container& container) : InOut(std::data(container), std::size(container)) {}
    // Gives the first element.
    T* data() const { return data_; }
    // Gives the size of all elements.
    size_t bytes() const { return count_ * sizeof(T); }

private:
    T* data_;
    size_t count_;
};

// A range that the function writes, whatever it held: T*. It is made as an InOut.
//
// T: the type of the elements.
template <typename T>
class Out : public InOut<T> {
public:
    using InOut<T>::InOut;
};

}  // namespace chiphost::isolate
