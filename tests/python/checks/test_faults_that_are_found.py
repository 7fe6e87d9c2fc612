# SPDX-License-Identifier: Apache-2.0
"""Programs with planted faults, from their compile to the words of the finding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import chiphost as ch
from chiphost import checks

ORCHESTRATION = """\
#include <chiphost/device_graph.h>

CHIPHOST_DEVICE_ORCHESTRATION(build_graph, graph, args) {
    const auto x = args.tensor(0), out = args.tensor(1);
    chiphost::Task first(chiphost::AIV, 0);
    first.input(x).output(chiphost::like(x)).scalar(args.scalar<uint64_t>(0));
    const auto y = graph.submit(first).output(0);
    chiphost::Task second(chiphost::AIV, 1);
    second.input(y).output(out);
    graph.submit(second);
    return 0;
}
"""
HEADER = """\
#pragma once
template <typename T>
inline void copy_all(T* out, const T* x, uint32_t elements) {
    for (uint32_t i = 0; i < elements; ++i)
        out[i] = x[i];
}
"""
KERNEL = """\
#include <chiphost/kernel.h>

extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    auto* x = chiphost::tensor_data<float>(args, 0);
    auto* out = chiphost::tensor_data<float>(args, 1);
    const uint32_t elements = chiphost::tensor_arg(args, 1).shape[0];
    for (uint32_t i = 0; i < elements; ++i) out[i] = x[i];
    const auto fault = chiphost::scalar_arg<uint64_t>(args, 2);
    if (fault == 1) out[elements] = 1;
    if (fault == 2) x[3] = 1;
    if (fault == 3) { out[elements] = 1; throw 3; }
}
"""
COPY = """\
#include <chiphost/kernel.h>
#include "../lib/copy_all.h"

extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    const uint32_t elements = chiphost::tensor_arg(args, 1).shape[0];
    copy_all(chiphost::tensor_data<float>(args, 1), chiphost::tensor_data<float>(args, 0), elements + COPIED_TOO_MUCH);
}
"""
TMR = "tensormap_and_ringbuffer"
ELEMENTS = 64


def program(folder: Path, copied_too_much: int = 0) -> ch.ChipCallable:
    for name, text in {
        "graph/example.cpp": ORCHESTRATION,
        "lib/copy_all.h": HEADER,
        "kernels/scale.cpp": KERNEL,
        "kernels/copy.cpp": COPY,
    }.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    return ch.compile(
        folder / "graph" / "example.cpp",
        [
            ch.Kernel(0, folder / "kernels" / "scale.cpp", "aiv"),
            ch.Kernel(1, folder / "kernels" / "copy.cpp", "aiv", defines=[f"COPIED_TOO_MUCH={copied_too_much}"]),
        ],
        runtime=TMR,
        signature=[ch.In("x", "float32"), ch.Out("out", "float32"), ch.Scalar("fault", "uint64")],
    )


def run(callable: ch.ChipCallable, fault: int, check: str = "all", isolation: str | None = None) -> ch.RunResult:
    x, out = np.arange(ELEMENTS, dtype=np.float32), np.zeros(ELEMENTS, np.float32)
    with ch.ChipWorker(TMR, isolation=isolation) as worker:
        return worker.run(callable, [x, out, fault], check=check)


@pytest.mark.parametrize("isolation", ["copy", "process"])
def test_a_clean_program_has_no_findings(tmp_path, isolation):
    result = run(program(tmp_path), 0, isolation=isolation)
    assert result.findings == ()
    assert result.not_checked == ()
    assert result.report is not None and result.report.tasks == 2


@pytest.mark.parametrize("isolation", ["copy", "process"])
def test_a_write_past_the_end_is_named_by_kernel_line_and_tensor(tmp_path, isolation):
    [found] = run(program(tmp_path), 1, "memory", isolation).findings
    assert (found.check, found.what) == ("memory", "past_end")
    access = found.first
    assert access is not None and (access.submission, access.kernel, access.action) == (0, "scale", "write")
    assert access.line == checks.CodeLine(str(tmp_path / "kernels" / "scale.cpp"), 9)
    assert access.submitted == checks.CodeLine(str(tmp_path / "graph" / "example.cpp"), 7)
    assert found.memory == checks.Memory("output", "", 0, 0, 4 * ELEMENTS, (ELEMENTS,), "float32")
    assert (found.begin, found.end) == (4 * ELEMENTS, 4 * ELEMENTS + 4)
    assert checks.as_text(found, tmp_path).startswith(
        "memory: submit #0 (kernel `scale`, kernels/scale.cpp:9) writes past the last byte of output 0 of submit #0\n"
    )


def test_a_write_to_an_input_names_the_argument_and_the_element(tmp_path):
    [found] = run(program(tmp_path), 2, "declared").findings
    assert (found.what, found.memory.name) == ("write_to_input", "x")
    assert found.first_element == found.last_element == (3,)
    text = checks.as_text(found, tmp_path)
    assert "(kernel `scale`, kernels/scale.cpp:10) writes its tensor 0, which is declared as input" in text
    assert "bytes 12 to 15, x[3]" in text
    assert "mend:      in graph/example.cpp:7 declare tensor 0 of #0 as inout" in text


def test_a_fault_in_a_header_names_the_kernel_that_calls_it(tmp_path):
    found = run(program(tmp_path, copied_too_much=1), 0, "memory").findings
    header = checks.CodeLine(str(tmp_path / "lib" / "copy_all.h"), 5)
    lines = {each.first.line for each in found if each.first is not None}
    assert lines == {checks.CodeLine(str(tmp_path / "kernels" / "copy.cpp"), 6, header)}
    assert "lib/copy_all.h:5, called in kernels/copy.cpp:6" in checks.as_text(found[0], tmp_path)


def test_a_run_that_fails_has_what_was_found_before(tmp_path):
    with pytest.raises(ch.KernelError) as caught:
        run(program(tmp_path), 3)
    assert caught.value.name == "KERNEL_THREW"
    assert [found.what for found in caught.value.findings if found.check == "memory"] == ["past_end"]


def test_a_program_that_was_given_as_a_binary_is_not_checked(tmp_path):
    compiled = program(tmp_path)
    [(func_id, core, scale), other] = compiled.kernels
    (tmp_path / "scale.so").write_bytes(scale.data)
    given = ch.Binary.from_file(tmp_path / "scale.so", "a2a3sim")
    signature = compiled.signature
    mixed = ch.ChipCallable(compiled.orchestration, [(func_id, core, given), other], signature=signature)
    result = run(mixed, 1, "memory")
    assert [gap.reason for gap in result.not_checked if "'scale'" in gap.program] == ["it was given as a binary"]
    assert not [found for found in result.findings if found.first and found.first.kernel == "scale"]
