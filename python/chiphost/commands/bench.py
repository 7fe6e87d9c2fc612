# SPDX-License-Identifier: Apache-2.0
"""`chiphost bench`: chiphost's figures on this machine."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final

import click

from . import options

if TYPE_CHECKING:
    from ..benchmarks import Figure
    from ..report import ReportFile

_PIPE_WIDTH: Final = 160  # nobody should have to read wrapped cells in a file


@click.command()
@options.json_file("Write the figures to this file as JSON.")
@click.option("--quick", is_flag=True, help="Measure less often.")
def bench(json_file: ReportFile | None, quick: bool) -> None:
    """Measure chiphost on this machine and compare with its goals.

    Where oneTBB is installed, its flow graph runs the same graphs. Other work on the machine spoils the figures. A goal
    that is missed is no failure.
    """
    import dataclasses
    import json

    from rich.table import Table
    from rich.text import Text

    from .. import benchmarks
    from .display import in_terminal, make_console, print_lines

    console = make_console(None if in_terminal() else _PIPE_WIDTH)
    machine = _machine()
    figures: list[Figure] = []
    with console.status("measuring") if in_terminal() else contextlib.nullcontext():
        figures.extend(benchmarks.measure(benchmarks.QUICK if quick else benchmarks.FULL))
    if json_file:
        content = {"quick": quick, "machine": machine, "figures": [dataclasses.asdict(figure) for figure in figures]}
        try:
            json_file.write(json.dumps(content, indent=2) + "\n")
        except OSError as error:
            raise options.CannotWrite(json_file, error) from error

    table = Table("What", box=None, pad_edge=False)
    table.add_column("Measured", justify="right")
    for title in ("", "Goal", "", "Also"):
        table.add_column(title)
    for figure in figures:
        value = "-" if figure.value is None else f"{figure.value:,.4g}"
        verdict = Text("met", "green") if figure.met else Text("" if figure.met is None else "not met", "red")
        table.add_row(figure.name, value, figure.unit, figure.goal, verdict, figure.note)
    console.print(table)
    met = [figure.met for figure in figures if figure.met is not None]
    print_lines(console, f"{sum(met)} of {len(met)} goals met on {_describe(machine)}")


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
