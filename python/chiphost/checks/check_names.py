# SPDX-License-Identifier: Apache-2.0
"""The names of the checks, and the bit of each in `CallConfig.check`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeAlias

from .._text.suggestion import did_you_mean
from ..errors import make_error

BITS: Final[dict[str, int]] = {
    "races": 1,
    "declared": 2,
    "memory": 4,
    "init": 8,
    "coherence": 16,
    "arguments": 32,
}
ALL: Final = "all"
ALL_BITS: Final = sum(BITS.values())

# A choice of checks as users write it: True or "all", a name, names with commas between, or several of these.
Checks: TypeAlias = "bool | str | Iterable[str] | None"


def parse(checks: Checks, where: str = "check") -> int:
    """The bit mask of a choice of checks; 0 for None, False and an empty choice.

    Raises ArgumentError (INVALID_ARGUMENT) for a word that names no check, and for what is no choice; `where` names it.
    """
    if checks is None or isinstance(checks, bool):
        return ALL_BITS if checks else 0
    texts = [checks] if isinstance(checks, str) else checks
    if not isinstance(texts, Iterable) or isinstance(texts, (bytes, bytearray)):
        raise _not_a_choice(checks, where)
    mask = 0
    for text in texts:
        if not isinstance(text, str):
            raise _not_a_choice(text, where)
        for word in filter(None, map(str.strip, text.split(","))):
            mask |= _bits_of(word, where)
    return mask


def names_of(mask: int) -> tuple[str, ...]:
    """The names of the checks in a bit mask."""
    return tuple(name for name, bit in BITS.items() if mask & bit)


def as_text(mask: int) -> str:
    """A bit mask as a user writes it, for example "all" or "races,memory"."""
    return ALL if mask == ALL_BITS else ",".join(names_of(mask))


def _bits_of(word: str, where: str) -> int:
    folded = word.casefold()
    if folded == ALL:
        return ALL_BITS
    if folded in BITS:
        return BITS[folded]
    known = [ALL, *BITS]
    message = f"wanted {_known()}; found {word!r}"
    raise make_error("INVALID_ARGUMENT", message, where, guess=did_you_mean(word, known), hint=_HINT)


def _not_a_choice(found: object, where: str) -> Exception:
    message = f"wanted True or names of checks, which are {_known()}; found {found!r}"
    return make_error("INVALID_ARGUMENT", message, where, hint=_HINT)


def _known() -> str:
    return f"{ALL}, or some of {', '.join(BITS)}"


_HINT: Final = "for example check='races,memory'; docs/checks.md says what each check finds"
