# SPDX-License-Identifier: Apache-2.0
"""Sources of kernels, and scripts that stand for a compiler."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from chiphost import compiler
from chiphost._compiling import host_toolchain
from chiphost.compiler import Job, Kernel
from chiphost.errors import ChiphostError, CompileError

KERNEL = """
#include <chiphost/kernel.h>
extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) { args[0] = 42; }
"""
BROKEN = "int good;\nint bad = nonsense;\n"


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def use_script(script: Path, body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make CXX a script that does `body` instead of a compile; `real` is the compiler."""
    real = host_toolchain.find_compiler().path
    write(script, f'#!/bin/sh\nreal={real}\ncase "$1" in --version|-dumpmachine) exec $real "$@";; esac\n{body}\n')
    script.chmod(0o755)
    monkeypatch.setenv("CXX", str(script))


def jobs_for(*sources: Path) -> list[Job]:
    return [compiler.kernel_job(Kernel(i, source, "aiv"), "a2a3sim") for i, source in enumerate(sources)]


def failure_of(work: Callable[[], object]) -> ChiphostError:
    with pytest.raises(CompileError) as caught:
        work()
    return caught.value
