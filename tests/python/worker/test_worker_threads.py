# SPDX-License-Identifier: Apache-2.0
"""ChipWorker in several threads and processes: every wait can be interrupted, and the process can end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from callables import PLATFORMS, RUNTIME, chain, misbehave, run_graph
from checkout import SUPPORT

import chiphost as ch
from chiphost._runtimes.strategy import default_isolation


class TestConcurrency:
    def test_workers_run_at_the_same_time(self):
        """Eight workers on two runtimes, each on a thread of its own."""
        failures: list[BaseException] = []

        def work(index: int) -> None:
            try:
                with ch.ChipWorker(RUNTIME, PLATFORMS[index % 2]) as worker:
                    for round_ in range(30):
                        run_graph(worker, *chain(5 + round_), sim_threads=1 + round_ % 2, seed=round_)
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures

    def test_one_worker_serves_many_threads(self, worker):
        failures: list[BaseException] = []

        def work() -> None:
            try:
                for length in range(1, 30):
                    run_graph(worker, *chain(length))
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures

    def test_a_run_can_be_watched_and_cancelled_from_another_thread(self):
        """Questions about a worker must not wait for its run."""
        worker = ch.ChipWorker(RUNTIME)
        ended: list[BaseException] = []

        def hang() -> None:
            try:
                worker.run(misbehave(), [np.zeros(4, np.int32), 10])
            except ch.DeadlineError as error:
                ended.append(error)

        misbehave()
        thread = threading.Thread(target=hang)
        thread.start()
        while thread.is_alive():
            assert worker.initialized and worker.device_id == 0 and worker.runtime == RUNTIME
            assert worker.isolation == default_isolation() and "host_build_graph" in repr(worker)
            assert worker.counts()["threads"] >= 2
            worker.cancel()
            thread.join(0.01)
        assert [error.name for error in ended] == ["INTERRUPTED"]
        assert worker.poisoned
        worker.cancel()
        worker.finalize()

    def test_ctrl_c_ends_a_run(self):
        """SIGINT while a kernel hangs: KeyboardInterrupt, a poisoned worker, and a process that ends in order."""
        program = f"""
import sys, threading, os, signal
sys.path.insert(0, {str(SUPPORT)!r})
import numpy as np, chiphost as ch
from callables import misbehave
worker = ch.ChipWorker("host_build_graph")
try:
    worker.run(misbehave(), [np.zeros(4, np.int32), 10])
except KeyboardInterrupt:
    print("interrupted", worker.poisoned, flush=True)
"""
        child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        with child, child.stdout:
            assert child.stdout.readline() == "the kernel runs\n"
            child.send_signal(signal.SIGINT)
            assert child.stdout.readline() == "interrupted True\n"
            assert child.wait(timeout=60) == 0

    @pytest.mark.parametrize("call", ["finalize()", "reset()", "run(*quick)", "init(RUNTIME)"])
    def test_ctrl_c_ends_the_wait_for_another_thread(self, call):
        program = f"""
import sys, threading
sys.path.insert(0, {str(SUPPORT)!r})
import numpy as np, chiphost as ch
from callables import RUNTIME, misbehave
worker = ch.ChipWorker(RUNTIME)
quick = (misbehave(), [np.zeros(4, np.int32), 0])
hang = lambda: worker.run(misbehave(), [np.zeros(4, np.int32), 10], timeout_s=0)
threading.Thread(target=hang, daemon=True).start()
sys.stdin.readline()  # the kernel runs
try:
    print("waits", flush=True)
    worker.{call}
except KeyboardInterrupt:
    print("interrupted", worker.initialized, worker.poisoned, flush=True)
"""
        child = subprocess.Popen(
            [sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert child.stdout is not None
        assert child.stdin is not None
        with child:
            try:
                assert child.stdout.readline() == "the kernel runs\n"
                child.stdin.write("\n")
                child.stdin.flush()
                assert child.stdout.readline() == "waits\n"
                time.sleep(0.2)
                child.send_signal(signal.SIGINT)
                out, _ = child.communicate(timeout=60)
            finally:
                child.kill()
        assert (out, child.returncode) == ("interrupted True False\n", 0)

    def test_a_timeout_includes_the_wait_for_another_thread(self):
        worker = ch.ChipWorker(RUNTIME)
        misbehave()
        errors: list[ch.DeadlineError] = []

        def hang() -> None:
            try:
                worker.run(misbehave(), [np.zeros(4, np.int32), 10], timeout_s=60)
            except ch.DeadlineError as error:
                errors.append(error)

        thread = threading.Thread(target=hang)
        thread.start()
        try:
            with pytest.raises(ch.DeadlineError, match=r"did not begin within 0\.4 s: another thread") as caught:
                while True:  # until the other thread has its turn
                    started = time.monotonic()
                    worker.run(misbehave(), [np.zeros(4, np.int32), 0], timeout_s=0.4)
            assert caught.value.name == "DEADLINE_EXCEEDED"
            assert 0.4 <= time.monotonic() - started < 30
            assert thread.is_alive()
        finally:
            worker.cancel()
            thread.join()
            worker.finalize()
        assert [error.name for error in errors] == ["INTERRUPTED"]

    @pytest.mark.parametrize("what", ["a hanging kernel", "run after run", "init after init"])
    def test_a_process_may_end_while_a_daemon_thread_is_at_work(self, what):
        program = f"""
