# SPDX-License-Identifier: Apache-2.0
"""The time that a process took to import torch, which scenes may do and chiphost never does."""

from __future__ import annotations

import contextlib
import importlib.abc
import sys
import time
import types
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec
from typing import Final

_NAME: Final = "torch"


class _Clock(importlib.abc.MetaPathFinder):
    """Finds torch with the other finders, and measures how long it takes to run. For one thread at a time."""

    seconds: float | None = None

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec that another finder gives; None for other modules."""
        if name != _NAME:
            return None
        finders = (finder for finder in sys.meta_path if finder is not self)
        found = (finder.find_spec(name, path, target) for finder in finders if hasattr(finder, "find_spec"))
        spec = next((spec for spec in found if spec is not None), None)
        if spec is not None and spec.loader is not None:
            run = spec.loader.exec_module

            def run_timed(module: types.ModuleType) -> None:
                started = time.monotonic()
                run(module)
                self.seconds = time.monotonic() - started

            with contextlib.suppress(AttributeError):  # a loader that cannot be changed is not measured
                spec.loader.exec_module = run_timed  # type: ignore[method-assign]
        return spec


_clock: Final = _Clock()


@contextlib.contextmanager
def timed() -> Iterator[None]:
    """Measure the import of torch, if there is one in the body."""
    sys.meta_path.insert(0, _clock)
    try:
        yield
    finally:
        sys.meta_path.remove(_clock)


def seconds() -> float | None:
    """The time of the import; None if torch was not imported under `timed`."""
    return _clock.seconds
