# SPDX-License-Identifier: Apache-2.0
"""What `--check` needs, and lines of findings that are commands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from .._runtimes import runtimes
from ..errors import make_error
from .terminal import Command

_COMMAND: Final = "  show: "  # the beginning of a line with a command, in the text of a finding


def require(check: int, platform: str) -> None:
    """Raise ArgumentError (INVALID_ARGUMENT) if checks are asked for on a platform that has none."""
    if check and runtimes.is_real_chip(platform):
        message = f"checks look into a simulated chip, and {platform} is a real one"
        hint = f"name a simulated platform, such as -p {runtimes.arch_of(platform)}sim"
        raise make_error("INVALID_ARGUMENT", message, "--check", hint=hint)


def with_commands(text: str) -> Iterator[str]:
    """The parts of a text that has findings, each command as one of its own, which a terminal shows as such."""
    plain: list[str] = []
    for line in text.split("\n"):
        if line.startswith(_COMMAND):
            yield "\n".join(plain)
            yield Command(line)
            plain = []
        else:
            plain.append(line)
    yield "\n".join(plain)
