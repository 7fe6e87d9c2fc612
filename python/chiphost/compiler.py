# SPDX-License-Identifier: Apache-2.0
"""Compiling kernels and orchestrations: in parallel, and each only once (see `compile_cache`).

A compile runs in the source's folder, with a temporary folder of its own for all that it writes. Relative paths in
`flags` therefore start at the source's folder; all other relative paths start at the process's working folder.

Every function here may be called from any thread. A warning of the compiler goes to the logger "chiphost" when the file
is compiled, and not again when the program comes from the cache.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

from ._compiling import checked_callable
from ._compiling.batch import Batch, CompilePool, compilers_for
from ._compiling.cache import CompileCache, CompiledFile
from ._compiling.checked_callable import Checked
from ._compiling.job import Job, Kernel, StrPath, check_func_ids, invalid, kernel_job, orchestration_job
from ._system.cpus import usable_cpus
from .binary import Binary
from .callable import DEFAULT_ENTRY, ChipCallable
from .errors import CompileError, make_error
from .signature import Arg

__all__ = [
    "Binary",
    "Checked",
    "Job",
    "Kernel",
    "Progress",
    "checked",
    "compile",
    "compile_all",
    "compile_kernel",
    "compile_orchestration",
    "kernel_job",
    "orchestration_job",
]

Progress = Callable[[int, int, str], None]

TIMEOUT_S: Final = 300.0


def compile_kernel(
    kernel: Kernel, platform: str, *, cache: CompileCache | None = None, timeout_s: float = TIMEOUT_S
) -> Binary:
    """Compile one kernel. Errors are those of `compile_all` and `kernel_job`."""
    return compile_all([kernel_job(kernel, platform)], cache=cache, timeout_s=timeout_s)[0]


def compile_orchestration(
    source: StrPath,
    runtime: str,
    platform: str,
    *,
    name: str | None = None,
    include_dirs: Sequence[StrPath] = (),
    defines: Sequence[str] = (),
    flags: Sequence[str] = (),
    cache: CompileCache | None = None,
    timeout_s: float = TIMEOUT_S,
) -> Binary:
    """Compile one orchestration. Errors are those of `compile_all` and `orchestration_job`."""
    job = orchestration_job(
        source, runtime, platform, name=name, include_dirs=include_dirs, defines=defines, flags=flags
    )
    return compile_all([job], cache=cache, timeout_s=timeout_s)[0]


def compile(
    orchestration: StrPath,
    kernels: Sequence[Kernel],
    *,
    runtime: str = "host_build_graph",
    platform: str = "a2a3sim",
    entry: str | None = None,
    signature: Sequence[Arg] | None = None,
    name: str | None = None,
    include_dirs: Sequence[StrPath] = (),
    defines: Sequence[str] = (),
    flags: Sequence[str] = (),
    cache: CompileCache | None = None,
    max_workers: int | None = None,
    progress: Progress | None = None,
    timeout_s: float = TIMEOUT_S,
) -> ChipCallable:
    """Compile an orchestration and its kernels into what a worker runs.

    `entry` is the orchestration's function, "build_graph" if None. `name` is the callable's name, the file's stem if
    None. `include_dirs`, `defines` and `flags` are for the orchestration; each kernel has its own.

    Raises ArgumentError (INVALID_ARGUMENT) for two kernels of one func_id, and what `compile_all` raises.
    """
    check_func_ids(kernels)
    orchestration_file = orchestration_job(
        orchestration, runtime, platform, include_dirs=include_dirs, defines=defines, flags=flags
    )
    jobs = [orchestration_file, *(kernel_job(kernel, platform) for kernel in kernels)]
    first, *others = compile_all(jobs, cache=cache, max_workers=max_workers, progress=progress, timeout_s=timeout_s)
    parts = [(kernel.func_id, kernel.core_type, binary) for kernel, binary in zip(kernels, others, strict=True)]
    return ChipCallable(first, parts, entry or DEFAULT_ENTRY, signature, name or first.name)


def compile_all(
    jobs: Sequence[Job],
    *,
    cache: CompileCache | None = None,
    max_workers: int | None = None,
    progress: Progress | None = None,
    timeout_s: float = TIMEOUT_S,
) -> list[Binary]:
    """Compile all jobs, several at a time, and return their binaries in the same order.

    `max_workers` compilers run at once, one for each usable CPU if None. `progress(done, total, name)` is called on the
    caller's thread after each file. A compile that takes longer than `timeout_s` is killed with all its children, and
    so is every compile under way if the caller is interrupted.

    Raises one CompileError (COMPILE_FAILED) that names every file that failed, CompileError (COMPILER_MISSING),
    CacheError (CACHE_UNUSABLE), SceneError (PLATFORM_UNKNOWN).
    """
    if max_workers is not None and max_workers < 1:
        raise invalid(f"max_workers is {max_workers}; it must be at least 1", "compile_all")
    if not jobs:
        return []
    return binaries(jobs, _outcomes(jobs, cache, max_workers, progress, timeout_s))


def checked(
    callable: ChipCallable,
    *,
    cache: CompileCache | None = None,
    max_workers: int | None = None,
    progress: Progress | None = None,
    timeout_s: float = TIMEOUT_S,
) -> Checked:
    """The callable with programs that say what they read and write, as runs with checks need them.

    They are compiled from the sources of the callable's programs, as these are now, on the first call for a callable;
    the arguments are those of `compile_all`. A program stays as it is where that cannot be done, and is then one of the
    `gaps`: it was given as a binary, or its instrumented compile failed. The callable must fit a simulated platform.

    Raises ArgumentError (INVALID_ARGUMENT) for a real chip's callable, CompileError (COMPILER_MISSING; COMPILE_FAILED
    if chiphost's own files are missing), CacheError (CACHE_UNUSABLE).
    """
    if known := checked_callable.known(callable):
        return known
    jobs = checked_callable.jobs(callable)
    outcomes = _outcomes([*jobs.values()], cache, max_workers, progress, timeout_s) if jobs else []
    return checked_callable.made(callable, dict(zip(jobs, outcomes, strict=True)))


def _outcomes(
    jobs: Sequence[Job],
    cache: CompileCache | None,
    max_workers: int | None,
    progress: Progress | None,
    timeout_s: float,
) -> list[CompiledFile | CompileError]:
    """The files of jobs, or why there is none, in the jobs' order."""
    batch = Batch(compilers_for(jobs), cache or CompileCache(), timeout_s)
    outcomes: dict[int, CompiledFile | CompileError] = {}

    def note(index: int, outcome: CompiledFile | CompileError) -> None:
        outcomes[index] = outcome
        if progress:
            progress(len(outcomes), len(jobs), jobs[index].name)

    for index, job in enumerate(jobs):
        if compiled := batch.look_up(job):
            note(index, compiled)
    missing = [index for index in range(len(jobs)) if index not in outcomes]
    if missing:
        _compile_missing(batch, jobs, missing, max_workers or usable_cpus(), note)
    return [outcomes[index] for index in range(len(jobs))]


