# SPDX-License-Identifier: Apache-2.0
"""Every planted fault is found at its first bad byte, with its line, under seed 0."""

from __future__ import annotations

import pytest
from support.planted import COPY, ELEMENTS, EXPLICIT, HOST, ONE, Planted, run
from support.planted_in_caches import COHERENCE, RIGHT_WITH_CACHES

from chiphost.checks.check_names import BITS

BYTES = 4 * ELEMENTS
HALVES = """\
    const auto half = vector;
    const auto whole = graph.submit(task(1).output(TensorSpec(CH_FLOAT32, {2, 64}).initial(1.0f))).output(0);
    graph.submit(task(0).input(a).inout(whole.view({1, 64}, {0, 0})));
    graph.submit(task(2).input(whole.view({1, 64}, {0, 0})).output(out));"""
COLUMNS = """\
    const auto whole = graph.submit(task(1).output(TensorSpec(CH_FLOAT32, {64, 4}).initial(1.0f))).output(0);
    graph.submit(task(0).input(a).inout(whole.view({64, 2}, {0, 1})).output(out));"""
NOTHING = "    static_cast<void>(n);"

MEMORY = [
    Planted(
        "a write past the end",
        "memory",
        "past_end",
        ONE,
        [COPY + "\n    data(1)[n] = 1;  // HERE"],
        begin=BYTES,
        end=BYTES + 4,
        memory="argument",
    ),
    Planted(
        "a read before the beginning",
        "memory",
        "before",
        ONE,
        ["    for (int i = 0; i < n; ++i)\n        data(1)[i] = data(0)[i - 1];  // HERE"],
        begin=-4,
        end=0,
    ),
    Planted(
        "a write past a new tensor",
        "memory",
        "past_end",
        "    const auto c = graph.submit(task(0).input(a).output(vector)).output(0);\n"
        "    graph.submit(task(1).input(c).output(out));",
        [COPY + "\n    data(1)[n] = 1;  // HERE", COPY],
        begin=BYTES,
        end=BYTES + 4,
        memory="output",
    ),
    Planted(
        "a write past the view inside its tensor",
        "memory",
        "outside_view",
        HALVES,
        [COPY + "\n    data(1)[n + 1] = 1;  // HERE", NOTHING, COPY],
        begin=BYTES + 4,
        end=BYTES + 8,
    ),
    Planted(
        "a read beside the columns of a view",
        "memory",
        "outside_view",
        COLUMNS,
        [
            "    for (int i = 0; i < n; ++i) data(2)[i] = data(1)[4 * i];\n    data(2)[0] = data(1)[2];  // HERE",
            NOTHING,
        ],
        begin=12,
        end=16,
    ),
    Planted(
        "memcpy past the end",
        "memory",
        "past_end",
        ONE,
        ["    memcpy(data(1), data(0), 4 * n);\n    memcpy(data(1) + n - 1, data(0), 8);  // HERE"],
        begin=BYTES,
        end=BYTES + 4,
    ),
    Planted(
        "memset before the beginning",
        "memory",
        "before",
        ONE,
        ["    memset(data(1), 0, 4 * n);\n    memset(data(1) - 2, 0, 12);  // HERE"],
        begin=-8,
        end=0,
    ),
    Planted(
        "a structure that is copied over the end",
        "memory",
        "past_end",
        ONE,
        [
            COPY + "\n    struct Four { float x[4]; };\n"
            "    *reinterpret_cast<Four*>(data(1) + n - 2) = *reinterpret_cast<Four*>(data(0));  // HERE"
        ],
        begin=BYTES,
        end=BYTES + 8,
    ),
    Planted(
        "a word that begins in the tensor and ends behind it",
        "memory",
        "past_end",
        ONE,
        [
            COPY + "\n    const uint64_t word = 1;\n"
            "    __builtin_memcpy(reinterpret_cast<char*>(data(1)) + 4 * n - 5, &word, 8);  // HERE"
        ],
        begin=BYTES,
        end=BYTES + 3,
    ),
    Planted(
        "a write far behind everything", "memory", "no_memory", ONE, [COPY + "\n    data(1)[100000000] = 1;  // HERE"]
    ),
    Planted(
        "a write to the description of a tensor",
        "memory",
        "runtime_memory",
        ONE,
        [COPY + "\n    reinterpret_cast<ch_device_tensor*>(args[1])->flags = 1;  // HERE"],
        memory="runtime",
    ),
    Planted(
        "memory that the orchestration has freed",
        "memory",
        "freed",
        "    const auto c = graph.device_malloc(256);\n"
        "    graph.add_task(AIV, 0, {a, out, c});\n    graph.device_free(c);",
        [COPY + "\n    *reinterpret_cast<float*>(args[2]) = 1;  // HERE"],
        HOST,
        begin=0,
        end=4,
        memory="allocation",
    ),
    Planted(
        "memory of a scope that has ended",
        "memory",
        "expired",
        "    uint64_t address = 0;\n    {\n        const auto scope = graph.scope();\n"
        "        const auto c = graph.submit(task(1).output(TensorSpec(CH_FLOAT32, {2048}).initial(0.0f))).output(0);\n"
        "        address = c.address();\n    }\n"
        "    graph.submit(task(0).input(a).output(out).scalar(address));",
        [COPY + "\n    *reinterpret_cast<float*>(args[2]) = 1;  // HERE", NOTHING],
        begin=0,
        end=4,
        memory="output",
    ),
    Planted(
        "a write past the unified buffer",
        "memory",
        "local_memory",
        ONE,
        [
            COPY + "\n    const auto* services = chiphost::kernel_services(chiphost::kernel_context(args));\n"
            "    uint64_t bytes = 0;\n"
            "    auto* ub = static_cast<char*>(services->local_memory(services, chiphost::LocalMemory::ub, &bytes));\n"
            "    memset(ub, 1, bytes);\n"
            "    ub[bytes + 7] = 1;  // HERE"
        ],
        before="#include <chiphost/kernel_services.h>",
        begin=196608 + 7,
        end=196608 + 8,
        memory="local",
    ),
    Planted(
        "an orchestration reads what lies before an argument",
        "memory",
        "before",
        "    graph.submit(task(0).input(a).output(out));\n"
        "    const auto* first = reinterpret_cast<const volatile float*>(a.raw().address);\n"
        "    if (first[-1] == 1.0f) return 0;  // HERE",
        begin=-4,
        end=0,
        memory="argument",
    ),
]

