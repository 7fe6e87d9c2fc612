# SPDX-License-Identifier: Apache-2.0
"""The choice of a strategy that isolates a runtime, or a library, from this process."""

from __future__ import annotations

from .. import _core
from .._strategies import CHOICES, STRATEGIES
from .._text.suggestion import did_you_mean
from ..errors import make_error
from . import runtimes


def default_isolation(platform: str = "a2a3sim") -> str:
    """The strategy used when none is named: "namespace" where the system, this build and the platform have it.

    Elsewhere it is "copy".
    """
    return choose_strategy(None, platform)[0]


def choose_strategy(
    isolation: str | None, platform: str = "a2a3sim", *, argument: str = "isolation"
) -> tuple[str, str]:
    """The strategy to try, and the reason. "auto" may have to do without a namespace all the same.

    Raises ArgumentError for an unknown word; `argument` names it.
    """
    if isolation is not None and (not isinstance(isolation, str) or isolation not in CHOICES):
        message = f"wanted one of {', '.join(CHOICES)}; found {isolation!r}"
        raise make_error("INVALID_ARGUMENT", message, argument, guess=did_you_mean(isolation, CHOICES))
    if isolation is not None and isolation in STRATEGIES:
        return isolation, "asked for"
    who = "the default" if isolation is None else isolation
    if runtimes.is_real_chip(platform):
        return "copy", f"{who}: the chip vendor's software is one for the process"
    if why := _core.namespaces_unavailable():
        return "copy", f"{who}: {why}"
    return "namespace", f"{who}: a linker namespace keeps the C library and its heap apart too"
