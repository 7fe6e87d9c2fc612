# SPDX-License-Identifier: Apache-2.0
"""Audit checks: locks of files."""

from __future__ import annotations

import fcntl
import struct
from collections.abc import Iterator
from typing import Final

from .._elf.calls import passed
from .._elf.file import ElfFile
from .finding import Finding, make_finding, some
from .subject import Subject

# fcntl() with these commands takes or asks for a lock that belongs to the process. F_OFD_SETLK and its like are about
# locks of the open file: each instance opens the file itself, so they are apart under every strategy.
_LOCK_COMMANDS: Final = frozenset((fcntl.F_GETLK, fcntl.F_SETLK, fcntl.F_SETLKW))
# Instructions that make one of these commands the second argument of a call.
_LOCK_ARGUMENT: Final = {
    "EM_X86_64": tuple(b"\xbe" + struct.pack("<I", command) for command in _LOCK_COMMANDS),  # mov $command, %esi
    "EM_AARCH64": tuple(struct.pack("<I", 0x52800001 | command << 5) for command in _LOCK_COMMANDS),  # mov w1, #command
}


def locks(subject: Subject) -> Iterator[Finding]:
    """Does it lock files, and whose are the locks?"""
    users: dict[str, list[str]] = {}
    for file in subject.files:
        calls: list[str] = [name for name in ("lockf", "lockf64") if name in file.imports]
        commands: list[str] = [name for name in ("fcntl", "fcntl64", "__fcntl") if name in file.imports]
        if commands:
            seen = passed(file, commands, argument=1)
            if (seen.values | seen.nearby) & _LOCK_COMMANDS or (seen.unknown and _has_lock_command(file)):
                calls += commands
        if calls:
            users[file.soname or file.path.name] = calls
    if users:
        own = subject.file.soname or subject.file.path.name
        yield make_finding(
            "file-locks",
            f"locks files: {some(f'{user} (imports {some(calls)})' for user, calls in users.items())}",
            "Such a lock belongs to the process: instances in namespaces and copies, and the program, get it at the "
            "same time, and one that closes the file takes it from all. Libraries that copies share know of each lock.",
            "use process; or locks of the open file: fcntl with F_OFD_SETLK, or flock",
            symbols=dict.fromkeys(name for calls in users.values() for name in calls),
            namespace="no",
            copy="no" if own in users else "ok",
        )
    elif names := subject.imported("flock"):
        yield make_finding(
            "file-locks",
            f"locks files (imports {some(names)})",
            "Such a lock belongs to the file that was opened: who opens it again has to wait for it, whatever the "
            "strategy.",
            symbols=names,
        )


def _has_lock_command(file: ElfFile) -> bool:
    """True if its code may have one of these commands as the second argument of a call."""
    return any(file.count_in_code(pattern) for pattern in _LOCK_ARGUMENT.get(str(file.machine), (b"",)))
