# SPDX-License-Identifier: Apache-2.0
"""Results of scenes for people and for programs: lines, JSON and JUnit XML."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import shlex
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from junitparser import TestCase

    from .scene_run import SceneResult

# XML 1.0 has no place for these, not even escaped; compilers colour their output with them.
_NOT_IN_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class ReportFile:
    """A file to write a report to. A reader sees all of it or none."""

    def __init__(self, path: str | Path) -> None:
        """Name the file; see `check`."""
        # A link stays a link: what it points to is replaced.
        self.path: Final = Path(path).resolve()

    def check(self) -> None:
        """Raise OSError if the file could not be written now. Leaves nothing behind."""
        if self.path.is_dir():
            raise IsADirectoryError(f"{self.path} is a folder")
        if self.path.exists() and not os.access(self.path, os.W_OK):
            raise PermissionError(f"{self.path} may not be written to")
        if not self.path.parent.is_dir():
            raise FileNotFoundError(f"there is no folder {self.path.parent}")
        if not self._is_special:
            try:
                with tempfile.NamedTemporaryFile(prefix=f".{self.path.name}-", dir=self.path.parent):
                    pass
            except OSError as error:
                raise OSError(f"{self.path.parent} may not be written to: {error.strerror}") from error

    def write(self, content: str) -> None:
        """Write the report. Raises OSError."""
        data = content.encode()
        if self._is_special:  # a pipe, a terminal, /dev/null: not to be replaced by a file
            self.path.write_bytes(data)
            return
        temporary = self.path.with_name(f".{self.path.name}-{os.getpid()}.tmp")
        try:
            temporary.write_bytes(data)  # with the mode that the user's umask gives, which mkstemp would not
            temporary.replace(self.path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise

    @property
    def _is_special(self) -> bool:
        return self.path.exists() and not self.path.is_file()


def to_json(results: Sequence[SceneResult]) -> str:
    """The JSON report: counts, and an object for each scene with its cases."""
    scenes = [dataclasses.asdict(result) for result in results]
    passed = sum(result.passed for result in results)
    content = {"total": len(results), "passed": passed, "failed": len(results) - passed, "scenes": scenes}
    return json.dumps(content, indent=2) + "\n"


def to_junit(results: Sequence[SceneResult]) -> str:
    """The JUnit report: a suite for each scene, a test case for each case."""
    from junitparser import JUnitXml, TestSuite

    document = JUnitXml("chiphost")
    for result in results:
        suite = TestSuite(result.name)
        suite.add_property("platform", result.platform)
        suite.add_property("seed", str(result.seed))
        for case in result.cases:
            suite.add_testcase(_junit_case(result, case.case, case.seconds, case.error))
        if not result.passed and all(case.passed for case in result.cases):  # the fault is in no case
            suite.add_testcase(_junit_case(result, "(scene)", result.seconds, result.error))
        document.add_testsuite(suite)
    xml: bytes = document.tostring()  # type: ignore[no-untyped-call]
    return f'<?xml version="1.0" encoding="utf-8"?>\n{xml.decode()}\n'


def summary(results: Sequence[SceneResult]) -> str:
    """The last line of `chiphost ci`."""
    passed = sum(result.passed for result in results)
    return f"Total: {len(results)}  Passed: {passed}  Failed: {len(results) - passed}"


def replay_command(result: SceneResult, options: Sequence[str] = ()) -> str:
    """The command that runs what failed again in the same way; empty if there is nothing to run."""
    from .scene_run import NOT_STARTED

    failed = [case.case for case in result.cases if case.error and not case.error.startswith(NOT_STARTED)]
    if not failed:
        return ""
    cases = ["--all-cases"] if len(failed) == len(result.cases) else [w for case in failed for w in ("--case", case)]
    words = ["chiphost", "run", result.name, "-p", result.platform, *cases, "--seed", str(result.seed), *options]
    return shlex.join(words)


def _junit_case(result: SceneResult, name: str, seconds: float, error: str | None) -> TestCase:
    from junitparser import Failure, TestCase

    case = TestCase(_for_xml(name), f"{result.platform}.{result.name}", seconds)
    if error:
        text = _for_xml(error)
        failure = Failure(text.partition("\n")[0])
        failure.text = text
        case.result = [failure]
    return case


def _for_xml(text: str) -> str:
    return _NOT_IN_XML.sub(lambda match: f"\\x{ord(match[0]):02x}", text)
