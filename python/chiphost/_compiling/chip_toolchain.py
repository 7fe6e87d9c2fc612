# SPDX-License-Identifier: Apache-2.0
"""The compilers for a real chip: the vendor's ccec for kernels, and one for aarch64 for the AICPU's programs.

Every function here may be called from any thread.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from .._runtimes import runtimes
from ..callable import CoreType
from ..errors import make_error
from ..toolchain import include_dir
from . import host_toolchain
from .host_toolchain import Candidate, Compiler, Target

_AICPU_NAMES: Final = ("aarch64-linux-gnu-g++", "aarch64-target-linux-gnu-g++")
_ARCHS: Final = {"a2a3": "dav-c220", "a5": "dav-c310"}
_CORES: Final[dict[CoreType, str]] = {"aic": "cube", "aiv": "vec"}


def sdk_variables() -> list[str]:
    """The variables that may name the folder of the vendor's software: of the platforms that need its compilers."""
    chips = (about for about in runtimes.own_platforms().values() if about.cross_compiled)
    return list(dict.fromkeys(name for about in chips for name in about.sdk_variables))


def sdk_folders() -> list[Path]:
    """The folders that the environment names for the vendor's software, best first."""
    return [Path(folder) for name in sdk_variables() if (folder := os.environ.get(name))]


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
        hint = f"install the vendor's toolkit{_name_its_folder()}, or use a simulated platform"
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
    """Options of ccec for the object file of a kernel. Raises SceneError (PLATFORM_UNKNOWN)."""
    arch = host_toolchain.arch(platform)
    if arch.lower() not in _ARCHS:
        message = f"wanted a platform of {' or '.join(_ARCHS)}, for which ccec compiles; found one of {arch.lower()}"
        raise make_error("PLATFORM_UNKNOWN", message, platform)
    llvm = (
        "-cce-aicore-stack-size=0x8000",
        "-cce-aicore-function-stack-size=0x8000",
        "-cce-aicore-record-overflow=false",
        "-cce-aicore-addr-transform",
        "-cce-aicore-dcci-insert-for-scalar=false",
    )
    return (
        *("-c", "-O3", "-g", "-std=c++17", "-Wall"),
        *("--cce-aicore-only", f"--cce-aicore-arch={_ARCHS[arch.lower()]}-{_CORES[core_type]}"),
        *(word for option in llvm for word in ("-mllvm", option)),
        *(f"-DCHIPHOST_ARCH_{arch}=1", f"-I{include_dir()}"),
    )


def _sdk_text() -> str:
    folders = [f"{name} is {value!r}" for name in sdk_variables() if (value := os.environ.get(name))]
    return ", ".join(folders) or f"neither {' nor '.join(sdk_variables())} is set"


def _name_its_folder() -> str:
    return "".join(f" and name its folder in {name}" for name in sdk_variables()[:1])
