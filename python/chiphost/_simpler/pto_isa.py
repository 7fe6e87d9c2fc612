# SPDX-License-Identifier: Apache-2.0
"""PTO-ISA: the headers that kernels of the project simpler are written against. Not part of chiphost.

PTO_ISA_ROOT names its folder, a checkout of hw-native-sys/pto-isa. If PTO_ISA_COMMIT names a commit of that checkout,
the files of that commit are taken from there, and kept in the cache.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import Final

from .. import toolchain
from .._compiling.cache import CompileCache
from .._system.private_folder import open_private_folder
from ..errors import make_error

# A call in its headers finds its target only by the rules of C++20; it also relies on code that only -fpermissive lets
# pass. simpler compiles its kernels as C++23; older compilers know that as 2b.
FLAGS: Final = ("-std=c++2b", "-fpermissive", "-w")


def include_folders() -> tuple[Path, ...]:
    """The folders for #include, in order: some of its headers are chiphost's, to be found before its own.

    Raises SceneError (SCENE_INVALID) if nobody says where the folder is, or it is not there.
    """
    named = os.environ.get("PTO_ISA_ROOT")
    if not named:
        hint = "name a checkout of hw-native-sys/pto-isa with --pto-isa or in PTO_ISA_ROOT"
        raise make_error("SCENE_INVALID", "its kernels need PTO-ISA", "PTO_ISA_ROOT", hint=hint)
    root = Path(named).absolute()
    if commit := os.environ.get("PTO_ISA_COMMIT"):
        root = _checked_out(root, commit)
    if not (root / "include" / "pto" / "pto-inst.hpp").is_file():
        hint = "name a checkout of hw-native-sys/pto-isa"
        raise make_error("SCENE_INVALID", "there is no include/pto/pto-inst.hpp", f"PTO_ISA_ROOT={root}", hint=hint)
    return toolchain.compat_dir() / "pto_isa", root / "include", root / "include" / "pto"


def prelude_of(source: str) -> Path | None:
    """The header to be compiled once for all kernels that include PTO-ISA; None if this source does not."""
    if re.search(rb"""^[ \t]*#[ \t]*include[ \t]*[<"]pto/pto-inst.hpp[>"]""", Path(source).read_bytes(), re.MULTILINE):
        return toolchain.compat_dir() / "pto_isa" / "kernel_prelude.h"
    return None


def _checked_out(root: Path, commit: str) -> Path:
    """The headers of a commit in a folder of the cache; taken from the checkout, never from the network."""
    known = _run(["git", "-C", str(root), "rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}"])
    if known.returncode != 0:
        hint = f"fetch it: git -C {root} fetch origin {commit}"
        raise make_error("SCENE_INVALID", f"this checkout has no commit {commit!r}", str(root), hint=hint)
    name = known.stdout.decode().strip()
    folder = CompileCache().root / "pto-isa" / name
    try:
        with open_private_folder(folder.parent, make=True) or nullcontext():
            pass  # the check only has to show that nobody else can change the folder, or lead elsewhere
    except OSError as error:
        raise make_error(
            "CACHE_UNUSABLE", f"{error.filename or folder.parent}: {error.strerror}", str(folder)
        ) from error
    if folder.is_dir():
        return folder
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        archive = _run(["git", "-C", str(root), "archive", f"--prefix={name}/", name, "include"])
        unpacked = _run(["tar", "x", "-C", temporary], archive.stdout) if archive.returncode == 0 else archive
        if unpacked.returncode != 0:
            words = unpacked.stderr.decode(errors="replace").strip()
            raise make_error("SCENE_INVALID", f"the files of commit {commit} cannot be had: {words}", str(root))
        try:
            Path(temporary, name).rename(folder)
        except OSError:
            if not folder.is_dir():  # another process was first
                raise
    return folder


def _run(words: list[str], input: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(words, input=input, capture_output=True, check=False)
    except OSError as error:
        message = f"a commit is wanted, and {words[0]} cannot be run: {error.strerror}"
        raise make_error("SCENE_INVALID", message, "PTO_ISA_COMMIT") from error
