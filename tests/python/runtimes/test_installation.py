# SPDX-License-Identifier: Apache-2.0
"""The places of the package's parts, also in an editable installation, where modules and programs are apart."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from checkout import ROOT
from cmake_tools import ninja, tool

import chiphost
from chiphost._runtimes import installation, runtimes


@pytest.fixture
def roots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    modules, built = tmp_path / "checkout", tmp_path / "site-packages"
    monkeypatch.setattr(chiphost, "__path__", [str(modules), str(built)])
    return modules, built


def make(file: Path) -> Path:
    file.parent.mkdir(parents=True)
    file.touch()
    return file.parent


def test_a_folder_is_found_beside_what_was_built(roots: tuple[Path, Path]) -> None:
    wanted = make(roots[1] / "lib" / "chiphost_anchor.so")
    assert installation.folder("lib", "chiphost_anchor.so") == wanted
    (roots[0] / "lib").mkdir(parents=True)  # a folder of that name without the file is not it
    assert installation.folder("lib", "chiphost_anchor.so") == wanted


def test_the_first_root_is_preferred(roots: tuple[Path, Path]) -> None:
    for root in reversed(roots):
        wanted = make(root / "lib" / "chiphost_anchor.so")
    assert installation.folder("lib", "chiphost_anchor.so") == wanted == roots[0] / "lib"


def test_what_is_nowhere_would_be_beside_the_modules(roots: tuple[Path, Path]) -> None:
    assert installation.folder("lib") == Path(str(installation.__file__)).parents[1] / "lib"


def test_this_installation_has_all_its_parts() -> None:
    library = runtimes.library_dir()
    assert (library / "chiphost_anchor.so").is_file()
    assert (library / "chiphost_child").is_file()
    assert all(runtimes.installed().values())
    assert (installation.folder("cmake", "chiphostConfig.cmake") / "chiphostConfig.cmake").is_file()


def test_a_python_without_headers_is_named_and_what_to_install(tmp_path: Path) -> None:
    """This is as on Debian without python3-dev: FindPython is told of headers that are not there."""
    words = [tool("cmake"), *ninja(), "-S", ROOT, "-B", tmp_path, "-DCHIPHOST_PYTHON=ON"]
    words += [f"-DPython_EXECUTABLE={sys.executable}", "-DPython_INCLUDE_DIR=/nonexistent"]
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, timeout=300)
    assert done.returncode != 0
    said = " ".join(done.stderr.split())
    version = ".".join(map(str, sys.version_info[:2]))
    assert f"The headers of Python {version}" in said
    assert f"missing for {sys.executable}" in said
    of_the_version = f"python{version}-devel", f"python{version.replace('.', '')}-devel"
    for package in ("python3-dev", "python3-devel", *of_the_version, "README.md", "Python_INCLUDE_DIR"):
        assert package in said
    assert said.count("CMake Error") == 1
    readme = (ROOT / "README.md").read_text()
    assert all(package in readme for package in re.findall(r"python3-\w+", said))
