# SPDX-License-Identifier: Apache-2.0
"""A program of a scene: an orchestration with its kernels."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from .._compiling.job import Kernel
from ..signature import Arg


@dataclasses.dataclass(frozen=True)
class Program:
    """An orchestration with its kernels: one of several that a scene runs in turn.

    Attributes:
        orchestration: its source; absolute once the scene is loaded.
        entry: name of its function.
        kernels: its kernels; absolute paths once loaded.
        signature: its arguments: some of the scene's, by their names, and what this program does with them.
        include_dirs, defines, flags: for compiling the orchestration; a kernel has its own. Folders may be relative to
            the scene's.
        has_signature: whether a run is checked against `signature`. If not, every array goes in and comes out.
    """

    orchestration: str | Path
    entry: str
    kernels: Sequence[Kernel]
    signature: Sequence[Arg]
    include_dirs: Sequence[str | Path] = ()
    defines: Sequence[str] = ()
    flags: Sequence[str] = ()
    has_signature: bool = True
