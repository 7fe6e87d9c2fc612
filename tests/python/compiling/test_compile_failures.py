# SPDX-License-Identifier: Apache-2.0
"""Compiling: the errors when no program comes out, or one that must not be loaded."""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest
from kernel_sources import BROKEN, KERNEL, failure_of, jobs_for, use_script, write

from chiphost import compiler
from chiphost._compiling import batch as compile_batch
from chiphost._compiling import output
from chiphost._compiling.cache import CompileCache
from chiphost.compiler import Kernel
from chiphost.errors import CompileError

pytestmark = pytest.mark.usefixtures("cache")


def test_an_error_has_file_line_and_a_command_to_paste(each_compiler: str, tmp_path: Path) -> None:
    source = write(tmp_path / "a b" / "bad.cpp", BROKEN)
    error = failure_of(lambda: compiler.compile_kernel(Kernel(3, source, "aiv"), "a2a3sim"))
    assert error.name == "COMPILE_FAILED"
    assert error.where == str(source)
    assert "kernel 'bad' (func_id 3, aiv)" in error.message
    assert re.search(rf"^{re.escape(str(source))}:2:\d+: error:.*nonsense", error.message, re.MULTILINE)
    assert "\x1b" not in error.message
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    (line,) = re.findall(r"^command: (.*)$", error.message, re.MULTILINE)
    assert shlex.split(line)[0] == shutil.which(each_compiler)
    source.write_text("int good;\n")
    assert subprocess.run(["sh", "-c", line], cwd=tmp_path, check=False).returncode == 0
    assert (tmp_path / "bad.so").is_file()


def test_the_command_knows_where_relative_flags_start(tmp_path: Path) -> None:
    source = write(tmp_path / "bad.cpp", BROKEN)
    write(tmp_path / "beside.h", "#define nonsense 1\n")
    flags = ["-include", "beside.h", "-DREST=nowhere"]
    write(source, BROKEN + "int c = REST;")
    error = failure_of(lambda: compiler.compile_kernel(Kernel(0, source, "aiv", flags=flags), "a2a3sim"))
    assert f"\ncommand: cd {tmp_path} && " in error.message


def test_every_file_that_failed_is_shown(tmp_path: Path, cache: CompileCache) -> None:
    sources = [write(tmp_path / f"k{i}.cpp", BROKEN if i % 2 else f"int n{i};") for i in range(6)]
    error = failure_of(lambda: compiler.compile_all(jobs_for(*sources)))
    assert error.name == "COMPILE_FAILED"
    assert error.message.startswith("3 of 6 files failed\n")
    positions = [error.message.index(f"{sources[i]}: kernel 'k{i}'") for i in (1, 3, 5)]
    assert positions == sorted(positions)
    assert error.message.count("\ncommand: ") == 3
    assert cache.stats().programs == 3