DECLARED = [
    Planted(
        "a write to an input",
        "declared",
        "write_to_input",
        ONE,
        [COPY + "\n    data(0)[3] = 1;  // HERE"],
        begin=12,
        end=16,
    ),
    Planted(
        "memset of an input",
        "declared",
        "write_to_input",
        ONE,
        [COPY + "\n    memset(data(0), 0, 8);  // HERE"],
        begin=0,
        end=8,
    ),
    Planted(
        "an atomic sum in an input",
        "declared",
        "write_to_input",
        ONE,
        [COPY + "\n    __atomic_fetch_add(reinterpret_cast<int*>(data(0)), 1, __ATOMIC_RELAXED);  // HERE"],
        begin=0,
        end=4,
    ),
    Planted(
        "one byte of an input",
        "declared",
        "write_to_input",
        ONE,
        [COPY + "\n    reinterpret_cast<char*>(data(0))[5] = 1;  // HERE"],
        begin=5,
        end=6,
    ),
    Planted(
        "a read of a new output",
        "declared",
        "read_before_write",
        "    const auto c = graph.submit(task(0).input(a).output(vector)).output(0);\n"
        "    graph.submit(task(1).input(c).output(out));",
        ["    data(1)[0] = data(1)[1];  // HERE\n" + COPY, COPY],
        begin=4,
        end=8,
    ),
    Planted(
        "a read of an output that has a value",
        "declared",
        "read_before_write",
        "    graph.submit(task(0).input(a).output(b));\n    graph.submit(task(1).input(b).output(out));",
        ["    data(1)[2] += 1;  // HERE\n" + COPY, COPY],
        begin=8,
        end=12,
    ),
    Planted(
        "memcpy from an output",
        "declared",
        "read_before_write",
        ONE,
        ["    memcpy(data(1), data(1) + 32, 128);  // HERE\n" + COPY],
        begin=128,
        end=256,
    ),
    Planted(
        "a tensor of another task",
        "declared",
        "undeclared_read",
        "    graph.submit(task(0).input(a).output(out).scalar(b.address()));",
        [COPY + "\n    data(1)[0] = *reinterpret_cast<float*>(args[2]);  // HERE"],
        begin=0,
        end=4,
    ),
    Planted(
        "a write to a tensor of another task",
        "declared",
        "undeclared_write",
        "    graph.submit(task(0).input(a).output(out).scalar(b.address()));",
        [COPY + "\n    *reinterpret_cast<float*>(args[2]) = 1;  // HERE"],
        begin=0,
        end=4,
    ),
    Planted(
        "an allocation that is no argument",
        "declared",
        "undeclared_write",
        "    graph.add_task(AIV, 0, {a, out, static_cast<uint64_t>(b.address() - a.address())});",
        [COPY + "\n    *reinterpret_cast<float*>(reinterpret_cast<char*>(data(0)) + args[2]) = 1;  // HERE"],
        HOST,
        begin=0,
        end=4,
    ),
    Planted(
        "an input of one block that another writes",
        "declared",
        "write_to_input",
        "    graph.submit(task(0).input(a).output(out).blocks(2));",
        [
            "    const int block = chiphost::get_block_idx(args);\n"
            "    for (int i = 32 * block; i < 32 * block + 32; ++i) data(1)[i] = data(0)[i];\n"
            "    if (block == 1) data(0)[40] = 1;  // HERE"
        ],
        begin=160,
        end=164,
    ),
]

