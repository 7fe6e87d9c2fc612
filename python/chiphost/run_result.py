# SPDX-License-Identifier: Apache-2.0
"""What a run that succeeded says of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from . import _core
from .checks.finding import Finding
from .checks.gap import Gap
from .checks.words import all_as_text
from .errors import CheckError, make_error

if TYPE_CHECKING:
    from .checks.report import Report

_IN_MESSAGE_MAX: Final = 5  # findings that the message of a CheckError has; its attribute has all


class RunResult:
    """What a run that succeeded says of itself.

    Attributes:
        report: of a checked run: what was counted, and the findings; None without `check`.
        not_checked: what the checks did not see; () without `check`.
    """

    __slots__ = ("_core", "not_checked", "report")

    def __init__(self, core: _core.RunResult, report: Report | None = None, not_checked: tuple[Gap, ...] = ()) -> None:
        """Workers make these."""
        self._core: Final = core
        self.report: Final = report
        self.not_checked: Final = not_checked

    @property
    def task_count(self) -> int:
        """Tasks in the graph."""
        return self._core.task_count

    @property
    def orchestration_ns(self) -> int:
        """Time the orchestration and the checks of the graph took, in nanoseconds."""
        return self._core.orchestration_ns

    @property
    def device_ns(self) -> int:
        """Time from launch to completion, in nanoseconds."""
        return self._core.device_ns

    @property
    def total_ns(self) -> int:
        """Time in the runtime, copies included, in nanoseconds."""
        return self._core.total_ns

    @property
    def trace(self) -> bytes | None:
        """Bytes of the trace if one was asked for, otherwise None."""
        return self._core.trace

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What the checks found, each cause once; () without `check`."""
        return self.report.findings if self.report else ()

    def raise_for_findings(self) -> None:
        """Raise CheckError (CHECK_FAILED) if there are findings: its message has the first ones, `findings` has all."""
        if self.findings:
            raise check_error(self.findings)

    def __getstate__(self) -> tuple[Any, ...]:
        """Pickle the parts."""
        return (self._core, self.report, self.not_checked)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        """Take the parts over."""
        self.__init__(*state)  # type: ignore[misc]

    def __repr__(self) -> str:
        """Tasks and time, and findings if there are any."""
        found = f", findings={len(self.findings)}" if self.findings else ""
        return f"RunResult(task_count={self.task_count}, total_ns={self.total_ns}{found})"


def check_error(findings: tuple[Finding, ...]) -> CheckError:
    """The error for findings."""
    more = len(findings) - _IN_MESSAGE_MAX
    counted = "1 finding" if len(findings) == 1 else f"{len(findings)} findings"
    rest = f"\n({more} more: see the attribute findings)" if more > 0 else ""
    message = f"{counted}\n{all_as_text(findings[:_IN_MESSAGE_MAX])}{rest}"
    error = make_error("CHECK_FAILED", message, findings[0].callable)
    assert isinstance(error, CheckError), "the error table gives CHECK_FAILED another class"
    error.findings = findings
    return error
