# SPDX-License-Identifier: Apache-2.0
"""Sources of one function, compiled through the compile cache."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pytest

from chiphost import compiler
from chiphost._compiling import host_toolchain
from chiphost._compiling.cache import CompileCache

COMPILERS = [name for name in ("g++", "clang++") if shutil.which(name)]
DAY_S = 24 * 3600
FAR_FUTURE_NS = 1 << 62  # a compile that starts then finds all files as they were


def write_source(path: Path, value: int = 1, includes: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'{includes}\nextern "C" int value() {{ return {value}; }}\n')
    return path


def build(source: Path, cache: CompileCache | None = None, /, **options: tuple[str, ...]) -> bytes:
    kernel = compiler.Kernel(0, source, "aiv", **options)  # type: ignore[arg-type]
    return compiler.compile_kernel(kernel, "a2a3sim", cache=cache).data


def build_fresh(source: Path, **options: tuple[str, ...]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return build(source, CompileCache(Path(folder)), **options)


def spy_on_compiler(script: Path, before: str, monkeypatch: pytest.MonkeyPatch, after: str = "") -> None:
    """Make CXX a script that does something around each compile."""
    real = host_toolchain.find_compiler().path
    script.write_text(
        f'#!/bin/sh\ncase "$1" in --version|-dumpmachine) exec {real} "$@";; esac\n'
        f'{before}\n{real} "$@" || exit\n{after}\n'
    )
    script.chmod(0o755)
    monkeypatch.setenv("CXX", str(script))


def run_python(code: str, *args: object) -> subprocess.Popen[str]:
    """Another process that uses chiphost as this one does, with pipes to it."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", code, *map(str, args)]
    return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def files_of(root: Path, *parts: str) -> list[Path]:
    return [path for path in root.joinpath("v1", *parts).rglob("*") if path.is_file()]


def set_back(path: Path, change: Callable[[], object]) -> None:
    """Change a file or a folder so that size and mtime stay as they are: only ctime tells."""
    before = path.stat()
    while path.stat().st_ctime_ns == before.st_ctime_ns:  # the clock of files has steps
        change()
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = path.stat()
    assert (after.st_mtime_ns, after.st_size, after.st_ino) == (before.st_mtime_ns, before.st_size, before.st_ino)


def pipe(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream
