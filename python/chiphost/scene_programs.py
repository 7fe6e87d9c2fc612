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

Programs = Mapping[str, ChipCallable | Exception]


def compile_scenes(entries: Sequence[Entry], platform: str, deadline: Deadline, progress: Progress) -> Programs:
    """The program of every scene, by its name, or why it has none.

    Raises:
        CompileError: COMPILER_MISSING.
        CacheError: the compile cache cannot be used.
        DeadlineOver: the deadline came first.
    """
    programs: dict[str, ChipCallable | Exception] = {}
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
            programs[name] = _callable(scene, compiled.get(name) or _compile_jobs(jobs[name], deadline))
        except Exception as error:
            if _ends_everything(error):
                raise
            programs[name] = error
    return programs


def _ends_everything(error: Exception) -> bool:
    return isinstance(error, ChiphostError) and error.name in ("COMPILER_MISSING", "CACHE_UNUSABLE")


def _jobs(scene: Scene, platform: str) -> list[Job]:
    orchestration = compiler.orchestration_job(scene.orchestration, scene.runtime, platform)
    return [orchestration, *(compiler.kernel_job(kernel, platform) for kernel in scene.kernels)]


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


def _callable(scene: Scene, binaries: Sequence[Binary]) -> ChipCallable:
    orchestration, *others = binaries
    kernels = [(kernel.func_id, kernel.core_type, binary) for kernel, binary in zip(scene.kernels, others, strict=True)]
    return ChipCallable(orchestration, kernels, scene.entry, scene.signature, scene.name)
