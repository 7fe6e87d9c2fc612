# SPDX-License-Identifier: Apache-2.0
"""The exceptions that chiphost raises: one class for each kind of remedy, all below `ChiphostError`.

Every exception says what went wrong (`message`), where (`where`) and what to do (`hint`), and carries the code and the
name of its row in the error table. Errors of a run also name the task, the core and the kernel to blame. If
CHIPHOST_DOCS_URL names the documentation site, the text ends with the address of the row there.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple, NoReturn

from . import _core
from ._text import site
from ._text.printable import one_line
from .call_config import FIELDS


class ErrorRow(NamedTuple):
    """One row of the error table."""

    code: int
    name: str
    python_class: str
    meaning: str
    remedy: str


class ChiphostError(Exception):
    """Base of all errors that chiphost raises on purpose.

    Attributes:
        code: number of the row in `ERROR_TABLE`.
        name: name of the row, for example "GRAPH_CYCLE".
        message: what happened, with the values.
        where: the place, for example a file, a function, an argument; may be empty.
        hint: what to do about it.
        detail_code: the orchestration's or the platform's own code; of a ProcessError what ended the process, as
            subprocess.Popen.returncode says it: an exit code, or -11 for signal 11; 0 if there is none.
        task: id of the task to blame, or None.
        core: number of the core to blame, or None.
        func_id: the kernel to blame, or None.
        submission: number of the submission to blame, counted from 0 in the order of the orchestration's calls, or
            None.
        stall_report: of a run that could not end on a simulated chip, or would not have: what waits for what, and the
            last 256 events if there are kernels that wait for other cores, a line each; of one that did not return,
            where it is; else "".
        findings: what the checks had found (`chiphost.checks.Finding`) before a checked run failed; else ().
    """

    findings: tuple[Any, ...] = ()
    check_report: str | None = None  # where `findings` come from; workers set it
    submission: int | None = None
    stall_report: str = ""

    def __init__(
        self,
        code: int,
        message: str,
        where: str = "",
        *,
        hint: str | None = None,
        detail_code: int = 0,
        task: int | None = None,
        core: int | None = None,
        func_id: int | None = None,
    ) -> None:
        row = ERROR_TABLE[code]
        self.code = code
        self.name = row.name
        self.message = message
        self.where = where
        self.hint = row.remedy if hint is None else hint
        self.detail_code = detail_code
        self.task = task
        self.core = core
        self.func_id = func_id
        super().__init__(self._text())

    def reword(self, where: str, message: str) -> None:
        """Replace `where` and `message`, also in the text."""
        self.where = where
        self.message = message
        self.args = (self._text(),)

    def _text(self) -> str:
        place = f"{one_line(self.where)}: " if self.where else ""
        address = site.address(site.ERRORS, self.name)
        see = f"\n  see: {address}" if address else ""
        return f"{self.name} ({self.code}): {place}{self.message}\n  hint: {self.hint}{see}"

    def __reduce__(self) -> tuple[object, ...]:
        """Keep all attributes when the exception crosses to another process."""
        return (_rebuild, (type(self), self.args, self.__dict__))


def _rebuild(cls: type[ChiphostError], args: tuple[object, ...], state: dict[str, Any]) -> ChiphostError:
    error = cls(state["code"], state["message"])  # cls.__new__ refuses a class that is also a MemoryError
    error.args = args
    error.__dict__.update(state)
    return error


class ArgumentError(ChiphostError, ValueError):
    """An argument of a call has the wrong count, dtype, shape, layout or value."""


class ConfigError(ChiphostError, ValueError):
    """A field of a run's configuration is out of range."""


class LoadError(ChiphostError, RuntimeError):
    """A program could not be loaded."""


class IsolationError(LoadError):
    """An isolation strategy is not available, or spent."""


class StateError(ChiphostError, RuntimeError):
    """The worker is in no state to do this."""


class GraphError(ChiphostError, RuntimeError):
    """The orchestration asked for something impossible."""


class OrchestrationError(ChiphostError, RuntimeError):
    """The orchestration itself failed."""


class KernelError(ChiphostError, RuntimeError):
    """A kernel or a core failed."""


