# SPDX-License-Identifier: Apache-2.0
"""The checks of real chips: what is missing is said, kind by kind."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from chiphost._compiling import chip_toolchain
from chiphost._machine import chips
from chiphost._runtimes import runtimes
from chiphost.errors import PlatformError, make_error


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> SimpleNamespace:
    """The files of a runtime that is installed for real chips: all but the AICore program."""
    found = SimpleNamespace(aicpu=tmp_path / "aicpu.so", aicore=tmp_path / "aicore.so")
    found.aicpu.touch()
    monkeypatch.setattr(runtimes, "installed", lambda: {name: ["host_build_graph"] for name in runtimes.ONBOARD})
    monkeypatch.setattr(runtimes, "find", lambda name, platform: found)
    return found


def worker(monkeypatch: pytest.MonkeyPatch, error: Exception | None) -> list[Any]:
    """Let workers for real chips be made, or fail; the list has one entry for each that was given back."""
    given_back: list[Any] = []

    def make(files: object, platform: str, *, isolation: str) -> SimpleNamespace:
        assert isolation == "process"
        if error:
            raise error
        return SimpleNamespace(finalize=lambda: given_back.append(platform))

    monkeypatch.setattr(chips, "ChipWorker", make)
    return given_back


def test_a_chip_that_opens_is_closed_again(files: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    given_back = worker(monkeypatch, None)
    checks = chips.look()
    assert given_back == list(runtimes.ONBOARD)
    assert [(chip.platform, chip.ok, chip.problem) for chip in checks.chips] == [
        (p, True, "") for p in runtimes.ONBOARD
    ]
    assert {tuple(chip.programs_missing) for chip in checks.chips} == {("aicore.so",)}


def test_why_a_chip_does_not_open_is_the_problem(files: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    worker(monkeypatch, make_error("PLATFORM_FAILED", "no driver", "somewhere"))
    for chip in chips.look().chips:
        assert (chip.ok, chip.problem, chip.programs_missing) == (False, "no driver", ["aicore.so"])


def test_a_run_on_a_chip_that_does_not_open_says_what_else_runs_it(
    files: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker(monkeypatch, make_error("PLATFORM_FAILED", "no driver", "somewhere"))
    for platform, simulated in runtimes.ONBOARD.items():
        with pytest.raises(PlatformError, match="no driver") as caught:
            chips.require(files, platform)
        assert (caught.value.name, caught.value.where) == ("PLATFORM_FAILED", platform)
        assert f"-p {simulated} runs the same" in caught.value.hint


def test_a_kind_of_chip_without_a_runtime_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtimes, "installed", lambda: {name: [] for name in runtimes.ONBOARD})
    for chip in chips.look().chips:
        assert not chip.ok
        assert chip.problem.startswith("no runtime is installed for it in ")


def test_the_compilers_and_the_variables_are_told(files: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    worker(monkeypatch, None)

    def find(target: str) -> SimpleNamespace:
        if target == "core":
            return SimpleNamespace(path=Path("/opt/compiler"))
        raise make_error("COMPILER_MISSING", "there is none in /opt (PATH is /usr/bin)", "")

    monkeypatch.setattr(chip_toolchain, "find_compiler", find)
    monkeypatch.setenv("LD_LIBRARY_PATH", "/opt/lib")
    for name in chip_toolchain.SDK_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    checks = chips.look()
    found = {each.purpose: (each.found, each.problem) for each in checks.compilers}
    assert found == {
        "kernels": ("/opt/compiler", ""),
        "orchestrations on the AICPU": (None, "there is none in /opt"),
    }
    assert checks.environment["LD_LIBRARY_PATH"] == "/opt/lib"
    assert {checks.environment[name] for name in chip_toolchain.SDK_VARIABLES} == {None}
