# SPDX-License-Identifier: Apache-2.0
"""The list of planted defects is in order. Whether they are noticed is measured by tests/mutation/run.py."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
RUNNER = ROOT / "tests" / "mutation" / "run.py"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"mutation_{name}", RUNNER.with_name(f"{name}.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look here
    spec.loader.exec_module(module)
    return module


LIST = load("defects")
CMAKE = (ROOT / "tests" / "cpp" / "CMakeLists.txt").read_text()


@pytest.mark.parametrize("defect", LIST.DEFECTS, ids=lambda defect: defect.name)
def test_a_defect_can_be_planted(defect):
    """Whoever changes the line that it changes changes the defect: it is to be planted where it is still one."""
    text = (ROOT / defect.file).read_text()
    assert text.count(defect.find) == 1, f"{defect.file}: wanted once, found {text.count(defect.find)} times"
    assert defect.planted(text) != text


@pytest.mark.parametrize("spec", sorted({spec for defect in LIST.DEFECTS for spec in defect.tests}))
def test_its_tests_exist(spec):
    if spec.startswith("test_"):
        name, *parts = spec.split("::")
        text = (ROOT / "tests" / "python" / name).read_text()
        for part in parts:
            assert re.search(rf"(def|class) {re.escape(part.partition('[')[0])}\b", text)
        return
    program, _, names = spec.partition(":")
    assert re.search(rf"chiphost_test\({program}\b", CMAKE) or f"{program.rsplit('_', 2)[0]}_$" in CMAKE
    assert names


def test_every_defect_has_a_name_and_tests():
    assert [name for name, times in Counter(defect.name for defect in LIST.DEFECTS).items() if times > 1] == []
    assert all(re.fullmatch(r"[a-z0-9_]+: .+", defect.name) and defect.tests for defect in LIST.DEFECTS)
    assert sum(defect.required for defect in LIST.DEFECTS) >= 30


def test_what_tests_need_is_built():
    programs = {spec.partition(":")[0] for defect in LIST.DEFECTS for spec in defect.tests}
    assert set(LIST.NEEDS) <= programs | {"library_test"}


def test_the_runner_names_the_defects():
    listed = subprocess.run(
        [sys.executable, RUNNER, "--list", "-k", "run_memory"], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    assert "run_memory: one past the end is allowed  (required)  cpp/host/run_memory.cpp\n" in listed
    assert "scheduler" not in listed


class Outcomes:
    """What the runner makes of outcomes, without planting anything."""

    @staticmethod
    def exit_code(outcomes: list[str], required: bool = False) -> int:
        sys.path.insert(0, str(RUNNER.parent))
        try:
            runner = load("run")
        finally:
            sys.path.remove(str(RUNNER.parent))
        defects = [
            LIST.Defect(f"noun: {i}", "file", "a", "b", ("x:*",), required=required) for i in range(len(outcomes))
        ]
        return runner.verdict(defects, {d.name: o for d, o in zip(defects, outcomes, strict=True)})


@pytest.mark.parametrize(
    ("outcomes", "required", "code"),
    [
        (["noticed"] * 10, True, 0),
        (["noticed"] * 9 + ["missed"], False, 0),
        (["noticed"] * 9 + ["missed"], True, 1),
        (["noticed"] * 9 + ["does not build"], True, 1),
        (["noticed"] * 8 + ["missed"] * 2, False, 1),
        (["noticed"] * 8 + ["missed", "does not apply"], False, 1),
        ([], False, 1),
    ],
)
def test_nine_of_ten_must_be_noticed(outcomes, required, code, capsys):
    assert Outcomes.exit_code(outcomes, required) == code
    assert f"Planted: {len(outcomes)}  Noticed: {outcomes.count('noticed')}" in capsys.readouterr().out
