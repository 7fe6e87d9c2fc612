# SPDX-License-Identifier: Apache-2.0
"""The compilers for a real chip: the vendor's ccec for kernels, and one for aarch64 for the AICPU's programs.

Every function here may be called from any thread.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ..errors import make_error
from ..toolchain import include_dir
from . import host_toolchain
from .host_toolchain import Candidate, Compiler, CoreType, Target

SDK_VARIABLES: Final = ("ASCEND_HOME_PATH", "ASCEND_TOOLKIT_HOME")
_AICPU_NAMES: Final = ("aarch64-linux-gnu-g++", "aarch64-target-linux-gnu-g++")
_ARCHS: Final = {"a2a3": "dav-c220", "a5": "dav-c310"}
_CORES: Final[dict[CoreType, str]] = {"aic": "cube", "aiv": "vec"}


def sdk_folders() -> list[Path]:
    """The folders that the environment names for the vendor's software, best first."""
    return [Path(folder) for name in SDK_VARIABLES if (folder := os.environ.get(name))]


def find_compiler(target: Target) -> Compiler:
    """The compiler for a target. Raises CompileError (COMPILER_MISSING) that names the places that were searched."""
    if target == "host":
        return host_toolchain.find_compiler()
    looked = []
    for candidate in candidates(target):
        if candidate.compiler:
            return candidate.compiler
        looked.append(f"{candidate.wanted}: {candidate.problem}")
    where = f"PATH is {os.environ.get('PATH', '')!r}, {_sdk_text()}"
    if target == "core":
        message = f"kernels of a real chip need ccec, the chip vendor's compiler; {'; '.join(looked)} ({where})"
        hint = "install the vendor's toolkit and name its folder in ASCEND_HOME_PATH, or use a simulated platform"
    else:
        message = f"orchestrations on the AICPU need a compiler for aarch64; {'; '.join(looked)} ({where})"
        hint = "install aarch64-linux-gnu-g++ (Debian: g++-aarch64-linux-gnu), or name one in CHIPHOST_AICPU_CXX"
    raise make_error("COMPILER_MISSING", message, hint=hint)


def candidates(target: Target) -> Iterator[Candidate]:
    """Every place where a compiler for a real chip is looked for, best first."""
    if target == "core":
        for folder in sdk_folders():
            yield host_toolchain.look_at("SDK", str(folder / "bin" / "ccec"))
        yield host_toolchain.look_at("PATH", "ccec")
    elif wanted := os.environ.get("CHIPHOST_AICPU_CXX", "").strip():
        yield host_toolchain.look_at("CHIPHOST_AICPU_CXX", wanted)
    else:
        for name in _AICPU_NAMES:
            yield host_toolchain.look_at("PATH", name)
        for folder in sdk_folders():
            yield host_toolchain.look_at("SDK", str(folder / "tools" / "hcc" / "bin" / _AICPU_NAMES[-1]))


def kernel_flags(platform: str, core_type: CoreType) -> tuple[str, ...]:
    """Options of ccec for the object file of a kernel."""
    llvm = (
        "-cce-aicore-stack-size=0x8000",
        "-cce-aicore-function-stack-size=0x8000",
        "-cce-aicore-record-overflow=false",
        "-cce-aicore-addr-transform",
        "-cce-aicore-dcci-insert-for-scalar=false",
    )
    return (
        *("-c", "-O3", "-g", "-std=c++17", "-Wall"),
        *("--cce-aicore-only", f"--cce-aicore-arch={_ARCHS[platform]}-{_CORES[core_type]}"),
        *(word for option in llvm for word in ("-mllvm", option)),
        *(f"-DCHIPHOST_ARCH_{host_toolchain.arch(platform)}=1", f"-I{include_dir()}"),
    )


def _sdk_text() -> str:
    folders = [f"{name} is {value!r}" for name in SDK_VARIABLES if (value := os.environ.get(name))]
    return ", ".join(folders) or f"neither {' nor '.join(SDK_VARIABLES)} is set"
