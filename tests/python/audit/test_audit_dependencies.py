# SPDX-License-Identifier: Apache-2.0
"""The audit and the dependencies of a library: missing ones, files that are none, and those with a hazard."""

from __future__ import annotations

import contextlib

import pytest
from audited_libraries import PLAIN, THREAD_LOCAL, UNIQUE, build, calling, ids, in_a_process

from chiphost import isolate
from chiphost.audit import STRATEGIES, audit
from chiphost.audit.subject import HostProcess
from chiphost.errors import ChiphostError, IsolationError, LoadError


def test_dependencies(tmp_path):
    build(tmp_path, PLAIN, "-Wl,-soname,libdepends.so", name="libdepends.so")
    source, link = calling("int f(int)", "f(1)"), [f"-L{tmp_path}", "-ldepends"]
    missing = audit(build(tmp_path, source, *link))
    assert missing.auto.strategy is None
    assert {verdict.reasons for verdict in missing.verdicts.values()} == {("missing-dependencies",)}
    absolute = audit(build(tmp_path, source, *link, f"-Wl,-rpath,{tmp_path}"))
    assert "shared-dependencies" in ids(absolute)
    assert "origin-dependencies" not in ids(absolute)
    for tags in ("--enable-new-dtags", "--disable-new-dtags"):
        relative = audit(build(tmp_path, source, *link, "-Wl,-rpath,$ORIGIN", f"-Wl,{tags}"))
        assert relative.verdicts["copy"].reasons == ("origin-dependencies",)
        assert relative.verdicts["namespace"].answer == "ok"


def test_too_many_open_files_are_no_missing_dependency(tmp_path):
    first = build(tmp_path, PLAIN.replace("f(", "f000("), "-Wl,-soname,libn000.so", name="libn000.so").read_bytes()
    numbers = [f"{number:03}".encode() for number in range(60)]
    for number in numbers:
        (tmp_path / f"libn{number.decode()}.so").write_bytes(first.replace(b"n000", b"n" + number))
    needed = [f"-l:libn{number.decode()}.so" for number in numbers]
    library = build(tmp_path, PLAIN, f"-L{tmp_path}", "-Wl,--no-as-needed", *needed, f"-Wl,-rpath,{tmp_path}")
    program = f"""
    import os, resource
    from chiphost.audit import audit
    from chiphost.errors import LoadError
    audit({str(library)!r})
    used = len(os.listdir("/proc/self/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + 20, used + 20))
    found = audit({str(library)!r})
    print(len(found.needed) >= 60, found.auto.strategy)
    while True:
        try:
            last = os.open("/", os.O_RDONLY)
        except OSError:
            break
    os.close(last)  # enough for the library, not for what it needs
    try:
        audit({str(library)!r})
    except LoadError as error:
        print(error.name, "Too many open files" in error.message, "ulimit -n" in error.message)
    """
    assert in_a_process(program) == "True namespace\nFILE_UNREADABLE True True\n"


def test_a_dependency_that_is_no_library_is_named(tmp_path):
    depends = build(tmp_path, PLAIN, "-Wl,-soname,libdepends.so", name="libdepends.so")
    library = build(tmp_path, calling("int f(int)", "f(1)"), f"-L{tmp_path}", "-ldepends", f"-Wl,-rpath,{tmp_path}")
    depends.write_text("INPUT ( /nowhere/libdepends.so.1 )")
    found = audit(library)
    assert found.verdicts["process"].reasons == ("missing-dependencies",)
    [finding] = [finding for finding in found.findings if finding.id == "missing-dependencies"]
    assert str(depends) in finding.seen
    assert "not found" not in finding.seen


def test_a_missing_dependency_that_the_program_has_is_there_for_copies(tmp_path):
    depends = build(tmp_path, PLAIN, "-Wl,-soname,libdepends.so", name="libdepends.so")
    library = build(tmp_path, calling("int f(int)", "f(1)"), f"-L{tmp_path}", "-ldepends")
    program = f"""
    import ctypes
    from chiphost import isolate
    from chiphost.audit import audit
    print(audit({str(library)!r}).auto.strategy)
    ctypes.CDLL({str(depends)!r})
    print(audit({str(library)!r}).auto.strategy)
    isolate.open({str(library)!r}, "auto").function("g")()
    """
    assert in_a_process(program) == "None\ncopy\n"


def test_a_unique_symbol_in_a_dependency_only(tmp_path):
    build(tmp_path, UNIQUE, "-Wl,-soname,libdepends.so", name="libdepends.so")
    library = build(tmp_path, calling("int f()", "f()"), f"-L{tmp_path}", "-ldepends", f"-Wl,-rpath,{tmp_path}")
    found = audit(library)
    assert "unique-symbols" not in ids(found)
    [finding] = [finding for finding in found.findings if finding.id == "pinned-dependencies"]
    assert finding.symbols == ("libdepends.so",)
    assert (found.verdicts["recycle"].answer, found.verdicts["recycle"].reasons) == ("no", ("pinned-dependencies",))
    assert found.verdicts["copy"].reasons == ("shared-dependencies",)
    closed = isolate.open(library, "namespace").close()
    assert (closed.state, closed.namespace_recycled) == ("pinned", False)


def test_thread_local_storage_of_a_dependency_above_the_reserve(tmp_path):
    source = THREAD_LOCAL.replace("512", str(HostProcess().static_tls() + 512))
    build(tmp_path, source, "-ftls-model=initial-exec", "-Wl,-soname,libdepends.so", name="libdepends.so")
    library = build(tmp_path, calling("char* f()", "f()"), f"-L{tmp_path}", "-ldepends", f"-Wl,-rpath,{tmp_path}")
    found = audit(library)
    for strategy in STRATEGIES:
        assert found.verdicts[strategy].reasons == ("static-tls",)
        with pytest.raises(IsolationError, match="STATIC_TLS_SPENT"):
            isolate.open(library, strategy)


def test_versions_of_dependencies(tmp_path):
    def depends(version: str, *flags: str) -> None:
        if version:
            (tmp_path / "map").write_text(f"{version} {{ global: *; }};")
            flags = (f"-Wl,--version-script={tmp_path / 'map'}",)
        source = "" if "-DNOTHING" in flags else calling("void abort()", "abort()")  # from libc, with a version
        build(tmp_path, PLAIN + source, "-Wl,-soname,libdepends.so", *flags, name="libdepends.so")

    depends("NEW")
    library = build(tmp_path, calling("int f(int)", "f(1)"), f"-L{tmp_path}", "-ldepends", f"-Wl,-rpath,{tmp_path}")
    assert "missing-versions" not in ids(audit(library))
    depends("OLD")
    found = audit(library)
    assert found.verdicts["process"].reasons == ("missing-versions",)
    with pytest.raises(LoadError, match="NEW' not found"):
        isolate.open(library, "process")
    depends("", "-DNOTHING")  # an assertion of glibc 2.36 fails at a library without versions, and ends the process
    assert audit(library).verdicts["process"].reasons == ("missing-versions",)
    with contextlib.suppress(ChiphostError):
        isolate.open(library, "process").close()
    depends("")  # a library without own versions is taken as it is
    assert audit(library).auto.strategy == "namespace"
    isolate.open(library, "process").close()
