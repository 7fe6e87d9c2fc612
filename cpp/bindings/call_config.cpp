// SPDX-License-Identifier: Apache-2.0
#include "call_config.h"

#include <ctype.h>
#include <errno.h>
#include <nanobind/stl/string.h>
#include <stddef.h>
#include <stdlib.h>

#include <array>
#include <limits>
#include <string>
#include <string_view>

#include "raise.h"
#include "scalar.h"
#include "timeout.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace chiphost::bindings {

namespace {

enum class Kind { number, optional, flag, seconds };

// A row of call_config.def, and how the field is reached.
struct Field {
    const char* name = nullptr;
    Kind kind = Kind::number;
    const char* kind_name = "";
    uint64_t least = 0;
    uint64_t most = 0;  // that the record can hold
    const char* user = "";
    const char* variable = "";
    const char* default_words = "";
    const char* range_words = "";
    const char* meaning = "";
    uint64_t (*get)(const ch_call_config& record) = nullptr;
    void (*set)(ch_call_config& record, uint64_t word) = nullptr;
    double CallConfig::* seconds = nullptr;  // instead of get and set, for what the record does not have
};

constexpr size_t field_count = 0
#define CH_CONFIG_FIELD(...) +1
#define CH_CONFIG_SECONDS(...) +1
#include "chiphost/abi/call_config.def"
    ;

constexpr size_t positional_count = 3;  // the others are given by name only

constexpr std::array<Field, field_count> make_fields() {
    std::array<Field, field_count> all{};
#define CH_CONFIG_FIELD(type, field, field_kind, initial, least_value, position, user_name, environment, default_text, \
                        range_text, text)                                                                              \
    {                                                                                                                  \
        Field& row = all[position];                                                                                    \
        row.name = #field;                                                                                             \
        row.kind = Kind::field_kind;                                                                                   \
        row.kind_name = #field_kind;                                                                                   \
        row.least = least_value;                                                                                       \
        row.most = std::numeric_limits<type>::max();                                                                   \
        row.user = #user_name;                                                                                         \
        row.variable = environment;                                                                                    \
        row.default_words = default_text;                                                                              \
        row.range_words = range_text;                                                                                  \
        row.meaning = text;                                                                                            \
        row.get = [](const ch_call_config& record) -> uint64_t { return record.field; };                               \
        row.set = [](ch_call_config& record, uint64_t word) { record.field = static_cast<type>(word); };               \
    }
#define CH_CONFIG_SECONDS(field, initial, position, default_text, range_text, text) \
    {                                                                               \
        Field& row = all[position];                                                 \
        row.name = #field;                                                          \
        row.kind = Kind::seconds;                                                   \
        row.kind_name = "seconds";                                                  \
        row.user = "caller";                                                        \
        row.default_words = default_text;                                           \
        row.range_words = range_text;                                               \
        row.meaning = text;                                                         \
        row.seconds = &CallConfig::field;                                           \
    }
#include "chiphost/abi/call_config.def"
    return all;
}

// The fields in the order in which Python has them.
constexpr std::array<Field, field_count> fields = make_fields();

constexpr bool every_position_is_taken() {
    for (const Field& field : fields) {
        if (!field.name) return false;
    }
    return true;
}
static_assert(every_position_is_taken(), "two rows of call_config.def have the same position");

const Field* find_field(std::string_view name) {
    for (const Field& field : fields) {
        if (name == field.name) return &field;
    }
    return nullptr;
}

// True is an integer for Python, and block_dim=True a slip.
void refuse_bool(nb::handle value, const char* name) {
    const std::string type = type_of(value);
    if (type == "bool" || type == "bool_") raise(CH_INVALID_ARGUMENT, name, "wanted a number, found " + type);
}

uint64_t word_of_number(const Field& field, nb::handle value) {
    refuse_bool(value, field.name);
    if (field.most > UINT32_MAX) return scalar_word(value, CH_UINT64, field.name);
    int overflow = 0;
    if (PyLong_Check(value.ptr())) PyLong_AsLongLongAndOverflow(value.ptr(), &overflow);
    const uint64_t word = overflow ? UINT64_MAX : scalar_word(value, CH_INT64, field.name);
    if (word > field.most) {  // out of range for every chip
        raise(CH_CONFIG_OUT_OF_RANGE, field.name,
              "wanted 0 or more, within the bounds that the chip sets; found " + nb::cast<std::string>(nb::str(value)));
    }
    return word;
}

