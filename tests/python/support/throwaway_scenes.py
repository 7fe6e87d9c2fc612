# SPDX-License-Identifier: Apache-2.0
"""Scenes for tests of the runner and the command line: one that passes, and one for each way to fail."""

from __future__ import annotations

from pathlib import Path

from chiphost._system.deadline import Deadline
from chiphost.scenes import catalog
from chiphost.scenes.programs import ScenePrograms

RUNTIME = "host_build_graph"

_SCENE = """
import numpy as np
from chiphost.compiler import Kernel
from chiphost.scene import Scene
from chiphost.signature import In, Out

scene = Scene(
    description="out = x + 1",
    orchestration="orchestration.cpp",
    entry="build_graph",
    kernels=[Kernel(0, "kernel.cpp", "aiv")],
    signature=[In("x", "float32", (None,)), Out("out", "float32", (None,))],
    config={"block_dim": 1},
    cases={"default": {"elements": 16}, "one": {"elements": 1}},
)


@scene.inputs
def inputs(case, rng):
    x = rng.random(case["elements"], np.float32)
    return {"x": x, "out": np.full_like(x, np.nan)}


@scene.golden
def golden(args, case):
    return {"out": args["x"] + 1}
"""

_ORCHESTRATION = """
#include <chiphost/host_build_graph.h>

CHIPHOST_HOST_ORCHESTRATION(build_graph, graph, args) {
    const auto x = args.tensor(0), out = args.tensor(1);
    graph.add_task(chiphost::AIV, 0, {graph.copy_in(x), graph.copy_out(out), x.elements()});
    return 0;
}
"""

_KERNEL = """
#include <unistd.h>

#include <chiphost/kernel.h>
#include <chiphost/kernel_services.h>
#include <stdexcept>

extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    const auto* x = chiphost::pointer_arg<const float>(args, 0);
    auto* out = chiphost::pointer_arg<float>(args, 1);
    const auto elements = chiphost::scalar_arg<uint64_t>(args, 2);
    // fault
    for (uint64_t i = 0; i < elements; ++i) out[i] = x[i] + 1;
}
"""

# Each entry: name: (file, old text, new text).
CHANGES: dict[str, tuple[str, str, str]] = {
    "passes": ("scene.py", "", ""),
    "wrong_golden": ("scene.py", 'args["x"] + 1}', 'args["x"] + 2}'),
    "returns_error": ("orchestration.cpp", "return 0;", "return 42;"),
    "throws": ("kernel.cpp", "// fault", 'throw std::runtime_error("kernel says no");'),
    "flaky": (  # wrong the first time
        "scene.py",
        'return {"out": args["x"] + 1}',
        'scene.calls = getattr(scene, "calls", 0) + 1\n    return {"out": args["x"] + (1 if scene.calls > 1 else 2)}',
    ),
    "stalls": (  # hands tiles to nobody, so that there are events, and then waits
        "kernel.cpp",
        "// fault",
        "const auto& context = chiphost::kernel_context(args);\n"
        "    for (int i = 0; i < 20; ++i) chiphost::notify_cluster(context);\n"
        "    for (;;) chiphost::pause_kernel(context);",
    ),
    "hangs": ("kernel.cpp", "// fault", "for (;;) usleep(10000);"),  # leaves the CPU to the tests
    "hangs_in_python": ("scene.py", 'return {"out": args["x"] + 1}', "while True: __import__('time').sleep(0.01)"),
    "hangs_when_loaded": ("scene.py", "scene = Scene(", "while True: __import__('time').sleep(0.01)\nscene = Scene("),
    "leaves": ("kernel.cpp", "// fault", "if (elements == 1) exit(0);"),  # in its second case
    "leaves_at_once": ("kernel.cpp", "// fault", "_exit(0);"),
    "crashes": ("kernel.cpp", "// fault", "*reinterpret_cast<volatile int*>(elements) = 1;"),
    "aborts": ("kernel.cpp", "// fault", "abort();"),
    "leaves_in_python": ("scene.py", 'return {"out": args["x"] + 1}', "__import__('os')._exit(0)"),
    "leaves_when_loaded": ("scene.py", "scene = Scene(", "__import__('os')._exit(0)\nscene = Scene("),
    "does_not_compile": ("kernel.cpp", "// fault", "nonsense;"),
    "invalid": ("scene.py", "scene = Scene(", "scene = undefined("),
    "exits": ("scene.py", 'return {"out": args["x"] + 1}', "raise SystemExit(0)"),
    "interrupts": ("scene.py", 'return {"out": args["x"] + 1}', "raise KeyboardInterrupt"),
    "three_rounds": ("scene.py", "    config=", "    rounds=3,\n    config="),
    "needs_more": ("scene.py", '{"block_dim": 1}', '{"block_dim": 25}'),
    "needs_less": ("scene.py", '{"block_dim": 1}', '{"block_dim": 25},\n    needs={"clusters": 1}'),
    "one_case_needs_more": (
        "scene.py",
        "    config=",
        '    case_config={"one": {"aicpu_thread_num": 5}},\n    config=',
    ),
    "other_platform": ("scene.py", "    config=", '    platforms=("a5sim",),\n    config='),
}


def write_scenes(root: Path, *kinds: str, **named: str) -> Path:
    """Write a scene of each kind below `root` and return that; a keyword gives a scene another name."""
    for name, kind in {**{kind: kind for kind in kinds}, **named}.items():
        folder = root / RUNTIME / name
        folder.mkdir(parents=True)
        file, old, new = CHANGES[kind]
        for path, text in (("scene.py", _SCENE), ("orchestration.cpp", _ORCHESTRATION), ("kernel.cpp", _KERNEL)):
            assert path != file or old in text, f"{kind}: {old!r} is not in {path}"
            (folder / path).write_text(text.replace(old, new) if path == file and old else text)
    return root


def change(scenes: Path, scene: str, file: str, old: str, new: str) -> None:
    """Replace some text in a file of a scene."""
    path = scenes / RUNTIME / scene / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def warm_cache(root: Path, platform: str = "a2a3sim") -> None:
    """Compile all scenes that can be compiled, so that a deadline is not spent on it."""
    entries = catalog.select(root, platform=platform)
    with ScenePrograms(entries, platform, Deadline(), lambda done, total, name: None) as programs:
        programs.start()
        programs.wait_for_all()