INIT = [
    Planted(
        "a tensor that nobody has written",
        "init",
        "unwritten",
        "    const auto c = graph.submit(task(1).output(vector)).output(0);\n"
        "    graph.submit(task(0).input(c).output(out));",
        ["    for (int i = 0; i < n; ++i)\n        data(1)[i] = data(0)[i];  // HERE", NOTHING],
        begin=0,
        end=BYTES,
    ),
    Planted(
        "a tensor of which half is written",
        "init",
        "unwritten",
        "    const auto c = graph.submit(task(1).input(a).output(vector)).output(0);\n"
        "    graph.submit(task(0).input(c).output(out));",
        [
            "    for (int i = 0; i < n; ++i)\n        data(1)[i] = data(0)[i];  // HERE",
            "    for (int i = 0; i < n / 2; ++i) data(1)[i] = data(0)[i];",
        ],
        begin=BYTES // 2,
        end=BYTES,
    ),
    Planted(
        "one element that was left out",
        "init",
        "unwritten",
        "    const auto c = graph.submit(task(1).input(a).output(vector)).output(0);\n"
        "    graph.submit(task(0).input(c).output(out));",
        [
            "    for (int i = 0; i < n; ++i)\n        data(1)[i] = data(0)[i];  // HERE",
            "    for (int i = 0; i < n; ++i) if (i != 17) data(1)[i] = data(0)[i];",
        ],
        begin=68,
        end=72,
    ),
    Planted(
        "one byte that was left out",
        "init",
        "unwritten",
        "    const auto c = graph.submit(task(1).input(a).output(vector)).output(0);\n"
        "    graph.submit(task(0).input(c).output(out));",
        [
            "    memcpy(data(1), data(0), 4 * n);  // HERE",
            "    auto* to = reinterpret_cast<char*>(data(1));\n"
            "    for (int i = 0; i < 4 * n; ++i) if (i != 9) to[i] = 1;",
        ],
        begin=9,
        end=10,
    ),
    Planted(
        "an argument that is only an output",
        "init",
        "unwritten",
        "    graph.submit(task(0).input(a).inout(out));",
        ["    for (int i = 0; i < n; ++i)\n        data(1)[i] += data(0)[i];  // HERE"],
        begin=0,
        end=BYTES,
    ),
    Planted(
        "an allocation without a value",
        "init",
        "unwritten",
        "    graph.add_task(AIV, 0, {a, out, graph.device_malloc(256)});",
        [COPY + "\n    data(1)[0] = *reinterpret_cast<float*>(args[2]);  // HERE"],
        HOST,
        begin=0,
        end=4,
        memory="allocation",
    ),
    Planted(
        "an element that the orchestration reads",
        "init",
        "unwritten",
        "    const auto c = graph.submit(task(1).output(vector)).output(0);\n"
        "    static_cast<void>(graph.read<float>(c, {5}));  // HERE\n"
        "    graph.submit(task(0).input(a).output(out));",
        [COPY, NOTHING],
        begin=20,
        end=24,
    ),
    Planted(
        "a result of which the end is missing",
        "init",
        "unwritten",
        ONE,
        ["    for (int i = 0; i < n - 2; ++i) data(1)[i] = data(0)[i];"],
        begin=BYTES - 8,
        end=BYTES,
    ),
    Planted(
        "a result that a host's graph leaves",
        "init",
        "unwritten",
        "    graph.add_task(AIV, 0, {a, out});",
        ["    for (int i = 2; i < n; ++i) data(1)[i] = data(0)[i];"],
        HOST,
        begin=0,
        end=8,
    ),
    Planted(
        "a structure with a hole",
        "init",
        "unwritten",
        "    const auto c = graph.submit(task(1).input(a).output(vector)).output(0);\n"
        "    graph.submit(task(0).input(c).output(out));",
        [
            COPY.replace("data(0)[i]", "1") + "\n    struct Two { float x[8]; };\n"
            "    *reinterpret_cast<Two*>(data(1)) = *reinterpret_cast<Two*>(data(0));  // HERE",
            "    for (int i = 0; i < n; ++i) if (i != 3) data(1)[i] = data(0)[i];",
        ],
        begin=12,
        end=16,
    ),
]


