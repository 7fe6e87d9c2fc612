# SPDX-License-Identifier: Apache-2.0
"""The report of a checked run, as the runtime gives it, read into findings."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from .. import _core
from ..binary import Binary
from ..callable import ChipCallable
from ..errors import make_error
from .code_lines import CodeLines
from .finding import ROLES, Access, CodeLine, Finding, Memory
from .mending import declarations_of, edge_of

_FORMAT: Final = 1
_NUMBERED: Final = ("argument", "output", "allocation")  # kinds of memory
_ORCHESTRATION: Final = -1  # the number of the orchestration among programs; kernels have their func_ids
_DTYPES: Final[dict[int, str]] = {number: name for name, number in _core.dtype_table().items()}


@dataclass(frozen=True)
class Report:
    """What a checked run says.

    Attributes:
        checks: the bit mask of the checks that were made; see `check_names`.
        tasks: tasks in the graph.
        edges: edges in the graph.
        unnecessary_edges: edges that the runtime made and no conflict wants: lost parallelism.
        dropped: findings that are not among `findings`, because there were too many.
        findings: what was found, each cause once.
    """

    checks: int
    tasks: int
    edges: int
    unnecessary_edges: int
    dropped: int
    findings: tuple[Finding, ...]


def read_report(text: str, callable: ChipCallable, runtime: str) -> Report:
    """Read the JSON text of a run.

    Args:
        text: the report, of format 1.
        callable: what was run, with the instrumented programs, whose addresses the report has.
        runtime: the name of the runtime.

    Raises InternalError if the text is no such report.
    """
    try:
        data = json.loads(text)
        if data["format"] != _FORMAT:
            raise ValueError(f"it has format {data['format']}")
        reader = _Reader(callable, runtime, data["findings"])
        return Report(
            data["checks"],
            data["tasks"],
            data["edges"],
            data["unnecessary_edges"],
            data["dropped"],
            tuple(reader.finding(each) for each in data["findings"] if not reader.is_of_block_copies(each)),
        )
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        message = f"wanted a report of checks in format {_FORMAT}; found one that cannot be read: {error}"
        hint = "install chiphost again: its runtimes and its Python package do not fit"
        raise make_error("INTERNAL", message, f"checks of {callable.name}", hint=hint) from error


class _Reader:
    """Reads the findings of one report."""

    def __init__(self, callable: ChipCallable, runtime: str, findings: Sequence[Mapping[str, Any]]) -> None:
        self._callable = callable
        self._runtime = runtime
        self._binaries: Final = {_ORCHESTRATION: callable.orchestration}
        self._binaries.update({func_id: binary for func_id, _, binary in callable.kernels})
        self._arrays: Final = [arg.name for arg in callable.signature or () if arg.kind != "scalar"]
        self._lines: Final = self._look_up(findings)

    def finding(self, data: Mapping[str, Any]) -> Finding:
        first, second = self._access(data["first"]), self._access(data["second"])
        check, what, elements = data["check"], data["what"], data["elements"]
        return Finding(
            check,
            what,
            data["count"],
            first,
            second,
            self._memory(data["memory"]),
            data["begin"],
            data["end"],
            tuple(elements["first"]) if elements else None,
            tuple(elements["last"]) if elements else None,
            edge_of(check, what, first, second),
            declarations_of(check, what, first, second, self._runtime),
            self._runtime,
            self._callable.name,
        )

    def is_of_block_copies(self, data: Mapping[str, Any]) -> bool:
        """True for a finding of data caches about accesses that pass them by."""
        if data["check"] != "coherence":
            return False
        cached = {"unflushed_write": ("first",), "stale_read": ("second",)}.get(data["what"], ("first", "second"))
        return all(self._in_block_copy(data[each]) for each in cached)

    def _in_block_copy(self, access: Mapping[str, Any]) -> bool:
        program, stack = access["program"], access["code"]
        return bool(stack) and program in self._lines and self._lines[program].in_block_copy(stack)

    def _access(self, data: Mapping[str, Any] | None) -> Access | None:
        if data is None:
            return None
        program = data["program"]
        line = self._line(program, data["code"])
        source = _source(self._binaries[program]) if program in self._binaries and data["actor"] != "host" else ""
        if data["actor"] != "task":
            return Access(data["actor"], data["action"], source=source, line=line)
        argument, func_id = data["argument"], data["func_id"]
        return Access(
            "task",
            data["action"],
            data["submission"],
            self._binaries[func_id].name if func_id in self._binaries else "",
            func_id,
            data["block"],
            data["block_num"],
            data["core"],
            None if argument < 0 else argument,
            "" if argument < 0 or data["role"] < 0 else ROLES[data["role"]],
            source,
            line,
            self._line(_ORCHESTRATION, data["submitted"]),
        )

    def _memory(self, data: Mapping[str, Any]) -> Memory:
        kind = data["kind"]
        number: Any = data["number"] if kind in _NUMBERED else None
        name = data.get("name", "")
        if kind == "argument" and number < len(self._arrays):
            name = self._arrays[number]
        shape = data.get("shape")
        return Memory(
            kind,
            name,
            number,
            data.get("submission"),
            data.get("bytes", 0),
            None if shape is None else tuple(shape),
            _DTYPES.get(data.get("dtype", -1), ""),
        )

    def _line(self, program: int, stack: Sequence[int]) -> CodeLine | None:
        return self._lines[program].line(stack) if stack and program in self._lines else None

    def _look_up(self, findings: Sequence[Mapping[str, Any]]) -> dict[int, CodeLines]:
        """The lines of all programs that findings name, each program looked into once."""
        stacks: dict[int, list[Sequence[int]]] = {}
        for program, stack in _stacks(findings):
            stacks.setdefault(program, []).append(stack)
        return {
            program: CodeLines(binary.data, stacks[program], binary.source_folder)
            for program, binary in self._binaries.items()
            if program in stacks
        }


def _stacks(findings: Sequence[Mapping[str, Any]]) -> Iterator[tuple[int, Sequence[int]]]:
    """The program and the addresses of each place that findings name."""
    for finding in findings:
        for access in filter(None, (finding["first"], finding["second"])):
            yield access["program"], access["code"]
            yield _ORCHESTRATION, access.get("submitted", ())


def _source(binary: Binary) -> str:
    """The path of a program's source; "" if it was given as a binary."""
    return "" if binary.job is None else str(binary.job.source)
