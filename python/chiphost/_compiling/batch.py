# SPDX-License-Identifier: Apache-2.0
"""The compiles of one call: each job goes through the cache, and the compiler makes what is missing there."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import queue
import re
import shutil
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Final, Generic, NamedTuple, TypeVar

from .._system.swept_folder import SweptFolder, swept_folder
from .._text.printable import shell_join
from ..errors import ChiphostError, CompileError, LoadError, make_error
from . import chip_toolchain, host_toolchain, output
from .cache import CompileCache, CompiledFile
from .headers import Request, Snapshot
from .host_toolchain import Compiler, Target
from .instrumented import options
from .instrumented.build import InstrumentedBuild, Words
from .job import Job, invalid
from .preludes import Prelude, Preludes, Recipe
from .processes import CompilerProcesses

_INSTRUMENTED: Final = "instrumented 1"  # a new number whenever the same command gives other instrumented programs
_ATTEMPTS: Final = 2
_TEMPORARY_BYTES_MIN: Final = 1 << 20
# Variables that change the result of the same command of g++ and clang++.
_VARIABLES: Final = (
    *host_toolchain.FOLDER_VARIABLES,
    "LIBRARY_PATH",
    "LD_RUN_PATH",
    "COMPILER_PATH",
    "GCC_EXEC_PREFIX",
    "SDKROOT",
    "MACOSX_DEPLOYMENT_TARGET",
    "SOURCE_DATE_EPOCH",
)
_TEMPORARY_HINT: Final = "make room in the folder for temporary files, or name another in TMPDIR"
_FLAGS_HINT: Final = "take what changes the kind of the output, such as -c, -S, -E or -static, out of flags"
_SANITIZER_HINT: Final = "take -fsanitize=... out of flags; in a process that has no such runtime, loading would end it"
# A signal that arrives just before its thread begins to wait does not end the wait: Python sees it afterwards.
_WAIT_S_MAX: Final = 0.2
_Key = TypeVar("_Key")
_log: Final = logging.getLogger("chiphost")


def compilers_for(jobs: Iterable[Job]) -> dict[Target, Compiler]:
    """The compilers that jobs need. Raises what `chip_toolchain.find_compiler` raises."""
    return {target: chip_toolchain.find_compiler(target) for target in sorted({job.target for job in jobs})}


class Batch:
    """Compiles for one call of `compile_all`. All methods may be called from any thread."""

    def __init__(self, compilers: Mapping[Target, Compiler], cache: CompileCache, timeout_s: float) -> None:
        """Prepare; nothing is compiled yet. `compilers` has one for the target of every job to come."""
        self._compilers = compilers
        self._cache = cache
        self._timeout_s = timeout_s
        self._snapshot = Snapshot()
        self._processes = CompilerProcesses(timeout_s)
        self._preludes = Preludes(cache, self._processes, timeout_s)

    def expect(self, job: Job) -> None:
        """Note that this job will be compiled."""
        if recipe := self._recipe(job):
            self._preludes.expect(recipe)

    def look_up(self, job: Job) -> CompiledFile | None:
        """The job's program if the cache has it."""
        return self._looked_up(job, self._request(job), self._snapshot)

    def compile(self, job: Job) -> CompiledFile | CompileError:
        """The job's program, or the reason why its source gives none. Other errors are raised."""
        try:
            with self._processes.job():
                try:
                    return self._compile(job)
                finally:
                    if recipe := self._recipe(job):
                        self._preludes.forget(recipe)
        except CompileError as error:
            if error.name != "COMPILE_FAILED":
                raise
            return error

    def preprocessed(self, job: Job) -> str | None:
        """A job's source as the preprocessor leaves it, with its line markers; None if that fails."""
        with contextlib.suppress(OSError), self._processes.job(), swept_folder() as folder:
            out = Path(folder.path, "preprocessed")
            problem, _ = self._processes.run([*self._command(job), "-E", "-o", str(out)], job.source.parent, folder)
            return None if problem else out.read_text(errors="replace")
        return None

    def compiler(self, job: Job) -> Compiler:
        """The compiler of a job."""
        return self._compilers[job.target]

    def cancel(self) -> None:
        """Kill all compilers, start no others, and wait until nothing is left of those that ran."""
        self._processes.cancel()
        self._preludes.close()

    def _compile(self, job: Job) -> CompiledFile:
        with self._cache.lock(self._request(job), self._processes.cancelled, self._timeout_s):
            for attempt in range(_ATTEMPTS):
                request = self._request(job)
                if compiled := self._looked_up(job, request):  # somebody else was faster
                    return compiled
                started_ns = time.time_ns()
                prelude = self._prelude(job) if attempt == 0 else None  # what is in it may have changed
                try:
                    made = self._run_compiler(job, prelude)
                except CompileError:
                    if prelude is None:
                        raise
                    made = self._run_compiler(job, None)  # then it shows whether the prelude was at fault
                if prelude:
                    started_ns = min(started_ns, prelude.seen_ns)
                if self._cache.store(request, made.compiled, made.dependencies, made.folders, started_ns):
                    break
        if made.words and not job.checked:  # the compile of the program as it is says the same
            _log.warning("%s: %s", job.title, made.words)
        return made.compiled  # if files keep changing: what the last compile saw

    def _looked_up(self, job: Job, request: Request, snapshot: Snapshot | None = None) -> CompiledFile | None:
        compiled = self._cache.look_up(request, snapshot)
        if compiled is None or job.target == "core" or output.is_shared_library(compiled.data):
            return compiled
        return None  # others were kept once

    def _request(self, job: Job) -> Request:
        return self._request_for(job, job.source, self._command(job))

    def _request_for(self, job: Job, source: Path, command: list[str]) -> Request:
        facts = [self._compilers[job.target].identity, *command]
        facts += [f"{name}={os.environ.get(name)}" for name in _VARIABLES]
        if job.checked:
            facts.append(_INSTRUMENTED)
        try:
            return self._cache.request(source, facts)
        except OSError as error:
            raise invalid(f"{job.title}: cannot read the source: {error.strerror}", str(source)) from error

    def _recipe(self, job: Job) -> Recipe | None:
        """The way to compile the job's prelude, if that is of any use."""
        if job.prelude is None or job.target != "host" or self._compilers[job.target].family != "gcc":
            return None
        alone = dataclasses.replace(job, source=job.prelude, prelude=None)
        further = [*host_toolchain.further_flags(), *job.flags]
        command = self._words(alone, language="c++-header").all
        return Recipe.of(job.prelude, command, further, job.source, self._included_first(job))

    def _prelude(self, job: Job) -> Prelude | None:
        """The job's prelude, compiled, if enough jobs want it."""
        recipe = self._recipe(job)
        if recipe is None:
            return None
        facts = [*recipe.command, f"in {recipe.folder}"]
        return self._preludes.get(recipe, lambda: self._request_for(job, recipe.header, facts))

    def _command(self, job: Job, prelude: Path | None = None) -> list[str]:
        """The command that compiles the job; it includes `prelude` instead of the job's own."""
        words = self._words(job, prelude)
        return [*words.all, *options.link_options(words.after)] if job.checked else words.all

    def _words(self, job: Job, prelude: Path | None = None, language: str = "c++") -> Words:
        """The command without what only a checked program is linked with."""
        compiler = self._compilers[job.target]
        own = [*(f"-D{define}" for define in job.defines), *(f"-I{folder}" for folder in job.include_dirs)]
        included = [prelude] if prelude else [*self._included_first(job), *([job.prelude] if job.prelude else [])]
        own += [word for header in included for word in ("-include", str(header))]
        if job.target == "core" and job.core_type:
            flags = chip_toolchain.kernel_flags(job.platform, job.core_type)
            return Words([*compiler.command, *flags, *own], ["-x", "cce", str(job.source)], job.flags)
        flags = host_toolchain.flags(compiler, job.platform, core_type=job.core_type)
        if compiler.family == "clang" and "-fpermissive" in job.flags:
            # clang++ ignores -fpermissive. This option lets pass errors in templates that nobody uses.
            own.append("-fdelayed-template-parsing")
        after = list(job.flags)
        if job.checked:
            after += options.compile_options(compiler, [*host_toolchain.further_flags(), *job.flags])
        return Words([*compiler.command, *flags, *own], ["-x", language, str(job.source), "-x", "none"], after)

    def _included_first(self, job: Job) -> tuple[Path, ...]:
        return options.included_first(self._compilers[job.target]) if job.checked else ()

    def _run_compiler(self, job: Job, prelude: Prelude | None) -> _Made:
        with contextlib.ExitStack() as stack:
            try:
                folder = stack.enter_context(swept_folder())
            except OSError as error:
                message = f"{job.title}: no temporary folder can be made: {error}"
                raise make_error("COMPILE_FAILED", message, str(job.source), hint=_TEMPORARY_HINT) from error
            program, depfile = Path(folder.path, "program.so"), Path(folder.path, "headers.d")
            command = self._words(job, prelude.path if prelude else None)
            problem, words = self._make(job, command, program, depfile, folder)
            if not problem and not (program.is_file() and depfile.is_file()):
                problem = "reported success but wrote no program"
            if problem:
                raise self._failure(job, problem, words, folder.path)
            data = self._read_back(job, program, words, folder.path)
            dependencies = host_toolchain.dependencies(depfile.read_bytes())
            files = [str(job.source.parent / name) for name in (*dependencies, *_files_named_in(job))]
            if job.checked:
                files.append(str(options.archive()))
            if prelude:
                files = [*filter(lambda path: Path(path).parent != prelude.path.parent, files), *prelude.dependencies]
            folders = [str(job.source.parent), *host_toolchain.include_folders(command.all, job.source.parent)]
            return _Made(CompiledFile.of(data), files, folders, words)

    def _make(self, job: Job, command: Words, program: Path, depfile: Path, folder: SweptFolder) -> tuple[str, str]:
        """Write the program and the rule with its headers; return what went wrong, and the compiler's output."""
        headers = ["-MD", "-MT", "program", "-MF", str(depfile)]

        def run(command: list[str]) -> tuple[str, str]:
            return self._processes.run(command, job.source.parent, folder)

        if job.checked:
            return InstrumentedBuild(self._compilers[job.target], command, run, Path(folder.path)).make(
                program, headers
            )
        return run([*command.all, *headers, "-o", str(program)])

    def _read_back(self, job: Job, program: Path, words: str, temporary: str) -> bytes:
        """The bytes that a worker loads; raises CompileError (COMPILE_FAILED) if they are not what was asked for."""
        if job.target == "core":
            try:
                return output.kernel_code(program)
            except ValueError as error:
                raise self._failure(job, str(error), words, temporary) from error
        data = program.read_bytes()
        if not output.is_shared_library(data):
            problem = f"wrote no ELF shared library but {output.kind(data)}"
            raise self._failure(job, problem, words, temporary, _FLAGS_HINT if job.flags else None)
        try:
            runtime = output.sanitizer_runtime(program)
        except LoadError as error:
            raise self._failure(
                job, f"wrote a shared library that is damaged: {error.message}", words, temporary
            ) from error
        if runtime:
            problem = f"made a library that needs {runtime}, which a process must have from its beginning"
            raise self._failure(job, problem, words, temporary, _SANITIZER_HINT)
        return data

    def _failure(self, job: Job, problem: str, words: str, temporary: str, hint: str | None = None) -> ChiphostError:
        # The command is to be pasted, so its output lies where the user is: chiphost's temporary folder will be gone.
        command = shell_join([*self._command(job), "-o", f"{job.source.stem}.so"])
        if job.flags:  # they may have relative paths
            command = f"cd {shell_join([str(job.source.parent)])} && {command}"
        message = f"{job.title}: {self._compilers[job.target].path.name} {problem}\n{words}\ncommand: {command}"
        is_full = shutil.disk_usage(temporary).free < _TEMPORARY_BYTES_MIN
        return make_error("COMPILE_FAILED", message, str(job.source), hint=_TEMPORARY_HINT if is_full else hint)


