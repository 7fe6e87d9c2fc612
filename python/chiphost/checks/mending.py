# SPDX-License-Identifier: Apache-2.0
"""The edges and declarations that would mend a finding."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from .finding import Access, Declaration

# The roles by which a task says that it may do something with a tensor.
_ROLES_FOR: Final = {"read": ("input", "inout"), "write": ("output", "inout"), "atomic": ("inout",)}
_INFERS_EDGES: Final = "tensormap_and_ringbuffer"
_HAS_NO_ROLES: Final = "host_build_graph"


def edge_of(check: str, what: str, first: Access | None, second: Access | None) -> tuple[int, int] | None:
    """The submissions between which an edge would end a race, the earlier one first; None if none would."""
    if check != "races" or what == "missing_edge" or first is None or second is None:
        return None
    if first.submission is None or second.submission is None or first.submission == second.submission:
        return None
    return min(first.submission, second.submission), max(first.submission, second.submission)


def declarations_of(
    check: str, what: str, first: Access | None, second: Access | None, runtime: str
) -> tuple[Declaration, ...]:
    """The declarations that a task lacks, and whose lack is the cause; those of the later task first."""
    is_race = runtime == _INFERS_EDGES and edge_of(check, what, first, second) is not None
    if runtime == _HAS_NO_ROLES or not (is_race or check == "declared"):
        return ()
    return tuple(_lacking(second, first)) if is_race else tuple(_lacking(first))


def _lacking(*accesses: Access | None) -> Iterator[Declaration]:
    for access in accesses:
        if access is None or access.submission is None or access.role in _ROLES_FOR[access.action]:
            continue
        # A task that writes may read as well; who knows that it does not can still declare an output.
        wanted = "input" if access.action == "read" and access.role in ("", "no_dep") else "inout"
        yield Declaration(access.submission, access.argument, wanted, access.submitted)
