# SPDX-License-Identifier: Apache-2.0
"""Seeds of runs, ranges of them, and the digest of the order that they lead to."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from invocation import invoke
from program import finish
from throwaway_scenes import RUNTIME, change, write_scenes

from chiphost import ChipWorker
from chiphost._cli.options import SEED_MAX
from chiphost.scenes import catalog
from chiphost.scenes.order_digest import digest_of
from chiphost.scenes.programs import compile_scenes
from chiphost.scenes.seeds import Seed, Seeds

RUN_TRACED = """
import sys
from chiphost import ChipWorker
from chiphost.scenes import catalog
from chiphost.scenes.order_digest import digest_of
from chiphost.scenes.programs import compile_scenes

entry = catalog.find(catalog.scenes_dir(None), sys.argv[1])
[program] = compile_scenes([entry], "a2a3sim")[entry.name]
args = list(entry.scene.make_args(entry.scene.default_case).values())
config = entry.scene.config_of(entry.scene.default_case)
with ChipWorker(entry.runtime, "a2a3sim") as worker:
    print(*(digest_of([worker.run(program, args, trace=True, seed=seed, **config).trace]) for seed in range(12)))
"""


def digests(scene: str) -> list[str]:
    entry = catalog.find(catalog.scenes_dir(None), scene)
    assert entry.scene is not None
    programs = compile_scenes([entry], "a2a3sim")[entry.name]
    assert not isinstance(programs, Exception)
    args = list(entry.scene.make_args(entry.scene.default_case).values())
    config = entry.scene.config_of(entry.scene.default_case)
    with ChipWorker(entry.runtime, "a2a3sim") as worker:
        return [
            digest_of([worker.run(programs[0], args, trace=True, seed=seed, **config).trace or b""])
            for seed in range(12)
        ]


@pytest.mark.parametrize("scene", ["host_build_graph/bgemm", "tensormap_and_ringbuffer/spmd_multiblock_mix"])
def test_the_same_seed_has_the_same_digest(scene: str) -> None:
    first = digests(scene)
    assert digests(scene) == first
    other = subprocess.run([sys.executable, "-c", RUN_TRACED, scene], capture_output=True, text=True, check=True)
    assert other.stdout.split() == first
    assert len(set(first)) > 1, "no seed changes the order"


def test_the_digest_of_an_order_is_the_same_on_every_machine() -> None:
    kinds = [("step", "<u4"), ("core", "u1"), ("ring", "u1"), ("kind", "u1"), ("by", "u1"), ("value", "<u4")]
    rows = [(9, 4, 0, 1, 0, 2, 7), (10, 4, 0, 2, 255, 2, 7), (11, 4, 1, 3, 255, 5, 7), (12, 5, 0, 3, 255, 0, 8)]
    trace = np.array(rows, [*kinds, ("task", "<u4")])
    assert digest_of([trace.tobytes()]) == "973d4406a6918f05"
    later = trace.copy()
    later["step"] += 1
    assert digest_of([later.tobytes()]) == digest_of([trace.tobytes()])
    assert digest_of([trace[[0, 1, 3, 2]].tobytes()]) != digest_of([trace.tobytes()])
    assert digest_of([trace[:3].tobytes(), trace[3:].tobytes()]) != digest_of([trace.tobytes()])


def test_seeds_are_a_range() -> None:
    assert list(Seeds(3, 5)) == [Seed(3, 3), Seed(4, 4), Seed(5, 5)]
    assert list(Seeds(3, 4, input=7)) == [Seed(7, 3), Seed(7, 4)]
    assert list(Seeds(3, 4, order=7)) == [Seed(3, 7), Seed(4, 7)]
    assert Seed(7, 7).words() == ("--seed", "7")
    assert Seed(7, 3).words() == ("--input-seed", "7", "--order-seed", "3")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--seeds", "5-2"), "the smaller one first; found '5-2'"),
        (("--seeds", "1-2-3"), "wanted two seeds such as 0-99, found '1-2-3'"),
        (("--seeds", "a"), "wanted two seeds such as 0-99, found 'a'"),
        (("--seeds", f"0-{SEED_MAX + 1}"), "wanted seeds from 0 to 2^64 - 1"),
        (("--seeds", "1-2", "--seed", "1"), "--seed and --seeds exclude each other"),
        (("--seeds", "1-2", "--input-seed", "1", "--order-seed", "1"), "leave --seeds nothing to vary"),
    ],
)
def test_wrong_seeds_are_wrong_usage(words: tuple[str, ...], message: str) -> None:
    for command in (("run", "vector_example"), ("ci",)):
        result = invoke(*command, *words)
        assert result.exit_code == 2
        assert message in result.stderr


def fails_with_order_seed(tmp_path: Path, seed: int) -> Path:
    """A scene that is wrong in its run number `seed`, counted from 0."""
    root = write_scenes(tmp_path, late="passes")
    new = f'scene.runs = getattr(scene, "runs", -1) + 1\n    return {{"out": args["x"] + 1 + (scene.runs == {seed})}}'
    change(root, "late", "scene.py", 'return {"out": args["x"] + 1}', new)
    return root


def test_the_first_seed_that_fails_is_named(tmp_path: Path) -> None:
    root = fails_with_order_seed(tmp_path, 3)
    result = invoke("run", "late", "--scenes", root, "--seeds", "5-20")
    assert result.exit_code == 1
    assert "3 seeds passed" in result.stdout
    again = f"again: chiphost run {RUNTIME}/late -p a2a3sim --case default --seed 8 --scenes {root}"
    assert again in result.stdout

    report = tmp_path / "report.json"
    result = invoke("ci", "-k", "late", "--scenes", root, "--case", "default", "--seeds", "0-9", "--json", report)
    assert result.exit_code == 1
    [scene] = json.loads(report.read_text())["scenes"]
    [case] = scene["cases"]
    assert (case["input_seed"], case["order_seed"], case["seeds"], case["rounds"]) == (3, 3, 3, 3)
    assert re.fullmatch("[0-9a-f]{16}", case["order_digest"])


def test_inputs_and_order_have_seeds_apart(tmp_path: Path) -> None:
    root = write_scenes(tmp_path, "passes", "wrong_golden")
    assert invoke("run", "passes", "--scenes", root, "--seeds", "0-9", "--input-seed", "4").exit_code == 0
    result = invoke("ci", "-k", "wrong", "--scenes", root, "--case", "one", "--input-seed", "4", "--order-seed", "9")
    assert "--case one --input-seed 4 --order-seed 9" in result.stdout


def test_equal_orders_are_shown_as_equal(tmp_path: Path) -> None:
    root = write_scenes(tmp_path, "passes")
    digest = re.compile(r"order ([0-9a-f]{16})$", re.MULTILINE)
    run = digest.findall(invoke("run", "passes", "--scenes", root, "-v", "--seed", "3").stdout)
    assert len(run) == 1
    assert digest.findall(invoke("ci", "-v", "--case", "default", "--scenes", root, "--seed", "3").stdout) == run
    assert not digest.findall(invoke("run", "passes", "--scenes", root, "-v", "--sim-threads", "2").stdout)
    assert not digest.findall(invoke("run", "passes", "--scenes", root).stdout)


def test_a_crash_with_a_seed_is_repeated_with_that_seed(tmp_path: Path) -> None:
    root = write_scenes(tmp_path, "crashes")
    code, out, err = finish("ci", "--scenes", root, "--case", "default", "--seeds", "6-9")
    assert code == 3
    assert "--seed 6" in out + err