// None leaves the field to the runtime. It is 0 in the record then, so that 0 itself has to be refused here.
uint64_t word_of_optional(const Field& field, nb::handle value) {
    if (value.is_none()) return 0;
    const uint64_t word = word_of_number(field, value);
    if (word == 0) {
        raise(CH_CONFIG_OUT_OF_RANGE, field.name,
              "wanted " + std::to_string(field.least) + " or more, or None for what the chip has; found 0");
    }
    return word;
}

uint64_t word_of_flag(const Field& field, nb::handle value) {
    if (!PyBool_Check(value.ptr())) {
        raise(CH_INVALID_ARGUMENT, field.name, "wanted True or False, found " + type_of(value));
    }
    return value.ptr() == Py_True;
}

void set(CallConfig& config, const Field& field, nb::handle value) {
    switch (field.kind) {
        case Kind::number:
            return field.set(config.raw, word_of_number(field, value));
        case Kind::optional:
            return field.set(config.raw, word_of_optional(field, value));
        case Kind::flag:
            return field.set(config.raw, word_of_flag(field, value));
        case Kind::seconds:
            refuse_bool(value, field.name);
            config.*field.seconds = seconds_of(value);
    }
}

// The field as the record has it: a number, a bool or a float. What is left to the runtime is 0.
nb::object plain(const CallConfig& config, const Field& field) {
    if (field.kind == Kind::seconds) return nb::float_(config.*field.seconds);
    const uint64_t word = field.get(config.raw);
    if (field.kind == Kind::flag) return nb::bool_(word != 0);
    return nb::int_(word);
}

nb::object get(const CallConfig& config, const Field& field) {
    if (field.kind == Kind::optional && field.get(config.raw) == 0) return nb::none();
    return plain(config, field);
}

// The initial value that the environment gives a field, None if it gives none.
nb::object from_environment(const Field& field) {
    const char* const variable = field.variable;
    const char* text = *variable ? getenv(variable) : nullptr;
    if (!text || !*text) return nb::none();
    char* end = nullptr;
    errno = 0;
    const unsigned long long number = strtoull(text, &end, 10);
    if (errno || *end || !isdigit(static_cast<unsigned char>(*text))) {
        raise(CH_CONFIG_OUT_OF_RANGE, variable,
              std::string("wanted a number in the environment variable, found '") + text + "'");
    }
    return nb::cast(static_cast<uint64_t>(number));
}

// The values that a caller of CallConfig gives for the fields; nullptr for a field without one. The errors stand in for
// nanobind's own, which list everything that it would take.
std::array<PyObject*, field_count> given_values(const nb::args& values, const nb::kwargs& named) {
    std::array<PyObject*, field_count> given{};
    if (values.size() > positional_count) {
        throw nb::type_error(("CallConfig takes " + std::to_string(positional_count) +
                              " arguments without a name, found " + std::to_string(values.size()))
                                 .c_str());
    }
    for (size_t i = 0; i < values.size(); ++i) given[i] = PyTuple_GET_ITEM(values.ptr(), static_cast<Py_ssize_t>(i));
    for (const auto& [name, value] : named) {
        const Field* field = find_field(nb::cast<const char*>(name));
        if (!field) {
            throw nb::type_error(("CallConfig has no field " + nb::cast<std::string>(nb::repr(name))).c_str());
        }
        PyObject*& place = given[static_cast<size_t>(field - fields.data())];
        if (place) throw nb::type_error(("CallConfig got two values for '" + std::string(field->name) + "'").c_str());
        place = value.ptr();
    }
    return given;
}

void initialize(CallConfig* config, const nb::args& values, const nb::kwargs& named) {
    const auto given = given_values(values, named);
    new (config) CallConfig;
    for (size_t i = 0; i < fields.size(); ++i) {
        const Field& field = fields[i];
        if (*field.variable && (!given[i] || given[i] == Py_None)) {
            set(*config, field, from_environment(field));
        } else if (given[i]) {
            set(*config, field, given[i]);
        }
    }
}

// The state for pickle and copy.deepcopy.
nb::tuple state_of(const CallConfig& config) {
    nb::list state;
    for (const Field& field : fields) state.append(plain(config, field));
    return nb::tuple(state);
}

void set_state(CallConfig* config, const nb::tuple& state) {
    if (state.size() != fields.size()) throw nb::value_error("the state of another version's CallConfig");
    new (config) CallConfig;
    for (size_t i = 0; i < fields.size(); ++i) {
        const Field& field = fields[i];
        nb::object value = state[i];
        if (field.kind == Kind::optional && value.equal(nb::int_(0))) value = nb::none();
        set(*config, field, value);
    }
}

