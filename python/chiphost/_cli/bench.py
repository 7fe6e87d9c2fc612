# SPDX-License-Identifier: Apache-2.0
"""`chiphost bench`: chiphost's figures on this machine."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import platform
from collections.abc import Callable, Iterable
from typing import Any, Final

from rich.text import Text

from .._bench import figures, simpler
from .._bench import isolation as isolation_costs
from .._bench.figures import Figure
from .._bench.isolation import Cell, Row
from .._compiling import host_toolchain
from .._core import VERSION
from .._reports.file import ReportFile
from .._system.cpus import usable_cpus
from . import reports
from .console import make_console, print_lines
from .table import print_table
from .terminal import Interrupted, in_terminal, plural

_PIPE_WIDTH: Final = 160  # nobody should have to read wrapped cells in a file


def main(json_file: ReportFile | None, quick: bool, isolation: bool) -> None:
    """Measure, and print a table; see `commands.bench`."""
    console = make_console(_PIPE_WIDTH)
    machine = _machine()
    what, measure, columns, row, sum_up = _isolation() if isolation else _figures()
    measured: list[Any] = []
    interrupted = False
    with console.status("measuring") if in_terminal() else contextlib.nullcontext():
        try:
            for each in measure(quick):
                measured.append(each)
        except KeyboardInterrupt:
            interrupted = True
    if not interrupted:
        content = {"quick": quick, "machine": machine, what: [dataclasses.asdict(each) for each in measured]}
        reports.write_json(json_file, content)
    if measured:
        print_table(console, columns, map(row, measured))
    if interrupted:
        no_report = f"; {json_file.path} was not written" if json_file else ""
        raise Interrupted(f"{plural(len(measured), 'figure')} had been measured{no_report}")
    print_lines(console, f"{sum_up(measured)} on {_describe(machine)}")


_Kind = tuple[
    str,  # name in JSON
    Callable[[bool], Iterable[Any]],  # measures, quickly if so wanted
    list[tuple[str, str]],  # titles of columns, and how they are justified
    Callable[[Any], list[Any]],  # a row of the table
    Callable[[list[Any]], str],  # the last line
]


def _figures() -> _Kind:
    def measure(quick: bool) -> Iterable[Figure]:
        effort = figures.QUICK if quick else figures.FULL
        yield from figures.measure(effort)
        yield from simpler.measure(effort)

    def row(figure: Figure) -> list[Any]:
        value = "-" if figure.value is None else f"{figure.value:,.4g}"
        verdict = Text("met", "green") if figure.met else Text("" if figure.met is None else "not met", "red")
        return [figure.name, value, figure.unit, figure.goal, verdict, figure.note]

    def sum_up(figures: list[Figure]) -> str:
        met = [figure.met for figure in figures if figure.met is not None]
        return f"{sum(met)} of {len(met)} goals met"

    titles = [("What", "left"), ("Measured", "right"), ("", "left"), ("Goal", "left"), ("", "left"), ("Also", "left")]
    return "figures", measure, titles, row, sum_up


def _isolation() -> _Kind:
    def measure(quick: bool) -> Iterable[Row]:
        return isolation_costs.measure(isolation_costs.QUICK if quick else isolation_costs.FULL)

    def row(each: Row) -> list[Any]:
        notes = [each.note, *(f"{way}: {cell.note}" for way, cell in each.cells.items() if cell.note)]
        return [each.name, each.unit, *map(_cell, each.cells.values()), "; ".join(filter(None, notes))]

    titles = [
        ("What", "left"),
        ("", "left"),
        *((title, "right") for title in isolation_costs.WAYS.values()),
        ("Also", "left"),
    ]
    return "rows", measure, titles, row, lambda rows: "times: median (best);"


def _cell(cell: Cell) -> str:
    if cell.value is None:
        return "-"
    best = f" ({_three_digits(cell.detail['best'])})" if "best" in cell.detail else ""
    return f"{_three_digits(cell.value)}{'+' if cell.at_least else ''}{best}"


def _three_digits(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"  # never 1e+05


def _machine() -> dict[str, Any]:
    compiler = host_toolchain.find_compiler()
    return {
        "version": VERSION,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "compiler": f"{compiler.path.name} {compiler.version}",
        "cpus_usable": usable_cpus(),
        "load_average": round(os.getloadavg()[0], 2),  # what else the machine did at the beginning
    }


def _describe(machine: dict[str, Any]) -> str:
    cpus, load = plural(machine["cpus_usable"], "CPU"), machine["load_average"]
    return f"{machine['system']}, {cpus}, load {load}, {machine['compiler']}, Python {machine['python']}"
