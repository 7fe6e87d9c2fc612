# SPDX-License-Identifier: Apache-2.0
"""The number of linker namespaces that are left, how they are shared, and the choice when there are none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import c_libraries
import pytest
from click.testing import CliRunner
from plain_dlmopen import namespaces_allowed
from throwaway_scenes import RUNTIME, write_scenes

import chiphost as ch
from chiphost import _core
from chiphost._cli.program import cli
from chiphost._runtimes.strategy import default_isolation
from chiphost.capacity import Capacity, capacity

TIMEOUT_S = 120
# glibc's own limit is beyond what static TLS allows without this.
MORE_TLS = "glibc.rtld.nns=16:glibc.rtld.optional_static_tls=8192"

pytestmark = pytest.mark.skipif(_core.namespaces_unavailable() is not None, reason=str(_core.namespaces_unavailable()))


def python(code: str, *words: str | Path, **options: str) -> str:
    """The output of this code in a process of its own, without tunables but those given."""
    environment = {name: value for name, value in os.environ.items() if name != "GLIBC_TUNABLES"}
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, words)],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        env={**environment, **options},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


SHOW = """
import dataclasses, json, sys
from chiphost.capacity import capacity
print(json.dumps(dataclasses.asdict(capacity(*sys.argv[1:]))))
"""


def show(*words: str | Path, before: str = "", **options: str) -> Capacity:
    """The capacity of a fresh process, which runs other code before."""
    return Capacity(**json.loads(python(f"{before}\n{SHOW}", *words, **options)))


def test_a_fresh_process() -> None:
    found, allowed = show(), namespaces_allowed()
    assert (found.opened, found.others, found.left, found.limit) == (0, 0, allowed, allowed)
    assert found.limited_by == "static TLS" and "static TLS" in found.words
    assert (found.tunable_namespaces, found.tunable_static_tls) == (4, 512)
    assert (found.more_with, found.more_namespaces) == ("glibc.rtld.nns=16", namespaces_allowed(MORE_TLS))


def test_what_it_advises_helps() -> None:
    found = show(GLIBC_TUNABLES=show().more_with)
    assert (found.left, found.limited_by, found.more_with) == (namespaces_allowed(MORE_TLS), "namespaces", "")


@pytest.mark.parametrize("before", ["import numpy", "import numpy, ml_dtypes, ctypes, sqlite3, ssl"])
def test_c4_imports_make_no_difference(before: str) -> None:
    assert show(before=before).left == namespaces_allowed()


def test_finds_what_a_library_leaves_room_for(tmp_path: Path) -> None:
    """Fact C3: a library that needs much static TLS fits into fewer namespaces; the advice suffices for all."""
    source = (
        '__attribute__((tls_model("initial-exec"))) thread_local char large[300]; '
        'extern "C" char* get() { return large; }'
    )
    library = c_libraries.build(source, tmp_path / "large.so")
    found = show(library)
    assert found.left == namespaces_allowed(library=library)
    assert 0 < found.left < namespaces_allowed() and found.limited_by == "static TLS"
    more = show(library, GLIBC_TUNABLES=found.more_with)
    assert more.left == found.more_namespaces == namespaces_allowed(MORE_TLS)


def test_a_library_that_cannot_be_loaded(tmp_path: Path) -> None:
    with pytest.raises(ch.LoadError) as caught:
        capacity(tmp_path / "missing.so")
    assert caught.value.name == "FILE_UNREADABLE"
    (tmp_path / "text.so").write_text("no library\n" * 100)
    with pytest.raises(ch.LoadError) as caught:
        capacity(tmp_path / "text.so")
    assert caught.value.name == "NOT_ELF"


def test_doctor_shows_it(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["doctor", "--json", str(tmp_path / "doctor.json")], prog_name="chiphost")
    assert result.exit_code == 0, result.output
    found = Capacity(**json.loads((tmp_path / "doctor.json").read_text())["namespaces"])
    assert found.problem == "" and found.left == capacity().left
    assert f"{found.left} left, found by trying; {found.opened} opened by chiphost" in result.stdout
    assert f"{found.limit} in a process" in result.stdout


REBUILD = """
import os, shutil, sys
from pathlib import Path
import chiphost as ch
from chiphost._runtimes import runtimes
from chiphost.capacity import capacity

folder, isolation = Path(sys.argv[1]), sys.argv[2]
original = runtimes.find(sys.argv[3], "a2a3sim")
files = ch.RuntimeFiles(*(folder / name for name in ("host.so", "aicpu.so", "aicore.so")))

def rebuild(number):
    for old, new in zip((original.host, original.aicpu, original.aicore), (files.host, files.aicpu, files.aicore)):
        shutil.copyfile(old, folder / "new")
        os.utime(folder / "new", (number, number))
        (folder / "new").rename(new)

def things():
    # Named maps: the heap may grow. Stacks and arenas have no name.
    maps = [line for line in Path("/proc/self/maps").read_text().splitlines() if "/" in line]
    return len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd")), len(maps)

run = {}
exec(Path(sys.argv[4]).read_text(), run)
program = run["build"]()
worker, seen = ch.ChipWorker(), set()
for number in range(1, 41):
    rebuild(number)
    worker.init(files, isolation=isolation)
    run["check"](worker, program)
    worker.reset()
    if number > 3:
        seen.add(things())
print(seen, capacity().opened)
"""

BUILD_AND_CHECK = """
import numpy as np
import chiphost as ch

scene = "{scene}"

