# SPDX-License-Identifier: Apache-2.0
"""The objects of an audit: the file, its dependencies, and the process that would load it, which is this one."""

from __future__ import annotations

import ctypes
import os
import re
import sys
from dataclasses import dataclass
from functools import cached_property
from typing import cast

from .. import _core
from .._elf.dependencies import Dependencies
from .._elf.file import ElfFile
from .._elf.records import Symbol
from .._runtimes import runtimes
from ..errors import LoadError


class _DlInfo(ctypes.Structure):
    _fields_ = (
        ("fname", ctypes.c_char_p),
        ("fbase", ctypes.c_void_p),
        ("sname", ctypes.c_char_p),
        ("saddr", ctypes.c_void_p),
    )


class HostProcess:
    """This process, as far as it decides about a library. The loader itself is asked; nothing is loaded or called."""

    def __init__(self) -> None:
        """Look at this process."""
        self._loader = ctypes.CDLL(None)
        self._loader.dlsym.restype = ctypes.c_void_p
        self._loader.dlsym.argtypes = (ctypes.c_void_p, ctypes.c_char_p)
        self._loader.dladdr.argtypes = (ctypes.c_void_p, ctypes.POINTER(_DlInfo))

    @cached_property
    def has_dlmopen(self) -> bool:
        """True if its loader knows namespaces."""
        return self._address("dlmopen") is not None

    @cached_property
    def glibc(self) -> tuple[int, int] | None:
        """Version of glibc, None without it."""
        try:
            words = os.confstr("CS_GNU_LIBC_VERSION") or ""
        except (ValueError, OSError):
            return None
        version = re.search(r"(\d+)\.(\d+)", words)
        return (int(version[1]), int(version[2])) if version else None

    def defines(self, name: str, version: str = "") -> str | None:
        """The file that defines a symbol for everybody in the process: the program, a library it was linked with, a
        preload, or what was loaded with RTLD_GLOBAL. None if nothing does. A version other than "" must be the same."""
        address = self._address(name, version)
        if address is None:
            return None
        info = _DlInfo()
        found = self._loader.dladdr(address, ctypes.byref(info))
        return os.fsdecode(info.fname) if found and info.fname else sys.executable

    def static_tls(self) -> int:
        """Bytes of static TLS that glibc has set aside for libraries loaded later."""
        return cast("int", _core.namespace_estimate(0)["static_tls"])

    def namespaces(self, extra_bytes: int = 0) -> int:
        """An estimate of the namespaces that fit if their libraries take `extra_bytes` of static TLS beside libc."""
        return cast("int", _core.namespace_estimate(extra_bytes)["namespaces"])

    @staticmethod
    def tunables_for(extra_bytes: int) -> str:
        """The tunables with which as many namespaces fit as glibc can have at all."""
        tunables = _core.namespace_estimate(extra_bytes)["more_with"] or "glibc.rtld.nns=16"
        return f"GLIBC_TUNABLES={tunables}"

    def has_loaded(self, name: str) -> bool:
        """True if a library of this name is in the process: files that need it get that one, wherever it came from."""
        dlopen = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int)(("dlopen", self._loader))
        handle = dlopen(os.fsencode(name), os.RTLD_LAZY | os.RTLD_NOLOAD)
        if handle:
            ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)(("dlclose", self._loader))(handle)
        return bool(handle)

    def _address(self, name: str, version: str = "") -> int | None:
        address: int | None
        if version and hasattr(self._loader, "dlvsym"):  # musl has none, and no versions
            dlvsym = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p)
            address = dlvsym(("dlvsym", self._loader))(None, os.fsencode(name), os.fsencode(version))
        else:
            address = self._loader.dlsym(None, os.fsencode(name))
        return address


@dataclass(frozen=True)
class Subject:
    """The file to audit and what decides about it. The file and the dependencies are open as long as it is used."""

    file: ElfFile
    dependencies: Dependencies
    host_process: HostProcess
    default_lookup: bool = False  # the wish that isolate.open will be given

    @cached_property
    def same_machine(self) -> bool:
        """True if the file is for the processor and word size of this process."""
        return self._own is None or self._own == _kind(self.file)

    @cached_property
    def own_machine(self) -> str:
        """The processor of this process, for a message."""
        return describe(self._own) if self._own else "this process"

    @cached_property
    def _own(self) -> tuple[int, bool, str | int] | None:
        for path in ("/proc/self/exe", sys.executable):
            try:
                with ElfFile(path) as own:
                    return _kind(own)
            except LoadError:
                continue
        return None

    @cached_property
    def needed(self) -> list[str]:
        """Names of all libraries that it needs, also indirectly."""
        return [dependency.name for dependency in self.dependencies.all]

    @cached_property
    def files(self) -> list[ElfFile]:
        """The file, and the libraries that come into a namespace with it."""
        return [self.file, *(d.file for d in self.dependencies.all if d.file and not d.of_the_implementation)]

    def imported(self, *names: str) -> list[str]:
        """The given names that the file takes from others, but for weak ones, which only ask what is there."""
        return [name for name in names if (symbol := self.file.imports.get(name)) and symbol.binding != "STB_WEAK"]

    @cached_property
    def unresolved(self) -> list[str]:
        """Names of symbols that neither the file, nor a dependency, nor the start of every namespace defines."""
        wanted = {name for name, symbol in self.file.imports.items() if symbol.binding != "STB_WEAK"}
        wanted -= self.file.exports
        for library in self.dependencies.files:
            if not wanted:
                break
            wanted -= library.exports
        for name in ("libstdc++.so.6", "libm.so.6", "libgcc_s.so.1", "libc.so.6"):
            if wanted and name not in self.needed and (file := self.dependencies.find(name)):
                wanted -= file.exports
        return sorted(wanted)

    @cached_property
    def of_the_child(self) -> set[str]:
        """Names of symbols that the program of child processes offers a library, beside the C and C++ libraries."""
        names: set[str] = set()
        preloads = re.split("[: ]+", os.environ.get("LD_PRELOAD", ""))  # a child gets them, too
        for path in [runtimes.child_path(), *filter(None, preloads)]:
            try:
                if "/" not in path:
                    file = self.dependencies.find(path)
                else:
                    with ElfFile(path) as file:
                        _ = file.exports
            except LoadError:  # the loader goes on without it
                continue
            if file:
                names |= file.exports
        return names

    @cached_property
    def preemptible(self) -> list[Symbol]:
        """Symbols that the file both defines and refers to by name, so that another definition may take their place."""
        if "DT_SYMBOLIC" in self.file.dynamic or self.file.flag("DF_SYMBOLIC"):
            return []
        symbols = self.file.symbols
        numbers = {number for _, _, number in self.file.relocations if 0 < number < len(symbols)}
        return [symbols[number] for number in sorted(numbers) if symbols[number].preemptible]


def describe(kind: tuple[int, bool, str | int]) -> str:
    """For example "64-bit little-endian X86_64"."""
    bits, little_endian, machine = kind
    return f"{bits}-bit {'little' if little_endian else 'big'}-endian {str(machine).removeprefix('EM_')}"


def _kind(file: ElfFile) -> tuple[int, bool, str | int]:
    return file.bits, file.little_endian, file.machine
