# SPDX-License-Identifier: Apache-2.0
"""The audit of shared libraries: each hazard is seen where it is, and not where it is not."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import sysconfig
import textwrap
import time
from pathlib import Path

import c_libraries
import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chiphost import isolate
from chiphost._cli.program import cli
from chiphost._compiling import host_toolchain
from chiphost.audit import STRATEGIES, Audit, Choice, audit
from chiphost.audit.subject import Program
from chiphost.errors import ChiphostError, IsolationError, LoadError

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
    if UNIQUE in source:
        c_libraries.needs_unique_symbols()
    command = host_toolchain.find_compiler().command
    words = [*command, "-x", "c++", "-", "-x", "none", "-O1", "-fno-builtin", "-shared", "-fPIC", "-o", output, *flags]
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


def test_symbols_of_the_program_are_in_no_namespace_and_no_child(tmp_path):
    library = build(tmp_path, calling("void Py_Initialize()", "Py_Initialize()"))
    found = audit(library)
    for strategy in ("namespace", "process"):
        assert found.verdicts[strategy].reasons == ("undefined-symbols",)
        with pytest.raises(LoadError, match="undefined symbol: Py_Initialize"):
            isolate.open(library, strategy)
    assert found.verdicts["copy"].answer == "ok"
    isolate.open(library, "copy").close()


def test_extension_modules_do_not_load_in_a_child():
    modules = sorted(Path(sysconfig.get_path("platstdlib"), "lib-dynload").glob("*.so"))
    for module in modules[:: max(1, len(modules) // 8)]:
        found = audit(module)
        if "undefined-symbols" in ids(found):
            assert found.verdicts["process"].answer == "no"
            with pytest.raises(LoadError, match="undefined symbol"):
                isolate.open(module, "process")


def test_a_child_has_what_is_preloaded(tmp_path, monkeypatch):
    preload = build(tmp_path, 'extern "C" void of_the_preload() {}', name="preload.so")
    library = build(tmp_path, calling("void of_the_preload()", "of_the_preload()"))
    assert audit(library).verdicts["process"].answer == "no"
    monkeypatch.setenv("LD_PRELOAD", f"nowhere.so:{preload}")
    assert audit(library).verdicts["process"].answer == "ok"
    assert audit(library).verdicts["copy"].answer == "no", "this process was started without it"


VARIABLE = 'int level = 1;\nextern "C" int raise_level() { return ++level; }\n'
CONSTANT = """
extern const int level[2] = {1, 2};
extern "C" int raise_level() { const int* volatile at = level; return *at + 1; }
"""
SONAME = "-Wl,-soname,libclash.so"


# What the program has for everybody, and what is copied; the answer for copy, and whether the copy shares a variable.
@pytest.mark.parametrize(
    ("source", "flags", "answer", "shared"),
    [
        (VARIABLE, [], "no", True),
        (VARIABLE, [SONAME], "no", True),
        (VARIABLE.replace("int level", "thread_local int level"), [], "no", False),  # every thread has its own
        (VARIABLE, ["-Wl,-Bsymbolic"], "ok", False),
        (VARIABLE, ["-fvisibility=hidden"], "ok", False),
        (VARIABLE.replace("int level", '__attribute__((visibility("protected"))) int level'), [], "ok", False),
        ("static " + VARIABLE, [], "ok", False),
        ("static " + VARIABLE + 'extern "C" int twice() { return raise_level() + raise_level(); }', [], "care", False),
        (
            "static " + VARIABLE + 'extern "C" int twice() { return raise_level() + raise_level(); }',
            [SONAME],
            "no",
            False,
        ),
        (CONSTANT, [], "care", False),
        (VARIABLE.replace("int level", "int other_level").replace("++level", "++other_level"), [], "ok", False),
    ],
)
def test_a_copy_of_what_the_program_has_shares_its_variables(tmp_path, source, flags, answer, shared):
    of_its_kind = source if "thread_local" in source or "const" in source else VARIABLE
    of_the_program = build(tmp_path, of_its_kind + "int more;", SONAME, name="libclash.so")
    library = build(tmp_path, source, "-O2", *flags)
    program = f"""
    import ctypes, json
    from chiphost import isolate
    from chiphost.audit import audit
    has = ctypes.CDLL({str(of_the_program)!r}, ctypes.RTLD_GLOBAL)
    found = audit({str(library)!r}).verdicts
    print(json.dumps([found["copy"].answer, found["copy"].reasons, found["namespace"].answer]))
    has.raise_level()
    try:
        copy = isolate.open({str(library)!r}, "copy")
        print(copy.function("raise_level", ctypes.c_int)())
    except Exception as error:
        print(error)
    """
    answers, level = in_a_process(program).splitlines()[:2]
    assert json.loads(answers) == [answer, [] if answer == "ok" else ["clashes"], "ok"]
    if shared:
        assert level.startswith(f"VARIABLE_SHARED (313): {library}: its variable level is also one of {of_the_program}")
        assert "namespace and process" in level
    elif flags != ["-fvisibility=hidden"]:
        assert level == "2"


def in_a_process(program: str, **variables: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, **variables},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_library_that_the_program_has(tmp_path):
    library = build(tmp_path, 'extern "C" { int f(int x) { return x + 1; }\nint g() { return f(1); } }', "-O0")
    program = f"""
    import ctypes
    from chiphost.audit import audit
    before = audit({str(library)!r})
    ctypes.CDLL({str(library)!r}, ctypes.RTLD_GLOBAL)
    after = audit({str(library)!r})
    print(before.verdicts["copy"].answer, after.verdicts["copy"].answer, *after.verdicts["copy"].reasons)
    """
    assert in_a_process(program) == "ok no clashes\n"


def test_the_library_of_python_itself_gets_no_copy():
    name = sysconfig.get_config_var("INSTSONAME")
    paths = [Path(sysconfig.get_config_var("LIBDIR"), name), *Path("/usr/lib").glob(f"*/{name}")]
    paths = [path for path in paths if path.is_file()]
    if not sysconfig.get_config_var("Py_ENABLE_SHARED") or not paths:
        pytest.skip("this Python is no shared library")
    for path in paths:
        found = audit(path)
        assert "clashes" in found.verdicts["copy"].reasons
        assert found.auto.strategy != "copy"


def test_a_version_that_the_program_has_not_does_not_clash(tmp_path):
    def versioned(version: str, name: str) -> Path:
        script = tmp_path / f"{name}.map"
        script.write_text(f"{version} {{ global: *; }};")
        return build(tmp_path, VARIABLE, f"-Wl,--version-script={script}", name=name)

    of_the_program = versioned("OLD", "old.so")
    same, other = versioned("OLD", "same.so"), versioned("NEW", "other.so")
    program = f"""
    import ctypes
    from chiphost import isolate
    from chiphost.audit import audit
    ctypes.CDLL({str(of_the_program)!r}, ctypes.RTLD_GLOBAL).raise_level()
    for path in ({str(same)!r}, {str(other)!r}):
        try:
            level = isolate.open(path, "copy").function("raise_level", ctypes.c_int)()
        except Exception as error:
            level = error.name
        print(audit(path).verdicts["copy"].answer, level)
    """
    assert in_a_process(program) == "no VARIABLE_SHARED\nok 2\n"


LOCKING = """
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>
static int fd = -1;
extern "C" int lock(const char* path, int wait) {
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    struct flock all = {};
    all.l_type = F_WRLCK;
    (void)all, (void)wait;
    return %s;
}
"""
POINTERS = "static int (*calls[])(int, int, ...) = {fcntl, nullptr};\n"
WRAPPER = "__attribute__((noinline)) static int own(int fd, int what, struct flock* l) { return fcntl(fd, what, l); }\n"


# Its constant stands right before the wrapper's call.
BEHIND_A_CONSTANT = """
int flags(int fd) { return fcntl(fd, F_GETFL); }
int own(int fd, int what, struct flock* l) { return fcntl(fd, what, l); }
"""


CONDITIONAL = "fcntl(fd, F_SETFD, FD_CLOEXEC) + fcntl(fd, wait ? F_SETLKW : F_SETLK, &all)"
HARMLESS = "fcntl(fd, F_SETFD, FD_CLOEXEC) + fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK)"


@pytest.mark.parametrize(
    ("before", "call", "answer", "flags"),
    [
        ("", "fcntl(fd, F_SETLK, &all)", "no", "-O0"),
        ("", "fcntl(fd, F_SETLK, &all)", "no", "-O2"),
        ("", "fcntl(fd, F_SETLK, &all)", "no", "-O2 -fno-plt"),
        ("", CONDITIONAL, "no", "-O0"),
        ("", CONDITIONAL, "no", "-O2"),
        ("", CONDITIONAL, "no", "-Os"),
        ("", "fcntl(fd, F_GETLK, &all)", "no", "-O2"),
        (POINTERS, "calls[wait != 0](fd, F_SETLK, &all)", "no", "-O2"),
        (POINTERS, "calls[wait != 0](fd, F_GETLK, &all)", "no", "-O2"),
        (POINTERS, "calls[wait != 0](fd, F_SETLKW, &all)", "no", "-O2"),
        (POINTERS, "calls[wait != 0](fd, F_OFD_SETLK, &all)", "", "-O2"),
        (WRAPPER, "own(fd, F_GETFL, nullptr) + own(fd, F_SETLK, &all)", "no", "-O2"),
        (WRAPPER, "own(fd, F_GETFL, nullptr) + own(fd, F_SETLK, &all)", "no", "-O2 -fno-plt"),
        (BEHIND_A_CONSTANT, "flags(fd) + own(fd, F_SETLK, &all)", "no", "-O2"),
        ("", "lockf(fd, F_TLOCK, 0)", "no", "-O2"),
        ("", "flock(fd, LOCK_EX | LOCK_NB)", "ok", "-O2"),
        ("", "fcntl(fd, F_OFD_SETLK, &all)", "", "-O0"),
        ("", "fcntl(fd, F_OFD_SETLK, &all)", "", "-O2"),
        ("", HARMLESS, "", "-O0"),
        ("", HARMLESS, "", "-O2 -fcf-protection=full"),
        ("", "fcntl(fd, F_DUPFD_CLOEXEC, 6) + wait + 7", "", "-O2 -fno-plt"),
    ],
)
def test_locks_of_files(tmp_path, before, call, answer, flags):
    machine = os.uname().machine
    if machine not in ("x86_64", "aarch64"):
        pytest.skip("its code is not read")
    if machine != "x86_64" and ("-fno-plt" in flags or "-fcf-protection" in flags):
        pytest.skip("a flag of x86-64")
    found = audit(build(tmp_path, LOCKING.replace("extern", before + "extern", 1) % call, *flags.split()))
    assert [f.namespace for f in found.findings if f.id == "file-locks"] == [answer] * bool(answer)
    assert found.auto.strategy == ("process" if answer == "no" else "namespace")


def test_locks_of_a_dependency(tmp_path):
    """Each namespace has one of its own. All copies share it, and it knows what it has locked."""
    build(tmp_path, LOCKING % "fcntl(fd, F_SETLK, &all)", "-Wl,-soname,liblocks.so", name="liblocks.so")
    user = calling("int lock(const char*, int)", 'lock("", 1)')
    found = audit(build(tmp_path, user, f"-L{tmp_path}", "-llocks", f"-Wl,-rpath,{tmp_path}"))
    assert found.verdicts["namespace"].reasons == ("file-locks",)
    assert found.auto.strategy == "copy"


def test_lookups_with_rtld_default(tmp_path, monkeypatch):
    def answer(call: str, *flags: str) -> str:
        found = audit(build(tmp_path, calling("void *dlsym(void*, const char*), *h", call), *flags))
        [finding] = [finding for finding in found.findings if finding.id == "default-lookup"]
        assert finding.copy == "care"
        return f"{finding.namespace} {' '.join(finding.facts)}"

    for flags in (["-O0"], ["-O2"], ["-O2", "-fno-plt"] if os.uname().machine == "x86_64" else ["-Os"]):
        monkeypatch.setattr(Program, "glibc", (2, 36))
        assert answer('dlsym(0, "x")', *flags) == "no H9 H15"
        assert answer('dlsym(h, "x")', *flags) == "care H9 H15"
        monkeypatch.setattr(Program, "glibc", (2, 41))
        assert answer('dlsym(0, "x")', *flags) == "care H9"


def test_lookups_that_are_to_find_the_library(tmp_path, monkeypatch):
    monkeypatch.setattr(Program, "glibc", (2, 36))
    path = build(tmp_path, calling("void *dlsym(void*, const char*)", 'dlsym(0, "x")'))
    found = audit(path)
    assert found.verdicts["process"].reasons == ("default-lookup",)
    assert found.verdicts["process"].answer == "care"
    found = audit(path, default_lookup=True)
    answers = [found.verdicts[use].answer for use in ("namespace", "copy", "process")]
    assert answers == ["ok", "no", "ok"]
    assert found.verdicts["copy"].reasons == ("default-lookup",)
    result = CliRunner().invoke(cli, ["audit", "--strategy", "copy", str(path)])
    assert (result.exit_code, "default_lookup=True" in " ".join(result.stdout.split())) == (0, True)
    result = CliRunner().invoke(cli, ["audit", "--strategy", "copy", "--default-lookup", str(path)])
    assert result.exit_code == 1


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
    source = THREAD_LOCAL.replace("512", str(Program().static_tls() + 512))
    library = build(tmp_path, source, "-ftls-model=initial-exec")
    found = audit(library)
    for strategy in STRATEGIES:
        assert found.verdicts[strategy].reasons == ("static-tls",)
        assert found.verdicts[strategy].answer == "no"
        with pytest.raises(IsolationError, match="STATIC_TLS_SPENT"):
            isolate.open(library, strategy)
    assert audit(build(tmp_path, source, "-ftls-model=global-dynamic")).auto.strategy == "namespace"


def test_thread_local_storage_of_a_dependency_above_the_reserve(tmp_path):
    source = THREAD_LOCAL.replace("512", str(Program().static_tls() + 512))
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
        source = "" if "-DNOTHING" in flags else calling("void abort()", "abort()")  # of libc, with a version
        build(tmp_path, PLAIN + source, "-Wl,-soname,libdepends.so", *flags, name="libdepends.so")

    depends("NEW")
    library = build(tmp_path, calling("int f(int)", "f(1)"), f"-L{tmp_path}", "-ldepends", f"-Wl,-rpath,{tmp_path}")
    assert "missing-versions" not in ids(audit(library))
    depends("OLD")
    found = audit(library)
    assert found.verdicts["process"].reasons == ("missing-versions",)
    with pytest.raises(LoadError, match="NEW' not found"):
        isolate.open(library, "process")
    depends("", "-DNOTHING")  # at one that knows of no versions an assertion of glibc 2.36 fails, and ends the process
    assert audit(library).verdicts["process"].reasons == ("missing-versions",)
    with contextlib.suppress(ChiphostError):
        isolate.open(library, "process").close()
    depends("")  # one without own versions is taken as it is
    assert audit(library).auto.strategy == "namespace"
    isolate.open(library, "process").close()


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
    for path in paths[:: max(1, len(paths) // 60)]:
        if time.monotonic() > deadline:
            break
        try:
            assert set(audit(path).verdicts) == {*STRATEGIES, "recycle"}
            audited += 1
        except LoadError as error:
            assert error.name in ("NOT_ELF", "FILE_UNREADABLE", "FILE_TRUNCATED"), path
    assert audited or not paths


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
