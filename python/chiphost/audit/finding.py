# SPDX-License-Identifier: Apache-2.0
"""The answer of an audit about one property of a library."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from .._strategies import Strategy

# "recycle" is no strategy: it asks if the library's namespace can be given to another library after it was closed.
Use = Strategy | Literal["recycle"]
# "care": it works if the user follows the finding. Findings that chiphost takes care of itself are "ok".
Answer = Literal["ok", "care", "no"]

_SYMBOLS_MAX: Final = 32


@dataclass(frozen=True)
class Finding:
    """One property of the library that matters for its isolation.

    Attributes:
        id: a name that stays, for example "unique-symbols"; docs/audit.md has a row for each.
        facts: rows of docs/internals/namespaces.md behind it, for example ("H1",); empty if none is.
        seen: what was found, in words.
        symbols: names behind it, at most 32 of them; symbols, or libraries where `seen` speaks of these.
        count: how many there are in all, of what `seen` speaks of.
        bytes: a size in bytes where one matters, else 0.
        consequence: what follows.
        remedy: the flag or the change that mends it; "" if nothing needs to be mended.
        namespace, copy, process, recycle: the best answer that it leaves for each use.
    """

    id: str
    facts: tuple[str, ...]
    seen: str
    symbols: tuple[str, ...]
    count: int
    bytes: int
    consequence: str
    remedy: str
    namespace: Answer
    copy: Answer
    process: Answer
    recycle: Answer

    def answer(self, use: Use) -> Answer:
        """The best answer that it leaves for a use."""
        answer: Answer = getattr(self, use)
        return answer


def make_finding(
    id: str,
    seen: str,
    consequence: str,
    remedy: str = "",
    *,
    facts: Iterable[str] = (),
    symbols: Iterable[str] = (),
    count: int | None = None,
    bytes: int = 0,
    everywhere: Answer = "ok",
    namespace: Answer | None = None,
    copy: Answer | None = None,
    process: Answer | None = None,
    recycle: Answer | None = None,
) -> Finding:
    """A finding. `count` is the number of symbols if None; the answer for a use is the one `everywhere` if None."""
    names = list(symbols)
    return Finding(
        id,
        tuple(facts),
        seen,
        tuple(names[:_SYMBOLS_MAX]),
        len(names) if count is None else count,
        bytes,
        consequence,
        remedy,
        namespace or everywhere,
        copy or everywhere,
        process or everywhere,
        recycle or everywhere,
    )


def some(names: Iterable[str], at_most: int = 3) -> str:
    """The first few names, for a sentence: "a, b, c and 4 more"."""
    listed = list(names)
    shown = ", ".join(listed[:at_most])
    return f"{shown} and {len(listed) - at_most} more" if len(listed) > at_most else shown
