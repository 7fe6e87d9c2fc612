# SPDX-License-Identifier: Apache-2.0
"""The audit of shared libraries: each hazard is seen where it is, and not where it is not."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chiphost.audit import STRATEGIES, Audit, audit
from chiphost.cli import cli
from chiphost.errors import LoadError

ROOT = Path(__file__).resolve().parents[2]
PLAIN = 'extern "C" int f(int x) { return x + 1; }\n'
UNIQUE = """
template <class T> struct S { static T v; };
template <class T> T S<T>::v = 3;
extern "C" int f() { return ++S<int>::v; }
"""
THREAD_LOCAL = 'thread_local char v[512];\nextern "C" char* f() { return v; }\n'
OWN_CALL = 'extern "C" { void* malloc(unsigned long) { return nullptr; }\nvoid* f() { return malloc(1); } }\n'


def build(folder: Path, source: str, *flags: str, name: str = "library.so") -> Path:
    """A small library."""
    output = folder / name
    words = ["g++", "-x", "c++", "-", "-x", "none", "-O1", "-fno-builtin", "-shared", "-fPIC", "-o", output, *flags]
    done = subprocess.run(words, input=source, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return output


def calling(declaration: str, call: str) -> str:
    """A source that calls a function of another library."""
    return f'extern "C" {{\n{declaration};\nvoid g() {{ {call}; }}\n}}\n'


def with_destructor(body: str) -> str:
    return f'struct D {{ {body} int x; }};\nthread_local D d;\nextern "C" int f() {{ return ++d.x; }}\n'


def ids(found: Audit) -> set[str]:
    return {finding.id for finding in found.findings}


# Finding; source and flags with it; source and flags without it.
HAZARDS = [
    ("unique-symbols", UNIQUE, [], UNIQUE, ["-fno-gnu-unique"]),
    ("thread-local-destructors", with_destructor("~D() { x = 0; }"), [], with_destructor(""), []),
    ("thread-keys", calling("int pthread_key_create(unsigned*, void*)", "unsigned k; pthread_key_create(&k, 0)"), []),
    ("thread-local-storage", THREAD_LOCAL, []),
    ("static-tls", THREAD_LOCAL, ["-ftls-model=initial-exec"], THREAD_LOCAL, ["-ftls-model=global-dynamic"]),
    ("openmp", PLAIN, ["-Wl,--no-as-needed", "-fopenmp"]),
    ("loads-libraries", calling("void* dlopen(const char*, int)", 'dlopen("x", 2)'), []),
    ("default-lookup", calling("void* dlsym(void*, const char*)", 'dlsym(0, "x")'), []),
    ("exceptions", 'extern "C" void f() { throw 1; }', []),
    ("environment", calling("char* getenv(const char*)", 'getenv("A")'), []),
    ("ends-process", calling("void exit(int)", "exit(1)"), []),
    ("aborts", calling("void abort()", "abort()"), []),
    ("forks", calling("int fork()", "fork()"), []),
    ("signal-handlers", calling("void* signal(int, void*)", "signal(2, 0)"), []),
    ("threads", calling("int pthread_create(void*, void*, void*, void*)", "pthread_create(0, 0, 0, 0)"), []),
    ("no-delete", PLAIN, ["-Wl,-z,nodelete"]),
    ("no-open", PLAIN, ["-Wl,-z,nodlopen"]),
    ("executable-stack", PLAIN, ["-Wl,-z,execstack"], PLAIN, ["-Wl,-z,noexecstack"]),
    ("constructors", '__attribute__((constructor)) static void f() { asm(""); }', []),
    ("state", 'static int v;\nextern "C" int f() { return ++v; }', []),
    ("state", 'static long v[9];\nextern "C" long f(int i) { return ++v[i]; }', ["-s"], PLAIN, ["-s"]),
    ("undefined-symbols", calling("void nobody_has_this()", "nobody_has_this()"), []),
    ("sanitizer", PLAIN, ["-fsanitize=address"]),
    ("clashes", OWN_CALL, [], OWN_CALL, ["-Wl,-Bsymbolic"]),
]


@pytest.mark.parametrize("row", HAZARDS, ids=[f"{number}-{row[0]}" for number, row in enumerate(HAZARDS)])
def test_a_hazard_is_seen_and_its_absence_too(tmp_path, row):
    name, source, flags, *without = row
    assert name in ids(audit(build(tmp_path, source, *flags)))
    source, flags = without or (PLAIN, [])
    assert name not in ids(audit(build(tmp_path, source, *flags)))


def test_text_relocations(tmp_path):
    code = '__asm__(".globl f\\nf: movabs $d, %rax\\nret\\n.data\\nd: .quad 0\\n.text\\n");'
    if os.uname().machine != "x86_64":
        pytest.skip("the code is for x86-64")
    assert "text-relocations" in ids(audit(build(tmp_path, code, "-Wl,-z,notext")))


def test_a_plain_library_is_fine_everywhere(tmp_path):
    found = audit(build(tmp_path, PLAIN, "-Wl,--build-id=0x1234abcd"))
    assert {use: verdict.answer for use, verdict in found.verdicts.items()} == dict.fromkeys(found.verdicts, "ok")
    assert (found.auto.strategy, found.findings, found.build_id) == ("namespace", (), "1234abcd")


def test_variables_of_the_toolchain_are_no_state(tmp_path):
    source = """
