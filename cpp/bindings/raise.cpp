// SPDX-License-Identifier: Apache-2.0
#include "raise.h"

#include <nanobind/stl/string.h>
#include <string.h>

#include <stdexcept>

#include "status/report.h"

namespace nb = nanobind;

namespace chiphost::bindings {

void raise(const ch_error& error) {
    // The text may come from anywhere and may have been cut in the middle of a character.
    const auto text = [](const char* bytes) {
        return nb::steal(PyUnicode_DecodeUTF8(bytes, static_cast<Py_ssize_t>(strlen(bytes)), "replace"));
    };
    // errors.raise_error makes the exception of the right class; the C++ core knows codes only.
    nb::module_::import_("chiphost.errors")
        .attr("raise_error")(error.code, text(error.message), text(error.where), error.detail_code, error.task,
                             error.core, error.func_id);
    throw std::runtime_error("chiphost.errors.raise_error returned");
}

void raise(ch_code code, const std::string& where, const std::string& message) {
    ch_error error = no_error();
    report(&error, code, where, "%s", message.c_str());
    raise(error);
}

void raise_from(const nb::python_error& cause, ch_code code, const std::string& where, const std::string& message) {
    try {
        raise(code, where, message);
    } catch (const nb::python_error& error) {
        PyException_SetCause(error.value().ptr(), nb::object(nb::borrow(cause.value())).release().ptr());  // steals it
        throw;
    }
}

std::string type_of(nb::handle object) {
    return nb::cast<std::string>(nb::str(object.type().attr("__name__")));
}

}  // namespace chiphost::bindings
