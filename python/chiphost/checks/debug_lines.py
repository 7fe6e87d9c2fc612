# SPDX-License-Identifier: Apache-2.0
"""Source lines of code addresses, from the debug information of a program."""

from __future__ import annotations

import bisect
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Collection, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, Final, NamedTuple

_TIMEOUT_S: Final = 60.0


class Frame(NamedTuple):
    """A line that code belongs to, or into which it was inlined: an absolute path, and the number of the line."""

    file: str
    line: int


Chain = tuple[Frame, ...]  # of one address: the innermost inlined function first, the function itself last


def chains(data: bytes, offsets: Collection[int]) -> dict[int, Chain]:
    """The frames of each address; () for one about which the program says nothing.

    Asks addr2line once for all. Without that tool the line table is read, which knows nothing of inlined functions.

    Args:
        data: the bytes of an ELF file.
        offsets: addresses as the file has them.
    """
    if not offsets:
        return {}
    found = _from_addr2line(data, offsets)
    if found is None:
        found = _from_line_tables(data, offsets)
    return {offset: found.get(offset, ()) for offset in offsets}


def _from_addr2line(data: bytes, offsets: Collection[int]) -> dict[int, Chain] | None:
    """What addr2line says; None if there is no such tool, or it cannot read the file."""
    tool = shutil.which("addr2line")
    if tool is None:
        return None
    asked = "".join(f"{offset:#x}\n" for offset in offsets)
    with tempfile.TemporaryDirectory(prefix="chiphost-lines-") as folder:
        file = Path(folder) / "program.so"
        file.write_bytes(data)
        try:
            done = subprocess.run(
                [tool, "-a", "-i", "-e", str(file)],
                input=asked,
                capture_output=True,
                encoding="utf-8",
                errors="surrogateescape",
                timeout=_TIMEOUT_S,
                check=True,
            )
        except (OSError, subprocess.SubprocessError):
            return None
    return _parsed(done.stdout)


def _parsed(output: str) -> dict[int, Chain]:
    """The answers of `addr2line -a -i`: a line with each address, and one for each of its frames."""
    answers: dict[int, list[Frame]] = {}
    frames: list[Frame] = []
    for text in output.splitlines():
        if re.fullmatch(r"0x[0-9a-f]+", text):
            frames = answers.setdefault(int(text, 16), [])
        elif (known := re.fullmatch(r"(.+):(\d+)(?: \(discriminator \d+\))?", text)) and known[1] != "??":
            frames.append(Frame(os.path.normpath(known[1]), int(known[2])))
    return {address: tuple(frame for frame in each if frame.line) for address, each in answers.items()}


def _from_line_tables(data: bytes, offsets: Collection[int]) -> dict[int, Chain]:
    from elftools.common.exceptions import DWARFError, ELFError  # takes long to import, and few systems need it

    found: dict[int, Chain] = {}
    wanted = sorted(offsets)
    try:
        for begin, end, frame in _rows(data):
            for offset in wanted[bisect.bisect_left(wanted, begin) : bisect.bisect_left(wanted, end)]:
                found[offset] = (frame,)
    except (ELFError, DWARFError, AssertionError, LookupError, ValueError):  # pyelftools meets what it does not know
        pass
    return found


def _rows(data: bytes) -> Iterator[tuple[int, int, Frame]]:
    """First address, end and line of each row of the line tables."""
    from elftools.elf.elffile import ELFFile

    elf: Any = ELFFile(BytesIO(data))
    if not elf.has_dwarf_info():
        return
    dwarf = elf.get_dwarf_info()
    for unit in dwarf.iter_CUs():
        program = dwarf.line_program_for_CU(unit)
        if program is None:
            continue
        folder = _text(unit.get_top_DIE().attributes, "DW_AT_comp_dir")
        before: Any = None
        for entry in program.get_entries():
            state = entry.state
            if state is None:
                continue
            if before is not None and before.address < state.address and before.line:
                yield before.address, state.address, Frame(_path(program.header, before.file, folder), before.line)
            before = None if state.end_sequence else state


def _path(header: Any, number: int, folder: str) -> str:
    """The path of a file of a line table. Version 5 counts files and folders from 0, and older ones from 1."""
    is_new = header.version >= 5
    entry = header.file_entry[number if is_new else number - 1]
    at = entry.dir_index if is_new else entry.dir_index - 1
    inside = os.fsdecode(header.include_directory[at]) if at >= 0 else ""
    return os.path.normpath(os.path.join(folder, inside, os.fsdecode(entry.name)))  # noqa: PTH118 (not of this system)


def _text(attributes: Any, name: str) -> str:
    return os.fsdecode(attributes[name].value) if name in attributes else ""
