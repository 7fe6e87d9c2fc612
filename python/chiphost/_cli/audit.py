# SPDX-License-Identifier: Apache-2.0
"""`chiphost audit`: the strategies by which a shared library can be isolated."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from .. import audit as audits
from .._reports.file import ReportFile
from ..audit import Audit, Strategy
from ..errors import LoadError
from . import reports
from .console import make_console, print_lines
from .terminal import complain, interruptible, progress

_STYLES: Final = {"ok": "green", "care": "yellow", "no": "bold red"}
_WORDS: Final = {"ok": "ok", "care": "with care", "no": "no"}


def main(files: tuple[Path, ...], strategy: Strategy, default_lookup: bool, json_file: ReportFile | None) -> None:
    """Read the files and say what was found; see `commands.audit`."""
    console = make_console()
    found_all: list[dict[str, Any]] = []
    unusable = unreadable = False
    with interruptible(lambda: progress(len(found_all), len(files), "file")):
        for path in files:
            try:
                found = audits.audit(path, default_lookup=default_lookup)
            except LoadError as error:
                unreadable = True
                complain(f"chiphost: {error}")
                found_all.append({"path": str(path), "error": str(error)})
                continue
            _print(console, found)
            usable = found.usable(strategy)
            unusable = unusable or not usable
            found_all.append({**dataclasses.asdict(found), "usable": usable, "error": None})
    reports.write_json(json_file, {"strategy": strategy, "files": found_all})
    sys.exit(2 if unreadable else 1 if unusable else 0)


def _print(console: Console, found: Audit) -> None:
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
