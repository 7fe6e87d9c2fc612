// SPDX-License-Identifier: Apache-2.0
#include "namespaces.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <string>

#include "file_path.h"
#include "isolate/domain/glibc_tunables.h"
#include "isolate/domain/namespace_budget.h"
#include "isolate/domain/namespace_pool.h"
#include "without_gil.h"
#include "worker/runtime_library.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace chiphost::bindings {

namespace {

// An estimate from glibc's tunables alone.
nb::dict namespace_estimate(size_t static_tls) {
    const auto tunables = isolate::LoaderTunables::in_force();
    const auto advice = isolate::advise(tunables, isolate::namespace_static_tls_min + static_tls);
    nb::dict result;
    result["namespaces"] = tunables.namespaces_estimated(static_tls);
    result["static_tls"] = tunables.static_tls_surplus();
    result["more_with"] = advice.tunables;
    return result;
}

nb::dict namespace_capacity(const FilePath& anchor, const FilePath& library) {
    isolate::NamespaceCapacity capacity;
    worker::RuntimeLibrary::Counts counts;
    size_t spare = 0;
    without_gil([&](ch_error* out_error) {
        const Status status = isolate::find_namespace_capacity(anchor.string(), library.string(), &capacity, out_error);
        counts = worker::RuntimeLibrary::counts();
        spare = isolate::NamespacePool::of_this_process().spare();
        return status;
    }).raise_if_failed();
    const auto& [numbers, probe, advice] = capacity;
    const char* limited_by = probe.limit == isolate::NamespaceLimit::count        ? "namespaces"
                             : probe.limit == isolate::NamespaceLimit::static_tls ? "static TLS"
                                                                                  : "";
    nb::dict result;
    result["opened"] = numbers.opened;
    result["others"] = numbers.others;
    result["left"] = probe.left;
    result["limited_by"] = limited_by;
    result["words"] = probe.words;
    result["spare"] = spare;
    result["idle"] = counts.namespaces_idle;
    result["pinned"] = counts.namespaces_pinned;
    result["pins"] = counts.pins;
    result["tunable_namespaces"] = numbers.tunables.namespaces;
    result["tunable_static_tls"] = numbers.tunables.static_tls;
    result["more_with"] = advice.tunables;
    result["more_namespaces"] = advice.namespaces;
    return result;
}

}  // namespace

void bind_namespaces(nb::module_& module) {
    module.def(
        "namespaces_unavailable", [] { return isolate::namespaces_unavailable(); },
        nb::sig("def namespaces_unavailable() -> str | None"),
        "Why this build or system has no linker namespaces; None if it has.");
    module.def(
        "namespace_estimate", namespace_estimate, "static_tls"_a,
        nb::sig("def namespace_estimate(static_tls: int) -> dict[str, object]"),
        "From glibc's tunables, without trying: namespaces that fit if each takes so many bytes of static TLS besides "
        "its libc's, bytes of static TLS that glibc keeps free, and the value of GLIBC_TUNABLES with which most fit.");
    module.def("namespace_capacity", namespace_capacity, "anchor"_a, "library"_a,
               nb::sig("def namespace_capacity(anchor: str, library: str) -> dict[str, object]"),
               "The fields of chiphost.capacity.Capacity, found by trying in a child process.");
}

}  // namespace chiphost::bindings
