# SPDX-License-Identifier: Apache-2.0
"""Compiling kernels and orchestrations: in parallel, and each only once (see `compile_cache`).

A compile runs in the source's folder, with a temporary folder of its own for all that it writes. Relative paths in
`flags` therefore start at the source's folder; all other relative paths start at the process's working folder.

Every function here may be called from any thread. A warning of the compiler goes to the logger "chiphost" when the file
is compiled, and not again when the program comes from the cache.
"""

from __future__ import annotations

import contextlib
import logging
import operator
import os
import re
import selectors
import shlex
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from . import _core, toolchain
from .compile_cache import CompileCache, Program, Request, Snapshot
from .errors import ChiphostError, CompileError, make_error
from .signature import Arg
from .toolchain import CORE_TYPES, Compiler, CoreType

if TYPE_CHECKING:
    from .callable import ChipCallable

StrPath = str | Path
Progress = Callable[[int, int, str], None]

MAX_FUNC_ID: Final = _core.MAX_FUNC_ID
TIMEOUT_S: Final = 300.0
_ATTEMPTS: Final = 2
_OUTPUT_BYTES_MAX: Final = 32 << 10  # at the beginning of a compiler's output, and as much again at its end
_TEMPORARY_BYTES_MIN: Final = 1 << 20
# Variables that change what g++ and clang++ make of the same command.
_VARIABLES: Final = (
    "CPATH",
    "CPLUS_INCLUDE_PATH",
    "LIBRARY_PATH",
    "LD_RUN_PATH",
    "COMPILER_PATH",
    "GCC_EXEC_PREFIX",
    "SDKROOT",
    "MACOSX_DEPLOYMENT_TARGET",
    "SOURCE_DATE_EPOCH",
)
# Variables that make them write files elsewhere.
_UNWANTED_VARIABLES: Final = ("DEPENDENCIES_OUTPUT", "SUNPRO_DEPENDENCIES")
_TEMPORARY_HINT: Final = "make room in the folder for temporary files, or name another in TMPDIR"
_log: Final = logging.getLogger("chiphost")


@dataclass(frozen=True)
class Kernel:
    """A kernel's source file and how to compile it.

    Attributes:
        func_id: the number by which orchestrations submit it, 0 to 1023.
        source: path of the C++ file.
        core_type: "aic" (matrix) or "aiv" (vector).
        name: for messages; the file's stem if None.
        include_dirs: folders for #include, after chiphost's own.
        defines: "NAME" or "NAME=VALUE".
        flags: further words for the compiler; they win over chiphost's.

    Raises ArgumentError (INVALID_ARGUMENT) for a func_id or core type that does not exist.
    """

    func_id: int
    source: StrPath
    core_type: CoreType
    name: str | None = None
    include_dirs: Sequence[StrPath] = ()
    defines: Sequence[str] = ()
    flags: Sequence[str] = ()

    def __post_init__(self) -> None:
        """Check what can be checked without looking at files."""
        where = f"Kernel({str(self.source)!r})"
        try:
            func_id = operator.index(self.func_id)
        except TypeError:
            func_id = -1
        if not 0 <= func_id <= MAX_FUNC_ID or isinstance(self.func_id, bool):
            raise _invalid(f"func_id is {self.func_id!r}; it must be a number from 0 to {MAX_FUNC_ID}", where)
        if self.core_type not in CORE_TYPES:
            known = " or ".join(map(repr, CORE_TYPES))
            raise _invalid(f"core_type is {self.core_type!r}; it must be {known}", where)
        object.__setattr__(self, "func_id", func_id)
        object.__setattr__(self, "name", self.name or Path(self.source).stem)


@dataclass(frozen=True)
class Binary:
    """A compiled program.

    Attributes:
        data: the shared library's bytes.
        key: sha256 of the bytes in hex; equal exactly if the bytes are.
        name: for messages and debuggers.
    """

    data: bytes = field(repr=False)
    key: str
    name: str


@dataclass(frozen=True)
class Job:
    """One file to compile. `kernel_job` and `orchestration_job` make these.

    Attributes:
        source: absolute path of the file; it existed when the job was made.
        name: of the binary.
        title: what it is, for messages, for example "kernel 'add' (func_id 3, aiv)".
        platform: for example "a2a3sim".
        core_type: of a kernel; None for an orchestration.
        include_dirs: absolute.
        defines: "NAME" or "NAME=VALUE".
        flags: further words for the compiler.
    """

    source: Path
    name: str
    title: str
    platform: str
    core_type: CoreType | None
    include_dirs: tuple[Path, ...]
    defines: tuple[str, ...]
    flags: tuple[str, ...]