class CompilePool(Generic[_Key]):
    """Compiles of a batch on threads of their own. A context manager; its end kills the compilers that still run.

    Its methods are for one thread, which is never busy with a compile and can be interrupted at any moment.
    """

    def __init__(self, batch: Batch, threads: int) -> None:
        """Prepare; nothing runs yet. At most `threads` compilers will run at once."""
        self._batch = batch
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="chiphost-compile")
        self._compiles: dict[Future[CompiledFile | CompileError], _Key] = {}  # results that nobody has taken
        self._ended: queue.SimpleQueue[Future[CompiledFile | CompileError]] = queue.SimpleQueue()

    def __enter__(self) -> CompilePool[_Key]:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Kill the compilers that run, and wait until they have left nothing behind."""
        self._batch.cancel()
        self._pool.shutdown(cancel_futures=True)

    def submit(self, jobs: Mapping[_Key, Job]) -> None:
        """Compile files as soon as threads are free. A key names each."""
        for job in jobs.values():
            self._batch.expect(job)
        for key, job in jobs.items():
            compile_ = self._pool.submit(self._batch.compile, job)
            self._compiles[compile_] = key
            compile_.add_done_callback(self._ended.put)

    def take_ended(self, timeout_s: float) -> list[tuple[_Key, Future[CompiledFile | CompileError]]]:
        """Ended compiles, as soon as there is one. The list may also be empty: when the time is over, or for no reason.

        This does not use futures.wait() or as_completed(): a signal's exception may be raised in any line of these,
        also with a lock held that a compile needs to end. A queue's get() holds no lock.
        """
        ended: list[Future[CompiledFile | CompileError]] = []
        with contextlib.suppress(queue.Empty):
            if self._compiles:
                ended.append(self._ended.get(timeout=min(timeout_s, _WAIT_S_MAX)))
            while True:
                ended.append(self._ended.get_nowait())
        return [(self._compiles.pop(each), each) for each in ended]

    def running(self) -> list[_Key]:
        """The files that are being compiled."""
        return [key for each, key in self._compiles.items() if each.running()]

    @property
    def left(self) -> bool:
        """True if some results have not been taken."""
        return bool(self._compiles)


class _Made(NamedTuple):
    """The file that a compiler wrote, absolute paths of files it read and of folders it looks in, its warnings."""

    compiled: CompiledFile
    dependencies: list[str]
    folders: list[str]
    words: str


def _files_named_in(job: Job) -> list[str]:
    """Files that the user's flags name, such as a version script or a static library: they decide the result too."""
    words = {word for flag in job.flags for word in re.split("[=,@]", flag) if word}
    return sorted(word for word in words if os.path.isfile(job.source.parent / word))  # noqa: PTH113 (any word)
