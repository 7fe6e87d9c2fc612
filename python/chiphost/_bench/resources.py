# SPDX-License-Identifier: Apache-2.0
"""The resources that this process holds: threads, open files, mappings and memory."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc/self")


@dataclass(frozen=True)
class Resources:
    """The amount of each resource that this process has at a moment."""

    threads: int
    files: int
    maps: int
    memory_bytes: int

    @classmethod
    def now(cls) -> Resources | None:
        """Count; None on a system that does not say."""
        if not (_PROC / "statm").exists():
            return None
        return cls(
            threads=len(list((_PROC / "task").iterdir())),
            files=len(list((_PROC / "fd").iterdir())),
            maps=len((_PROC / "maps").read_text().splitlines()),
            memory_bytes=int((_PROC / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE"),
        )

    def since(self, before: Resources) -> Resources:
        """The difference to an earlier moment."""
        return Resources(
            self.threads - before.threads,
            self.files - before.files,
            self.maps - before.maps,
            self.memory_bytes - before.memory_bytes,
        )