def kernel_job(kernel: Kernel, platform: str) -> Job:
    """The job that compiles a kernel. Raises ArgumentError if a path or an option cannot be used."""
    title = f"kernel {kernel.name!r} (func_id {kernel.func_id}, {kernel.core_type})"
    name = kernel.name or title
    return _job(
        kernel.source, name, title, platform, kernel.core_type, kernel.include_dirs, kernel.defines, kernel.flags
    )


def orchestration_job(
    source: StrPath,
    runtime: str,
    platform: str,
    *,
    name: str | None = None,
    include_dirs: Sequence[StrPath] = (),
    defines: Sequence[str] = (),
    flags: Sequence[str] = (),
) -> Job:
    """The job that compiles an orchestration. CHIPHOST_RUNTIME_<NAME>=1 is defined for it.

    Raises ArgumentError if a path, an option or the runtime's name cannot be used.
    """
    name = name or Path(source).stem
    title = f"orchestration {name!r}"
    if not runtime.isidentifier() or not runtime.isascii():
        raise _invalid(f"runtime is {runtime!r}; it must be a name such as 'host_build_graph'", title)
    defines = (f"CHIPHOST_RUNTIME_{runtime.upper()}=1", *_words("defines", defines, title))
    return _job(source, name, title, platform, None, include_dirs, defines, flags)


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

    `entry` is the orchestration's function, "build_graph" if None. `name` is the callable's, the file's stem if None.
    `include_dirs`, `defines` and `flags` are the orchestration's; each kernel has its own.

    Raises ArgumentError (INVALID_ARGUMENT) for two kernels of one func_id, and what `compile_all` raises.
    """
    from .callable import ChipCallable

    _check_func_ids(kernels)
    orchestration_file = orchestration_job(
        orchestration, runtime, platform, include_dirs=include_dirs, defines=defines, flags=flags
    )
    jobs = [orchestration_file, *(kernel_job(kernel, platform) for kernel in kernels)]
    first, *others = compile_all(jobs, cache=cache, max_workers=max_workers, progress=progress, timeout_s=timeout_s)
    binaries = [(kernel.func_id, kernel.core_type, binary) for kernel, binary in zip(kernels, others, strict=True)]
    return ChipCallable(first, binaries, entry or "build_graph", signature, name or first.name)


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
        raise _invalid(f"max_workers is {max_workers}; it must be at least 1", "compile_all")
    if not jobs:
        return []
    batch = _Batch(toolchain.find_compiler(), cache or CompileCache(), timeout_s)
    outcomes: dict[int, Program | CompileError] = {}

    def note(index: int, outcome: Program | CompileError) -> None:
        outcomes[index] = outcome
        if progress:
            progress(len(outcomes), len(jobs), jobs[index].name)

    for index, job in enumerate(jobs):
        if program := batch.look_up(job):
            note(index, program)
    missing = [index for index in range(len(jobs)) if index not in outcomes]
    if missing:
        _compile_missing(batch, jobs, missing, max_workers or _usable_cpus(), note)
    return _binaries(jobs, [outcomes[index] for index in range(len(jobs))])


def _compile_missing(
    batch: _Batch,
    jobs: Sequence[Job],
    missing: Sequence[int],
    max_workers: int,
    note: Callable[[int, Program | CompileError], None],
) -> None:
    # Always on other threads: the caller's thread must be free to be interrupted.
    with ThreadPoolExecutor(min(max_workers, len(missing)), thread_name_prefix="chiphost-compile") as pool:
        try:
            futures = {pool.submit(batch.compile, jobs[index]): index for index in missing}
            for future in as_completed(futures):
                note(futures[future], future.result())
        except BaseException:
            batch.cancel()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _binaries(jobs: Sequence[Job], outcomes: Sequence[Program | CompileError]) -> list[Binary]:
    failures = [outcome for outcome in outcomes if isinstance(outcome, CompileError)]
    if len(failures) == 1:
        raise failures[0]
    if failures:
        texts = (f"{failure.where}: {failure.message}" for failure in failures)
        message = f"{len(failures)} of {len(jobs)} files failed\n\n" + "\n\n".join(texts)
        raise make_error("COMPILE_FAILED", message)
    programs = (outcome for outcome in outcomes if isinstance(outcome, Program))
    return [Binary(program.data, program.digest, job.name) for job, program in zip(jobs, programs, strict=True)]


class _Cancelled(Exception):
    """Ends a worker's job after `cancel`; nobody waits for its result any more."""


