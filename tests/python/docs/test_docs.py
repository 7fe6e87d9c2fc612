# SPDX-License-Identifier: Apache-2.0
"""The docs say what is true."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import click
import pytest
from checkout import ROOT
from click.testing import CliRunner

import chiphost
from chiphost import _core, call_config, errors
from chiphost._cli.program import cli
from chiphost._runtimes import runtimes

ERRORS = ROOT / "cpp/include/chiphost/abi/errors.def"
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


FIRST_SCENE = ROOT / "tests" / "examples" / "first_scene"


def run_first_scene(folder: Path, *options: str) -> str:
    """The commands and output that the page shows of a run; times are left out, because they differ each time."""
    shown = " ".join(["$ chiphost run hypotenuse", *options, "--scenes my_scenes"])
    result = CliRunner().invoke(cli, ["run", "hypotenuse", *options, "--scenes", str(folder)])
    return without_times(f"{shown}\n{result.stdout}")


def without_times(text: str) -> str:
    return re.sub(r" +\d+\.\d{3} s", " TIME", text)


@pytest.mark.parametrize("platform", ["a2a3sim", "a5sim"])
def test_the_first_scene_passes(platform):
    result = CliRunner().invoke(cli, ["ci", "-p", platform, "--scenes", str(FIRST_SCENE)])
    assert result.exit_code == 0, result.output
    assert "Total: 1  Passed: 1  Failed: 0" in result.stdout


def test_the_first_scene_prints_what_its_page_shows():
    assert run_first_scene(FIRST_SCENE, "--all-cases") == without_times((FIRST_SCENE / "run.txt").read_text())


def test_the_first_scene_broken_prints_what_its_page_shows(tmp_path):
    shutil.copytree(FIRST_SCENE, tmp_path, dirs_exist_ok=True)
    [kernel] = tmp_path.rglob("root_of_sum.cpp")
    text = kernel.read_text()
    assert text.count("i = 0") == 1
    kernel.write_text(text.replace("i = 0", "i = 1"))
    assert run_first_scene(tmp_path) == without_times((FIRST_SCENE / "break.txt").read_text())


FIND_A_RACE = ROOT / "tests" / "examples" / "find_a_race"


@pytest.mark.parametrize(("option", "shown", "code"), [(None, "run.txt", 0), ("--check", "check.txt", 1)])
def test_the_guide_to_races_shows_what_is_printed(option, shown, code, tmp_path, monkeypatch):
    shutil.copytree(FIND_A_RACE, tmp_path / "my_scenes")
    monkeypatch.chdir(tmp_path)
    command = ["run", "scaled_sum", *filter(None, [option]), "--scenes", "my_scenes"]
    result = CliRunner().invoke(cli, command)
    assert result.exit_code == code, result.output
    expected = without_times((FIND_A_RACE / shown).read_text())
    assert without_times(f"$ chiphost {' '.join(command)}\n{result.stdout}") == expected


def test_the_guide_to_races_mends_the_race(tmp_path):
    shutil.copytree(FIND_A_RACE, tmp_path, dirs_exist_ok=True)
    guide = (ROOT / "docs" / "guides" / "find-a-race.md").read_text()
    [source] = tmp_path.rglob("orchestration.cpp")
    text = source.read_text()
    for old in ("    graph.add_task(chiphost::AIV, kScale, {y, x});\n", "    graph.add_successor(add, scale_sum);\n"):
        assert text.count(old) == 1
        text = text.replace(old, "")
    lines = re.findall(r"^    (?:const auto scale_y = |graph\.add_successor\().*;$", guide, re.M)
    assert len(lines) == 3
    source.write_text(text.replace("    return 0;", "\n".join([*lines, "    return 0;"])))
    result = CliRunner().invoke(cli, ["run", "scaled_sum", "--check", "--scenes", str(tmp_path)])
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    ("script", "output"),
    [("from_python.py", "[ 5. 13. 17.] 3\n"), ("trace.py", (FIRST_SCENE / "trace.txt").read_text())],
)
def test_scripts_print_what_pages_show(script, output):
    ended = subprocess.run([sys.executable, FIRST_SCENE / script], capture_output=True, text=True, timeout=120)
    assert (ended.returncode, ended.stdout) == (0, output), ended.stderr


def test_what_the_script_prints_is_on_its_page():
    assert "`[ 5. 13. 17.] 3`" in (ROOT / "docs" / "guides" / "first-scene.md").read_text()


@pytest.mark.parametrize("name", sorted(cli.commands))
def test_options_of_a_command_are_on_the_page(name):
    """The page has all options of the command, and no others."""
    page = (ROOT / "docs" / ("audit.md" if name == "audit" else "command-line.md")).read_text()
    assert f"`chiphost {name}`" in page or f"## chiphost {name}" in page
    parts = dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", page, re.M | re.S))
    text = page if name == "audit" else parts.get(f"chiphost {name}", "")
    if "#options-for-every-run" in text:
        text += parts["Options for every run"]
    rows = re.findall(r"^\| (`-.*?) \|", text, re.M) + re.findall(rf"^    chiphost {name} (.*)$", text, re.M)
    documented = {option for row in rows for option in re.findall(r"(?<![\w-])--?[a-z][a-z-]*", row)}
    options = [param for param in cli.commands[name].params if isinstance(param, click.Option)]
    assert documented == {option for param in options for option in (*param.opts, *param.secondary_opts)}


def test_every_public_name_is_in_the_python_reference():
    page = (ROOT / "docs" / "reference" / "python.md").read_text()
    shown = set(re.findall(r"^\.\. auto\w+:: chiphost\.(\w+)$", page, re.M))
    elsewhere = {"ERROR_TABLE", "__version__", "isolate"}
    assert shown == set(chiphost.__all__) - elsewhere
    assert "`chiphost.ERROR_TABLE`" in page
    assert "## chiphost.isolate" in page
    assert set(re.findall(r"chiphost\.isolate\.(\w+)$", page, re.M)) == set(chiphost.isolate.__all__)


def test_every_public_header_is_in_the_reference():
    pages = [path.read_text() for path in (ROOT / "docs" / "reference").glob("*.md")]
    shown = [name for page in pages for name in re.findall(r"^```{header} (.*)$", page, re.M)]
    folders = ("cpp/include/chiphost", "platform/include/chiphost")
    public = [str(path.relative_to(ROOT)) for folder in folders for path in (ROOT / folder).rglob("*.h")]
    assert sorted(shown) == sorted([*public, "cpp/host/runtime.h"])


def test_error_codes_are_those_of_the_table():
    assert (ROOT / "docs" / "error-codes.md").read_text() == errors.table_as_markdown()


def test_the_settings_of_a_run_are_those_of_the_table():
    assert f"\n\n{call_config.table_as_markdown()}\n" in (ROOT / "docs" / "settings.md").read_text()


def test_every_error_has_a_class():
    for row in errors.ERROR_TABLE.values():
        error = errors.make_error(row.name, "text", "place")
        assert type(error).__name__ == row.python_class
        assert str(error) == f"{row.name} ({row.code}): place: text\n  hint: {row.remedy}"


def test_no_hint_sends_back_to_the_message():
    """A reader of the hint has read the message, and wants to know what to do."""
    rows = [row for row in errors.ERROR_TABLE.values() if re.search(r"\bmessage\b", row.remedy)]
    assert not rows
    assert all(len(row.remedy.split()) > 1 for row in errors.ERROR_TABLE.values())


@pytest.mark.parametrize("name", re.findall(r"^CH_ERROR\(\d+, (\w+),", ERRORS.read_text(), re.M))
def test_every_error_is_provoked_by_a_test(name):
    """A test names it in Python or C++; the reader has to see that it is provoked, not only named."""
    tests = [*ROOT.glob("tests/python/*/test_*.py"), *ROOT.glob("tests/cpp/**/*_test.cpp")]
    assert any(re.search(rf"\b(CH_)?{name}\b", path.read_text()) for path in tests)


def test_every_config_field_is_in_the_settings():
    page = (ROOT / "docs" / "settings.md").read_text()
    fields = [name for name in dir(_core.CallConfig) if not name.startswith("_")]
    assert fields
    for name in fields:
        assert f"`{name}`" in page


# The forms in which sources name a variable of the environment that they read or change.
VARIABLE_PATTERNS = (
    r"""(?:getenv|environ\.get|environ\.pop|environment\.pop)\(\s*["']([A-Z_]+)["']""",
    r"""environ(?:ment)?\[["']([A-Z_]+)["']\]""",
    r""""(CHIPHOST_(?!HOST_|ORCHESTRATION)[A-Z_]+)\"""",
    r"""{"([A-Z_]+)": [^}]*\*\*os\.environ""",
    r"""\*\*os\.environ, "([A-Z_]+)":""",
    r"""const std::string first = "([A-Z_]+)=\"""",  # looked for in /proc/self/environ
)
# Tuples of names.
VARIABLE_TUPLES = r"""^_?[A-Z_]*VARIABLES\b[^=]*= \(([^)]*)\)"""
# Variables that a library reads: rich.
OF_LIBRARIES = {"NO_COLOR", "FORCE_COLOR"}


def test_every_environment_variable_is_in_the_one_table():
    sources = [
        path
        for folder in ("python", "cpp", "platform")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".py", ".cpp", ".h", ".def")
    ]
    read: set[str] = set()
    for path in sources:
        text = path.read_text()
        for pattern in VARIABLE_PATTERNS:
            read.update(re.findall(pattern, text))
        for names in re.findall(VARIABLE_TUPLES, text, re.M):
            read.update(re.findall(r'"([A-Z_]+)"', names))
        # A name in a form that the patterns do not know would escape.
        for line in text.splitlines():
            if re.search(r"\bgetenv\(|environ\.(get|pop)\(|environ\[", line):
                known = any(re.search(pattern, line) for pattern in VARIABLE_PATTERNS)
                assert known or re.search(r"\((name|variable|_RESTARTED|_TUNABLES)\b", line), f"{path}: {line.strip()}"
    for about in runtimes.own_platforms().values():
        read.update(about.sdk_variables)
    page = (ROOT / "docs" / "settings.md").read_text().partition("## Environment variables")[2]
    rows = re.findall(r"^\| (`.*?) \|", page, re.M)
    table = [name for row in rows for name in re.findall("`([A-Z_]+)`", row)]
    assert len(table) == len(set(table))
    assert set(table) - OF_LIBRARIES - {"LC_ALL"} == read - {"LC_ALL"}


