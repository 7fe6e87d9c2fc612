# SPDX-License-Identifier: Apache-2.0
"""What to do about a finding, in words of the runtime that ran the graph."""

from __future__ import annotations

from typing import Final

from .finding import Declaration, Finding
from .names import Names

_EDGE_CALLS: Final = {
    "host_build_graph": "graph.add_successor",
    "aicpu_build_graph": "graph.add_dependency",
    "tensormap_and_ringbuffer": "graph.add_dependency",
}
_ON_THE_HOST: Final = "host_build_graph"
_BY_WHAT: Final = {
    "missing_edge": "nothing in your program: please report this, with the program that shows it",
    "before": "correct the index, or the tensor that the task gets",
    "past_end": "correct the index, or the tensor that the task gets",
    "outside_view": "correct the index, or give the task a view that has these bytes",
    "freed": "free it after the last task that uses it",
    "expired": "make the tensor in the scope in which it is used last",
    "no_memory": "correct the address: look at what the kernel computes it from",
    "runtime_memory": "correct the address: look at what the kernel computes it from",
    "local_memory": "use smaller tiles, or fewer at the same time",
}


def remedy(finding: Finding, names: Names) -> str:
    """What would mend it; "" if nothing is known that would."""
    if finding.what == "unwritten":
        return _of_unwritten(finding)
    if finding.what in _BY_WHAT:
        return _BY_WHAT[finding.what]
    if finding.check == "coherence":
        return _of_a_cache(finding, names)
    if finding.check == "races":
        return _of_a_race(finding, names)
    if finding.check == "declared":
        return _of_a_declaration(finding, names)
    if finding.check == "arguments":
        return "declare it as InOut in the signature, if the run shall change it; else correct who writes it"
    return ""


def _of_unwritten(finding: Finding) -> str:
    if finding.first is not None and finding.first.actor == "host":
        return "let a task write all of it, or declare it as InOut in the signature, so that it keeps what it had"
    if finding.memory.kind == "output":
        return f"let #{finding.memory.submission}, for which the tensor was made, write all of it"
    return "let a task write it first, or pass an array that comes in (In, InOut)"


def _of_a_cache(finding: Finding, names: Names) -> str:
    if finding.what == "shared_line":
        return "let each core write whole lines, of 64 bytes, or write by block copies"
    access = finding.first if finding.what == "unflushed_write" else finding.second
    line = names.line(access.line) if access is not None else ""
    at = f" at {line}" if line else ""
    if finding.what == "unflushed_write":
        return f"call flush_lines after the write{at}, before the other core is told of it, or write by a block copy"
    return f"call flush_lines before the read{at}, when the other core has told of its write, or read by a block copy"


def _of_a_race(finding: Finding, names: Names) -> str:
    first, second = finding.first, finding.second
    if finding.edge is not None:
        earlier, later = finding.edge
        call = _EDGE_CALLS.get(finding.runtime)
        an_edge = f"{call}(#{earlier}, #{later})" if call else f"add an edge from #{earlier} to #{later}"
        ways = filter(None, (_declarations(finding.declarations, names), an_edge))
        return f"let #{later} come after #{earlier}: {', or '.join(ways)}"
    if first is None or second is None:
        return ""
    if "host" in (first.actor, second.actor):
        return "pass arrays that share no memory, or copy the bytes when no task uses them"
    if "orchestration" in (first.actor, second.actor):
        return (
            "let the orchestration wait for the task: graph.read and graph.write do, for the tensor that the task has"
        )
    return "let each touch bytes of its own, or make several tasks of it with edges between them"


def _of_a_declaration(finding: Finding, names: Names) -> str:
    if finding.declarations:
        return _declarations(finding.declarations, names)
    if finding.what.startswith("undeclared"):
        return "pass the tensor to the task that uses it"
    if finding.runtime == _ON_THE_HOST:
        return "use graph.inout (copy_in_out) for the argument, and InOut in the signature"
    return ""


def _declarations(declarations: tuple[Declaration, ...], names: Names) -> str:
    """For example "in example.cpp:40 declare tensor 1 of #3 as inout"."""
    texts = []
    for each in declarations:
        place = f"in {names.line(each.line)} " if each.line else ""
        if each.argument is None:
            texts.append(f"{place}give #{each.submission} the tensor as {each.role}, if it shall touch it")
        else:
            texts.append(f"{place}declare tensor {each.argument} of #{each.submission} as {each.role}")
    return " and ".join(texts)
