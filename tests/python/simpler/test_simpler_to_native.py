# SPDX-License-Identifier: Apache-2.0
"""The guide that moves a scene from simpler's form to chiphost's own: both give the same, and its tables are right."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import simpler_scenes
from checkout import ROOT
from click.testing import CliRunner
from simpler_names import code_of, headers, names_of
from simpler_sources import callable_of

import chiphost as ch
from chiphost import toolchain
from chiphost._cli.program import cli
from chiphost._simpler.scene import SimplerScene

FOLDER = ROOT / "tests" / "examples" / "simpler_to_native"
RUNTIME = "tensormap_and_ringbuffer"
THEIRS = FOLDER / "simpler" / "a2a3" / RUNTIME / "scale_and_add"
OURS = FOLDER / "native" / RUNTIME / "scale_and_add"
PAGE = (ROOT / "docs" / "guides" / "simpler-to-native.md").read_text()


@pytest.fixture(autouse=True)
def pto_isa(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = simpler_scenes.pto_isa(tmp_path / "pto-isa")
    monkeypatch.setenv("PTO_ISA_ROOT", str(folder))
    monkeypatch.delenv("PTO_ISA_COMMIT", raising=False)
    return folder


@pytest.mark.parametrize("form", [THEIRS, OURS])
def test_the_commands_of_the_page_pass(form: Path) -> None:
    command = f"chiphost run {form.relative_to(FOLDER)}"
    [options] = re.findall(rf"^    {re.escape(command)} (.*)$", PAGE, re.M)
    words = [word for word in options.split() if word not in ("--pto-isa", "pto-isa")]  # it is in PTO_ISA_ROOT
    result = CliRunner().invoke(cli, ["run", str(form), *words])
    assert result.exit_code == 0, result.output
    assert "small" in result.stdout and "large" in result.stdout


@pytest.mark.parametrize("platform", ["a2a3sim", "a5sim"])
def test_both_forms_give_the_same(platform: str) -> None:
    theirs, ours = SimplerScene.load(THEIRS), ch.Scene.load(OURS)
    assert theirs.cases == ours.cases
    assert (theirs.rtol, theirs.atol, theirs.default_case) == (ours.rtol, ours.atol, ours.default_case)
    [program] = ours.programs
    programs = {
        theirs: callable_of(theirs, platform),
        ours: ch.compile(
            program.orchestration, program.kernels, runtime=RUNTIME, platform=platform, signature=ours.signature
        ),
    }
    with ch.ChipWorker(RUNTIME, platform) as worker:
        for case in ours.cases:
            for seed in range(3):
                made = ours.make_args(case, seed)
                results, tasks = [], set()
                for scene, factor in (
                    (theirs, int(np.float32(made["factor"]).view(np.uint32))),
                    (ours, made["factor"]),
                ):
                    out = np.full_like(made["out"], np.nan)
                    run = worker.run(programs[scene], [made["x"], made["y"], out, factor], seed=seed, **ours.config)
                    tasks.add(run.task_count)
                    results.append(out)
                np.testing.assert_array_equal(results[0], results[1])
                np.testing.assert_allclose(results[1], 1.5 * made["x"] + made["y"], rtol=1e-6)
                assert tasks == {2 * len(out)}


def test_the_script_prints_what_the_page_shows() -> None:
    script = FOLDER / "wrong_type.py"
    ended = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120, check=True)
    assert ended.stdout == (FOLDER / "wrong_type.txt").read_text()


GAINED = """
#include <chiphost/device_graph.h>
using chiphost::Task;
CHIPHOST_DEVICE_ORCHESTRATION(build_graph, graph, args) {
    const auto x = args.tensor(0), out = args.tensor(1);
    switch (args.scalar<int>(0)) {
    case 0:
        chiphost::require(x.shape(0) == 5, "x has %u rows", x.shape(0));
        break;
    case 1:
        graph.fail(7, "enough");
    case 2:
        graph.submit(Task(chiphost::AIV, 0).inout(x));
        break;
    case 3: {
        Task many(chiphost::AIV, 0);
        for (int i = 0; i < 32; ++i) many.input(x);
        graph.submit(many);
        break;
    }
    case 4: {
        const auto scope = graph.scope(CH_SCOPE_MANUAL);
        const auto first = graph.submit(Task(chiphost::AIV, 0).output(out));
        graph.submit(Task(chiphost::AIV, 0).output(out).after(first.id()));
    }
    }
    return 0;
}
"""


def test_what_is_gained(tmp_path: Path) -> None:
    """Rows of the last table that no other test looks at in this form."""
    (tmp_path / "orchestration.cpp").write_text(GAINED)
    (tmp_path / "nothing.cpp").write_text('#include <cstdint>\nextern "C" void kernel_entry(int64_t*) {}\n')
    source = ch.compile(
        tmp_path / "orchestration.cpp",
        [ch.Kernel(0, tmp_path / "nothing.cpp", "aiv")],
        runtime=RUNTIME,
        signature=[ch.In("x", "float32"), ch.Out("out", "float32"), ch.Scalar("what", "int32")],
    )
    args = [np.zeros(4, np.float32), np.zeros(4, np.float32)]
    with ch.ChipWorker(RUNTIME) as worker:
        for what, text in enumerate(("x has 4 rows", "enough", "TASK_INVALID.*tensor 0")):
            with pytest.raises(ch.ChiphostError, match=text):
                worker.run(source, [*args, what])
        assert worker.run(source, [*args, 3]).task_count == 1
        assert worker.run(source, [*args, 4]).task_count == 2
    assert np.isnan(args[1]).all()


# Names that sources and files of scenes define themselves, and those that the tables make up.
OF_SCENES = {
    "ctypes",
    "c_float",
    "aicpu_orchestration_entry",
    "aicpu_orchestration_config",
    "generate_inputs",
    "compute_golden",
    "params",
}
OF_THE_EXAMPLE = {
    "build_graph",
    "orch_args",
    "factor",
    "from",
    "count",
    "spec",
    "shape",
    "text",
    "address",
    "task",
    "case",
}


def test_names_in_the_tables_are_there() -> None:
    """Simpler's names are in cpp/compat, or read from a scene's files; chiphost's are in its headers, or a scene's."""
    compat, include = toolchain.compat_dir(), ROOT / "cpp" / "include" / "chiphost"
    files = [path for path in compat.rglob("*.h") if "pto_isa" not in path.parts]
    theirs = {name.last for header in headers(*files) for name in names_of(header)} | {path.name for path in files}
    readers = (ROOT / "python" / "chiphost" / "_simpler").glob("*.py")
    theirs |= {word for reader in readers for word in words(reader.read_text())} | OF_SCENES
    ours = words("".join(code_of(path.read_text()) for path in include.rglob("*.h")))
    ours |= {path.name for path in include.rglob("*.h")} | {"chiphost"}
    ours |= words((ROOT / "python" / "chiphost" / "scene.py").read_text()) | set(dir(ch))
    tables = re.findall(r"^\| simpler \| chiphost \|\n\|---\|---\|\n((?:\|.*\n)+)", PAGE, re.M)
    assert len(tables) == 6
    for row in "".join(tables[1:]).splitlines():  # the first one is of files
        for cell, known in zip(row.strip("| ").split(" | "), (theirs, ours), strict=True):
            unknown = (
                {word for code in re.findall("`([^`]+)`", cell) for word in words(code_of(code))}
                - known
                - OF_THE_EXAMPLE
            )
            assert not unknown, f"{row}: {unknown}"


def words(text: str) -> set[str]:
    """Names of four letters and more, and names of headers."""
    return set(re.findall(r"\b[A-Za-z_]\w*\.h\b|\b[A-Za-z_]\w{3,}", text))
