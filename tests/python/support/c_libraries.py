# SPDX-License-Identifier: Apache-2.0
"""Shared libraries for tests, compiled as chiphost compiles."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

from chiphost._compiling import host_toolchain


def compiler() -> str:
    """The compiler that chiphost finds, as words of a shell."""
    return shlex.join(host_toolchain.find_compiler().command)


def needs_unique_symbols() -> None:
    """Skip a test that needs symbols of the kind STB_GNU_UNIQUE."""
    if host_toolchain.find_compiler().family != "gcc":
        pytest.skip("only g++ makes STB_GNU_UNIQUE symbols")


def build(source: str, path: Path, *flags: str) -> Path:
    """Compile C++ source text to a shared library and return its path."""
    found = host_toolchain.find_compiler()
    unique = ["-fno-gnu-unique"] if found.family == "gcc" else []
    text = path.with_suffix(".cpp")
    text.write_text(source)
    command = [*found.command, "-shared", "-fPIC", "-std=c++17", "-O1", *unique, *flags, str(text), "-o", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return path
