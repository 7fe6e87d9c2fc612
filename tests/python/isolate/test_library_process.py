# SPDX-License-Identifier: Apache-2.0
"""Libraries in processes of their own: how they end, and the errors about it."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from ctypes import c_int, c_void_p

import numpy as np
import pytest
from processes import is_alive
from sample_library import in_a_process

from chiphost import isolate
from chiphost.errors import ArgumentError, DeadlineError, ProcessError, StateError


@pytest.mark.parametrize(
    ("name", "arguments", "how"),
    [
        ("crash", (), "was killed by SIGSEGV while it was running; its last words on stderr:\nabout to crash"),
        ("give_up", (), "was killed by SIGABRT while it was running"),
        ("leave", (3,), "exited with code 3 while it was running"),
        ("leave", (0,), "exited with code 0 while it was running"),
    ],
)
def test_the_end_of_its_process_is_an_error(path, name, arguments, how):
    with isolate.open(path, "process") as other, isolate.open(path, "process") as library:
        end = library.function(name, None, [c_int] * len(arguments))
        with pytest.raises(ProcessError) as caught:
            end(*arguments)
        assert (caught.value.name, caught.value.where) == ("PROCESS_DIED", name)
        assert how in caught.value.message
        assert library.poisoned
        assert library.process_id is None
        with pytest.raises(StateError, match="the library's globals are gone with it"):
            end(*arguments)
        assert library.close().state == "unloaded"
        assert other.function("next_call", c_int)() == 1


def test_a_process_that_hangs_is_killed(path):
    library = isolate.open(path, "process")
    with pytest.raises(DeadlineError, match="was killed"):
        library.function("wait_for_release", c_int)(timeout_s=0.05)
    with pytest.raises(StateError, match="was killed by SIGKILL in wait_for_release"):
        library.function("next_call", c_int)
    assert library.close() == isolate.CloseResult("unloaded", (), False)


def test_a_process_may_be_killed_between_calls_and_in_a_call(path):
    with isolate.open(path, "process") as library:
        count = library.function("next_call", c_int)
        os.kill(library.process_id, signal.SIGKILL)
        with pytest.raises(ProcessError, match="was killed by SIGKILL"):
            count()
    with isolate.open(path, "process") as library, ThreadPoolExecutor(1) as thread:
        call = thread.submit(library.function("wait_for_release", c_int))
        os.kill(library.process_id, signal.SIGKILL)
        with pytest.raises(ProcessError, match="was killed by SIGKILL"):
            call.result()


def test_an_address_of_the_callers_is_refused(path):
    with isolate.open(path, "process") as library:
        is_null = library.function("is_null", c_int, [c_void_p])
        assert (is_null(None), is_null(1)) == (1, 0)
        # An array can be told only if the child has no memory at its address; of several large ones at least one is
        # such.
        memory = [np.zeros(32 << 20, np.uint8) for _ in range(8)]
        refused = 0
        for one in memory:
            try:
                is_null(one.ctypes.data + (16 << 20))
            except ArgumentError as error:
                assert "argument 1 is an address of the caller's memory" in error.message
                refused += 1
        assert refused


def test_nothing_is_left_of_a_killed_parent(path, tmp_path):
    program = """
    import os, signal
    library = isolate.open(path, "process")
    hang = isolate.open(path, "process")
    import threading
    threading.Thread(target=hang.function("wait_for_release", c_int), daemon=True).start()
    print(library.process_id, hang.process_id, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
    """
    done = in_a_process(path, program, TMPDIR=str(tmp_path))
    assert done.returncode == -signal.SIGKILL, done.stderr
    children = [int(word) for word in done.stdout.split()]
    assert len(children) == 2
    deadline = time.monotonic() + 120
    while any(is_alive(child) for child in children) or any(tmp_path.iterdir()):
        assert time.monotonic() < deadline, (children, list(tmp_path.iterdir()))
        time.sleep(0.01)


def test_fifty_processes(path):
    libraries = [isolate.open(path, "process") for _ in range(50)]
    counts = [library.function("next_call", c_int) for library in libraries]
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(lambda count: (count(), count()), counts)) == [(1, 2)] * 50
    assert len({library.process_id for library in libraries}) == 50
    assert {library.close().state for library in libraries} == {"unloaded"}
