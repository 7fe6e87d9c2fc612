# SPDX-License-Identifier: Apache-2.0
"""`chiphost conform`, and that the table of requirements and the suite say the same."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import c_libraries
import pytest
from checkout import ROOT
from click.testing import CliRunner, Result

from chiphost._cli.conform import _print
from chiphost._cli.console import make_console
from chiphost._cli.program import cli
from chiphost._conformance import suite as conformance
from chiphost._runtimes.runtimes import library_dir
from chiphost.errors import ArgumentError, LoadError, SceneError

REQUIREMENTS = ROOT / "docs" / "reference" / "platform-requirements.md"

pytestmark = pytest.mark.timeout(1800)  # whole suites run


def invoke(*words: str) -> Result:
    return CliRunner().invoke(cli, ["conform", *words])


@pytest.mark.parametrize("platform", ["a2a3sim", "a5sim"])
def test_the_simulated_platforms_pass_whole(platform):
    results = list(conformance.run(platform))
    assert [f"{r.id}: {r.message}" for r in results if r.outcome != "passed"] == []
    assert len({result.id.partition(".")[0] for result in results}) == 12


def test_every_requirement_has_a_test_and_every_test_a_requirement():
    page = REQUIREMENTS.read_text()
    rows = re.findall(r"^\| (PLAT-\d\d) \| [^|]+ \| [^|]+ \| ([^|]+) \|$", page, re.M)
    assert len(rows) == page.count("\n| PLAT-")
    documented = {(number, name) for number, names in rows for name in names.split(", ")}
    tested = {(number, test.id) for test in conformance.tests("a2a3sim") for number in test.requirements}
    assert documented == tested
    assert all(test.requirements for test in conformance.tests("a2a3sim"))
    assert [number for number, _ in rows] == sorted({number for number, _ in rows})


def test_headers_name_no_requirement_that_is_not_there():
    numbers = set(re.findall(r"^\| (PLAT-\d\d)", REQUIREMENTS.read_text(), re.M))
    headers = list((ROOT / "platform" / "include" / "chiphost" / "platform").glob("*.h"))
    assert headers
    for header in headers:
        assert set(re.findall(r"PLAT-\d\d", header.read_text())) <= numbers, header


def test_a_line_for_each_test_and_a_summary():
    result = invoke("-p", "a2a3sim", "-k", "copies.")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert all(re.fullmatch(r"PASS  copies\.\w+ +\d+\.\d{3} s", line) for line in lines[:-1])
    assert lines[-1] == f"Total: {len(lines) - 1}  Passed: {len(lines) - 1}  Listed: 0  Failed: 0"


def test_the_list_runs_nothing():
    result = invoke("-p", "a2a3sim", "-k", "memory.al", "--list")
    assert (result.exit_code, result.stdout.split()) == (0, ["memory.aligned", "PLAT-02"])


def test_reports(tmp_path):
    json_file, junit_file = tmp_path / "report.json", tmp_path / "report.xml"
    result = invoke("-p", "a5sim", "-k", "memory.", "--json", str(json_file), "--junit", str(junit_file))
    assert result.exit_code == 0, result.output
    report = json.loads(json_file.read_text())
    assert (report["platform"], report["failed"], report["listed"]) == ("a5sim", 0, 0)
    assert report["total"] == report["passed"] == len(report["tests"])
    assert {test["id"].partition(".")[0] for test in report["tests"]} == {"memory"}
    suites = ET.parse(junit_file).getroot().findall("testsuite")
    assert [suite.get("name") for suite in suites] == ["memory"]
    assert len(suites[0].findall("testcase")) == report["total"]


def make_result(outcome: str, good: bool, reason: str = "") -> conformance.ConformanceResult:
    return conformance.ConformanceResult("time.x", ("PLAT-45",), outcome, good, 0.5, "too <late>\nby far", reason)


def test_listed_and_failed_tests_in_reports():
    results = [make_result("failed", False), make_result("unsupported", True, "no clock"), make_result("passed", True)]
    assert conformance.summary(results) == "Total: 3  Passed: 1  Listed: 1  Failed: 1"
    report = json.loads(conformance.to_json("p", results))
    assert (report["total"], report["passed"], report["listed"], report["failed"]) == (3, 1, 1, 1)
    cases = ET.fromstring(conformance.to_junit("p", results).encode()).findall("testsuite/testcase")
    assert [[child.tag for child in case] for case in cases] == [["failure"], ["skipped"], []]
    assert cases[0][0].get("message") == "too <late>"
    assert cases[1][0].get("message") == "unsupported: no clock"
    assert cases[0][0].text == "too <late>\nby far"


def test_a_failed_test_ends_with_the_addresses_of_its_requirements(monkeypatch, capsys):
    failed = conformance.ConformanceResult("time.x", ("PLAT-45", "PLAT-46"), "failed", False, 0.5, "too late", "")
    monkeypatch.setenv("CHIPHOST_DOCS_URL", "https://docs.example.com/")
    page = "https://docs.example.com/reference/platform-requirements.html"
    _print(make_console(), failed, 6)
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert lines[1:] == ["too late", "PLAT-45 PLAT-46", f"{page}#plat-45", f"{page}#plat-46"]
    [case] = ET.fromstring(conformance.to_junit("p", [failed]).encode()).findall("testsuite/testcase")
    assert case[0].text == f"too late\n{page}#plat-45\n{page}#plat-46"

    passed = make_result("passed", True)
    _print(make_console(), passed, 6)
    assert "https" not in capsys.readouterr().out + conformance.to_junit("p", [passed])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-p", "a2a3sim", "-k", "nonsense"], "no test has 'nonsense' in its name"),
        (["-p", "nowhere"], "PLATFORM_UNKNOWN"),
        (["-p", "a2a3sim", "--json", "r", "--junit", "r"], "name the same file"),
    ],
)
def test_wrong_usage(words, message):
    result = invoke(*words)
    assert result.exit_code == 2
    assert message in result.output


def test_a_text_that_no_test_has_is_an_error():
    """The program itself refuses it, too: a run without tests must not pass as a platform that passes."""
    for call in (conformance.tests, lambda *words: list(conformance.run(*words))):
        with pytest.raises(ArgumentError, match=r"INVALID_ARGUMENT.*no test has 'typo' in its name"):
            call("a2a3sim", "typo")
    folder = library_dir() / "a2a3sim" / "conform"
    programs = [folder / f"{name}.so" for name in ("conform", "aicpu", "aicore")]
    options = ["--platform", "a2a3sim", "--anchor", library_dir() / "chiphost_anchor.so", "--only", "typo"]
    command = [library_dir() / "chiphost_conform", *programs, library_dir() / "conformance", *options]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert "no test has 'typo' in its name" in done.stderr


def test_a_platform_without_the_suite_is_unknown(tmp_path):
    with pytest.raises(SceneError, match=r"PLATFORM_UNKNOWN.*there is none.*looked in"):
        conformance.tests("a2a3sim", library=tmp_path)


def library_without(platform: str, folder: Path) -> Path:
    """Copy the installed programs, but those of a platform; return the folder for its suite."""
    for path in library_dir().iterdir():
        if path.name != platform:
            (folder / path.name).symlink_to(path)
    suite = folder / platform / "conform"
    suite.mkdir(parents=True)
    return suite


def test_kernels_beside_the_suite_are_those_that_are_loaded(tmp_path, monkeypatch):
    """This also holds if the suite is another project's. This folder has no kernels."""
    suite = tmp_path / "a2a3sim" / "conform"
    suite.parent.mkdir()
    suite.mkdir()
    for file in (library_dir() / "a2a3sim" / "conform").iterdir():
        (suite / file.name).symlink_to(file)
    (suite / "kernels").mkdir()
    monkeypatch.setenv("CHIPHOST_RUNTIME_PATH", str(tmp_path))
    [result] = conformance.run("a2a3sim", "programs.run_kernel")
    assert result.outcome == "unsupported"
    assert f"the platform's build makes no record_1.so in {suite / 'kernels'}" in result.message


