// SPDX-License-Identifier: Apache-2.0
#include "dtype.h"

#include <nanobind/stl/string.h>

#include "chiphost/abi/tensor.h"

namespace nb = nanobind;

namespace chiphost::bindings {

const char* dtype_name(int dtype) {
    switch (dtype) {
#define CH_DTYPE(number, name, bytes, numpy_name) \
    case number:                                  \
        return numpy_name;
        CH_DTYPE_TABLE(CH_DTYPE)
#undef CH_DTYPE
        default:
            return "any";
    }
}

const char* supported_dtypes() {
    return
#define CH_DTYPE(number, name, bytes, numpy_name) numpy_name " "
        CH_DTYPE_TABLE(CH_DTYPE)
#undef CH_DTYPE
            ;
}

bool is_supported(const std::string& dtype) {
#define CH_DTYPE(number, name, bytes, numpy_name) \
    if (dtype == numpy_name) return true;
    CH_DTYPE_TABLE(CH_DTYPE)
#undef CH_DTYPE
    return false;
}

std::string own_dtype_name(nb::handle object) {
    if (!nb::hasattr(object, "dtype")) return "";
    const nb::object dtype = object.attr("dtype");
    return nb::hasattr(dtype, "name") ? nb::cast<std::string>(nb::str(dtype.attr("name"))) : "";
}

std::string unsupported(const std::string& dtype) {
    return "dtype '" + dtype + "' is not supported; supported are " + supported_dtypes();
}

int dtype_of_format(const char* format, Py_ssize_t item_bytes) {
    if (!format) return CH_UINT8;
    if (*format == '@' || *format == '=' || *format == '<') ++format;  // all mean little-endian here
    if (format[0] == 0 || format[1] != 0) return -1;
    switch (*format) {
        case 'e':
            return CH_FLOAT16;
        case 'f':
            return CH_FLOAT32;
        case 'd':
            return CH_FLOAT64;
        case '?':
            return CH_BOOL;
        case 'b':
        case 'h':
        case 'i':
        case 'l':
        case 'q':
            return item_bytes == 1 ? CH_INT8 : item_bytes == 2 ? CH_INT16 : item_bytes == 4 ? CH_INT32 : CH_INT64;
        case 'B':
        case 'H':
        case 'I':
        case 'L':
        case 'Q':
            return item_bytes == 1 ? CH_UINT8 : item_bytes == 2 ? CH_UINT16 : item_bytes == 4 ? CH_UINT32 : CH_UINT64;
        default:
            return -1;
    }
}

std::string dlpack_dtype_text(nb::dlpack::dtype dtype) {
    using Code = nb::dlpack::dtype_code;
    const std::string bits = std::to_string(dtype.bits);
    const auto name = [&]() -> std::string {
        switch (static_cast<Code>(dtype.code)) {
            case Code::Int:
                return "int" + bits;
            case Code::UInt:
                return "uint" + bits;
            case Code::Float:
                return "float" + bits;
            case Code::Bfloat:
                return "bfloat" + bits;
            case Code::Complex:
                return "complex" + bits;
            case Code::Bcomplex:
                return "bcomplex" + bits;
            case Code::Bool:
                return dtype.bits == 8 ? "bool" : "bool of " + bits + " bits";
            case Code::Float8_E3M4:
                return "float8_e3m4";
            case Code::Float8_E4M3:
                return "float8_e4m3";
            case Code::Float8_E4M3B11FNUZ:
                return "float8_e4m3b11fnuz";
            case Code::Float8_E4M3FN:
                return "float8_e4m3fn";
            case Code::Float8_E4M3FNUZ:
                return "float8_e4m3fnuz";
            case Code::Float8_E5M2:
                return "float8_e5m2";
            case Code::Float8_E5M2FNUZ:
                return "float8_e5m2fnuz";
            case Code::Float8_E8M0FNU:
                return "float8_e8m0fnu";
            case Code::Float6_E2M3FN:
                return "float6_e2m3fn";
            case Code::Float6_E3M2FN:
                return "float6_e3m2fn";
            case Code::Float4_E2M1FN:
                return "float4_e2m1fn";
            default:
                return "DLPack's code " + std::to_string(dtype.code) + " with " + bits + " bits";
        }
    };
    return name() + (dtype.lanes == 1 ? "" : " in vectors of " + std::to_string(dtype.lanes));
}

int dtype_of_dlpack(nb::dlpack::dtype dtype) {
    if (dtype.lanes != 1) return -1;
    switch (static_cast<nb::dlpack::dtype_code>(dtype.code)) {
        case nb::dlpack::dtype_code::Float:
            return dtype.bits == 16 ? CH_FLOAT16 : dtype.bits == 32 ? CH_FLOAT32 : dtype.bits == 64 ? CH_FLOAT64 : -1;
        case nb::dlpack::dtype_code::Bfloat:
            return dtype.bits == 16 ? CH_BFLOAT16 : -1;
        case nb::dlpack::dtype_code::Bool:
            return dtype.bits == 8 ? CH_BOOL : -1;
        case nb::dlpack::dtype_code::Float8_E4M3FN:
            return dtype.bits == 8 ? CH_FLOAT8_E4M3FN : -1;
        case nb::dlpack::dtype_code::Float8_E5M2:
            return dtype.bits == 8 ? CH_FLOAT8_E5M2 : -1;
        case nb::dlpack::dtype_code::Int:
            return dtype.bits == 8    ? CH_INT8
                   : dtype.bits == 16 ? CH_INT16
                   : dtype.bits == 32 ? CH_INT32
                   : dtype.bits == 64 ? CH_INT64
                                      : -1;
        case nb::dlpack::dtype_code::UInt:
            return dtype.bits == 8    ? CH_UINT8
                   : dtype.bits == 16 ? CH_UINT16
                   : dtype.bits == 32 ? CH_UINT32
                   : dtype.bits == 64 ? CH_UINT64
                                      : -1;
        default:
            return -1;
    }
}

}  // namespace chiphost::bindings
