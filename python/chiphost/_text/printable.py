# SPDX-License-Identifier: Apache-2.0
"""Text from outside, such as names of files and words of compilers, made fit for a terminal, XML, JSON and a shell.

A file's name may hold any bytes. Python gives those that are no UTF-8 as lone surrogates, which no encoding takes.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from typing import Any, Final

# Characters that control a terminal, turn the order of shown text around, or end lines, and those that are no
# characters. XML 1.0 has no place for some of these, not even escaped.
_UNPRINTABLE: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"
)
_SURROGATES: Final = re.compile("[\ud800-\udfff]")


def printable(text: str) -> str:
    r"""The text, with what does not show written as \x1b, \u2028 and the like. Tabs and ends of lines stay.

    A byte of a file's name that is no UTF-8 is written as \xe9.
    """
    return _UNPRINTABLE.sub(_escape, text)


def one_line(text: str) -> str:
    """A name with everything that does not show escaped as in `printable`; ends of lines are escaped, too."""
    return printable(text).replace("\n", "\\n").replace("\t", "\\t")


def encodable(value: Any) -> Any:
    """A value for JSON: in all its texts, keys included, characters that UTF-8 does not take are escaped."""
    if isinstance(value, str):
        return _SURROGATES.sub(_escape, value)
    if isinstance(value, dict):
        return {encodable(key): encodable(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [encodable(each) for each in value]
    return value


def shell_join(words: Iterable[str]) -> str:
    """A command of these words for a shell. Bash, ksh and zsh also take those that do not show."""
    return " ".join(map(_shell_word, words))


def _shell_word(word: str) -> str:
    if word == one_line(word):
        return shlex.quote(word)
    return f"$'{''.join(map(_shell_escape, word))}'"


def _shell_escape(character: str) -> str:
    if character in "\\'":
        return f"\\{character}"
    if character == one_line(character):
        return character
    try:
        data = character.encode(errors="surrogateescape")
    except UnicodeEncodeError:  # a surrogate that stands for no byte: no word of a command has it
        data = b"?"
    return "".join(f"\\{byte:03o}" for byte in data)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    if 0xDC80 <= code <= 0xDCFF:
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
