# SPDX-License-Identifier: Apache-2.0
"""Names that PTO-ISA lacks at one commit and has at another: told when a compile fails for them, and only then."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from chiphost._simpler import pto_isa_names

SOURCE = """
#include <pto/pto-inst.hpp>
#include <pto/common/queue.hpp>
using pto::Pipe;
using namespace pto;
extern "C" void kernel_entry(long* args) { Axis axis; typo(args); pto::known(axis); }
"""
ORIGIN = "https://example.org/pto-isa"


@pytest.fixture
def git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with two commits, the newer one wanted; the older one is in use."""
    checkout = tmp_path / "pto-isa"
    header = checkout / "include" / "pto" / "pto-inst.hpp"
    header.parent.mkdir(parents=True)
    (header.parent / "npu").mkdir()
    (header.parent / "npu" / "real.hpp").write_text("class Pipe;\n")  # a simulation does not read it
    run(checkout, "init", "-q")
    header.write_text("namespace pto { void known(int); }\n")
    run(checkout, "add", "-A")
    run(checkout, "commit", "-q", "-m", "older")
    header.write_text("namespace pto { void known(int); class Pipe; enum class Axis { A }; }\n")
    (header.parent / "common").mkdir()
    (header.parent / "common" / "queue.hpp").write_text("")
    run(checkout, "add", "-A")
    run(checkout, "commit", "-q", "-m", "newer")
    monkeypatch.setattr(pto_isa_names, "WANTED_COMMIT", run(checkout, "rev-parse", "HEAD"))
    run(checkout, "checkout", "-q", "HEAD~")
    monkeypatch.setenv("PTO_ISA_ROOT", str(checkout))
    monkeypatch.delenv("PTO_ISA_COMMIT", raising=False)
    return checkout


def run(checkout: Path, *words: str) -> str:
    who = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.org")
    done = subprocess.run(["git", "-C", str(checkout), *who, *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def explain(words: str, checkout: Path, source: str = SOURCE) -> pto_isa_names.Explanation | None:
    file = checkout.parent / "kernel.cpp"
    file.write_text(source)
    return pto_isa_names.explain(words, [file, checkout / "no such file"], checkout / "include")


WORDS = "kernel.cpp:4:12: error: 'Pipe' has not been declared in 'pto'"


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (WORDS, "Pipe"),
        ("kernel.cpp:4:12: Fehler: »pto::Pipe« wurde nicht deklariert", "Pipe"),
        ("/a/kernel.cpp:6: error: no type named \u2018Axis\u2019\nkernel.cpp:4:1: error: 'Pipe'", "Axis, Pipe"),
        ("kernel.cpp:3:10: fatal error: pto/common/queue.hpp: No such file or directory", "pto/common/queue.hpp"),
    ],
)
def test_a_name_of_the_wanted_commit_is_said(git: Path, words: str, names: str) -> None:
    found = explain(words, git)
    assert found is not None
    older, wanted = run(git, "rev-parse", "HEAD")[:8], pto_isa_names.WANTED_COMMIT[:8]
    assert found.text == (
        f"PTO-ISA has no {names} at the commit in use ({git}, commit {older}). Wanted is its commit {wanted}"
    )
    assert found.hint == f"name it: -c {wanted}"


@pytest.mark.parametrize(
    "words",
    [
        "kernel.cpp:6:60: error: 'typo' was not declared in this scope",
        "kernel.cpp:6:60: error: 'known' takes no Axis",
        "kernel.cpp:6:60: error: 'Elsewhere' was not declared in this scope",
        "what 'Pipe' is nobody knows",
        "",
    ],
)
def test_what_the_commit_has_nothing_to_do_with_is_not_explained(git: Path, words: str) -> None:
    assert explain(words, git) is None


def test_a_commit_that_was_chosen_is_named(git: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PTO_ISA_COMMIT", "HEAD")
    found = explain(WORDS, git)
    assert found is not None
    assert "as -c or PTO_ISA_COMMIT says" in found.text


def test_a_checkout_without_the_wanted_commit_has_to_fetch_it(git: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the only known names of PTO-ISA are those that the source says are of it."""
    wanted = "0123456789" * 4
    monkeypatch.setattr(pto_isa_names, "WANTED_COMMIT", wanted)
    assert explain("kernel.cpp:6:60: error: 'Axis' was not declared", git) is None
    found = explain(WORDS, git)
    assert found is not None
    assert found.hint == f"git -C {git} fetch origin {wanted}, then name it: -c 01234567"


def test_a_folder_that_is_no_checkout_says_so(git: Path) -> None:
    (git / ".git").rename(git.parent / "away")
    found = explain(WORDS, git)
    assert found is not None
    assert "it is no git checkout" in found.text
    assert "name a git checkout of hw-native-sys/pto-isa" in found.hint


def test_the_wanted_commit_itself_is_not_wanted(git: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pto_isa_names, "WANTED_COMMIT", run(git, "rev-parse", "HEAD"))
    found = explain(WORDS, git)
    assert found is not None
    assert "PTO-ISA has no Pipe where the simulation looks" in found.text
    assert "Wanted" not in found.text
    assert "name the commit this one is for" in found.hint
