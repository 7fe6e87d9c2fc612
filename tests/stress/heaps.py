# SPDX-License-Identifier: Apache-2.0
"""Memory that is allocated in this process: by its C library, and by the one of each linker namespace."""

from __future__ import annotations

import ctypes
import os


class _MallInfo(ctypes.Structure):
    """struct mallinfo2."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    )


def allocated_bytes(namespaces: int) -> int | None:
    """Bytes that malloc has handed out and not got back, in all heaps; None where malloc does not say.

    Args:
        namespaces: how many are open. To ask for one that is not leaves the loader's lock taken (glibc 2.36).

    Free memory is given back to the system first, so that the size of the process means something too.
    """
    program = ctypes.CDLL(None)
    if not hasattr(program, "mallinfo2"):
        return None
    libraries = [program]
    for number in range(1, namespaces + 1):
        program.dlmopen.restype = ctypes.c_void_p
        handle = program.dlmopen(ctypes.c_long(number), b"libc.so.6", os.RTLD_NOW | os.RTLD_NOLOAD)
        if handle:
            libraries.append(ctypes.CDLL(None, handle=handle))
    total = 0
    for library in libraries:
        library.malloc_trim(0)
        library.mallinfo2.restype = _MallInfo
        info = library.mallinfo2()
        total += info.uordblks + info.hblkhd  # from arenas, and mapped one by one
    return total
