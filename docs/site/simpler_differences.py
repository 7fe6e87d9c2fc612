# SPDX-License-Identifier: Apache-2.0
"""The table of all that is different for a source or a scene of the project simpler.

docs/reference/simpler-differences.md is made from it (see HACKING.md). Every row has a test of its name in
tests/python/simpler/test_simpler_differences.py, which fails if chiphost does something else.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Difference(NamedTuple):
    """One row. All but the name are Markdown.

    Attributes:
        name: words with hyphens between them; with underscores, it is the name of the test.
        simpler: what simpler does.
        chiphost: what chiphost does with the same source.
        remedy: what the source's author should do.
    """

    name: str
    simpler: str
    chiphost: str
    remedy: str


PARTS: Final[dict[str, tuple[Difference, ...]]] = {
    "The order of tasks": (
        Difference(
            "write-after-read",
            "In `tensormap_and_ringbuffer`, a task that writes elements does not wait for earlier tasks that read "
            "them.",
            "It waits. The result is the same as if the tasks ran one after the other, but fewer may run at once.",
            "Nothing. To let them run at once, write to another tensor. `add_no_dep` makes no edge, so you are "
            "responsible for the order.",
        ),
        Difference(
            "write-after-write",
            "A task does not wait for earlier tasks that write a tensor if it uses this tensor with `add_output`. "
            "With `add_inout` it waits.",
            "It waits in both cases.",
            "Nothing, or the same as in the row above.",
        ),
        Difference(
            "predecessors",
            "For each argument, the runtime finds 16 earlier tasks that wrote its elements, and ignores the others. "
            "If a task has to wait for more than 16, the run ends.",
            "A task waits for any number of earlier tasks.",
            "Nothing. You can join tasks that were split because of this limit.",
        ),
        Difference(
            "successors",
            "In `host_build_graph` a task has at most 128 successors. Further edges are logged and left out.",
            "There is no such limit.",
            "Nothing.",
        ),
        Difference(
            "gone-tasks",
            "In `aicpu_build_graph`, an edge from a task whose slot was given to another task begins at that other "
            "task.",
            "The edge is satisfied, because the task that it names has ended.",
            "Nothing. An id is valid for the whole run.",
        ),
    ),
    "Errors": (
        Difference(
            "failed-runs",
            "An edge between tasks that do not exist, or a task with too many arguments, is logged. The run goes on "
            "without the edge or the task, or it ends early and returns 0.",
            "The run ends with an [error](../error-codes.md) that has a name and says which call is wrong.",
            "Correct the call.",
        ),
        Difference(
            "calls-after-an-error",
            "After an error, an orchestration on the AICPU continues to its end, but its calls do nothing.",
            "The call that fails does not return. It throws `chiphost::RunOver`, which destroys the objects on the "
            "stack and ends the orchestration.",
            "Do not catch this exception. Release in destructors what the orchestration holds.",
        ),
        Difference(
            "full-rings",
            "A submission that finds no room tries again a number of times, and then the run ends.",
            "The run ends at once if open scopes keep so much that no room can become free, whatever tasks do. "
            "Otherwise the submission waits.",
            "[The error](../runtimes.md#scopes-and-rings) says which ring is too small. Raise its size, or open inner "
            "scopes.",
        ),
    ),
    "Tensors": (
        Difference(
            "views",
            "A view may begin or end outside of its tensor. It then reads and writes other memory.",
            "The run ends with an error that names the dimension.",
            "Make the last view of a row smaller if the row's length is not a multiple of the block's.",
        ),
        Difference(
            "addresses",
            "`make_tensor_external` takes any address.",
            "All elements must lie in one tensor argument of the run. Otherwise the run ends with `TASK_INVALID`.",
            "Pass the memory as an argument, or let a task make it.",
        ),
        Difference(
            "expired-tensors",
            "A tensor that was made in a scope can be used after the end of the scope, when its memory may belong to "
            "another tensor.",
            "The run ends with `TENSOR_EXPIRED`.",
            "Make the tensor in the scope in which it is used last.",
        ),
        Difference(
            "view-manual-dep",
            "A view has edges inferred unless its own parameter `manual_dep` is true, even if its tensor has none.",
            "It does the same for simpler's sources. In chiphost's own form, a view has inferred edges if its tensor "
            "has.",
            "When you move a source to chiphost's own form, write `.manual_dep(false)` after a view that must have "
            "edges.",
        ),
        Difference(
            "kernel-tensors",
            "In a kernel, `buffer.addr` is the buffer's address, and `start_offset` is where the view begins.",
            "`buffer.addr` is the address of the view's first element, and `start_offset` is 0, so their sum is the "
            "same. There are no fields `buffer.size`, `version`, `is_all_offset_zero` and `is_raw_eq_shapes`.",
            "Use only the sum. If a kernel needs the whole buffer, pass it as a separate argument.",
        ),
    ),
    "Scalars": (
        Difference(
            "scalars",
            "A negative `int32_t` becomes a word with zeros above it: -1 is 0x00000000FFFFFFFF.",
            "It does the same for simpler's sources. In chiphost's own form, `Task::scalar` keeps the sign: -1 is "
            "0xFFFFFFFFFFFFFFFF.",
            "Read a scalar with the type with which it was added: `from_u64<int32_t>`, or `scalar_arg<int32_t>`. Then "
            "both give -1.",
        ),
    ),
    "Memory": (
        Difference(
            "undefined-memory",
            "Memory that nobody has written has its earlier contents, which are often zeros.",
            "On a simulated chip every byte is 0xFF: floats are NaN, integers -1.",
            "Write every element before it is read, or use `set_initial_value`.",
        ),
        Difference(
            "leaked-memory",
            "Memory from `device_malloc` that the orchestration neither frees nor records as a pair is kept until the "
            "process ends.",
            "It is freed when the run ends.",
            "Nothing. Do not use its address in a later run.",
        ),
        Difference(
            "tensor-pairs",
            "`record_tensor_pair` remembers 64 pairs. Further pairs are logged and not copied back. The device "
            "address must be one that `device_malloc` returned.",
            "There is no such limit. A pair may cover a part of an allocation and a part of an argument.",
            "Nothing.",
        ),
    ),
    "The files of a scene": (
        Difference(
            "thread-counts",
            "`aicpu_thread_num` and `orch_thread_num` say how many threads schedule and orchestrate.",
            "They have no effect. An orchestration is called once, with `orch_thread_num` 1 and `orch_thread_index` 0.",
            "Nothing.",
        ),
        Difference(
            "signatures",
            "`signature` is stored with the programs, but not compared with the arguments of a run.",
            "It is not read: every tensor is copied in and out.",
            "Nothing. In chiphost's own form, signatures are [checked](../guides/simpler-to-native.md#what-you-gain).",
        ),
        Difference(
            "runtime-env",
            "`RUNTIME_ENV` sets environment variables for the whole process.",
            "The three sizes of rings are settings of the scene's own runs. Any other name is an error.",
            "Remove other names.",
        ),
    ),
}

ROWS: Final = tuple(row for rows in PARTS.values() for row in rows)

_INTRODUCTION: Final = """# Differences from simpler

This page lists everything that works differently for sources and scenes of the project simpler, which
[run in chiphost as they are](../guides/simplers-scenes.md). The last column says what the author of a source should do.
Each row has a test of the same name in
[test_simpler_differences.py](../../tests/python/simpler/test_simpler_differences.py). The page is made from
[simpler_differences.py](../site/simpler_differences.py) (see [Working on chiphost](../../HACKING.md#generated-files)).
"""


def page() -> str:
    """The page's text."""
    text = _INTRODUCTION
    for title, rows in PARTS.items():
        text += f"\n## {title}\n\n| Name | simpler | chiphost | What to do |\n|---|---|---|---|\n"
        text += "".join(f"| `{row.name}` | {row.simpler} | {row.chiphost} | {row.remedy} |\n" for row in rows)
    return text


if __name__ == "__main__":
    print(page(), end="")
