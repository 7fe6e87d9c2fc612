# SPDX-License-Identifier: Apache-2.0
"""Small programs with one planted fault each.

Kernels and orchestrations are given as the bodies of their functions. The line with the fault ends with `// HERE`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

import chiphost as ch

HOST: Final = "host_build_graph"
EXPLICIT: Final = "aicpu_build_graph"
INFERRED: Final = "tensormap_and_ringbuffer"
ELEMENTS: Final = 64
MARK: Final = "// HERE"

# A kernel's arguments are tensors of float32; these names are the first elements of the first four.
_KERNEL: Final = """\
#include <chiphost/kernel.h>
#include <atomic>
#include <string.h>
%(before)s
extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    [[maybe_unused]] auto data = [&](int i) { return chiphost::tensor_data<float>(args, i); };
    [[maybe_unused]] const int n = %(elements)d;
%(body)s
}
"""
_DEVICE: Final = """\
#include <chiphost/device_graph.h>
using namespace chiphost;
CHIPHOST_DEVICE_ORCHESTRATION(build_graph, graph, args) {
    [[maybe_unused]] const auto a = args.tensor(0), b = args.tensor(1), out = args.tensor(2);
    [[maybe_unused]] const auto vector = like(a);
    [[maybe_unused]] const auto task = [](int32_t kernel) { return Task(AIV, kernel); };
%(body)s
    return 0;
}
"""
_HOST: Final = """\
#include <chiphost/host_build_graph.h>
using namespace chiphost;
CHIPHOST_HOST_ORCHESTRATION(build_graph, graph, args) {
    [[maybe_unused]] const auto a = graph.input(args.tensor(0)), b = graph.inout(args.tensor(1));
    [[maybe_unused]] const auto out = graph.output(args.tensor(2));
    [[maybe_unused]] const auto vector = TensorSpec(CH_FLOAT32, {%(elements)d});
%(body)s
    return 0;
}
"""
COPY: Final = "    for (int i = 0; i < n; ++i) data(1)[i] = data(0)[i];"
ONE: Final = "    graph.submit(task(0).input(a).output(out));"  # task of the first kernel


@dataclass(frozen=True)
class Planted:
    """A program with a fault.

    Attributes:
        name: what the fault is.
        check, what: the finding that is wanted. None: none is, the program is right.
        graph: the body of the orchestration.
        kernels: bodies of kernels, by func_id. Those on an AIC begin with "AIC".
        runtime: what runs it.
        before: what stands before the kernels' functions.
        begin, end: bytes of the finding, if the test is to compare them.
        memory: the kind of its memory, if the test is to compare it.
    """

    name: str
    check: str | None
    what: str | None
    graph: str
    kernels: Sequence[str] = (COPY,)
    runtime: str = INFERRED
    before: str = ""
    begin: int | None = None
    end: int | None = None
    memory: str | None = None

    def build(self, folder: Path, platform: str = "a2a3sim") -> ch.ChipCallable:
        """Write the sources and compile them. What several programs have in common is one file, compiled once."""
        orchestration, *sources = [_write(folder, text) for text in self._texts()]
        kernels = [
            ch.Kernel(func_id, source, "aic" if body.startswith("AIC") else "aiv")
            for func_id, (source, body) in enumerate(zip(sources, self.kernels, strict=True))
        ]
        signature = [ch.In("a", "float32"), ch.InOut("b", "float32"), ch.Out("out", "float32")]
        return ch.compile(
            orchestration, kernels, runtime=self.runtime, platform=platform, signature=signature, name=self.name
        )

    def place(self) -> tuple[str, int] | None:
        """The name of the file and the line that are marked; None if none is."""
        for text in self._texts():
            for number, line in enumerate(text.splitlines(), 1):
                if line.endswith(MARK):
                    return _name(text), number
        return None

    def _texts(self) -> list[str]:
        values = {"elements": ELEMENTS, "before": self.before}
        graph = _HOST if self.runtime == HOST else _DEVICE
        bodies = [body.removeprefix("AIC") for body in self.kernels]
        return [graph % {**values, "body": self.graph}, *(_KERNEL % {**values, "body": body} for body in bodies)]


def _name(text: str) -> str:
    return f"planted_{hashlib.sha256(text.encode()).hexdigest()[:16]}.cpp"


def _write(folder: Path, text: str) -> Path:
    path = folder / _name(text)
    if not path.exists():
        path.write_text(text)
    return path


def run(
    callable: ch.ChipCallable, runtime: str, check: str = "all", platform: str = "a2a3sim", **config: int
) -> ch.RunResult:
    """Run it on a worker of its own. The arrays are vectors of ELEMENTS."""
    a, b, out = (np.arange(1, ELEMENTS + 1, dtype=np.float32) for _ in range(3))
    with ch.ChipWorker(runtime, platform) as worker:
        return worker.run(callable, [a, b, out], check=check, **config)
