# SPDX-License-Identifier: Apache-2.0
"""Audit checks: properties that keep a library from being loaded at all, or by some strategy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from .finding import Answer, Finding, make_finding, some
from .subject import Subject, describe

_SANITIZERS: Final = {
    "AddressSanitizer": ("libasan.so", "libclang_rt.asan", "__asan_init"),
    "ThreadSanitizer": ("libtsan.so", "libclang_rt.tsan", "__tsan_init"),
    "HWAddressSanitizer": ("libhwasan.so", "libclang_rt.hwasan", "__hwasan_init"),
    "MemorySanitizer": ("libmsan.so", "libclang_rt.msan", "__msan_init"),
    "LeakSanitizer": ("liblsan.so", "libclang_rt.lsan", "__lsan_init"),
}
# glibc from this version on refuses to load a library that wants an executable stack.
_NO_EXECUTABLE_STACK: Final = (2, 41)
_PF_EXECUTE: Final = 1


def kind(subject: Subject) -> Iterator[Finding]:
    """Is it a shared library for this process?"""
    file = subject.file
    if not subject.same_machine:
        found = describe((file.bits, file.little_endian, file.machine))
        yield make_finding(
            "architecture",
            f"built for {found}, this process is {subject.own_machine}",
            "The loader refuses it. Its dependencies and symbols were not checked against this machine.",
            f"build it for {subject.own_machine}",
            everywhere="no",
        )
    if file.type != "ET_DYN" or "DT_STRTAB" not in file.dynamic:
        what = {"ET_EXEC": "a program", "ET_REL": "an object file", "ET_CORE": "a core dump"}
        yield make_finding(
            "not-a-library",
            f"{what.get(str(file.type), 'a file without a dynamic section')}, no shared library",
            "The loader refuses it.",
            "link it with -shared",
            everywhere="no",
        )
    elif file.flag("DF_1_PIE"):
        yield make_finding(
            "not-a-library",
            "a position-independent program (DF_1_PIE), no shared library",
            "The loader refuses to load a program into another.",
            "link it with -shared instead of -pie",
            everywhere="no",
        )
    if file.flag("DF_1_NOOPEN"):
        yield make_finding(
            "no-open",
            "DF_1_NOOPEN is set",
            "The loader refuses to load it after the program has started.",
            "link it without -Wl,-z,nodlopen",
            everywhere="no",
        )
    if "__libc_start_main" in file.exports:
        yield make_finding(
            "c-library",
            "it is a C library",
            "A second one beside the first crashes the process. A namespace has one of its own anyway.",
            copy="no",
        )


def machine(subject: Subject) -> Iterator[Finding]:
    """Does this machine have namespaces?"""
    if not subject.host_process.has_dlmopen:
        yield make_finding(
            "no-dlmopen",
            "this system's loader has no dlmopen",
            "There are no namespaces here, whatever the library.",
            "use copy or process",
            facts=("H12",),
            namespace="no",
            recycle="no",
        )


def dependencies(subject: Subject) -> Iterator[Finding]:
    """Is everything there that the library needs?"""
    if missing := subject.dependencies.missing:
        places = dict.fromkeys(folder for dependency in missing for folder in dependency.looked_in)
        not_found = [f"{d.name} (for {d.needed_by})" for d in missing if not d.unusable]
        seen = [f"not found: {some(not_found)}; looked in {', '.join(places)}"] if not_found else []
        seen += [f"{d.unusable} (for {d.needed_by})" for d in missing if d.unusable]
        loaded = all(subject.host_process.has_loaded(dependency.name) for dependency in missing)
        yield make_finding(
            "missing-dependencies",
            "; ".join(seen) + ("; this program has loaded them already" if loaded else ""),
            "The loader refuses the library" + (", but a copy, which is given the program's." if loaded else "."),
            "install them, or say where they are: -Wl,-rpath,FOLDER or LD_LIBRARY_PATH",
            symbols=(dependency.name for dependency in missing),
            everywhere="no",
            copy="care" if loaded else "no",
        )
    if versions := _missing_versions(subject):
        yield make_finding(
            "missing-versions",
            f"another version of a dependency: {some(versions)}",
            "The loader refuses the library. One that knows of no versions at all makes it end the process.",
            "build it on a system as old as the oldest one that it is to run on, and with the dependency that is there",
            symbols=versions,
            everywhere="no",
        )
    if origin := [d.name for d in subject.dependencies.all if d.from_origin and d.needed_by == _name(subject)]:
        yield make_finding(
            "origin-dependencies",
            f"found relative to the file, through $ORIGIN: {some(origin)}",
            "A private copy is no file in that folder: the loader does not find them from there.",
            "give an absolute folder: -Wl,-rpath,FOLDER or LD_LIBRARY_PATH; or link them statically",
            facts=("C8",),
            symbols=origin,
            copy="no",
        )
    yield from _undefined(subject)


def _undefined(subject: Subject) -> Iterator[Finding]:
    if subject.dependencies.missing or not (names := subject.unresolved):
        return
    absent = [name for name in names if subject.host_process.defines(name) is None]
    process: Answer = "no" if set(names) - subject.of_the_child else "ok"
    if absent:
        yield make_finding(
            "undefined-symbols",
            f"nothing defines {some(absent)}",
            "The loader refuses the library when it binds its symbols, which chiphost has it do at once.",
            "link it with the library that defines them; -Wl,-z,defs finds them when it is linked",
            symbols=absent,
            everywhere="no",
            process=process,
        )
        return
    yield make_finding(
        "undefined-symbols",
        f"only this program defines {some(names)}",
        "Neither a namespace nor the program of child processes has what this program has: the loader refuses the "
        "library there.",
        "link it with the library that defines them; or use copy",
        symbols=names,
        namespace="no",
        process=process,
        recycle="no",
    )


def _missing_versions(subject: Subject) -> list[str]:
    files = {d.name: d.file for d in subject.dependencies.all if d.file}
    return [
        f"{need.library} without {need.version}"
        for need in subject.file.version_needs
        if not need.weak
        and (library := files.get(need.library))
        # Without definitions the loader does not ask. It does not expect to find the symbol in a file without versions.
        and (library.version_definitions or "DT_VERSYM" not in library.dynamic)
        and need.version not in library.version_definitions
    ]


def _name(subject: Subject) -> str:
    return subject.file.soname or subject.file.path.name


def memory(subject: Subject) -> Iterator[Finding]:
    """Does the library want memory that is code and data at once?"""
    file, glibc = subject.file, subject.host_process.glibc
    if "DT_TEXTREL" in file.dynamic or file.flag("DF_TEXTREL"):
        yield make_finding(
            "text-relocations",
            "the loader must write into its code (DT_TEXTREL)",
            "Systems that forbid writable code (SELinux, hardened kernels) refuse it; others copy the pages.",
            "compile everything in it with -fPIC; -Wl,-z,text finds what was not",
            namespace="care",
            copy="care",
            process="care",
        )
    stack = next((segment for segment in file.segments if segment.type == "PT_GNU_STACK"), None)
    by_default = file.machine in ("EM_X86_64", "EM_386")
    if bool(stack.flags & _PF_EXECUTE) if stack else by_default and bool(file.segments):
        refused = glibc is not None and glibc >= _NO_EXECUTABLE_STACK
        yield make_finding(
            "executable-stack",
            "it wants an executable stack" if stack else "it does not say that no executable stack is wanted",
            "glibc 2.41 and later refuse to load it; earlier ones make all stacks of the process executable.",
            '-Wl,-z,noexecstack; in assembler files .section .note.GNU-stack,"",@progbits',
            everywhere="no" if refused else "care",
            recycle="no" if refused else "ok",
        )


def sanitizers(subject: Subject) -> Iterator[Finding]:
    """Was it built with a sanitizer that wants to be in the process first?"""
    for name, (*libraries, function) in _SANITIZERS.items():
        needed = [library for library in subject.needed if library.startswith(tuple(libraries))]
        imported = [function] if function in subject.file.imports else []
        if function in subject.file.exports:
            yield make_finding(
                "sanitizer",
                f"it is the runtime of {name}, or has it built in: exports {function}",
                "It must be in a process from the start, once, and it replaces the C library's own functions.",
                "start the program with LD_PRELOAD=<this file>; build libraries without -fsanitize for namespaces",
                facts=("H10",),
                symbols=[function],
                everywhere="no",
                process="ok" if function in subject.of_the_child else "no",
            )
            continue
        if not needed and not imported:
            continue
        there = subject.host_process.defines(function) is not None
        yield make_finding(
            "sanitizer",
            f"built with {name}: {', '.join(needed + imported)}",
            "Its runtime does not work in a namespace, and must be in the process from the start"
            + (", as it is in this one." if there else ", as it is not in this one."),
            "build it without -fsanitize for namespaces; else start the program with LD_PRELOAD=<the runtime>",
            facts=("H10",),
            symbols=needed + imported,
            namespace="no",
            copy="ok" if there else "no",
            process="ok" if function in subject.of_the_child else "no",
            recycle="no",
        )


def static_tls(subject: Subject) -> Iterator[Finding]:
    """Does it take static TLS, for which glibc has set little aside?"""
    host_process, file = subject.host_process, subject.file
    own = file.tls_bytes if file.has_initial_exec else 0
    sizes = {_name(subject): own} if own else {}
    for dependency in subject.dependencies.all:
        library = dependency.file
        if library and dependency.name != "libc.so.6" and library.flag("DF_STATIC_TLS"):  # libc is in every namespace
            sizes[dependency.name] = library.tls_bytes
    extra = sum(sizes.values())
    if extra == 0 or host_process.glibc is None:
        return
    sizes = {name: size for name, size in sizes.items() if size}
    reserve = host_process.static_tls()
    fit, plain = host_process.namespaces(extra), host_process.namespaces()
    namespace: Answer = "no" if fit == 0 else "care" if fit < plain else "ok"
    # A copy gets the libraries that the program has loaded already, and they cost nothing more.
    for_copy = own + sum(
        size for name, size in sizes.items() if name != _name(subject) and not host_process.has_loaded(name)
    )
    copies = f" About {reserve // own} copies of it fit." if own else ""
    yield make_finding(
        "static-tls",
        f"{extra} bytes of static TLS: {some(f'{name} {size}' for name, size in sizes.items())}",
        f"glibc has set aside {reserve} bytes. About {fit} such namespaces fit, {plain} without it.{copies}",
        f"-ftls-model=global-dynamic instead of initial-exec; or start with {host_process.tunables_for(extra)}",
        facts=("C1", "C2", "C3"),
        symbols=sizes,
        bytes=extra,
        namespace=namespace,
        copy="no" if for_copy > reserve else "care" if own else "ok",
        process="no" if extra > reserve else "ok",
        recycle="no" if fit == 0 else "ok",
    )
