# SPDX-License-Identifier: Apache-2.0
"""Plants small defects, one at a time, and says which of them the tests notice.

Usage, in the root of the repository, with the packages that HACKING.md names:

    python tests/mutation/run.py                  # all; hours the first time, as much is compiled
    python tests/mutation/run.py -k scheduler     # those whose names contain a text
    python tests/mutation/run.py --list

The tree is copied to build/mutation and built there. A defect is put into the copy, what it changes is built again, and
the tests that must notice it are run; they have passed without it first. Outcomes are kept: a run that was interrupted
goes on where it stopped. A defect is tried again only after a change of it, of its file, of its tests, or of headers
and helpers that these use; not for other sources that are linked to them (--again tries all). ccache is used if there
is one.

Exit code 0: at least 90 % of the defects were noticed, and all that are marked as required.

mutmut and cosmic-ray plant defects, too, but in Python only, without compiling anything, and not such as a person
would think of.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from defects import DEFECTS, NEEDS, Defect

ROOT = Path(__file__).resolve().parents[2]
GOAL = 0.9
_INCLUDED = re.compile(r'^[ \t]*#[ \t]*include[ \t]*["<]([^">]+)[">]', re.MULTILINE)
_IMPORTED = re.compile(r"^[ \t]*(?:from|import) (\w+)", re.MULTILINE)
_COMPILED = re.compile(r'"([\w/]+\.(?:cpp|h))"')
NOTICED, MISSED, STALE, BROKEN = "noticed", "missed", "does not apply", "does not build"


class Failed(Exception):
    """The error that stops the whole measurement. Names the command, and the end of its output."""


def run(command: Sequence[str | Path], timeout_s: float, cwd: Path | None = None) -> tuple[int, str]:
    """Exit code and output; a command that takes longer is ended with all that it has started, code -1."""
    with subprocess.Popen(
        command,
        cwd=cwd,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},  # a defect may come and go within a second
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as child:
        try:
            output, _ = child.communicate(timeout=timeout_s)
            return child.returncode, output
        except subprocess.TimeoutExpired:
            return -1, f"not done after {timeout_s:g} s"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, 9)


def run_or_fail(command: Sequence[str | Path], timeout_s: float = 7200) -> None:
    code, output = run(command, timeout_s)
    if code != 0:
        raise Failed(f"{' '.join(map(str, command))}\n{output[-4000:]}")


class Workshop:
    """A copy of the tree, and its builds. Pytest has an environment in which the copy is installed."""

    def __init__(self, folder: Path, jobs: int, timeout_s: float):
        self.tree, self.environment = folder / "tree", folder / "environment"
        # The folders are those of HACKING.md: then ccache knows much of them already.
        self.cpp, self.editable = self.tree / "build" / "mutation", self.tree / "build" / "editable"
        self.jobs, self.timeout_s = jobs, timeout_s
        self.installed_defect = False  # Python's libraries were built with one

    def copy_tree(self) -> None:
        """Copy the files that are in git or might be. Equal files are left alone, so that nothing is built in vain."""
        listed = subprocess.run(
            ["git", "ls-files", "-coz", "--exclude-standard"], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
        ).stdout.split("\0")
        wanted = {name for name in listed if name and (ROOT / name).is_file()}
        for name in wanted:
            source, copy = ROOT / name, self.tree / name
            if not copy.is_file() or copy.read_bytes() != source.read_bytes():
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, copy)
        for folder, folders, names in os.walk(self.tree):
            if folder == str(self.tree):
                folders[:] = [name for name in folders if name != "build"]
            for path in (Path(folder, name) for name in names):
                if str(path.relative_to(self.tree)) not in wanted:
                    path.unlink()

    def configure(self) -> None:
        ccache = ["-DCMAKE_CXX_COMPILER_LAUNCHER=ccache"] if shutil.which("ccache") else []
        # The programs are used once: a quick compile counts.
        options = ["-DCHIPHOST_TESTS=ON", "-DCMAKE_BUILD_TYPE=Release", "-DCMAKE_CXX_FLAGS_RELEASE=-O0 -DNDEBUG"]
        run_or_fail(["cmake", "-S", self.tree, "-B", self.cpp, "-G", "Ninja", *options, *ccache])

    def build_programs(self, specs: Sequence[str]) -> tuple[int, str]:
        programs = {spec.partition(":")[0] for spec in specs if not is_python(spec)}
        targets = sorted(programs | {need for program in programs for need in NEEDS.get(program, ())})
        if not targets:
            return 0, ""
        return run(["cmake", "--build", self.cpp, f"-j{self.jobs}", "--target", *targets], self.timeout_s * 20)

    def install_python(self) -> tuple[int, str]:
        pip = self.environment / "bin" / "pip"
        if not pip.exists():
            run_or_fail([sys.executable, "-m", "venv", self.environment])
            run_or_fail([pip, "install", "-q", "scikit-build-core", "nanobind", "cmake", "ninja"])
            run_or_fail([pip, "install", "-q", *self._install("[test]")])
        return run([pip, "install", "-q", "--no-deps", *self._install()], self.timeout_s * 20)

    def _install(self, extra: str = "") -> list[str]:
        return ["--no-build-isolation", f"-Cbuild-dir={self.editable}", "-e", f"{self.tree}{extra}"]

    def build(self, specs: Sequence[str], changed: str = "") -> tuple[int, str]:
        """Build the programs that the tests need, after a change of one file, or all of them."""
        code, output = self.build_programs(specs)
        compiled = not changed.endswith(".py")
        if code == 0 and uses_python(specs) and (compiled or self.installed_defect):
            self.installed_defect = compiled and bool(changed)
            code, output = self.install_python()
        return code, output

    def passes(self, spec: str) -> bool:
        """True if a test passes. A test that does not exist does not pass."""
        if is_python(spec):
            program, names = self.environment / "bin" / "python", self.tree / "tests" / "python" / spec
            command = [program, "-m", "pytest", "-qx", "-n0", "-p", "no:cacheprovider", names]
        else:
            name, _, names = spec.partition(":")
            command = [self.cpp / "tests" / "cpp" / name, f"--gtest_filter={names}"]
        code, output = run(command, self.timeout_s, self.tree)
        return code == 0 and "Running 0 tests" not in output

    @contextlib.contextmanager
    def planted(self, defect: Defect) -> Iterator[None]:
        path = self.tree / defect.file
        text = path.read_text()
        path.write_text(defect.planted(text))
        try:
            yield
        finally:
            path.write_text(text)

    def try_out(self, defect: Defect) -> str:
        with self.planted(defect):
            if self.build(defect.tests, defect.file)[0] != 0:
                return BROKEN
            return MISSED if all(self.passes(spec) for spec in defect.tests) else NOTICED


def is_python(spec: str) -> bool:
    return spec.partition("::")[0].endswith(".py")


def uses_python(specs: Sequence[str]) -> bool:
    return any(map(is_python, specs))


def test_file(spec: str) -> Path:
    if is_python(spec):
        return ROOT / "tests" / "python" / spec.partition("::")[0]
    program = spec.partition(":")[0]
    # One source may be several programs: orch_so_loader_sim_test and orch_so_loader_onboard_test.
    names = (f"{program}.cpp", f"{program.rsplit('_', 2)[0]}_test.cpp")
    found = [path for name in names for path in _files_by_name(ROOT).get(name, ())]
    return found[0] if found else ROOT / "tests" / "cpp" / names[0]


def used_files(path: Path) -> Iterator[Path]:
    """Files that a file of the tree names: headers it includes, helpers it imports, sources it compiles."""
    text = path.read_text(errors="replace")
    if path.suffix == ".py":
        names = [f"/tests/python/support/{name}.py" for name in _IMPORTED.findall(text)]
        names += [f"/{name}" for name in _COMPILED.findall(text)]
        names += [
            f"{folder}/conftest.py" for folder in path.parents if folder.is_relative_to(ROOT / "tests" / "python")
        ]
    else:
        names = [f"/{name}" for name in _INCLUDED.findall(text)]
        names += ["/tests/cpp/CMakeLists.txt"] if path.is_relative_to(ROOT / "tests") else []
    for name in names:
        yield from (found for found in _files_by_name(ROOT).get(Path(name).name, ()) if found.as_posix().endswith(name))


@functools.cache
def _files_by_name(root: Path) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for top in ("cpp", "platform", "tests"):
        for folder, _, names in os.walk(root / top):
            for name in names:
                found.setdefault(name, []).append(Path(folder, name))
    return found


def digest(defect: Defect) -> str:
    """A digest that changes with the defect, its file, the files of its tests, and all files that these use."""
    state = hashlib.sha256(repr(defect).encode())
    waiting = {path for path in (ROOT / defect.file, *map(test_file, defect.tests)) if path.exists()}
    seen: set[Path] = set()
    while waiting:
        seen |= waiting
        waiting = {used for path in waiting for used in used_files(path)} - seen
    for path in sorted(seen):
        state.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes() + b"\0")
    return state.hexdigest()


def measure(defects: Sequence[Defect], workshop: Workshop, kept_at: Path, again: bool) -> dict[str, str]:
    """The outcome of each defect, by name."""
    kept = json.loads(kept_at.read_text()) if kept_at.exists() and not again else {}
    outcomes = {}
    left = []
    for defect in defects:
        if not defect.applies_to((ROOT / defect.file).read_text()):
            outcomes[defect.name] = STALE
        elif kept.get(defect.name, {}).get("digest") == digest(defect):
            outcomes[defect.name] = kept[defect.name]["outcome"]
        else:
            left.append(defect)
    if left:
        workshop.copy_tree()
        workshop.configure()
        specs = sorted({spec for defect in left for spec in defect.tests})
        print(f"building what {len(specs)} tests need", flush=True)
        code, output = workshop.build(specs)
        if code != 0:
            raise Failed(output[-4000:])
        for spec in specs:
            if not workshop.passes(spec):
                raise Failed(f"{spec}: fails without any defect, or there is no such test")
    for defect in left:
        start = time.monotonic()
        outcomes[defect.name] = outcome = workshop.try_out(defect)
        print(f"{outcome:14}  {defect.name}  ({time.monotonic() - start:.0f} s)", flush=True)
        kept[defect.name] = {"digest": digest(defect), "outcome": outcome}
        kept_at.write_text(json.dumps(kept, indent=1))
    return outcomes


def verdict(defects: Sequence[Defect], outcomes: dict[str, str]) -> int:
    for outcome in (MISSED, STALE, BROKEN):
        for defect in defects:
            if outcomes[defect.name] == outcome:
                print(f"{outcome}{' although required' if defect.required else ''}: {defect.name} in {defect.file}")
    noticed = sum(outcome == NOTICED for outcome in outcomes.values())
    share = noticed / len(outcomes) if outcomes else 0
    print(f"Planted: {len(outcomes)}  Noticed: {noticed}  Share: {share:.0%}")
    required = all(outcomes[defect.name] == NOTICED for defect in defects if defect.required)
    return 0 if share >= GOAL and required else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("-k", metavar="TEXT", action="append", help="only defects whose names contain it, or another")
    parser.add_argument("-j", metavar="N", type=int, default=os.cpu_count() or 1, help="jobs of a build")
    parser.add_argument("--again", action="store_true", help="also what was tried before")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "mutation", help="default: build/mutation")
    parser.add_argument("--list", action="store_true", help="names the defects, and tries nothing")
    parser.add_argument("--timeout", type=float, default=180, metavar="S", help="seconds for a test; default: 180")
    options = parser.parse_args()
    defects = [defect for defect in DEFECTS if any(text in defect.name for text in options.k or [""])]
    if options.list:
        for defect in defects:
            print(f"{defect.name}  {'(required)  ' if defect.required else ''}{defect.file}")
        return 0
    options.folder.mkdir(parents=True, exist_ok=True)
    workshop = Workshop(options.folder.resolve(), options.j, options.timeout)
    try:
        return verdict(defects, measure(defects, workshop, options.folder / "outcomes.json", options.again))
    except Failed as failed:
        print(failed, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
