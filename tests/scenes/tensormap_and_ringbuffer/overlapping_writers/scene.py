# SPDX-License-Identifier: Apache-2.0
"""Tasks that write overlapping parts of one matrix: their order shows in the result."""

import numpy as np

from chiphost import In, Kernel, Out, Scene

SIZES = {"boxes": 40, "rows": 64, "columns": 96, "mixed": 0.0, "tiles": 48, "tile_rows": 32}

scene = Scene(
    description="40 tasks write overlapping boxes of one matrix, two tasks wait for 48 writers: write after write",
    orchestration="orchestration.cpp",
    entry="build_graph",
    kernels=[
        Kernel(0, "kernels/paint.cpp", "aiv"),
        Kernel(1, "kernels/mix_in.cpp", "aiv"),
        Kernel(2, "kernels/copy.cpp", "aiv"),
    ],
    signature=[
        In("boxes", "int32", (None, 5)),  # first row, first column, rows, columns, 1: mix in, 0: paint
        In("colors", "uint32", (None, 1)),  # of the background, then of each box
        In("tile_colors", "uint32", (None, 1)),  # of each tile, then of the whole wall
        Out("picture", "uint32", (None, None)),
        Out("wall", "uint32", (None, None)),  # rows, tiles
        Out("photo", "uint32", (None, None)),
    ],
    config={"block_dim": 3, "aicpu_thread_num": 4},
    needs={"clusters": 1, "aicpu_threads": 1, "memory_bytes": 1 << 28},  # for the rings: as many tasks in one scope
    cases={
        "default": SIZES,
        "mixed": SIZES | {"mixed": 0.4},  # some read what they write
        "rows": SIZES | {"columns": 1},  # boxes that overlap in one dimension only
    },
    rtol=0,
    atol=0,
)


@scene.inputs
def inputs(case, rng):
    count, rows, columns = case["boxes"], case["rows"], case["columns"]
    first_row, first_column = rng.integers(0, rows, count), rng.integers(0, columns, count)
    boxes = np.column_stack(
        [
            first_row,
            first_column,
            rng.integers(1, np.minimum(rows // 2, rows - first_row) + 1),
            rng.integers(1, np.minimum(columns // 2 + 1, columns - first_column) + 1),
            rng.random(count) < case["mixed"],
        ]
    )
    return {
        "boxes": boxes.astype(np.int32),
        "colors": rng.integers(1, 2**32, (count + 1, 1), np.uint32),
        "tile_colors": rng.integers(1, 2**32, (case["tiles"] + 1, 1), np.uint32),
        "picture": np.zeros((rows, columns), np.uint32),
        "wall": np.zeros((case["tile_rows"], case["tiles"]), np.uint32),
        "photo": np.zeros((case["tile_rows"], case["tiles"]), np.uint32),
    }


@scene.golden
def golden(args, case):
    """Element by element: of the boxes that contain it only the last painted one and those after it matter."""
    picture = np.empty((case["rows"], case["columns"]), np.uint32)
    first_row, first_column, rows, columns, mixes = args["boxes"].T
    colors = [int(color) for color in args["colors"].flat]
    for row, column in np.ndindex(picture.shape):
        in_rows = (first_row <= row) & (row < first_row + rows)
        in_columns = (first_column <= column) & (column < first_column + columns)
        numbers = np.flatnonzero(in_rows & in_columns)
        last = max(numbers[mixes[numbers] == 0], default=-1)  # -1: the background
        value = colors[last + 1]
        for number in numbers[numbers > last]:
            value = (3 * value + colors[number + 1]) % 2**32
        picture[row, column] = value
    photo = np.tile(args["tile_colors"][:-1].T, (case["tile_rows"], 1))
    return {"picture": picture, "wall": np.full_like(photo, args["tile_colors"][-1]), "photo": photo}
