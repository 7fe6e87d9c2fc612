# SPDX-License-Identifier: Apache-2.0
"""Readers of a matrix and writers after them: a writer that does not wait spoils what is yet to be read."""

import numpy as np

from chiphost import In, InOut, Kernel, Out, Scene

scene = Scene(
    description="a matrix that tasks of many blocks read and others overwrite, round after round: write after read",
    orchestration="orchestration.cpp",
    entry="build_graph",
    kernels=[
        Kernel(0, "kernels/corner.cpp", "aiv"),
        Kernel(1, "kernels/scale.cpp", "aiv"),
        Kernel(2, "kernels/copy.cpp", "aiv"),
    ],
    signature=[
        InOut("x", "float32", (None, None)),
        In("sources", "float32", (None, None, None)),
        Out("results", "float32", (None, None, None, None)),
    ],
    config={"block_dim": 3, "aicpu_thread_num": 4},
    needs={"clusters": 1, "aicpu_threads": 1},
    cases={
        "default": {"rounds": 6, "bands": 5, "band_rows": 16, "columns": 64},
        "one_band": {"rounds": 20, "bands": 1, "band_rows": 48, "columns": 32},
    },
    rtol=1e-6,
    atol=1e-6,
)


@scene.inputs
def inputs(case, rng):
    rounds, bands, band_rows, columns = case["rounds"], case["bands"], case["band_rows"], case["columns"]

    def random(*shape):
        return rng.uniform(1, 2, shape).astype(np.float32)

    return {
        "x": random(bands * band_rows, columns),
        "sources": random(rounds, bands * band_rows, columns),
        "results": np.full((rounds, bands, band_rows, columns), np.nan, np.float32),
    }


@scene.golden
def golden(args, case):
    seen = np.concatenate([args["x"][None], args["sources"][:-1]])  # what x is in each round
    seen = seen.reshape(case["rounds"], case["bands"], case["band_rows"], case["columns"])
    results = np.einsum("rbij,b->rbij", seen, np.arange(case["bands"]) + 1.0) - seen[:, :, :1, :1]
    return {"x": args["sources"][-1].copy(), "results": results}
