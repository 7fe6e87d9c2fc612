# SPDX-License-Identifier: Apache-2.0
"""The names that cpp/compat gives to sources of simpler's, read from its headers, and a search for uses of them.

This reads the C++ of these headers, no other: comments and texts are dropped, and blocks are followed by their braces.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from chiphost import toolchain

_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.S)
_TEXT = re.compile(r'"(?:\\.|[^"\\\n])*"')
_INCLUDE = re.compile(r'^#include "([^"]+)"', re.M)
_DEFINE = re.compile(r"^#define (\w+)(\()?", re.M)
_DIRECTIVE = re.compile(r"^#(?:[^\n]*\\\n)*[^\n]*$", re.M)
_ATTRIBUTE = re.compile(r"\[\[.*?\]\]|__attribute__\s*\(\(.*?\)\)|alignas\(\w+\)", re.S)
_TEMPLATE = re.compile(r"\btemplate\s*<[^<>]*>")
_OPENS_TYPE = re.compile(r"(?:enum\s+class|enum|struct|class)\s*(\w*)[^()=]*$")
_FUNCTION = re.compile(r"(operator\s*\S+?|~?\w+)\s*\(")
_OF_CHIPHOST = re.compile(r"chiphost_simpler|CHIPHOST_SIMPLER", re.I)


@dataclass(frozen=True, order=True)
class Name:
    """A name of the interface: `Arg`, `Arg::add_input`, `PTO2_SCOPE`. `kind`: type, function, value, member, macro."""

    full: str
    kind: str

    @property
    def last(self) -> str:
        """The name without that of its type."""
        return self.full.rpartition("::")[2]

    @property
    def pattern(self) -> str:
        """The form of a source that uses it."""
        word = rf"\b{re.escape(self.last)}\b"
        if self.last.startswith("operator"):
            return re.escape(self.last.removeprefix("operator").strip())
        if "::" not in self.full:
            return word + r"\s*[(<]" if self.kind == "function" else word
        owner = re.escape(self.full.rpartition("::")[0].rpartition("::")[2])
        called = r"\s*[(<]" if self.kind == "function" else ""
        return rf"(?:\.|->|\b{owner}::){word[2:]}{called}"

    def used_in(self, text: str) -> bool:
        """True if a source, as `code_of` gives it, uses it."""
        return re.search(self.pattern, text) is not None


def code_of(text: str) -> str:
    """A source without comments and texts."""
    return _TEXT.sub('""', _COMMENT.sub("", text))


def headers(*first: Path) -> list[Path]:
    """Headers of cpp/compat with those that they include there."""
    found = [*first]
    for header in found:
        for included in _INCLUDE.findall(_COMMENT.sub("", header.read_text())):
            for folder in (header.parent, toolchain.compat_dir() / "simpler"):
                path = folder / included
                if path.is_file() and path not in found:
                    found.append(path)
                    break
    return found


def names_of(header: Path) -> set[Name]:
    """The public names of a header. Names that begin with chiphost_simpler are chiphost's own, and left out."""
    text = code_of(header.read_text())
    names = {Name(name, "function" if args else "macro") for name, args in _DEFINE.findall(text)}
    text = _TEMPLATE.sub("", _ATTRIBUTE.sub("", _DIRECTIVE.sub("", text)))
    names |= set(_names_in(text, ""))
    return {name for name in names if not _OF_CHIPHOST.search(name.full)}


def _names_in(text: str, owner: str) -> Iterator[Name]:
    """Names that are declared in a block: of a file, or of the type `owner`."""
    public = not re.search(r"^class ", owner)
    prefix = owner.removeprefix("class ")
    prefix = f"{prefix}::" if prefix else ""
    for head, body, tail in _declarations(text):
        if access := re.match(r"(public|private):(.*)", head, re.S):
            public, head = access[1] == "public", access[2]
        head = " ".join(head.split())
        if not public or not head or head.startswith(("static_assert", "using namespace")):
            continue
        yield from _names_of(head, body, tail, prefix)


def _names_of(head: str, body: str | None, tail: str, prefix: str) -> Iterator[Name]:
    if head.startswith("namespace chiphost_simpler"):
        return
    if head.startswith(("namespace", "extern")):
        if body and not head.endswith(")"):
            yield from _names_in(body, prefix.removesuffix("::"))
        return  # otherwise the source itself defines it
    if alias := re.match(r"using (\w+) =", head):
        yield Name(prefix + alias[1], "type")
        return
    if body is not None and (opens := _OPENS_TYPE.match(head)):
        name = prefix + opens[1]
        if opens[1]:
            yield Name(name, "type")
        if head.startswith("enum"):
            for value in body.split(","):
                if word := re.match(r"\s*(\w+)", value):
                    yield Name(f"{name}::{word[1]}", "value")
            return
        inner = name if opens[1] else prefix + tail
        if not opens[1]:
            yield Name(prefix + tail, "member")
        yield from _names_in(body, ("class " if head.startswith("class") else "") + inner)
        return
    yield from _values_and_functions(head, prefix)


def _values_and_functions(head: str, prefix: str) -> Iterator[Name]:
    own = prefix.removesuffix("::").rpartition("::")[2]
    function = _FUNCTION.search(head)
    value = re.search(r"(\w+)\s*(?:\[[^\]]*\]\s*)?(?:=[^=].*)?$", head)
    if function and ("=" not in head[: function.start()] or "operator" in function[1]):
        name = function[1].replace(" ", "")
        if name.lstrip("~") != own and not head.endswith(("= delete", "= default")):
            yield Name(prefix + name, "function")
    elif value:
        yield Name(prefix + value[1], "member" if prefix else "value")


def _declarations(text: str) -> Iterator[tuple[str, str | None, str]]:
    """Tuples (text before the braces, text in them or None, text between them and the semicolon)."""
    start = at = 0
    while at < len(text):
        if text[at] == ";":
            yield text[start:at].strip(), None, ""
            start = at + 1
        elif text[at] == "{":
            head, end = text[start:at].strip(), _closing(text, at)
            body, at = text[at + 1 : end], end
            rest = re.compile(r"\s*(\w*)\s*(?:\{\s*\})?\s*;").match(text, end + 1)
            is_type = re.search(r"\b(struct|class|enum)\b[^()]*$", head)
            if is_type and rest:
                yield head, body, rest[1]
                at = rest.end() - 1
            elif rest and not rest[1] and not head.endswith((")", "const")):
                yield head, None, ""  # a value that is initialized with braces
                at = rest.end() - 1
            else:
                yield head, body, ""
            start = at + 1
        at += 1


def _closing(text: str, at: int) -> int:
    depth = 0
    for end in range(at, len(text)):
        depth += {"{": 1, "}": -1}.get(text[end], 0)
        if depth == 0:
            return end
    raise AssertionError(f"a brace that nobody closes: {text[at : at + 60]!r}")
