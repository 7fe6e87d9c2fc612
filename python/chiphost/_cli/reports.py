# SPDX-License-Identifier: Apache-2.0
"""Writing the reports that a command was asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import IO, Any

import click

from .._reports.file import ReportFile, as_json, write_all
from .terminal import complain


class CannotWrite(click.ClickException):
    """A report could not be written, although that looked possible at the beginning."""

    exit_code = 2

    def __init__(self, file: ReportFile, error: OSError) -> None:
        """Name the file and the reason."""
        super().__init__(f"cannot write {file.path}: {error}")

    def show(self, file: IO[Any] | None = None) -> None:
        """Show this error like every other one, and not only at the end of a command."""
        text = f"chiphost: {self.message}"
        complain(text) if file is None else click.echo(text, file=file)


def write(*reports: tuple[ReportFile | None, Callable[[], str]]) -> list[CannotWrite]:
    """Write reports, each to its file if there is one; returns the errors, for a caller that has more to say first."""
    return [CannotWrite(file, error) for file, error in write_all(reports)]


def write_json(file: ReportFile | None, content: Any) -> None:
    """Write the one report of a command, if it was asked for one. Raises CannotWrite."""
    for problem in write((file, lambda: as_json(content))):
        raise problem
