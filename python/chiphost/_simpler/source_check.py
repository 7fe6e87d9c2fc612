# SPDX-License-Identifier: Apache-2.0
"""A search for code that no compiler for a processor can take, before anything is compiled.

Only certain findings count. A file is looked at as the preprocessor leaves it, so conditions and macros are resolved,
and only code of the file itself and its neighbours counts:

* assembler of aarch64 in a function that must be compiled, on an x86 processor. A function that is inline or static,
  and that nobody calls, costs nothing.
* a name that is cast to, and that nothing introduces.

Whatever else is wrong with a source is for the compiler to say.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Instructions of aarch64 whose names no instruction of x86 has.
_AARCH64: Final = _words(
    "adrp dmb dsb eret hvc isb ldar ldaxr ldp ldr ldxr mrs msr sev sevl smc stlr stlxr stp stxr svc tlbi wfe wfi yield"
)
_X86: Final = re.compile(r"(x86_64|amd64|i\d86)\b")
_ASM: Final = _words("asm __asm __asm__")
_VOLATILE: Final = _words("volatile __volatile__ __volatile")
# Functions with one of these words are compiled only if a caller needs them.
_ON_DEMAND: Final = _words("inline __inline __inline__ static template constexpr consteval")
_INTRODUCED_BY: Final = _words("struct class union enum typename using concept :: . -> * &")
_CASTS: Final = _words("reinterpret_cast static_cast const_cast")
_KEYWORDS: Final = _words(
    "auto bool char char8_t char16_t char32_t const double float int long short signed unsigned void volatile wchar_t"
)
_TOKEN: Final = re.compile(r"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|\w+|::|->|\S""", re.DOTALL)
_MARKER: Final = re.compile(r'^#(?:line)? *(\d+) +"((?:\\.|[^"\\\n])*)"[^\n]*', re.MULTILINE)
_CAST_TO: Final = re.compile(r"\b(?:reinterpret|static|const)_cast\s*<([\w\s*&]+)>")


class Place(NamedTuple):
    """A line of a file, with what was found there."""

    file: str
    line: int
    what: str


class _Token(NamedTuple):
    text: str
    file: str
    line: int


def foreign_assembler(text: str, target: str, source: Path) -> Place | None:
    """The first instruction of aarch64 that a compiler for `target` would have to take; None if there is none.

    Args:
        text: the source as the preprocessor leaves it, with its line markers.
        target: what the compiler compiles for, such as "x86_64-linux-gnu". Targets other than x86 are not looked at.
        source: the file; what lies beside it or below counts as its own.
    """
    if not _X86.match(target):
        return None
    tokens, _ = _split(text, source)
    return _Code(tokens).reached()


def may_have_foreign_assembler(text: str) -> bool:
    """True if a source as it is written has any word that `foreign_assembler` could find."""
    return bool(re.search(r"\b(asm|__asm|__asm__)\b", text)) and any(
        re.search(rf"\b{word}\b", text) for word in _AARCH64
    )


def undefined_types(text: str, source: Path) -> list[Place]:
    """Names that the source casts to and nothing introduces, each with the first line; arguments as above."""
    tokens, others = _split(text, source)
    texts = [token.text for token in tokens]
    found: dict[str, Place] = {}
    casts = dict(_cast_to(texts))
    for index, name in casts.items():
        if name in found or not _is_never_introduced(name, texts, casts):
            continue
        if not re.search(rf"\b{name}\b", others):
            found[name] = Place(tokens[index].file, tokens[index].line, name)
    return list(found.values())


def may_have_undefined_types(text: str, known: Callable[[str], bool]) -> bool:
    """True if a source as it is written casts to a name that it does not introduce itself, and that is not known."""
    for inner in _CAST_TO.findall(text):
        words = re.findall(r"\w+", inner)
        name = words[-1] if words else ""
        if not name or _is_builtin(name) or name.endswith("_t") or known(name):
            continue
        if not re.search(rf"\b(struct|class|union|enum|typename|using|define)\s+{name}\b|\b{name}\s*;", text):
            return True
    return False


def _is_never_introduced(name: str, texts: Sequence[str], casts: Collection[int]) -> bool:
    """True if every use of a name takes it for a type that exists."""
    for index, text in enumerate(texts):
        if text != name or index in casts:
            continue
        before, after = texts[index - 1] if index else "", texts[index + 1] if index + 1 < len(texts) else ""
        if after not in ("*", "&") or before in _INTRODUCED_BY:
            return False
    return True


