# SPDX-License-Identifier: Apache-2.0
"""Programs with a fault that only the data caches of a chip show, and right ones like them; see planted."""

from __future__ import annotations

from support.planted import COPY, ELEMENTS, HOST, ONE, Planted

BYTES = 4 * ELEMENTS
CACHES = "#include <chiphost/data_cache.h>\n#include <chiphost/hand_over.h>"
MIXED = "    graph.submit(Task::mixed(0, 1, -1).input(a).inout(b).output(out));"
# One core tells the other that it has come so far.
TELL_AIV = "    chiphost::push_to_aiv(args, 0, &n, 4);\n"
TELL_AIC = "    chiphost::push_to_aic(args, &n, 4);\n"
TOLD_BY_AIC = "    int told = 0;\n    chiphost::pop_from_aic(args, &told, 4);\n"
TOLD_BY_AIV = "    int told = 0;\n    chiphost::pop_from_aiv(args, 0, &told, 4);\n"
FILL_B = "    for (int i = 0; i < n; ++i) data(1)[i] = data(0)[i];"
USE_B = "    for (int i = 0; i < n; ++i) data(2)[i] = data(1)[i];"
FLUSH_B = "    chiphost::flush_lines(data(1), 4 * n);\n"
WAIT_FOR_AIC = TELL_AIC + TOLD_BY_AIC
SET_20 = f"AIC{TOLD_BY_AIV}    data(1)[20] = 5;\n{FLUSH_B}{TELL_AIV}"

COHERENCE = [
    Planted(
        "a tile that stays in the cache",
        "coherence",
        "unflushed_write",
        MIXED,
        [f"AIC{FILL_B}  // HERE\n{TELL_AIV}", TOLD_BY_AIC + USE_B],
        before=CACHES,
        begin=0,
        end=BYTES,
    ),
    Planted(
        "a tile that stays in the cache of an AIV",
        "coherence",
        "unflushed_write",
        MIXED,
        [f"AIC{TOLD_BY_AIV}{USE_B}", f"{FILL_B}  // HERE\n{TELL_AIC}"],
        before=CACHES,
    ),
    Planted(
        "a flush before the write",
        "coherence",
        "unflushed_write",
        MIXED,
        [f"AIC{FLUSH_B}{FILL_B}  // HERE\n{TELL_AIV}", TOLD_BY_AIC + USE_B],
        before=CACHES,
    ),
    Planted(
        "a flush of the first lines only",
        "coherence",
        "unflushed_write",
        MIXED,
        [f"AIC{FILL_B}\n    chiphost::flush_lines(data(1), 2 * n);\n{TELL_AIV}", TOLD_BY_AIC + USE_B],
        before=CACHES,
    ),
    Planted(
        "a flush when the other core has been told",
        "coherence",
        "unflushed_write",
        MIXED,
        [f"AIC{FILL_B}  // HERE\n{TELL_AIV}{FLUSH_B}", TOLD_BY_AIC + USE_B],
        before=CACHES,
    ),
    Planted(
        "a flush of another tensor",
        "coherence",
        "unflushed_write",
        MIXED,
        [f"AIC{FILL_B}  // HERE\n    chiphost::flush_lines(data(0), 4 * n);\n{TELL_AIV}", TOLD_BY_AIC + USE_B],
        before=CACHES,
    ),
    Planted(
        "a value that another core writes over",
        "coherence",
        "unflushed_write",
        MIXED,
        [
            f"AIC    data(1)[7] = 1;  // HERE\n{TELL_AIV}",
            TOLD_BY_AIC + "    data(1)[7] = 2;\n    for (int i = 0; i < n; ++i) data(2)[i] = 0;",
        ],
        before=CACHES,
        begin=28,
        end=32,
    ),
    Planted(
        "a value that was read before",
        "coherence",
        "stale_read",
        MIXED,
        [
            SET_20,
            "    for (int i = 0; i < n; ++i) data(2)[i] = data(1)[i];\n"
            + WAIT_FOR_AIC
            + "    data(2)[0] = data(1)[20];  // HERE",
        ],
        before=CACHES,
        begin=80,
        end=84,
    ),
    Planted(
        "a value whose neighbour was read before",
        "coherence",
        "stale_read",
        MIXED,
        [
            SET_20,
            "    for (int i = 0; i < n; ++i) data(2)[i] = data(1)[17];\n"
            + WAIT_FOR_AIC
            + "    data(2)[0] = data(1)[20];  // HERE",
        ],
        before=CACHES,
        begin=80,
        end=84,
    ),
    Planted(
        "a block copy under a line that was read before",
        "coherence",
        "stale_read",
        MIXED,
        [
            f"AIC{TOLD_BY_AIV}    {{\n        const chiphost::BlockCopy copy;\n    {FILL_B}\n    }}\n{TELL_AIV}",
            "    data(2)[0] = data(1)[0];\n" + WAIT_FOR_AIC + f"{USE_B}  // HERE",
        ],
        before=CACHES,
        begin=0,
        end=64,
    ),
    Planted(
        "blocks that share a line",
        "coherence",
        "shared_line",
        "    graph.submit(task(0).input(a).output(out).blocks(8));",
        [
            "    const int begin = 8 * chiphost::get_block_idx(args);\n"
            "    for (int i = begin; i < begin + 8; ++i) data(1)[i] = data(0)[i];  // HERE"
        ],
        begin=0,
        end=64,
    ),
    Planted(
        "tasks that share a line",
        "coherence",
        "shared_line",
        "    graph.add_task(AIV, 0, {a, out});\n    graph.add_task(AIV, 1, {b, out});",
        [
            "    for (int i = 0; i < 24; ++i) data(1)[i] = data(0)[i];  // HERE",
            "    for (int i = 24; i < n; ++i) data(1)[i] = data(0)[i];",
        ],
        HOST,
        begin=64,
        end=128,
    ),
    Planted(
        "a line that is written back with old bytes",
        "coherence",
        "shared_line",
        MIXED,
        [
            SET_20,
            "    for (int i = 0; i < n; ++i) data(2)[i] = data(1)[17];\n"
            + WAIT_FOR_AIC
            + "    data(1)[17] = 1;  // HERE",
        ],
        before=CACHES,
        begin=64,
        end=128,
    ),
]

