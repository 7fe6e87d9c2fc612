# SPDX-License-Identifier: Apache-2.0
"""The programs of scenes: compiled all together, so that every CPU has work to the end."""

from __future__ import annotations

import functools
import itertools
import math
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Final

from .. import compiler
from .._compiling import checked_callable
from .._compiling.batch import Batch, CompilePool, compilers_for
from .._compiling.cache import CompileCache, CompiledFile
from .._compiling.checked_callable import checked_job
from .._compiling.instrumented import options
from .._runtimes import runtimes
from .._system.cpus import usable_cpus
from .._system.deadline import Deadline
from ..callable import ChipCallable
from ..compiler import Job, Progress
from ..errors import ChiphostError, CompileError, make_error
from ..scene import Scene
from .catalog import Entry

# The programs of each scene by its name, in the order in which they run, or the reason why it has none.
Programs = Mapping[str, tuple[ChipCallable, ...] | Exception]

# The share of the time until the deadline that one file may take, and all files before those scenes run that are ready.
_SHARE: Final = 0.5


class ScenePrograms:
    """Compiles the files of scenes on threads of its own. A context manager, whose end stops what is still compiled.

    Its methods are for one thread. They raise CompileError (COMPILER_MISSING) and CacheError, which end everything; all
    other errors are kept as the scene's error. A compile is killed after 300 s, or half of the time until the deadline
    if that is less.

    With `checked` it also compiles what runs with checks need. Then `compiler.checked` of a callable in `done` compiles
    nothing more. An instrumented compile that fails is no error of the scene. Programs of real chips have no such form.

    Attributes:
        done: the programs of every scene that has them, by the scene's name, or why it has none. It grows.
        stopped: what of a scene was being compiled when the end came, by the scene's name.
    """

    def __init__(
        self,
        entries: Sequence[Entry],
        platform: str,
        deadline: Deadline,
        progress: Progress,
        *,
        checked: bool = False,
    ) -> None:
        """Prepare; nothing is compiled yet. `progress` will be told of each file."""
        self.done: Final[dict[str, tuple[ChipCallable, ...] | Exception]] = {}
        self.stopped: Final[dict[str, str]] = {}
        self._scenes: Final[dict[str, Scene]] = {}
        self._jobs: Final[dict[str, list[Job]]] = {}
        self._outcomes: Final[dict[tuple[str, int], CompiledFile | Exception]] = {}
        self._deadline = deadline
        self._share_ends = time.monotonic() + deadline.left_s * _SHARE
        self._progress = progress
        self._pool: CompilePool[tuple[str, int]] | None = None
        self._checked = checked and not runtimes.is_cross_compiled(platform)
        for entry in entries:
            try:
                if entry.scene is None:
                    raise entry.error or make_error("INTERNAL", "the scene was not loaded", entry.name)
                jobs = _jobs(entry.scene, platform)
                self._jobs[entry.name] = [*jobs, *map(checked_job, jobs)] if self._checked else jobs
                self._scenes[entry.name] = entry.scene
            except Exception as error:
                self.done[entry.name] = error

    def __enter__(self) -> ScenePrograms:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Kill the compilers that run, and wait until they have left nothing behind."""
        if self._pool is None:
            return
        for scene, index in self._pool.running():
            others = f"{self.stopped[scene]} and " if scene in self.stopped else ""
            self.stopped[scene] = others + self._jobs[scene][index].title
        self._pool.__exit__(kind, error, traceback)

    def start(self) -> None:
        """Look into the cache, and begin to compile what is missing there. Call this once.

        Raises CompileError (COMPILE_FAILED) if chiphost's library for checks is missing and wanted.
        """
        if not self._jobs or self._deadline.over:
            return
        if self._checked:
            options.archive()  # an error at once, instead of gaps in every scene
        timeout_s = min(compiler.TIMEOUT_S, self._deadline.left_s * _SHARE)
        compilers = compilers_for(job for jobs in self._jobs.values() for job in jobs)
        batch = Batch(compilers, CompileCache(), timeout_s)
        missing = [place for place in self._places() if not self._look_up(batch, *place)]
        for scene in dict.fromkeys(scene for scene, _ in missing):
            jobs = [self._jobs[scene][index] for name, index in missing if name == scene]
            jobs = [job for job in jobs if not job.checked]
            if refused := _refused(self._scenes[scene], jobs, batch):
                self.done[scene] = refused
                del self._jobs[scene]
        missing = [place for place in missing if place[0] in self._jobs]
        if missing:
            self._pool = CompilePool(batch, usable_cpus())
            self._pool.submit({(scene, index): self._jobs[scene][index] for scene, index in missing})

    def wait_for_all(self) -> None:
        """Wait until every scene is done, or the compilers' share of the time is over."""
        while self._pool is not None and self._pool.left and time.monotonic() < self._share_ends:
            self.wait(self._share_ends - time.monotonic())

    def wait(self, timeout_s: float = math.inf) -> None:
        """Wait for the next file, but not long, and not longer than the deadline."""
        if self._pool is None:
            return
        for (scene, index), ended in self._pool.take_ended(max(min(self._deadline.left_s, timeout_s), 0)):
            try:
                self._note(scene, index, ended.result())
            except Exception as error:
                if _ends_everything(error):
                    raise
                self._note(scene, index, error)

    def _places(self) -> list[tuple[str, int]]:
        return [(scene, index) for scene, jobs in self._jobs.items() for index in range(len(jobs))]

    def _look_up(self, batch: Batch, scene: str, index: int) -> bool:
        outcome: CompiledFile | Exception | None
        try:
            outcome = batch.look_up(self._jobs[scene][index])
        except Exception as error:
            if _ends_everything(error):
                raise
            outcome = error
        if outcome is None:
            return False
        self._note(scene, index, outcome)
        return True

    def _note(self, scene: str, index: int, outcome: CompiledFile | Exception) -> None:
        self._outcomes[scene, index] = outcome
        jobs = self._jobs[scene]
        self._progress(len(self._outcomes), len(self._places()), jobs[index].name)
        outcomes = [self._outcomes[scene, each] for each in range(len(jobs)) if (scene, each) in self._outcomes]
        if len(outcomes) == len(jobs):
            try:
                self.done[scene] = _callables(self._scenes[scene], jobs, outcomes)
            except CompileError as error:
                self.done[scene] = self._scenes[scene].explained(error, [job for job in jobs if not job.checked])
            except Exception as error:
                self.done[scene] = error


