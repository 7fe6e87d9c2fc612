# SPDX-License-Identifier: Apache-2.0
"""Files for reports: how a report reaches the disk, and the JSON in it."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chiphost._reports.file import ReportFile, as_json, write_all

# Texts may have surrogates, which stand for bytes of names of files.
TEXT = st.text(st.characters())
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=10,
)


@given(JSON)
@example(["\udce9", {"\ud800": 1}])
def test_json_is_what_it_was_made_from_and_fits_in_utf8(content: Any) -> None:
    text = as_json(content)
    assert text.endswith("\n")
    read = json.loads(text)
    json.dumps(read, ensure_ascii=False).encode()
    raw = json.dumps(content, ensure_ascii=False)
    if raw.encode(errors="ignore").decode() == raw:
        assert read == content


def test_each_report_is_made_and_written_and_what_fails_is_told(tmp_path: Path) -> None:
    good, bad = ReportFile(tmp_path / "good"), ReportFile(tmp_path / "missing" / "bad")
    problems = write_all(
        [(bad, lambda: "lost"), (None, lambda: pytest.fail("nobody wants it")), (good, lambda: "kept")]
    )
    [(file, error)] = problems
    assert file is bad
    assert isinstance(error, FileNotFoundError)
    assert (tmp_path / "good").read_text() == "kept"


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    file = ReportFile(tmp_path / "out.json")
    file.check()
    assert list(tmp_path.iterdir()) == []  # the check leaves nothing
    file.write("one")
    file.write("two")
    assert (tmp_path / "out.json").read_text() == "two"
    assert list(tmp_path.iterdir()) == [tmp_path / "out.json"]


def test_a_file_gets_the_mode_of_other_files(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("")
    ReportFile(tmp_path / "out.json").write("")
    assert stat.S_IMODE((tmp_path / "out.json").stat().st_mode) == stat.S_IMODE((tmp_path / "other").stat().st_mode)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "out.json"
    path.write_text("old")

    def fail(self: Path, target: Path) -> None:
        raise OSError("no room")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="no room"):
        ReportFile(path).write("new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "target")
    ReportFile(tmp_path / "link").write("content")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_text() == "content"


def test_a_device_or_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    null = ReportFile("/dev/null")
    null.check()
    null.write("gone")
    assert Path("/dev/null").is_char_device()
    os.mkfifo(tmp_path / "pipe")
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append((tmp_path / "pipe").read_text()))
    reader.start()
    ReportFile(tmp_path / "pipe").write("through")
    reader.join()
    assert read == ["through"]


@pytest.mark.parametrize("folder", ["/dev/fd", "/proc/self/fd"])
def test_an_open_file_is_written_to_and_not_replaced(tmp_path: Path, folder: str) -> None:
    with (tmp_path / "log").open("w+b", buffering=0) as file:
        file.write(b"before\n")
        link = tmp_path / "link"
        link.symlink_to(f"{folder}/{file.fileno()}")
        for path in (f"{folder}/{file.fileno()}", link):
            report = ReportFile(path)
            report.check()
            report.write("report\n")
        file.write(b"after\n")
    assert (tmp_path / "log").read_text() == "before\nreport\nreport\nafter\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "log"]


def test_an_open_file_must_be_there_and_open_for_writing(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("kept")
    with (tmp_path / "log").open() as file:
        with pytest.raises(PermissionError, match="open for reading only"):
            ReportFile(f"/dev/fd/{file.fileno()}").check()
        number = file.fileno()
    with pytest.raises(OSError, match="Bad file descriptor"):
        ReportFile(f"/dev/fd/{number}").check()


def test_what_cannot_be_written_is_found_by_the_check(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path, reason in (
        (tmp_path, "is a folder"),
        (tmp_path / "missing" / "out.json", "there is no folder"),
        (tmp_path / "file" / "out.json", "there is no folder"),
    ):
        with pytest.raises(OSError, match=reason):
            ReportFile(path).check()


_NOBODY = 65534  # a user and a group without rights, on every system
_CHECK = """
import os, sys
from chiphost._reports.file import ReportFile
user, *paths = sys.argv[1:]
if os.geteuid() == 0:  # root may write everywhere
    os.setgroups([])
    os.setgid(int(user))
    os.setuid(int(user))
for path in paths:
    try:
        ReportFile(path).check()
        print("fine")
    except OSError as error:
        print(type(error).__name__, error)
"""


def test_permissions_are_found_by_the_check() -> None:
    # Not in tmp_path, whose parents are closed to others.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        (folder / "read_only").write_text("")
        (folder / "closed").mkdir()
        (folder / "read_only").chmod(0o444)
        (folder / "closed").chmod(0o555)
        paths = [folder / "read_only", folder / "closed" / "out.json", folder / "out.json"]
        child = subprocess.run(
            [sys.executable, "-c", _CHECK, str(_NOBODY), *map(str, paths)], capture_output=True, text=True, timeout=60
        )
    read_only, closed, open_ = child.stdout.splitlines()
    assert "may not be written to" in read_only and read_only.startswith("PermissionError"), child.stderr
    assert "may not be written to" in closed
    assert open_ == "fine"
