// SPDX-License-Identifier: Apache-2.0
#include "library_memory.h"

#include <nanobind/stl/optional.h>

#include <utility>

#include "array.h"
#include "library_owner.h"
#include "without_gil.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace chiphost::bindings {

using isolate::Instance;

namespace {

ArgSpec spec(const char* name, ch_access access) {
    ArgSpec spec;
    spec.name = name;
    spec.access = access;
    return spec;
}

}  // namespace

// Calls `body(instance, wait, out_error)` if the library is still open.
template <typename Body>
void LibraryMemory::use(Body&& body) const {
    const CallGuard guard;
    std::shared_ptr<Instance> open = instance_.lock();
    if (!open) raise(CH_FINALIZED, "memory", "the library was closed");
    const LibraryOwner owner(std::move(open));
    without_gil(guard, [&](const GoOn& go_on, ch_error* out_error) {
        return body(*owner, isolate::Wait{owner->options().timeout, go_on}, out_error);
    }).raise_if_failed();
}

void LibraryMemory::write(nb::handle data, uint64_t offset) const {
    Pins pins;
    const ch_tensor tensor = pins.add(data, spec("write: the data", CH_IN), "write: the data");
    use([&](Instance& instance, const isolate::Wait& wait, ch_error* out_error) {
        return instance.write(block_, offset, reinterpret_cast<const void*>(tensor.data), ch_tensor_bytes(&tensor),
                              wait, out_error);
    });
}

nb::bytes LibraryMemory::read(std::optional<uint64_t> count, uint64_t offset) const {
    const uint64_t rest = offset <= block_.bytes ? block_.bytes - offset : 0;
    const uint64_t wanted = count.value_or(rest);
    // This is checked before so much memory is taken here.
    if (offset > block_.bytes || wanted > rest) {
        isolate::MemoryBlocks blocks;
        ch_error error = no_error();
        const Status status = blocks.check(blocks.add(block_.address, block_.bytes), offset, wanted, "read", &error);
        if (!status.ok()) raise(error);
    }
    nb::object result = nb::steal(PyBytes_FromStringAndSize(nullptr, static_cast<Py_ssize_t>(wanted)));
    if (!result.is_valid()) throw nb::python_error();
    use([&](Instance& instance, const isolate::Wait& wait, ch_error* out_error) {
        return instance.read(block_, offset, PyBytes_AS_STRING(result.ptr()), wanted, wait, out_error);
    });
    return nb::cast<nb::bytes>(result);
}

void LibraryMemory::read_into(nb::handle array, uint64_t offset) const {
    Pins pins;
    const ch_tensor tensor = pins.add(array, spec("read_into: the array", CH_OUT), "read_into: the array");
    use([&](Instance& instance, const isolate::Wait& wait, ch_error* out_error) {
        return instance.read(block_, offset, reinterpret_cast<void*>(tensor.data), ch_tensor_bytes(&tensor), wait,
                             out_error);
    });
}

void LibraryMemory::free() {
    use([&](Instance& instance, const isolate::Wait& wait, ch_error* out_error) {
        return instance.free(block_, wait, out_error);
    });
    freed_ = true;
}

void bind_library_memory(nb::module_& module) {
    nb::class_<LibraryMemory>(module, "LibraryMemory", "Memory on a library's side; see chiphost.isolate.")
        .def("write", &LibraryMemory::write, "data"_a, "offset"_a,
             nb::sig("def write(self, data: object, offset: int) -> None"))
        .def("read", &LibraryMemory::read, "bytes"_a.none(), "offset"_a,
             nb::sig("def read(self, bytes: int | None, offset: int) -> bytes"))
        .def("read_into", &LibraryMemory::read_into, "array"_a, "offset"_a,
             nb::sig("def read_into(self, array: object, offset: int) -> None"))
        .def("free", &LibraryMemory::free)
        .def_prop_ro("address", &LibraryMemory::address)
        .def_prop_ro("bytes", &LibraryMemory::bytes);
}

}  // namespace chiphost::bindings
