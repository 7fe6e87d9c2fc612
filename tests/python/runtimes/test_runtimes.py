# SPDX-License-Identifier: Apache-2.0
"""The runtimes that are found, the places where they are looked for, and the errors about missing ones."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from chiphost._runtimes import runtimes
from chiphost._runtimes.platforms import Platform, read_platform
from chiphost.errors import ArgumentError, SceneError

PROGRAMS = ("host", "aicpu", "aicore")


@pytest.fixture(autouse=True)
def own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is chosen by the environment."""
    monkeypatch.delenv("CHIPHOST_LIB_DIR", raising=False)
    monkeypatch.delenv("CHIPHOST_RUNTIME_PATH", raising=False)


def write_runtime(library: Path, platform: str, runtime: str, programs: tuple[str, ...] = PROGRAMS) -> Path:
    """Files that have the places of a runtime's programs."""
    folder = library / platform / runtime
    folder.mkdir(parents=True)
    for program in programs:
        (folder / f"{program}.so").touch()
    return folder


def describe(library: Path, **about: object) -> Path:
    """The file that describes the platform a5moon."""
    file = library / "a5moon" / "platform.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(about))
    return file


def test_further_folders_go_before_chiphosts_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built = tmp_path / "built"
    folder = write_runtime(built, "a2a3sim", "host_build_graph")
    installed = runtimes.find("host_build_graph", "a2a3sim")
    assert installed.host.is_file() and built not in installed.host.parents
    monkeypatch.setenv("CHIPHOST_RUNTIME_PATH", os.pathsep.join([str(tmp_path / "none"), "", str(built)]))
    assert runtimes.search() == [tmp_path / "none", built, runtimes.library_dir()]
    assert runtimes.find("host_build_graph", "a2a3sim") == runtimes.RuntimeFiles(
        *(folder / f"{program}.so" for program in PROGRAMS)
    )
    assert runtimes.find("host_build_graph", "a5sim").host.is_relative_to(runtimes.library_dir())


def test_another_library_takes_the_place_of_chiphosts_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_runtime(tmp_path, "a2a3sim", "mine")
    monkeypatch.setenv("CHIPHOST_LIB_DIR", str(tmp_path))
    assert runtimes.installed()["a2a3sim"] == ["mine"]
    assert runtimes.anchor_path() == str(tmp_path / "chiphost_anchor.so")
    assert runtimes.child_path() == str(tmp_path / "chiphost_child")
    assert runtimes.where_looked() == f"{tmp_path} (CHIPHOST_LIB_DIR)"
    monkeypatch.setenv("CHIPHOST_LIB_DIR", str(tmp_path / "none"))
    assert runtimes.where_looked() == f"{tmp_path / 'none'} (CHIPHOST_LIB_DIR), which is no folder"


def test_only_complete_ones_are_installed(tmp_path: Path) -> None:
    write_runtime(tmp_path, "a2a3sim", "complete")
    write_runtime(tmp_path, "a2a3sim", "half", ("host", "aicpu"))
    write_runtime(tmp_path, "a2a3", "half", ("host",))  # a real chip says itself which compiler was missing
    found = runtimes.installed(tmp_path)
    assert (found["a2a3sim"], found["a2a3"], found["a5sim"]) == (["complete"], ["half"], [])


def test_what_is_not_there_is_named_with_a_guess(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SceneError, match=r"wanted one of .*host_build_graph.*; found 'host_build_grap'") as caught:
        runtimes.find("host_build_grap", "a2a3sim")
    assert caught.value.name == "RUNTIME_UNKNOWN"
    assert "did you mean 'host_build_graph'?" in caught.value.hint
    assert "CHIPHOST_RUNTIME_PATH" in caught.value.hint
    with pytest.raises(SceneError, match=r"wanted one of a2a3sim, a5sim, a2a3, a5; found 'a2a3sin'") as caught:
        runtimes.find("host_build_graph", "a2a3sin")
    assert (caught.value.name, caught.value.where) == ("PLATFORM_UNKNOWN", "platform")
    with pytest.raises(SceneError, match="none is installed; looked in ") as caught:
        runtimes.check_any("a5sim", tmp_path)
    assert caught.value.name == "RUNTIME_UNKNOWN"
    monkeypatch.setenv("CHIPHOST_RUNTIME_PATH", "~nobody-at-all/lib")
    with pytest.raises(ArgumentError, match="nobody knows what ~ stands for in '~nobody-at-all/lib'") as argument:
        runtimes.search()
    assert argument.value.where == "CHIPHOST_RUNTIME_PATH"


