# SPDX-License-Identifier: Apache-2.0
"""`chiphost doctor`: the abilities of this machine."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from typing import Final

from rich.text import Text

from .._machine import machine as machines
from .._machine.chips import ChipChecks
from .._machine.machine import Machine
from .._reports.file import ReportFile
from ..capacity import Capacity
from . import reports
from .console import make_console, print_lines
from .terminal import interruptible, plural

# The content of a row: ("ok", "-" or "FAIL"; text). A title has no verdict.
Row = tuple[str, str]

_STYLES: Final = {"ok": "green", "-": "dim", "FAIL": "bold red"}


def main(json_file: ReportFile | None, details: bool) -> None:
    """Look at the machine and say what was found; see `commands.doctor`."""
    console = make_console()
    with interruptible(lambda: "nothing is known yet"):
        machine = machines.look()
    reports.write_json(json_file, dataclasses.asdict(machine))
    for verdict, text in _rows(machine, details):
        first, *others = text.split("\n")
        line = Text.assemble("  ", (f"{verdict:<4}", _STYLES[verdict]), "  ", first) if verdict else first
        print_lines(console, line, [f"  {other}" for other in others])
    sys.exit(0 if machine.ok else 1)


def _rows(machine: Machine, details: bool) -> Iterator[Row]:
    yield "", f"chiphost {machine.version}, Python {machine.python}, {machine.libc}, {machine.system}"
    yield "ok", f"{plural(machine.cpus_usable, 'CPU')} usable"

    yield "", "Compilers"
    for compiler in machine.compilers:
        if compiler.problem:
            yield "-", f"{compiler.wanted} ({compiler.origin}): {compiler.problem}"
        else:
            used = ", used" if compiler.used else ""
            yield "ok", f"{compiler.wanted} {compiler.version} for {compiler.target} ({compiler.path}){used}"

    yield "", f"Runtimes in {machine.library}"
    for platform, description in machine.platforms.items():
        loads = [load for load in machine.runtimes if load.platform == platform]
        if not loads:
            yield "FAIL", f"{platform} ({description}): none is installed"
        for load in loads:
            how = f"loaded in {load.load_ms:.1f} ms ({load.isolation})" if load.ok else load.problem
            yield "ok" if load.ok else "FAIL", f"{platform} ({description})  {load.runtime}: {how}"

    yield "", "Chips"
    yield from _chip_rows(machine.chips, details)

    yield "", "Linker namespaces"
    yield from _namespace_rows(machine.namespaces)

    yield "", "Child processes"
    child = machine.child
    started = f"{child.program}: started in {child.start_ms:.1f} ms"
    yield ("-", child.problem) if child.problem else ("ok", started)

    yield "", "Compile cache"
    cache = machine.cache
    size = f"{cache.size_bytes / 1e6:.1f} MB of at most {cache.size_bytes_max / 1e6:.0f} MB"
    what = f"{cache.root}: {plural(cache.programs, 'program')}, {size}"
    yield ("ok", what) if cache.ok else ("FAIL", cache.problem)

    yield "", "Temporary files"
    temporary = machine.temporary
    instead = f"{temporary.problem}; {temporary.used} is used instead (TMPDIR)"
    yield ("-", instead) if temporary.problem else ("ok", f"{temporary.folder}: a library can be loaded from there")

    yield "", "oneTBB, for chiphost bench"
    yield ("ok", machine.onetbb) if machine.onetbb else ("-", f"not to be had: {machine.onetbb_problem}")

    can = "can" if machine.ok else "cannot"
    why = "" if machine.ok else f": {'; '.join(machine.problems)}"
    yield "", f"This machine {can} run the simulated platforms{why}."


def _chip_rows(found: ChipChecks, details: bool) -> Iterator[Row]:
    if not details and not any(chip.ok for chip in found.chips):  # as on nearly every machine
        platforms: dict[str, list[str]] = {}
        for chip in found.chips:
            platforms.setdefault(chip.problem.partition(";")[0], []).append(chip.platform)
        for problem, names in platforms.items():
            yield "-", f"{', '.join(names)}: {problem} (what was looked for: chiphost doctor --details)"
        return
    for chip in found.chips:
        yield ("ok", f"{chip.platform}: device 0 was opened") if chip.ok else ("-", f"{chip.platform}: {chip.problem}")
        for name in chip.programs_missing:
            core = "no ccec, the chip vendor's compiler, or no ld.lld beside it"
            why = "no compiler for aarch64" if name == "aicpu.so" else core
            yield "-", f"{chip.platform}: chiphost was built without its {name}: there was {why}"
    for compiler in found.compilers:
        what = f"{compiler.found}: compiler for {compiler.purpose}"
        yield ("ok", what) if compiler.found else ("-", compiler.problem)
    settings = (f"{name}={value}" if value else f"{name} is not set" for name, value in found.environment.items())
    yield "-", ", ".join(settings)


def _namespace_rows(found: Capacity) -> Iterator[Row]:
    if found.problem:
        yield "-", found.problem
        return
    others = "others not known" if found.others is None else f"{found.others} by others"
    yield "ok", f"{found.left} left, found by trying; {found.opened} opened by chiphost, {others}"
    yield "ok", f"of these {found.spare} spare, {found.idle} idle (they give way), {found.pinned} pinned"
    if found.pins:
        yield "-", f"pinned by {found.pins}"
    tunables = f"glibc.rtld.nns={found.tunable_namespaces}"
    tunables += f", glibc.rtld.optional_static_tls={found.tunable_static_tls}"
    yield "ok", f"{found.limit} in a process; the limit is {found.limited_by or 'not known'} ({tunables})"
    if found.more_with:
        yield "-", f"{found.more_namespaces or 'more'} with GLIBC_TUNABLES={found.more_with}, or --more-namespaces"
