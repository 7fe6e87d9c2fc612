# SPDX-License-Identifier: Apache-2.0
"""The audit of shared libraries: each hazard is seen where it is, and not where it is not."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from audited_libraries import PLAIN, THREAD_LOCAL, UNIQUE, build, calling, ids

from chiphost import isolate
from chiphost._compiling import host_toolchain
from chiphost.audit import STRATEGIES, Choice, audit
from chiphost.audit.subject import HostProcess
from chiphost.errors import ChiphostError, IsolationError

OWN_CALL = 'extern "C" { void* malloc(unsigned long) { return nullptr; }\nvoid* f() { return malloc(1); } }\n'


def with_destructor(body: str) -> str:
    return f'struct D {{ {body} int x; }};\nthread_local D d;\nextern "C" int f() {{ return ++d.x; }}\n'


# Each entry: a finding, source and flags that have it, source and flags that lack it.
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
    ("c-library-settings", calling("int setenv(const char*, const char*, int)", 'setenv("A", "", 1)'), []),
    ("process-settings", calling("int chdir(const char*)", 'chdir("/")'), []),
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


def test_why_speaks_of_what_was_passed_over_only(tmp_path):
    assert audit(build(tmp_path, UNIQUE)).auto == Choice("namespace", "namespace works")
    to_global = calling("void* dlopen(const char*, int)", 'dlopen("x", 0x102)')
    found = audit(build(tmp_path, to_global + UNIQUE))
    assert found.auto == Choice(
        "process", "namespace is out (loads-libraries); copy is out (unique-symbols); process works"
    )
    preload = audit(build(tmp_path, calling("void Py_Initialize()", "Py_Initialize()")))
    assert preload.auto == Choice("copy", "namespace is out (undefined-symbols); copy works")


def test_more_thread_local_storage_than_the_reserve(tmp_path):
    source = THREAD_LOCAL.replace("512", str(HostProcess().static_tls() + 512))
    library = build(tmp_path, source, "-ftls-model=initial-exec")
    found = audit(library)
    for strategy in STRATEGIES:
        assert found.verdicts[strategy].reasons == ("static-tls",)
        assert found.verdicts[strategy].answer == "no"
        with pytest.raises(IsolationError, match="STATIC_TLS_SPENT"):
            isolate.open(library, strategy)
    assert audit(build(tmp_path, source, "-ftls-model=global-dynamic")).auto.strategy == "namespace"


def test_sanitizers_need_to_be_first(tmp_path):
    library = build(tmp_path, PLAIN, "-fsanitize=address")
    assert {audit(library).verdicts[strategy].answer for strategy in STRATEGIES} == {"no"}
    with pytest.raises(ChiphostError):
        isolate.open(library, "process")
    for name in ("asan", "tsan", "lsan"):
        words = [*host_toolchain.find_compiler().command, f"-print-file-name=lib{name}.so"]
        runtime = Path(subprocess.run(words, capture_output=True, text=True, timeout=60, check=True).stdout.strip())
        if runtime.is_file():
            found = audit(runtime)
            assert found.auto.strategy is None
            assert "sanitizer" in found.verdicts["process"].reasons


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
