# SPDX-License-Identifier: Apache-2.0
"""Files that the audit takes or refuses: damaged, of other processors, and those of the system."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest
from audited_libraries import PLAIN, UNIQUE, build, ids
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chiphost.audit import STRATEGIES, audit
from chiphost.errors import LoadError


def test_without_section_headers(tmp_path):
    library = build(tmp_path, UNIQUE + 'static long v[9];\nextern "C" long g(int i) { return ++v[i]; }\n')
    data = bytearray(library.read_bytes())
    data[0x28:0x30] = bytes(8)  # e_shoff
    data[0x3A:0x40] = bytes(6)  # e_shentsize, e_shnum, e_shstrndx
    library.write_bytes(data)
    assert {"unique-symbols", "state"} <= ids(audit(library))


def test_programs_and_other_processors_are_no_libraries(tmp_path):
    program = audit(sys.executable)
    assert program.auto.strategy is None
    assert "not-a-library" in ids(program)
    library = build(tmp_path, PLAIN)
    data = bytearray(library.read_bytes())
    data[18:20] = (8).to_bytes(2, "little")  # MIPS
    library.write_bytes(data)
    assert audit(library).verdicts["process"].reasons == ("architecture",)


def test_files_that_cannot_be_read(tmp_path):
    library = build(tmp_path, PLAIN)
    script = tmp_path / "libm.so"
    script.write_text("/* GNU ld script */ GROUP ( /lib/libm.so.6 )")
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "empty").touch()
    (tmp_path / "half").write_bytes(library.read_bytes()[: library.stat().st_size // 2])
    (tmp_path / "link").symlink_to("nowhere")
    for path, name in (
        (tmp_path / "none", "FILE_UNREADABLE"),
        (tmp_path / "link", "FILE_UNREADABLE"),
        (tmp_path / "fifo", "FILE_UNREADABLE"),
        (tmp_path, "FILE_UNREADABLE"),
        (script, "NOT_ELF"),
        (tmp_path / "empty", "NOT_ELF"),
        (tmp_path / "half", "FILE_TRUNCATED"),
    ):
        with pytest.raises(LoadError) as caught:
            audit(path)
        assert caught.value.name == name
        assert str(path) in str(caught.value)


@pytest.fixture(scope="module")
def small_library(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return build(tmp_path_factory.mktemp("small"), UNIQUE, "-s").read_bytes()


@settings(deadline=5000, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_files_raise_nothing_else(small_library, tmp_path, data):
    content = bytearray(small_library)
    # Headers and tables are at the beginning; changes there find more.
    places = st.integers(0, 1023) | st.integers(0, len(content) - 1)
    for at, value in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), max_size=8)):
        content[at] = value
    damaged = tmp_path / "damaged.so"
    damaged.write_bytes(content[: data.draw(st.just(len(content)) | st.integers(0, len(content)))])
    try:
        audit(damaged)
    except LoadError as error:
        assert error.hint


def test_libraries_of_the_system():
    # os.walk follows no links, which may go round in circles.
    paths = sorted(
        Path(folder, name) for folder, _, names in os.walk("/usr/lib") for name in names if ".so" in name
    )  # fmt: skip
    deadline, audited = time.monotonic() + 20, 0
    for path in paths[:: max(1, len(paths) // 60)]:
        if time.monotonic() > deadline:
            break
        try:
            assert set(audit(path).verdicts) == {*STRATEGIES, "recycle"}
            audited += 1
        except LoadError as error:
            assert error.name in ("NOT_ELF", "FILE_UNREADABLE", "FILE_TRUNCATED"), path
    assert audited or not paths
