# SPDX-License-Identifier: Apache-2.0
"""Orchestrations of scenes that forget one edge, and what a graph without it should be found to lack.

What is expected is worked out here, from what the tasks declare and from the calls of the orchestration, by comparing
every two tasks; chiphost's own code has no part in it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import chiphost as ch
from chiphost import compiler
from chiphost.scene import Scene

HEADER: Final = Path(__file__).with_name("removed_edges.h")
_INPUT, _OUTPUT, _INOUT, _EXISTING, _NO_DEP = range(5)
_MANUAL: Final = 1

# How the kernels of the scenes of host_build_graph use their arguments, which have no roles there: r, w, b (both), -.
_ROLES: Final = {
    "bgemm": ("rrw", "br"),
    "matmul": ("rw-", "rrw", "rrw-"),
    "paged_attention": ("rrw----", "rwww----", "rrw----", "rrrbbbw----"),
    "vector_example": ("rrw-", "r-w-", "rrw-"),
}


@dataclass(frozen=True)
class _Use:
    node: int
    key: object  # the buffer
    rows: tuple[tuple[int, int], ...]  # bytes, ascending
    reads: bool
    writes: bool
    tracked: bool  # edges may follow from it
    number: int  # of the removal that takes these edges away; -1: none does

    def meets(self, other: _Use) -> bool:
        if self.key != other.key or not (self.writes or other.writes):
            return False
        mine, theirs = iter(self.rows), iter(other.rows)
        a, b = next(mine, None), next(theirs, None)
        while a and b:
            if a[0] < b[1] and b[0] < a[1]:
                return True
            if a[1] <= b[1]:
                a = next(mine, None)
            else:
                b = next(theirs, None)
        return False


@dataclass
class Graph:
    """What an orchestration did: nodes are tasks and reads and writes of elements, in the order of the calls.

    Attributes:
        removals: edges that can be removed.
    """

    removals: int = 0
    _nodes: int = 0
    _uses: list[_Use] = field(default_factory=list)
    _edges: list[tuple[int, int, int]] = field(default_factory=list)  # from, to, number of the removal

    def lacks_order(self, removed: int) -> bool:
        """Whether two tasks touch a byte, one writes, and no path orders them once an edge is removed."""
        before = [0] * self._nodes  # a bit for each node that comes before
        by_node: dict[int, list[int]] = {}
        for start, end, number in self._edges:
            if removed < 0 or number != removed:
                by_node.setdefault(end, []).append(start)
        for first, second in self._meetings:
            is_removed = removed >= 0 and removed in (first.number, second.number)
            if first.tracked and second.tracked and second.node in self._automatic and not is_removed:
                by_node.setdefault(second.node, []).append(first.node)
        for node in self._order(by_node):
            for start in by_node.get(node, ()):
                before[node] |= before[start] | 1 << start
        return any(
            not (before[second.node] >> first.node & 1 or before[first.node] >> second.node & 1)
            for first, second in self._meetings
        )

    def finish(self) -> Graph:
        """Compare every two uses of a buffer."""
        buffers: dict[object, list[_Use]] = {}
        for use in self._uses:
            buffers.setdefault(use.key, []).append(use)
        self._meetings = [
            (first, second)
            for uses in buffers.values()
            for index, second in enumerate(uses)
            for first in uses[:index]
            if first.node != second.node and first.meets(second)
        ]
        return self

    def _order(self, by_node: dict[int, list[int]]) -> Iterator[int]:
        done: set[int] = set()
        for root in range(self._nodes):
            stack = [root]
            while stack:
                node = stack[-1]
                left = [start for start in by_node.get(node, ()) if start not in done]
                if left and node not in done:
                    stack += left
                    continue
                stack.pop()
                if node not in done:
                    done.add(node)
                    yield node

    _automatic: set[int] = field(default_factory=set)
    _meetings: list[tuple[_Use, _Use]] = field(default_factory=list)

    @classmethod
    def of_device(cls, lines: Sequence[str], infers: bool) -> Graph:
        """The graph of an orchestration on the AICPU; `infers`: its outermost scope is automatic."""
        graph, tasks, event = cls(), {}, None
        scopes = [infers]
        for line in lines:
            word, *rest = line.split()
            if word == "scope":
                scopes.append(scopes[-1] and int(rest[0]) != _MANUAL)
            elif word == "end":
                scopes.pop()
            elif word == "edge":
                graph._edges.append((tasks[int(rest[0])], tasks[int(rest[1])], graph._next()))
            else:
                node, graph._nodes = graph._nodes, graph._nodes + 1
                if event is not None:
                    graph._edges.append((event, node, -1))
                if word == "element":
                    graph._automatic.add(node)
                    graph._add_tensor(rest[0], node, tasks, removable=False)
                    event = node
                    continue
                if scopes[-1]:
                    graph._automatic.add(node)
                tasks[int(rest[0])] = node
                at = rest.index("tensors")
                graph._edges += [(tasks[int(after)], node, graph._next()) for after in rest[3:at]]
                for tensor in rest[at + 1 :]:
                    graph._add_tensor(tensor, node, tasks, removable=True)
        return graph.finish()

    @classmethod
    def of_host(cls, lines: Sequence[str], scene: str) -> Graph:
        """The graph of an orchestration on the host. Its tiles meet if they begin at the same address."""
        graph = cls()
        for line in lines:
            word, *rest = line.split()
            if word == "edge":
                graph._edges.append((int(rest[0]), int(rest[1]), graph._next()))
            elif word == "task":
                node, graph._nodes = graph._nodes, graph._nodes + 1
                for role, address in zip(_ROLES[scene][int(rest[0])], rest[1:], strict=False):
                    if role != "-":
                        graph._uses.append(_Use(node, address, ((0, 1),), role in "rb", role in "wb", False, -1))
        return graph.finish()

    def _next(self) -> int:
        self.removals += 1
        return self.removals - 1

    def _add_tensor(self, text: str, node: int, tasks: dict[int, int], *, removable: bool) -> None:
        head, *dims = text.split(":", 5)[:5], *text.split(":")[5:]
        role, owner, number, offset, element = map(int, head)
        if owner >= 0 and tasks.get(owner) not in (None, node):
            self._edges.append((tasks[owner], node, -1))
        tracked = role not in (_OUTPUT, _NO_DEP)
        rows = [(offset, offset + element)]
        for dim in reversed(dims):
            length, stride = map(int, dim.split("*"))
            step = stride * element
            if len(rows) == 1 and rows[0][1] - rows[0][0] == step:
                rows = [(rows[0][0], rows[0][0] + length * step)] if length else []
            else:
                rows = [(begin + i * step, end + i * step) for i in range(length) for begin, end in rows]
        reads, writes = role in (_INPUT, _INOUT, _NO_DEP), role != _INPUT
        removal = self._next() if removable and tracked else -1
        self._uses.append(_Use(node, (owner, number), tuple(sorted(rows)), reads, writes, tracked, removal))


def build(scene: Scene, folder: Path, platform: str) -> list[ch.ChipCallable]:
    """The callables of a scene, whose orchestrations forget the edge that the environment names."""
    callables = []
    host = ["CHIPHOST_TEST_HOST_GRAPH"] if scene.runtime == "host_build_graph" else []
    for number, program in enumerate(scene.programs):
        source = folder / f"orchestration_{number}.cpp"
        source.write_text(
            f'#include "{HEADER}"\n#define {program.entry} chiphost_test_entry\n#include "{program.orchestration}"\n'
        )
        callables.append(
            compiler.compile(
                source,
                program.kernels,
                runtime=scene.runtime,
                platform=platform,
                entry=program.entry,
                signature=program.signature if program.has_signature else None,
                include_dirs=[Path(program.orchestration).parent, *program.include_dirs],
                defines=[*program.defines, *host, f"CHIPHOST_TEST_ENTRY={program.entry}"],
                flags=program.flags,
            )
        )
    return callables


def set_removed(number: int, log: Path | None = None) -> None:
    """Say which edge orchestrations of this process forget from now on, -1 for none."""
    os.environ["CHIPHOST_TEST_REMOVE"] = str(number)
    os.environ["CHIPHOST_TEST_LOG"] = str(log or "")