def compile_scenes(entries: Sequence[Entry], platform: str, *, checked: bool = False) -> Programs:
    """The programs of every scene, or why it has none, for callers that can wait. Like ScenePrograms."""
    with ScenePrograms(entries, platform, Deadline(), lambda done, total, name: None, checked=checked) as programs:
        programs.start()
        programs.wait_for_all()
    return programs.done


def _ends_everything(error: Exception) -> bool:
    return isinstance(error, ChiphostError) and error.name in ("COMPILER_MISSING", "CACHE_UNUSABLE")


def _refused(scene: Scene, jobs: Sequence[Job], batch: Batch) -> Exception | None:
    """The reason why a scene cannot be compiled, as far as that is known before; None if there is none."""
    try:
        problems = [
            f"{job.title}: {problem}"
            for job in jobs
            if (problem := scene.obstacle(job, batch.compiler(job).target, functools.partial(batch.preprocessed, job)))
        ]
    except Exception as error:
        return error
    if not problems:
        return None
    message = "\n".join([*problems, "Nothing of the scene has been compiled."])
    hint = "the source has to be changed, or the scene run where its sources compile"
    return make_error("COMPILE_FAILED", message, str(scene.folder), hint=hint)


def _jobs(scene: Scene, platform: str) -> list[Job]:
    jobs: list[Job] = []
    for program in scene.programs:
        jobs.append(
            compiler.orchestration_job(
                program.orchestration,
                scene.runtime,
                platform,
                include_dirs=program.include_dirs,
                defines=program.defines,
                flags=program.flags,
            )
        )
        jobs += [compiler.kernel_job(kernel, platform) for kernel in program.kernels]
    return jobs


def _callables(
    scene: Scene, jobs: Sequence[Job], outcomes: Sequence[CompiledFile | Exception]
) -> tuple[ChipCallable, ...]:
    """The callables, in the order of `_jobs`. Their checked forms are remembered, if these were compiled, too."""
    plain = [place for place, job in enumerate(jobs) if not job.checked]
    left = iter(compiler.binaries([jobs[place] for place in plain], [outcomes[place] for place in plain]))
    checked = iter([outcome for outcome, job in zip(outcomes, jobs, strict=True) if job.checked])
    callables = []
    for program in scene.programs:
        orchestration = next(left)
        kernels = [(kernel.func_id, kernel.core_type, next(left)) for kernel in program.kernels]
        name = scene.name if len(scene.programs) == 1 else f"{scene.name}, {program.entry}"
        signature = program.signature if program.has_signature else None
        callables.append(ChipCallable(orchestration, kernels, program.entry, signature, name))
        if len(plain) < len(jobs):
            checked_callable.made(callables[-1], dict(enumerate(itertools.islice(checked, 1 + len(kernels)))))
    return tuple(callables)