def _cast_to(texts: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Index and name of each plain type that is cast to."""
    for index, text in enumerate(texts):
        if text not in _CASTS or texts[index + 1 : index + 2] != ["<"]:
            continue
        end = index + 2
        while end < len(texts) and (texts[end] in ("*", "&") or texts[end].isidentifier()):
            end += 1
        if end >= len(texts) or texts[end] != ">":
            continue  # a template, or a qualified name
        names = [each for each in range(index + 2, end) if texts[each].isidentifier()]
        names = [each for each in names if texts[each] not in ("const", "volatile")]
        if names and not _is_builtin(texts[names[-1]]):
            yield names[-1], texts[names[-1]]


def _is_builtin(name: str) -> bool:
    return name in _KEYWORDS or name.startswith("_")  # compilers have types such as __int128


# Lines


def _parts(text: str) -> Iterator[tuple[str, int, str]]:
    """(file, number of the first line, lines) of each part of preprocessed text."""
    file, number, begin = "", 1, 0
    for marker in _MARKER.finditer(text):
        yield file, number, text[begin : marker.start()]
        file, number, begin = re.sub(r"\\(.)", r"\1", marker[2]), int(marker[1]), marker.end() + 1
    yield file, number, text[begin:]


def _is_own(file: str, source: Path) -> bool:
    if file.startswith("<"):  # <built-in>
        return False
    return file == str(source) or Path(source.parent, file).is_relative_to(source.parent)


def _split(text: str, source: Path) -> tuple[list[_Token], str]:
    """The tokens of the source and its neighbours, and all other text."""
    own: dict[str, bool] = {}
    tokens: list[_Token] = []
    others = []
    for file, number, part in _parts(text):
        if not own.setdefault(file, _is_own(file, source)):
            others.append(part)
            continue
        for index, line in enumerate(part.splitlines()):
            if not line.lstrip().startswith("#"):  # a pragma
                tokens += (_Token(each, file, number + index) for each in _TOKEN.findall(line))
    return tokens, "".join(others)


# Functions


@dataclass
class _Function:
    """The facts about the body of a function.

    Attributes:
        on_demand: whether it is compiled only if it is called.
        calls: all words in it.
        assembler: the first instruction of aarch64 in it that no compiler may leave out.
    """

    name: str
    on_demand: bool
    calls: set[str] = field(default_factory=set)
    assembler: Place | None = None


class _Code:
    """The functions of a file, as far as braces show them."""

    def __init__(self, tokens: Sequence[_Token]) -> None:
        self._tokens = tokens
        self._functions: list[_Function] = []
        self._outside: Place | None = None  # assembler in no function
        self._read(0, len(tokens), False)

    def reached(self) -> Place | None:
        """The first assembler that must be compiled."""
        if self._outside:
            return self._outside
        names = [each.name for each in self._functions]
        by_name = {each.name: each for each in self._functions if names.count(each.name) == 1}  # no overloads
        waiting = [each for each in self._functions if not each.on_demand]
        seen = {id(each) for each in waiting}
        while waiting:
            function = waiting.pop(0)
            if function.assembler:
                return function.assembler
            for name in sorted(function.calls):
                called = by_name.get(name)
                if called and id(called) not in seen:
                    seen.add(id(called))
                    waiting.append(called)
        return None

    def _read(self, begin: int, end: int, on_demand: bool) -> None:
        """Read declarations between two tokens; those of a class or of a nameless namespace are compiled on demand."""
        head = index = begin
        while index < end:
            text = self._tokens[index].text
            if text in (";", "}"):
                head = index + 1
            elif text in _ASM and index == head:
                self._outside = self._outside or self._assembler(index)
            elif text == "(":
                index = self._behind(index, end) - 1
            elif text == "{":
                behind = self._behind(index, end)
                self._block([token.text for token in self._tokens[head:index]], index + 1, behind - 1, on_demand)
                head, index = behind, behind - 1
            index += 1

    def _block(self, head: list[str], begin: int, end: int, on_demand: bool) -> None:
        head = _without_attributes(head)
        if "(" in head and "=" not in head[: head.index("(")]:
            name = head[head.index("(") - 1] if head.index("(") else ""
            self._functions.append(self._function(name, begin, end, on_demand or bool(_ON_DEMAND & set(head))))
        elif "namespace" in head:
            self._read(begin, end, on_demand or head[-1] == "namespace")
        elif "extern" in head:
            self._read(begin, end, on_demand)
        elif {"class", "struct", "union"} & set(head):
            self._read(begin, end, True)

    def _function(self, name: str, begin: int, end: int, on_demand: bool) -> _Function:
        function = _Function(name, on_demand)
        texts = [token.text for token in self._tokens[begin:end]]
        if any(pair == ("if", "constexpr") for pair in itertools.pairwise(texts)):
            return function  # parts of it may be left out
        function.calls = {text for text in texts if text.isidentifier()}
        for index in range(begin, end):
            if self._tokens[index].text in _ASM:
                function.assembler = function.assembler or self._assembler(index)
        return function

    def _assembler(self, index: int) -> Place | None:
        """The first instruction of aarch64 in the statement that begins here; None if it may be left out."""
        start = index
        while index < len(self._tokens) and self._tokens[index].text != "(":
            index += 1
        qualifiers = {token.text for token in self._tokens[start:index]}
        inside = self._tokens[index + 1 : self._behind(index, len(self._tokens)) - 1]
        strings = []
        for token in inside:
            if not token.text.startswith('"'):
                break
            strings.append(token.text[1:-1])
        has_outputs = len(strings) < len(inside)
        if has_outputs and not qualifiers & _VOLATILE:
            return None
        for line in re.split(r"\\n|\\t|;", "".join(strings)):
            if (words := line.split()) and words[0].lower() in _AARCH64:
                return Place(self._tokens[start].file, self._tokens[start].line, line.strip())
        return None

    def _behind(self, index: int, end: int) -> int:
        """The position behind the bracket that closes the one here."""
        opened = 0
        for each in range(index, end):
            text = self._tokens[each].text
            opened += (text in ("(", "{", "[")) - (text in (")", "}", "]"))
            if opened == 0:
                return each + 1
        return end


def _without_attributes(head: list[str]) -> list[str]:
    """The words without __attribute__((...)), [[...]] and alignas(...)."""
    kept: list[str] = []
    index = 0
    while index < len(head):
        if head[index] in ("__attribute__", "alignas", "__declspec", "noexcept", "requires") and head[
            index + 1 : index + 2
        ] == ["("]:
            opened, index = 0, index + 1
            while index < len(head):
                opened += (head[index] == "(") - (head[index] == ")")
                index += 1
                if opened == 0:
                    break
            continue
        kept.append(head[index])
        index += 1
    return kept
