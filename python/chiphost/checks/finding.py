# SPDX-License-Identifier: Apache-2.0
"""A finding of a checked run, and what it is made of. All of it is data; `words` says it in sentences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Actor: TypeAlias = Literal["task", "orchestration", "host"]
Action: TypeAlias = Literal["read", "write", "atomic"]
MemoryKind: TypeAlias = Literal["argument", "output", "allocation", "runtime", "local", "none"]
# The ways in which a task declares a tensor, each at the place of its ch_tensor_role.
ROLES: Final = ("input", "output", "inout", "output", "no_dep")


@dataclass(frozen=True)
class CodeLine:
    """A line of a source.

    Attributes:
        file: absolute path, as the compiler wrote it into the program.
        line: its number, from 1.
        inner: the line in a header, of which this line is the caller; None if this line itself is meant.
    """

    file: str
    line: int
    inner: CodeLine | None = None


@dataclass(frozen=True)
class Access:
    """Who did what, and where.

    Attributes:
        actor: "task", "orchestration" or "host", which copies the arguments of a run.
        action: "read", "write" or "atomic".
        submission: of a task: how many were submitted before it; else None.
        kernel: of a task: the name of its kernel; else "".
        func_id: of a task: the number of that kernel; else None.
        block: of a task: which of its `block_num` blocks it was, from 0.
        block_num: of a task: how many blocks it has.
        core: of a task: the number of its core in this run; else None.
        argument: the kernel's argument through which the task declares the memory, from 0; None if through none.
        role: how it declares it: "input", "output", "inout" or "no_dep"; "" if it does not.
        source: absolute path of the program's source; "" if nobody knows.
        line: the line of the access; None if nobody knows.
        submitted: of a task: the line of the orchestration that submitted it; None if nobody knows.
    """

    actor: Actor
    action: Action
    submission: int | None = None
    kernel: str = ""
    func_id: int | None = None
    block: int = 0
    block_num: int = 1
    core: int | None = None
    argument: int | None = None
    role: str = ""
    source: str = ""
    line: CodeLine | None = None
    submitted: CodeLine | None = None


@dataclass(frozen=True)
class Memory:
    """What was accessed.

    Attributes:
        kind: "argument", an array of the run; "output", a tensor that was made for a task; "allocation", of an
            orchestration on the host; "runtime", memory of the runtime itself; "local", of a core; "none", no memory.
        name: of an argument: its name in the signature; of local memory: the chip's word for it; else "".
        number: of an argument: which of the arrays, from 0; of an output: which of the task's; of an allocation: which
            of the run's; else None.
        submission: of an output: the task it was made for; else None.
        bytes: its length.
        shape: of a tensor; else None.
        dtype: of a tensor, for example "float32"; else "".
    """

    kind: MemoryKind
    name: str = ""
    number: int | None = None
    submission: int | None = None
    bytes: int = 0
    shape: tuple[int, ...] | None = None
    dtype: str = ""


@dataclass(frozen=True)
class Declaration:
    """A declaration that would mend a finding.

    Attributes:
        submission: the task that should declare it.
        argument: the kernel's argument, from 0; None for one that the task does not have yet.
        role: how: "input", "output" or "inout".
        line: the line of the orchestration that submits the task; None if nobody knows.
    """

    submission: int
    argument: int | None
    role: str
    line: CodeLine | None


@dataclass(frozen=True)
class Finding:
    """One cause of wrong results, however many bytes and tasks show it.

    `checks.as_text` says it in sentences.

    Attributes:
        check: the check that found it: "races", "declared", "memory", "init", "coherence" or "arguments".
        what: what was found, for example "write_after_read". docs/checks.md has a row for each.
        count: how many accesses show it; the rest of the finding is about the first one.
        first: the access; of a race the earlier submission's. None if nobody saw who did it.
        second: of a race, and of data that another core does not see: the other access; else None.
        memory: what was accessed.
        begin, end: the bytes of the first one, from the memory's first byte; `begin` may be negative and `end` past the
            end; `end` is not among them.
        first_element, last_element: the same range as indices of the tensor; None if there are none.
        edge: the numbers of two submissions between which an edge would mend it; None if none would.
        declarations: what would mend it instead, if all of them are made; may be empty.
        runtime: the runtime that ran it, for the words about mending.
        callable: the name of what was run.
        show: a command that shows it again; "" if it was no scene that was run.
    """

    check: str
    what: str
    count: int
    first: Access | None
    second: Access | None
    memory: Memory
    begin: int
    end: int
    first_element: tuple[int, ...] | None = None
    last_element: tuple[int, ...] | None = None
    edge: tuple[int, int] | None = None
    declarations: tuple[Declaration, ...] = ()
    runtime: str = ""
    callable: str = ""
    show: str = ""
