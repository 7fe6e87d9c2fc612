# SPDX-License-Identifier: Apache-2.0
"""The compilers for a real chip: the vendor's ccec for kernels, and one for aarch64 for what runs on the AICPU.

Every function here may be called from any thread.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from ..errors import make_error
from ..toolchain import include_dir
from . import host_toolchain
from .host_toolchain import Candidate, Compiler, CoreType

if TYPE_CHECKING:
    from elftools.elf.elffile import ELFFile
    from elftools.elf.relocation import RelocationSection

    from .job import Job

# Which processor a program is for: this one, the AICPU of a real chip, or its cores.
Target = Literal["host", "aicpu", "core"]

SDK_VARIABLES: Final = ("ASCEND_HOME_PATH", "ASCEND_TOOLKIT_HOME")
_AICPU_NAMES: Final = ("aarch64-linux-gnu-g++", "aarch64-target-linux-gnu-g++")
_ARCHS: Final = {"a2a3": "dav-c220", "a5": "dav-c310"}
_CORES: Final[dict[CoreType, str]] = {"aic": "cube", "aiv": "vec"}
_ENTRY: Final = "kernel_entry"


def sdk_folders() -> list[Path]:
    """Where the environment says that the vendor's software is, best first."""
    return [Path(folder) for name in SDK_VARIABLES if (folder := os.environ.get(name))]


def find_compiler(target: Target) -> Compiler:
    """The compiler for a target. Raises CompileError (COMPILER_MISSING) that says where it was looked for."""
    if target == "host":
        return host_toolchain.find_compiler()
    looked = []
    for candidate in candidates(target):
        if candidate.compiler:
            return candidate.compiler
        looked.append(f"{candidate.wanted}: {candidate.problem}")
    where = f"PATH is {os.environ.get('PATH', '')!r}, {_sdk_text()}"
    if target == "core":
        message = f"kernels of a real chip need ccec, the chip vendor's compiler; {'; '.join(looked)} ({where})"
        hint = "install the vendor's toolkit and name its folder in ASCEND_HOME_PATH, or use a simulated platform"
    else:
        message = f"orchestrations on the AICPU need a compiler for aarch64; {'; '.join(looked)} ({where})"
        hint = "install aarch64-linux-gnu-g++ (Debian: g++-aarch64-linux-gnu), or name one in CHIPHOST_AICPU_CXX"
    raise make_error("COMPILER_MISSING", message, hint=hint)


def compilers_for(jobs: Iterable[Job]) -> dict[Target, Compiler]:
    """The compilers that jobs need. Raises what `find_compiler` raises."""
    return {target: find_compiler(target) for target in sorted({job.target for job in jobs})}


def candidates(target: Target) -> Iterator[Candidate]:
    """Every place where a compiler for a real chip is looked for, best first."""
    if target == "core":
        for folder in sdk_folders():
            yield host_toolchain.look_at("SDK", str(folder / "bin" / "ccec"))
        yield host_toolchain.look_at("PATH", "ccec")
    elif wanted := os.environ.get("CHIPHOST_AICPU_CXX", "").strip():
        yield host_toolchain.look_at("CHIPHOST_AICPU_CXX", wanted)
    else:
        for name in _AICPU_NAMES:
            yield host_toolchain.look_at("PATH", name)
        for folder in sdk_folders():
            yield host_toolchain.look_at("SDK", str(folder / "tools" / "hcc" / "bin" / _AICPU_NAMES[-1]))


def kernel_flags(platform: str, core_type: CoreType) -> tuple[str, ...]:
    """Options of ccec for the object file of a kernel."""
    llvm = (
        "-cce-aicore-stack-size=0x8000",
        "-cce-aicore-function-stack-size=0x8000",
        "-cce-aicore-record-overflow=false",
        "-cce-aicore-addr-transform",
        "-cce-aicore-dcci-insert-for-scalar=false",
    )
    return (
        *("-c", "-O3", "-g", "-std=c++17", "-Wall"),
        *("--cce-aicore-only", f"--cce-aicore-arch={_ARCHS[platform]}-{_CORES[core_type]}"),
        *(word for option in llvm for word in ("-mllvm", option)),
        *(f"-DCHIPHOST_ARCH_{host_toolchain.arch(platform)}=1", f"-I{include_dir()}"),
    )


def kernel_code(data: bytes) -> bytes:
    """The code of a kernel: its object file's section .text, which is copied to the device as it is.

    Raises ValueError if that would not be the kernel: no ELF file, no such section, the entry not at its beginning,
    addresses in it that a linker would have to fill in.
    """
    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile
    from elftools.elf.relocation import RelocationSection
    from elftools.elf.sections import SymbolTableSection

    try:
        elf = ELFFile(io.BytesIO(data))
        names = [section.name for section in elf.iter_sections()]
        if ".text" not in names:
            raise ValueError("wrote an object file without a section .text")
        text = names.index(".text")
        code = elf.get_section(text).data()
        symbols = elf.get_section_by_name(".symtab")
        entries = symbols.get_symbol_by_name(_ENTRY) if isinstance(symbols, SymbolTableSection) else None
        unresolved = [
            name
            for section in elf.iter_sections()
            if isinstance(section, RelocationSection) and section["sh_info"] == text
            for name in _relocated_names(elf, section)
        ]
    except ELFError as error:
        raise ValueError(f"wrote no ELF object file: {error}") from error
    entry = next((each for each in entries or () if each["st_shndx"] == text), None)
    if entry is None:
        raise ValueError(f"wrote an object file that does not define {_ENTRY} in its section .text")
    if entry["st_value"] != 0:
        raise ValueError(
            f"put {_ENTRY} {entry['st_value']} bytes into the section .text, and the cores begin at its beginning; "
            "define other functions inline or after it"
        )
    if unresolved:
        raise ValueError(
            f"left addresses for a linker to fill in, of {', '.join(dict.fromkeys(unresolved))}, and the section .text "
            "is copied to the device as it is; make functions that the kernel calls static or inline, and have no "
            "tables of constants"
        )
    return bytes(code)


def _relocated_names(elf: ELFFile, section: RelocationSection) -> Iterator[str]:
    """What the relocations of a section refer to: the names of symbols, or of sections for those without."""
    from elftools.elf.sections import SymbolTableSection

    symbols = elf.get_section(section["sh_link"])
    for relocation in section.iter_relocations():
        symbol = symbols.get_symbol(relocation["r_info_sym"]) if isinstance(symbols, SymbolTableSection) else None
        if symbol is None:
            yield "unknown symbols"
        elif symbol.name or not isinstance(symbol["st_shndx"], int):
            yield symbol.name or "a symbol without a name"
        else:
            yield elf.get_section(symbol["st_shndx"]).name


def _sdk_text() -> str:
    folders = [f"{name} is {value!r}" for name in SDK_VARIABLES if (value := os.environ.get(name))]
    return ", ".join(folders) or f"neither {' nor '.join(SDK_VARIABLES)} is set"