RACES = [
    Planted(
        "a read that does not wait",
        "races",
        "read_after_write",
        "    const auto c = graph.make(vector);\n    graph.add_task(AIV, 0, {a, c});\n"
        "    graph.add_task(AIV, 0, {c, out});",
        [COPY + "  // HERE"],
        HOST,
        begin=0,
        end=BYTES,
    ),
    Planted(
        "a write that does not wait for a read",
        "races",
        "write_after_read",
        "    graph.add_task(AIV, 0, {b, out});\n    graph.add_task(AIV, 0, {a, b});",
        [COPY + "  // HERE"],
        HOST,
        begin=0,
        end=BYTES,
    ),
    Planted(
        "two writes",
        "races",
        "write_after_write",
        "    graph.add_task(AIV, 0, {a, out});\n    graph.add_task(AIV, 0, {b, out});",
        [COPY + "  // HERE"],
        HOST,
    ),
    Planted(
        "an edge that leads the wrong way",
        "races",
        "write_after_read",
        "    const auto c = graph.make(TensorSpec(vector).initial(0.0f));\n"
        "    const auto first = graph.add_task(AIV, 0, {a, c});\n"
        "    const auto second = graph.add_task(AIV, 0, {c, out});\n"
        "    const auto other = graph.add_task(AIV, 0, {b, c});\n"
        "    graph.add_successor(first, second);\n    graph.add_successor(first, other);",
        [COPY + "  // HERE"],
        HOST,
    ),
    Planted(
        "a dependency that was forgotten",
        "races",
        "read_after_write",
        "    const auto first = graph.submit(task(0).input(a).output(b));\n"
        "    graph.submit(task(0).input(b).output(out));\n    static_cast<void>(first);",
        [COPY + "  // HERE"],
        EXPLICIT,
    ),
    Planted(
        "a tensor without dependencies",
        "races",
        "read_after_write",
        "    graph.submit(task(0).input(a).output(b));\n    graph.submit(task(0).no_dep(b).output(out));",
        [COPY + "  // HERE"],
    ),
    Planted(
        "a write that was declared a read",
        "races",
        "write_after_read",
        "    graph.submit(task(0).input(b).output(out));\n    graph.submit(task(1).input(a).no_dep(b));",
        [COPY, COPY + "  // HERE"],
    ),
    Planted(
        "blocks that write the same row",
        "races",
        "write_after_write",
        "    graph.submit(task(0).input(a).output(out).blocks(2));",
        [COPY + "  // HERE"],
        begin=0,
        end=BYTES,
    ),
    Planted(
        "blocks that meet in one element",
        "races",
        "write_after_write",
        "    graph.submit(task(0).input(a).output(out).blocks(2));",
        [
            "    const int block = chiphost::get_block_idx(args);\n"
            "    for (int i = 31 * block; i < 32 + 32 * block; ++i) data(1)[i] = data(0)[i];  // HERE"
        ],
        begin=124,
        end=128,
    ),
    Planted(
        "cores of a task that do not wait for each other",
        "races",
        "read_after_write",
        "    graph.submit(Task::mixed(0, 1, -1).input(a).inout(b).output(out));",
        [
            "AIC    for (int i = 0; i < n; ++i) data(1)[i] = data(0)[i];",
            "    for (int i = 0; i < n; ++i) data(2)[i] = data(1)[i];  // HERE",
        ],
    ),
    Planted(
        "an exchange whose result depends on the order",
        "races",
        "atomic",
        "    graph.submit(task(0).no_dep(b));\n    graph.submit(task(0).no_dep(b));\n"
        "    graph.submit(task(1).input(a).output(out));",
        ["    __atomic_exchange_n(reinterpret_cast<int*>(data(0)), 1, __ATOMIC_ACQ_REL);  // HERE", COPY],
        begin=0,
        end=4,
    ),
    Planted(
        "an element that the orchestration writes",
        "races",
        "write_after_read",
        "    graph.submit(task(0).no_dep(b).output(out));\n    graph.write(b, {3}, 1.0f);",
        [COPY + "  // HERE"],
        begin=12,
        end=16,
    ),
]

