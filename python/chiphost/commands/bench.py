# SPDX-License-Identifier: Apache-2.0
"""`chiphost bench`: chiphost's figures on this machine."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final

import click

from . import options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from ..benchmarks import Figure
    from ..isolation_benchmarks import Cell, Row
    from ..report import ReportFile

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
    import json

    from .display import in_terminal, make_console, print_lines

    console = make_console(None if in_terminal() else _PIPE_WIDTH)
    machine = _machine()
    with console.status("measuring") if in_terminal() else contextlib.nullcontext():
        what, measured, table, last_line = _isolation(quick) if isolation else _figures(quick)
    if json_file:
        content = {"quick": quick, "machine": machine, what: [dataclasses.asdict(each) for each in measured]}
        try:
            json_file.write(json.dumps(content, indent=2) + "\n")
        except OSError as error:
            raise options.CannotWrite(json_file, error) from error
    console.print(table)
    print_lines(console, f"{last_line} on {_describe(machine)}")


def _figures(quick: bool) -> tuple[str, Sequence[Figure], Table, str]:
    """What is measured: its name in JSON, all of it, as a table, and a last line."""
    from rich.table import Table
    from rich.text import Text

    from .. import benchmarks

    figures = [*benchmarks.measure(benchmarks.QUICK if quick else benchmarks.FULL)]
    table = Table("What", box=None, pad_edge=False)
    table.add_column("Measured", justify="right")
    for title in ("", "Goal", "", "Also"):
        table.add_column(title)
    for figure in figures:
        value = "-" if figure.value is None else f"{figure.value:,.4g}"
        verdict = Text("met", "green") if figure.met else Text("" if figure.met is None else "not met", "red")
        table.add_row(figure.name, value, figure.unit, figure.goal, verdict, figure.note)
    met = [figure.met for figure in figures if figure.met is not None]
    return "figures", figures, table, f"{sum(met)} of {len(met)} goals met"


def _isolation(quick: bool) -> tuple[str, Sequence[Row], Table, str]:
    """The same of isolation."""
    from rich.table import Table

    from .. import isolation_benchmarks as benchmarks

    rows = benchmarks.measure(benchmarks.QUICK if quick else benchmarks.FULL)
    table = Table("What", "", box=None, pad_edge=False)
    for title in benchmarks.WAYS.values():
        table.add_column(title, justify="right")
    table.add_column("Also")
    for row in rows:
        notes = [row.note, *(f"{way}: {cell.note}" for way, cell in row.cells.items() if cell.note)]
        table.add_row(row.name, row.unit, *map(_cell, row.cells.values()), "; ".join(filter(None, notes)))
    return "rows", rows, table, "times: median (best);"


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

    from .. import __version__, toolchain
    from ..cpus import usable_cpus

    compiler = toolchain.find_compiler()
    return {
        "version": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "compiler": f"{compiler.path.name} {compiler.version}",
        "cpus_usable": usable_cpus(),
        "load_average": round(os.getloadavg()[0], 2),  # what else the machine did at the beginning
    }


def _describe(machine: dict[str, Any]) -> str:
    from .display import plural

    cpus, load = plural(machine["cpus_usable"], "CPU"), machine["load_average"]
    return f"{machine['system']}, {cpus}, load {load}, {machine['compiler']}, Python {machine['python']}"
