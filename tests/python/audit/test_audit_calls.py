# SPDX-License-Identifier: Apache-2.0
"""The audit and the calls of a library: locks of files, and lookups with RTLD_DEFAULT."""

from __future__ import annotations

import os

import pytest
from audited_libraries import build, calling
from click.testing import CliRunner

from chiphost._cli.program import cli
from chiphost.audit import audit
from chiphost.audit.subject import HostProcess

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


# The constant of this source stands right before the wrapper's call.
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
    """Each namespace has a dependency of its own. All copies share one, and it knows which files it has locked."""
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
        monkeypatch.setattr(HostProcess, "glibc", (2, 36))
        assert answer('dlsym(0, "x")', *flags) == "no H9 H15"
        assert answer('dlsym(h, "x")', *flags) == "care H9 H15"
        monkeypatch.setattr(HostProcess, "glibc", (2, 41))
        assert answer('dlsym(0, "x")', *flags) == "care H9"


def test_lookups_that_are_to_find_the_library(tmp_path, monkeypatch):
    monkeypatch.setattr(HostProcess, "glibc", (2, 36))
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
