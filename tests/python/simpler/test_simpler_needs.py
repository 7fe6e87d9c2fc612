# SPDX-License-Identifier: Apache-2.0
"""The needs of scenes in simpler's form: torch, and a checkout of PTO-ISA at a commit."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
import simpler_scenes
from simpler_runs import TIMEOUT_S, chiphost, rows
from simpler_scenes import GOLDEN, RUNTIMES, SCALE_OF_TENSORS

from chiphost import toolchain

pytestmark = pytest.mark.timeout(TIMEOUT_S + 60)


def test_without_torch_the_others_run(root: Path) -> None:
    golden = "import torch\n" + GOLDEN.replace("@LAST", "False")
    simpler_scenes.write(root, "aicpu_build_graph", golden=golden)
    (root / "no_torch").mkdir()
    (root / "no_torch" / "torch.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'torch'\", name='torch')\n"
    )
    done = chiphost("ci", "-p", "a2a3sim", "--scenes", root / "examples", PYTHONPATH=str(root / "no_torch"))
    assert rows(done) == {f"{runtime}/scale": "FAIL" if "aicpu" in runtime else "PASS" for runtime in RUNTIMES}
    assert "hint: install torch" in done.stdout


def test_how_long_torch_took_is_said_if_it_was_imported(root: Path, tmp_path: Path) -> None:
    report, module = tmp_path / "report.json", tmp_path / "modules" / "torch.py"
    words = ("ci", "-p", "a2a3sim", "--scenes", root, "--json", report)
    done = chiphost(*words)
    assert "torch" not in done.stdout + report.read_text()
    module.parent.mkdir()
    module.write_text("import time\nprint('torch comes')\ntime.sleep(0.5)\n")
    for runtime in RUNTIMES[:2]:
        simpler_scenes.write(root, runtime, golden="import torch\n" + GOLDEN.replace("@LAST", "False"))
    done = chiphost(*words, PYTHONPATH=str(module.parent))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("torch comes") == 1, "it is imported once"
    assert 0.5 <= json.loads(report.read_text())["torch_import_seconds"] < TIMEOUT_S
    assert re.search(r"^Time: [\d.]+ s, [\d.]+ s of it to import torch$", done.stdout, re.MULTILINE)
    module.write_text("raise RuntimeError('broken')\n")
    done = chiphost(*words, PYTHONPATH=str(module.parent))
    assert rows(done) == {f"{runtime}/scale": "PASS" if "tensormap" in runtime else "FAIL" for runtime in RUNTIMES}
    assert "of it to import" not in done.stdout


def test_without_pto_isa_it_says_what_is_missing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PTO_ISA_ROOT")
    done = chiphost("ci", "-p", "a2a3sim", "--scenes", root)
    assert done.returncode == 1
    assert "--pto-isa or in PTO_ISA_ROOT" in " ".join(done.stdout.split())


def test_a_folder_that_is_none_is_named(root: Path, tmp_path: Path) -> None:
    done = chiphost("ci", "-p", "a2a3sim", "--scenes", root, "--pto-isa", tmp_path)
    assert done.returncode == 1
    assert "there is no include/pto/pto-inst.hpp" in " ".join(done.stdout.split())


def test_a_commit_of_it_is_taken_as_it_was(root: Path, tmp_path: Path) -> None:
    checkout = tmp_path / "pto-isa"

    def git(*words: str) -> str:
        who = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.org")
        done = subprocess.run(["git", "-C", str(checkout), *who, *words], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    git("init", "-q")
    git("add", "-A")
    git("commit", "-q", "-m", "as it was")
    commit = git("rev-parse", "HEAD")
    (checkout / "include" / "pto" / "pto-inst.hpp").write_text("#error another one\n")
    words = ("ci", "-p", "a2a3sim", "--scenes", root, "--pto-isa", checkout)
    assert chiphost(*words).returncode == 1
    for _ in range(2):  # the second one finds it in the cache
        done = chiphost(*words, "-c", commit[:10])
        assert done.returncode == 0, done.stdout + done.stderr
    for_all = tmp_path / "cache" / "pto-isa"
    for_all.mkdir(parents=True)
    for_all.chmod(0o777)
    done = chiphost(*words, "-c", commit, CHIPHOST_CACHE_DIR=str(for_all.parent))
    assert done.returncode == 1, "others could put headers there"
    assert "CACHE_UNUSABLE" in done.stdout
    done = chiphost(*words, "-c", "0123456789")
    assert done.returncode == 1
    assert "has no commit '0123456789'" in " ".join(done.stdout.split())
    git("rm", "-rqf", "include")
    git("commit", "-q", "-m", "nothing is left")
    done = chiphost(*words, "-c", "HEAD")
    assert done.returncode == 1
    assert "the files of commit HEAD cannot be had" in " ".join(done.stdout.split())


def test_a_name_that_its_commit_lacks_says_which_commit_is_wanted(root: Path) -> None:
    kernel = SCALE_OF_TENSORS.replace('#include "intrinsic.h"', '#include "intrinsic.h"\nusing pto::Wireless;')
    header = Path(os.environ["PTO_ISA_ROOT"]) / "include" / "pto" / "pto-inst.hpp"
    header.write_text(header.read_text() + "namespace pto {}\n")
    simpler_scenes.write(root, "aicpu_build_graph", kernel=kernel)
    done = chiphost("ci", "-p", "a2a3sim", "--scenes", root)
    assert done.returncode == 1
    assert rows(done) == {f"{runtime}/scale": "FAIL" if "aicpu" in runtime else "PASS" for runtime in RUNTIMES}
    said = " ".join(done.stdout.split())
    assert "error: " in said, "the compiler's own words"
    assert "PTO-ISA has no Wireless at the commit in use" in said
    assert "Wanted is its commit 882c4db9" in said
    assert "hint: name a git checkout of hw-native-sys/pto-isa with --pto-isa, and the commit: -c 882c4db9" in said
    simpler_scenes.write(root, "aicpu_build_graph", kernel=SCALE_OF_TENSORS.replace("from_u64", "from_nowhere"))
    done = chiphost("ci", "-p", "a2a3sim", "--scenes", root)
    assert done.returncode == 1
    assert "from_nowhere" in done.stdout
    assert "Wanted" not in done.stdout


def test_the_headers_are_where_sources_look() -> None:
    assert {path.name for path in toolchain.compat_dir().iterdir()} == {*RUNTIMES, "simpler", "pto_isa"}
