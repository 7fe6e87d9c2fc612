# SPDX-License-Identifier: Apache-2.0
"""JUnit files: every reader takes them, whatever the texts are."""

from __future__ import annotations

from xml.etree import ElementTree

from hypothesis import example, given
from hypothesis import strategies as st

from chiphost._reports.junit import Case, Suite, as_junit
from chiphost._text.printable import one_line, printable

TEXT = st.text(st.characters())


def read(suite: Suite) -> ElementTree.Element:
    """The one suite of a file."""
    [element] = ElementTree.fromstring(as_junit("title", [suite]).encode())
    return element


def test_a_case_has_failed_or_was_skipped_or_neither() -> None:
    cases = [
        Case("right", "group", 0.5),
        Case("wrong", "group", 1.5, error="first line\nsecond", skipped="not this"),
        Case("left out", "group", 0, skipped="too large"),
        Case("chatty", "group", 0, output="by the way"),
    ]
    suite = read(Suite("suite", {"platform": "a2a3sim"}, cases))
    assert (suite.get("name"), suite.get("tests"), suite.get("failures")) == ("suite", "4", "1")
    assert [(each.get("name"), each.get("value")) for each in suite.iter("property")] == [("platform", "a2a3sim")]
    right, wrong, left_out, chatty = suite.iter("testcase")
    assert (right.get("name"), right.get("classname"), right.get("time"), len(right)) == ("right", "group", "0.5", 0)
    [failure] = wrong
    assert (failure.tag, failure.get("message"), failure.text) == ("failure", "first line", "first line\nsecond")
    [skipped] = left_out
    assert (skipped.tag, skipped.get("message")) == ("skipped", "too large")
    [output] = chatty
    assert (output.tag, output.text) == ("system-out", "by the way")


@given(TEXT, TEXT.filter(bool), TEXT.filter(bool))
@example("\udce9", "\x1b[31m", "\ufffe")
def test_any_text_comes_through_as_it_is_shown(name: str, error: str, output: str) -> None:
    case = next(iter(read(Suite(name, {}, [Case(name, name, 0, error=error, output=output)])).iter("testcase")))
    assert case.get("name") == case.get("classname") == one_line(name)
    failure, told = case.find("failure"), case.find("system-out")
    assert failure is not None and told is not None
    assert failure.text == printable(error)
    assert told.text == printable(output)
