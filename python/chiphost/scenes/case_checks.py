# SPDX-License-Identifier: Apache-2.0
"""What checks say about a case of a scene, over all its rounds and programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np

from ..checks import check_names
from ..checks.finding import Finding
from ..checks.gap import Gap
from ..checks.names import Names
from ..checks.words import all_as_text
from ..errors import ChiphostError
from ..run_result import RunResult
from ..scene import Scene
from . import report
from .results import Settings


class CaseChecks:
    """Collects what the checked runs of one case found.

    Attributes:
        names: the names of the checks to make; () for none.
        seed: the seeds of the run that is under way.
        findings: each cause once, also if several rounds found it.
        gaps: what was not seen, each once. Files in the scene's folder have names relative to it.
        dropped: how many causes a run has not told, because there were too many.
        unnecessary_edges: of the program that has most of them.
    """

    def __init__(self, scene: Scene, case: str, settings: Settings) -> None:
        """Begin with nothing."""
        self.names: Final = check_names.names_of(settings.check)
        self.seed = next(iter(settings.wanted_seeds))
        self.findings: Final[list[Finding]] = []
        self.gaps: Final[list[Gap]] = []
        self.dropped = 0
        self.unnecessary_edges = 0
        self._scene = scene
        self._case = case
        self._settings = settings
        self._known: set[Finding] = set()

    def note_result(self, result: RunResult, arguments: Mapping[str, Any]) -> None:
        """Take what a run says; `arguments` are the scene's by their names."""
        self._note_findings(result.findings, arguments)
        if result.report is not None:
            self.dropped = max(self.dropped, result.report.dropped)
            self.unnecessary_edges = max(self.unnecessary_edges, result.report.unnecessary_edges)
        names = Names(self._scene.folder)
        for gap in result.not_checked:
            file, colon, line = gap.place.rpartition(":")
            gap = replace(gap, place=f"{names.file(file)}{colon}{line}") if file else gap
            if gap not in self.gaps:
                self.gaps.append(gap)

    def note_error(self, error: ChiphostError, arguments: Mapping[str, Any]) -> None:
        """Take what was found before a run failed."""
        self._note_findings(error.findings, arguments)

    def text(self) -> str:
        """The findings as text; empty if there are none."""
        if not self.findings:
            return ""
        text = all_as_text(self.findings, self._scene.folder)
        if self.dropped:
            text += f"\n({self.dropped} more are not listed: mend these first)"
        return text if len(self.findings) == 1 else f"{len(self.findings)} findings\n{text}"

    def _note_findings(self, findings: tuple[Finding, ...], arguments: Mapping[str, Any]) -> None:
        arrays = [name for name, value in arguments.items() if isinstance(value, np.ndarray)]
        for finding in findings:
            cause = replace(finding, count=0)
            if cause not in self._known:
                self._known.add(cause)
                self.findings.append(self._completed(finding, arrays))

    def _completed(self, finding: Finding, arrays: list[str]) -> Finding:
        """The finding with the command that shows it, and the argument's name where the program has no signature."""
        memory, number = finding.memory, finding.memory.number
        if memory.kind == "argument" and not memory.name and number is not None and number < len(arrays):
            memory = replace(memory, name=arrays[number])
        case = None if self._case == self._scene.default_case else self._case
        settings = self._settings
        show = report.show_command(
            self._scene.name, settings.platform, case, self.seed, finding.check, settings.repeated
        )
        return replace(finding, memory=memory, show=show)
