# SPDX-License-Identifier: Apache-2.0
"""--more-namespaces: the program starts itself anew, once, and is the same otherwise."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from plain_dlmopen import namespaces_allowed
from throwaway_scenes import RUNTIME, write_scenes

from chiphost import _core
from chiphost._cli.program import cli
from chiphost._cli.restart import merged

TIMEOUT_S = 120
MODULE = [sys.executable, "-m", "chiphost"]
SCRIPT = [str(Path(sys.executable).with_name("chiphost"))]
ALL = "glibc.rtld.nns=16:glibc.rtld.optional_static_tls=8192"

needs_namespaces = pytest.mark.skipif(
    _core.namespaces_unavailable() is not None, reason=str(_core.namespaces_unavailable())
)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", ALL),
        (ALL, ALL),
        ("glibc.malloc.check=1", f"glibc.malloc.check=1:{ALL}"),
        ("glibc.rtld.nns=8:glibc.malloc.check=1", f"glibc.malloc.check=1:{ALL}"),
        ("glibc.rtld.nns=0x10:glibc.rtld.optional_static_tls=20000",) * 2,
        ("glibc.rtld.nns=16:glibc.rtld.nns=2", ALL),
        ("glibc.rtld.nns=many", ALL),
    ],
)
def test_tunables_are_merged(before: str, after: str) -> None:
    assert merged(before) == after


def finish(
    program: list[str], *words: str | Path, directory: Path | None = None, tunables: str | None = None
) -> tuple[int, str, str]:
    environment = {name: value for name, value in os.environ.items() if name != "GLIBC_TUNABLES"}
    if tunables is not None:
        environment["GLIBC_TUNABLES"] = tunables
    done = subprocess.run(
        [*program, *map(str, words)],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        cwd=directory,
        env=environment,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def scene_that_prints(root: Path, code: str) -> Path:
    """A scene that passes, and prints something when its description is read."""
    write_scenes(root, "passes")
    scene = root / RUNTIME / "passes" / "scene.py"
    scene.write_text(f"{scene.read_text()}\n{code}\n")
    return root


CAPACITY = """
import os, sys
from chiphost.capacity import capacity
found = capacity()
print("found", found.limit, os.environ.get("GLIBC_TUNABLES"), os.getcwd(), os.environ.get("CHIPHOST_RESTARTED"))
"""


@needs_namespaces
@pytest.mark.parametrize("program", [MODULE, SCRIPT, [sys.executable, "-X", "dev", "-m", "chiphost"]])
def test_it_raises_the_limit(tmp_path: Path, program: list[str]) -> None:
    scenes = scene_that_prints(tmp_path / "with space", CAPACITY)
    words = ["run", "passes", "--scenes", scenes, "--more-namespaces", "--case", "one"]
    code, out, err = finish(program, *words, directory=tmp_path)
    assert code == 0, err
    assert f"found {namespaces_allowed(ALL)} {ALL} {tmp_path} None" in out
    assert "PASS  one" in out
    assert err.count(f"chiphost: starting again with GLIBC_TUNABLES={ALL}") == 1
    code, out, err = finish(program, *[word for word in words if word != "--more-namespaces"], directory=tmp_path)
    assert code == 0 and f"found {namespaces_allowed()} None {tmp_path} None" in out and "starting again" not in err


@needs_namespaces
def test_the_exit_code_stays(tmp_path: Path) -> None:
    write_scenes(tmp_path, "wrong_golden", "crashes")
    for name, code in (("wrong_golden", 1), ("crashes", 3), ("nothing", 2)):
        words = ["run", name, "--scenes", tmp_path, "--more-namespaces"]
        found, _, err = finish(MODULE, *words)
        assert found == code, err
        assert err.count("starting again") == 1


@needs_namespaces
def test_ci_may_do_it_too(tmp_path: Path) -> None:
    write_scenes(tmp_path, "passes")
    code, out, err = finish(SCRIPT, "ci", "-p", "a2a3sim", "--scenes", tmp_path, "--more-namespaces")
    assert code == 0, err
    assert out.splitlines()[-1] == "Total: 1  Passed: 1  Failed: 0"
    assert "starting again" in err and "Isolation:" not in out


@needs_namespaces
@pytest.mark.parametrize("tunables", [ALL, "glibc.rtld.nns=16:glibc.rtld.optional_static_tls=8193"])
def test_it_does_nothing_if_there_is_nothing_to_gain(tmp_path: Path, tunables: str) -> None:
    scenes = scene_that_prints(tmp_path, CAPACITY)
    code, out, err = finish(MODULE, "run", "passes", "--scenes", scenes, "--more-namespaces", tunables=tunables)
    assert code == 0, err
    assert f"found {namespaces_allowed(tunables)} {tunables} " in out and "starting again" not in err


@needs_namespaces
def test_it_happens_once(tmp_path: Path) -> None:
    """The program starts itself anew once, even if something takes the variable away again."""
    (tmp_path / "sitecustomize.py").write_text("import os\nos.environ.pop('GLIBC_TUNABLES', None)\n")
    write_scenes(tmp_path, "passes")
    program = ["env", f"PYTHONPATH={tmp_path}", *MODULE]
    code, _, err = finish(program, "run", "passes", "--scenes", tmp_path, "--more-namespaces")
    assert code == 0, err
    assert err.count("starting again") == 1


def test_other_programs_are_not_started_again(tmp_path: Path) -> None:
    words = ["run", "passes", "--scenes", str(write_scenes(tmp_path, "passes")), "--more-namespaces"]
    result = CliRunner().invoke(cli, words, prog_name="chiphost")
    assert result.exit_code == 2
    assert "this is another program" in result.stderr
