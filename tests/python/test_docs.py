# SPDX-License-Identifier: Apache-2.0
"""The docs say what is true."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest
from click.testing import CliRunner

from chiphost import _core, errors
from chiphost.cli import cli

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("tests/**/*.md")])


def test_readme_example_runs(capsys, monkeypatch):
    example = re.search(r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text(), re.M | re.S)
    assert example
    monkeypatch.chdir(ROOT)
    exec(compile(example[1], "README.md", "exec"), {})
    assert capsys.readouterr().out == "42.0 4\n"
    assert len(example[1].strip().splitlines()) <= 21


def test_examples_of_isolation_run(capsys):
    examples = re.findall(r"^```python\n(.*?)^```$", (ROOT / "docs" / "isolation.md").read_text(), re.M | re.S)
    assert len(examples) == 2
    for example in examples:
        exec(compile(example, "isolation.md", "exec"), {})
    assert re.match(r"(namespace|copy) - auto: .*\n\d+ left", capsys.readouterr().out)


def test_the_scene_that_the_page_on_scenes_writes_runs(tmp_path):
    page = (ROOT / "tests" / "scenes" / "README.md").read_text()
    assert "default_case=" in page
    folder = tmp_path / "host_build_graph" / "add_one"
    for title, name in (
        ("**scene.py**", "scene.py"),
        ("**orchestration.cpp**", "orchestration.cpp"),
        ("**A kernel**", "kernels/add_one.cpp"),
    ):
        snippet = re.search(r"\n\n((?:    .*\n|\n)+)", page[page.index(title) :])
        assert snippet
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(textwrap.dedent(snippet[1]))
    result = CliRunner().invoke(cli, ["ci", "-p", "a2a3sim", "--scenes", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert "Total: 1  Passed: 1  Failed: 0" in result.stdout


def test_error_codes_are_those_of_the_table():
    assert (ROOT / "docs" / "error-codes.md").read_text() == errors.table_as_markdown()


def test_every_error_has_a_class():
    for row in errors.ERROR_TABLE.values():
        error = errors.make_error(row.name, "text", "place")
        assert type(error).__name__ == row.python_class
        assert str(error) == f"{row.name} ({row.code}): place: text\n  hint: {row.remedy}"


def test_every_config_field_is_in_the_settings():
    page = (ROOT / "docs" / "settings.md").read_text()
    fields = [name for name in dir(_core.CallConfig) if not name.startswith("_")]
    assert fields
    for name in fields:
        assert f"`{name}`" in page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target
