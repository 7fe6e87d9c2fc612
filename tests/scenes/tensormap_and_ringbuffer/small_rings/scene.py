# SPDX-License-Identifier: Apache-2.0
"""A long chain of tasks through rings that hold only a few of them."""

import numpy as np

from chiphost import InOut, Kernel, Scalar, Scene

scene = Scene(
    description="900 tasks in a chain through rings of 8 tasks, 16 KiB and 16 edges",
    orchestration="orchestration.cpp",
    entry="build_graph",
    kernels=[
        Kernel(0, "kernels/multiply.cpp", "aiv"),
        Kernel(1, "kernels/add_scalar.cpp", "aiv"),
        Kernel(2, "kernels/combine.cpp", "aiv"),
    ],
    signature=[InOut("x", "uint32", (None,)), Scalar("steps"), Scalar("nested")],
    config={
        "block_dim": 3,
        "aicpu_thread_num": 4,
        "ring_task_window": 8,
        "ring_heap_bytes": 16384,
        "ring_dep_pool": 16,
    },
    needs={"clusters": 1, "aicpu_threads": 1},
    # Buffers begin at multiples of 1 KiB. In "flat" a step has two in one ring, in "nested" one in each of two rings. A
    # ring that is not a multiple of them has a rest at its end, too short for the next buffer.
    cases={
        "flat": {"elements": 1000, "steps": 300, "nested": False},  # 2 x 4 KiB: two steps fill the ring
        "flat_with_rest": {"elements": 1300, "steps": 300, "nested": False},  # 2 x 6 KiB: 4 KiB are left at the end
        "nested": {"elements": 1000, "steps": 300, "nested": True},
        "nested_with_rest": {"elements": 700, "steps": 300, "nested": True},  # 3 KiB: 1 KiB is left at the end
        "whole_heap": {"elements": 4096, "steps": 50, "nested": True},  # 16 KiB: one buffer fills a ring
    },
    default_case="flat",
    rtol=0,
    atol=0,
)


@scene.inputs
def inputs(case, rng):
    x = rng.integers(0, 2**32, case["elements"], np.uint32)
    return {"x": x, "steps": case["steps"], "nested": int(case["nested"])}


@scene.golden
def golden(args, case):
    """Each step maps x to factor * x + 2 * addend. All of them are one such map, composed from the last step on."""
    factor, addend = 1, 0
    for step in reversed(range(case["steps"])):
        addend = (addend + factor * 2 * (step + 1)) % 2**32
        factor = factor * (2 * step + 3) % 2**32
    return {"x": (args["x"] * np.uint64(factor) + np.uint64(addend)).astype(np.uint32)}