class StallError(ChiphostError, RuntimeError):
    """The device came to a stop before the graph was done."""


class DeviceMemoryError(ChiphostError, MemoryError):
    """The device or the host ran out of memory."""


class DeadlineError(ChiphostError, TimeoutError):
    """A run did not end in time, or was interrupted."""


class LibraryError(ChiphostError, RuntimeError):
    """A function of an isolated library failed."""


class PlatformError(ChiphostError, RuntimeError):
    """The platform's own software reported an error."""


class ProcessError(ChiphostError, RuntimeError):
    """The child process that had the run came to its end: a crash, an abort, an exit.

    `task`, `core` and `func_id` are those of the kernel that was running, `detail_code` says how the process ended, and
    the end of what it wrote to stderr is in `message`. The worker stays usable.
    """


class CheckError(ChiphostError, RuntimeError):
    """The checks of a run found something. `findings` has all of it, the message the first ones."""


class CompileError(ChiphostError, RuntimeError):
    """A source could not be compiled."""


class CacheError(ChiphostError, OSError):
    """The compile cache cannot be used."""


class SceneError(ChiphostError, LookupError):
    """A scene, runtime or platform is unknown, or a scene's result is wrong."""


class InternalError(ChiphostError, RuntimeError):
    """chiphost, or a runtime or platform that was built for it, broke a rule."""


ERROR_TABLE: Final[dict[int, ErrorRow]] = {row[0]: ErrorRow(*row) for row in _core.error_table()}
CODES: Final[dict[str, int]] = {row.name: row.code for row in ERROR_TABLE.values()}

_CLASSES: Final[dict[str, type[ChiphostError]]] = {
    cls.__name__: cls
    for cls in (
        ArgumentError,
        ConfigError,
        LoadError,
        IsolationError,
        StateError,
        GraphError,
        OrchestrationError,
        KernelError,
        StallError,
        DeviceMemoryError,
        DeadlineError,
        LibraryError,
        PlatformError,
        ProcessError,
        CheckError,
        CompileError,
        CacheError,
        SceneError,
        InternalError,
    )
}


def make_error(name: str, message: str, where: str = "", *, hint: str | None = None, guess: str = "") -> ChiphostError:
    """The exception for a row of the error table, by the row's name; the caller raises it.

    `hint` says what to do, if that is not what the row says; `guess` goes before it, see `did_you_mean`.
    """
    code = CODES[name]
    hint = f"{guess}{ERROR_TABLE[code].remedy if hint is None else hint}"
    return _CLASSES[ERROR_TABLE[code].python_class](code, message, where, hint=hint)


def raise_error(code: int, message: str, where: str, detail_code: int, task: int, core: int, func_id: int) -> NoReturn:
    """Raise the exception for an error record of the C++ core (negative numbers there mean "none")."""
    hint = None
    field = FIELDS.get(where) if ERROR_TABLE[code].name == "CONFIG_OUT_OF_RANGE" else None
    if field and field.kind == "optional":
        hint = f"change {where}= of run() or CallConfig, or {where!r} in the config of a scene"
        hint += f", or {field.variable}" if field.variable else ""
        hint += "; without it, it is what the chip has"
    raise _CLASSES[ERROR_TABLE[code].python_class](
        code,
        message,
        where,
        hint=hint,
        detail_code=detail_code,
        task=None if task < 0 else task,
        core=None if core < 0 else core,
        func_id=None if func_id < 0 else func_id,
    )


def table_as_markdown() -> str:
    """The error table as a page of the docs."""
    lines = [
        "# Error codes",
        "",
        "This page says what each error code means and what to do about it. The code is in `ch_error.code` in C++, and",
        "in `ChiphostError.code` and `.name` in Python. An error's message says what happened and where. The page is",
        "made from `cpp/include/chiphost/abi/errors.def` (see HACKING.md).",
        "",
        "| Code | Name | Python class | Meaning | What to do |",
        "|---|---|---|---|---|",
    ]
    for row in ERROR_TABLE.values():
        lines.append(f"| {row.code} | `{row.name}` | `{row.python_class}` | {row.meaning} | {row.remedy} |")
    return "\n".join(lines) + "\n"
