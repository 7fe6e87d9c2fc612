# SPDX-License-Identifier: Apache-2.0
"""Audit checks: hazards that show in the functions that a library takes from others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from .finding import Answer, Finding, make_finding, some
from .subject import Subject

# Instructions that make RTLD_GLOBAL | RTLD_LAZY or RTLD_GLOBAL | RTLD_NOW the second argument of a call.
_RTLD_GLOBAL_ARGUMENT: Final = {
    "EM_X86_64": (b"\xbe\x01\x01\x00\x00", b"\xbe\x02\x01\x00\x00"),
    "EM_AARCH64": (b"\x21\x20\x80\x52", b"\x41\x20\x80\x52"),
}


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


def functions(subject: Subject) -> Iterator[Finding]:
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


def thread_keys(subject: Subject) -> Iterator[Finding]:
    """Does it make thread keys, and delete them again?"""
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


def dlopen(subject: Subject) -> Iterator[Finding]:
    """Does it load libraries itself?"""
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
