# SPDX-License-Identifier: Apache-2.0
"""A model of the compile cache: whatever happens to files, a compile through it is a fresh compile."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import ClassVar

import pytest
from cached_compiles import DAY_S, build, build_fresh, files_of
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from chiphost._compiling.cache import CompileCache

pytestmark = pytest.mark.usefixtures("cache")


class CacheMachine(RuleBasedStateMachine):
    """Changes sources, headers, flags and the cache's own files in any order."""

    base: ClassVar[Path]  # the same in all examples, so that the fresh compiles can be kept
    fresh: ClassVar[dict[object, bytes]]

    @initialize()
    def start(self) -> None:
        shutil.rmtree(self.base, ignore_errors=True)
        self.cache = CompileCache(self.base / "cache")
        self.options: dict[str, tuple[str, ...]] = {"include_dirs": (str(self.base / "inc1"), str(self.base / "inc2"))}
        for folder in ("src", "inc1", "inc2"):
            (self.base / folder).mkdir(parents=True)
        self.write("src/k.cpp", 1)
        self.write("inc2/h.h", 1)

    def write(self, name: str, value: int) -> None:
        text = (
            f"#define V {value}\n" if name.endswith(".h") else f'#include "h.h"\nint value_{value}() {{ return V; }}\n'
        )
        (self.base / name).write_text(text)

    def cache_files(self, kind: str) -> list[Path]:
        return sorted(files_of(self.base / "cache", kind))

    @rule(value=st.integers(1, 2))
    def edit_source(self, value: int) -> None:
        self.write("src/k.cpp", value)

    @rule(name=st.sampled_from(["src/h.h", "inc1/h.h", "inc2/h.h"]), value=st.integers(1, 2))
    def write_header(self, name: str, value: int) -> None:
        self.write(name, value)

    @rule(name=st.sampled_from(["src/h.h", "inc1/h.h"]))
    def delete_header(self, name: str) -> None:
        (self.base / name).unlink(missing_ok=True)

    @rule(name=st.sampled_from(["src/h.h", "inc1/h.h"]))
    def link_header(self, name: str) -> None:
        (self.base / name).unlink(missing_ok=True)
        (self.base / name).symlink_to(self.base / "inc2/h.h")

    @rule(define=st.sampled_from([(), ("D",)]), flag=st.sampled_from([(), ("-O1",)]))
    def change_options(self, define: tuple[str, ...], flag: tuple[str, ...]) -> None:
        self.options = {**self.options, "defines": define, "flags": flag}

    @rule(seconds=st.sampled_from([-100 * DAY_S, -1, 0, 100 * DAY_S]))
    def touch(self, seconds: int) -> None:
        moment = time.time() + seconds
        for path in self.base.glob("[si]*/*"):
            os.utime(path, (moment, moment))

    @rule(kind=st.sampled_from(["objects", "manifests"]), keep=st.floats(0, 1), flip=st.booleans())
    def damage(self, kind: str, keep: float, flip: bool) -> None:
        for path in self.cache_files(kind):
            data = bytearray(path.read_bytes())
            at = int(keep * (len(data) - 1))
            if flip and data:
                data[at] ^= 0x10
            else:
                del data[at:]
            path.write_bytes(data)

    @rule(kind=st.sampled_from(["objects", "manifests", "locks", ""]))
    def delete(self, kind: str) -> None:
        for path in self.cache_files(kind):
            path.unlink()

    @rule()
    def swap_objects(self) -> None:
        paths = self.cache_files("objects")
        for path, data in zip(paths, [path.read_bytes() for path in reversed(paths)], strict=True):
            path.write_bytes(data)

    @rule(unused_s_max=st.sampled_from([-1.0, DAY_S]), size_bytes_max=st.sampled_from([0, 20_000, 1 << 30]))
    def prune(self, unused_s_max: float, size_bytes_max: int) -> None:
        CompileCache(self.cache.root, size_bytes_max=size_bytes_max, unused_s_max=unused_s_max).prune()

    @rule()
    def clear(self) -> None:
        self.cache.clear()

    @invariant()
    def is_a_fresh_compile(self) -> None:
        source = self.base / "src/k.cpp"
        headers = ((self.base / name) for name in ("src/h.h", "inc1/h.h", "inc2/h.h"))
        # Debug information has the path of the header in use, so the state includes which files exist.
        texts = [path.read_text() if path.exists() else None for path in (source, *headers)]
        state = (tuple(texts), tuple(self.options.items()))
        if state not in self.fresh:
            self.fresh[state] = build_fresh(source, **self.options)
        assert build(source, self.cache, **self.options) == self.fresh[state]
        assert not [path for path in self.cache_files("") if path.name.startswith(".tmp-")]


def test_the_cache_is_invisible(tmp_path: Path) -> None:
    CacheMachine.base = tmp_path / "machine"
    CacheMachine.fresh = {}
    run_state_machine_as_test(
        CacheMachine,
        settings=settings(
            max_examples=8,
            stateful_step_count=12,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize=True,
        ),
    )