RIGHT = [
    *RIGHT_WITH_CACHES,
    Planted(
        "a chain",
        None,
        None,
        "    const auto c = graph.submit(task(0).input(a).output(vector)).output(0);\n"
        "    graph.submit(task(0).input(c).output(out));",
        [COPY],
    ),
    Planted(
        "columns of a view",
        None,
        None,
        COLUMNS,
        ["    for (int i = 0; i < n; ++i) data(2)[i] = data(1)[4 * i] + data(1)[4 * i + 1];", NOTHING],
    ),
    Planted(
        "blocks that share nothing",
        None,
        None,
        "    graph.submit(task(0).input(a).output(out).blocks(2));",
        [
            "    const int block = chiphost::get_block_idx(args);\n"
            "    for (int i = 32 * block; i < 32 * block + 32; ++i) data(1)[i] = data(0)[i];"
        ],
    ),
    Planted(
        "sums of several blocks",
        None,
        None,
        "    graph.submit(task(0).no_dep(b).blocks(4));\n    graph.submit(task(1).input(a).output(out));",
        ["    __atomic_fetch_add(reinterpret_cast<int*>(data(0)), 1, __ATOMIC_RELAXED);", COPY],
    ),
    Planted(
        "an edge over another task",
        None,
        None,
        "    const auto c = graph.make(vector);\n    const auto first = graph.add_task(AIV, 0, {a, c});\n"
        "    const auto middle = graph.add_task(AIV, 1, {a, b});\n"
        "    const auto last = graph.add_task(AIV, 0, {c, out});\n"
        "    graph.add_successor(first, middle);\n    graph.add_successor(middle, last);",
        [COPY, NOTHING],
        HOST,
    ),
    Planted("a read of an output behind the write", None, None, ONE, [COPY + "\n    data(1)[3] += 1;"]),
    Planted(
        "one element that the orchestration gives",
        None,
        None,
        "    graph.write(b, {3}, 1.0f);\n    graph.submit(task(0).input(b).output(out));",
        [COPY],
    ),
    Planted(
        "memory of a ring that is used again",
        None,
        None,
        "    for (int i = 0; i < 200; ++i) {\n        const auto scope = graph.scope();\n"
        "        const auto c = graph.submit(task(0).input(a).output(vector)).output(0);\n"
        "        graph.submit(task(1).input(c).inout(b));\n    }\n"
        "    graph.submit(task(0).input(b).output(out));",
        [COPY, "    for (int i = 0; i < n; ++i) data(1)[i] += data(0)[i];"],
    ),
]


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    return tmp_path_factory.mktemp("planted")


