// SPDX-License-Identifier: Apache-2.0
#include "tables.h"

#include "chiphost/abi/error.h"
#include "chiphost/abi/tensor.h"

namespace nb = nanobind;

namespace chiphost::bindings {

void bind_tables(nb::module_& module) {
    module.def(
        "error_table",
        [] {
            nb::list rows;
#define CH_ERROR(code, name, python_class, meaning, remedy) \
    rows.append(nb::make_tuple(code, #name, #python_class, meaning, remedy));
#include "chiphost/abi/errors.def"
            return rows;
        },
        nb::sig("def error_table() -> list[tuple[int, str, str, str, str]]"),
        "Rows (code, name, Python class, meaning, remedy) of the error table.");

    module.def(
        "dtype_table",
        [] {
            nb::dict table;
#define CH_DTYPE(number, name, bytes, numpy_name) table[numpy_name] = number;
            CH_DTYPE_TABLE(CH_DTYPE)
#undef CH_DTYPE
            return table;
        },
        nb::sig("def dtype_table() -> dict[str, int]"), "Numbers of the supported dtypes by their NumPy names.");
}

}  // namespace chiphost::bindings
