# SPDX-License-Identifier: Apache-2.0
"""The programs of scenes: compiled all together, so that every CPU has work to the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from . import compiler
from .callable import ChipCallable
from .catalog import Entry
from .compiler import Binary, Job, Progress
from .deadline import Deadline, DeadlineOver
from .errors import ChiphostError, CompileError, make_error
from .scene import Scene

# Of each scene by its name: its programs, in the order in which they run, or why it has none.
Programs = Mapping[str, tuple[ChipCallable, ...] | Exception]


def compile_scenes(entries: Sequence[Entry], platform: str, deadline: Deadline, progress: Progress) -> Programs:
    """The programs of every scene, or why it has none.

    Raises:
        CompileError: COMPILER_MISSING.
        CacheError: the compile cache cannot be used.
        DeadlineOver: the deadline came first.
    """
    programs: dict[str, tuple[ChipCallable, ...] | Exception] = {}
    jobs: dict[str, list[Job]] = {}
    scenes: dict[str, Scene] = {}
    for entry in entries:
        try:
            if entry.scene is None:
                raise entry.error or make_error("INTERNAL", "the scene was not loaded", entry.name)
            jobs[entry.name] = _jobs(entry.scene, platform)
            scenes[entry.name] = entry.scene
        except Exception as error:
            programs[entry.name] = error
    try:
        binaries = iter(_compile_jobs([job for each in jobs.values() for job in each], deadline, progress))
        compiled = {name: [next(binaries) for _ in each] for name, each in jobs.items()}
    except ChiphostError as error:
        if _ends_everything(error):
            raise
        compiled = {}  # one after the other, to see whose error it is; the cache has the good ones
    for name, scene in scenes.items():
        try:
            programs[name] = _callables(scene, compiled.get(name) or _compile_jobs(jobs[name], deadline))
        except Exception as error:
            if _ends_everything(error):
                raise
            programs[name] = error
    return programs


def _ends_everything(error: Exception) -> bool:
    return isinstance(error, ChiphostError) and error.name in ("COMPILER_MISSING", "CACHE_UNUSABLE")


def _jobs(scene: Scene, platform: str) -> list[Job]:
    jobs: list[Job] = []
    for program in scene.programs:
        jobs.append(compiler.orchestration_job(program.orchestration, scene.runtime, platform))
        jobs += [compiler.kernel_job(kernel, platform) for kernel in program.kernels]
    return jobs


def _compile_jobs(jobs: Sequence[Job], deadline: Deadline, progress: Progress | None = None) -> list[Binary]:
    if deadline.over:
        raise DeadlineOver
    timeout_s = min(compiler.TIMEOUT_S, deadline.left_s)
    try:
        return compiler.compile_all(jobs, progress=progress, timeout_s=timeout_s)
    except CompileError:
        if deadline.over:
            raise DeadlineOver from None  # the compiler was killed
        raise


def _callables(scene: Scene, binaries: Sequence[Binary]) -> tuple[ChipCallable, ...]:
    """In the order of `_jobs`."""
    left = iter(binaries)
    callables = []
    for program in scene.programs:
        orchestration = next(left)
        kernels = [(kernel.func_id, kernel.core_type, next(left)) for kernel in program.kernels]
        name = scene.name if len(scene.programs) == 1 else f"{scene.name}, {program.entry}"
        callables.append(ChipCallable(orchestration, kernels, program.entry, program.signature, name))
    return tuple(callables)