def build():
    return ch.compile(f"{{scene}}/orchestration.cpp", [
        ch.Kernel(0, f"{{scene}}/kernels/add.cpp", "aiv"),
        ch.Kernel(1, f"{{scene}}/kernels/add_scalar.cpp", "aiv"),
        ch.Kernel(2, f"{{scene}}/kernels/multiply.cpp", "aiv"),
    ], signature=[ch.In("a", "float32", (None,)), ch.In("b", "float32", (None,)), ch.Out("f", "float32", (None,))])

def check(worker, program):
    a, b = np.full(16384, 2, np.float32), np.full(16384, 3, np.float32)
    f = np.empty_like(a)
    worker.run(program, [a, b, f], block_dim=3)
    assert (f == 42).all()
"""


@pytest.mark.parametrize(("isolation", "namespaces"), [("namespace", 1), ("copy", 0)])
def test_rebuilt_runtimes_do_not_pile_up(tmp_path: Path, scenes_root: Path, isolation: str, namespaces: int) -> None:
    run = tmp_path / "run.py"
    run.write_text(BUILD_AND_CHECK.format(scene=scenes_root / RUNTIME / "vector_example"))
    folder = tmp_path / "runtime"
    folder.mkdir()
    seen, opened = python(REBUILD, folder, isolation, RUNTIME, run).rsplit(" ", 1)
    assert int(opened) == namespaces
    assert len(eval(seen)) == 1, f"threads, files, maps: {seen}"


def test_more_runtimes_than_namespaces(tmp_path: Path) -> None:
    """Runtimes without a worker give way."""
    code = """
import shutil, sys
from pathlib import Path
import chiphost as ch
from chiphost._runtimes import runtimes
from chiphost.capacity import capacity

original = runtimes.find(sys.argv[2], "a2a3sim")
for number in range(20):
    host = Path(sys.argv[1]) / f"host{number}.so"
    shutil.copyfile(original.host, host)
    with ch.ChipWorker(ch.RuntimeFiles(host, original.aicpu, original.aicore), isolation="namespace"):
        pass
found = capacity()
print(found.opened, found.left, found.idle, found.pinned)
"""
    allowed = namespaces_allowed()
    assert python(code, tmp_path, RUNTIME) == f"{allowed} 0 {allowed} 0"


AUTO = """
import shutil, sys
from pathlib import Path
import chiphost as ch
from chiphost._runtimes import runtimes

original = runtimes.find(sys.argv[2], "a2a3sim")
workers = []
def load(isolation):
    host = Path(sys.argv[1]) / f"host{len(workers)}.so"
    shutil.copyfile(original.host, host)
    workers.append(ch.ChipWorker())
    workers[-1].init(ch.RuntimeFiles(host, original.aicpu, original.aicore), isolation=isolation)
    return workers[-1]
first = load("auto")
print(first.isolation, first.isolation_reason, sep="|")
try:
    while True:
        load("namespace")
except ch.IsolationError as error:
    print(error.name, "--more-namespaces" in str(error))
last = load("auto")
print(last.isolation, last.fell_back, last.isolation_reason, sep="|")
last.reset()
print(last.isolation_reason)
"""


def test_idle_runtimes_give_way_to_libraries(tmp_path: Path) -> None:
    library = c_libraries.build("int answer() { return 42; }", tmp_path / "library.so")
    program = """
import sys
import chiphost as ch
from chiphost import isolate
from chiphost.capacity import capacity
for runtime in "host_build_graph", "aicpu_build_graph":
    for platform in "a2a3sim", "a5sim":
        ch.ChipWorker(runtime, platform, isolation="namespace").finalize()
found = capacity()
held = [isolate.open(sys.argv[1], "namespace") for _ in range(found.left + found.idle)]
assert found.idle == 4 and capacity().idle == 0
try:
    isolate.open(sys.argv[1], "namespace")
except ch.ChiphostError as error:
    print(error.name)
held.pop().close()
with ch.ChipWorker("host_build_graph", isolation="namespace") as worker:
    print(worker.runtime)
"""
    assert python(program, library) == f"NAMESPACES_SPENT\n{RUNTIME}"


def test_auto_says_why(tmp_path: Path) -> None:
    first, spent, last, without = python(AUTO, tmp_path, RUNTIME).splitlines()
    assert first == "namespace|auto: a linker namespace keeps the C library and its heap apart too"
    assert spent == "NAMESPACES_SPENT True"
    assert last.startswith("copy|True|auto: this process can open no other linker namespace")
    assert without == "None"


def test_why_a_strategy_was_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with ch.ChipWorker(RUNTIME, isolation="copy") as worker:
        assert (worker.isolation, worker.isolation_reason) == ("copy", "asked for")
    with ch.ChipWorker(RUNTIME) as worker:
        assert worker.isolation == default_isolation()
        assert (worker.isolation_reason or "").startswith("the default: ")
    monkeypatch.setattr(_core, "namespaces_unavailable", lambda: "no dlmopen")
    assert default_isolation() == "copy"
    with ch.ChipWorker(RUNTIME, isolation="auto") as worker:
        assert (worker.isolation, worker.isolation_reason) == ("copy", "auto: no dlmopen")
    assert capacity() == Capacity(problem="no dlmopen")


@pytest.mark.parametrize(("isolation", "line"), [("copy", "Isolation: copy (asked for)"), ("namespace", None)])
def test_ci_says_what_is_not_the_default(tmp_path: Path, isolation: str, line: str | None) -> None:
    write_scenes(tmp_path, "passes")
    words = ["ci", "-p", "a2a3sim", "--scenes", str(tmp_path), "--isolation", isolation]
    result = CliRunner().invoke(cli, words, prog_name="chiphost")
    assert result.exit_code == 0, result.output
    found = [text for text in result.stdout.splitlines() if text.startswith("Isolation: ")]
    assert found == ([line] if line else [])
