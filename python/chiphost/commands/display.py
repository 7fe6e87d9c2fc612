# SPDX-License-Identifier: Apache-2.0
"""What a person sees while scenes run: a progress bar in a terminal, plain lines everywhere else."""

from __future__ import annotations

import os
import re
import sys
from types import TracebackType
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from ..runner import SceneResult, Watcher

_WIDTH_MIN: Final = 40
_CONTROLS: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # all but the tab and the end of a line


class Display(Watcher):
    """Shows progress, and lines above it. A context manager; subclasses say what is printed for a scene."""

    def __init__(self, scenes: int) -> None:
        """`scenes` are to be run."""
        self.console = make_console()
        self._scenes = scenes
        self._ended = 0
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self.console,
            transient=True,
            disable=not in_terminal(),
        )
        self._task = self._bar.add_task("starting", total=None)

    def __enter__(self) -> Display:
        """Show the bar."""
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Remove the bar."""
        self._bar.stop()

    def compiled(self, done: int, total: int, name: str) -> None:
        """Count files."""
        self._bar.update(self._task, description=f"compiled {name}", completed=done, total=total)

    def started(self, scene: str) -> None:
        """Name the scene."""
        self._bar.update(self._task, description=scene, completed=self._ended, total=self._scenes)

    def ended(self, result: SceneResult) -> None:
        """Count scenes."""
        self._ended += 1
        self._bar.update(self._task, completed=self._ended, total=self._scenes)

    def print_verdict(self, passed: bool, columns: str, below: str = "") -> None:
        """One line, and what belongs to it below. Printed at once: the bar is drawn again after every print."""
        verdict = ("PASS", "green") if passed else ("FAIL", "bold red")
        print_lines(self.console, Text.assemble(verdict, f"  {columns}"), below)


def in_terminal() -> bool:
    """Whether standard output is a terminal where lines can be overwritten."""
    # Not Console.is_terminal: FORCE_COLOR asks for colours in a pipe, not for a bar.
    return sys.stdout is not None and sys.stdout.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")


def make_console(width: int | None = None) -> Console:
    """A console on standard output that prints text as it is; the width is the terminal's, or 80, if None."""
    console = Console(markup=False, emoji=False, highlight=False, width=width)
    if console.width < _WIDTH_MIN:  # less shows nothing; a terminal that is really so narrow wraps lines itself
        console.width = _WIDTH_MIN
    return console


def print_lines(console: Console, line: str | Text, below: str = "") -> None:
    """Print a line, and further ones indented. Nothing is wrapped: it is to be searched and copied."""
    others = [Text(f"      {_printable(other)}".rstrip()) for other in below.split("\n")] if below else []
    first = Text(_printable(line)) if isinstance(line, str) else line
    console.print(Text("\n").join([first, *others]), soft_wrap=True)


def _printable(text: str) -> str:
    """What a scene or a compiler says, without the power to control the terminal."""
    return _CONTROLS.sub(lambda match: f"\\x{ord(match[0]):02x}", text)


def plural(count: int, noun: str) -> str:
    """For example "1 task", "4 tasks"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
