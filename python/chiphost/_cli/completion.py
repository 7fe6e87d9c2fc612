# SPDX-License-Identifier: Apache-2.0
"""The words that a shell offers when somebody presses the tab key: names of platforms, runtimes and scenes.

No scene.py is imported for this. Names that cannot be found out are not offered. The modules that know the names are
imported when they are asked for: every command line needs this module (see `commands`).
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .._text.printable import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from click.shell_completion import CompletionItem

    _Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def _quiet(completer: _Completer) -> _Completer:
    """Make a completer offer nothing if anything goes wrong: an error message would spoil the line that is typed."""

    @functools.wraps(completer)
    def offered(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        try:
            return completer(ctx, param, incomplete)
        except Exception:  # the command says what is wrong, when it is run
            return []

    return offered


@_quiet
def platforms(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Platforms, with a description of each."""
    from .._runtimes import runtimes

    return _items(runtimes.platforms().items(), incomplete)


@_quiet
def suites(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Platforms that were built with the conformance suite."""
    from .._runtimes import runtimes

    about = runtimes.platforms()
    return _items(((name, about.get(name, "")) for name in sorted(runtimes.suites())), incomplete)


@_quiet
def runtimes(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Runtimes that are installed for the platform, or for any if none is named yet."""
    from .._runtimes import runtimes

    installed = runtimes.installed()
    chosen = installed.get(ctx.params.get("platform") or "")
    names = chosen if chosen is not None else [name for names in installed.values() for name in names]
    return _items(((name, "") for name in sorted(set(names))), incomplete)


def scenes(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Scenes, by their whole names, or by the last part where that is enough; and folders, for a path."""
    from click.shell_completion import CompletionItem

    return _scene_names(ctx, param, incomplete) or [CompletionItem(incomplete, type="dir")]


@_quiet
def _scene_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from ..scenes import catalog

    wanted: Any = ctx.params.get("runtime")
    folder: Any = ctx.params.get("scenes")
    there = [name for name, _ in catalog.scenes_in(catalog.scenes_dir(Path(folder) if folder else None))]
    names = [name for name in there if wanted in (None, name.partition("/")[0])]
    lasts = [name.partition("/")[2] for name in names]
    offered = _items(((name, "") for name in names), incomplete)
    if incomplete and not offered:
        offered = _items(((last, "") for last in lasts if lasts.count(last) == 1), incomplete)
    return offered


def _items(names: Iterable[tuple[str, str]], incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    # A name that cannot be typed is of no use to a shell.
    fit = ((name, about) for name, about in names if name.startswith(incomplete) and name == one_line(name))
    return [CompletionItem(name, help=about or None) for name, about in fit]
