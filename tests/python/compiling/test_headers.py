# SPDX-License-Identifier: Apache-2.0
"""What a compile has read: records of it, and when they are still true."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiphost._compiling import headers
from chiphost._compiling.headers import Record, Request, Snapshot, decode, encode, is_current, is_same_case, observe

TEXTS = st.lists(st.text())
RECORDS = st.lists(st.builds(Record, st.text(), st.dictionaries(st.text(), st.text()), TEXTS, TEXTS, TEXTS, TEXTS))
LONG_AGO_NS = time.time_ns() - 3600 * 10**9


@given(RECORDS)
def test_a_manifest_has_all_of_its_records(records: list[Record]) -> None:
    assert decode(encode(records)) == records


@given(RECORDS, st.data())
def test_a_damaged_manifest_has_none(records: list[Record], data: st.DataObject) -> None:
    content = bytearray(encode(records))
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    assert decode(bytes(content)) == []
    assert decode(bytes(content[:at])) == []


def test_a_manifest_of_another_version_has_none() -> None:
    payload = b'[{"object": "digest", "includes": []}]'
    assert decode(hashlib.sha256(payload).hexdigest().encode() + b"\n" + payload) == []


def test_the_newer_record_of_the_same_headers_is_about_the_same_case() -> None:
    one = Record("one", {"h": "1"}, ["/f"], ["h"], [], ["/f/h"])
    assert is_same_case(one, Record("other", {"h": "1"}, ["/f"], ["h"], [], ["/f/h"]))
    assert not is_same_case(one, Record("one", {"h": "2"}, ["/f"], ["h"], [], ["/f/h"]))


class Tree:
    """A source with a header in the second of two folders that are searched, as its compile saw them."""

    def __init__(self, folder: Path) -> None:
        self.folders = [folder / "first", folder / "second"]
        for each in self.folders:
            each.mkdir()
        self.source, self.header = folder / "k.cpp", folder / "second" / "h.h"
        self.source.write_text('#include <h.h>\n#if __has_include("maybe.h")\n#endif\n')
        self.header.write_text("int x;\n")
        self.request = Request(str(self.source), headers.file_digest(str(self.source)), "key")

    def observe(self, started_ns: int) -> Record | None:
        files = [str(self.source), str(self.header)]
        return observe(self.request, "program", files, map(str, self.folders), started_ns)


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tree:
    # Times of files and folders of a test are those of now: without this, no compile that just ended counts.
    monkeypatch.setattr(headers, "_may_have_changed_since", lambda moment_ns, path: False)
    return Tree(tmp_path)


def test_a_record_is_true_as_long_as_nothing_changes(tree: Tree) -> None:
    record = tree.observe(0)
    assert record is not None
    assert record.headers == {str(tree.header): hashlib.sha256(b"int x;\n").hexdigest()}
    assert {"h.h", "maybe.h"} <= {*record.names}
    assert str(tree.header) in record.visible
    assert is_current(record, Snapshot())


@pytest.mark.parametrize("change", ["content", "gone", "earlier", "asked for"])
def test_a_record_is_no_longer_true_after_a_change(tree: Tree, change: str) -> None:
    record = tree.observe(0)
    assert record is not None
    if change == "content":
        tree.header.write_text("long x;\n")
    elif change == "gone":
        tree.header.unlink()
    elif change == "earlier":
        (tree.folders[0] / "h.h").touch()
    else:
        (tree.folders[1] / "maybe.h").touch()
    assert not is_current(record, Snapshot())


def test_another_file_changes_nothing(tree: Tree) -> None:
    record = tree.observe(0)
    assert record is not None
    (tree.folders[0] / "other.h").touch()
    assert is_current(record, Snapshot())


def test_a_snapshot_looks_once(tree: Tree) -> None:
    record, snapshot = tree.observe(0), Snapshot()
    assert record is not None
    assert is_current(record, snapshot)
    tree.header.write_text("long x;\n")
    assert is_current(record, snapshot)


def test_there_is_no_record_of_a_source_that_changed_or_a_header_that_is_gone(tree: Tree) -> None:
    tree.source.write_text("int other;\n")
    assert tree.observe(0) is None
    tree.request = Request(str(tree.source), headers.file_digest(str(tree.source)), "key")
    assert tree.observe(0) is not None
    tree.header.unlink()
    assert tree.observe(0) is None


def test_there_is_no_record_of_what_may_have_changed_since_the_compile_began(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    assert tree.observe(LONG_AGO_NS) is None
    assert tree.observe(time.time_ns() + 3600 * 10**9) is not None


@given(st.sets(st.sampled_from(["h.h", "a/h.h", "../h.h", "a/../h.h", "/abs/../h.h", "..h.h", "a..b/h.h"])))
def test_names_that_climb_out_are_relative_and_have_dots(names: set[str]) -> None:
    assert headers._climbing(names) == names & {"../h.h", "a/../h.h"}


def test_a_digest_is_that_of_the_content_whatever_was_known(tmp_path: Path) -> None:
    file = tmp_path / "file"
    for content in (b"one", b"two", b"two and more"):
        file.write_bytes(content)
        assert headers.file_digest(str(file)) == hashlib.sha256(content).hexdigest()
    file.unlink()
    with pytest.raises(FileNotFoundError):
        headers.file_digest(str(file))


def test_a_listing_says_what_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("folder")
    assert Snapshot().listing(str(tmp_path)) == {"folder": True, "file": False, "link": True}
    assert Snapshot().listing(str(tmp_path / "file")) == Snapshot().listing(str(tmp_path / "missing")) == {}
