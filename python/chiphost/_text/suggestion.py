# SPDX-License-Identifier: Apache-2.0
"""Suggestions for a name that does not exist."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(name: object, names: Iterable[str]) -> str | None:
    """The name among `names` that is nearest to this one, or None if none is near. Case does not count."""
    by_folded = {each.casefold(): each for each in names}
    near = difflib.get_close_matches(str(name).casefold(), by_folded, n=1)
    return by_folded[near[0]] if near else None


def did_you_mean(name: object, names: Iterable[str]) -> str:
    """The beginning of a hint, such as "did you mean 'a2a3sim'? "; empty if no name is near."""
    near = nearest(name, names)
    return "" if near is None else f"did you mean {near!r}? "
