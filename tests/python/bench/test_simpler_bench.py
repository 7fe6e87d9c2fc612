# SPDX-License-Identifier: Apache-2.0
"""The benchmark of simpler's scenes says what it measured, next to a runner that stands for simpler's own."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest
import simpler_scenes

from chiphost._bench import figures as benchmarks
from chiphost._bench import simpler as simpler_benchmarks
from chiphost._bench.figures import Figure
from chiphost._bench.simpler import COLD, FULL_CACHE, RATIO, THEIRS, WARM

ROUNDS = 2
pytestmark = pytest.mark.timeout(600)

# A runner with the names that the benchmark uses of simpler's ci.py.
RUNNER = """
import pathlib, sys, time, types
HERE = pathlib.Path(__file__).parent
class ChipStorageTaskArgs:
    def __init__(self): self.scalars, self.tensors = [], []
    def add_scalar(self, word): self.scalars.append(word)
    def add_tensor(self, tensor): self.tensors.append(tensor)
class CallConfig: pass
class ChipWorker:
    def init(self, device, host, aicpu, aicore): assert (device, host, aicpu, aicore) == (0, __file__, b"a", b"b")
    def run(self, made, args, config):
        assert (args.scalars, len(args.tensors), config.block_dim) == ([1.5], 2, 3)
        print("words of its own")
        time.sleep(0.01)
def scalar_to_uint64(value): return value.value
def make_tensor_arg(tensor): return tensor
def discover_tasks(platform):
    folders = [HERE / "examples" / "a2a3" / "tensormap_and_ringbuffer" / name for name in ("vector_example", "other")]
    return [types.SimpleNamespace(task_dir=folder, platform=platform) for folder in folders]
def compile_task(task, pto_isa):
    assert pathlib.Path(pto_isa).is_dir() and task.platform == "a2a3sim"
    sys.path.insert(0, str(HERE / "golden"))
    golden = {}
    exec((task.task_dir / "golden.py").read_text(), golden)
    file = lambda content: types.SimpleNamespace(read_bytes=lambda: content)
    return types.SimpleNamespace(
        golden_module=types.SimpleNamespace(generate_inputs=golden["generate_inputs"]),
        cases=[{"name": "small", "rows": 2}], chip_callable=None,
        kernel_config=types.SimpleNamespace(RUNTIME_CONFIG={"runtime": "x", "block_dim": 3}),
        runtime_bins=types.SimpleNamespace(host_path=__file__, aicpu_path=file(b"a"), aicore_path=file(b"b")))
if __name__ == "__main__":
    assert sys.argv[1:3] == ["-p", "a2a3sim"]
    print("Total: 15")
"""
TORCH = """
class Tensor:
    def contiguous(self): return self
def as_tensor(value): return Tensor()
"""


@pytest.fixture
def simpler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout of a stand-in for simpler, with two scenes, and one of PTO-ISA."""
    folder = tmp_path / "simpler"
    simpler_scenes.write(folder, "tensormap_and_ringbuffer", "vector_example")
    simpler_scenes.write(folder, "host_build_graph")
    (folder / "ci.py").write_text(RUNNER)
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "torch.py").write_text(TORCH)
    monkeypatch.setenv("SIMPLER_DIR", str(folder))
    monkeypatch.setenv("PTO_ISA_ROOT", str(simpler_scenes.pto_isa(tmp_path / "pto-isa")))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "modules"))
    monkeypatch.delenv("PTO_ISA_COMMIT", raising=False)
    monkeypatch.delenv("SIMPLER_PYTHON", raising=False)
    return folder


def measure(rounds: int = 1) -> dict[str, Figure]:
    """All figures. Each round compiles all scenes."""
    effort = dataclasses.replace(benchmarks.QUICK, scene_rounds=rounds)
    return {figure.name: figure for figure in simpler_benchmarks.measure(effort)}


def measure_warm(simpler: Path) -> dict[str, Figure]:
    """The figures of one scene, for which nothing else is compiled."""
    return {figure.name: figure for figure in simpler_benchmarks._one_scene(simpler, rounds=3)}


