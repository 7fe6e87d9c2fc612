# SPDX-License-Identifier: Apache-2.0
"""The folder for temporary files, from which the simulated chip loads orchestrations."""

from __future__ import annotations

import errno
import mmap
import os
import tempfile
from typing import Final

_OTHERWISE: Final = "/tmp"


def chosen() -> str:
    """TMPDIR, or the system's own folder."""
    return os.environ.get("TMPDIR") or _OTHERWISE


def problem(folder: str) -> str:
    """The reason why no library can be written to a folder and loaded from there; empty if one can."""
    try:
        with tempfile.NamedTemporaryFile(prefix="chiphost-", dir=folder) as file:
            file.write(b"code")
            file.flush()
            mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ | mmap.PROT_EXEC, flags=mmap.MAP_PRIVATE).close()
    except OSError as error:
        reason = "it is mounted noexec" if error.errno == errno.EPERM else error.strerror
        return f"{folder}: no library can be written there and loaded: {reason}"
    return ""


def replacement() -> str:
    """The folder that stands in for TMPDIR if that is of no use."""
    return "memory" if problem(_OTHERWISE) else _OTHERWISE