def test_an_enormous_output_is_cut_in_the_middle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write(tmp_path / "k.cpp", KERNEL)
    use_script(
        tmp_path / "cxx", "echo first; yes again and again | head -c 5000000; echo; echo last; exit 3", monkeypatch
    )
    error = failure_of(lambda: compiler.compile_all(jobs_for(source)))
    assert "ended with exit code 3\nfirst\nagain" in error.message
    assert "\nlast\ncommand: " in error.message
    assert re.search(r"\[\.\.\. 49\d{5} bytes left out \.\.\.\]", error.message)
    assert len(error.message) < 100_000


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("kill -11 $$", "was ended by signal 11"),
        ("exit 0", "reported success but wrote no program"),
        ("printf '\\377\\n'; exit 1", "\ufffd"),
    ],
)
def test_odd_compilers_are_reported(body: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_script(tmp_path / "cxx", body, monkeypatch)
    error = failure_of(lambda: compiler.compile_all(jobs_for(write(tmp_path / "k.cpp", KERNEL))))
    assert error.name == "COMPILE_FAILED"
    assert message in error.message


def reap_all(number: int, frame: object) -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


@pytest.mark.parametrize("handler", [signal.SIG_IGN, reap_all], ids=["ignored", "reaped"])
@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("exec $real $*", "ended with exit code 1"),
        ("kill -11 $$", "was ended by signal 11"),
        ("echo words; exit 7", "ended with exit code 7"),
        ("exit 0", "reported success but wrote no program"),
    ],
)
def test_how_a_compiler_ended_is_known_whatever_becomes_of_children(
    handler: object, body: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_script(tmp_path / "cxx", body, monkeypatch)
    before = signal.signal(signal.SIGCHLD, handler)  # type: ignore[arg-type]
    try:
        error = failure_of(lambda: compiler.compile_all(jobs_for(write(tmp_path / "k.cpp", BROKEN))))
        monkeypatch.delenv("CXX")
        [program] = compiler.compile_all(jobs_for(write(tmp_path / "good.cpp", KERNEL)))
        assert compiler.compile_all(jobs_for(tmp_path / "good.cpp")) == [program]
    finally:
        signal.signal(signal.SIGCHLD, before)
    assert (error.name, message in error.message) == ("COMPILE_FAILED", True)


def test_a_missing_compiler_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    error = failure_of(lambda: compiler.compile_all(jobs_for(write(tmp_path / "k.cpp", KERNEL))))
    assert error.name == "COMPILER_MISSING"


def test_a_compiler_that_vanishes_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "cxx"
    use_script(script, 'rm "$0"\nexec $real "$@"', monkeypatch)
    sources = [write(tmp_path / f"k{i}.cpp", f"int n{i};") for i in range(3)]
    error = failure_of(lambda: compiler.compile_all(jobs_for(*sources), max_workers=1))
    assert error.name == "COMPILER_MISSING"
    assert str(script) in error.message


def test_no_room_for_temporary_files_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = jobs_for(write(tmp_path / "k.cpp", KERNEL), write(tmp_path / "bad.cpp", BROKEN))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    error = failure_of(lambda: compiler.compile_all(jobs[:1]))
    assert "no temporary folder can be made" in error.message
    assert "TMPDIR" in error.hint
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(compile_batch, "_TEMPORARY_BYTES_MIN", 1 << 62)
    assert "TMPDIR" in failure_of(lambda: compiler.compile_all(jobs[1:])).hint


def test_warnings_are_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    jobs = jobs_for(write(tmp_path / "k.cpp", "void f() { int unused; }\n"))
    with caplog.at_level(logging.WARNING, logger="chiphost"):
        compiler.compile_all(jobs)
        compiler.compile_all(jobs)
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("chiphost", logging.WARNING)
    assert f"kernel 'k' (func_id 0, aiv): {tmp_path}" in record.getMessage()
    assert "k.cpp:1:" in record.getMessage()
    assert "[-Wunused-variable]" in record.getMessage()


def test_temporary_files_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    compiler.compile_all(jobs_for(write(tmp_path / "k.cpp", KERNEL)))
    failure_of(lambda: compiler.compile_all(jobs_for(write(tmp_path / "bad.cpp", BROKEN))))
    assert not list(temporary.iterdir())


@pytest.mark.parametrize(
    ("flag", "kind"), [("-c", "an object file"), ("-E", "something else, such as text"), ("-S", "something else")]
)
def test_flags_that_give_no_shared_library_are_refused(
    tmp_path: Path, cache: CompileCache, flag: str, kind: str, each_compiler: str
) -> None:
    source = write(tmp_path / "k.cpp", KERNEL)
    for _ in range(2):  # and not kept in the cache
        with pytest.raises(CompileError, match=f"wrote no ELF shared library but {kind}") as caught:
            compiler.compile_kernel(Kernel(0, source, "aiv", flags=[flag]), "a2a3sim")
        assert caught.value.name == "COMPILE_FAILED"
        assert "out of flags" in str(caught.value.hint)
        assert flag in caught.value.message.split()
    assert cache.stats().programs == 0


def test_what_was_kept_and_is_no_shared_library_is_compiled_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = Kernel(0, write(tmp_path / "k.cpp", KERNEL), "aiv", flags=["-c"])
    monkeypatch.setattr(output, "is_shared_library", lambda data: True)
    compiler.compile_kernel(kernel, "a2a3sim")
    monkeypatch.undo()
    monkeypatch.setenv("CHIPHOST_CACHE_DIR", str(tmp_path / "cache"))
    with pytest.raises(CompileError, match="wrote no ELF shared library"):
        compiler.compile_kernel(kernel, "a2a3sim")


def test_a_sanitizer_that_must_come_first_in_the_process_is_refused(tmp_path: Path) -> None:
    source = write(tmp_path / "k.cpp", KERNEL)
    for options, runtime in ((["-fsanitize=address"], "libasan"), (["-g", "-fsanitize=thread"], "libtsan")):
        with pytest.raises(CompileError, match=f"needs {runtime}.*from its beginning") as caught:
            compiler.compile_kernel(Kernel(0, source, "aiv", flags=options), "a2a3sim")
        assert "-fsanitize" in caught.value.hint
    compiler.compile_kernel(Kernel(0, source, "aiv", flags=["-fsanitize=undefined"]), "a2a3sim")