#include <atomic>
#include <stdexcept>
extern "C" int f(std::atomic<int>* count) {
    try {
        if (count->fetch_add(1) > 9) throw std::runtime_error("many");
    } catch (const std::exception&) {
        return -1;
    }
#ifdef __x86_64__
    __builtin_cpu_init();
    return __builtin_cpu_supports("sse2");
#else
    return 1;
#endif
}
"""
    assert "state" not in ids(audit(build(tmp_path, source)))


def test_unique_symbols_rule_out_copies_and_recycling(tmp_path):
    found = audit(build(tmp_path, UNIQUE))
    answers = {use: verdict.answer for use, verdict in found.verdicts.items()}
    assert answers == {"namespace": "ok", "copy": "no", "process": "ok", "recycle": "no"}
    [finding] = [finding for finding in found.findings if finding.id == "unique-symbols"]
    assert (finding.facts, finding.symbols, finding.remedy) == (("H1",), ("_ZN1SIiE1vE",), "-fno-gnu-unique")


def test_rtld_global_rules_out_namespaces(tmp_path):
    found = audit(build(tmp_path, calling("void* dlopen(const char*, int)", 'dlopen("x", 0x102)')))
    assert found.verdicts["namespace"].answer == "no"
    assert found.auto.strategy == "copy"


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


def test_symbols_of_the_program_are_not_in_a_namespace(tmp_path):
    found = audit(build(tmp_path, calling("void Py_Initialize()", "Py_Initialize()")))
    assert found.verdicts["namespace"].reasons == ("undefined-symbols",)
    assert found.verdicts["copy"].answer == "ok"


def test_without_section_headers(tmp_path):
    library = build(tmp_path, UNIQUE + 'static long v[9];\nextern "C" long g(int i) { return ++v[i]; }\n')
    data = bytearray(library.read_bytes())
    data[0x28:0x30] = bytes(8)  # e_shoff
    data[0x3A:0x40] = bytes(6)  # e_shentsize, e_shnum, e_shstrndx
    library.write_bytes(data)
    assert {"unique-symbols", "state"} <= ids(audit(library))


def test_programs_and_other_processors_are_no_libraries(tmp_path):
    program = audit(sys.executable)
    assert program.auto.strategy is None
    assert "not-a-library" in ids(program)
    library = build(tmp_path, PLAIN)
    data = bytearray(library.read_bytes())
    data[18:20] = (8).to_bytes(2, "little")  # MIPS
    library.write_bytes(data)
    assert audit(library).verdicts["process"].reasons == ("architecture",)


def test_files_that_cannot_be_read(tmp_path):
    library = build(tmp_path, PLAIN)
    script = tmp_path / "libm.so"
    script.write_text("/* GNU ld script */ GROUP ( /lib/libm.so.6 )")
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "empty").touch()
    (tmp_path / "half").write_bytes(library.read_bytes()[: library.stat().st_size // 2])
    (tmp_path / "link").symlink_to("nowhere")
    for path, name in (
        (tmp_path / "none", "FILE_UNREADABLE"),
        (tmp_path / "link", "FILE_UNREADABLE"),
        (tmp_path / "fifo", "FILE_UNREADABLE"),
        (tmp_path, "FILE_UNREADABLE"),
        (script, "NOT_ELF"),
        (tmp_path / "empty", "NOT_ELF"),
        (tmp_path / "half", "FILE_TRUNCATED"),
    ):
        with pytest.raises(LoadError) as caught:
            audit(path)
        assert caught.value.name == name
        assert str(path) in str(caught.value)


@pytest.fixture(scope="module")
def small_library(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return build(tmp_path_factory.mktemp("small"), UNIQUE, "-s").read_bytes()


@settings(deadline=5000, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_files_raise_nothing_else(small_library, tmp_path, data):
    content = bytearray(small_library)
    # Headers and tables are at the beginning; changes there find more.
    places = st.integers(0, 1023) | st.integers(0, len(content) - 1)
    for at, value in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), max_size=8)):
        content[at] = value
    damaged = tmp_path / "damaged.so"
    damaged.write_bytes(content[: data.draw(st.just(len(content)) | st.integers(0, len(content)))])
    try:
        audit(damaged)
    except LoadError as error:
        assert error.hint


def test_libraries_of_the_system():
    # os.walk follows no links, which may go round in circles.
    paths = sorted(
        Path(folder, name) for folder, _, names in os.walk("/usr/lib") for name in names if ".so" in name
    )  # fmt: skip
    deadline, audited = time.monotonic() + 20, 0
    for path in paths[:: max(1, len(paths) // 200)]:
        if time.monotonic() > deadline:
            break
        try:
            assert set(audit(path).verdicts) == {*STRATEGIES, "recycle"}
            audited += 1
        except LoadError as error:
            assert error.name in ("NOT_ELF", "FILE_UNREADABLE", "FILE_TRUNCATED"), path
    assert audited >= min(20, len(paths) // 2)


def test_the_c_library_is_quick():
    maps = Path("/proc/self/maps").read_text()
    found = re.search(r"(/\S*/libc\.so\.6)$", maps, re.M)
    assert found
    started = time.process_time()
    assert "c-library" in audit(found[1]).verdicts["copy"].reasons
    assert time.process_time() - started < 0.5


def test_importing_it_starts_nothing():
    program = "import sys, threading; from chiphost.audit import audit\n"
    program += "assert 'numpy' not in sys.modules and threading.active_count() == 1"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(cli, ["audit", *map(str, words)], prog_name="chiphost")


def test_exit_codes(tmp_path):
    good, bad = build(tmp_path, PLAIN), build(tmp_path, UNIQUE, name="unique.so")
    assert run(good, bad).exit_code == 0
    assert run(good, bad, "--strategy", "copy").exit_code == 1
    assert run(sys.executable).exit_code == 1
    for words in ([tmp_path / "none"], [good, tmp_path / "none"], [], [good, "--strategy", "none"]):
        result = run(*words)
        assert result.exit_code == 2
        assert "Traceback" not in result.output


def test_output(tmp_path):
    output = run(build(tmp_path, UNIQUE)).stdout
    assert "unique-symbols (H1): 1 STB_GNU_UNIQUE: _ZN1SIiE1vE\n" in output
    assert "mend: -fno-gnu-unique\n" in output
    assert re.search(r"^  copy +no +unique-symbols$", output, re.M)


def test_json(tmp_path):
    report = tmp_path / "report.json"
    run(build(tmp_path, UNIQUE), tmp_path / "none", "--strategy", "copy", "--json", report)
    content = json.loads(report.read_text())
    assert content["strategy"] == "copy"
    found, unreadable = content["files"]
    assert set(unreadable) == {"path", "error"}
    assert "FILE_UNREADABLE" in unreadable["error"]
    keys = "path bytes machine soname build_id needed findings verdicts auto usable error"
    assert list(found) == keys.split()
    assert (found["usable"], found["error"]) == (False, None)
    assert list(found["verdicts"]) == [*STRATEGIES, "recycle"]
    assert found["verdicts"]["copy"] == {"answer": "no", "reasons": ["unique-symbols"]}
    assert found["auto"]["strategy"] == "namespace"
    keys = "id facts seen symbols count bytes consequence remedy namespace copy process recycle"
    assert found["findings"]
    for finding in found["findings"]:
        assert list(finding) == keys.split()


def test_every_finding_is_in_the_docs():
    page = (ROOT / "docs" / "audit.md").read_text()
    sources = "".join(path.read_text() for path in sorted((ROOT / "python" / "chiphost").glob("audit_*.py")))
    names = set(re.findall(r'(?:make_finding|_Import)\(\s*"([a-z-]+)"', sources))
    assert len(names) > 25
    assert {name for name in names if f"`{name}`" not in page} == set()