def test_a_platform_of_another_project_belongs_to_a_family(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_runtime(tmp_path, "a5moon", "mine")
    (tmp_path / "a5moon" / "platform.json").write_text('{"arch": "a5", "description": "moon"}')
    monkeypatch.setenv("CHIPHOST_RUNTIME_PATH", str(tmp_path))
    assert runtimes.platforms()["a5moon"] == "moon"
    assert [runtimes.arch_of(name) for name in ("a5moon", "a5sim", "a2a3", "none")] == ["a5", "a5", "a2a3", None]
    assert runtimes.runs_on("a5moon", ["a5sim"]) and runtimes.runs_on("a5moon", ["a5moon"])
    assert not runtimes.runs_on("a5moon", ["a2a3sim"]) and not runtimes.runs_on("a5sim", ["a5moon"])
    # Chiphost's own platforms have every runtime, so that one which is missing is an error.
    assert runtimes.may_have("mine", "a5moon")
    assert not runtimes.may_have("host_build_graph", "a5moon")
    assert runtimes.may_have("anything", "a5sim")


def test_a_file_of_an_older_chiphost_is_of_a_simulated_platform(tmp_path: Path) -> None:
    assert read_platform(describe(tmp_path, arch="a5", description="moon")) == Platform("a5moon", "a5", "moon")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"kind": "virtual"}, "wanted simulated or real as 'kind', found 'virtual'"),
        ({"kind": None}, "wanted simulated or real as 'kind', found None"),
        ({"kind": ["real"]}, r"wanted simulated or real as 'kind', found \['real'\]"),
        ({"programs": "moon"}, "wanted host or device as 'programs', found 'moon'"),
        ({"arch": 5}, "wanted a text as 'arch', found 5"),
        ({"description": None}, "wanted a text as 'description', found None"),
        ({"software": []}, r"wanted a text as 'software', found \[\]"),
        ({"sdk_variables": "MOON_HOME"}, "wanted a list of names as 'sdk_variables', found 'MOON_HOME'"),
        ({"sdk_variables": ["$HOME"]}, r"wanted a list of names as 'sdk_variables', found \['\$HOME'\]"),
    ],
)
def test_a_file_that_describes_no_platform_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: dict[str, object], words: str
) -> None:
    """The error names the file, and what is wrong there; other platforms go on."""
    file = describe(tmp_path, **{"arch": "a5", "description": "moon", "kind": "real", **wrong})
    monkeypatch.setenv("CHIPHOST_RUNTIME_PATH", str(tmp_path))
    with pytest.raises(SceneError, match=f"it does not describe a platform: {words}") as caught:
        runtimes.check_platform("a5moon")
    assert (caught.value.name, caught.value.where) == ("PLATFORM_UNKNOWN", str(file))
    assert "build the platform again: chiphost_add_runtime writes the file" in caught.value.hint
    assert "a5moon" not in runtimes.real_chips()
    assert runtimes.check_platform("a5sim") == "a5sim"


def test_a_file_that_lacks_a_word_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SceneError, match="wanted a text as 'arch', found none"):
        read_platform(describe(tmp_path, description="moon"))
    file = describe(tmp_path)
    file.write_text("[]")
    with pytest.raises(SceneError, match=r"wanted an object of JSON, found \[\]"):
        read_platform(file)


def test_the_platforms_of_the_package_say_what_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever runtimes are looked for."""
    monkeypatch.setenv("CHIPHOST_LIB_DIR", "/nonexistent")
    real = runtimes.real_chips()
    assert list(runtimes.own_platforms()) == ["a2a3sim", "a5sim", *real] == ["a2a3sim", "a5sim", "a2a3", "a5"]
    for name, about in real.items():
        assert (about.arch, about.cross_compiled) == (name, True)
        assert runtimes.simulated_chip(about.arch) == f"{name}sim"
        assert about.software and about.sdk_variables


def test_a_real_chip_of_another_project_comes_after_those_of_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    describe(tmp_path, arch="moon", description="moon", kind="real", sdk_variables=["MOON_HOME", "MOON_ROOT"])
    monkeypatch.setenv("CHIPHOST_RUNTIME_PATH", str(tmp_path))
    assert list(runtimes.real_chips()) == ["a2a3", "a5", "a5moon"]
    assert runtimes.is_real_chip("a5moon") and not runtimes.is_cross_compiled("a5moon")
    assert runtimes.simulated_chip("moon") is None
    monkeypatch.setenv("MOON_HOME", "")  # counts as unset
    monkeypatch.setenv("MOON_ROOT", "/moon")
    assert runtimes.real_chips()["a5moon"].sdk_folders() == [Path("/moon")]
