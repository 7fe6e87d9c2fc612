# SPDX-License-Identifier: Apache-2.0
"""Orchestrations on the AICPU and their kernels that cannot be loaded, and those that stay loaded."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from callables import PLATFORMS, chain, graph_from_table, run_graph
from checkout import SUPPORT
from device_faults import check_good, device_misbehave, run_fault

import chiphost as ch


class TestLoading:
    def test_an_orchestration_for_the_host(self, workers):
        worker, other = workers
        empty = np.zeros((0, 2), np.int32)
        with pytest.raises(ch.LoadError, match=r"device_graph\.h") as caught:
            worker.run(
                graph_from_table(worker.platform), [empty, empty, np.zeros(0, np.uint64), np.zeros(0, np.uint32)]
            )
        assert caught.value.name == "ABI_MISMATCH"
        check_good(worker, other)

    @pytest.mark.parametrize("platform", PLATFORMS)
    def test_an_orchestration_for_the_aicpu_on_the_host(self, platform):
        with ch.ChipWorker("host_build_graph", platform) as worker:
            with pytest.raises(ch.LoadError) as caught:
                run_fault(worker, "nothing")
            assert caught.value.name == "ABI_MISMATCH"
            run_graph(worker, *chain(5))

    def test_a_missing_entry(self, workers):
        worker, other = workers
        good = device_misbehave(worker.platform)
        callable = ch.ChipCallable(good.orchestration, good.kernels, "no_such_function", good.signature)
        with pytest.raises(ch.LoadError, match="no_such_function") as caught:
            worker.run(callable, [np.zeros(64, np.int32), np.zeros(1, np.uint8)])
        assert caught.value.name == "ENTRY_MISSING"
        check_good(worker, other)

    def test_no_orchestration_at_all(self, workers):
        """A library that does not say what it was built for: a kernel."""
        worker, other = workers
        good = device_misbehave(worker.platform)
        kernel = good.kernels[0][2]
        with pytest.raises(ch.LoadError, match="chiphost_orchestration_abi") as caught:
            worker.run(ch.ChipCallable(kernel, good.kernels, "kernel_entry"), [np.zeros(64, np.int32)])
        assert caught.value.name == "ENTRY_MISSING"
        check_good(worker, other)

    @pytest.mark.parametrize(
        ("damage", "name"),
        [
            (lambda data: b"text", "NOT_ELF"),
            (lambda data: b"", "NOT_ELF"),
            (lambda data: data[:2000], "FILE_TRUNCATED"),
            (lambda data: data[:18] + b"\xf3\x00" + data[20:], "WRONG_ARCHITECTURE"),
        ],
        ids=["text", "empty", "truncated", "RISC-V"],
    )
    @pytest.mark.parametrize("of_a_kernel", [False, True], ids=["orchestration", "kernel"])
    def test_broken_files(self, workers, damage, name, of_a_kernel):
        if not of_a_kernel:
            self.survives(workers[0], damage(device_misbehave(workers[0].platform).orchestration.data))
        worker, other = workers
        good = device_misbehave(worker.platform)

        def broken(binary: ch.Binary) -> ch.Binary:
            return ch.Binary(damage(binary.data), f"broken {name} {of_a_kernel}", "broken")

        orchestration, kernels = good.orchestration, list(good.kernels)
        if of_a_kernel:
            func_id, core, binary = kernels[0]
            kernels[0] = (func_id, core, broken(binary))
        else:
            orchestration = broken(orchestration)
        with pytest.raises(ch.LoadError) as caught:
            worker.run(ch.ChipCallable(orchestration, kernels, good.entry), [np.zeros(64, np.int32), b"nothing"])
        assert (caught.value.name, caught.value.where) == (name, "broken")
        check_good(worker, other)

    @pytest.mark.parametrize("isolation", ["namespace", "copy"])
    def test_after_the_environment_has_changed(self, workers, isolation):
        """A C library in a namespace does not see that the process's variables have moved."""
        program = f"""
import os, sys
sys.path.insert(0, {str(SUPPORT)!r})
import chiphost as ch
from device_faults import device_misbehave, run_fault
device_misbehave({workers[0].platform!r})
with ch.ChipWorker({workers[0].runtime!r}, {workers[0].platform!r}, isolation={isolation!r}) as worker:
    for i in range(1000):
        os.environ[f"CHIPHOST_TEST_{{i}}"] = "x" * 100
    for i in range(1000):
        del os.environ[f"CHIPHOST_TEST_{{i}}"]
    print(run_fault(worker, "nothing")[1].task_count)
"""
        child = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, check=False)
        assert (child.returncode, child.stdout) == (0, b"0\n")

    @staticmethod
    def survives(worker: ch.ChipWorker, data: bytes) -> None:
        """The dynamic loader must not meet a file that it crashes on, so this is tried in a process of its own."""
        program = f"""
import sys, chiphost as ch
binary = ch.Binary(sys.stdin.buffer.read(), "broken", "broken")
try:
    ch.ChipWorker({worker.runtime!r}, {worker.platform!r}).run(ch.ChipCallable(binary, []), [])
except ch.LoadError:
    print("refused")
"""
        child = subprocess.run([sys.executable, "-c", program], input=data, stdout=subprocess.PIPE, check=False)
        assert (child.returncode, child.stdout) == (0, b"refused\n")
