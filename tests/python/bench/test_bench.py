# SPDX-License-Identifier: Apache-2.0
"""The benchmarks run and print the right figures; speed is not tested here."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from chiphost._bench import figures as benchmarks
from chiphost._bench import flow_graph
from chiphost._bench.figures import Effort, Figure
from chiphost._bench.resources import Resources
from chiphost._cli.program import cli


@pytest.fixture(autouse=True)
def little_effort(monkeypatch: pytest.MonkeyPatch) -> None:
    effort = Effort(first_loads=1, resets=2, warm_runs=5, graphs=2, steps=5, idle_s=0.01)
    monkeypatch.setattr(benchmarks, "QUICK", effort)
    monkeypatch.delenv("SIMPLER_DIR", raising=False)


def bench(*words: str) -> Result:
    return CliRunner().invoke(cli, ["bench", "--quick", *words], catch_exceptions=False)


def has_onetbb() -> bool:
    try:
        return bool(flow_graph.version())
    except flow_graph.FlowGraphMissing:
        return False


def no_onetbb(*_: object) -> list[object]:
    raise flow_graph.FlowGraphMissing("there is none")


RUNTIMES = ("host_build_graph", "aicpu_build_graph", "tensormap_and_ringbuffer")


def graphs(runtime: str) -> list[str]:
    shapes = ("4 tasks, warm", "8,192 tasks, independent", "8,192 tasks, chain")
    return [f"{runtime}: {shape}" for shape in shapes]


def growths(runtime: str) -> list[str]:
    return [
        f"{runtime}: 5 {what}: more {noun}"
        for what in ("runs", "load-run-reset steps")
        for noun in ("threads", "files", "maps", "memory")
    ]


def test_bench_measures_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow_graph, "measure", no_onetbb)
    result = bench("--json", str(tmp_path / "bench.json"))
    assert result.exit_code == 0, result.output
    content = json.loads((tmp_path / "bench.json").read_text())
    figures = {figure["name"]: figure for figure in content["figures"]}
    assert [*figures] == [
        "load a runtime for the first time",
        "run it again after reset",
        *graphs("host_build_graph"),
        "oneTBB's flow graph",
        "CPU while a worker is idle",
        *growths("host_build_graph"),
        *(name for runtime in RUNTIMES[1:] for name in (*graphs(runtime), *growths(runtime))),
        *(f"{runtime}: memory of a run of {tasks} tasks" for runtime in RUNTIMES for tasks in ("4", "8,192")),
        "simpler's scenes",
    ]
    assert figures.pop("oneTBB's flow graph")["note"] == "not measured: there is none"
    assert figures.pop("simpler's scenes")["note"].startswith("not measured: SIMPLER_DIR")
    for name, figure in figures.items():
        assert math.isfinite(figure["value"]), name
        assert figure["met"] in (True, False), name
        assert name in result.stdout
    assert set(content["machine"]) >= {"version", "cpus_usable", "compiler", "load_average"}
    assert content["quick"]
    assert "goals met" in result.stdout.splitlines()[-1]


def test_a_missed_goal_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(effort: Effort) -> Iterator[Figure]:
        yield Figure("something", 3.0, "s", "under 1", False)
        yield Figure("something else", None, "s", note="not here")

    monkeypatch.setattr(benchmarks, "measure", slow)
    result = bench()
    assert result.exit_code == 0
    assert "not met" in result.stdout
    assert result.stdout.splitlines()[-1].startswith("0 of 1 goals met")


def test_bench_that_cannot_run_is_2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHIPHOST_LIB_DIR", "/nonexistent")
    result = bench()
    assert result.exit_code == 2
    assert "RUNTIME_UNKNOWN" in result.stderr


@pytest.mark.skipif(not has_onetbb(), reason="oneTBB is not installed")
def test_onetbb_runs_the_same_shapes() -> None:
    [run] = flow_graph.measure(benchmarks.sources_dir() / "flow_graph.cpp", 64, 2, [1])
    assert run["threads"] == 1
    for shape in benchmarks.SHAPES:
        for how in ("built", "kept"):
            assert run[shape][how]["best"] >= run[shape][how]["median"] > 0


def test_a_machine_without_onetbb_says_so(tmp_path: Path) -> None:
    source = tmp_path / "other.cpp"
    source.write_text("#include <oneapi/tbb/no_such_header.h>\n")
    with pytest.raises(flow_graph.FlowGraphMissing, match=r"no_such_header\.h"):
        flow_graph.measure(source, 1, 1, [1])


def test_resources_are_counted() -> None:
    before = Resources.now()
    if before is None:
        pytest.skip("this system does not say")
    with Path("/dev/null").open() as _:
        during = Resources.now()
    assert during is not None
    assert during.since(before).files == 1
    assert during.threads >= 1
    assert during.maps > 1
    assert during.memory_bytes > 1 << 20
