# SPDX-License-Identifier: Apache-2.0
"""The abilities of this machine: everything that running scenes depends on, looked at and tried."""

from __future__ import annotations

import os
import platform as system
import time
from dataclasses import dataclass
from typing import Final

from .. import _core
from .._bench import flow_graph
from .._compiling import host_toolchain
from .._compiling.cache import CompileCache
from .._runtimes import runtimes
from .._system.cpus import usable_cpus
from ..capacity import Capacity, capacity
from ..errors import ChiphostError
from ..worker import ChipWorker
from . import chips, temp_folder


@dataclass(frozen=True)
class CompilerCheck:
    """A place where a compiler was looked for; `path`, `version` and `target` are empty if there is none."""

    origin: str
    wanted: str
    path: str
    version: str
    target: str
    used: bool
    problem: str


@dataclass(frozen=True)
class RuntimeCheck:
    """A runtime that was loaded and closed again; `problem` says why that failed."""

    platform: str
    runtime: str
    ok: bool
    load_ms: float
    isolation: str
    problem: str


@dataclass(frozen=True)
class ChildCheck:
    """The program of child processes, which was started once; `problem` says why that failed."""

    program: str
    start_ms: float
    problem: str


@dataclass(frozen=True)
class CacheCheck:
    """The compile cache."""

    root: str
    ok: bool
    programs: int
    size_bytes: int
    size_bytes_max: int
    problem: str


@dataclass(frozen=True)
class TemporaryCheck:
    """The folder for temporary files; `problem` says why orchestrations are loaded from `used` instead."""

    folder: str
    used: str
    problem: str


@dataclass(frozen=True)
class Machine:
    """The result of all checks. `problems` keep the simulated platforms from running; empty if they can."""

    ok: bool
    problems: list[str]
    version: str
    python: str
    libc: str
    system: str
    cpus_usable: int
    compilers: list[CompilerCheck]
    namespaces: Capacity
    platforms: dict[str, str]
    library: str
    runtimes: list[RuntimeCheck]
    chips: chips.ChipChecks
    child: ChildCheck
    cache: CacheCheck
    temporary: TemporaryCheck
    onetbb: str | None
    onetbb_problem: str


def look() -> Machine:
    """Look at everything. Loads every runtime, which takes a namespace each for the life of this process."""
    compilers, cache = _compilers(), _cache()
    real = runtimes.real_chips()
    here = {name: what for name, what in runtimes.platforms().items() if name not in real}
    installed = runtimes.installed()
    loads = [_load(name, platform) for platform in here for name in installed[platform]]
    simulated = [platform for platform in here if platform in runtimes.own_platforms()]
    onetbb, onetbb_problem = _onetbb()
    problems = [] if any(check.used for check in compilers) else ["no C++ compiler works"]
    problems += [] if cache.ok else ["the compile cache cannot be used"]
    problems += [] if simulated else ["none of chiphost's own platforms is installed"]
    for platform in simulated:
        if not any(load.platform == platform for load in loads):
            problems.append(f"no runtime is installed for {platform} in {runtimes.where_looked()}")
    problems += [
        f"{load.runtime} cannot be loaded for {load.platform}"
        for load in loads
        if load.platform in simulated and not load.ok
    ]
    return Machine(
        ok=not problems,
        problems=problems,
        version=_core.VERSION,
        python=system.python_version(),
        libc=_libc(),
        system=f"{system.system()} {system.release()} {system.machine()}",
        cpus_usable=usable_cpus(),
        compilers=compilers,
        namespaces=_namespaces(),
        platforms=here,
        library=runtimes.where_looked(),
        runtimes=loads,
        chips=chips.look(),
        child=_child(),
        cache=cache,
        temporary=_temporary(),
        onetbb=onetbb,
        onetbb_problem=onetbb_problem,
    )


_NO_LIBC: Final = "unknown"


def _libc() -> str:
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") or _NO_LIBC
    except (ValueError, OSError):  # no glibc
        return " ".join(filter(None, system.libc_ver())) or _NO_LIBC


def _namespaces() -> Capacity:
    try:
        return capacity()
    except ChiphostError as error:
        return Capacity(str(error))


def _compilers() -> list[CompilerCheck]:
    checks: list[CompilerCheck] = []
    for candidate in host_toolchain.candidates():
        found = candidate.compiler
        used = found is not None and not any(check.used for check in checks)
        place = (str(found.path), found.version, found.target) if found else ("", "", "")
        checks.append(CompilerCheck(candidate.origin, candidate.wanted, *place, used, candidate.problem))
    return checks


def _load(runtime: str, platform: str) -> RuntimeCheck:
    started = time.perf_counter()
    try:
        with ChipWorker(runtime, platform) as worker:
            load_ms = (time.perf_counter() - started) * 1e3
            return RuntimeCheck(platform, runtime, True, load_ms, worker.isolation or "", "")
    except ChiphostError as error:
        return RuntimeCheck(platform, runtime, False, 0.0, "", str(error))


def _child() -> ChildCheck:
    program = runtimes.child_path()
    try:
        start_ms = _core.start_child(program) * 1e3
    except ChiphostError as error:
        return ChildCheck(program, 0.0, str(error))
    return ChildCheck(program, start_ms, "")


def _cache() -> CacheCheck:
    cache = CompileCache()
    try:
        cache.try_out()
        stats = cache.stats()
    except ChiphostError as error:
        return CacheCheck(str(cache.root), False, 0, 0, 0, str(error))
    return CacheCheck(str(cache.root), True, stats.programs, stats.size_bytes, stats.size_bytes_max, "")


def _temporary() -> TemporaryCheck:
    folder = temp_folder.chosen()
    problem = temp_folder.problem(folder)
    return TemporaryCheck(folder, temp_folder.replacement() if problem else folder, problem)


def _onetbb() -> tuple[str | None, str]:
    try:
        return flow_graph.version(), ""
    except (flow_graph.FlowGraphMissing, ChiphostError) as error:
        return None, str(error)
