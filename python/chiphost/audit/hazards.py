# SPDX-License-Identifier: Apache-2.0
"""Audit checks: effects of a loaded library that the strategies bear differently."""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from .._elf.calls import passed
from .._elf.file import ElfFile
from ..errors import LoadError
from .finding import Answer, Finding, make_finding, some
from .subject import Subject

_OPENMP: Final = ("libgomp.so", "libomp.so", "libiomp5.so")
# Instructions that make RTLD_GLOBAL | RTLD_LAZY or RTLD_GLOBAL | RTLD_NOW the second argument of a call.
_RTLD_GLOBAL_ARGUMENT: Final = {
    "EM_X86_64": (b"\xbe\x01\x01\x00\x00", b"\xbe\x02\x01\x00\x00"),
    "EM_AARCH64": (b"\x21\x20\x80\x52", b"\x41\x20\x80\x52"),
}
_LOOKUPS: Final = ("dlsym", "dlvsym")
# Processors for which chiphost has lookups of its own in namespaces: see default_lookups.h.
_OWN_LOOKUPS: Final = ("x86_64", "aarch64")
# fcntl() with these commands takes or asks for a lock that belongs to the process. F_OFD_SETLK and its like are about
# locks of the open file: each instance opens the file itself, so they are apart under every strategy.
_LOCK_COMMANDS: Final = frozenset((fcntl.F_GETLK, fcntl.F_SETLK, fcntl.F_SETLKW))
# Instructions that make one of these commands the second argument of a call.
_LOCK_ARGUMENT: Final = {
    "EM_X86_64": tuple(b"\xbe" + struct.pack("<I", command) for command in _LOCK_COMMANDS),  # mov $command, %esi
    "EM_AARCH64": tuple(struct.pack("<I", 0x52800001 | command << 5) for command in _LOCK_COMMANDS),  # mov w1, #command
}
# Sections in which compiler and linker put writable data that is no variable of the program's.
_LINKER_SECTIONS: Final = (
    ".dynamic",
    ".got",
    ".got.plt",
    ".init_array",
    ".fini_array",
    ".preinit_array",
    ".data.rel.ro",
    ".data.rel.ro.local",
    ".tm_clone_table",
    ".eh_frame",
    ".ctors",
    ".dtors",
    ".jcr",
    ".relro_padding",
)
_SHF_WRITE, _SHF_ALLOC = 1, 2
_PF_WRITE: Final = 2
# Bytes that the toolchain itself puts into .data and .bss of every library: a pointer and a flag.
_TOOLCHAIN_BYTES: Final = 16
_TOOLCHAIN_VARIABLES: Final = (
    "__dso_handle",
    "__aarch64_have_lse_atomics",
    "__aarch64_cpu_features",
    "__cpu_model",
    "__cpu_features2",
)


class _Import(NamedTuple):
    """A hazard that shows in a function that a library takes from others."""

    id: str
    facts: tuple[str, ...]
    names: tuple[str, ...]
    what: str
    consequence: str
    remedy: str = ""
    namespace: Answer = "ok"
    copy: Answer = "ok"
    recycle: Answer = "ok"