RIGHT_WITH_CACHES = [
    Planted(
        "a tile that is flushed",
        None,
        None,
        MIXED,
        [f"AIC{FILL_B}\n{FLUSH_B}{TELL_AIV}", TOLD_BY_AIC + USE_B],
        before=CACHES,
    ),
    Planted(
        "a tile that is flushed line by line on both sides",
        None,
        None,
        MIXED,
        [
            f"AIC{TOLD_BY_AIV}{FILL_B}\n"
            f"    for (int i = 0; i < n; i += 16) chiphost::flush_lines(&data(1)[i], 4);\n{TELL_AIV}",
            f"{USE_B}\n{TELL_AIC}{TOLD_BY_AIC}    chiphost::flush_data_cache();\n{USE_B}",
        ],
        before=CACHES,
    ),
    Planted(
        "a tile that is copied in blocks",
        None,
        None,
        MIXED,
        [
            f"AIC    {{\n        const chiphost::BlockCopy copy;\n    {FILL_B}\n    }}\n{TELL_AIV}",
            f"{TOLD_BY_AIC}    const chiphost::BlockCopy copy;\n{USE_B}",
        ],
        before=CACHES,
    ),
    Planted(
        "block copies that share a line",
        None,
        None,
        "    graph.submit(task(0).input(a).output(out).blocks(8));",
        [
            "    const chiphost::BlockCopy copy;\n    const int begin = 8 * chiphost::get_block_idx(args);\n"
            "    for (int i = begin; i < begin + 8; ++i) data(1)[i] = data(0)[i];"
        ],
        before=CACHES,
    ),
    Planted(
        "a read of what a block copy has written",
        None,
        None,
        ONE,
        ["    {\n        const chiphost::BlockCopy copy;\n    " + COPY + "\n    }\n    data(1)[3] += data(1)[4];"],
        before=CACHES,
    ),
]
