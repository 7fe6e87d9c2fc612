# SPDX-License-Identifier: Apache-2.0
"""The options that make g++ and clang++ compile a program that calls chiphost's callbacks before it accesses memory.

The compilers call the functions of ThreadSanitizer's runtime. An archive of chiphost's defines them, so that no such
runtime is needed. The options come after the user's and win over them.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..._runtimes import installation
from ...errors import make_error
from ...toolchain import include_dir

if TYPE_CHECKING:
    from ..host_toolchain import Compiler

# The archive exports this function. Who runs the program calls it to say where accesses are noted.
ATTACH: Final = "chiphost_check_attach"
_SOURCES: Final = Path("cpp", "check")  # the folder of the callbacks' sources
# Words that may name a processor whose vector instructions the compiler then uses.
_NAMES_PROCESSOR: Final = re.compile(r"-m(?!llvm|cmodel)|-Xclang|@|--target|-target")

# All warnings were given when the program was compiled as it is. Link-time optimisation would hide the code from the
# search for what is not instrumented, other sanitizers need runtimes, and fortified functions are not wrapped.
# chiphost/data_cache.h asks for the macro.
_COMMON: Final = (
    *("-w", "-fno-lto", "-fno-sanitize=all", "-fsanitize=thread", "-U_FORTIFY_SOURCE"),
    "-DCHIPHOST_INSTRUMENTED",
)
# Loops would become calls of memset and memcpy that the compiler expands itself. Sources that look for a sanitizer
# are to compile as they do without checks.
_GCC: Final = ("-fno-tree-loop-distribute-patterns", "-U__SANITIZE_THREAD__")
# clang++ leaves out accesses that are not of 1, 2, 4, 8 or 16 bytes, masked ones, and reads before a write.
_CLANG: Final = (
    "-mprefer-vector-width=128",
    *("-mllvm", "-enable-interleaved-mem-accesses=false"),
    *("-mllvm", "-tsan-instrument-read-before-write"),
)
_CLANG_WITHOUT_VECTORS: Final = ("-fno-vectorize", "-fno-slp-vectorize")


def archive() -> Path:
    """The archive with the callbacks. Raises CompileError (COMPILE_FAILED) if it is not installed."""
    path = installation.check_callbacks()
    if not path.is_file():
        message = f"chiphost's library for checks is missing: there is no {path}"
        raise make_error("COMPILE_FAILED", message, hint="install chiphost again")
    return path


def included_first(compiler: Compiler) -> tuple[Path, ...]:
    """Headers to include before everything else."""
    if compiler.family != "gcc":
        return ()
    return (_source("builtins.h"),)


def compile_options(compiler: Compiler, users: Iterable[str]) -> list[str]:
    """Options of the compile, without linking. `users` are the words that users give for it."""
    own: tuple[str, ...] = _GCC
    if compiler.family == "clang":
        own = (*_CLANG, *_CLANG_WITHOUT_VECTORS) if any(map(_NAMES_PROCESSOR.match, users)) else _CLANG
        if not compiler.target.startswith(("x86_64", "i386", "i486", "i586", "i686")):
            own = own[1:]  # other processors have no such option
    return [*_COMMON, *own, *(f"-fno-builtin-{name}" for name in wrapped_functions())]


def link_options(users: Iterable[str]) -> list[str]:
    """Options that link a shared library with the callbacks, and with all libraries but the compiler's sanitizers."""
    users = list(users)
    library = "-lc++" if "-stdlib=libc++" in users else "-lstdc++"
    threads = ["-lpthread"] if "-pthread" in users else []
    wrapped = ",".join(f"--wrap={name}" for name in wrapped_functions())
    callbacks = [f"-Wl,-u,{ATTACH},{wrapped}", "-nodefaultlibs", str(archive())]
    return [*callbacks, library, "-lm", *threads, "-lgcc_s", "-lgcc", "-lc"]


def wrapped_functions() -> tuple[str, ...]:
    """Functions of the C library for which the archive has others, which note what they read and write."""
    file = _source("wrapped_functions.def")
    return _names_in(file, file.stat().st_mtime_ns)


def _source(name: str) -> Path:
    """One of the callbacks' sources: the installed one, else the checkout's."""
    installed = installation.folder("src", str(_SOURCES / name)) / _SOURCES / name
    places = (installed, include_dir().parents[1] / _SOURCES / name)
    for place in places:
        if place.is_file():
            return place
    message = f"chiphost's {name} is missing; looked at " + " and ".join(map(str, places))
    raise make_error("COMPILE_FAILED", message, hint="install chiphost again")


@functools.lru_cache(maxsize=4)
def _names_in(file: Path, changed_ns: int) -> tuple[str, ...]:
    """The names in CH_WRAPPED(name) lines. `changed_ns` is for the memo."""
    return tuple(re.findall(r"^CH_WRAPPED\((\w+)\)", file.read_text(), re.MULTILINE))