_IMPORTS: Final = (
    _Import(
        "thread-local-destructors",
        ("H2", "H3"),
        ("__cxa_thread_atexit", "__cxa_thread_atexit_impl"),
        "thread_local variables with destructors",
        "A thread that touched one keeps the library loaded until it ends; chiphost's threads never end.",
        "make the thread_local a plain pointer or number, or pass a context instead",
        copy="care",
        recycle="no",
    ),
    _Import(
        "threads",
        ("H4",),
        (
            "pthread_create",
            "thrd_create",
            "_ZNSt6thread15_M_start_threadESt10unique_ptrINS_6_StateESt14default_deleteIS1_EEPFvvE",
        ),
        "makes threads",
        "In a namespace, a thread that used thread_local variables and ends gives memory to the wrong heap. One that "
        "is left when the library is unloaded crashes.",
        "keep threads for the life of the process, or take them from the caller",
        namespace="care",
        copy="care",
        recycle="care",
    ),
    _Import(
        "exceptions",
        ("H6",),
        ("__cxa_throw", "__cxa_rethrow", "_Unwind_RaiseException"),
        "throws C++ exceptions",
        "One that leaves a namespace ends the process. chiphost catches it where it enters; who loads by hand has to.",
        "catch everything in the functions that others call",
    ),
    _Import(
        "environment",
        ("H7",),
        ("getenv", "secure_getenv", "setenv", "putenv", "unsetenv", "clearenv"),
        "uses environment variables",
        "A namespace has the variables of the moment it was made; what is set later, or in there, is seen on one side.",
        "pass settings as arguments",
    ),
    _Import(
        "c-library-settings",
        ("H7",),
        ("setenv", "putenv", "unsetenv", "clearenv", "setlocale"),
        "changes settings of the C library",
        "Copies share the C library with the program: what one sets is set for all.",
        "pass settings as arguments; use uselocale for one thread; or use namespace",
        copy="care",
    ),
    _Import(
        "process-settings",
        (),
        (
            *("chdir", "fchdir", "chroot", "umask", "setrlimit", "setrlimit64", "prlimit", "prlimit64"),
            *("setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid", "seteuid", "setegid"),
            *("setpriority", "nice", "setpgid", "setsid", "alarm", "setitimer"),
        ),
        "changes what belongs to the whole process",
        "The current folder, limits, rights and timers are those of all instances in the process, and of the program.",
        "use process",
        namespace="care",
        copy="care",
    ),
    _Import(
        "ends-process",
        (),
        ("exit", "_exit", "_Exit", "quick_exit"),
        "may end the process",
        "In a namespace or a copy that ends the caller too. A process of its own turns it into an error.",
        "return an error instead; or use process",
        namespace="care",
        copy="care",
    ),
    _Import(
        "aborts",
        (),
        ("abort", "__assert_fail", "_ZSt9terminatev", "__stack_chk_fail"),
        "aborts when its own checks fail",
        "In a namespace or a copy that ends the caller too. A process of its own turns it into an error.",
    ),
    _Import(
        "forks",
        (),
        ("fork", "vfork", "_Fork", "daemon"),
        "forks",
        "The child has none of the other threads, chiphost's included, and locks that they held stay locked.",
        "use posix_spawn, or exec at once; or use process",
        namespace="care",
        copy="care",
    ),
    _Import(
        "signal-handlers",
        (),
        ("sigaction", "signal", "bsd_signal", "sysv_signal", "__sysv_signal", "sigset", "signalfd"),
        "sets signal handlers",
        "There is one handler for the whole process: libraries, and the program, replace each other's. One that is "
        "left when the library is unloaded crashes.",
        "leave signals to the program; or use process",
        namespace="care",
        copy="care",
        recycle="care",
    ),
)


def imports(subject: Subject) -> Iterator[Finding]:
    """Do functions that it takes from others show hazards?"""
    for row in _IMPORTS:
        if names := subject.imported(*row.names):
            yield make_finding(
                row.id,
                f"{row.what} (imports {some(names)})",
                row.consequence,
                row.remedy,
                facts=row.facts,
                symbols=names,
                namespace=row.namespace,
                copy=row.copy,
                recycle=row.recycle,
            )
    yield from _thread_keys(subject)
    yield from _dlopen(subject)
    yield from _default_lookup(subject)


