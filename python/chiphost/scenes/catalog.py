# SPDX-License-Identifier: Apache-2.0
"""The scenes in a folder, found by name or by platform."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .._runtimes import runtimes
from .._simpler import scene as simpler_scene
from .._simpler.scene import SimplerScene
from .._system.deadline import Deadline, DeadlineOver
from .._text.printable import one_line
from .._text.suggestion import did_you_mean, nearest
from ..errors import ChiphostError, SceneError, make_error
from ..scene import SCENE_FILE, Scene
from . import events


@dataclass(frozen=True)
class Entry:
    """A scene that was looked at.

    Attributes:
        name: "<runtime>/<scene>".
        folder: where its scene.py is.
        scene: what the file describes, or None.
        error: why there is none, or None.
    """

    name: str
    folder: Path
    scene: Scene | None
    error: ChiphostError | None

    @property
    def runtime(self) -> str:
        """The runtime it is for, from the name."""
        return self.name.partition("/")[0]

    def not_for(self, platform: str, library: Path | None = None) -> str:
        """Why it is not for a platform, as far as is known before it runs; empty if it is, or cannot be loaded."""
        if self.scene is None:
            return ""
        why = self.scene.not_for(platform)
        if not why and not runtimes.may_have(self.runtime, platform, library):
            why = f"needs the runtime {self.runtime}, which is not built for {platform}"
        return why


def scenes_dir(chosen: Path | None = None) -> Path:
    """The folder of scenes: `chosen`, else $CHIPHOST_SCENES_DIR, else the installed one, else the checkout's.

    Raises SceneError (SCENE_UNKNOWN) if it is no folder. What a folder may hold is said at `scenes_in`.
    """
    package = Path(__file__).resolve().parents[1]
    if named := chosen or os.environ.get("CHIPHOST_SCENES_DIR"):
        places = [Path(named)]
    else:
        places = [package / "scene_sources", package.parents[1] / "tests" / "scenes"]
    for place in places:
        if os.path.isdir(place):  # noqa: PTH112 - also of a name that no folder can have
            return place
    hint = "name a folder of scenes with --scenes or in CHIPHOST_SCENES_DIR"
    raise make_error("SCENE_UNKNOWN", "there is no such folder of scenes", " or ".join(map(str, places)), hint=hint)


def scenes_in(root: Path, platform: str | None = None) -> list[tuple[str, Path]]:
    """(name, folder) of every scene in a folder, sorted by name. Imports none of them.

    The folder holds those of runtimes, which hold the scenes. It may also be one scene's own, or that of one runtime.
    Scenes of simpler's may lie deeper (see `simpler_scene.discover`); with a platform, those of other chips are left
    out.

    Raises SceneError (SCENE_UNKNOWN) if it is no folder.
    """
    arch = runtimes.arch_of(platform) if platform else None
    found = sorted([*Scene.discover(root), *simpler_scene.discover(Path(root), arch)])
    folder = Path(os.path.abspath(root))  # noqa: PTH100 - resolve() would lose the names of symbolic links
    if (folder / SCENE_FILE).is_file():
        return [(f"{folder.parent.name}/{folder.name}", folder)]
    return found or [(name, each) for name, each in Scene.discover(folder.parent) if each.parent == folder]


def load(name: str, folder: Path, deadline: Deadline | None = None) -> Entry:
    """Import a scene. A description that cannot be used, or not before the deadline, is kept as the entry's error."""
    deadline = deadline or Deadline()
    try:
        if deadline.over:
            raise make_error("SCENE_INVALID", f"its description was not read: {deadline}", name)
        events.tell("loading", name)
        with deadline.enforced(0.001), events.one_process():
            is_ours = (folder / SCENE_FILE).is_file()
            scene = Scene.load(folder) if is_ours else SimplerScene.load(folder, name)
            return Entry(name, folder, scene, None)
    except SceneError as error:
        return Entry(name, folder, None, error)
    except DeadlineOver:
        stopped = make_error("DEADLINE_EXCEEDED", "reading its description did not end", str(folder / "scene.py"))
        return Entry(name, folder, None, stopped)
    finally:
        events.tell("loading", None)


