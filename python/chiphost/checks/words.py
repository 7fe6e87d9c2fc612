# SPDX-License-Identifier: Apache-2.0
"""A finding in sentences that a stranger understands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from .._text.printable import one_line
from . import remedies
from .finding import Access, CodeLine, Finding, Memory
from .gap import Gap
from .names import Names

_INDENT: Final = "  "
_LABEL_WIDTH: Final = 11
_KINDS: Final = {
    "races": "race",
    "declared": "declaration",
    "memory": "memory",
    "init": "unwritten",
    "coherence": "data cache",
    "arguments": "argument",
}
_VERBS: Final = {"read": "reads", "write": "writes", "atomic": "changes with an atomic operation"}
_NO_PATH: Final = "no path leads from one to the other"

# What the access of a finding did, by `what`: {who} and {verb} are the access, {memory} is what it accessed, {tensor}
# the argument of the task by which it is declared, {role} how that is done.
_SENTENCES: Final = {
    "write_to_input": "{who} {verb} {tensor}, which is declared as {role}",
    "read_before_write": "{who} reads {tensor}, declared as output, before it has written there",
    "undeclared_read": "{who} reads memory that none of its tensors has",
    "undeclared_write": "{who} {verb} memory that none of its tensors has",
    "before": "{who} {verb} before the first byte of {memory}",
    "past_end": "{who} {verb} past the last byte of {memory}",
    "outside_view": "{who} {verb} outside of {tensor}, which is a view of {memory}",
    "freed": "{who} {verb} memory that has been freed",
    "expired": "{who} {verb} a tensor whose scope has ended",
    "no_memory": "{who} {verb} where the device has no memory",
    "runtime_memory": "{who} {verb} memory of the runtime itself",
    "local_memory": "{who} {verb} beyond the end of {memory} of its core",
    "unwritten": "{who} reads bytes that nobody has written",
    "input_changed": "the run has changed {memory}, which it only reads",
}

# The same of what data caches do, where there are two accesses.
_OF_CACHES: Final = {
    "unflushed_write": "{second} {verb} what {first} has written into its data cache, which is not flushed before",
    "stale_read": "{second} reads an old copy in its data cache of what {first} has written since, as it has not "
    "flushed the cache before",
    "shared_line": "{first} and {second} write to the same line of their data caches: who writes the line back "
    "overwrites what the other has written",
}


def as_text(finding: Finding, base: Path | None = None) -> str:
    """A finding as a paragraph: a line that says what is wrong, and indented ones with the particulars.

    Args:
        finding: what was found.
        base: the folder to which names of files are relative; None: the working folder. A file that is in neither has
            its whole path.
    """
    names = Names(base)
    lines = [f"{_KINDS.get(finding.check, finding.check)}: {_sentence(finding, names)}"]
    for label, text in _particulars(finding, names):
        lines.append(f"{_INDENT}{label + ':':<{_LABEL_WIDTH}}{text}")
    return "\n".join(lines)


def all_as_text(findings: Iterable[Finding], base: Path | None = None) -> str:
    """Several findings, as `as_text` says them, one below the other."""
    return "\n".join(as_text(finding, base) for finding in findings)


def gap_as_text(gap: Gap, base: Path | None = None) -> str:
    """What a check did not see, as one line."""
    file, _, line = gap.place.rpartition(":")
    place = f" ({Names(base).file(file)}:{line})" if file else f" ({gap.place})" if gap.place else ""
    return one_line(f"not checked: {gap.program}: {gap.reason}{place}")


def _sentence(finding: Finding, names: Names) -> str:
    if finding.check == "races":
        return _race(finding, names)
    if finding.check == "coherence" and finding.what in _OF_CACHES:
        first, second = finding.first, finding.second
        return _OF_CACHES[finding.what].format(first=_who(first, names), second=_who(second, names), verb=_verb(second))
    access = finding.first
    if finding.what == "unwritten" and access is not None and access.actor == "host":
        return f"nobody has written all of {_memory(finding.memory)}, which the run returns"
    if finding.what not in _SENTENCES:  # of a runtime that is newer than this package
        return f"{_who(access, names)} {_verb(access)} {_memory(finding.memory)}: {finding.what}"
    return _SENTENCES[finding.what].format(
        who=_who(access, names),
        verb=_verb(access),
        memory=_memory(finding.memory),
        tensor=_tensor(finding),
        role=(access.role if access else "") or "input",
    )


def _race(finding: Finding, names: Names) -> str:
    first, second = finding.first, finding.second
    who, other = _who(second, names), _who(first, names)
    if finding.what == "missing_edge":
        return (
            f"{who} must come after {other} by the rules of {finding.runtime or 'the runtime'}, and chiphost made no "
            "edge: this is a fault of chiphost"
        )
    if first and second and first.submission is not None and first.submission == second.submission:
        parts = "kernels" if first.func_id != second.func_id else "blocks"
        reason = f"{parts} of one task run at the same time"
    elif finding.what == "atomic":
        reason = f"{_NO_PATH}: which of them comes first changes the result"
    else:
        reason = _NO_PATH
    return f"{who} {_verb(second)} what {other} {_verb(first)}, and {reason}"


def _particulars(finding: Finding, names: Names) -> Iterator[tuple[str, str]]:
    if memory := _bytes_and_elements(finding):
        yield "memory", memory
    if finding.count > 1:
        yield "seen", f"{finding.count:,} times"
    if submitted := _submitted(finding, names):
        yield "submitted", submitted
    if remedy := remedies.remedy(finding, names):
        yield "mend", remedy
    if finding.show:
        yield "show", finding.show


def _who(access: Access | None, names: Names) -> str:
    """For example "submit #3 (kernel `scale`, scale.cpp:14)"."""
    if access is None:
        return "code that is not checked"
    if access.actor == "host":
        return "the host"
    line = names.line(access.line) or (names.file(access.source) if access.source else "")
    if access.actor == "orchestration":
        return f"the orchestration ({line})" if line else "the orchestration"
    block = f"block {access.block} of {access.block_num} of " if access.block_num > 1 else ""
    inside = ", ".join(filter(None, (names.kernel(access), line)))
    return f"{block}submit #{access.submission} ({inside})"


def _verb(access: Access | None) -> str:
    return _VERBS[access.action] if access else "writes"


def _tensor(finding: Finding) -> str:
    """The argument by which a task declares the memory, or else the memory."""
    access = finding.first
    if access is None or access.argument is None:
        return _memory(finding.memory)
    return f"its tensor {access.argument}"


def _memory(memory: Memory) -> str:
    """For example "argument `b`" or "output 0 of submit #3"."""
    if memory.kind == "argument":
        return f"argument `{one_line(memory.name)}`" if memory.name else f"array {memory.number} of the arguments"
    if memory.kind == "output":
        return f"output {memory.number} of submit #{memory.submission}"
    if memory.kind == "allocation":
        return f"allocation {memory.number} of the orchestration"
    if memory.kind == "runtime":
        return "memory of the runtime"
    if memory.kind == "local":
        return f"the local memory {one_line(memory.name)}".rstrip()
    return "no memory of the run"


def _bytes_and_elements(finding: Finding) -> str:
    memory = finding.memory
    if memory.kind == "none":
        return ""
    type_of = f"{memory.dtype} {list(memory.shape)}".strip() if memory.shape is not None else f"{memory.bytes:,} bytes"
    last = finding.end - 1
    of_bytes = f"byte {finding.begin}" if last <= finding.begin else f"bytes {finding.begin} to {last}"
    return ", ".join(filter(None, (f"{_memory(memory)} ({type_of})", of_bytes, _elements(finding))))


def _elements(finding: Finding) -> str:
    first, last = finding.first_element, finding.last_element
    if first is None or last is None:
        return ""
    name = one_line(finding.memory.name) if finding.memory.kind == "argument" else ""
    if first == last:
        return f"{'' if name else 'element '}{name}{list(first)}"
    return f"{'' if name else 'elements '}{name}{list(first)} to {name}{list(last)}"


def _submitted(finding: Finding, names: Names) -> str:
    """Where the tasks were submitted; the line of the orchestration for each."""
    lines: dict[int, CodeLine] = {}
    for access in (finding.first, finding.second):
        if access is not None and access.submission is not None and access.submitted is not None:
            lines.setdefault(access.submission, access.submitted)
    return ", ".join(f"#{number} in {names.line(line)}" for number, line in sorted(lines.items()))