def _thread_keys(subject: Subject) -> Iterator[Finding]:
    names = subject.imported("pthread_key_create", "tss_create", "__pthread_key_create")
    if not names:
        return
    deletes = subject.imported("pthread_key_delete", "tss_delete")
    consequence = (
        "A key of a namespace and one of the program may be the same slot of a thread. chiphost enters namespaces only "
        "on threads made inside them; who loads by hand has to."
    )
    if not deletes:
        consequence += " Every load takes a key more, of 1024, and its destructor may run after the code is gone."
    care: Answer = "ok" if deletes else "care"
    yield make_finding(
        "thread-keys",
        f"thread keys, {'deleted again' if deletes else 'never deleted'} (imports {some(names + deletes)})",
        consequence,
        "" if deletes else "call pthread_key_delete in a destructor of the library; or use thread_local",
        facts=("H5",),
        symbols=names + deletes,
        copy=care,
        recycle=care,
    )


def _dlopen(subject: Subject) -> Iterator[Finding]:
    names = subject.imported("dlopen", "dlmopen")
    if not names:
        return
    patterns = _RTLD_GLOBAL_ARGUMENT.get(str(subject.file.machine), ())
    places = sum(subject.file.count_in_code(pattern) for pattern in patterns)
    asks = f"; {places} places in its code pass what is RTLD_GLOBAL" if places else "; RTLD_GLOBAL was not seen"
    yield make_finding(
        "loads-libraries",
        f"loads libraries (imports {some(names)}{asks})",
        "What it loads comes into its own namespace. With RTLD_GLOBAL that crashes the process in a namespace; with a "
        "copy it is shared with the program and all other copies.",
        "load with RTLD_LOCAL and look symbols up in the handle",
        facts=("H8", "H11"),
        symbols=names,
        count=places,
        namespace="no" if places else "care",
        copy="care",
        recycle="no" if places else "ok",
    )


def _default_lookup(subject: Subject) -> Iterator[Finding]:
    names = subject.imported(*_LOOKUPS)
    if subject.default_lookup:
        yield make_finding(
            "default-lookup",
            "lookups with RTLD_DEFAULT are to find its symbols",
            "They do in a namespace and in a process of its own. A copy is in the program's own namespace, where the "
            "program and all copies would find them, too.",
            "use namespace or process",
            facts=("H9",),
            symbols=names,
            namespace="ok" if os.uname().machine in _OWN_LOOKUPS else "no",
            copy="no",
        )
        return
    seen = [
        file.soname or file.path.name
        for file in _with_dependencies(subject)
        if 0 in passed(file, _LOOKUPS, argument=0).values  # RTLD_DEFAULT
    ]
    if not names and not seen:
        return
    how = f"with RTLD_DEFAULT in {some(seen)}" if seen else "with RTLD_DEFAULT, maybe"
    imports = f" (imports {some(names)})" if names else ""
    glibc = subject.program.glibc
    hangs = glibc is not None and glibc < _FAILED_LOOKUP_IS_HARMLESS
    yield make_finding(
        "default-lookup",
        f"looks symbols up by name, {how}{imports}",
        "Isolated code finds the C and C++ libraries so, and what it was loaded with, but no library beside: what it "
        "looks for may be missing, and nobody is told." + (_LOOKUP_HANGS if hangs else ""),
        "open the library that has the symbols with default_lookup=True; or look them up in the handle that dlopen "
        "returned",
        facts=("H9", "H15") if hangs else ("H9",),
        symbols=names or seen,
        namespace="no" if seen and hangs else "care",
        copy="care" if names else "ok",
        process="care" if seen else "ok",
    )


def _with_dependencies(subject: Subject) -> list[ElfFile]:
    """The file, and the libraries that come into a namespace with it."""
    return [subject.file, *(d.file for d in subject.dependencies.all if d.file and not d.of_the_implementation)]


_LOOKUP_HANGS: Final = (
    " In a namespace that chiphost has not made, one that finds nothing leaves its thread marked as looking: any later "
    "dlclose of the process waits for it for ever, and holds the loader."
)
# glibc from this version on is known not to have H15. The last version that has it is not known.
_FAILED_LOOKUP_IS_HARMLESS: Final = (2, 41)


