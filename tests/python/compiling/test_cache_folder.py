# SPDX-License-Identifier: Apache-2.0
"""The folder of the compile cache: its place, and the users who may use it."""

from __future__ import annotations

import grp
import os
import pwd
import subprocess
import sys
import tempfile
import types
from pathlib import Path

import pytest
from cached_compiles import FAR_FUTURE_NS, build, build_fresh, files_of, write_source
from foreign_user import CAN_GIVE_FILES_AWAY, FOREIGN_USER, a_foreign_folder, as_root

from chiphost._compiling.cache import CompileCache, CompiledFile
from chiphost._system import home, private_folder
from chiphost.errors import CacheError

pytestmark = pytest.mark.usefixtures("cache")


def test_everything_is_for_the_owner_only(tmp_path: Path) -> None:
    old_mask = os.umask(0)
    try:
        cache = CompileCache(tmp_path / "a" / "b" / "cache")
        build(write_source(tmp_path / "src/k.cpp"), cache)
    finally:
        os.umask(old_mask)
    paths = [tmp_path / "a", *(tmp_path / "a").rglob("*")]
    assert len(paths) > 8
    assert not [path for path in paths if path.stat().st_mode & 0o077]


def test_a_folder_of_the_user_keeps_its_mode(tmp_path: Path) -> None:
    root = tmp_path / "mine"
    root.mkdir()
    root.chmod(0o755)
    (root / "letter").touch()
    cache = CompileCache(root)
    build(write_source(tmp_path / "src/k.cpp"), cache)
    assert root.stat().st_mode & 0o777 == 0o755
    assert (root / "v1").stat().st_mode & 0o777 == 0o700
    cache.clear()
    assert [path.name for path in root.iterdir()] == ["letter"]


def assert_unusable(root: Path, reason: str, source: Path) -> None:
    cache = CompileCache(root)
    for use in (lambda: build(source, cache), cache.stats, cache.clear, cache.prune):
        with pytest.raises(CacheError, match=reason) as caught:
            use()
        assert caught.value.name == "CACHE_UNUSABLE"
        assert caught.value.where.startswith(str(root))
        assert "CHIPHOST_CACHE_DIR" in caught.value.hint


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o1777])
def test_a_folder_that_others_may_write_to_is_refused(mode: int, tmp_path: Path) -> None:
    root = tmp_path / "shared"
    root.mkdir()
    root.chmod(mode)
    assert_unusable(root, f"others may write to it .its mode is {mode:04o}", write_source(tmp_path / "k.cpp"))
    assert root.stat().st_mode & 0o7777 == mode
    assert not list(root.iterdir())


def test_a_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    root, owner = a_foreign_folder(tmp_path / "foreign")
    assert_unusable(
        root, f"belongs to user {owner}.*, and you are user {os.geteuid()}", write_source(tmp_path / "k.cpp")
    )


@pytest.mark.parametrize("mode", [0o777, 0o703])
def test_a_folder_above_that_others_may_write_to_is_refused(mode: int, tmp_path: Path) -> None:
    source = write_source(tmp_path / "k.cpp")
    above = tmp_path / "shared"
    root = above / "inner" / "cache"
    build(source, CompileCache(root))
    above.chmod(mode)
    reason = f"others may write to {above}, a folder above it, and exchange it .its mode is {mode:04o}"
    assert_unusable(root, reason, source)
    above.chmod(0o1777)  # as /tmp: everybody moves only what is theirs
    assert build(source, CompileCache(root)) == build_fresh(source)


def test_a_folder_above_that_a_group_may_write_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write_source(tmp_path / "k.cpp")
    above = tmp_path / "shared"
    root = above / "cache"
    build(source, CompileCache(root))
    above.chmod(0o770)
    monkeypatch.setattr(private_folder, "_is_own_group", lambda group: group == above.stat().st_gid)
    assert build(source, CompileCache(root)) == build_fresh(source)
    monkeypatch.setattr(private_folder, "_is_own_group", lambda group: False)
    assert_unusable(root, "others may write to", source)


