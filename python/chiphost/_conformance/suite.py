# SPDX-License-Identifier: Apache-2.0
"""The conformance suite, which tries out what a platform must do (docs/reference/platform-requirements.md).

The suite is built with a platform and run by the program chiphost_conform, which gives every test a process of its own:
a platform that crashes or hangs fails a test and nothing else.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from .._reports.file import as_json
from .._reports.junit import Case, Suite, as_junit
from .._runtimes import runtimes
from .._text import site
from .._text.suggestion import did_you_mean
from ..errors import make_error

_PROGRAMS: Final = ("conform", "aicpu", "aicore")


@dataclass(frozen=True)
class ConformanceTest:
    """A test.

    Attributes:
        id: for example "memory.aligned": the group is the part before the dot.
        requirements: ids of what it tries, for example ("PLAT-02",).
    """

    id: str
    requirements: tuple[str, ...]


@dataclass(frozen=True)
class ConformanceResult(ConformanceTest):
    """The result of a test.

    Attributes:
        outcome: "unsupported" is what the platform itself answers.
        good: whether it passed, or ended as the platform's conformance.def says.
        seconds: with the time to load the platform.
        message: what happened.
        reason: what conformance.def says of it, if anything.
    """

    outcome: Literal["passed", "failed", "unsupported"]
    good: bool
    seconds: float
    message: str
    reason: str

    @property
    def addresses(self) -> list[str]:
        """Where the site says what each requirement means; nothing if the site is not known."""
        return [address for id_ in self.requirements if (address := site.address(site.REQUIREMENTS, id_))]


def tests(platform: str, text: str = "", library: Path | None = None) -> list[ConformanceTest]:
    """The tests for a platform with `text` in their id; raises as `run` does."""
    command = _command(platform, _suite_folder(platform, library), library or runtimes.library_dir(), Path())
    found = [
        ConformanceTest(entry["id"], tuple(entry["requirements"].split()))
        for entry in _lines([*command, "--only", text, "--list"])
    ]
    if not found:
        raise make_error(
            "INVALID_ARGUMENT",
            f"no test has {text!r} in its name",
            "conformance suite",
            hint="chiphost conform --list shows them all",
        )
    return found


def run(
    platform: str, text: str = "", *, isolation: str | None = None, timeout_s: int = 30, library: Path | None = None
) -> Iterator[ConformanceResult]:
    """Run the tests with `text` in their id, one after the other, and yield the result of each.

    Args:
        platform: for example "a2a3sim".
        text: part of the ids.
        isolation: "namespace" or "copy": how the suite is loaded; None: as a worker would load a runtime.
        timeout_s: of each test.
        library: folder with the built programs instead of the installed one.

    Raises:
        ArgumentError: INVALID_ARGUMENT, no test has `text` in its id.
        SceneError: PLATFORM_UNKNOWN, the suite was not built for the platform.
        LoadError: LOAD_REFUSED, the suite cannot be loaded; the message says why.
        PlatformError: PLATFORM_FAILED, there is no chip of this kind, or not the vendor's software for it.
        CompileError: a compiler for the suite's kernels on a real chip is missing, or refuses them.
    """
    # A list of the tests needs no C++ core.
    from .._runtimes.strategy import default_isolation

    root = library or runtimes.library_dir()
    suite = _suite_folder(platform, library)
    if text:
        tests(platform, text, library)  # there is one
    kernels = suite / "kernels"  # of a platform whose cores have another instruction set
    if not kernels.is_dir():
        kernels = root / "conformance"
    words = ["--only", text, "--timeout", str(timeout_s), "--isolation", isolation or default_isolation(platform)]
    about = runtimes.described(platform, library)  # None: the suite was built for it, and no runtime
    folders = about.sdk_folders() if about else []
    words += [word for sdk in folders[:1] for word in ("--sdk", str(sdk))]
    with tempfile.TemporaryDirectory(prefix="chiphost-") as folder:
        if about and about.real:
            from . import chip  # a simulated platform needs nothing that compiles

            chip.require(platform, library)
            if about.cross_compiled:
                kernels = Path(folder)
                chip.compile_programs(platform, root / "conformance" / "sources", kernels)
        for entry in _lines([*_command(platform, suite, root, kernels), *words]):
            entry["requirements"] = tuple(entry["requirements"].split())
            yield ConformanceResult(**entry)


def interrupted(test: ConformanceTest) -> ConformanceResult:
    """The result of a test that Ctrl-C kept from its end, or from its beginning."""
    return ConformanceResult(test.id, test.requirements, "failed", False, 0.0, "interrupted", "")


def summary(results: Sequence[ConformanceResult]) -> str:
    """The last line of `chiphost conform`."""
    return "  ".join(f"{name.capitalize()}: {count}" for name, count in _counts(results).items())


def to_json(platform: str, results: Sequence[ConformanceResult]) -> str:
    """The JSON report."""
    content = {"platform": platform, **_counts(results), "tests": [dataclasses.asdict(result) for result in results]}
    return as_json(content)


def to_junit(platform: str, results: Sequence[ConformanceResult]) -> str:
    """The JUnit report: a suite for each group. Tests that conformance.def lists are skipped."""
    suites: dict[str, Suite] = {}
    for result in results:
        group, _, name = result.id.partition(".")
        suite = suites.setdefault(group, Suite(group, {"platform": platform}))
        error = "" if result.good else "\n".join([result.message or result.outcome, *result.addresses])
        listed = f"{result.outcome}: {result.reason}" if result.good and result.outcome != "passed" else ""
        suite.cases.append(Case(name, f"{platform}.{group}", result.seconds, error, listed))
    return as_junit("chiphost conform", suites.values())


def _counts(results: Sequence[ConformanceResult]) -> dict[str, int]:
    failed = sum(not result.good for result in results)
    listed = sum(result.good and result.outcome != "passed" for result in results)
    return {"total": len(results), "passed": len(results) - failed - listed, "listed": listed, "failed": failed}


def _suite_folder(platform: str, library: Path | None) -> Path:
    suites = runtimes.suites(library)
    if platform not in suites:
        known = sorted(suites)
        raise make_error(
            "PLATFORM_UNKNOWN",
            f"wanted one of {', '.join(known) or '(there is none)'}; found {platform!r}; "
            f"looked in {runtimes.where_looked(library)}",
            "conformance suite",
            hint=f"{did_you_mean(platform, known)}chiphost_add_conformance() builds the suite for a platform of yours"
            + ("" if os.environ.get("CHIPHOST_RUNTIME_PATH") else "; name the folder in CHIPHOST_RUNTIME_PATH"),
        )
    return suites[platform]


def _command(platform: str, suite: Path, root: Path, kernels: Path) -> list[str]:
    programs = [str(suite / f"{program}.so") for program in _PROGRAMS]
    anchor = str(root / "chiphost_anchor.so")
    return [str(root / "chiphost_conform"), *programs, str(kernels), "--platform", platform, "--anchor", anchor]


def _lines(command: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The output of the program, line by line; raises LoadError if it could not run the suite."""
    try:
        started = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
    except OSError as error:
        raise make_error("LOAD_REFUSED", f"it cannot be started: {error.strerror}", command[0]) from error
    with started as program:
        assert program.stdout is not None and program.stderr is not None
        try:
            for line in program.stdout:
                yield json.loads(line)
            words = program.stderr.read().strip()
            code = program.wait()
        finally:
            program.kill()  # nothing, if it has ended
    if code not in (0, 1):
        raise make_error("LOAD_REFUSED", words or f"it ended with code {code}", command[0])
