# SPDX-License-Identifier: Apache-2.0
"""What a source or a scene of the project simpler finds different here: the one table.

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
            "In `tensormap_and_ringbuffer`, a task that writes elements does not wait for earlier ones that read them.",
            "It waits. The result is that of the tasks one after the other; fewer may run at once.",
            "Nothing. To have them run at once, write to another tensor. `add_no_dep` makes no edge, and leaves the "
            "order to you.",
        ),
        Difference(
            "write-after-write",
            "`add_output` of a tensor that is there does not wait for earlier tasks that write it. `add_inout` does.",
            "Both wait.",
            "Nothing; or as above.",
        ),
        Difference(
            "predecessors",
            "For one argument, 16 earlier tasks are found that wrote elements of it, and the others are passed over. A "
            "task that waits for more than 16 ends the run.",
            "A task waits for as many as there are.",
            "Nothing. Tasks that were split for this can be joined.",
        ),
        Difference(
            "successors",
            "In `host_build_graph` a task has at most 128 successors. A further edge is logged and left out.",
            "There is no such limit.",
            "Nothing.",
        ),
        Difference(
            "gone-tasks",
            "In `aicpu_build_graph`, an edge from a task that is gone leads from the task that has its slot now.",
            "It is satisfied: that task has ended.",
            "Nothing. An id stays good for the whole run.",
        ),
    ),
    "Errors": (
        Difference(
            "failed-runs",
            "An edge between tasks that are not there, or a task with too many arguments, is logged. The run goes on "
            "without it, or ends early and returns 0.",
            "The run ends with an [error](../error-codes.md) that has a name and says which call is wrong.",
            "Correct the call.",
        ),
        Difference(
            "calls-after-an-error",
            "An orchestration on the AICPU goes on to its end; its calls do nothing any more.",
            "The call that fails does not return. It throws `chiphost::RunOver`, which destroys the objects on the "
            "stack and ends the orchestration.",
            "Let it pass. Give back in destructors what the orchestration holds.",
        ),
        Difference(
            "full-rings",
            "A submission that finds no room looks again and again. After some number of times the run ends.",
            "It ends at once if open scopes keep so much that no room can come, whatever tasks do. Otherwise it waits.",
            "[The error](../runtimes.md#scopes-and-rings) says which ring is too small. Raise its size, or open inner "
            "scopes.",
        ),
    ),
    "Tensors": (
        Difference(
            "views",
            "A view may begin or end outside of its tensor. It then reads and writes whatever lies there.",
            "The run ends with an error that names the dimension.",
            "Make the last view of a row smaller, if the length is no multiple of the block's.",
        ),
        Difference(
            "addresses",
            "`make_tensor_external` takes any address.",
            "All elements must lie in one tensor argument of the run, else it ends with `TASK_INVALID`.",
            "Pass the memory as an argument, or let a task make it.",
        ),
        Difference(
            "expired-tensors",
            "A tensor that was made in a scope can be used after its end. Its memory may be another tensor's then.",
            "The run ends with `TENSOR_EXPIRED`.",
            "Make the tensor in the scope in which it is used last.",
        ),
        Difference(
            "view-manual-dep",
            "A view has edges inferred unless its own parameter `manual_dep` is true, even if its tensor has none.",
            "The same for such sources. In chiphost's own form a view is as its tensor is.",
            "When you move a source: write `.manual_dep(false)` after a view that must have edges.",
        ),
        Difference(
            "kernel-tensors",
            "In a kernel, `buffer.addr` is the buffer's address, and `start_offset` is where the view begins.",
            "`buffer.addr` is the address of the view's first element, and `start_offset` is 0. The sum of the two is "
            "the same. There are no fields `buffer.size`, `version`, `is_all_offset_zero` and `is_raw_eq_shapes`.",
            "Use the sum only. A kernel that needs the whole buffer gets it as an argument of its own.",
        ),
    ),
    "Scalars": (
        Difference(
            "scalars",
            "A negative `int32_t` becomes a word with zeros above it: -1 is 0x00000000FFFFFFFF.",
            "The same for such sources. In chiphost's own form, `Task::scalar` keeps the sign: -1 is "
            "0xFFFFFFFFFFFFFFFF.",
            "Read a scalar with the type it was added with: `from_u64<int32_t>`, or `scalar_arg<int32_t>`. Then both "
            "give -1.",
        ),
    ),
    "Memory": (
        Difference(
            "undefined-memory",
            "Memory that nobody wrote holds what was there before; often zeros.",
            "On a simulated chip every byte is 0xFF: floats are NaN, integers -1.",
            "Write every element before it is read, or use `set_initial_value`.",
        ),
        Difference(
            "leaked-memory",
            "What `device_malloc` gave, and nobody frees or records as a pair, is kept until the process ends.",
            "It is freed when the run ends.",
            "Nothing. An address is no longer valid in the next run.",
        ),
        Difference(
            "tensor-pairs",
            "`record_tensor_pair` remembers 64 pairs. A further one is logged and not copied back. The device address "
            "must be one that `device_malloc` gave.",
            "There is no such limit. A pair may be a part of what `device_malloc` gave, and a part of an argument.",
            "Nothing.",
        ),
    ),
    "The files of a scene": (
        Difference(
            "thread-counts",
            "`aicpu_thread_num` and `orch_thread_num` say how many threads schedule and orchestrate.",
            "They are not needed, and change nothing. An orchestration is called once, with (1, 0).",
            "Nothing.",
        ),
        Difference(
            "signatures",
            "`signature` is kept beside the programs, and nobody compares it with what a run is given.",
            "It is not read: every tensor goes in and comes out.",
            "Nothing. In chiphost's own form signatures are [checked](../guides/simpler-to-native.md#what-is-gained).",
        ),
        Difference(
            "runtime-env",
            "`RUNTIME_ENV` sets variables of the environment for the whole process.",
            "The three sizes of rings are settings of the scene's own runs. Any other name is an error.",
            "Leave other names out.",
        ),
    ),
}

ROWS: Final = tuple(row for rows in PARTS.values() for row in rows)

_INTRODUCTION: Final = """# Differences from simpler

Sources and scenes of the project simpler [run here as they are](../guides/simplers-scenes.md). This is what they find
different. Each row has a test of its name in
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