@pytest.mark.parametrize(
    ("name", "members", "users", "own"),
    [
        ("me", [], {"me": 10}, True),
        ("me", ["me"], {"me": 10, "other": 11}, True),
        ("me", ["me", "other"], {"me": 10, "other": 11}, False),
        ("me", [], {"me": 10, "other": 10}, False),  # it is the other's own group, so the group does not name him
        ("staff", [], {"me": 10}, False),
    ],
)
def test_whose_group_is_one_s_own(
    name: str, members: list[str], users: dict[str, int], own: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = [
        pwd.struct_passwd((user, "x", os.geteuid() + at, group, "", "/", "/bin/sh"))
        for at, (user, group) in enumerate(users.items())
    ]
    monkeypatch.setattr(pwd, "getpwuid", lambda user: known[user - os.geteuid()])
    monkeypatch.setattr(pwd, "getpwall", lambda: known)
    monkeypatch.setattr(grp, "getgrgid", lambda group: grp.struct_group((name, "x", group, members)))
    assert private_folder._is_own_group.__wrapped__(10) is own


@as_root
def test_a_folder_above_of_another_user_is_refused(tmp_path: Path) -> None:
    source = write_source(tmp_path / "k.cpp")
    above = tmp_path / "foreign"
    build(source, CompileCache(above / "cache"))
    os.chown(above, FOREIGN_USER, FOREIGN_USER)
    assert_unusable(above / "cache", f"{above}, a folder above it, belongs to user {FOREIGN_USER}", source)


@as_root
@pytest.mark.parametrize("place", ["cache", "above/cache"])
def test_a_link_of_another_user_is_refused(place: str, tmp_path: Path) -> None:
    source = write_source(tmp_path / "k.cpp")
    (tmp_path / "real/cache").mkdir(0o700, parents=True)
    (tmp_path / "links").mkdir()
    (tmp_path / "links").chmod(0o1777)
    link = tmp_path / "links" / place.split("/")[0]
    link.symlink_to(tmp_path / "real" / ("cache" if place == "cache" else ""))
    assert build(source, CompileCache(tmp_path / "links" / place)) == build_fresh(source)
    os.chown(link, FOREIGN_USER, FOREIGN_USER, follow_symlinks=False)
    assert_unusable(tmp_path / "links" / place, f"the link {link} belongs to user {FOREIGN_USER}", source)


# A user namespace that has no other user than this one, who is an ordinary user. It shows all others alike.
ALONE = """
import ctypes, os, sys
from pathlib import Path
from chiphost._system.private_folder import NotPrivate, open_private_folder
libc = ctypes.CDLL(None, use_errno=True)
user = int(sys.argv[1])
os.setresuid(user, user, user)
set_dumpable, new_user = 4, 0x10000000
libc.prctl(set_dumpable, 1)
if libc.unshare(new_user):
    raise SystemExit(77)
if sys.argv[2] == "mapped":
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
for path in sys.argv[3:]:
    try:
        open_private_folder(Path(path))
        print("ok")
    except NotPrivate as error:
        print(error.reason)
"""


@pytest.mark.parametrize("mapped", ["mapped", "not mapped"])
def test_users_that_a_user_namespace_does_not_have_are_not_trusted(mapped: str) -> None:
    user = os.geteuid() or FOREIGN_USER
    if user == FOREIGN_USER and not CAN_GIVE_FILES_AWAY:
        pytest.skip("no ordinary user is to be had here")
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        os.chown(folder, user, -1)
        paths = [folder, "/usr/x/y", "/var/run/x"]
        done = subprocess.run(
            [sys.executable, "-c", ALONE, str(user), mapped, *paths], capture_output=True, text=True, timeout=60
        )
    if done.returncode == 77:
        pytest.skip("this user may not make user namespaces")
    own, above, *link = done.stdout.splitlines()
    whose = f"belongs to user {Path('/proc/sys/kernel/overflowuid').read_text().strip()}, as this user namespace shows"
    assert own == "ok" if mapped == "mapped" else own.startswith(f"it {whose}"), done.stderr
    assert above.startswith(f"/usr, a folder above it, {whose} all whom it does not have")
    if Path("/var/run").is_symlink():
        assert link[0].startswith(f"the link /var/run {whose}")


@pytest.mark.parametrize("target", ["../real/deep", "{}/real/deep", "../real/../real/./deep", "second"])
def test_links_of_the_user_are_followed(target: str, tmp_path: Path) -> None:
    (tmp_path / "real/deep").mkdir(parents=True)
    (tmp_path / "links").mkdir()
    (tmp_path / "links/second").symlink_to("../real/deep")
    (tmp_path / "links/first").symlink_to(target.format(tmp_path))
    cache = CompileCache(tmp_path / "links/first/cache")
    build(write_source(tmp_path / "k.cpp"), cache)
    assert files_of(tmp_path / "real/deep/cache", "objects")
    assert cache.stats().programs == 1


def test_a_loop_of_links_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    source = write_source(tmp_path / "k.cpp")
    for root in (tmp_path / "loop", tmp_path / "loop" / "cache"):
        assert_unusable(root, "Too many levels of symbolic links", source)


def test_a_folder_that_is_exchanged_after_the_check_is_not_used(
    tmp_path: Path, cache: CompileCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_source(tmp_path / "k.cpp")
    request = cache.request(source, [])
    other = CompileCache(tmp_path / "evil")
    for each, data in ((cache, b"good"), (other, b"evil")):
        assert each.store(request, CompiledFile.of(data), [str(source)], [], FAR_FUTURE_NS)
    real = CompileCache._records

    def exchange(self: CompileCache, *words: object) -> object:
        self.root.rename(tmp_path / "moved")
        other.root.rename(self.root)
        return real(self, *words)  # type: ignore[arg-type]

    monkeypatch.setattr(CompileCache, "_records", exchange)
    assert cache.look_up(request) == CompiledFile.of(b"good")


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    source = write_source(tmp_path / "k.cpp")
    assert_unusable(tmp_path / "file", "not a folder", source)
    assert_unusable(tmp_path / "file" / "below", "Not a directory", source)


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    cache = CompileCache(Path("/proc/chiphost"))
    with pytest.raises(CacheError, match="CACHE_UNUSABLE"):
        build(write_source(tmp_path / "k.cpp"), cache)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no folder is at hand in which nothing can be made")
def test_the_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    with pytest.raises(CacheError) as caught:
        build(write_source(tmp_path / "k.cpp"), CompileCache(Path("/proc/x")))
    assert caught.value.where == "/proc/x"


def test_the_folder_comes_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert CompileCache().root == tmp_path / "cache"
    assert CompileCache(tmp_path / "x").root == tmp_path / "x"
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CHIPHOST_CACHE_DIR", "~/there")
    assert CompileCache().root == tmp_path / "there"
    monkeypatch.delenv("CHIPHOST_CACHE_DIR")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert CompileCache().root.is_relative_to(tmp_path)
    assert CompileCache().root.name == "chiphost"


@pytest.mark.parametrize("home", [None, "", "relative", "./here"])
@pytest.mark.parametrize("cache_home", [None, "", "relative"])
def test_a_user_without_a_folder_has_a_cache(
    home: str | None, cache_home: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(user: int) -> object:
        raise KeyError(f"getpwuid(): uid not found: {user}")

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    monkeypatch.delenv("CHIPHOST_CACHE_DIR")
    for name, value in (("HOME", home), ("XDG_CACHE_HOME", cache_home)):
        monkeypatch.delenv(name, raising=False) if value is None else monkeypatch.setenv(name, value)
    cache = CompileCache()
    assert cache.root == tmp_path / "tmp" / f"chiphost-cache-{os.geteuid()}"
    build(write_source(tmp_path / "k.cpp"), cache)
    assert cache.stats().programs == 1
    monkeypatch.setenv("CHIPHOST_CACHE_DIR", "~/there")
    with pytest.raises(CacheError, match="nobody knows what ~ stands for"):
        CompileCache()


def test_the_folder_for_temporary_files_of_one_without_a_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(home, "folder", lambda: None)
    monkeypatch.delenv("CHIPHOST_CACHE_DIR")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    own = f"chiphost-cache-{os.geteuid()}"
    (tmp_path / "tmp").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", "tmp")
    monkeypatch.setattr(tempfile, "tempdir", None)
    assert CompileCache().root == tmp_path / "tmp" / own
    monkeypatch.chdir("/")
    assert CompileCache().root == tmp_path / "tmp" / own
    monkeypatch.setenv("TMPDIR", str(tmp_path / "missing"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    assert CompileCache().root.parent.is_dir()
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: [str(tmp_path / "missing")])
    monkeypatch.setattr(tempfile, "tempdir", None)
    with pytest.raises(CacheError, match="no home folder, nor one for temporary files") as caught:
        CompileCache()
    assert caught.value.where == str(tmp_path / "missing")


@pytest.mark.parametrize("home", ["", "relative"])
def test_a_variable_that_names_no_folder_is_passed_over(
    home: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pwd, "getpwuid", lambda user: types.SimpleNamespace(pw_dir=str(tmp_path)))
    monkeypatch.delenv("CHIPHOST_CACHE_DIR")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", home)
    assert CompileCache().root.is_relative_to(tmp_path)


def test_a_relative_folder_stays_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    cache = CompileCache(Path("relative"))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    build(write_source(tmp_path / "k.cpp"), cache)
    assert files_of(tmp_path / "relative", "objects")