class _Batch:
    """Compiles for one call of `compile_all`. All methods may be called from any thread."""

    def __init__(self, compiler: Compiler, cache: CompileCache, timeout_s: float) -> None:
        self._compiler = compiler
        self._cache = cache
        self._timeout_s = timeout_s
        self._snapshot = Snapshot()
        self._cancelled = threading.Event()
        self._lock = threading.Lock()
        self._children: set[subprocess.Popen[bytes]] = set()  # guarded by _lock

    def look_up(self, job: Job) -> Program | None:
        """The job's program if the cache has it."""
        return self._cache.look_up(self._request(job), self._snapshot)

    def compile(self, job: Job) -> Program | CompileError:
        """The job's program, or why its source gives none. Other errors are raised."""
        try:
            return self._compile(job)
        except CompileError as error:
            if error.name != "COMPILE_FAILED":
                raise
            return error

    def cancel(self) -> None:
        """Kill all compilers and start no others."""
        with self._lock:
            self._cancelled.set()
            for child in self._children:
                _kill(child)

    def _compile(self, job: Job) -> Program:
        with self._cache.lock(self._request(job), self._cancelled, self._timeout_s):
            for _ in range(_ATTEMPTS):
                request = self._request(job)
                if program := self._cache.look_up(request):  # somebody else was faster
                    return program
                started_ns = time.time_ns()
                made = self._run_compiler(job)
                if self._cache.store(request, made.program, made.dependencies, started_ns):
                    break
        if made.words:
            _log.warning("%s: %s", job.title, made.words)
        return made.program  # if files keep changing: what the last compile saw

    def _request(self, job: Job) -> Request:
        facts = [self._compiler.identity, *self._command(job)]
        facts += [f"{name}={os.environ.get(name)}" for name in _VARIABLES]
        try:
            return self._cache.request(job.source, facts, [job.source.parent, *job.include_dirs])
        except OSError as error:
            raise _invalid(f"{job.title}: cannot read the source: {error.strerror}", str(job.source)) from error

    def _command(self, job: Job) -> list[str]:
        return [
            *self._compiler.command,
            *toolchain.flags(self._compiler, job.platform, core_type=job.core_type),
            *(f"-D{define}" for define in job.defines),
            *(f"-I{folder}" for folder in job.include_dirs),
            *("-x", "c++", str(job.source), "-x", "none"),
            *job.flags,
        ]

    def _run_compiler(self, job: Job) -> _Made:
        try:
            folder = tempfile.TemporaryDirectory(prefix="chiphost-", ignore_cleanup_errors=True)
        except OSError as error:
            message = f"{job.title}: no temporary folder can be made: {error}"
            raise make_error("COMPILE_FAILED", message, str(job.source), hint=_TEMPORARY_HINT) from error
        with folder:
            program, depfile = Path(folder.name, "program.so"), Path(folder.name, "headers.d")
            command = [*self._command(job), "-MD", "-MT", "program", "-MF", str(depfile), "-o", str(program)]
            problem, words = self._run(command, job.source.parent, folder.name)
            if not problem and not (program.is_file() and depfile.is_file()):
                problem = "reported success but wrote no program"
            if problem:
                raise self._failure(job, problem, words, folder.name)
            dependencies = toolchain.dependencies(depfile.read_bytes())
            files = [str(job.source.parent / name) for name in (*dependencies, *_files_named_in(job))]
            return _Made(Program.of(program.read_bytes()), files, words)

    def _run(self, command: list[str], folder: Path, temporary: str) -> tuple[str, str]:
        """Run the compiler; return what went wrong, if anything, and what it said."""
        environment = {"SOURCE_DATE_EPOCH": "0", **os.environ, "TMPDIR": temporary}  # __DATE__ is always the same
        for name in _UNWANTED_VARIABLES:
            environment.pop(name, None)
        output = _Output()
        with self._started(command, folder, environment) as child:
            in_time = _drain(child, output, time.monotonic() + self._timeout_s)
        if self._cancelled.is_set():
            raise _Cancelled
        if not in_time:
            return f"did not finish in timeout_s = {self._timeout_s:g} s and was killed", output.text()
        if child.returncode < 0:
            return f"was ended by signal {-child.returncode}", output.text()
        return f"ended with exit code {child.returncode}" if child.returncode else "", output.text()

    @contextlib.contextmanager
    def _started(
        self, command: list[str], folder: Path, environment: dict[str, str]
    ) -> Iterator[subprocess.Popen[bytes]]:
        """A compiler in a process group of its own, which is gone at the end."""
        with self._lock:
            if self._cancelled.is_set():
                raise _Cancelled
            try:
                child = subprocess.Popen(
                    command,
                    cwd=folder,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            except OSError as error:
                raise make_error("COMPILER_MISSING", f"{command[0]} could not be started: {error}") from error
            self._children.add(child)
        try:
            with child:
                try:
                    yield child
                finally:
                    if child.returncode is None:
                        _kill(child)
        finally:
            with self._lock:
                self._children.discard(child)

    def _failure(self, job: Job, problem: str, words: str, temporary: str) -> ChiphostError:
        # To be pasted, so with an output where the user is: our temporary folder will be gone.
        command = shlex.join([*self._command(job), "-o", f"{job.source.stem}.so"])
        if job.flags:  # they may have relative paths
            command = f"cd {shlex.quote(str(job.source.parent))} && {command}"
        message = f"{job.title}: {self._compiler.path.name} {problem}\n{words}\ncommand: {command}"
        is_full = shutil.disk_usage(temporary).free < _TEMPORARY_BYTES_MIN
        return make_error("COMPILE_FAILED", message, str(job.source), hint=_TEMPORARY_HINT if is_full else None)


class _Made(NamedTuple):
    """What a compiler made: the program, the absolute paths of the files it read, and its warnings."""

    program: Program
    dependencies: list[str]
    words: str


class _Output:
    """The beginning and the end of a text that may be enormous."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._tail = bytearray()
        self._left_out = 0

    def add(self, block: bytes) -> None:
        room = _OUTPUT_BYTES_MAX - len(self._head)
        self._head += block[:room]
        self._tail += block[room:]
        excess = len(self._tail) - _OUTPUT_BYTES_MAX
        if excess > 0:
            self._left_out += excess
            del self._tail[:excess]

    def text(self) -> str:
        gap = f"\n[... {self._left_out} bytes left out ...]\n".encode() if self._left_out else b""
        return bytes(self._head + gap + self._tail).decode(errors="replace").strip()


def _drain(child: subprocess.Popen[bytes], output: _Output, deadline: float) -> bool:
    """Read what the child says until it ends; False if it has not ended by then."""
    assert child.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        while (left_s := deadline - time.monotonic()) > 0:
            if not selector.select(min(left_s, 0.1)):
                if child.poll() is not None:
                    return True  # a server that it started (sccache) keeps the pipe
            elif block := os.read(child.stdout.fileno(), 1 << 16):
                output.add(block)
            else:
                break
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(max(0.0, deadline - time.monotonic()))
    return child.returncode is not None


def _kill(child: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)


def _files_named_in(job: Job) -> list[str]:
    """Files that the user's flags name, such as a version script or a static library: they decide the result too."""
    words = {word for flag in job.flags for word in re.split("[=,@]", flag) if word}
    return sorted(word for word in words if os.path.isfile(job.source.parent / word))  # noqa: PTH113 (any word)


def _job(
    source: StrPath,
    name: str,
    title: str,
    platform: str,
    core_type: CoreType | None,
    include_dirs: Sequence[StrPath],
    defines: Sequence[str],
    flags: Sequence[str],
) -> Job:
    toolchain.arch(platform)
    if isinstance(include_dirs, (str, Path)):
        raise _invalid(f"include_dirs is {str(include_dirs)!r}; it must be a sequence of paths", title)
    folders = tuple(Path(folder).absolute() for folder in include_dirs)
    return Job(
        _source_path(source, title),
        name,
        title,
        platform,
        core_type,
        folders,
        _words("defines", defines, title),
        _words("flags", flags, title),
    )


def _source_path(source: StrPath, title: str) -> Path:
    if "\n" in str(source):
        raise _invalid("source is C++ text; it must be the path of a file", title)
    path = Path(source).absolute()
    if not os.path.isfile(path):  # noqa: PTH113 (any text may come)
        raise _invalid(f"there is no source file {str(path)!r}", title)
    return path


def _words(what: str, words: Sequence[str], title: str) -> tuple[str, ...]:
    if isinstance(words, str) or not all(isinstance(word, str) for word in words):
        raise _invalid(f"{what} is {words!r}; it must be a sequence of strings", title)
    return tuple(words)


def _check_func_ids(kernels: Sequence[Kernel]) -> None:
    seen: dict[int, Kernel] = {}
    for kernel in kernels:
        other = seen.setdefault(kernel.func_id, kernel)
        if other is not kernel:
            message = f"func_id {kernel.func_id} is given to {other.source} and to {kernel.source}"
            raise _invalid(message, "kernels")


def _usable_cpus() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # no such call on macOS
        return os.cpu_count() or 1


def _invalid(message: str, where: str) -> ChiphostError:
    return make_error("INVALID_ARGUMENT", message, where)
