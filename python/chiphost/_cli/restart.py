# SPDX-License-Identifier: Apache-2.0
"""Starting the program anew with other tunables of the C library's loader, which reads them once."""

from __future__ import annotations

import os
import sys
from typing import Final

import click

from . import supervisor
from .terminal import complain

_TUNABLES: Final = "GLIBC_TUNABLES"
# The values that allow every namespace that glibc can have. Static TLS is for libraries that need more of it than
# others, such as those with OpenMP; each thread has that many bytes more.
_WANTED: Final = {"glibc.rtld.nns": 16, "glibc.rtld.optional_static_tls": 8192}

_RESTARTED: Final = "CHIPHOST_RESTARTED"  # the process that was started anew; it keeps its number


def with_more_namespaces() -> None:
    """Start this program anew, once, so that it can have all linker namespaces that glibc allows.

    Program, arguments, working folder and open files stay the same. Returns if nothing is to be gained.
    """
    if os.environ.pop(_RESTARTED, None) == str(os.getpid()):
        return
    if not supervisor.allowed():
        raise click.UsageError("--more-namespaces starts the program chiphost anew; this is another program")
    from .._core import namespaces_unavailable  # see `commands`

    if why := namespaces_unavailable():
        complain(f"chiphost: --more-namespaces has no effect: {why}")
        return
    before = os.environ.get(_TUNABLES, "")
    tunables = merged(before)
    if tunables == before:
        return
    if not sys.executable or len(sys.orig_argv) < 2:
        raise click.ClickException(f"cannot start Python anew; set {_TUNABLES}={tunables} yourself")
    complain(f"chiphost: starting again with {_TUNABLES}={tunables}")
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    environment = {**os.environ, _TUNABLES: tunables, _RESTARTED: str(os.getpid())}
    # Not orig_argv[0]: from a name without a folder Python would look for its own place on PATH.
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)


def merged(tunables: str) -> str:
    """This value of GLIBC_TUNABLES, changed as far as needed for all namespaces."""
    entries = [entry for entry in tunables.split(":") if entry]
    for name, wanted in _WANTED.items():
        values = [entry.partition("=")[2] for entry in entries if entry.startswith(f"{name}=")]
        if values and _number(values[-1]) >= wanted:  # the last one counts
            continue
        entries = [entry for entry in entries if not entry.startswith(f"{name}=")]
        entries.append(f"{name}={wanted}")
    return ":".join(entries)


def _number(text: str) -> int:
    """The number as glibc reads it; 0 if there is none."""
    try:
        return int(text, 0)
    except ValueError:
        return 0
