# SPDX-License-Identifier: Apache-2.0
"""This process, as far as it decides about a library: its symbols, and the libraries that it has loaded."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

import c_libraries
import pytest

from chiphost import isolate
from chiphost.audit.subject import HostProcess, describe


def test_what_the_program_defines_for_everybody(tmp_path: Path) -> None:
    process = HostProcess()
    found = process.defines("malloc")
    assert found is not None and Path(found).name
    assert process.defines("no_program_has_this") is None
    library = c_libraries.build('extern "C" int only_of_an_isolated_library() { return 1; }', tmp_path / "own.so")
    with isolate.open(library, "copy") as opened:
        assert opened.function("only_of_an_isolated_library")
        assert process.defines("only_of_an_isolated_library") is None


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has versions")
def test_the_c_library_is_known() -> None:
    process = HostProcess()
    assert process.glibc == tuple(int(part) for part in platform.libc_ver()[1].split(".")[:2])
    assert process.has_dlmopen
    assert process.has_loaded("libc.so.6")
    assert not process.has_loaded("libno_program_has_this.so")
    assert process.defines("malloc", "CHIPHOST_NO_SUCH_VERSION") is None


def test_a_processor_is_described() -> None:
    assert describe((64, sys.byteorder == "little", "EM_X86_64")).startswith("64-bit ")
    assert describe((32, False, "EM_ARM")) == "32-bit big-endian ARM"
    assert describe((64, True, 4711)) == "64-bit little-endian 4711"
