# SPDX-License-Identifier: Apache-2.0
"""Sizes of the rings: for a run, in the environment, and their limits."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from checkout import SUPPORT
from device_faults import SMALL, check_good, run_fault

import chiphost as ch


class TestConfig:
    @pytest.mark.parametrize(
        ("field", "value", "text"),
        [
            ("ring_task_window", 0, "wanted 4 or more, .* found 0"),
            ("ring_task_window", 2, r"power of two from 4 to \d+, found 2"),
            ("ring_task_window", 12, r"power of two from 4 to \d+, found 12"),
            ("ring_task_window", 1 << 25, r"power of two from 4 to \d+, found 33554432"),
            ("ring_dep_pool", 3, "wanted 4 to 268435456, found 3"),
            ("ring_dep_pool", (1 << 28) + 1, "wanted 4 to 268435456, found 268435457"),
            ("ring_heap_bytes", 1023, "wanted 1024 or more, found 1023"),
            ("ring_heap_bytes", 1 << 62, "wanted at most the chip's"),
            ("ring_heap_bytes", 2**64 - 1, "wanted at most the chip's"),
            ("orch_thread_num", 4, "wanted 0 to 3"),
            ("block_dim", 0, "wanted 1 or more"),
        ],
    )
    def test_out_of_range(self, workers, field, value, text):
        with pytest.raises(ch.ConfigError, match=text) as caught:
            run_fault(workers[0], "nothing", **{field: value})
        assert (caught.value.name, caught.value.where) == ("CONFIG_OUT_OF_RANGE", field)
        check_good(*workers)

    @pytest.mark.parametrize("field", ["ring_task_window", "ring_dep_pool", "ring_heap_bytes"])
    @pytest.mark.parametrize("value", [-1, 2**64, "many", 1.5])
    def test_not_a_number(self, field, value):
        with pytest.raises(ch.ChiphostError, match=field):
            ch.CallConfig(**{field: value})

    def test_the_largest_window(self, workers):
        """The content of a ring must not be found in another; this is tried in a process of its own."""
        with pytest.raises(ch.ConfigError) as caught:
            run_fault(workers[0], "nothing", ring_task_window=3)
        found = re.search(r"from 4 to (\d+)", caught.value.message)
        assert found is not None
        window = int(found[1])
        program = f"""
import sys
sys.path.insert(0, {str(SUPPORT)!r})
import chiphost as ch
from device_programs import NEW, TMR, WRITES, Arg, New, Program, Rings, from_, run_program, update
program = Program(TMR, Rings(window={window}))
made = len(program.tensors)
program.submit([Arg(NEW, New((4,)), WRITES)], constant=5)
program.begin()
program.begin()
program.submit([from_(made), update(0)])  # in ring 2
program.end()
program.end()
program.submit([from_(made), update(2)])
with ch.ChipWorker(TMR, "a5sim", isolation="copy") as worker:
    try:
        run_program(worker, program)
    except ch.DeviceMemoryError:
        pass
"""
        child = subprocess.run([sys.executable, "-c", program], check=False)
        assert child.returncode == 0

    def test_more_than_the_device_has(self, workers):
        runtime, platform = workers[0].runtime, workers[0].platform
        with ch.ChipWorker(runtime, platform, device_memory_bytes=1 << 24) as worker:
            with pytest.raises(ch.DeviceMemoryError) as caught:
                run_fault(worker, "nothing")
            assert caught.value.name == "DEVICE_MEMORY_EXHAUSTED"
            for _ in range(20):
                out, _ = run_fault(worker, "63 scopes", **SMALL)
                assert out[0] == 6


VARIABLES = {name: f"CHIPHOST_{name.upper()}" for name in SMALL}


class TestEnvironment:
    """CHIPHOST_RING_* give the values of a configuration that has none of its own."""

    def test_gives_defaults(self, workers, monkeypatch):
        run_fault(workers[0], "nothing")
        for name, value in SMALL.items():
            monkeypatch.setenv(VARIABLES[name], str(value))
        config = ch.CallConfig()
        assert {name: getattr(config, name) for name in SMALL} == SMALL
        with pytest.raises(ch.GraphError, match="4 slots"):
            run_fault(workers[0], "many tasks")
        run_fault(workers[0], "many tasks", ring_task_window=128, ring_dep_pool=128)
        with pytest.raises(ch.GraphError, match="4096"):
            run_fault(workers[0], "many buffers", ring_task_window=128, ring_dep_pool=128)
        for name in VARIABLES.values():
            monkeypatch.delenv(name)
        assert ch.CallConfig().ring_task_window is None  # what the chip has room for
        run_fault(workers[0], "many tasks")

    @pytest.mark.parametrize("field", VARIABLES)
    @pytest.mark.parametrize("text", ["many", "-4", "1.5", "8 slots", "99999999999999999999999", " "])
    def test_that_is_no_number_is_refused(self, monkeypatch, field, text):
        monkeypatch.setenv(VARIABLES[field], text)
        with pytest.raises(ch.ChiphostError, match=VARIABLES[field]):
            ch.CallConfig()

    @pytest.mark.parametrize(("field", "text"), [("ring_task_window", "12"), ("ring_dep_pool", "1")])
    def test_that_is_out_of_range_is_refused(self, workers, monkeypatch, field, text):
        monkeypatch.setenv(VARIABLES[field], text)
        with pytest.raises(ch.ConfigError, match=f"found {text}"):
            run_fault(workers[0], "nothing")

    @pytest.mark.parametrize("field", VARIABLES)
    def test_that_is_empty_counts_as_unset(self, monkeypatch, field):
        default = getattr(ch.CallConfig(), field)
        monkeypatch.setenv(VARIABLES[field], "")
        assert getattr(ch.CallConfig(), field) == default
