# SPDX-License-Identifier: Apache-2.0
"""Scenes in the form of the project simpler: run as they are, beside chiphost's own, and refused with words."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import simpler_scenes
from simpler_scenes import CONFIG, GOLDEN, RUNTIMES, SCALE_OF_TENSORS

from chiphost import toolchain
from chiphost._runtimes import runtimes
from chiphost._simpler.scene import SimplerScene
from chiphost.scenes import catalog

TIMEOUT_S = 300
pytestmark = pytest.mark.timeout(TIMEOUT_S + 60)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as of a checkout of simpler's, with a scene for each runtime."""
    monkeypatch.setenv("PTO_ISA_ROOT", str(simpler_scenes.pto_isa(tmp_path / "pto-isa")))
    monkeypatch.delenv("PTO_ISA_COMMIT", raising=False)
    folder = tmp_path / "simpler"
    for runtime in RUNTIMES:
        simpler_scenes.write(folder, runtime)
    return folder


def chiphost(*words: object, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "chiphost", *map(str, words)],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def rows(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """Name and verdict of each row of `ci`."""
    words = [line.split() for line in done.stdout.splitlines() if line.startswith(("PASS ", "FAIL ", "SKIP "))]
    return {row[1]: row[0] for row in words}


def everything(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("isolation", ["namespace", "copy", "process"])
@pytest.mark.parametrize("chip", ["a2a3sim", "a5sim"])
def test_they_pass_as_they_are(root: Path, chip: str, isolation: str) -> None:
    for runtime in RUNTIMES:
        simpler_scenes.write(root, runtime, arch="a5")
    before = everything(root)
    words = ("ci", "-p", chip, "--isolation", isolation, "--all-cases", "--scenes", root)
    done = chiphost(*words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert rows(done) == {f"{runtime}/scale": "PASS" for runtime in RUNTIMES}
    assert done.stdout.count("2 cases") == len(RUNTIMES)
    assert everything(root) == before, "a file was changed, or added"


@pytest.mark.parametrize("below", ["", "examples", "examples/a2a3", "examples/a2a3/host_build_graph"])
def test_they_are_found_from_every_folder(root: Path, below: str) -> None:
    found = [name for name, _ in catalog.scenes_in(root / below, "a2a3sim")]
    assert found == sorted(f"{runtime}/scale" for runtime in RUNTIMES if runtime in below or "host" not in below)


def test_one_is_enough(root: Path) -> None:
    folder = root / "examples" / "a2a3" / "tensormap_and_ringbuffer" / "scale"
    for words in (("run", folder), ("ci", "--scenes", folder)):
        done = chiphost(*words, "-p", "a2a3sim")
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("runtime", RUNTIMES[1:])
def test_the_functions_name_is_only_for_the_host(root: Path, runtime: str) -> None:
    """simpler calls one and the same function on the AICPU, and some of its scenes name another."""
    text = CONFIG.replace("@RUNTIME", runtime).replace("@FUNCTION", "build_scale_graph")
    folder = simpler_scenes.write(root, runtime, config=text)
    done = chiphost("run", folder, "-p", "a2a3sim")
    assert done.returncode == 0, done.stdout + done.stderr


def test_run_takes_all_cases_of_one(root: Path) -> None:
    folder = root / "examples" / "a2a3" / "tensormap_and_ringbuffer" / "scale"
    for words, cases in (((), ["small"]), (("--all-cases",), ["small", "large"]), (("--case", "large"), ["large"])):
        done = chiphost("run", folder, "-p", "a2a3sim", *words)
        assert done.returncode == 0, done.stdout + done.stderr
        assert list(rows(done)) == cases


def test_a_scene_may_lie_anywhere(root: Path, tmp_path: Path) -> None:
    """Its runtime is in the file. Modules are found when a function asks for them, too."""
    late = GOLDEN.replace("from factors import FACTOR\n", "").replace("@LAST", "False")
    late = late.replace("    assert params", "    from factors import FACTOR\n    assert params")
    simpler_scenes.write(root, "aicpu_build_graph", golden=late)
    (root / "mine").mkdir()
    folder = (root / "examples" / "a2a3" / "aicpu_build_graph" / "scale").rename(root / "mine" / "some scale")
    done = subprocess.run(
        [sys.executable, "-m", "chiphost", "run", ".", "-p", "a5sim"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "aicpu_build_graph/some scale on a5sim" in done.stdout


def test_names_that_are_there_twice_say_where(root: Path) -> None:
    folder = simpler_scenes.write(root, "host_build_graph", arch="a5")
    names = [name for name, _ in catalog.scenes_in(root) if name.startswith("host")]
    assert names == ["host_build_graph/scale (examples/a2a3)", "host_build_graph/scale (examples/a5)"]
    assert dict(catalog.scenes_in(root))[names[1]] == folder
    assert "host_build_graph/scale" in dict(catalog.scenes_in(root, "a5sim"))


OWN = "host_build_graph/vector_example"


@pytest.fixture
def mixed(root: Path, scenes_root: Path) -> Path:
    """The same folder with a scene of chiphost's own in it."""
    (root / OWN).parent.mkdir()
    (root / OWN).symlink_to(scenes_root / OWN)
    return root


ALL_PASS = {OWN: "PASS", **{f"{runtime}/scale": "PASS" for runtime in RUNTIMES}}


@pytest.mark.parametrize(
    "words",
    [
        ("--parallel",),
        ("--isolation", "process"),
        ("--isolation", "copy", "--parallel"),
        ("--seed", "7", "--sim-threads", "2"),
    ],
)
def test_beside_chiphosts_own(mixed: Path, tmp_path: Path, words: tuple[str, ...]) -> None:
    report = tmp_path / "report.json"
    done = chiphost("ci", "-p", "a2a3sim", "--scenes", mixed, "--json", report, *words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert rows(done) == ALL_PASS
    isolation = words[1] if words[0] == "--isolation" else ""
    assert (f"Isolation: {isolation} " in done.stdout) == bool(isolation)
    seed = int(words[1]) if words[0] == "--seed" else 0
    assert {scene["seed"] for scene in json.loads(report.read_text())["scenes"]} == {seed}


def test_the_deadline_is_for_all_of_them(mixed: Path) -> None:
    kernel = SCALE_OF_TENSORS.replace(
        "const bool as_promised", "for (volatile int x = 1; x;) {}\n    const bool as_promised"
    )
    folder = simpler_scenes.write(mixed, "tensormap_and_ringbuffer", kernel=kernel)
    assert chiphost("ci", "-p", "a2a3sim", "--scenes", mixed, "-k", "_graph").returncode == 0
    done = chiphost("run", folder, "-p", "a2a3sim", "--timeout", "1")  # all files are in the cache after this
    assert "DEADLINE_EXCEEDED" in done.stdout
    done = chiphost("ci", "-p", "a2a3sim", "--scenes", mixed, "-t", "20")
    assert done.returncode == 1
    assert rows(done) == ALL_PASS | {"tensormap_and_ringbuffer/scale": "FAIL"}
    assert "the deadline of 20 s was over" in done.stdout


def test_on_runtimes_that_are_built_first(mixed: Path, tmp_path: Path) -> None:
    if not shutil.which("cmake"):
        pytest.skip("there is no cmake")
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    for name in RUNTIMES:
        shutil.copytree(runtimes.find(name, "a2a3sim").host.parent, checkout / name)
    text = "cmake_minimum_required(VERSION 3.20)\nproject(chiphost LANGUAGES NONE)\n"
    text += (
        'file(COPY "${CMAKE_SOURCE_DIR}/" DESTINATION "${CMAKE_BINARY_DIR}/lib/a2a3sim" FILES_MATCHING PATTERN "*.so"'
    )
    (checkout / "CMakeLists.txt").write_text(f"{text} PATTERN build EXCLUDE)\nadd_custom_target(programs ALL)\n")
    done = chiphost("ci", "-p", "a2a3sim", "--scenes", mixed, "--build-runtime", "--source", checkout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith(f"Built runtimes from {checkout}")
    assert rows(done) == ALL_PASS


def test_what_it_says_is_read(root: Path) -> None:
    scene = SimplerScene.load(root / "examples" / "a2a3" / "tensormap_and_ringbuffer" / "scale")
    assert scene.description == "y = 2 * factor * x."
    assert (scene.runtime, scene.rounds, scene.default_case) == ("tensormap_and_ringbuffer", 2, "small")
    assert scene.usual_cases == ["small"]
    assert list(scene.cases) == ["small", "large"]
    assert scene.config == {
        "block_dim": 3,
        "ring_task_window": 16,
        "ring_heap_bytes": 65536,
        "ring_dep_pool": 64,
    }
    args = scene.make_args("small")
    assert list(args) == ["x", "y", "factor"]
    assert args["factor"] == 0x3FC00000  # 1.5 by its bits


def test_what_comes_out_wrong_is_shown(root: Path) -> None:
    wrong = GOLDEN.replace("@LAST", "False").replace("= 2 * tensors", "= 3 * tensors")
    simpler_scenes.write(root, "aicpu_build_graph", golden=wrong)
    done = chiphost("ci", "-p", "a2a3sim", "--scenes", root)
    assert done.returncode == 1
    assert rows(done)["aicpu_build_graph/scale"] == "FAIL"
    assert "GOLDEN_MISMATCH" in done.stdout
    assert "y: 15 of 16 elements differ" in done.stdout
    assert "again: chiphost run aicpu_build_graph/scale -p a2a3sim --case small --seed 0" in done.stdout
    done = chiphost("ci", "-p", "a2a3sim", "--all-cases", "-k", "aicpu", "--scenes", root)
    assert "again: chiphost run aicpu_build_graph/scale -p a2a3sim --all-cases --seed 0" in done.stdout
    again = chiphost("ci", "-p", "a2a3sim", "--scenes", root, "--pto-isa", os.environ["PTO_ISA_ROOT"])
    assert f"--pto-isa {os.environ['PTO_ISA_ROOT']}" in again.stdout, "the command that runs it again lacks it"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"golden": "x = 1\n"}, "__outputs__: there are none: nothing could be checked"),
        ({"golden": "__outputs__ = ['y']\n"}, "generate_inputs: there is no such function"),
        (
            {"golden": "import no_such_module\n"},
            "importing it raised ModuleNotFoundError: No module named 'no_such_module'",
        ),
        ({"config": "KERNELS = []\n"}, "kernels/kernel_config.py: ORCHESTRATION: there is none"),
        ({"config": "RUNTIME_ENV = {'PTO2_FAST': '1'}\n"}, "RUNTIME_ENV: nobody knows what PTO2_FAST means"),
        (
            {
                "config": "ORCHESTRATION = {'source': __file__, 'function_name': 'f'}\n"
                "KERNELS = [{'func_id': -1, 'source': __file__, 'core_type': 'aiv'}]\n"
            },
            "func_id is -1; it must be a number from 0 to",
        ),
        ({"config": "KERNELS = [3]\nORCHESTRATION = {'source': __file__}\n"}, "wanted a dict with func_id, source and"),
        ({"config": "RUNTIME_CONFIG = {'runtime': str('tensormap')}\n"}, "is for the runtime tensormap, and called"),
        ({"config": "RUNTIME_CONFIG = {'block_dim': 'many'}\n"}, "ValueError: invalid literal for int()"),
    ],
)
def test_what_cannot_be_run_is_said(root: Path, changes: dict[str, str], expected: str) -> None:
    simpler_scenes.write(root, "tensormap_and_ringbuffer", "odd", **changes)
    done = chiphost("ci", "-p", "a2a3sim", "--scenes", root)
    assert done.returncode == 1
    assert rows(done) == {f"{runtime}/scale": "PASS" for runtime in RUNTIMES} | {"tensormap_and_ringbuffer/odd": "FAIL"}
    assert expected in " ".join(done.stdout.split()), done.stdout


# Before anything is compiled: the second kernel has an #error that nobody must see.

CONFIG_OF_TWO = CONFIG.replace(
    "RUNTIME_CONFIG",
    "KERNELS.append({'func_id': 1, 'source': str(HERE / 'other.cpp'), 'core_type': 'aiv'})\nRUNTIME_CONFIG",
).replace("@FUNCTION", "")
COUNTER = """
inline uint64_t now() {
    uint64_t ticks;
    asm volatile("mrs %0, cntvct_el0" : "=r"(ticks));
    return ticks;
}
"""


@pytest.fixture
def broken_otherwise(root: Path) -> Path:
    folder = simpler_scenes.write(
        root, "tensormap_and_ringbuffer", config=CONFIG_OF_TWO.replace("@RUNTIME", "tensormap_and_ringbuffer")
    )
    (folder / "kernels" / "other.cpp").write_text("#error is compiled\n")
    return folder


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="an aarch64 host has these instructions")
def test_assembler_of_aarch64_is_refused_where_it_cannot_be(broken_otherwise: Path) -> None:
    file = broken_otherwise / "kernels" / "orchestration" / "orch.cpp"
    text = file.read_text().replace('extern "C" {', COUNTER + 'extern "C" {')
    macro = "#ifdef TIMES\n#define COUNT() now()\n#else\n#define COUNT() 0\n#endif\n"
    for used in ("#define TIMES\n", ""):
        file.write_text(
            used + macro + text.replace("Tensor y =", "const uint64_t start = COUNT(); (void)start; Tensor y =")
        )
        done = chiphost("run", broken_otherwise, "-p", "a2a3sim")
        assert done.returncode == 1
        said = " ".join(done.stdout.split())
        assert ("#error" in said) == (not used), "a function that nobody calls costs nothing"
        instruction = f"{file}:{13 if used else 12}: `mrs %0, cntvct_el0` is an instruction of aarch64, and this is for"
        assert (instruction in said) == bool(used), said
        assert ("Nothing of the scene has been compiled" in said) == bool(used)


def test_a_type_that_exists_nowhere_is_refused(broken_otherwise: Path) -> None:
    file = broken_otherwise / "kernels" / "aiv" / "scale.cpp"
    file.write_text(SCALE_OF_TENSORS.replace("Tensor*", "TensorBlock*"))
    done = chiphost("run", broken_otherwise, "-p", "a2a3sim")
    assert done.returncode == 1
    said = " ".join(done.stdout.split())
    assert f"{file}:7: TensorBlock is used as a type, and neither the file nor what it includes says what" in said
    assert "#error" not in said
    (file.parent / "block.h").write_text("using TensorBlock = Tensor;\n")
    file.write_text(file.read_text().replace('#include "intrinsic.h"', '#include "intrinsic.h"\n#include "block.h"'))
    (broken_otherwise / "kernels" / "other.cpp").write_text(SCALE_OF_TENSORS)
    done = chiphost("run", broken_otherwise, "-p", "a2a3sim")
    assert done.returncode == 0, done.stdout + done.stderr


def test_without_torch_the_others_run(root: Path) -> None:
    golden = "import torch\n" + GOLDEN.replace("@LAST", "False")
    simpler_scenes.write(root, "aicpu_build_graph", golden=golden)
    (root / "no_torch").mkdir()
    (root / "no_torch" / "torch.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'torch'\", name='torch')\n"
    )
    done = chiphost("ci", "-p", "a2a3sim", "--scenes", root / "examples", PYTHONPATH=str(root / "no_torch"))
    assert rows(done) == {f"{runtime}/scale": "FAIL" if "aicpu" in runtime else "PASS" for runtime in RUNTIMES}
    assert "hint: install torch" in done.stdout


def test_how_long_torch_took_is_said_if_it_was_imported(root: Path, tmp_path: Path) -> None:
    report, module = tmp_path / "report.json", tmp_path / "modules" / "torch.py"
    words = ("ci", "-p", "a2a3sim", "--scenes", root, "--json", report)
    done = chiphost(*words)
    assert "torch" not in done.stdout + report.read_text()
    module.parent.mkdir()
    module.write_text("import time\nprint('torch comes')\ntime.sleep(0.5)\n")
    for runtime in RUNTIMES[:2]:
        simpler_scenes.write(root, runtime, golden="import torch\n" + GOLDEN.replace("@LAST", "False"))
    done = chiphost(*words, PYTHONPATH=str(module.parent))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("torch comes") == 1, "it is imported once"
    assert 0.5 <= json.loads(report.read_text())["torch_import_seconds"] < TIMEOUT_S
    assert re.search(r"^Time: [\d.]+ s, [\d.]+ s of it to import torch$", done.stdout, re.MULTILINE)
    module.write_text("raise RuntimeError('broken')\n")
    done = chiphost(*words, PYTHONPATH=str(module.parent))
    assert rows(done) == {f"{runtime}/scale": "PASS" if "tensormap" in runtime else "FAIL" for runtime in RUNTIMES}
    assert "of it to import" not in done.stdout


def test_the_chips_other_16_bit_float_is_not_taken_for_bfloat16(root: Path) -> None:
    """The headers of PTO-ISA do so where the compiler has none, and cannot multiply matrices of it."""
    header = Path(os.environ["PTO_ISA_ROOT"]) / "include" / "pto" / "common" / "type.hpp"
    header.parent.mkdir(exist_ok=True)
    header.write_text("#pragma once\ntypedef _Float16 half;\ntypedef _Float16 bfloat16_t;\n")
    (header.parents[1] / "pto-inst.hpp").write_text(BFLOAT16_HEADER)
    golden = GOLDEN.replace("@LAST", "False").replace("import numpy", "import ml_dtypes\nimport numpy")
    golden = golden.replace("np.float32", "ml_dtypes.bfloat16").replace("RTOL = 1e-6", "RTOL = 1e-2")
    folder = simpler_scenes.write(root, "host_build_graph", golden=golden, kernel=BFLOAT16_KERNEL)
    orchestration = folder / "kernels" / "orchestration" / "orch.cpp"
    text = orchestration.read_text().replace("x.dtype != DataType::FLOAT32 ", "x.dtype != DataType::BFLOAT16 ")
    text = text.replace("get_element_size(x.dtype) != 4", "get_element_size(x.dtype) != 2")
    orchestration.write_text(text.replace("x.nbytes() / sizeof(float)", "x.nbytes() / 2"))
    done = chiphost("run", folder, "-p", "a2a3sim", "--all-cases")
    assert done.returncode == 0, done.stdout + done.stderr


BFLOAT16_HEADER = """
#pragma once
#include <cstdint>
#include <limits>
#include <type_traits>
#include <pto/common/type.hpp>
#define __gm__
#define __aicore__
namespace pto {
template <typename T, int Height, int Width>
struct Matrix {
    using DType = T;
    static constexpr int Rows = Height, Cols = Width;
};
template <typename Result, typename Left, typename Right>
void CheckMadValid() {
    static_assert(std::is_same_v<typename Left::DType, half>, "Not supported data type");
}
template <typename Result, typename Left, typename Right>
void multiply(Result&, Left&, Right&) {
    CheckMadValid<Result, Left, Right>();
}
}
"""

BFLOAT16_KERNEL = """
#include <cstdint>
#include <cmath>
#include <pto/pto-inst.hpp>
using limits = std::numeric_limits<bfloat16_t>;
static_assert(sizeof(bfloat16_t) == 2 && limits::is_specialized && limits::has_infinity);
static_assert(bfloat16_t(1.00390625f) == 1 && bfloat16_t(1.01171875f) == 1.015625f, "ties go to even");
static_assert(limits::max() > 3e38f && limits::lowest() < -3e38f && limits::epsilon() == 0.0078125f);
static_assert(bfloat16_t(3.4e38f) == limits::infinity() && limits::quiet_NaN() != limits::quiet_NaN());
extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    pto::Matrix<float, 16, 16> result;
    pto::Matrix<bfloat16_t, 16, 16> left, right;
    pto::multiply(result, left, right);
    __gm__ bfloat16_t* in = reinterpret_cast<__gm__ bfloat16_t*>(args[0]);
    __gm__ bfloat16_t* out = reinterpret_cast<__gm__ bfloat16_t*>(args[1]);
    float factor;
    __builtin_memcpy(&factor, &args[2], sizeof factor);
    for (int64_t i = 0; i < args[3]; ++i) {
        bfloat16_t sum = 0;
        sum += in[i];
        sum *= factor;
        sum -= 1.0;
        sum /= static_cast<bfloat16_t>(1);
        out[i] = std::exp(bfloat16_t(0)) + sum;
    }
}
"""


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_arguments_that_do_not_fit_are_the_runs_error(root: Path, runtime: str) -> None:
    """A runtime on the AICPU wants as many as the orchestration expects, or more; one on the host leaves it to that."""
    more = GOLDEN.replace("@LAST", "False").replace("ctypes.c_float(FACTOR))]", "ctypes.c_float(FACTOR)), ('more', 1)]")
    less = GOLDEN.replace("@LAST", "False").replace(', ("factor", ctypes.c_float(FACTOR))]', "]")
    on_host = runtime == "host_build_graph"
    if not on_host:
        simpler_scenes.write(root, runtime, golden=more)
        done = chiphost("run", root / "examples" / "a2a3" / runtime / "scale", "-p", "a2a3sim")
        assert "wanted 3" not in done.stdout
    simpler_scenes.write(root, runtime, golden=more if on_host else less)
    done = chiphost("run", root / "examples" / "a2a3" / runtime / "scale", "-p", "a2a3sim")
    assert done.returncode == 1
    expected = "returned 1" if on_host else "wanted 3 arguments or more, found 2 tensors and 0 scalars"
    assert expected in " ".join(done.stdout.split()), done.stdout


def test_memory_of_nobody_is_no_tensor(root: Path) -> None:
    text = simpler_scenes.device(simpler_scenes.PARTS["tensormap_and_ringbuffer"])
    text = text.replace("argument.data_as<void>(), elements", "argument.data_as<float>() + 1, elements")
    simpler_scenes.write(root, "tensormap_and_ringbuffer", orchestration=text)
    done = chiphost("run", root / "examples" / "a2a3" / "tensormap_and_ringbuffer" / "scale", "-p", "a2a3sim")
    assert done.returncode == 1
    assert "TASK_INVALID" in done.stdout
    assert "tensor_at: 64 bytes at 0x" in done.stdout
    assert "are in no tensor argument of the run" in " ".join(done.stdout.split())


# PTO-ISA


def test_without_pto_isa_it_says_what_is_missing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PTO_ISA_ROOT")
    done = chiphost("ci", "-p", "a2a3sim", "--scenes", root)
    assert done.returncode == 1
    assert "--pto-isa or in PTO_ISA_ROOT" in " ".join(done.stdout.split())


def test_a_folder_that_is_none_is_named(root: Path, tmp_path: Path) -> None:
    done = chiphost("ci", "-p", "a2a3sim", "--scenes", root, "--pto-isa", tmp_path)
    assert done.returncode == 1
    assert "there is no include/pto/pto-inst.hpp" in " ".join(done.stdout.split())


def test_a_commit_of_it_is_taken_as_it_was(root: Path, tmp_path: Path) -> None:
    checkout = tmp_path / "pto-isa"

    def git(*words: str) -> str:
        who = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.org")
        done = subprocess.run(["git", "-C", str(checkout), *who, *words], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    git("init", "-q")
    git("add", "-A")
    git("commit", "-q", "-m", "as it was")
    commit = git("rev-parse", "HEAD")
    (checkout / "include" / "pto" / "pto-inst.hpp").write_text("#error another one\n")
    words = ("ci", "-p", "a2a3sim", "--scenes", root, "--pto-isa", checkout)
    assert chiphost(*words).returncode == 1
    for _ in range(2):  # the second one finds it in the cache
        done = chiphost(*words, "-c", commit[:10])
        assert done.returncode == 0, done.stdout + done.stderr
    for_all = tmp_path / "cache" / "pto-isa"
    for_all.mkdir(parents=True)
    for_all.chmod(0o777)
    done = chiphost(*words, "-c", commit, CHIPHOST_CACHE_DIR=str(for_all.parent))
    assert done.returncode == 1, "others could put headers there"
    assert "CACHE_UNUSABLE" in done.stdout
    done = chiphost(*words, "-c", "0123456789")
    assert done.returncode == 1
    assert "has no commit '0123456789'" in " ".join(done.stdout.split())
    git("rm", "-rqf", "include")
    git("commit", "-q", "-m", "nothing is left")
    done = chiphost(*words, "-c", "HEAD")
    assert done.returncode == 1
    assert "the files of commit HEAD cannot be had" in " ".join(done.stdout.split())


def test_a_name_that_its_commit_lacks_says_which_commit_is_wanted(root: Path) -> None:
    kernel = SCALE_OF_TENSORS.replace('#include "intrinsic.h"', '#include "intrinsic.h"\nusing pto::Wireless;')
    header = Path(os.environ["PTO_ISA_ROOT"]) / "include" / "pto" / "pto-inst.hpp"
    header.write_text(header.read_text() + "namespace pto {}\n")
    simpler_scenes.write(root, "aicpu_build_graph", kernel=kernel)
    done = chiphost("ci", "-p", "a2a3sim", "--scenes", root)
    assert done.returncode == 1
    assert rows(done) == {f"{runtime}/scale": "FAIL" if "aicpu" in runtime else "PASS" for runtime in RUNTIMES}
    said = " ".join(done.stdout.split())
    assert "error: " in said, "the compiler's own words"
    assert "PTO-ISA has no Wireless at the commit in use" in said
    assert "Wanted is its commit 882c4db9" in said
    assert "hint: name a git checkout of hw-native-sys/pto-isa with --pto-isa, and the commit: -c 882c4db9" in said
    simpler_scenes.write(root, "aicpu_build_graph", kernel=SCALE_OF_TENSORS.replace("from_u64", "from_nowhere"))
    done = chiphost("ci", "-p", "a2a3sim", "--scenes", root)
    assert done.returncode == 1
    assert "from_nowhere" in done.stdout
    assert "Wanted" not in done.stdout


def test_the_headers_are_where_sources_look() -> None:
    assert {path.name for path in toolchain.compat_dir().iterdir()} == {*RUNTIMES, "simpler", "pto_isa"}
