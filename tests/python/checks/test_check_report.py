# SPDX-License-Identifier: Apache-2.0
"""Reports of runs, read into findings: names instead of numbers, and what would mend them."""

from __future__ import annotations

import pickle

import check_reports as made
import pytest

import chiphost as ch
from chiphost import checks
from chiphost.checks.report import read_report


def binary(name: str) -> ch.Binary:
    return ch.Binary(b"", f"key of {name}", name)


CALLABLE = ch.ChipCallable(
    binary("example"),
    [(0, "aiv", binary("add")), (1, "aiv", binary("scale"))],
    signature=[ch.In("a"), ch.Scalar("n"), ch.Out("b")],
)
TMR = "tensormap_and_ringbuffer"


def read_one(runtime: str = TMR, **fields: object) -> checks.Finding:
    [found] = read_report(made.report(made.finding(**fields)), CALLABLE, runtime).findings
    return found


def test_counts_are_those_of_the_report():
    report = read_report(made.report(checks=5, tasks=12, edges=14, unnecessary_edges=2, dropped=3), CALLABLE, TMR)
    assert (report.checks, report.tasks, report.edges, report.unnecessary_edges, report.dropped) == (5, 12, 14, 2, 3)
    assert report.findings == ()


def test_a_race_has_names():
    found = read_one()
    assert (found.check, found.what, found.count, found.begin, found.end) == ("races", "write_after_read", 1, 0, 16)
    assert (found.first_element, found.last_element) == ((0, 0), (0, 3))
    assert found.memory == checks.Memory("argument", "b", 1, None, 4096, (8, 128), "float32")
    assert found.first == checks.Access("task", "read", 1, "add", 0, 0, 1, 5, 0, "input")
    assert found.second is not None
    assert (found.second.submission, found.second.kernel, found.second.argument) == (3, "scale", 1)
    assert (found.callable, found.runtime) == ("example", TMR)


def test_arguments_are_counted_without_scalars():
    """The memory says array 1, which is the third argument."""
    assert read_one().memory.name == "b"
    unsigned = ch.ChipCallable(CALLABLE.orchestration, CALLABLE.kernels)
    [found] = read_report(made.report(made.finding()), unsigned, TMR).findings
    assert (found.memory.name, found.memory.number) == ("", 1)


def test_accesses_of_others_than_tasks_have_no_submission():
    found = read_one(first=made.HOST, second=made.ORCHESTRATION)
    assert found.first == checks.Access("host", "write")
    assert found.second == checks.Access("orchestration", "read")


def test_only_memory_of_which_there_are_several_has_a_number():
    for kind in ("runtime", "local", "none"):
        memory = read_one(memory={"kind": kind, "number": 0, "bytes": 8, "name": "UB"}).memory
        assert memory == checks.Memory(kind, "UB", None, None, 8)
    memory = read_one(memory=made.OUTPUT).memory
    assert memory == checks.Memory("output", "", 0, 1, 64, (16,), "float32")


def test_a_finding_may_have_one_access_or_none():
    assert read_one(second=None).second is None
    assert read_one(check="memory", what="past_end", first=None, second=None).first is None


def test_what_is_not_declared_has_no_argument_and_no_role():
    found = read_one(first=made.task(1, "read", argument=-1, role=-1))
    assert found.first is not None and (found.first.argument, found.first.role) == (None, "")


class TestMending:
    def test_an_edge_leads_from_the_earlier_to_the_later(self):
        assert read_one().edge == (1, 3)
        assert read_one(first=made.task(3, "read"), second=made.task(1, "write")).edge == (1, 3)

    @pytest.mark.parametrize(
        "fields",
        [
            {"second": made.task(1, "write", block=1, block_num=2)},
            {"first": made.ORCHESTRATION},
            {"what": "missing_edge"},
            {"check": "memory", "what": "freed"},
        ],
    )
    def test_no_edge_helps_elsewhere(self, fields):
        found = read_one(**fields)
        assert found.edge is None and found.declarations == ()

    def test_the_role_that_is_missing_is_a_declaration(self):
        assert read_one().declarations == (checks.Declaration(3, 1, "inout", None),)

    @pytest.mark.parametrize("role", [1, 2, 3])
    def test_roles_that_suffice_are_not_mended(self, role):
        assert read_one(second=made.task(3, "write", role=role)).declarations == ()

    @pytest.mark.parametrize(("action", "wanted"), [("read", "input"), ("write", "inout"), ("atomic", "inout")])
    def test_no_dep_becomes_what_the_access_needs(self, action, wanted):
        second = made.task(3, action, argument=2, role=4)
        assert read_one(second=second).declarations == (checks.Declaration(3, 2, wanted, None),)

    def test_both_tasks_may_lack_one(self):
        found = read_one(first=made.task(1, "read", argument=-1, role=-1))
        assert [(each.submission, each.argument, each.role) for each in found.declarations] == [
            (3, 1, "inout"),
            (1, None, "input"),
        ]

    @pytest.mark.parametrize("runtime", ["host_build_graph", "aicpu_build_graph", "somebody_elses"])
    def test_runtimes_that_infer_no_edges_have_no_roles_to_change(self, runtime):
        assert read_one(runtime).declarations == ()

    def test_an_input_that_is_written_wants_a_declaration_wherever_tasks_have_roles(self):
        fields = {"check": "declared", "what": "write_to_input", "first": made.task(3, "write"), "second": None}
        for runtime in (TMR, "aicpu_build_graph"):
            assert read_one(runtime, **fields).declarations == (checks.Declaration(3, 0, "inout", None),)
        assert read_one("host_build_graph", **fields).declarations == ()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "[]",
        "{}",
        made.report(format=2),
        made.report({"check": "races"}),
        made.report(made.finding(first={"actor": "task"})),
        made.report(made.finding(memory=None)),
    ],
)
def test_what_is_no_report_is_an_error(text):
    with pytest.raises(ch.InternalError, match="checks of example: wanted a report of checks in format 1") as caught:
        read_report(text, CALLABLE, TMR)
    assert caught.value.name == "INTERNAL"


def test_findings_are_plain_values():
    found = read_one()
    assert pickle.loads(pickle.dumps(found)) == found
    assert len({found, read_one(), read_one(end=20)}) == 2
