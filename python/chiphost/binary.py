# SPDX-License-Identifier: Apache-2.0
"""Compiled programs, as callables hold them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .errors import make_error


@dataclass(frozen=True)
class Binary:
    """A compiled program.

    Attributes:
        data: the shared library's bytes; of a kernel for a real chip, its code.
        key: sha256 of the bytes in hex; equal exactly if the bytes are.
        name: for messages and debuggers.
        platform: what it was compiled for; None: nobody knows, and it is taken to fit everywhere.
        job: the `Job` that it was compiled from; None if nobody knows. Binaries are equal whatever they come from.
    """

    data: bytes = field(repr=False)
    key: str
    name: str
    platform: str | None = None
    job: Any = field(default=None, repr=False, compare=False)

    @property
    def source_folder(self) -> Path | None:
        """The folder of the source that it was compiled from; None if nobody knows."""
        return None if self.job is None else Path(self.job.source).parent

    @classmethod
    def from_file(cls, path: str | Path, platform: str | None = None) -> Binary:
        """A program that was compiled before, as by chiphost_add_kernel of the CMake package.

        The content is checked when it is loaded. Raises ArgumentError (INVALID_ARGUMENT) if the file cannot be read.
        """
        try:
            data = Path(path).read_bytes()
        except OSError as error:
            raise make_error("INVALID_ARGUMENT", f"it cannot be read: {error.strerror}", str(path)) from error
        return cls(data, hashlib.sha256(data).hexdigest(), Path(path).stem, platform)
