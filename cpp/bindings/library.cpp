// SPDX-License-Identifier: Apache-2.0
#include "library.h"

#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "call_guard.h"
#include "file_path.h"
#include "library_function.h"
#include "library_memory.h"
#include "library_owner.h"
#include "python_output.h"
#include "strategy.h"
#include "timeout.h"
#include "without_gil.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace chiphost::bindings {

namespace {

class Library {
public:
    Library(const FilePath& path, const FilePath& anchor, const FilePath& child, const std::string& strategy,
            uint64_t stack_bytes, bool default_lookup, nb::handle timeout_s)
        : owner_(
              open(path.string(), anchor.string(), child.string(), strategy, stack_bytes, default_lookup, timeout_s)) {}

    LibraryMemory alloc(uint64_t bytes) const {
        const CallGuard guard;
        isolate::MemoryBlock block;
        without_gil(guard, [&](const GoOn& go_on, ch_error* out_error) {
            return owner_->alloc(bytes, {owner_->options().timeout, go_on}, &block, out_error);
        }).raise_if_failed();
        return {owner_.shared(), block};
    }

    LibraryFunction function(const std::string& name, const PyType& result, const std::vector<PyType>& parameters,
                             nb::handle timeout_s) const {
        const CallGuard guard;
        const isolate::Timeout timeout = timeout_of(timeout_s, owner_->options().timeout);
        isolate::Symbol symbol;
        without_gil(guard, [&](const GoOn& go_on, ch_error* out_error) {
            return owner_->find(name, {timeout, go_on}, &symbol, out_error);
        }).raise_if_failed();
        return LibraryFunction(owner_, std::move(symbol), result, parameters, timeout);
    }

    // (state, [(cause, object, what)], namespace_recycled)
    std::tuple<std::string, std::vector<std::tuple<std::string, nb::object, std::string>>, bool> close(
        nb::handle timeout_s) const {
        const CallGuard guard;
        write_python_output();
        const isolate::Timeout timeout = timeout_of(timeout_s, owner_->options().timeout);
        isolate::CloseResult result;
        without_gil(guard, [&](const GoOn& go_on, ch_error* out_error) {
            return owner_->close({timeout, go_on}, &result, out_error);
        }).raise_if_failed();
        std::vector<std::tuple<std::string, nb::object, std::string>> pins;
        for (const isolate::Pin& pin : result.pins) {
            pins.emplace_back(isolate::pin_cause_name(pin.cause), text_of_path(pin.object), pin.what);
        }
        return {isolate::close_state_name(result.state), std::move(pins), result.namespace_recycled};
    }

    const isolate::Instance& instance() const { return *owner_; }

private:
    static std::shared_ptr<isolate::Instance> open(const std::string& path, const std::string& anchor,
                                                   const std::string& child, const std::string& strategy,
                                                   uint64_t stack_bytes, bool default_lookup, nb::handle timeout_s) {
        const CallGuard guard;
        write_python_output();
        isolate::Options options;
        options.strategy = strategy_of(strategy, "strategy");
        options.stack_bytes = stack_bytes;
        options.default_lookup = default_lookup;
        options.timeout = timeout_of(timeout_s, isolate::no_timeout);
        options.anchor_path = anchor;
        options.child_path = child;
        std::shared_ptr<isolate::Instance> instance;
        without_gil(guard, [&](const GoOn& go_on, ch_error* out_error) {
            return isolate::Instance::open(path, options, go_on, &instance, out_error);
        }).raise_if_failed();
        return instance;
    }

    const LibraryOwner owner_;
};

}  // namespace

void bind_library(nb::module_& module) {
    nb::class_<Library>(module, "Library", "An instance of a library; see chiphost.isolate.")
        .def(nb::init<const FilePath&, const FilePath&, const FilePath&, const std::string&, uint64_t, bool,
                      nb::handle>(),
             "path"_a, "anchor"_a, "child"_a, "strategy"_a, "stack_bytes"_a, "default_lookup"_a, "timeout_s"_a.none(),
             nb::sig("def __init__(self, path: str, anchor: str, child: str, strategy: str, stack_bytes: int, "
                     "default_lookup: bool, timeout_s: float | None) "
                     "-> None"))
        .def("function", &Library::function, "name"_a, "result"_a, "parameters"_a, "timeout_s"_a.none(),
             nb::sig("def function(self, name: str, result: tuple[str, int, str], parameters: "
                     "collections.abc.Sequence[tuple[str, int, str]], timeout_s: float | None) -> LibraryFunction"))
        .def("alloc", &Library::alloc, "bytes"_a, nb::sig("def alloc(self, bytes: int) -> LibraryMemory"))
        .def("close", &Library::close, "timeout_s"_a.none(),
             nb::sig("def close(self, timeout_s: float | None) -> tuple[str, list[tuple[str, str, str]], bool]"))
        .def_prop_ro("path", [](const Library& self) { return text_of_path(self.instance().path()); })
        .def_prop_ro("strategy",
                     [](const Library& self) { return isolate::strategy_name(self.instance().options().strategy); })
        .def_prop_ro(
            "process_id",
            [](const Library& self) -> nb::object {
                const pid_t id = self.instance().process_id();
                return id < 0 ? nb::none() : nb::object(nb::int_(id));
            },
            nb::sig("def process_id(self) -> int | None"))
        .def_prop_ro("poisoned", [](const Library& self) { return self.instance().poisoned(); });
}

}  // namespace chiphost::bindings