import sys, threading, time
sys.path.insert(0, {str(SUPPORT)!r})
import numpy as np, chiphost as ch
from callables import chain, misbehave, run_graph
worker = ch.ChipWorker("host_build_graph")
run_graph(worker, *chain(5))
def work():
    while {what!r} == "run after run":
        run_graph(worker, *chain(20))
    while {what!r} == "init after init":
        worker.reset()
        worker.init("host_build_graph")
    worker.run(misbehave(), [np.zeros(4, np.int32), 10], timeout_s=0)
threading.Thread(target=work, daemon=True).start()
if {what!r} == "a hanging kernel":
    sys.stdin.readline()
else:
    print("at work", flush=True)
    time.sleep(0.2)
"""
        child = subprocess.Popen(
            [sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert child.stdout is not None
        with child:
            assert child.stdout.readline() in ("the kernel runs\n", "at work\n")
            _, words = child.communicate("\n", timeout=60)
        assert child.returncode == 0, words
        assert "terminate called" not in words

    def test_a_worker_may_run_while_the_process_ends(self):
        """This happens in the main thread: an exit handler that was registered before chiphost's runs after it."""
        program = f"""
import atexit, sys
sys.path.insert(0, {str(SUPPORT)!r})
atexit.register(lambda: print("ran", last()))
import chiphost as ch
from callables import chain, run_graph
worker = ch.ChipWorker("host_build_graph")
last = lambda: run_graph(worker, *chain(5)).task_count
run_graph(worker, *chain(5))
"""
        done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, timeout=60)
        assert (done.returncode, done.stdout) == (0, "ran 5\n")

    def test_a_constructor_that_hangs_holds_up_its_worker_only(self, tmp_path):
        """The loader is busy for ever; libraries that are loaded already go on."""
        (tmp_path / "kernel.cpp").write_text(
            "#include <unistd.h>\n"
            "#include <chiphost/kernel.h>\n"
            "__attribute__((constructor)) static void hang() { for (;;) pause(); }\n"
            'extern "C" __attribute__((visibility("default"))) __aicore__ void kernel_entry(__gm__ int64_t*) {}\n'
        )
        program = f"""
import sys, os
sys.path.insert(0, {str(SUPPORT)!r})
import numpy as np, chiphost as ch
from callables import FOLDER, RUNTIME, chain, run_graph
other = ch.ChipWorker(RUNTIME)
run_graph(other, *chain(5))
callable = ch.compile(FOLDER / "copy_tensor.cpp", [ch.Kernel(0, {str(tmp_path / "kernel.cpp")!r}, "aiv")])
worker = ch.ChipWorker(RUNTIME)
try:
    worker.run(callable, [np.zeros(4), np.zeros(4)], timeout_s=0.5)
except ch.DeadlineError as error:
    print(error.where, flush=True)
run_graph(other, *chain(5))
print(other.counts()["pinned"], flush=True)
fresh = ch.ChipWorker(RUNTIME)
run_graph(fresh, *chain(5), sim_threads=2)
worker.finalize()
print("done", flush=True)
os._exit(0)  # the loader would be asked to unload everything
"""
        done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, timeout=60)
        assert done.stdout.split("\n")[:3] == ["loading the callable", "0", "done"]

    def test_a_child_process_makes_its_own(self):
        worker = ch.ChipWorker(RUNTIME)
        run_graph(worker, *chain(5))
        child = os.fork()
        if child == 0:
            code = 1
            try:
                with pytest.raises(ch.StateError) as caught:
                    run_graph(worker, *chain(5))
                with pytest.raises(ch.StateError):
                    worker.counts()
                with ch.ChipWorker(RUNTIME, isolation="auto") as own:  # its parent may have opened all namespaces
                    run_graph(own, *chain(5))
                code = 17 if caught.value.name == "WRONG_PROCESS" else 2
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 17
        run_graph(worker, *chain(5))
        worker.finalize()