def _compile_missing(
    batch: Batch,
    jobs: Sequence[Job],
    missing: Sequence[int],
    max_workers: int,
    note: Callable[[int, CompiledFile | CompileError], None],
) -> None:
    with CompilePool[int](batch, min(max_workers, len(missing))) as pool:
        pool.submit({index: jobs[index] for index in missing})
        while pool.left:
            for index, ended in pool.take_ended(math.inf):
                note(index, ended.result())


def binaries(jobs: Sequence[Job], outcomes: Sequence[CompiledFile | Exception]) -> list[Binary]:
    """The binaries of jobs, in their order. Raises any other error, or one CompileError that names all files."""
    for outcome in outcomes:
        if isinstance(outcome, Exception) and not isinstance(outcome, CompileError):
            raise outcome
    failures = [outcome for outcome in outcomes if isinstance(outcome, CompileError)]
    if len(failures) == 1:
        raise failures[0]
    if failures:
        texts = (f"{failure.where}: {failure.message}" for failure in failures)
        message = f"{len(failures)} of {len(jobs)} files failed\n\n" + "\n\n".join(texts)
        raise make_error("COMPILE_FAILED", message)
    files = (outcome for outcome in outcomes if isinstance(outcome, CompiledFile))
    return [Binary(file.data, file.digest, job.name, job.platform, job) for job, file in zip(jobs, files, strict=True)]
