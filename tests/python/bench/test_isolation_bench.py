# SPDX-License-Identifier: Apache-2.0
"""`chiphost bench --isolation` measures every strategy; speed is not tested here."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner

from chiphost import _core
from chiphost._bench import isolation as isolation_benchmarks
from chiphost._bench.isolation import STRATEGIES, WAYS, Cell, Effort
from chiphost._cli.program import cli
from chiphost.errors import ChiphostError

LITTLE = Effort(
    processes=2,
    instances=2,
    calls=5,
    runs=5,
    new_pythons=1,
    forks=2,
    instances_most=20,
    processes_most=3,
    cycles=20,
    process_cycles=5,
)
CYCLES = "20 cycles: more"
TIMES = [
    "first open of a library",
    "next open of it",
    "call of an empty function",
    "call of int add(int, int)",
    "run of 4 tasks, warm",
    "the same with arrays of 64 KiB",
    "reset and init of a worker",
]
NAMES = [*TIMES, "memory an instance", "instances at once"]
GROWTHS = [f"{CYCLES} {noun}" for noun in ("threads", "files", "maps", "memory")]
needs_namespaces = pytest.mark.skipif(bool(_core.namespaces_unavailable()), reason="no namespaces here")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    """The output of the command, and its JSON."""
    path = tmp_path_factory.mktemp("bench") / "bench.json"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(isolation_benchmarks, "QUICK", LITTLE)
        words = ["bench", "--isolation", "--quick", "--json", str(path)]
        result = CliRunner().invoke(cli, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout, json.loads(path.read_text())


def cells(report: tuple[str, dict[str, Any]]) -> dict[str, dict[str, dict[str, Any]]]:
    return {row["name"]: row["cells"] for row in report[1]["rows"]}


def measured_strategies() -> list[str]:
    return [each for each in STRATEGIES if each != "namespace" or not _core.namespaces_unavailable()]


def test_every_row_is_in_json_and_in_the_table(report):
    text, content = report
    assert [row["name"] for row in content["rows"]] == [*NAMES, *GROWTHS]
    assert set(content["machine"]) >= {"version", "cpus_usable", "compiler", "load_average"}
    assert content["quick"]
    header, *lines = text.splitlines()
    for title in WAYS.values():
        assert title in header
    assert [line[: len(name)] for line, name in zip(lines, [*NAMES, *GROWTHS], strict=False)] == [*NAMES, *GROWTHS]
    assert "load" in lines[-1]


def test_every_strategy_has_every_figure(report):
    for name, ways in cells(report).items():
        assert [*ways] == [*WAYS]
        for strategy in measured_strategies():
            assert ways[strategy]["value"] is not None, (name, strategy)
    for name in TIMES:
        for strategy in measured_strategies():
            cell = cells(report)[name][strategy]
            assert 0 < cell["detail"]["best"] <= cell["value"] <= cell["detail"]["p99"], (name, strategy)


def test_a_process_for_each_run_has_what_it_can_have(report):
    for way in ("new_python", "fork"):
        assert [name for name, ways in cells(report).items() if ways[way]["value"] is not None] == [
            "run of 4 tasks, warm",
            "memory an instance",
        ]
    run = cells(report)["run of 4 tasks, warm"]
    assert run["new_python"]["value"] > run["copy"]["value"]
    assert run["fork"]["value"] > run["copy"]["value"]


def test_copies_and_processes_meet_no_limit(report):
    instances = cells(report)["instances at once"]
    assert (instances["copy"]["value"], instances["copy"]["at_least"]) == (20, True)
    assert (instances["process"]["value"], instances["process"]["at_least"]) == (3, True)
    line = next(line for line in report[0].splitlines() if line.startswith("instances at once"))
    assert " 20+ " in line
    assert " 3+ " in line


@needs_namespaces
def test_namespaces_end_where_capacity_says(report):
    found = cells(report)["instances at once"]["namespace"]
    fresh = isolation_benchmarks.in_fresh_process("from chiphost.capacity import capacity; print(capacity().limit)")
    assert found["value"] == int(fresh)
    assert not found["at_least"]
    assert found["note"] == "NAMESPACES_SPENT"


def test_without_namespaces_it_says_why(monkeypatch, tmp_path):
    monkeypatch.setattr(_core, "namespaces_unavailable", lambda: "a sanitizer")
    assert isolation_benchmarks._strategy("namespace", tmp_path / "unused.so", LITTLE) == {
        "first_open": Cell(None, note="no namespaces here: a sanitizer")
    }


def test_what_a_fork_raises_is_an_error(capfd):
    def fail() -> None:
        raise ValueError("on purpose")

    assert isolation_benchmarks._in_fork(lambda: [1, 2]) == [1, 2]
    with pytest.raises(ChiphostError, match="PROCESS_DIED"):
        isolation_benchmarks._in_fork(fail)
    assert "on purpose" in capfd.readouterr().err
