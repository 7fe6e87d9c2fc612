# SPDX-License-Identifier: Apache-2.0
"""`chiphost audit`: its exit codes, output and JSON."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from audited_libraries import PLAIN, UNIQUE, build
from checkout import ROOT
from click.testing import CliRunner, Result

from chiphost._cli.program import cli
from chiphost.audit import STRATEGIES


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
    sources = "".join(path.read_text() for path in sorted((ROOT / "python" / "chiphost" / "audit").glob("*.py")))
    names = set(re.findall(r'(?:make_finding|_Import)\(\s*"([a-z-]+)"', sources))
    assert len(names) > 25
    assert {name for name in names if f"`{name}`" not in page} == set()
