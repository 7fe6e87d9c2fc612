# SPDX-License-Identifier: Apache-2.0
"""Results of scenes for people and for programs: lines, JSON and JUnit XML."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from .._text.printable import encodable, one_line, printable, shell_join

if TYPE_CHECKING:
    from junitparser import TestCase

    from .run import CaseResult, SceneResult

_DESCRIPTOR_FOLDERS: Final = (Path("/dev/fd"), Path("/proc/self/fd"), Path(f"/proc/{os.getpid()}/fd"))
_STREAMS: Final = ("stdin", "stdout", "stderr")
_LINKS_MAX: Final = 40


class ReportFile:
    """A file to write a report to. A reader sees all of it or none, unless it is no regular file."""

    def __init__(self, path: str | Path) -> None:
        """Name the file; see `check`."""
        self._descriptor: Final = _descriptor(Path(path))
        # A link stays a link: what it points to is replaced.
        self.path: Final = Path(path).resolve() if self._descriptor is None else Path(f"/dev/fd/{self._descriptor}")

    def check(self) -> None:
        """Raise OSError if the file could not be written now. Leaves nothing behind."""
        if self._descriptor is not None:
            if fcntl.fcntl(self._descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
                raise PermissionError(f"{self.path} is open for reading only")
            return
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
        if self._descriptor is not None:  # after what is there already, also if that is a file
            for stream in (sys.stdout, sys.stderr):
                if stream is not None:
                    stream.flush()
            while data:
                data = data[os.write(self._descriptor, data) :]
            return
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


def _descriptor(path: Path) -> int | None:
    """The open file of this process that a path such as /dev/stdout or /dev/fd/3 stands for, or None."""
    path = path.absolute()
    for _ in range(_LINKS_MAX):
        if path.parent in _DESCRIPTOR_FOLDERS and path.name.isdecimal():
            return int(path.name)
        if path.parent == Path("/dev") and path.name in _STREAMS:
            return _STREAMS.index(path.name)
        if not path.is_symlink():
            break
        path = path.parent / path.readlink()
    return None


def to_json(results: Sequence[SceneResult], torch_s: float | None = None) -> str:
    """The JSON report: counts, and an object for each scene with its cases.

    `torch_s` is how long torch took to import, None if it was not imported.
    """
    scenes = [dataclasses.asdict(result) for result in results]
    for scene in scenes:
        del scene["has_all_cases"]  # is for the command that runs it again
    counts = {
        "total": len(results),
        "passed": sum(result.passed for result in results),
        "failed": sum(result.failed for result in results),
        "skipped": sum(result.skipped is not None for result in results),
    }
    times = {} if torch_s is None else {"torch_import_seconds": round(torch_s, 3)}
    return as_json({**counts, **times, "scenes": scenes})


def as_json(content: Any) -> str:
    """The text of a JSON file. Every reader takes it: what UTF-8 has no place for is escaped as in messages."""
    return json.dumps(encodable(content), indent=2) + "\n"


def to_junit(results: Sequence[SceneResult]) -> str:
    """The JUnit report: a suite for each scene, a test case for each case."""
    from junitparser import JUnitXml, TestSuite

    document = JUnitXml("chiphost")
    for result in results:
        suite = TestSuite(one_line(result.name))
        suite.add_property("platform", result.platform)
        suite.add_property("seed", str(result.seed))
        for case in result.cases:
            suite.add_testcase(
                _junit_case(result, case.case, case.seconds, case.error, retries(case), case.skipped or "")
            )
        if result.failed and not any(case.error for case in result.cases):  # the fault is in no case
            suite.add_testcase(_junit_case(result, "(scene)", result.seconds, result.error))
        document.add_testsuite(suite)
    xml: bytes = document.tostring()  # type: ignore[no-untyped-call]
    return f'<?xml version="1.0" encoding="utf-8"?>\n{xml.decode()}\n'


def summary(results: Sequence[SceneResult]) -> str:
    """The last line of `chiphost ci`."""
    passed, failed = sum(result.passed for result in results), sum(result.failed for result in results)
    skipped = len(results) - passed - failed
    again = sum(any(case.earlier_errors for case in result.cases) for result in results)
    line = f"Total: {len(results)}  Passed: {passed}  Failed: {failed}"
    if skipped:
        line += f"  Skipped: {skipped}"
    return f"{line}  Retried: {again}" if again else line


def skipped(result: SceneResult) -> str:
    """The cases of a scene that were not run, with the reason, a line each; empty if all were."""
    if result.skipped is not None:
        return result.skipped
    return "\n".join(f"case {case.case!r} skipped: {case.skipped}" for case in result.cases if case.skipped)


def retries(case: CaseResult) -> str:
    """What happened before the result of a case, if it was run again; empty if it was not."""
    times = len(case.earlier_errors)
    verdict = "passed" if case.passed else "failed"
    lines = [f"case {case.case!r} {verdict} when run for the {_ordinal(times + 1)} time"] if times else []
    lines += [f"{_ordinal(index)} time: {error}" for index, error in enumerate(case.earlier_errors, 1)]
    return "\n".join(lines)


def replay_command(result: SceneResult, options: Sequence[str] = ()) -> str:
    """The command that runs what failed again in the same way; empty if there is nothing to run."""
    from .run import NOT_STARTED

    failed = [case.case for case in result.cases if case.error and not case.error.startswith(NOT_STARTED)]
    if not failed:
        return ""
    all_failed = result.has_all_cases and len(failed) == len(result.cases)
    cases = ["--all-cases"] if all_failed else [word for case in failed for word in ("--case", case)]
    words = ["chiphost", "run", result.name, "-p", result.platform, *cases, "--seed", str(result.seed), *options]
    return shell_join(words)


def _ordinal(number: int) -> str:
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _junit_case(
    result: SceneResult, name: str, seconds: float, error: str | None, output: str = "", skipped: str = ""
) -> TestCase:
    from junitparser import Failure, Skipped, TestCase

    case = TestCase(one_line(name), one_line(f"{result.platform}.{result.name}"), seconds)
    if error:
        text = printable(error)
        failure = Failure(text.partition("\n")[0])
        failure.text = text
        case.result = [failure]
    elif skipped:
        case.result = [Skipped(printable(skipped))]
    if output:
        case.system_out = printable(output)
    return case
