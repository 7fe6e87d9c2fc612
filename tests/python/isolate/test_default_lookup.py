# SPDX-License-Identifier: Apache-2.0
"""Lookups with RTLD_DEFAULT in an isolated library."""

from __future__ import annotations

import os
from ctypes import c_char_p, c_int
from pathlib import Path

import c_libraries
import pytest

from chiphost import _core, isolate
from chiphost.audit.subject import HostProcess
from chiphost.errors import ArgumentError

LOOKER = r"""
#include <dlfcn.h>
#include <stddef.h>
typedef int Find(const char*);
#ifdef PLUGIN
extern "C" int finds(const char* name) { return dlsym(RTLD_DEFAULT, name) != NULL; }
#else
static Find* plugin;
extern "C" {
int own() { return 1; }
int begin(const char* path) {
    void* handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    return handle && (plugin = (Find*)dlsym(handle, "finds"));
}
int plugin_finds(const char* name) { return plugin(name); }
int finds(const char* name) { return dlsym(RTLD_DEFAULT, name) != NULL; }
}
#endif
"""


@pytest.fixture(scope="module")
def looker(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A library that looks symbols up, and one that it loads."""
    folder = tmp_path_factory.mktemp("looker")
    plugin = c_libraries.build(LOOKER, folder / "plugin.so", "-DPLUGIN")
    return c_libraries.build(LOOKER, folder / "looker.so"), plugin


@pytest.mark.parametrize("strategy", ["namespace", "process"])
@pytest.mark.parametrize("shown", [False, True])
def test_lookups_with_rtld_default(looker, strategy, shown):
    path, plugin = looker
    with isolate.open(path, strategy, default_lookup=shown) as library:
        assert library.function("begin", c_int, [c_char_p])(os.fsencode(plugin))
        names = (b"own", b"malloc", b"none_of_this_name")
        finds = library.function("finds", c_int, [c_char_p])
        assert [finds(name) for name in names] == [1, 1, 0]
        finds = library.function("plugin_finds", c_int, [c_char_p])
        assert [finds(name) for name in names] == [shown, 1, 0]


def test_default_lookup_is_not_to_be_had_for_a_copy(looker):
    with pytest.raises(ArgumentError, match=r"default_lookup: a copy cannot have it.* take namespace or process for"):
        isolate.open(looker[0], "copy", default_lookup=True)


def test_auto_takes_no_namespace_for_lookups_that_may_find_nothing(looker, monkeypatch):
    """H15: only the option makes a library take a namespace, and a copy cannot have the option."""
    path, plugin = looker
    monkeypatch.setattr(HostProcess, "glibc", (2, 36))
    with isolate.open(plugin, "auto") as library:
        assert library.strategy == "copy"
        assert library.strategy_reason.startswith("auto: namespace is out (default-lookup); copy works with care (")
    with isolate.open(path, "auto", default_lookup=True) as library:
        assert library.strategy == "namespace"
        assert library.strategy_reason.startswith("auto: namespace works")
    monkeypatch.setattr(_core, "namespaces_unavailable", lambda: "no dlmopen")
    with isolate.open(path, "auto", default_lookup=True) as library:
        assert library.strategy == "process"
        assert "namespace is out (no dlmopen); copy is out (default-lookup)" in library.strategy_reason
