// SPDX-License-Identifier: Apache-2.0
#include "callable.h"

#include <utility>

namespace nb = nanobind;
using namespace nb::literals;

namespace chiphost::bindings {

Callable::Callable(PyBinary orchestration, std::string entry, std::vector<PyKernel> kernels, std::string key,
                   std::optional<std::vector<PyArg>> signature)
    : entry_(std::move(entry)), key_(std::move(key)), has_signature_(signature.has_value()) {
    binaries_.reserve(kernels.size() + 1);  // addresses are taken below
    raw_.orchestration = keep(std::move(orchestration));
    for (PyKernel& kernel : kernels) {
        ch_kernel& raw = kernels_.emplace_back();
        raw.func_id = static_cast<uint32_t>(std::get<0>(kernel));
        raw.core_type = static_cast<uint32_t>(std::get<1>(kernel));
        raw.binary = keep(std::move(std::get<2>(kernel)));
    }
    raw_.format = CH_CALLABLE_FORMAT;
    raw_.kernel_count = static_cast<uint32_t>(kernels_.size());
    raw_.key = key_.c_str();
    raw_.entry = entry_.c_str();
    raw_.kernels = kernels_.data();
    if (signature) {
        for (const PyArg& arg : *signature) add_arg(arg);
    }
}
ch_binary Callable::keep(PyBinary binary) {
    binaries_.push_back(std::move(binary));
    const auto& [data, key, name] = binaries_.back();
    return {data.c_str(), data.size(), key.c_str(), name.c_str()};
}

void Callable::add_arg(const PyArg& arg) {
    const auto& [name, kind, dtype, shape] = arg;
    ArgSpec spec;
    spec.name = name;
    spec.scalar = kind == "scalar";
    spec.access = kind == "in" ? CH_IN : kind == "out" ? CH_OUT : kind == "inout" ? CH_INOUT : CH_ACCESS_UNKNOWN;
    spec.dtype = dtype;
    spec.any_shape = !shape.has_value();
    if (shape) spec.shape = *shape;
    signature_.push_back(std::move(spec));
}

void bind_callable(nb::module_& module) {
    nb::class_<Callable>(module, "Callable",
                         "Orchestration, kernels and signature as the C++ core keeps them; see chiphost.ChipCallable.")
        .def(nb::init<PyBinary, std::string, std::vector<PyKernel>, std::string, std::optional<std::vector<PyArg>>>(),
             "orchestration"_a, "entry"_a, "kernels"_a, "key"_a, "signature"_a.none());
}

}  // namespace chiphost::bindings
