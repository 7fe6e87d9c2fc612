# SPDX-License-Identifier: Apache-2.0
"""Shared libraries for tests, compiled as chiphost compiles."""

from __future__ import annotations

import subprocess
from pathlib import Path

from chiphost import toolchain


def build(source: str, path: Path, *flags: str) -> Path:
    """Compile C++ source text to a shared library and return its path."""
    compiler = toolchain.find_compiler()
    unique = ["-fno-gnu-unique"] if compiler.family == "gcc" else []
    text = path.with_suffix(".cpp")
    text.write_text(source)
    command = [*compiler.command, "-shared", "-fPIC", "-std=c++17", "-O1", *unique, *flags, str(text), "-o", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return path
