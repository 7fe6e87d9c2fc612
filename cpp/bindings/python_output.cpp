// SPDX-License-Identifier: Apache-2.0
#include "python_output.h"

#include <nanobind/nanobind.h>
#include <string.h>

namespace nb = nanobind;

namespace chiphost::bindings {

void write_python_output() {
    PyObject* file = PySys_GetObject("stdout");  // borrowed
    if (!file || strcmp(Py_TYPE(file)->tp_name, "_io.TextIOWrapper") != 0) return;
    const nb::object kept = nb::borrow(file);
    if (const nb::object done = nb::steal(PyObject_CallMethod(file, "flush", nullptr)); done.is_valid()) return;
    if (!PyErr_ExceptionMatches(PyExc_Exception)) throw nb::python_error();  // KeyboardInterrupt
    PyErr_Clear();
}

}  // namespace chiphost::bindings
