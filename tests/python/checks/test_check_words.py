# SPDX-License-Identifier: Apache-2.0
"""Findings as text."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from checkout import ROOT as ROOT_OF_CHECKOUT

from chiphost import checks
from chiphost.checks import Access, CodeLine, Declaration, Finding, Gap, Memory
from chiphost.checks.words import _OF_CACHES, _SENTENCES

TMR = "tensormap_and_ringbuffer"
ROOT = Path("/scenes/example")
ADD = Access("task", "read", 1, "add", 0, core=3, argument=1, role="input", line=CodeLine("/scenes/example/add.cpp", 9))
SCALE = Access(
    "task",
    "write",
    3,
    "scale",
    1,
    argument=1,
    role="input",
    line=CodeLine("/scenes/example/kernels/scale.cpp", 14),
    submitted=CodeLine("/scenes/example/example.cpp", 40),
)
B = Memory("argument", "b", 1, None, 4096, (8, 128), "float32")
RACE = Finding(
    "races",
    "write_after_read",
    1,
    replace(ADD, submitted=CodeLine("/scenes/example/example.cpp", 31)),
    SCALE,
    B,
    0,
    4096,
    (0, 0),
    (7, 127),
    edge=(1, 3),
    declarations=(Declaration(3, 1, "inout", CodeLine("/scenes/example/example.cpp", 40)),),
    runtime=TMR,
    show="chiphost run tensormap_and_ringbuffer/example --check=races",
)


def text(finding: Finding) -> str:
    return checks.as_text(finding, ROOT)


def first_line(finding: Finding) -> str:
    return text(finding).partition("\n")[0]


def line(finding: Finding, label: str) -> str:
    found = re.findall(rf"^  {label}: +(.*)$", text(finding), re.M)
    return found[0] if found else ""


def test_a_race_says_who_what_where_and_what_to_do():
    assert text(RACE) == (
        "race: submit #3 (kernel `scale`, kernels/scale.cpp:14) writes what submit #1 (kernel `add`, add.cpp:9) reads, "
        "and no path leads from one to the other\n"
        "  memory:    argument `b` (float32 [8, 128]), bytes 0 to 4095, b[0, 0] to b[7, 127]\n"
        "  submitted: #1 in example.cpp:31, #3 in example.cpp:40\n"
        "  mend:      let #3 come after #1: in example.cpp:40 declare tensor 1 of #3 as inout, or "
        "graph.add_dependency(#1, #3)\n"
        "  show:      chiphost run tensormap_and_ringbuffer/example --check=races"
    )


@pytest.mark.parametrize(
    ("runtime", "mend"),
    [
        ("host_build_graph", "let #3 come after #1: graph.add_successor(#1, #3)"),
        ("aicpu_build_graph", "let #3 come after #1: graph.add_dependency(#1, #3)"),
        ("somebody_elses", "let #3 come after #1: add an edge from #1 to #3"),
    ],
)
def test_a_race_is_mended_by_the_call_of_its_runtime(runtime, mend):
    assert line(replace(RACE, runtime=runtime, declarations=()), "mend") == mend


def test_blocks_of_one_task_race_with_each_other():
    first, second = (
        replace(ADD, block=block, block_num=4, action=action) for block, action in ((0, "read"), (2, "write"))
    )
    race = replace(RACE, first=first, second=second, edge=None, declarations=())
    assert first_line(race) == (
        "race: block 2 of 4 of submit #1 (kernel `add`, add.cpp:9) writes what block 0 of 4 of submit #1 "
        "(kernel `add`, add.cpp:9) reads, and blocks of one task run at the same time"
    )
    assert "of its own" in line(race, "mend")
    mixed = replace(race, second=replace(second, func_id=7, kernel="multiply"))
    assert first_line(mixed).endswith("and kernels of one task run at the same time")


def test_a_race_with_the_orchestration_names_its_line():
    orchestration = Access("orchestration", "read", line=CodeLine("/scenes/example/example.cpp", 52))
    race = replace(RACE, second=orchestration, first=SCALE, edge=None, declarations=())
    assert first_line(race).startswith("race: the orchestration (example.cpp:52) reads what submit #3 (kernel `scale`")
    assert "graph.read" in line(race, "mend")
    assert first_line(replace(race, second=Access("host", "write"))).startswith("race: the host writes what submit #3")


def test_an_edge_that_chiphost_did_not_make_is_its_own_fault():
    race = replace(RACE, what="missing_edge", edge=None, declarations=())
    assert first_line(race).endswith("and chiphost made no edge: this is a fault of chiphost")
    assert "please report" in line(race, "mend")


def test_atomics_are_called_so():
    race = replace(RACE, what="atomic", first=replace(ADD, action="atomic"))
    assert "writes what submit #1 (kernel `add`, add.cpp:9) changes with an atomic operation" in first_line(race)
    assert first_line(race).endswith(": which of them comes first changes the result")


def single(check: str, what: str, **fields: object) -> Finding:
    return replace(RACE, check=check, what=what, first=SCALE, second=None, edge=None, declarations=(), **fields)


WHO = "submit #3 (kernel `scale`, kernels/scale.cpp:14)"


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (single("declared", "write_to_input"), f"declaration: {WHO} writes its tensor 1, which is declared as input"),
        (
            single("declared", "read_before_write"),
            f"declaration: {WHO} reads its tensor 1, declared as output, before it has written there",
        ),
        (single("declared", "undeclared_read"), f"declaration: {WHO} reads memory that none of its tensors has"),
        (single("declared", "undeclared_write"), f"declaration: {WHO} writes memory that none of its tensors has"),
        (single("memory", "before"), f"memory: {WHO} writes before the first byte of argument `b`"),
        (single("memory", "past_end"), f"memory: {WHO} writes past the last byte of argument `b`"),
        (
            single("memory", "outside_view"),
            f"memory: {WHO} writes outside of its tensor 1, which is a view of argument `b`",
        ),
        (single("memory", "freed"), f"memory: {WHO} writes memory that has been freed"),
        (single("memory", "expired"), f"memory: {WHO} writes a tensor whose scope has ended"),
        (single("memory", "no_memory"), f"memory: {WHO} writes where the device has no memory"),
        (single("memory", "runtime_memory"), f"memory: {WHO} writes memory of the runtime itself"),
        (
            single("memory", "local_memory", memory=Memory("local", "UB", bytes=196608)),
            f"memory: {WHO} writes beyond the end of the local memory UB of its core",
        ),
        (single("init", "unwritten"), f"unwritten: {WHO} reads bytes that nobody has written"),
        (single("arguments", "input_changed"), "argument: the run has changed argument `b`, which it only reads"),
        (single("memory", "unheard_of"), f"memory: {WHO} writes argument `b`: unheard_of"),
    ],
)
def test_every_other_finding_has_a_sentence(found, sentence):
    assert first_line(found) == sentence


@pytest.mark.parametrize(
    ("what", "sentence", "mend"),
    [
        (
            "unflushed_write",
            "{scale} writes what {add} has written into its data cache, which is not flushed before",
            "call flush_lines after the write at add.cpp:9, before the other core is told of it, or write by a block "
            "copy",
        ),
        (
            "stale_read",
            "{scale} reads an old copy in its data cache of what {add} has written since, as it has not flushed the "
            "cache before",
            "call flush_lines before the read at kernels/scale.cpp:14, when the other core has told of its write, or "
            "read by a block copy",
        ),
        (
            "shared_line",
            "{add} and {scale} write to the same line of their data caches: who writes the line back overwrites what "
            "the other has written",
            "let each core write whole lines, of 64 bytes, or write by block copies",
        ),
    ],
)
def test_data_caches_have_sentences_about_both_cores(what, sentence, mend):
    found = replace(RACE, check="coherence", what=what, edge=None, declarations=())
    names = {"scale": "submit #3 (kernel `scale`, kernels/scale.cpp:14)", "add": "submit #1 (kernel `add`, add.cpp:9)"}
    assert first_line(found) == f"data cache: {sentence.format(**names)}"
    assert line(found, "mend") == mend


def test_an_output_that_is_not_written_whole_is_named():
    found = replace(single("init", "unwritten"), first=Access("host", "read"))
    assert first_line(found) == "unwritten: nobody has written all of argument `b`, which the run returns"
    assert line(found, "mend").startswith("let a task write all of it")


def test_bytes_that_nobody_wrote_belong_to_the_task_that_a_tensor_was_made_for():
    found = single("init", "unwritten", memory=Memory("output", "", 0, 1, 64, (16,), "int8"))
    assert line(found, "mend") == "let #1, for which the tensor was made, write all of it"
    assert "In, InOut" in line(single("init", "unwritten"), "mend")


def test_a_task_that_has_not_declared_the_tensor_gets_it_or_leaves_it_alone():
    declaration = Declaration(3, None, "inout", CodeLine("/scenes/example/example.cpp", 40))
    assert line(replace(RACE, declarations=(declaration,)), "mend") == (
        "let #3 come after #1: in example.cpp:40 give #3 the tensor as inout, if it shall touch it, or "
        "graph.add_dependency(#1, #3)"
    )


@pytest.mark.parametrize("what", _SENTENCES)
def test_every_other_finding_says_what_to_do(what):
    checks_of = {"unwritten": "init", "input_changed": "arguments"}
    declared = ("write_to_input", "read_before_write", "undeclared_read", "undeclared_write")
    check = checks_of.get(what, "declared" if what in declared else "memory")
    found = replace(single(check, what), declarations=(Declaration(3, 1, "inout", None),))
    assert line(found, "mend")


def test_nobody_known_is_said_so():
    assert first_line(replace(single("memory", "past_end"), first=None)).startswith(
        "memory: code that is not checked writes past"
    )


@pytest.mark.parametrize(
    ("memory", "elements", "name", "indices"),
    [
        (B, ((2, 17), (2, 17)), "argument `b` (float32 [8, 128])", ", b[2, 17]"),
        (B, ((2, 17), (2, 18)), "argument `b` (float32 [8, 128])", ", b[2, 17] to b[2, 18]"),
        (
            replace(B, name=""),
            ((2, 1), (2, 2)),
            "array 1 of the arguments (float32 [8, 128])",
            ", elements [2, 1] to [2, 2]",
        ),
        (
            Memory("output", "", 0, 1, 64, (16,), "int8"),
            ((2,), (2,)),
            "output 0 of submit #1 (int8 [16])",
            ", element [2]",
        ),
        (Memory("allocation", "", 2, None, 4096), None, "allocation 2 of the orchestration (4,096 bytes)", ""),
        (Memory("runtime", bytes=8192), None, "memory of the runtime (8,192 bytes)", ""),
        (Memory("local", "UB", bytes=196608), None, "the local memory UB (196,608 bytes)", ""),
    ],
)
def test_memory_has_a_name_and_elements_their_indices(memory, elements, name, indices):
    first, last = elements or (None, None)
    found = replace(RACE, memory=memory, begin=8, end=12, first_element=first, last_element=last)
    assert line(found, "memory") == f"{name}, bytes 8 to 11{indices}"


def test_one_byte_before_the_beginning():
    found = replace(RACE, begin=-1, end=0, first_element=None, last_element=None)
    assert line(found, "memory").endswith(", byte -1")


def test_one_cause_says_how_often_it_was_seen():
    assert line(replace(RACE, count=4096), "seen") == "4,096 times"
    assert line(RACE, "seen") == ""


def test_a_line_in_a_header_names_the_caller():
    inner = CodeLine("/pto/TAdd.hpp", 123)
    access = replace(SCALE, line=CodeLine("/scenes/example/add.cpp", 9, inner))
    assert "(kernel `scale`, /pto/TAdd.hpp:123, called in add.cpp:9)" in first_line(replace(RACE, second=access))


def test_what_is_not_known_is_left_out():
    access = replace(SCALE, line=None, submitted=None, kernel="")
    found = replace(RACE, first=access, second=access, show="", memory=Memory("none"), edge=None, declarations=())
    assert "(kernel of func_id 1) writes" in first_line(found)
    assert [each.partition(":")[0] for each in text(found).splitlines()[1:]] == ["  mend"]


def test_the_source_stands_for_a_line_that_is_not_known():
    access = replace(SCALE, line=None, source="/scenes/example/kernels/scale.cpp")
    assert "(kernel `scale`, kernels/scale.cpp) writes" in first_line(replace(RACE, second=access))


def test_files_are_named_from_the_working_folder_without_another(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for file, name in ((tmp_path / "kernels" / "a.cpp", "kernels/a.cpp"), (Path("/else/a.cpp"), "/else/a.cpp")):
        access = replace(SCALE, line=CodeLine(str(file), 2))
        assert f"(kernel `scale`, {name}:2)" in checks.as_text(replace(RACE, second=access))


def test_names_cannot_control_a_terminal():
    access = replace(SCALE, kernel="a\x1b[2Jb", line=CodeLine("/scenes/example/\x1b.cpp", 1))
    found = replace(RACE, second=access, memory=replace(B, name="c\nd"))
    assert "\x1b" not in text(found) and "c\nd" not in text(found)


def test_every_word_of_a_finding_has_a_row_on_the_page():
    page = (ROOT_OF_CHECKOUT / "docs" / "checks.md").read_text()
    rows = {word for row in re.findall(r"^\| (`.*?) \|", page, re.M) for word in re.findall(r"`(\w+)`", row)}
    races = {"write_after_read", "read_after_write", "write_after_write", "atomic", "missing_edge"}
    assert rows == {*_SENTENCES, *_OF_CACHES, *races, *checks.BITS}


def test_a_gap_is_one_line():
    gap = Gap("kernel 'add' (func_id 3)", "inline assembly", "/scenes/example/add.cpp:12")
    assert checks.gap_as_text(gap, ROOT) == "not checked: kernel 'add' (func_id 3): inline assembly (add.cpp:12)"
    assert checks.gap_as_text(replace(gap, place="")) == "not checked: kernel 'add' (func_id 3): inline assembly"
