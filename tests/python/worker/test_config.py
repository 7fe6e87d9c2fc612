# SPDX-License-Identifier: Apache-2.0
"""The configuration of a run: its fields, their limits and their defaults."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from callables import RUNTIME, chain, copy_tensor, run_graph
from only_dlpack import OnlyDlpack
from recovery import goes_on

import chiphost as ch


class TestConfig:
    def test_defaults(self):
        assert repr(ch.CallConfig()) == (
            "CallConfig(block_dim=None, aicpu_thread_num=None, orch_thread_num=1, sim_threads=1, seed=0, trace=False, "
            "ring_task_window=None, ring_heap_bytes=None, ring_dep_pool=None, timeout_s=60.0, check=0)"
        )

    @pytest.mark.parametrize(
        "field", ["block_dim", "aicpu_thread_num", "ring_task_window", "ring_heap_bytes", "ring_dep_pool"]
    )
    def test_what_is_left_to_the_chip(self, field):
        config = ch.CallConfig(**{field: 4096})
        assert getattr(config, field) == 4096
        setattr(config, field, None)
        assert getattr(config, field) is None
        with pytest.raises(ch.ConfigError, match=f"{field}: .* or None for what the chip has; found 0") as caught:
            setattr(config, field, 0)
        assert f"change {field}= of run() or CallConfig, or '{field}' in the config of a scene" in caught.value.hint
        assert (f"CHIPHOST_{field.upper()}" in caught.value.hint) == field.startswith("ring")

    def test_the_chip(self, worker):
        assert worker.chip == ch.Chip(clusters=24, aicpu_threads=4, memory_bytes=64 << 30)
        with ch.ChipWorker(RUNTIME, "a5sim", isolation="process") as other:
            assert other.chip == ch.Chip(clusters=36, aicpu_threads=7, memory_bytes=other.chip.memory_bytes)
            other.reset()
            assert other.chip is None

    def test_fields(self):
        config = ch.CallConfig(3, 4, 0, seed=9, sim_threads=2, timeout_s=1)
        assert (config.block_dim, config.aicpu_thread_num, config.orch_thread_num) == (3, 4, 0)
        assert (config.seed, config.sim_threads, config.timeout_s, config.trace) == (9, 2, 1.0, False)
        other = copy.copy(config)
        other.block_dim = 5
        assert config.block_dim == 3
        with pytest.raises(ch.ConfigError, match="block_dim"):
            config.block_dim = -1
        with pytest.raises(ch.ChiphostError):
            ch.CallConfig(block_dim="many")
        with pytest.raises(ch.ArgumentError, match="trace: wanted True or False, found str"):
            ch.CallConfig(trace="yes")
        with pytest.raises(ch.ArgumentError, match="timeout_s: wanted a number, found str"):
            config.timeout_s = "soon"

    def test_arguments_that_there_are_not(self):
        with pytest.raises(TypeError, match="CallConfig takes 3 arguments without a name, found 4"):
            ch.CallConfig(3, 4, 0, 1)
        with pytest.raises(TypeError, match="CallConfig got two values for 'orch_thread_num'"):
            ch.CallConfig(3, 4, 0, orch_thread_num=1)

    def test_is_a_plain_value(self):
        fields = {"block_dim": 3, "aicpu_thread_num": 4, "orch_thread_num": 0, "sim_threads": 2, "seed": 2**64 - 1}
        fields |= {"ring_task_window": 8, "ring_heap_bytes": 2**40, "ring_dep_pool": 16, "check": 5}
        config = ch.CallConfig(**fields, trace=True, timeout_s=0.1)
        for again in (pickle.loads(pickle.dumps(config)), copy.deepcopy(config), copy.copy(config)):
            assert again is not config
            assert repr(again) == repr(config)
        assert {name for name in dir(config) if not name.startswith("_")} == {*fields, "trace", "timeout_s"}

    @pytest.mark.parametrize("value", [2**32, 2**40, 2**70, -1, -(2**70)])
    def test_what_no_chip_has(self, value):
        with pytest.raises(ch.ConfigError, match=f"block_dim: wanted 0 or more, .*; found {value}"):
            ch.CallConfig(block_dim=value)

    @pytest.mark.parametrize(
        ("field", "value", "text"),
        [
            ("block_dim", 0, "wanted 1 or more, .*; found 0"),
            ("block_dim", 25, "wanted 1 to 24 on a2a3, found 25"),
            ("aicpu_thread_num", 5, "wanted 1 to 4 on a2a3, found 5"),
            ("orch_thread_num", 4, "wanted 0 to 3 on a2a3, found 4"),
            ("sim_threads", 65, "wanted 1 to 64 on a2a3, found 65"),
        ],
    )
    def test_ranges(self, worker, other, field, value, text):
        with pytest.raises(ch.ConfigError, match=text) as caught:
            run_graph(worker, *chain(2), **{field: value})
        assert caught.value.where == field
        run_graph(worker, *chain(2))
        goes_on(worker, other)

    def test_ranges_of_a5(self):
        with ch.ChipWorker(RUNTIME, "a5sim") as worker:
            run_graph(worker, *chain(50), block_dim=36, aicpu_thread_num=7)
            with pytest.raises(ch.ConfigError, match="wanted 1 to 36 on a5, found 37"):
                run_graph(worker, *chain(2), block_dim=37)

    @pytest.mark.parametrize("value", [-1, -1e-9, float("nan"), float("-inf")])
    def test_no_time_to_wait(self, worker, other, value):
        for attempt in (
            lambda: ch.CallConfig(timeout_s=value),
            lambda: setattr(ch.CallConfig(), "timeout_s", value),
            lambda: run_graph(worker, *chain(2), timeout_s=value),
        ):
            with pytest.raises(ch.ConfigError, match="wanted 0 or more, found") as caught:
                attempt()
            assert (caught.value.name, caught.value.where) == ("CONFIG_OUT_OF_RANGE", "timeout_s")
        run_graph(worker, *chain(2), timeout_s=0)
        run_graph(worker, *chain(2), timeout_s=float("inf"))
        goes_on(worker, other)

    def test_is_read_when_the_run_begins(self, worker):
        """Another thread may change it while the run waits for its turn."""
        config = ch.CallConfig(trace=True)

        class ChangesIt(OnlyDlpack):
            def __dlpack__(self, **options: object) -> object:
                config.trace = False
                config.block_dim = 10_000
                return super().__dlpack__(**options)

        array, out = np.arange(3), np.zeros(3, np.int64)
        result = worker.run(copy_tensor(None), [ChangesIt(array), out], config)
        assert result.trace
        assert out.tolist() == [0, 1, 2]

    def test_unknown_field(self, worker):
        with pytest.raises(TypeError, match="blockdim"):
            run_graph(worker, *chain(2), blockdim=3)
        with pytest.raises(TypeError, match=r"^CallConfig has no field 'nope'$"):
            ch.CallConfig(nope=1)
        with pytest.raises(TypeError, match="no field 'blockdim'"):
            worker.run(copy_tensor(None), [np.zeros(1), np.zeros(1)], ch.CallConfig(), blockdim=3)

    def test_trace_needs_one_thread(self, worker):
        with pytest.raises(ch.ConfigError, match="sim_threads 1"):
            run_graph(worker, *chain(2), trace=True, sim_threads=2)
