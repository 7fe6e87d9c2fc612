# SPDX-License-Identifier: Apache-2.0
"""The progress that a person sees while scenes run: a bar in a terminal, plain lines everywhere else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import TracebackType

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from .._text.printable import one_line
from ..scenes.results import SceneResult, Watcher
from .checking import with_commands
from .console import make_console, print_lines
from .terminal import Command, in_terminal


class Display(Watcher):
    """Shows progress, and lines above it. A context manager; subclasses say what is printed for a scene."""

    def __init__(self, scenes: int) -> None:
        """Prepare to show the progress of `scenes` scenes."""
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
        """Count compiled files."""
        self._bar.update(self._task, description=f"compiled {one_line(name)}", completed=done, total=total)

    def started(self, scene: str) -> None:
        """Name the scene."""
        self._bar.update(self._task, description=one_line(scene), completed=self._ended, total=self._scenes)

    def ended(self, result: SceneResult) -> None:
        """Count scenes that have ended."""
        self._ended += 1
        self._bar.update(self._task, completed=self._ended, total=self._scenes)

    def interrupted(self, result: SceneResult) -> None:
        """Count scenes that were kept from their end, too."""
        Display.ended(self, result)

    def print_verdict(self, passed: bool | None, columns: str, below: Sequence[str] = ()) -> None:
        """Print one line, and further ones that belong to it below. Prints at once: each print draws the bar again.

        `passed` is None for a skipped case or scene.
        """
        verdict = ("SKIP", "yellow") if passed is None else ("PASS", "green") if passed else ("FAIL", "bold red")
        parts = [part for text in below for part in _with_commands(text)]
        print_lines(self.console, Text.assemble(verdict, f"  {one_line(columns)}"), parts)


def _with_commands(text: str) -> Iterator[str]:
    return iter([text]) if isinstance(text, Command) else with_commands(text)
