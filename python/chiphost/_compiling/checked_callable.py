# SPDX-License-Identifier: Apache-2.0
"""Callables whose programs say what they read and write: made of the outcomes of compiles, and remembered."""

from __future__ import annotations

import dataclasses
import threading
import weakref
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from .._runtimes import runtimes
from ..binary import Binary
from ..callable import ChipCallable
from ..checks.gap import Gap
from ..errors import CompileError, make_error
from .cache import CompiledFile
from .instrumented import options, unchecked
from .job import Job


@dataclass(frozen=True)
class Checked:
    """A callable as runs with checks need it.

    Attributes:
        callable: with instrumented programs where that is possible, and the plain ones elsewhere.
        gaps: what of the programs nobody sees, in the order of the programs.
    """

    callable: ChipCallable
    gaps: tuple[Gap, ...]


_lock: Final = threading.Lock()
_made: Final[weakref.WeakKeyDictionary[ChipCallable, Checked]] = weakref.WeakKeyDictionary()  # guarded by _lock


def known(callable: ChipCallable) -> Checked | None:
    """The checked form of this very callable, if it was made before."""
    with _lock:
        return _made.get(callable)


def jobs(callable: ChipCallable) -> dict[int, Job]:
    """The compiles that `made` needs, by the number of the program: 0 is the orchestration, the kernels follow.

    Raises ArgumentError (INVALID_ARGUMENT) for a real chip, CompileError (COMPILE_FAILED) if chiphost's own files are
    missing.
    """
    if callable.platform is not None and runtimes.is_cross_compiled(callable.platform):
        message = f"checks need a simulated platform; the callable is compiled for {callable.platform}"
        hint = "compile it for a simulated platform, whose name ends with sim"
        raise make_error("INVALID_ARGUMENT", message, f"callable {callable.name}", hint=hint)
    known = {number: _job(binary) for number, (_, binary) in enumerate(_programs(callable))}
    found = {number: checked_job(job) for number, job in known.items() if job and job.source.is_file()}
    if found:
        options.archive()  # an error at once, instead of one for each program
    return found


def checked_job(job: Job) -> Job:
    """The compile of the same source into a program that says what it does."""
    return dataclasses.replace(job, checked=True)


def made(callable: ChipCallable, outcomes: Mapping[int, CompiledFile | Exception]) -> Checked:
    """The checked form of a callable, from the outcomes of its `jobs`. It is remembered as long as the callable is."""
    binaries: list[Binary] = []
    gaps: list[Gap] = []
    for number, (title, plain) in enumerate(_programs(callable)):
        job, outcome = _job(plain), outcomes.get(number)
        if job and isinstance(outcome, CompiledFile):
            gaps += (Gap(title, reason, place) for reason, place in unchecked.read(outcome.data))
            binaries.append(Binary(outcome.data, outcome.digest, plain.name, plain.platform, checked_job(job)))
        else:
            gaps.append(Gap(title, _reason(job, outcome)))
            binaries.append(plain)
    kernels = [
        (func_id, core, binary) for (func_id, core, _), binary in zip(callable.kernels, binaries[1:], strict=True)
    ]
    form = ChipCallable(binaries[0], kernels, callable.entry, callable.signature, callable.name)
    with _lock:
        return _made.setdefault(callable, Checked(form, tuple(dict.fromkeys(gaps))))


def _programs(callable: ChipCallable) -> Iterator[tuple[str, Binary]]:
    """Every program with its title; the orchestration is the first."""
    yield f"orchestration {callable.orchestration.name!r}", callable.orchestration
    for func_id, _, binary in callable.kernels:
        yield f"kernel {binary.name!r} (func_id {func_id})", binary


def _job(binary: Binary) -> Job | None:
    return binary.job if isinstance(binary.job, Job) else None


def _reason(job: Job | None, error: object) -> str:
    """Why there is no instrumented program, with the line of the compiler's output that says most."""
    if job is None:
        return "it was given as a binary"
    if not isinstance(error, Exception):
        return f"its source cannot be compiled again: there is no file {job.source}"
    message = error.message if isinstance(error, CompileError) else str(error)
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    wanted = next((line for line in lines[1:] if "error" in line.lower()), " ".join(lines[:1]))
    return f"its instrumented compile failed: {wanted}"
