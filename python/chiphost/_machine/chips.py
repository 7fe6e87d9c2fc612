# SPDX-License-Identifier: Apache-2.0
"""Real chips: the software that runs programs on them, as far as it is installed."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

from .._compiling import chip_toolchain
from .._compiling.host_toolchain import Target
from .._runtimes import runtimes
from ..errors import ChiphostError, PlatformError, make_error
from ..worker import ChipWorker

_VARIABLES: Final = ("LD_LIBRARY_PATH", "PATH")  # for every chip, besides those that its platform names
_COMPILERS: Final[dict[str, Target]] = {"kernels": "core", "orchestrations on the AICPU": "aicpu"}


@dataclass(frozen=True)
class ChipCheck:
    """One kind of chip.

    Attributes:
        ok: a device was opened.
        problem: why none was: what is missing of the vendor's software, and where it was looked for.
        programs_missing: of the device programs, those that were not built, for want of a compiler.
    """

    platform: str
    ok: bool
    problem: str
    programs_missing: list[str]


@dataclass(frozen=True)
class ChipCompilerCheck:
    """A compiler for real chips: `found` is its path, or None, and `problem` says where it was looked for."""

    purpose: str
    found: str | None
    problem: str


@dataclass(frozen=True)
class ChipChecks:
    """All checks, and the variables that name the vendor's software; None: not set."""

    chips: list[ChipCheck]
    compilers: list[ChipCompilerCheck]
    environment: dict[str, str | None]


def look() -> ChipChecks:
    """Look at everything, and try to open device 0 of each kind of chip, in a child process."""
    real = runtimes.real_chips()
    named = [name for about in real.values() for name in about.sdk_variables]
    return ChipChecks(
        [_chip(platform) for platform in real],
        [_compiler(purpose, target) for purpose, target in _COMPILERS.items()],
        {name: os.environ.get(name) for name in dict.fromkeys([*named, *_VARIABLES])},
    )


def require(files: runtimes.RuntimeFiles, platform: str) -> None:
    """Open device 0 once, in a child process: before a run of many scenes, not in each of them.

    Raises PlatformError (PLATFORM_FAILED) that says what is missing, or why the vendor's software refuses.
    """
    # The vendor's software is of no use to this process, and would stay in it.
    try:
        ChipWorker(files, platform, isolation="process").finalize()
    except PlatformError as error:
        raise make_error(error.name, error.message, platform, hint=_remedy(platform)) from error


def _remedy(platform: str) -> str:
    """The hint for a device that could not be opened."""
    about = runtimes.described(platform)
    hint = ""
    if about and (simulated := runtimes.simulated_chip(about.arch)):
        hint = f"-p {simulated} runs the same on a simulated chip; "
    hint += "for a real one install what is missing"
    if about and about.software:
        hint += f" of {about.software}"
    if about and about.sdk_variables:
        hint += f", name its folder in {about.sdk_variables[0]}"
    return f"{hint}, and try with chiphost doctor --details"


def _chip(platform: str) -> ChipCheck:
    names = runtimes.installed()[platform]
    if not names:
        return ChipCheck(platform, False, f"no runtime is installed for it in {runtimes.where_looked()}", [])
    files = runtimes.find(names[0], platform)
    missing = [file.name for file in (files.aicpu, files.aicore) if not file.is_file()]
    try:
        require(files, platform)
        return ChipCheck(platform, True, "", missing)
    except ChiphostError as error:
        return ChipCheck(platform, False, error.message, missing)


def _compiler(purpose: str, target: Target) -> ChipCompilerCheck:
    try:
        return ChipCompilerCheck(purpose, str(chip_toolchain.find_compiler(target).path), "")
    except ChiphostError as error:
        return ChipCompilerCheck(purpose, None, error.message.partition(" (PATH is ")[0])
