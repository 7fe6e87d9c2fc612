# SPDX-License-Identifier: Apache-2.0
"""The scenes in every_name use every name of simpler's that cpp/compat has, and pass."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import simpler_scenes
from checkout import SUPPORT
from simpler_names import Name, code_of, headers, names_of
from simpler_sources import callable_of

import chiphost as ch
from chiphost import toolchain
from chiphost._simpler.scene import SimplerScene
from chiphost.scenes.results import Settings
from chiphost.scenes.run import Tally, run_case

FOLDER = SUPPORT / "every_name"
RUNTIMES = {
    "aicpu_build_graph": ("pto_orchestration_api.h", "intrinsic.h"),
    "host_build_graph": ("orchestration_api.h",),
    "tensormap_and_ringbuffer": ("pto_orchestration_api.h", "intrinsic.h"),
}
# PTO-ISA's own names, for kernels that wait for each other.
OTHERS = {"pto_isa"}
# Names that chiphost's headers need in these types. Sources of simpler's have no such names.
OF_CHIPHOST = {
    "Arg::submit",
    "Tensor::flags",
    "Tensor::memory",
    "Tensor::memory_bytes",
    "Tensor::number",
    "Tensor::owner",
    "Tensor::raw",
    "Tensor::raw_dims",
    "Tensor::strides",
    "TensorCreateInfo::raw",
}


def names(runtime: str) -> set[Name]:
    """The names that sources for a runtime may use: those of orchestrations, and of kernels."""
    folders = (toolchain.compat_dir() / runtime, toolchain.compat_dir() / "simpler")
    first = [folder / name for name in RUNTIMES[runtime] for folder in folders if (folder / name).is_file()]
    assert len(first) == len(RUNTIMES[runtime])
    return {name for header in headers(*first) for name in names_of(header)}


def sources(folder: Path) -> Iterator[Path]:
    """The files of a scene, and headers of the tests that these include."""
    scene = SimplerScene.load(folder)
    for program in scene.programs:
        for path in (program.orchestration, *(kernel.source for kernel in program.kernels)):
            yield Path(path)
    yield from FOLDER.glob("*.h") if scene.runtime != "host_build_graph" else [FOLDER / "checks.h"]


@pytest.fixture(autouse=True)
def pto_isa(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PTO_ISA_ROOT", str(simpler_scenes.pto_isa(tmp_path / "pto-isa")))
    monkeypatch.delenv("PTO_ISA_COMMIT", raising=False)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_every_name_is_used(runtime: str) -> None:
    """A name that is added to cpp/compat needs a use in the scenes, too."""
    text = "\n".join(code_of(path.read_text()) for path in sources(FOLDER / "a2a3" / runtime / "every_name"))
    unused = {name.full for name in names(runtime) if not name.used_in(text)}
    assert unused - OF_CHIPHOST == set()


def test_no_name_is_left_out_for_nothing() -> None:
    known = {name.full for runtime in RUNTIMES for name in names(runtime)}
    assert known >= OF_CHIPHOST


def test_every_header_is_looked_at() -> None:
    seen: set[Path] = set()
    compat = toolchain.compat_dir()
    for runtime, first in RUNTIMES.items():
        folders = (compat / runtime, compat / "simpler")
        seen |= set(headers(*(folder / name for name in first for folder in folders if (folder / name).is_file())))
    there = {path for path in compat.rglob("*.h") if path.relative_to(compat).parts[0] not in OTHERS}
    assert seen == there


@pytest.mark.parametrize("platform", ["a2a3sim", "a5sim"])
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_they_give_what_they_should(runtime: str, platform: str) -> None:
    scene = SimplerScene.load(FOLDER / "a2a3" / runtime / "every_name")
    with ch.ChipWorker(runtime, platform) as worker:
        for seed in range(3):
            tally = Tally()
            settings = Settings(platform, seed=seed)
            run_case(worker, scene, [callable_of(scene, platform)], scene.default_case, settings, tally)
            assert tally.rounds == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("#define A_MACRO 1\n#define CALLED(x) x\n#define CHIPHOST_SIMPLER_X 1\n", {"A_MACRO", "CALLED"}),
        ("inline int f(int a) { return g(a); }\ntemplate <typename T>\nT h(T v);", {"f", "h"}),
        ("using Other = Some<int>;\nconstexpr int limit = 3;\nenum class E : int { A = 1, B };", set("AB")),
        (
            "class C {\n int no();\npublic:\n C();\n ~C() {}\n int yes() const { return 1; }\nprivate:\n int x_;\n};",
            {"yes"},
        ),
        (
            "struct S {\n struct {\n uint64_t addr;\n } inner{};\n int v[3]{};\n bool operator==(S) const;\n};",
            {"addr", "v"},
        ),
        ('namespace chiphost_simpler {\nint own();\n}\nextern "C" int entry(int);', set()),
        ("// int no();\n/* int no(); */ [[gnu::const]] inline int yes();", {"yes"}),
    ],
)
def test_names_are_found(tmp_path: Path, text: str, expected: set[str]) -> None:
    header = tmp_path / "header.h"
    header.write_text(text)
    found = {name.last for name in names_of(header)}
    assert expected <= found
    assert not found & {"no", "own", "x_", "C::C", "CHIPHOST_SIMPLER_X", "entry", "g"}


@pytest.mark.parametrize(
    ("name", "text", "used"),
    [
        (Name("Arg::add_input", "function"), "arg.add_input(x);", True),
        (Name("Arg::add_input", "function"), "void add_input(int);", False),
        (Name("MixedKernels::aic_kernel_id", "member"), "kernels->aic_kernel_id = 1;", True),
        (Name("CoreType::AIC", "value"), "CoreType::AIC", True),
        (Name("CoreType::AIC", "value"), "Other::AIC", False),
        (Name("to_u64", "function"), "to_u64(1)", True),
        (Name("to_u64", "function"), code_of('"to_u64(1)" // to_u64(1)'), False),
        (Name("PTO2TaskId::operator==", "function"), "a == b", True),
    ],
)
def test_a_use_is_told_from_a_word(name: Name, text: str, used: bool) -> None:
    assert name.used_in(text) == used
