# SPDX-License-Identifier: Apache-2.0
"""A folder that only its user can have put anything in: its files, and what is in their way."""

from __future__ import annotations

import fcntl
import os
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiphost._system.private_folder import (
    ASIDE,
    TEMPORARY,
    NotPrivate,
    PrivateFolder,
    open_private_folder,
    remove_all,
)

NAMES = st.sampled_from(["a", "b", "c"])
HOUR_S = 3600


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "private"


@pytest.fixture
def folder(root: Path) -> Iterator[PrivateFolder]:
    with opened(root) as made:
        yield made


def opened(root: Path) -> PrivateFolder:
    found = open_private_folder(root, make=True)
    assert found is not None
    return found


def test_a_missing_folder_is_made_for_this_user_or_not_at_all(root: Path) -> None:
    path = root / "deep" / "deeper"
    assert open_private_folder(path) is None
    assert not root.exists()
    with opened(path):
        assert [stat.S_IMODE(each.stat().st_mode) for each in (root, root / "deep", path)] == [0o700] * 3


@given(writes=st.lists(st.tuples(NAMES, NAMES, st.binary())))
def test_a_file_has_what_was_written_last(
    tmp_path_factory: pytest.TempPathFactory, writes: list[tuple[str, str, bytes]]
) -> None:
    root, wanted = tmp_path_factory.mktemp("root") / "private", {}
    with opened(root) as folder:
        for *place, data in writes:
            folder.write(*place, data=data)
            wanted[tuple(place)] = data
        assert {place: folder.read(*place, touched_s=HOUR_S) for place in wanted} == wanted
        found = {entry.place: entry.status.st_size for name in "abc" for entry in folder.walk(name)}
        assert found == {place: len(data) for place, data in wanted.items()}
        for place in wanted:
            folder.remove(*place)
            folder.remove(*place)
            assert folder.status(*place) is None
    assert not [file for file in root.rglob("*") if not file.is_dir()]


def test_a_file_is_for_its_owner_only(folder: PrivateFolder, root: Path) -> None:
    folder.write("a", "file", data=b"x")
    assert stat.S_IMODE((root / "a").stat().st_mode) == 0o700
    assert stat.S_IMODE((root / "a" / "file").stat().st_mode) == 0o600


@pytest.mark.parametrize(("age_s", "is_touched"), [(2 * HOUR_S, True), (HOUR_S // 2, False)])
def test_a_file_that_is_read_is_noted_as_used(folder: PrivateFolder, root: Path, age_s: int, is_touched: bool) -> None:
    folder.write("file", data=b"x")
    old = (root / "file").stat().st_mtime - age_s
    os.utime(root / "file", (old, old))
    assert folder.read("file", touched_s=HOUR_S) == b"x"
    assert ((root / "file").stat().st_mtime > old) == is_touched


def make_link(path: Path) -> None:
    (path.parent / "target").write_bytes(b"of others")
    path.symlink_to("target")


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        here = Path.cwd()
        os.chdir(path.parent)  # a socket's path must be short
        try:
            made.bind(path.name)
        finally:
            os.chdir(here)


OTHER_KINDS: dict[str, Callable[[Path], object]] = {
    "link": make_link,
    "folder": Path.mkdir,
    "pipe": os.mkfifo,
    "socket": make_socket,
}


@pytest.mark.parametrize("kind", OTHER_KINDS)
def test_something_else_in_the_place_of_a_file_is_no_file_and_gives_way(
    folder: PrivateFolder, root: Path, kind: str
) -> None:
    OTHER_KINDS[kind](root / "file")
    assert folder.read("file", touched_s=0) is None
    assert folder.open_to_lock("file") is None
    folder.write("file", data=b"mine")
    assert folder.read("file", touched_s=0) == b"mine"
    assert not (root / "file").is_symlink()
    if kind == "link":
        assert (root / "target").read_bytes() == b"of others"


@pytest.mark.parametrize("kind", ["link", "pipe", "socket", "file"])
def test_something_else_in_the_place_of_a_folder_is_passed_by_and_gives_way(
    folder: PrivateFolder, root: Path, kind: str
) -> None:
    {**OTHER_KINDS, "file": Path.touch}[kind](root / "a")
    assert folder.read("a", "file", touched_s=0) is None
    assert folder.status("a", "file") is None
    assert list(folder.walk("a")) == []
    folder.write("a", "file", data=b"mine")
    assert folder.read("a", "file", touched_s=0) == b"mine"
    [aside] = root.glob(f"{ASIDE}*")
    folder.remove_what_is_aside()
    assert not os.path.lexists(aside)
    assert folder.read("a", "file", touched_s=0) == b"mine"


def test_what_is_aside_goes_with_its_content(folder: PrivateFolder, root: Path) -> None:
    folder.write("a", "b", "file", data=b"x")
    (root / "a" / "link").symlink_to(root)
    folder.write("kept", data=b"y")
    folder.move_aside("a")
    folder.move_aside("missing")
    assert folder.status("a") is None
    folder.remove_what_is_aside()
    assert [each.name for each in root.iterdir()] == ["kept"]


def test_a_folder_below_that_others_may_write_to_is_refused(folder: PrivateFolder, root: Path) -> None:
    folder.write("a", "file", data=b"x")
    (root / "a").chmod(0o777)
    for use in (
        lambda: folder.read("a", "file", touched_s=0),
        lambda: folder.write("a", "file", data=b"y"),
        lambda: folder.open_to_lock("a", "lock"),
        lambda: list(folder.walk("a")),
    ):
        with pytest.raises(NotPrivate, match="others may write to it \\(its mode is 0777\\)") as caught:
            use()
        assert caught.value.filename == str(root / "a")


def test_a_write_that_fails_leaves_the_old_file(
    folder: PrivateFolder, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.write("file", data=b"old")

    def fail(name: str, *_: object, **__: object) -> None:
        assert name.startswith(TEMPORARY)
        raise OSError("no room")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="no room"):
        folder.write("file", data=b"new")
    assert folder.read("file", touched_s=HOUR_S) == b"old"
    assert [each.name for each in root.iterdir()] == ["file"]


def test_a_lock_is_on_the_same_file_each_time(folder: PrivateFolder) -> None:
    one, other = folder.open_to_lock("a", "lock"), folder.open_to_lock("a", "lock")
    assert one is not None and other is not None
    fcntl.flock(one, fcntl.LOCK_EX)
    with pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(one)
    fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(other)


@pytest.mark.parametrize("kind", [*OTHER_KINDS, "missing"])
def test_anything_can_be_removed_and_no_link_is_followed(tmp_path: Path, kind: str) -> None:
    if kind != "missing":
        OTHER_KINDS[kind](tmp_path / "it")
    if kind == "folder":
        (tmp_path / "it" / "deep").mkdir()
        (tmp_path / "it" / "deep" / "file").touch()
    descriptor = os.open(tmp_path, os.O_RDONLY)
    remove_all("it", descriptor)
    os.close(descriptor)
    assert [each.name for each in tmp_path.iterdir()] == (["target"] if kind == "link" else [])