def _id(planted: Planted) -> str:
    return f"{planted.check or 'right'}: {planted.name}"


@pytest.mark.parametrize("planted", [*MEMORY, *DECLARED, *INIT, *RACES, *COHERENCE], ids=_id)
def test_a_planted_fault_is_found(planted, sources):
    assert planted.check is not None
    program = planted.build(sources)
    findings = run(program, planted.runtime).findings
    found = [each for each in findings if (each.check, each.what) == (planted.check, planted.what)]
    assert found, [(each.check, each.what) for each in findings]
    assert {each.check for each in findings} == {planted.check}, "one fault is one finding"
    first = found[0]
    if planted.begin is not None:
        assert (first.begin, first.end) == (planted.begin, planted.end)
    if planted.memory is not None:
        assert first.memory.kind == planted.memory
    if place := planted.place():
        lines = [access.line for access in (first.first, first.second) if access is not None and access.line]
        assert (str(sources / place[0]), place[1]) in [(line.file, line.line) for line in lines]
    others = [name for name in BITS if name != planted.check]
    findings = run(program, planted.runtime, ",".join(others)).findings
    assert not [each for each in findings if each.check == planted.check], "its check is off"


@pytest.mark.parametrize("planted", RIGHT, ids=_id)
def test_a_right_program_has_no_findings(planted, sources):
    program = planted.build(sources)
    for seed in range(5):
        result = run(program, planted.runtime, seed=seed)
        assert result.findings == ()
        assert result.not_checked == ()


# The array of an input, which a graph of the host can reach.
CHANGED = Planted(
    "an input that the orchestration changes",
    "arguments",
    "input_changed",
    "    const_cast<float*>(args.tensor(0).data<float>())[5] = -1;\n    graph.add_task(AIV, 0, {a, out});",
    [COPY],
    HOST,
)


def test_an_input_that_has_changed_is_named(sources):
    [found] = run(CHANGED.build(sources), HOST).findings
    assert (found.check, found.what, found.memory.name) == ("arguments", "input_changed", "a")
    assert found.first_element == found.last_element == (5,)
    assert run(CHANGED.build(sources), HOST, "memory").findings == ()


@pytest.mark.parametrize(("header", "count"), [("pto/cpu/TStore.hpp", 0), ("store.hpp", 1)])
def test_instructions_of_pto_isa_are_block_copies(sources, header, count):
    """Blocks that share a line are no fault if they write by such an instruction."""
    path = sources / header
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("inline void store(float* to, const float* from, int n) { while (n-- > 0) *to++ = *from++; }\n")
    program = Planted(
        f"blocks that store by {header}",
        "coherence",
        "shared_line",
        "    graph.submit(task(0).input(a).output(out).blocks(8));",
        ["    const int begin = 8 * chiphost::get_block_idx(args);\n    store(data(1) + begin, data(0) + begin, 8);"],
        before=f'#include "{header}"',
    )
    assert len(run(program.build(sources), program.runtime).findings) == count


def test_every_class_has_ten_faults():
    for faults in (MEMORY, DECLARED, INIT, RACES, COHERENCE):
        assert len(faults) >= 10
