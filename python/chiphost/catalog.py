# SPDX-License-Identifier: Apache-2.0
"""The scenes in a folder: finding them, by name or by what they are for."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from . import runtimes, supervisor
from .deadline import Deadline, DeadlineOver
from .errors import ChiphostError, SceneError, make_error
from .scene import Scene


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

    def runs_on(self, platform: str) -> bool:
        """False only if the scene says that it does not."""
        return self.scene is None or runtimes.runs_on(platform, self.scene.platforms)


def scenes_dir(chosen: Path | None = None) -> Path:
    """The folder of scenes: `chosen`, else $CHIPHOST_SCENES_DIR, else the installed one, else the checkout's.

    Raises SceneError (SCENE_UNKNOWN) if it is no folder.
    """
    package = Path(__file__).resolve().parent
    if named := chosen or os.environ.get("CHIPHOST_SCENES_DIR"):
        places = [Path(named)]
    else:
        places = [package / "scenes", package.parents[1] / "tests" / "scenes"]
    for place in places:
        if place.is_dir():
            return place
    hint = "name a folder of scenes with --scenes or in CHIPHOST_SCENES_DIR"
    raise make_error("SCENE_UNKNOWN", "there is no such folder of scenes", " or ".join(map(str, places)), hint=hint)


def load(name: str, folder: Path, deadline: Deadline | None = None) -> Entry:
    """Import a scene. A description that cannot be used, or not before the deadline, is kept as the entry's error."""
    deadline = deadline or Deadline()
    try:
        if deadline.over:
            raise make_error("SCENE_INVALID", f"its description was not read: {deadline}", name)
        supervisor.tell("loading", name)
        with deadline.enforced(0.001), supervisor.one_process():
            return Entry(name, folder, Scene.load(folder), None)
    except SceneError as error:
        return Entry(name, folder, None, error)
    except DeadlineOver:
        stopped = make_error("DEADLINE_EXCEEDED", "reading its description did not end", str(folder / "scene.py"))
        return Entry(name, folder, None, stopped)
    finally:
        supervisor.tell("loading", None)


def select(
    root: Path,
    *,
    platform: str,
    runtime: str | None = None,
    text: str | None = None,
    library: Path | None = None,
    deadline: Deadline | None = None,
) -> list[Entry]:
    """All scenes for a platform, and of a runtime and with a text in their name if so wanted; sorted by name.

    `library` is the folder with the runtimes, if it is not the installed one. After the deadline no scene is loaded.

    Scenes that cannot be loaded are among them: nobody knows what they are for.

    Raises SceneError: PLATFORM_UNKNOWN, RUNTIME_UNKNOWN, SCENE_UNKNOWN if no scene is left.
    """
    runtimes.check_platform(platform)
    if runtime is not None:
        runtimes.find(runtime, platform, library)
    there = Scene.discover(root)
    wanted = [(name, folder) for name, folder in there if _matches(name, runtime, text)]
    entries = [entry for entry in (load(*each, deadline) for each in wanted) if entry.runs_on(platform)]
    if entries:
        return entries
    limits = [f"platform {platform}", f"runtime {runtime}" if runtime else "", f"{text!r} in the name" if text else ""]
    message = f"no scene is selected by {', '.join(filter(None, limits))}; there are {_join(name for name, _ in there)}"
    raise make_error("SCENE_UNKNOWN", message, str(root))


def find(root: Path, name: str, *, runtime: str | None = None) -> Entry:
    """The scene of a name: "<runtime>/<scene>", or "<scene>" if that is enough.

    Raises SceneError (SCENE_UNKNOWN) if there is none or more than one.
    """
    there = dict(Scene.discover(root))
    full = f"{runtime}/{name}" if runtime and "/" not in name else name
    found = [each for each in there if full in (each, each.partition("/")[2]) and _matches(each, runtime, None)]
    if len(found) == 1:
        return load(found[0], there[found[0]])
    if found:
        raise make_error("SCENE_UNKNOWN", f"{name!r} may be {_join(found)}", str(root), hint="give the full name")
    near = difflib.get_close_matches(full, [*there, *(each.partition("/")[2] for each in there)], n=1)
    guess = f"did you mean {near[0]!r}? " if near else ""
    message = f"there is no scene {full!r}; there are {_join(there)}"
    raise make_error("SCENE_UNKNOWN", message, str(root), hint=f"{guess}chiphost run --list shows them")


def _matches(name: str, runtime: str | None, text: str | None) -> bool:
    return (runtime is None or name.partition("/")[0] == runtime) and (text is None or text.lower() in name.lower())


def _join(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
