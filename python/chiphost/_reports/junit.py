# SPDX-License-Identifier: Apache-2.0
"""JUnit XML. Text from anywhere is made fit for it here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from .._text.printable import one_line, printable


@dataclass(frozen=True)
class Case:
    """A test case.

    Attributes:
        name: of the case.
        group: what the case belongs to: JUnit's "classname".
        seconds: time it took.
        error: why it failed; empty if it did not. The first line is the message.
        skipped: why it counts as skipped, if it has not failed; empty if it does not.
        output: what else there is to say.
    """

    name: str
    group: str
    seconds: float
    error: str = ""
    skipped: str = ""
    output: str = ""


@dataclass
class Suite:
    """Cases that belong together, and other facts about them."""

    name: str
    properties: dict[str, str]
    cases: list[Case] = field(default_factory=list)


def as_junit(title: str, suites: Iterable[Suite]) -> str:
    """The text of a JUnit file."""
    # Most commands write no such file, and junitparser loads an XML parser.
    from junitparser import Failure, JUnitXml, Skipped, TestCase, TestSuite

    document = JUnitXml(title)
    for suite in suites:
        element = TestSuite(one_line(suite.name))
        for name, value in suite.properties.items():
            element.add_property(name, value)
        for case in suite.cases:
            test = TestCase(one_line(case.name), one_line(case.group), case.seconds)
            if case.error:
                failure = Failure(printable(case.error).partition("\n")[0])
                failure.text = printable(case.error)
                test.result = [failure]
            elif case.skipped:
                test.result = [Skipped(printable(case.skipped))]
            if case.output:
                test.system_out = printable(case.output)
            element.add_testcase(test)
        document.add_testsuite(element)
    xml: bytes = document.tostring()  # type: ignore[no-untyped-call]
    return f'<?xml version="1.0" encoding="utf-8"?>\n{xml.decode()}\n'