def select(
    root: Path,
    *,
    platform: str,
    runtime: str | None = None,
    text: str | None = None,
    library: Path | None = None,
    deadline: Deadline | None = None,
) -> list[Entry]:
    """All scenes, or, if asked for, those of a runtime and those with a text in their name; sorted by name.

    `library` is the folder with the runtimes, if it is not the installed one. After the deadline no scene is loaded.

    Those that cannot be loaded, and those that are not for the platform, are among them: `Runner` says so.

    Raises SceneError: PLATFORM_UNKNOWN, RUNTIME_UNKNOWN, SCENE_UNKNOWN if no scene is left.
    """
    runtimes.check_platform(platform)
    if runtime is not None:
        runtimes.find(runtime, platform, library)
    there = scenes_in(root, platform)
    wanted = [(name, folder) for name, folder in there if _matches(name, runtime, text)]
    if wanted:
        return [load(*each, deadline) for each in wanted]
    names = [name for name, _ in there]
    if not names:
        raise make_error("SCENE_UNKNOWN", _NONE, str(root), hint=_LAYOUT)
    limits = [f"runtime {runtime}" if runtime else "", f"{text!r} in the name" if text else ""]
    message = f"no scene is selected by {', '.join(filter(None, limits))}; there are {_join(names)}"
    raise make_error("SCENE_UNKNOWN", message, str(root), guess=did_you_mean(text, _all_names(names)) if text else "")


def find(root: Path, name: str, *, runtime: str | None = None, platform: str | None = None) -> Entry:
    """The scene of a name: "<runtime>/<scene>", or "<scene>" if that is enough; or the scene at the path of its folder.

    A name takes precedence over a path.

    Raises SceneError (SCENE_UNKNOWN) if there is none or more than one.
    """
    there = dict(scenes_in(root, platform))
    wanted = name.rstrip("/")
    full = f"{runtime}/{wanted}" if runtime and "/" not in wanted else wanted
    found = [each for each in there if full in (each, each.partition("/")[2]) and _matches(each, runtime, None)]
    if len(found) == 1:
        return load(found[0], there[found[0]])
    if found:
        raise make_error("SCENE_UNKNOWN", f"{name!r} may be {_join(found)}", str(root), hint="give the full name")
    if at := _scene_at(name):
        if _matches(at[0], runtime, None):
            return load(*at)
        message = f"it is for the runtime {at[0].partition('/')[0]}, not for {runtime}"
        raise make_error("SCENE_UNKNOWN", message, str(at[1]), hint="leave out -r, or name this runtime")
    if "/" in name and Path(name).is_dir():
        message = "there is no scene.py in this folder"
        raise make_error("SCENE_UNKNOWN", message, str(Path(name).absolute()), hint=_LAYOUT)
    if not there:
        raise make_error("SCENE_UNKNOWN", f"there is no scene {full!r}: {_NONE}", str(root), hint=_LAYOUT)
    there_for = sorted({each.partition("/")[0] for each in there})
    if runtime and runtime not in there_for:
        message = f"there is no scene {full!r}: none is for a runtime {runtime!r}, they are for {_join(there_for)}"
        raise make_error("SCENE_UNKNOWN", message, str(root), guess=did_you_mean(runtime, there_for))
    near = nearest(full, _all_names(there)) or nearest(wanted.rpartition("/")[2], _all_names(there))
    message = f"there is no scene {full!r}" + ("" if near else f"; there are {_join(there)}")
    raise make_error("SCENE_UNKNOWN", message, str(root), guess=f"did you mean {near!r}? " if near else "")


def check_cases(entries: Iterable[Entry], cases: Iterable[str]) -> None:
    """Raise SceneError (SCENE_UNKNOWN) for a case that none of these scenes has."""
    entries = list(entries)
    known = list(dict.fromkeys(case for entry in entries if entry.scene for case in entry.scene.cases))
    for case in cases:
        if case not in known:
            message = f"no scene that is selected has a case {case!r}; there are {_join(known)}"
            raise make_error("SCENE_UNKNOWN", message, "--case", guess=did_you_mean(case, known))


_NONE: Final = "there is no scene in this folder"
_LAYOUT: Final = "the folder of a scene is <runtime>/<scene>, with a scene.py in it: name it, or the folder above both"


def _scene_at(path: str) -> tuple[str, Path] | None:
    """Name and folder of the scene at a path: of its folder, or of the scene.py in it."""
    folder = Path(path).parent if Path(path).name == SCENE_FILE else Path(path)
    is_scene = (folder / SCENE_FILE).is_file() or simpler_scene.is_scene(folder)
    return scenes_in(folder)[0] if is_scene else None


def _all_names(names: Iterable[str]) -> list[str]:
    """The names, and the last parts of names, by which a scene can be called, too."""
    names = list(names)
    return [*names, *(name.partition("/")[2] for name in names)]


def _matches(name: str, runtime: str | None, text: str | None) -> bool:
    return (runtime is None or name.partition("/")[0] == runtime) and (text is None or text.lower() in name.lower())


def _join(names: Iterable[str]) -> str:
    return ", ".join(map(one_line, names)) or "none"
