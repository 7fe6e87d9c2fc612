# SPDX-License-Identifier: Apache-2.0
"""The instrumented compile of one file.

The compiler translates the source into text first: assembler of g++, the IR of clang++. The text shows what is not
instrumented. Then the text becomes the program, with a section that lists what was found.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ...errors import LoadError
from .. import output
from . import clang_output, gcc_output, links, options, unchecked
from .unchecked import Unchecked

if TYPE_CHECKING:
    from ..host_toolchain import Compiler

_NOT_LOOKED_AT: Final = Unchecked(
    "its flags name further files to compile, so nobody looks for inline assembly and other code without callbacks"
)
# Runs a command; returns what went wrong, empty if nothing, and the compiler's output.
Run = Callable[[list[str]], tuple[str, str]]


@dataclass(frozen=True)
class Words:
    """The parts of a command.

    Attributes:
        before: the compiler, and its options before the source.
        source: the words for the source.
        after: the user's flags, and the options that win over them.
    """

    before: Sequence[str]
    source: Sequence[str]
    after: Sequence[str]

    @property
    def all(self) -> list[str]:
        """The command."""
        return [*self.before, *self.source, *self.after]


class InstrumentedBuild:
    """The commands of one compile, with their files in a temporary folder."""

    def __init__(self, compiler: Compiler, words: Words, run: Run, folder: Path) -> None:
        """Prepare; nothing runs yet."""
        self._compiler = compiler
        self._words = words
        self._run = run
        self._folder = folder
        self._records = folder / "unchecked.s"
        self._map = folder / "program.map"

    def make(self, program: Path, headers: Sequence[str]) -> tuple[str, str]:
        """Write the program. Returns what `Run` returns, for the last command.

        `headers` are options for the compile of the source, which write the rule with its headers.
        """
        found = self._translated(headers)
        source: Sequence[str] = self._text_words()
        further: Sequence[str] = self._code_options()
        if found is None:
            # One command does both. If the source is at fault, it says so.
            found, source, further = [_NOT_LOOKED_AT], self._words.source, headers
        problem, words = self._linked(program, source, further, found)
        if problem or not program.is_file() or not output.is_shared_library(program.read_bytes()):
            return problem, words
        try:
            others = links.unchecked(program, self._map_text(), self._folder)
        except (links.NotInstrumented, LoadError) as error:
            return f"made a program that {error}", words
        return self._linked(program, source, further, [*found, *others]) if others else (problem, words)

    @property
    def _text(self) -> Path:
        return self._folder / ("program.ll" if self._compiler.family == "clang" else "program.s")

    def _text_words(self) -> list[str]:
        return ["-x", "ir" if self._compiler.family == "clang" else "assembler", str(self._text)]

    def _code_options(self) -> list[str]:
        """The options that make code of the text as it is."""
        if self._compiler.family == "clang":
            return ["-fno-sanitize=all", "-Xclang", "-disable-llvm-passes"]
        return ["-fno-sanitize=all", "-g0"]  # the text has its debugging information

    def _translated(self, headers: Sequence[str]) -> list[Unchecked] | None:
        """Write the text. Returns what is not instrumented in it, None if there is no text."""
        if self._compiler.family == "clang":
            dump, kind = None, ["-S", "-emit-llvm"]
        else:
            dump = self._folder / "program.dump"
            kind = ["-S", f"{gcc_output.DUMP_OPTION}={dump}"]
        problem, _ = self._run([*self._words.all, *kind, *headers, "-o", str(self._text)])
        if problem or not self._text.is_file():
            return None
        text = self._text.read_text(errors="surrogateescape")
        if dump is None:
            return list(clang_output.in_ir(text))
        shown = dump.read_text(errors="surrogateescape") if dump.is_file() else ""
        return [*gcc_output.in_assembler_text(text), *gcc_output.in_dump(shown)]

    def _linked(
        self, program: Path, source: Sequence[str], further: Sequence[str], found: Sequence[Unchecked]
    ) -> tuple[str, str]:
        self._records.write_text(unchecked.section(found))
        inputs = [*source, "-x", "assembler", str(self._records), "-x", "none"]
        command = [*self._words.before, *inputs, *self._words.after, *options.link_options(self._words.after), *further]
        return self._run([*command, f"-Wl,-Map={self._map}", "-o", str(program)])

    def _map_text(self) -> str:
        return self._map.read_text(errors="surrogateescape") if self._map.is_file() else ""
