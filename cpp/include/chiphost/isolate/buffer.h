// SPDX-License-Identifier: Apache-2.0
//
// Arguments that are ranges of the caller's memory. In a function's type they stand for a pointer to the elements, and
// tell its direction and, with every call, its length. So such a call may also be made in another process.
#pragma once

#include <stddef.h>

#include <iterator>
#include <type_traits>

namespace chiphost::isolate {

// The function reads the elements: const T*.
template <typename T>
class In {
public:
    In(const T* data, size_t count) : data_(data), count_(count) {}
    template <typename Container>
    In(const Container& container) : In(std::data(container), std::size(container)) {}
    const T* data() const { return data_; }
    size_t bytes() const { return count_ * sizeof(T); }

private:
    const T* data_;
    size_t count_;
};

// The function reads and writes the elements: T*.
template <typename T>
class InOut {
public:
    InOut(T* data, size_t count) : data_(data), count_(count) {}
    template <typename Container, typename = std::enable_if_t<!std::is_base_of_v<InOut, Container>>>
    InOut(Container& container) : InOut(std::data(container), std::size(container)) {}
    T* data() const { return data_; }
    size_t bytes() const { return count_ * sizeof(T); }

private:
    T* data_;
    size_t count_;
};

// The function writes the elements, whatever they were: T*.
template <typename T>
class Out : public InOut<T> {
public:
    using InOut<T>::InOut;
};

}  // namespace chiphost::isolate