def test_no_other_page_has_a_table_of_environment_variables():
    for page in PAGES:
        if page.name != "settings.md":
            assert not re.findall(r"^\| `(?:CHIPHOST_[A-Z_]+|NO_COLOR|CXX|TMPDIR)` \|", page.read_text(), re.M), page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


def test_every_row_about_namespaces_has_a_paragraph_a_line_in_the_table_and_a_test():
    page = (ROOT / "docs" / "internals" / "namespaces.md").read_text()
    table = dict(re.findall(r"^\| ([CH]\d+a?) \| .* \| (.*) \|$", page, re.M))
    assert set(table) == {"C1a"} | {f"C{i}" for i in range(1, 9)} | {f"H{i}" for i in range(1, 16)}
    told = set(re.findall(r"\*\*([CH]\d+a?):", page))
    assert told == set(table)
    cpp = re.findall(r"^TEST\(Facts, (\w+)\)", _texts("tests/cpp/**/*_test.cpp"), re.M)
    python = re.findall(r"^def (test_[ch]\d+a?_\w+)\(", _texts("tests/python/*/test_*.py"), re.M)
    assert {name for tests in table.values() for name in re.findall(r"`(?:Facts\.)?(\w+)`", tests)} == {*cpp, *python}
    for row, tests in table.items():
        for name in re.findall(r"`(?:Facts\.|test_)(\w+)`", tests):
            assert name.lower().startswith(f"{row.lower()}_"), f"{row}: {name}"
    cited = set(re.findall(r"\b[CH]\d+a?\b", (ROOT / "docs" / "audit.md").read_text()))
    assert cited <= set(table)


def _texts(pattern: str) -> str:
    return "\n".join(path.read_text() for path in sorted(ROOT.glob(pattern)))
