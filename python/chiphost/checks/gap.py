# SPDX-License-Identifier: Apache-2.0
"""What a checked run cannot see of a program."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Gap:
    """A part of a program whose accesses are not seen: nothing is reported about them, and nothing is known.

    Attributes:
        program: its title, for example "kernel 'add' (func_id 3)" or "orchestration 'example'".
        reason: why it is not seen, for example "it was given as a binary" or "inline assembly".
        place: "file:line" of it; "" if it is the whole program, or nobody knows.
    """

    program: str
    reason: str
    place: str = ""
