// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <type_traits>

namespace pto {

enum class TileType { Vec, Mat, Left, Right, Acc, Bias };

template <TileType Loc_, typename Element, int Rows_, int Cols_>
class Tile {
public:
    using DType = Element;
    static constexpr TileType Loc = Loc_;
    static constexpr int Rows = Rows_, Cols = Cols_;
    Element*& data() { return data_; }

private:
    Element* data_ = nullptr;
};

// As there: a name that is declared nowhere, in what nobody uses.
template <typename Element>
struct Unused {
    void use() { declared_nowhere(); }
};

template <typename Element>
class GlobalTensor {
public:
    using DType = Element;
    void SetAddr(Element* address) { data_ = address; }
    Element* data() { return data_; }

private:
    Element* data_ = nullptr;
};

template <typename T>
struct is_global : std::false_type {};
template <typename Element>
struct is_global<GlobalTensor<Element>> : std::true_type {};
template <typename T>
constexpr bool is_global_data_v = is_global<T>::value;

}  // namespace pto
