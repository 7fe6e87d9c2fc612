# SPDX-License-Identifier: Apache-2.0
"""`chiphost doctor`."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from invocation import invoke, last_line
from program import finish
from throwaway_scenes import RUNTIME

from chiphost import __version__
from chiphost._runtimes import runtimes


def test_doctor_reports_to_standard_output() -> None:
    code, out, _ = finish("doctor", "--json", "/dev/stdout")
    assert code == 0
    assert json.JSONDecoder().raw_decode(out)[0]["ok"] is True
    assert last_line(out) == "This machine can run the simulated platforms."


def test_doctor_on_a_machine_that_works(tmp_path: Path) -> None:
    result = invoke("doctor", "--json", tmp_path / "doctor.json")
    assert result.exit_code == 0, result.output
    assert last_line(result.stdout) == "This machine can run the simulated platforms."
    found = json.loads((tmp_path / "doctor.json").read_text())
    assert (found["ok"], found["problems"], found["version"]) == (True, [], __version__)
    assert {(load["platform"], load["runtime"]) for load in found["runtimes"]} == {
        (platform, name)
        for platform, names in runtimes.installed().items()
        for name in names
        if platform not in runtimes.real_chips()
    }
    assert all(load["ok"] for load in found["runtimes"])
    assert sum(compiler["used"] for compiler in found["compilers"]) == 1
    assert found["namespaces"]["problem"] == ""
    assert found["cache"]["root"] == os.environ["CHIPHOST_CACHE_DIR"]


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("CXX", "/nonexistent/g++", "no C++ compiler works"),
        ("CHIPHOST_CACHE_DIR", "/dev/null", "the compile cache cannot be used"),
        ("CHIPHOST_CACHE_DIR", "/proc/nowhere", "the compile cache cannot be used"),
        (
            "CHIPHOST_LIB_DIR",
            "/nonexistent",
            "no runtime is installed for a2a3sim in /nonexistent (CHIPHOST_LIB_DIR), which is no folder",
        ),
    ],
)
def test_doctor_finds_what_is_missing(monkeypatch: pytest.MonkeyPatch, variable: str, value: str, reason: str) -> None:
    monkeypatch.setenv(variable, value)
    result = invoke("doctor")
    assert result.exit_code == 1
    assert last_line(result.stdout).startswith("This machine cannot run the simulated platforms: ")
    assert reason in last_line(result.stdout)


def test_doctor_reports_a_runtime_that_cannot_be_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = runtimes.library_dir()
    for platform, names in runtimes.installed().items():
        for name in names if platform not in runtimes.real_chips() else ():
            (tmp_path / platform / name).mkdir(parents=True)
            for file in (original / platform / name).iterdir():
                (tmp_path / platform / name / file.name).write_bytes(file.read_bytes()[:100])
    (tmp_path / "chiphost_anchor.so").symlink_to(original / "chiphost_anchor.so")
    monkeypatch.setenv("CHIPHOST_LIB_DIR", str(tmp_path))
    result = invoke("doctor")
    assert result.exit_code == 1
    assert "FILE_TRUNCATED" in result.stdout
    assert f"{RUNTIME} cannot be loaded for a2a3sim" in last_line(result.stdout)