def file_locks(subject: Subject) -> Iterator[Finding]:
    """Does it lock files, and whose are the locks?"""
    users: dict[str, list[str]] = {}
    for file in _with_dependencies(subject):
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


def pins(subject: Subject) -> Iterator[Finding]:
    """Can it be unloaded?"""
    if unique := _unique(subject.file):
        yield make_finding(
            "unique-symbols",
            f"{len(unique)} STB_GNU_UNIQUE: {some(unique)}",
            "It is never unloaded, and all loads in one namespace share these variables: copies are not apart.",
            "-fno-gnu-unique",
            facts=("H1",),
            symbols=unique,
            copy="no",
            recycle="no",
        )
    if subject.file.flag("DF_1_NODELETE"):
        yield make_finding(
            "no-delete",
            "DF_1_NODELETE is set",
            "It is never unloaded; each copy stays for the life of the process.",
            "link it without -Wl,-z,nodelete",
            facts=("H2",),
            copy="care",
            recycle="no",
        )
    pinned = [
        dependency.name
        for dependency in subject.dependencies.all
        if (file := dependency.file)
        and not dependency.of_the_implementation
        and (file.flag("DF_1_NODELETE") or _unique(file))
    ]
    if pinned:
        yield make_finding(
            "pinned-dependencies",
            f"dependencies that are never unloaded: {some(pinned)}",
            "Something is left in the namespace after close, with the state that it has: it goes to no other library.",
            "build them with -fno-gnu-unique and without -Wl,-z,nodelete",
            facts=("H1", "C7"),
            symbols=pinned,
            recycle="no",
        )


def _unique(file: ElfFile) -> list[str]:
    return [symbol.name for symbol in file.symbols if symbol.binding == "STB_GNU_UNIQUE" and symbol.defined]


def sharing(subject: Subject) -> Iterator[Finding]:
    """Does a private copy share anything after all?"""
    others = [d.name for d in subject.dependencies.all if d.file and not d.of_the_implementation]
    if others:
        yield make_finding(
            "shared-dependencies",
            f"needs {some(others)}",
            "A copy is of the file alone: what it needs is shared by all copies and the program, state included.",
            "link them statically with -Wl,--exclude-libs,ALL; or use namespace",
            facts=("C8",),
            symbols=others,
            copy="care",
        )
    file, clashes, state = subject.file, dict[str, str](), list[str]()
    for symbol in subject.preemptible:
        if owner := subject.program.defines(symbol.name, file.version_of(symbol)):
            clashes[symbol.name] = owner
            # Type descriptions and tables of virtual functions are the same everywhere, and nobody writes to them.
            if file.holds_state(symbol) and not symbol.name.startswith(_CXX_TABLES):
                state.append(symbol.name)
    if clashes:
        owners = dict.fromkeys(clashes.values())
        itself = any(_same_library(owner, file) for owner in owners)
        of_these = f"; variables of its own among them: {some(state)}" if state else ""
        yield make_finding(
            "clashes",
            f"{len(clashes)} of its symbols are also in {some(owners)}: {some(clashes)}{of_these}",
            ("The program has this very library, or another version of it: " if itself else "")
            + "a copy's own calls and references by these names end in the program's, not in the copy."
            + (" So these variables are not apart, and are set up and torn down twice." if state else ""),
            "-Wl,-Bsymbolic, or -fvisibility=hidden and export only what others call",
            facts=("C8",),
            symbols=[*state, *(name for name in clashes if name not in state)],
            copy="no" if itself or state else "care",
        )


_CXX_TABLES: Final = ("_ZTV", "_ZTI", "_ZTS", "_ZTT", "_ZTC")


