# SPDX-License-Identifier: Apache-2.0
"""The number of linker namespaces that the C library allows, found without chiphost, to compare chiphost's with."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from pathlib import Path

from chiphost._runtimes import runtimes

TIMEOUT_S = 60

_OPEN_ALL = """
import ctypes, sys
from ctypes import byref, c_char_p, c_int, c_long, c_void_p

NEW, RTLD_NOW, RTLD_DI_LMID = -1, 2, 1
program = ctypes.CDLL(None)
program.dlmopen.restype, program.dlmopen.argtypes = c_void_p, [c_long, c_char_p, c_int]
program.dlinfo.argtypes = [c_void_p, c_int, c_void_p]
first, second = (word.encode() for word in sys.argv[1:])
opened, place = 0, c_long()
while opened < 100 and (handle := program.dlmopen(NEW, first, RTLD_NOW)):
    assert program.dlinfo(handle, RTLD_DI_LMID, byref(place)) == 0
    if second and not program.dlmopen(place.value, second, RTLD_NOW):
        break
    opened += 1
print(opened)
"""


@functools.cache
def namespaces_allowed(tunables: str = "", library: Path | None = None) -> int:
    """Namespaces, each with the library if there is one, that a fresh process with these GLIBC_TUNABLES can open."""
    environment = {name: value for name, value in os.environ.items() if name != "GLIBC_TUNABLES"}
    if tunables:
        environment["GLIBC_TUNABLES"] = tunables
    done = subprocess.run(
        [sys.executable, "-c", _OPEN_ALL, runtimes.anchor_path(), str(library or "")],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        env=environment,
        check=True,
    )
    return int(done.stdout)
