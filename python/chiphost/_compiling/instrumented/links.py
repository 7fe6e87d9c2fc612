# SPDX-License-Identifier: Apache-2.0
"""Code of others in a linked program: archives and object files that it contains, and functions that it imports."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from .options import ATTACH, wrapped_functions
from .unchecked import Unchecked

if TYPE_CHECKING:
    from ..._elf.file import ElfFile

_CALLBACK: Final = "__tsan_"
_IN_ARCHIVE: Final = re.compile(r"^\s*(\S.*?\.a)\(", re.MULTILINE)
_OBJECT: Final = re.compile(r"^(?:LOAD )?\s*(/?\S.*?\.l?o)(?::\(.*)?$", re.MULTILINE)
# What every linker adds, and the archive with the callbacks.
_OF_THE_COMPILER: Final = re.compile(
    r"(S|g|r)?crt[\w.-]*\.o|lib(gcc|gcc_eh|gcc_s|c_nonshared|pthread_nonshared|ssp_nonshared|m-[\d.]+|mvec_nonshared)\.a"
    r"|libstdc\+\+\w*\.a|libclang_rt\.[\w.-]+\.a|libchiphost_check_callbacks\.a"
)
# Libraries that compute with values, or that keep memory of their own.
_MACHINERY: Final = re.compile(
    r"(libm|libmvec|libgcc_s|libstdc\+\+|libc\+\+|libc\+\+abi|libunwind|ld-linux[\w-]*|libpthread|libdl|librt)\.so\b.*"
)
_C_LIBRARY: Final = re.compile(r"libc\.so\b.*")
# Functions that are defined by chiphost or belong to C++ itself, whoever defines them.
_NAMES_OF_MACHINERY: Final = re.compile(
    r"chiphost_\w+|ch_\w+|_ITM_\w+|__gmon_start__|__cxa_\w+|_Unwind_\w+|__gxx_personality_v0|__dynamic_cast"
    r"|_Zn[wa]\w+|_Zd[la]\w+|_ZT[ISV](N10__cxxabiv1|S).*|_Z(NK?)?S[tabsiod]\w+|_GLOBAL_OFFSET_TABLE_"
)
# Functions of the C library that touch no memory which a program gives them, or only to print it.
_HARMLESS: Final = re.compile(
    r"abort|_?exit|_Exit|quick_exit|atexit|at_quick_exit|(c|m|re)alloc|(cfree|free|memalign|aligned_alloc|posix_memalign)"
    r"|(_?_?v?(f|s|sn|d|as)?printf(_chk)?)|f?put(s|c|char)|putc|putchar|fwrite|perror|fflush|stdout|stderr"
    r"|__assert(_perror)?_fail|__stack_chk_(fail|guard)|__errno_location|__tls_get_addr|dl_iterate_phdr"
    r"|(secure_)?getenv|clock|clock_\w+|gettimeofday|time|nanosleep|u?sleep|sched_\w+|s?rand(om)?|l?l?abs|l?l?div"
    r"|pthread_\w+|sem_\w+|_?_?(sig)?(set|long)jmp|__ctype_\w+|tolower|toupper|is[a-z]+|raise|getpid|gettid"
)
_NAMES_MAX: Final = 8  # in one reason


class NotInstrumented(Exception):
    """The program would not work with the callbacks; its text says why."""


def unchecked(program: Path, map_text: str, made_here: Path) -> list[Unchecked]:
    """The code of others in a program, from its imports and the linker's map. Files below `made_here` are its own.

    Raises NotInstrumented, and LoadError if the program is damaged.
    """
    from ..._elf.file import ElfFile  # only who compiles needs pyelftools; who finds all in the cache does not

    with ElfFile(program) as elf:
        missing = sorted(name for name in elf.imports if name.startswith(_CALLBACK))
        if missing:
            raise NotInstrumented(f"needs {', '.join(missing)}, which chiphost's library for checks does not have")
        if ATTACH not in elf.exports:
            raise NotInstrumented(f"does not export {ATTACH}; a version script or an option of the linker hides it")
        return [*_linked(map_text, made_here), *_imported(elf)]


def _linked(map_text: str, made_here: Path) -> Iterator[Unchecked]:
    files = dict.fromkeys([*_IN_ARCHIVE.findall(map_text), *_OBJECT.findall(map_text)])
    for file in map(Path, files):
        if _OF_THE_COMPILER.fullmatch(file.name) or file.is_relative_to(made_here) or not file.is_absolute():
            continue
        if not _is_instrumented(file):
            yield Unchecked(f"it contains {file.name}, which is not instrumented")


def _is_instrumented(file: Path) -> bool:
    try:
        return _CALLBACK.encode() in file.read_bytes()
    except OSError:
        return False


def _imported(elf: ElfFile) -> Iterator[Unchecked]:
    by_library: dict[str, list[str]] = {}
    wrapped = wrapped_functions()  # imported for the callbacks alone
    for name, symbol in elf.imports.items():
        if symbol.type in ("STT_OBJECT", "STT_TLS") or _NAMES_OF_MACHINERY.fullmatch(name) or name in wrapped:
            continue
        library = elf.import_libraries.get(name, "")
        if _MACHINERY.fullmatch(library):
            continue
        if not library or _C_LIBRARY.fullmatch(library):
            if _HARMLESS.fullmatch(name):
                continue
            library = "the C library" if library else "another library"
        by_library.setdefault(library, []).append(name)
    for library, names in by_library.items():
        shown = sorted(names)[:_NAMES_MAX]
        further = f" and {len(names) - len(shown)} more" if len(names) > len(shown) else ""
        yield Unchecked(f"it calls {', '.join(shown)}{further} of {library}")