std::string text_of(const CallConfig& config) {
    std::string text;
    for (const Field& field : fields) {
        text += (text.empty() ? "" : ", ") + std::string(field.name) + "=" +
                nb::cast<std::string>(nb::repr(get(config, field)));
    }
    return "CallConfig(" + text + ")";
}

// (name, kind, least, user, variable, default_words, range_words, meaning)
nb::list config_table() {
    nb::list rows;
    for (const Field& field : fields) {
        rows.append(nb::make_tuple(field.name, field.kind_name, field.least, field.user, field.variable,
                                   field.default_words, field.range_words, field.meaning));
    }
    return rows;
}

// The texts below are for people, and for type checkers.

std::string python_type(const Field& field) {
    switch (field.kind) {
        case Kind::number:
            return "int";
        case Kind::optional:
            return "int | None";
        case Kind::flag:
            return "bool";
        case Kind::seconds:
            return "float";
    }
    return "";
}

std::string signature_of_init() {
    std::string text = "def __init__(self";
    for (size_t i = 0; i < fields.size(); ++i) {
        const Field& field = fields[i];
        if (i == positional_count) text += ", *";
        text += ", " + std::string(field.name) + ": " + python_type(field) + " = " +
                (field.kind == Kind::optional ? "None" : field.default_words);
    }
    return text + ") -> None";
}

std::string type_of_state() {
    std::string text;
    for (const Field& field : fields) {
        text += (text.empty() ? "" : ", ") + (field.kind == Kind::optional ? "int" : python_type(field));
    }
    return "tuple[" + text + "]";
}

// Adds words to a docstring, in lines as long as those of this project's Python, the first of them with less space.
void add_wrapped(std::string* text, std::string_view words) {
    constexpr size_t columns = 116;  // a stub indents them
    std::string line = "   ";
    while (!words.empty()) {
        const size_t end = words.find(' ');
        const std::string_view word = words.substr(0, end);
        if (line.size() + 1 + word.size() > columns) {
            *text += line + "\n";
            line = "       ";
        }
        line += " " + std::string(word);
        words = end == std::string_view::npos ? "" : words.substr(end + 1);
    }
    *text += line;
}

std::string documentation() {
    std::string text = "How a run is executed.\n\nAttributes:";
    for (const Field& field : fields) {
        std::string words = std::string(field.name) + ": " + field.meaning + ".";
        if (*field.range_words) words += std::string(" Range: ") + field.range_words + ".";
        words += (field.kind == Kind::optional ? " None: " : " Default: ") + std::string(field.default_words) + ".";
        text += "\n";
        add_wrapped(&text, words);
    }
    return text;
}

void bind_field(nb::class_<CallConfig>& config_class, const Field& field) {
    const std::string begin = "def " + std::string(field.name) + "(self";
    const std::string getter = begin + ") -> " + python_type(field);
    const std::string setter = begin + ", value: " + python_type(field) + ", /) -> None";
    config_class.def_prop_rw(
        field.name, [&field](const CallConfig& self) { return get(self, field); },
        [&field](CallConfig& self, nb::handle value) { set(self, field, value); },
        nb::for_getter(nb::sig(getter.c_str())), nb::for_setter(nb::arg("value").none()),
        nb::for_setter(nb::sig(setter.c_str())));
}

}  // namespace

void bind_call_config(nb::module_& module) {
    module.def("config_table", config_table,
               nb::sig("def config_table() -> list[tuple[str, str, int, str, str, str, str, str]]"),
               "Rows (name, kind, least, user, variable, default, range, meaning) of call_config.def, which says what "
               "they mean.");
    const std::string get_state = "def __getstate__(self) -> " + type_of_state();
    const std::string set_state_text = "def __setstate__(self, arg: " + type_of_state() + ", /) -> None";
    nb::class_<CallConfig> config_class(module, "CallConfig", documentation().c_str());
    config_class.def("__init__", initialize, nb::sig(signature_of_init().c_str()));
    for (const Field& field : fields) bind_field(config_class, field);
    config_class.def("__copy__", [](const CallConfig& self) { return CallConfig(self); })
        .def("__getstate__", state_of, nb::sig(get_state.c_str()))
        .def("__setstate__", set_state, nb::sig(set_state_text.c_str()))
        .def("__repr__", text_of);
}

}  // namespace chiphost::bindings
