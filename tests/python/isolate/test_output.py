# SPDX-License-Identifier: Apache-2.0
"""The output of libraries, kernels and orchestrations arrives, in order, also where stdout is no terminal."""

from __future__ import annotations

import subprocess
import sys
from ctypes import c_char_p
from pathlib import Path

import c_libraries
import numpy as np
import pytest
from callables import RUNTIME, printing_callable
from checkout import SUPPORT

import chiphost as ch
from chiphost import isolate

STRATEGIES = ("namespace", "copy", "process")
SOURCE = r"""
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>
extern "C" {
void say(const char* text) { printf("%s\n", text); }
void say_without_end(const char* text) { printf("%s", text); }
void say_and_hang(const char* text) { printf("%s\n", text); for (;;) pause(); }
}
static const struct Loaded {
    Loaded() { printf("loaded\n"); }
    ~Loaded() { printf("unloaded\n"); }
} loaded;
"""


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    return c_libraries.build(SOURCE, tmp_path_factory.mktemp("output") / "prints.so")


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_library_s_words_are_there_when_the_call_returns(path, strategy, capfd):
    library = isolate.open(path, strategy)
    assert capfd.readouterr().out == "loaded\n"
    library.function("say", None, [c_char_p])(b"one")
    assert capfd.readouterr().out == "one\n"
    library.function("say_without_end", None, [c_char_p])(b"two")
    assert capfd.readouterr().out == "two"
    library.close()
    assert capfd.readouterr().out == "unloaded\n"


@pytest.mark.parametrize("strategy", ["namespace", "copy"])
@pytest.mark.parametrize("sim_threads", [1, 2])
def test_a_run_s_words_are_there_when_it_returns(strategy, sim_threads, capfd):
    with ch.ChipWorker(RUNTIME, isolation=strategy) as worker:
        for number in range(3):
            worker.run(printing_callable(), [np.zeros(1, np.int32), number], sim_threads=sim_threads)
            assert capfd.readouterr().out == f"orchestration {number}\nkernel {number}\n"


@pytest.mark.parametrize("strategy", ["namespace", "copy"])
def test_words_of_a_call_that_hangs_are_not_lost(path, strategy, capfd):
    library = isolate.open(path, strategy)
    capfd.readouterr()
    with pytest.raises(ch.DeadlineError):
        library.function("say_and_hang", None, [c_char_p])(b"last words", timeout_s=1)
    assert capfd.readouterr().out == "last words\n"


PIPE = """
import sys
sys.path.insert(0, sys.argv[1])
import numpy as np
import chiphost as ch
from chiphost import isolate
from ctypes import c_char_p
from callables import printing_callable
print("Python: first")
library = isolate.open(sys.argv[2], sys.argv[3])
say = library.function("say", None, [c_char_p])
for word in b"one", b"two":
    print("Python: before", word.decode())
    say(word)
print("Python: before the end")
library.close()
print("Python: before the run")
with ch.ChipWorker("host_build_graph", isolation=sys.argv[3]) as worker:
    worker.run(printing_callable(), [np.zeros(1, np.int32), 5])
print("Python: last")
"""


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_words_come_in_order_with_python_s_through_a_pipe(path, strategy):
    printing_callable()  # so that no compiler is needed there
    program = [sys.executable, "-c", PIPE, str(SUPPORT), str(path), strategy]
    done = subprocess.run(program, stdout=subprocess.PIPE, text=True, timeout=120, check=True)
    assert done.stdout.splitlines() == [
        "Python: first",
        "loaded",
        "Python: before one",
        "one",
        "Python: before two",
        "two",
        "Python: before the end",
        "unloaded",
        "Python: before the run",
        "orchestration 5",
        "kernel 5",
        "Python: last",
    ]


LATE = """
import sys, time
from chiphost import isolate
from ctypes import c_int
library = isolate.open(sys.argv[1], sys.argv[2])
assert library.function("say_later", c_int)() == 0
"""


@pytest.mark.parametrize("strategy", ["namespace", "copy"])
def test_words_of_a_thread_that_prints_after_the_last_call_are_there_at_the_end(strategy, tmp_path):
    source = r"""
    #include <pthread.h>
    #include <stdio.h>
    #include <unistd.h>
    static int done = 0;
    static void* later(void*) {
        printf("later\n");
        __atomic_store_n(&done, 1, __ATOMIC_RELEASE);
        for (;;) pause();
    }
    extern "C" int say_later() {
        pthread_t thread;
        const int failed = pthread_create(&thread, nullptr, later, nullptr);
        while (!failed && !__atomic_load_n(&done, __ATOMIC_ACQUIRE)) usleep(1000);
        return failed;
    }
    """
    path = c_libraries.build(source, tmp_path / "later.so", "-pthread")
    program = [sys.executable, "-c", LATE, str(path), strategy]
    done = subprocess.run(program, stdout=subprocess.PIPE, text=True, timeout=120, check=True)
    assert done.stdout == "later\n"


def test_a_run_needs_no_stdout():
    program = "\n".join(
        [
            "import os, sys",
            "sys.path.insert(0, sys.argv[1])",
            "import numpy as np",
            "import chiphost as ch",
            "from callables import printing_callable",
            "os.close(1)",
            "for sys.stdout in sys.stdout, None:",
            "    with ch.ChipWorker('host_build_graph') as worker:",
            "        worker.run(printing_callable(), [np.zeros(1, np.int32), 5])",
        ]
    )
    printing_callable()
    subprocess.run([sys.executable, "-c", program, str(SUPPORT)], timeout=120, check=True)