def test_a_suite_that_cannot_be_loaded_says_why(tmp_path):
    (library_without("a2a3sim", tmp_path) / "conform.so").write_text("no library")
    with pytest.raises(LoadError, match=r"conform\.so"):
        list(conformance.run("a2a3sim", library=tmp_path))


def test_a_program_that_is_not_there_says_so(tmp_path):
    (library_without("a2a3sim", tmp_path) / "conform.so").write_text("")
    (tmp_path / "chiphost_conform").unlink()
    with pytest.raises(LoadError, match="chiphost_conform: it cannot be started: No such file"):
        list(conformance.run("a2a3sim", library=tmp_path))


@pytest.mark.parametrize("folder", ["/nowhere", "/proc"])
def test_a_temporary_folder_that_is_of_no_use_is_not_used(monkeypatch, folder):
    monkeypatch.setenv("TMPDIR", folder)
    result = invoke("-p", "a2a3sim", "-k", "orchestrations.l")
    assert result.exit_code == 0, result.output


WAITS_FOR_EVER = """
#include <stdio.h>
#include <unistd.h>

#include "conformance/conformance.h"

static int32_t run(void*, const void*, void*) {
    FILE* mark = fopen(MARK, "w");
    fprintf(mark, "%d\\n", getpid());
    fclose(mark);
    for (;;) pause();
}

extern "C" __attribute__((visibility("default"))) const ch_conformance* chiphost_conformance() {
    static const ch_conformance_test tests[] = {{"time.for_ever", "PLAT-45"}};
    static const ch_conformance table = {CH_ABI_HEADER(ch_conformance, CH_ABI_CONFORMANCE, CH_CONFORMANCE_MAJOR,
                                                       CH_CONFORMANCE_MINOR, "a2a3sim"),
                                         tests, nullptr, 1, 0, run};
    return &table;
}
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interruption_leaves_no_process(tmp_path, number):
    """The signal reaches the command alone; a test that waits for ever is under way two processes below."""
    mark = tmp_path / "mark"
    suite = library_without("a2a3sim", tmp_path)
    includes = [f"-I{ROOT / 'cpp' / 'include'}", f"-I{ROOT / 'tests'}"]
    c_libraries.build(WAITS_FOR_EVER, suite / "conform.so", f'-DMARK="{mark}"', *includes)
    words = [sys.executable, "-m", "chiphost", "conform", "-p", "a2a3sim", "-t", "600"]
    environment = {**os.environ, "CHIPHOST_LIB_DIR": str(tmp_path)}
    with subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as program:
        try:
            assert waits_until(lambda: program.poll() is not None or (mark.exists() and "\n" in mark.read_text()))
            test = int(mark.read_text())
            program.send_signal(number)
            assert program.wait(120) == {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -9}[number]
        finally:
            program.kill()
        assert waits_until(lambda: not Path(f"/proc/{test}").exists())


def waits_until(holds, timeout_s: float = 120) -> bool:
    """Wait until a condition holds; False if it does not hold within the time."""
    end = time.monotonic() + timeout_s
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def test_a_platform_that_crashes_or_fails_fails_tests_and_nothing_else(tmp_path):
    """The suite of a2a3sim with the AICPU program of another platform: every device is refused."""
    folder = library_without("a2a3sim", tmp_path)
    for name in ("conform", "aicore"):
        (folder / f"{name}.so").symlink_to(library_dir() / "a2a3sim" / "conform" / f"{name}.so")
    (folder / "aicpu.so").symlink_to(library_dir() / "a5sim" / "conform" / "aicpu.so")
    results = list(conformance.run("a2a3sim", "memory.", library=tmp_path))
    assert results
    for result in results:
        assert (result.outcome, result.good) == ("failed", False)
        assert "ABI_MISMATCH" in result.message
