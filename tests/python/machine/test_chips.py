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
from chiphost._runtimes.platforms import Platform
from chiphost.errors import PlatformError, make_error

CHIPS = {
    "one": Platform("one", "first", "a chip", real=True, software="a kit", sdk_variables=("KIT_HOME", "KIT_PATH")),
    "two": Platform("two", "second", "a chip", real=True),
}


@pytest.fixture(autouse=True)
def platforms(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two kinds of real chips, of which one is simulated, too."""
    monkeypatch.setattr(runtimes, "real_chips", lambda: CHIPS)
    monkeypatch.setattr(runtimes, "described", CHIPS.get)
    monkeypatch.setattr(runtimes, "simulated_chip", {"first": "onesim"}.get)


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> SimpleNamespace:
    """The files of a runtime that is installed for real chips: all but the AICore program."""
    found = SimpleNamespace(aicpu=tmp_path / "aicpu.so", aicore=tmp_path / "aicore.so")
    found.aicpu.touch()
    monkeypatch.setattr(runtimes, "installed", lambda: {name: ["host_build_graph"] for name in CHIPS})
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
    assert given_back == list(CHIPS)
    assert [(chip.platform, chip.ok, chip.problem) for chip in checks.chips] == [(p, True, "") for p in CHIPS]
    assert {tuple(chip.programs_missing) for chip in checks.chips} == {("aicore.so",)}


def test_why_a_chip_does_not_open_is_the_problem(files: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    worker(monkeypatch, make_error("PLATFORM_FAILED", "no driver", "somewhere"))
    for chip in chips.look().chips:
        assert (chip.ok, chip.problem, chip.programs_missing) == (False, "no driver", ["aicore.so"])


def test_a_run_on_a_chip_that_does_not_open_says_what_else_runs_it(
    files: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker(monkeypatch, make_error("PLATFORM_FAILED", "no driver", "somewhere"))
    for platform in CHIPS:
        with pytest.raises(PlatformError, match="no driver") as caught:
            chips.require(files, platform)
        assert (caught.value.name, caught.value.where) == ("PLATFORM_FAILED", platform)
        hint = caught.value.hint
        assert ("-p onesim runs the same on a simulated chip; " in hint) == (platform == "one")
        assert ("install what is missing of a kit, name its folder in KIT_HOME, and" in hint) == (platform == "one")


def test_a_kind_of_chip_without_a_runtime_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtimes, "installed", lambda: {name: [] for name in CHIPS})
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
    monkeypatch.setenv("KIT_PATH", "/opt/kit")
    monkeypatch.delenv("KIT_HOME", raising=False)
    monkeypatch.setenv("PATH", "/usr/bin")
    checks = chips.look()
    found = {each.purpose: (each.found, each.problem) for each in checks.compilers}
    assert found == {
        "kernels": ("/opt/compiler", ""),
        "orchestrations on the AICPU": (None, "there is none in /opt"),
    }
    assert list(checks.environment.items()) == [
        ("KIT_HOME", None),
        ("KIT_PATH", "/opt/kit"),
        ("LD_LIBRARY_PATH", "/opt/lib"),
        ("PATH", "/usr/bin"),
    ]