@pytest.mark.parametrize("lacking", [("SIMPLER_DIR",), ("PTO_ISA_ROOT",), ("SIMPLER_DIR", "PTO_ISA_ROOT")])
def test_what_is_missing_is_named(simpler: Path, monkeypatch: pytest.MonkeyPatch, lacking: tuple[str, ...]) -> None:
    monkeypatch.delenv(lacking[0])
    if lacking[1:]:
        monkeypatch.setenv(lacking[1], str(simpler / "no such folder"))
    [figure] = measure().values()
    assert (figure.name, figure.value, figure.met) == ("simpler's scenes", None, None)
    assert figure.note == f"not measured: {' and '.join(lacking)} name{'' if lacking[1:] else 's'} no folder"


def test_both_sides_are_measured(simpler: Path) -> None:
    figures = measure(ROUNDS)
    assert [*figures] == [COLD, FULL_CACHE, COLD + THEIRS, COLD + RATIO, WARM, WARM + THEIRS, WARM + RATIO]
    for name, figure in figures.items():
        assert figure.value is not None, figure.note
        assert figure.value > 0, name
    assert (figures[COLD].goal, figures[FULL_CACHE].goal) == ("under 30", "under 4")
    assert figures[COLD].note.startswith("best ")
    assert "; 2 scenes; " in figures[FULL_CACHE].note
    assert "s of CPU" in figures[COLD + THEIRS].note
    assert "torch" not in figures[COLD].note, "no scene imports it here"
    assert figures[WARM + THEIRS].value >= 1e4
    assert len(figures[COLD + RATIO].detail["ratios"]) == ROUNDS
    ratio = figures[WARM + RATIO].value
    assert ratio is not None
    assert min(figures[WARM + RATIO].detail["ratios"]) <= ratio <= max(figures[WARM + RATIO].detail["ratios"])


def test_what_torch_takes_is_in_the_note(simpler: Path) -> None:
    golden = simpler_scenes.GOLDEN.replace("@LAST", "False").replace("import ctypes", "import ctypes\nimport torch")
    simpler_scenes.write(simpler, "host_build_graph", golden=golden)
    assert "s of it to import torch" in measure()[COLD].note


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("import sys\nsys.exit('no g++-15')\n", "ended with 1: no g++-15"),
        ("import os\nos._exit(3)\n", "ended with 3: it said nothing"),
        (None, "there is no "),
    ],
)
def test_a_runner_that_does_not_run_leaves_the_other_side(simpler: Path, text: str | None, note: str) -> None:
    (simpler / "ci.py").write_text(text) if text else (simpler / "ci.py").unlink()
    figures = measure()
    for name in (COLD, FULL_CACHE, WARM):
        assert figures[name].value, name
        if name != FULL_CACHE:
            for each in (figures[name + THEIRS], figures[name + RATIO]):
                assert (each.value, each.met) == (None, None)
                assert each.note.startswith("not measured: ")
    assert note in figures[COLD + THEIRS].note
    assert note in figures[COLD + RATIO].note


def test_a_scene_that_fails_is_no_figure(simpler: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    simpler_scenes.write(simpler, "tensormap_and_ringbuffer", "vector_example", kernel="#error no kernel\n")
    figures = measure()
    assert figures[COLD].value is None
    assert "not measured: 1 of 2 scenes failed" in figures[COLD].note
    assert figures[COLD].met is None
    assert figures[COLD + THEIRS].value is None
    assert figures[WARM].value is None
    monkeypatch.setenv("SIMPLER_DIR", os.environ["PYTHONPATH"])
    figures = measure()
    assert "not measured: chiphost ci ended with 2" in figures[COLD].note


def test_a_side_that_does_not_answer_is_given_up(simpler: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = RUNNER.replace(
        "time.sleep(0.01)", "self.runs = getattr(self, 'runs', 0) + 1; time.sleep(60 * (self.runs - 1))"
    )
    (simpler / "ci.py").write_text(text)
    monkeypatch.setattr(simpler_benchmarks, "_ANSWER_TIMEOUT_S", 20.0)
    figures = measure_warm(simpler)
    assert figures[WARM].value
    assert "did not answer within 20 s" in figures[WARM + THEIRS].note


def test_its_python_may_be_another(simpler: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIMPLER_PYTHON", str(simpler / "no python"))
    assert f"{simpler / 'no python'} cannot be run: No such file" in measure_warm(simpler)[WARM + THEIRS].note
