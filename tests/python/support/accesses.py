# SPDX-License-Identifier: Apache-2.0
"""Instrumented programs, and what their functions read and write, with callbacks of the tests' own."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest
from checkout import SUPPORT

import chiphost as ch
from chiphost import compiler
from chiphost._runtimes import installation
from chiphost.binary import Binary

_CALLBACKS = SUPPORT / "access_log" / "access_log.cpp"
_BLOCK_BYTES = 4096
_HALF = _BLOCK_BYTES // 2  # a function writes to the first half and reads the second
_READ, _WRITTEN, _ATOMIC = 1, 2, 4
Ranges = list[tuple[int, int]]


@cache
def _object() -> bytes:
    """The callbacks, compiled."""
    cxx = shutil.which("g++") or shutil.which("clang++")
    if cxx is None or shutil.which("ar") is None:
        pytest.skip("there is no compiler")
    folder = Path(mkdtemp())
    try:
        out = folder / "access_log.o"
        subprocess.run([cxx, "-O1", "-fPIC", "-fno-builtin", "-c", str(_CALLBACKS), "-o", str(out)], check=True)
        return out.read_bytes()
    finally:
        shutil.rmtree(folder)


def use_callbacks(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make an archive of the callbacks in a folder, and let chiphost take it for its own."""
    archive = folder / "libchiphost_check_callbacks.a"
    (folder / "access_log.o").write_bytes(_object())
    subprocess.run(["ar", "rcs", str(archive), str(folder / "access_log.o")], check=True)
    monkeypatch.setattr(installation, "check_callbacks", lambda: archive)
    return archive


def checked_kernel(
    source: Path, *flags: str, orchestration: Path | None = None, **options: object
) -> tuple[Binary, list[tuple[str, str]]]:
    """A kernel's instrumented program, and why what of it is not checked, with the places' lines."""
    kernel = ch.Kernel(0, source, "aiv", flags=flags, **options)  # type: ignore[arg-type]
    callable = ch.ChipCallable(
        plain_orchestration(source.parent), [(0, "aiv", compiler.compile_kernel(kernel, "a2a3sim"))]
    )
    checked = compiler.checked(callable)
    [(_, _, binary)] = checked.callable.kernels
    return binary, [(gap.reason, gap.place) for gap in checked.gaps if gap.program.startswith("kernel")]


def plain_orchestration(folder: Path) -> Binary:
    """An orchestration that nobody runs, given as a binary."""
    path = folder / "orchestration.so"
    path.write_bytes(b"nothing")
    return Binary.from_file(path, "a2a3sim")


class Accesses:
    """The functions of an instrumented program. Each is `void f(char* written, char* read)`."""

    def __init__(self, program: bytes, folder: Path) -> None:
        path = Path(mkdtemp(dir=folder)) / "program.so"
        path.write_bytes(program)
        self._library = ctypes.CDLL(str(path))

    def of(self, function: str) -> tuple[Ranges, Ranges]:
        """The bytes that a call reads from what it is given to read, and writes: ranges, without their ends."""
        marks = self._marks(function)
        return _ranges(mark & _READ for mark in marks[_HALF:]), _ranges(mark & _WRITTEN for mark in marks[:_HALF])

    def reads_of_written(self, function: str) -> Ranges:
        """The bytes that it reads from what it is given to write."""
        return _ranges(mark & _READ for mark in self._marks(function)[:_HALF])

    def atomics(self, function: str) -> Ranges:
        """The bytes that it uses by atomic operations."""
        return _ranges(mark & _ATOMIC for mark in self._marks(function))

    def _marks(self, function: str) -> bytes:
        memory = ctypes.create_string_buffer(_BLOCK_BYTES + 64)
        start = (ctypes.addressof(memory) + 63) & ~63  # vectors want it
        ctypes.memmove(start, bytes(1 + at % 100 for at in range(_BLOCK_BYTES - 1)), _BLOCK_BYTES - 1)
        marks = (ctypes.c_uint8 * _BLOCK_BYTES)()
        self._library.access_log_begin(ctypes.c_void_p(start), ctypes.c_size_t(_BLOCK_BYTES), marks)
        self._library[function](ctypes.c_void_p(start), ctypes.c_void_p(start + _HALF))
        self._library.access_log_begin(None, ctypes.c_size_t(0), None)
        return bytes(marks)


def _ranges(marks: Iterable[int]) -> Ranges:
    found: Ranges = []
    for at, mark in enumerate(marks):
        if mark and found and found[-1][1] == at:
            found[-1] = (found[-1][0], at + 1)
        elif mark:
            found.append((at, at + 1))
    return found
