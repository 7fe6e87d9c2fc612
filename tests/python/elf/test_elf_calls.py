# SPDX-License-Identifier: Apache-2.0
"""Arguments that code passes to functions of other libraries, read from it for the processors of these chips' hosts."""

from __future__ import annotations

import platform
import shutil
import subprocess
from pathlib import Path

import pytest

from chiphost._compiling import host_toolchain
from chiphost._elf.calls import Passed, passed
from chiphost._elf.file import ElfFile

SOURCE = """
extern int taken(int, int);
extern int other(int, int);
int constant(int x) { return taken(x, 6) + other(x, 7); }
int zero(int x) { return taken(x, 0); }
int negative(int x) { return taken(x, -1) + 1; }
#ifdef CHOICE
int choice(int x, int y) { return taken(x, y ? 70 : 71) + 1; }
#endif
#ifdef POINTER
int (*pointer)(int, int) = taken;
#endif
"""
COMPILERS = {"x86_64": "x86_64-linux-gnu-gcc", "aarch64": "aarch64-linux-gnu-gcc"}


@pytest.mark.parametrize("machine", COMPILERS)
@pytest.mark.parametrize("flags", ["-O0", "-O2", "-Os", "-O2 -Wl,-z,now"])
def test_constants_that_are_passed(tmp_path: Path, machine: str, flags: str) -> None:
    own = machine == platform.machine()
    compiler = host_toolchain.find_compiler().command if own else (COMPILERS[machine],)
    if not shutil.which(compiler[0]):
        pytest.skip(f"no compiler for {machine}")

    def found(*more: str) -> Passed:
        library = tmp_path / "library.so"
        words = [*compiler, "-x", "c", "-", "-shared", "-fPIC", "-nostdlib", *flags.split(), *more, "-o", str(library)]
        done = subprocess.run(words, input=SOURCE, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        with ElfFile(library) as file:
            return passed(file, ("taken",), argument=1)

    assert found() == Passed({6, 0, -1})
    assert found("-DPOINTER") == Passed({6, 0, -1}, unknown=1)
    choice = found("-DCHOICE")
    assert {70, 71} & (choice.values | choice.nearby)
