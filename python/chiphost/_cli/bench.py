# SPDX-License-Identifier: Apache-2.0
"""`chiphost bench`: chiphost's figures on this machine."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

import click

from . import options

if TYPE_CHECKING:
    from .._bench.figures import Figure
    from .._bench.isolation import Cell, Row
    from ..scenes.report import ReportFile

_PIPE_WIDTH: Final = 160  # nobody should have to read wrapped cells in a file


@click.command()
@options.json_file("Write the figures to this file as JSON.")
@click.option("--quick", is_flag=True, help="Measure less often.")
@click.option("--isolation", is_flag=True, help="Measure what each isolation strategy costs instead.")
def bench(json_file: ReportFile | None, quick: bool, isolation: bool) -> None:
    """Measure chiphost on this machine and compare with its goals.

    Where oneTBB is installed, its flow graph runs the same graphs. Other work on the machine spoils the figures. A goal
    that is missed is no failure.

    With --isolation: namespace, copy and process side by side, next to a process for every run.
    """
    import dataclasses

    from ..scenes.report import as_json
    from .terminal import Interrupted, in_terminal, make_console, plural, print_lines, print_table

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
    if json_file and not interrupted:
        content = {"quick": quick, "machine": machine, what: [dataclasses.asdict(each) for each in measured]}
        try:
            json_file.write(as_json(content))
        except OSError as error:
            raise options.CannotWrite(json_file, error) from error
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
    from rich.text import Text

    from .._bench import figures, simpler

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
    from .._bench import isolation

    def measure(quick: bool) -> Iterable[Row]:
        return isolation.measure(isolation.QUICK if quick else isolation.FULL)

    def row(each: Row) -> list[Any]:
        notes = [each.note, *(f"{way}: {cell.note}" for way, cell in each.cells.items() if cell.note)]
        return [each.name, each.unit, *map(_cell, each.cells.values()), "; ".join(filter(None, notes))]

    titles = [
        ("What", "left"),
        ("", "left"),
        *((title, "right") for title in isolation.WAYS.values()),
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
    import os
    import platform

    from .. import __version__
    from .._compiling import host_toolchain
    from .._system.cpus import usable_cpus

    compiler = host_toolchain.find_compiler()
    return {
        "version": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "compiler": f"{compiler.path.name} {compiler.version}",
        "cpus_usable": usable_cpus(),
        "load_average": round(os.getloadavg()[0], 2),  # what else the machine did at the beginning
    }


def _describe(machine: dict[str, Any]) -> str:
    from .terminal import plural

    cpus, load = plural(machine["cpus_usable"], "CPU"), machine["load_average"]
    return f"{machine['system']}, {cpus}, load {load}, {machine['compiler']}, Python {machine['python']}"
