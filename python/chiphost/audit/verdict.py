# SPDX-License-Identifier: Apache-2.0
"""The behaviour of a shared library under each isolation strategy, found by reading its file. It is never loaded.

    from chiphost.audit import audit

    found = audit("libcontroller.so")
    print(found.verdicts["namespace"].answer, found.auto.strategy)

docs/audit.md explains every finding.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from .._elf.dependencies import Dependencies
from .._elf.file import ElfFile
from .._strategies import STRATEGIES, Strategy
from . import file_locks, imports, loading, lookups, sharing, variables
from .finding import Answer, Finding, Use
from .subject import HostProcess, Subject, describe

__all__ = ["STRATEGIES", "Answer", "Audit", "Choice", "Finding", "Strategy", "Use", "Verdict", "audit"]

_USES: Final[tuple[Use, ...]] = (*STRATEGIES, "recycle")
_WORSE: Final[dict[Answer, int]] = {"ok": 0, "care": 1, "no": 2}
# The checks, in the order in which a tired person should read them.
_CHECKS_OF_FILE: Final[tuple[Callable[[Subject], Iterator[Finding]], ...]] = (
    loading.kind,
    loading.machine,
    loading.memory,
)
_CHECKS: Final[tuple[Callable[[Subject], Iterator[Finding]], ...]] = (
    loading.dependencies,
    loading.sanitizers,
    loading.static_tls,
    sharing.pins,
    sharing.copies,
    imports.functions,
    imports.thread_keys,
    imports.dlopen,
    lookups.default_lookup,
    file_locks.locks,
    variables.threads,
    variables.load,
)


@dataclass(frozen=True)
class Verdict:
    """The sum of the findings for one use.

    Attributes:
        answer: "ok"; "care" if it works when somebody sees to what the reasons say; "no".
        reasons: ids of the findings that leave no better answer; empty if it is "ok".
    """

    answer: Answer
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Choice:
    """The choice of strategy "auto": the first of namespace, copy, process that is not "no"; None if all are "no"."""

    strategy: Strategy | None
    why: str


@dataclass(frozen=True)
class Audit:
    """The findings in a file, and the verdicts that follow.

    Attributes:
        path: as given.
        bytes: size of the file.
        machine: for example "64-bit little-endian X86_64".
        soname: DT_SONAME, "" without one.
        build_id: in hex, "" without one.
        needed: names of the libraries that it needs, also indirectly, in the loader's order.
        findings: what matters for isolation.
        verdicts: for each strategy, and for "recycle": whether another library can have its namespace after close.
        auto: what strategy "auto" would take.
    """

    path: str
    bytes: int
    machine: str
    soname: str
    build_id: str
    needed: tuple[str, ...]
    findings: tuple[Finding, ...]
    verdicts: dict[Use, Verdict]
    auto: Choice

    def usable(self, strategy: Strategy | Literal["auto"] = "auto") -> bool:
        """True if the library can be used under a strategy, with care or without."""
        if strategy == "auto":
            return self.auto.strategy is not None
        return self.verdicts[strategy].answer != "no"


def audit(path: str | os.PathLike[str], *, default_lookup: bool = False) -> Audit:
    """Read a library and its dependencies, and say how it can be isolated from this process.

    default_lookup: whether it is to be opened with that option of `isolate.open`.

    The content of this process counts: symbols that would clash, tunables in force, the C library. Nothing is executed,
    loaded or kept. Any thread may call it.

    Raises LoadError if the file cannot be read (FILE_UNREADABLE), is no ELF file or a damaged one (NOT_ELF), or is
    shorter than its headers say (FILE_TRUNCATED). Its dependencies cannot be looked for without descriptors or memory:
    that is FILE_UNREADABLE too. An ELF file that cannot be loaded has an audit that says "no".
    """
    with ElfFile(path) as file:
        subject = Subject(file, Dependencies(file), HostProcess(), default_lookup)
        findings = [finding for check in _CHECKS_OF_FILE for finding in check(subject)]
        if subject.same_machine and "DT_STRTAB" in file.dynamic:
            findings += [finding for check in _CHECKS for finding in check(subject)]
        verdicts = _verdicts(findings)
        return Audit(
            path=str(file.path),
            bytes=file.bytes,
            machine=describe((file.bits, file.little_endian, file.machine)),
            soname=file.soname,
            build_id=file.build_id,
            needed=tuple(subject.needed),
            findings=tuple(findings),
            verdicts=verdicts,
            auto=_choose(verdicts),
        )


def _verdicts(findings: list[Finding]) -> dict[Use, Verdict]:
    verdicts: dict[Use, Verdict] = {}
    for use in _USES:
        answer: Answer = max((finding.answer(use) for finding in findings), key=_WORSE.__getitem__, default="ok")
        reasons = [] if answer == "ok" else [finding.id for finding in findings if finding.answer(use) == answer]
        verdicts[use] = Verdict(answer, tuple(dict.fromkeys(reasons)))
    return verdicts


def _choose(verdicts: dict[Use, Verdict]) -> Choice:
    refused = [f"{name} is out ({', '.join(verdicts[name].reasons)})" for name in STRATEGIES if _is_no(verdicts[name])]
    strategy = next((name for name in STRATEGIES if not _is_no(verdicts[name])), None)
    if strategy is None:
        return Choice(None, "; ".join(refused))
    passed_over = refused[: STRATEGIES.index(strategy)]
    reasons = verdicts[strategy].reasons
    how = f"{strategy} works with care ({', '.join(reasons)})" if reasons else f"{strategy} works"
    return Choice(strategy, "; ".join([*passed_over, how]))


def _is_no(verdict: Verdict) -> bool:
    return verdict.answer == "no"
