# SPDX-License-Identifier: Apache-2.0
"""`chiphost audit`: how a shared library can be isolated."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from . import options

if TYPE_CHECKING:
    from rich.console import Console

    from ..audit import Audit, Strategy
    from ..scenes.report import ReportFile

_STYLES: Final = {"ok": "green", "care": "yellow", "no": "bold red"}
_WORDS: Final = {"ok": "ok", "care": "with care", "no": "no"}


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))
@click.option(
    "--strategy",
    type=options.Choice(["namespace", "copy", "process", "auto"]),
    default="auto",
    show_default=True,
    help="What the exit code is about.",
)
@click.option(
    "--default-lookup", is_flag=True, help="As a library that is opened with default_lookup=True: see isolate.open."
)
@options.json_file("Write what was found to this file as JSON.")
def audit(files: tuple[Path, ...], strategy: Strategy, default_lookup: bool, json_file: ReportFile | None) -> None:
    """Show how shared libraries can be isolated, and what stands in the way.

    The files are read, never loaded. The exit code is 0 if each can be used under the strategy, 1 if one cannot, 2 if
    one cannot be read.
    """
    import dataclasses

    from .. import audit as audits
    from ..errors import LoadError
    from ..scenes.report import as_json
    from .terminal import complain, interruptible, make_console, progress

    console = make_console()
    reports: list[dict[str, Any]] = []
    unusable = unreadable = False
    with interruptible(lambda: progress(len(reports), len(files), "file")):
        for path in files:
            try:
                found = audits.audit(path, default_lookup=default_lookup)
            except LoadError as error:
                unreadable = True
                complain(f"chiphost: {error}")
                reports.append({"path": str(path), "error": str(error)})
                continue
            _print(console, found)
            usable = found.usable(strategy)
            unusable = unusable or not usable
            reports.append({**dataclasses.asdict(found), "usable": usable, "error": None})
    if json_file:
        try:
            json_file.write(as_json({"strategy": strategy, "files": reports}))
        except OSError as error:
            raise options.CannotWrite(json_file, error) from error
    sys.exit(2 if unreadable else 1 if unusable else 0)


def _print(console: Console, found: Audit) -> None:
    from rich.text import Text

    from .terminal import print_lines

    build_id = f", build id {found.build_id}" if found.build_id else ""
    print_lines(console, f"{found.path}: {found.machine}, {found.bytes:,} bytes{build_id}")
    for use, verdict in found.verdicts.items():
        title = f"  {use:<16}"
        reasons = ", ".join(verdict.reasons)
        print_lines(console, Text.assemble(title, (f"{_WORDS[verdict.answer]:<11}", _STYLES[verdict.answer]), reasons))
    print_lines(console, f"  {'auto':<16}{found.auto.strategy or 'none'}: {found.auto.why}")
    for finding in found.findings:
        facts = f" ({', '.join(finding.facts)})" if finding.facts else ""
        below = [finding.consequence] + ([f"mend: {finding.remedy}"] if finding.remedy else [])
        print_lines(console, f"  {finding.id}{facts}: {finding.seen}", below)
    print_lines(console, "")
