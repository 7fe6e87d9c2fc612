# SPDX-License-Identifier: Apache-2.0
"""The number of linker namespaces that this process can still open, and a remedy if there are too few."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import _core
from ._runtimes import runtimes


@dataclass(frozen=True)
class Capacity:
    """The result of `capacity()`.

    Attributes:
        problem: why there are no namespaces here; empty if there are.
        opened: namespaces that chiphost has opened. They stay open for the life of the process.
        others: namespaces that other code of this process has open; None if the C library does not tell.
        left: namespaces that can still be opened, found by opening them in a child process.
        limited_by: what the loader runs out of then, "namespaces" or "static TLS".
        words: the loader's own words.
        spare: of the opened ones, those that wait for a library.
        idle: of the opened ones, those of runtimes that no worker uses. They give way when no other is left.
        pinned: of the opened ones, those that a runtime cannot give back.
        pins: the runtime's file that was seen last to do that, and why; empty if none was.
        tunable_namespaces: glibc.rtld.nns of this process.
        tunable_static_tls: glibc.rtld.optional_static_tls of this process, in bytes.
        more_with: value of GLIBC_TUNABLES with which a process can have more; empty if there is none.
        more_namespaces: how many it can have in all then; 0 if that is not known.
    """

    problem: str = ""
    opened: int = 0
    others: int | None = None
    left: int = 0
    limited_by: str = ""
    words: str = ""
    spare: int = 0
    idle: int = 0
    pinned: int = 0
    pins: str = ""
    tunable_namespaces: int = 0
    tunable_static_tls: int = 0
    more_with: str = ""
    more_namespaces: int = 0

    @property
    def limit(self) -> int:
        """Namespaces that this process can have in all."""
        return self.opened + (self.others or 0) + self.left


def capacity(library: str | os.PathLike[str] | None = None) -> Capacity:
    """Find out how many linker namespaces this process can still open.

    A child process is forked that opens namespaces until the loader refuses, at 1.5 ms each. So everything that is
    loaded here counts. Nothing is opened in this process.

    Args:
        library: a library that each namespace is to hold. One with thread-local variables, or that needs OpenMP, may
            fit into fewer. It is loaded in the child, so its constructors run there.

    Raises:
        LoadError: the library cannot be loaded, or crashes or hangs the child.
    """
    if problem := _core.namespaces_unavailable():
        return Capacity(problem)
    path = "" if library is None else str(Path(library).absolute())
    found: dict[str, Any] = _core.namespace_capacity(runtimes.anchor_path(), path)
    return Capacity(**found)
