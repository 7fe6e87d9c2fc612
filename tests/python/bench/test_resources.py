# SPDX-License-Identifier: Apache-2.0
"""The resources that this process holds, counted."""

from __future__ import annotations

import subprocess
import sys

import pytest

from chiphost._bench.resources import Resources

TAKE = """
import mmap, threading
from pathlib import Path
from chiphost._bench.resources import Resources
before = Resources.now()
go_on = threading.Event()
thread = threading.Thread(target=go_on.wait)
thread.start()
with Path("/proc/self/exe").open("rb") as file, mmap.mmap(file.fileno(), 4096, prot=mmap.PROT_READ) as memory:
    taken = Resources.now().since(before)
print(taken.threads, taken.files, taken.maps >= 1)
task = Path("/proc/self/task", str(thread.native_id))
go_on.set()
thread.join()
while task.exists():  # the system takes a moment longer than Python
    pass
left = Resources.now().since(before)
print(left.threads, left.files)
"""


def test_what_is_taken_is_counted_until_it_is_given_back() -> None:
    """This runs in a process of its own: threads that other tests have left may end at any moment."""
    if Resources.now() is None:
        pytest.skip("this system does not say")
    done = subprocess.run([sys.executable, "-c", TAKE], stdout=subprocess.PIPE, text=True, timeout=60, check=True)
    assert done.stdout.splitlines() == ["1 2 True", "0 0"]  # Python's mmap has a descriptor of its own


def test_differences_are_of_each_kind() -> None:
    assert Resources(5, 7, 11, 13).since(Resources(1, 2, 3, 14)) == Resources(4, 5, 8, -1)