def threads(subject: Subject) -> Iterator[Finding]:
    """Does it have memory for each thread, or a runtime that makes threads?"""
    if size := subject.file.tls_bytes:
        yield make_finding(
            "thread-local-storage",
            f"{size} bytes of thread-local variables",
            "A thread made inside a namespace that touches them must not end there. chiphost's never do.",
            facts=("H4",),
            bytes=size,
        )
    if openmp := [name for name in subject.needed if name.startswith(_OPENMP)]:
        yield make_finding(
            "openmp",
            f"OpenMP ({some(openmp)})",
            "Its runtime takes static TLS of every namespace, and makes threads for each thread that enters it.",
            f"start with {subject.program.tunables_for(_OPENMP_TLS)} to have more namespaces",
            facts=("C3", "H4"),
            symbols=openmp,
            namespace="care",
            copy="care",
        )


# The size in libgomp, rounded up.
_OPENMP_TLS: Final = 144


def load(subject: Subject) -> Iterator[Finding]:
    """Does loading it run code, or leave anything behind?"""
    file = subject.file
    count = file.tag("DT_INIT_ARRAYSZ") // (file.bits // 8)
    if "DT_INIT" in file.dynamic:  # the compiler's start files, which bring an entry of their own
        count -= 1
    if count > 0:
        yield make_finding(
            "constructors",
            f"{count} constructors or initialisers of variables",
            "They run while it is loaded, on one of the namespace's own threads; what hangs in them holds the loader.",
            "do the work in a function that the caller calls",
            facts=("H5",),
            count=count,
        )
    if state := _state(file):
        size, names = state
        yield make_finding(
            "state",
            f"{size} bytes of variables" + (f": {some(names)}" if names else ""),
            "This is what isolation keeps apart. A library without any could be shared.",
            symbols=names,
            bytes=size,
        )


def _state(file: ElfFile) -> tuple[int, list[str]] | None:
    """Size and names, largest first, of the variables that code may change; None if there are none."""
    writable = {
        number: section
        for number, section in enumerate(file.sections)
        if section.flags & _SHF_ALLOC and section.flags & _SHF_WRITE and section.name not in _LINKER_SECTIONS
    }
    if not file.sections:
        size = _writable_segment_bytes(file)
        return (size, []) if size > _TOOLCHAIN_BYTES else None
    symbols = file.full_symbols or file.symbols
    named = {s.name: s.bytes for s in symbols if s.section in writable and s.bytes and not _of_toolchain(s.name)}
    names = sorted(named, key=lambda name: (-named[name], name))
    if file.full_symbols and named:
        return sum(named.values()), names
    size = sum(section.bytes for section in writable.values())
    # crtbeginS.o gives its pointer __dso_handle no size.
    size -= sum(max(s.bytes, 8) for s in symbols if s.section in writable and _of_toolchain(s.name))
    return (size, names) if names or size > _TOOLCHAIN_BYTES else None


def _of_toolchain(name: str) -> bool:
    """True for the variables of `is_toolchain_variable` in elf_image.cpp, which says where they come from."""
    return name in _TOOLCHAIN_VARIABLES or name.startswith(("completed.", "DW.ref."))


def _writable_segment_bytes(file: ElfFile) -> int:
    """An upper limit: without section headers, tables of the linker cannot be told from variables."""
    fixed = [(s.address, s.address + s.memory_bytes) for s in file.segments if s.type == "PT_GNU_RELRO"]
    size = 0
    for segment in file.segments:
        if segment.type == "PT_LOAD" and segment.flags & _PF_WRITE:
            start, end = segment.address, segment.address + segment.memory_bytes
            size += end - start - sum(max(min(end, last) - max(start, first), 0) for first, last in fixed)
    return size


def _same_library(owner: str, file: ElfFile) -> bool:
    """True if the file with the path `owner` is the same, or has the same name for files that need it."""
    try:
        if Path(owner).samefile(file.path):
            return True
        with ElfFile(owner) as other:
            return bool(file.soname) and other.soname == file.soname
    except (OSError, ValueError, LoadError):
        return False
