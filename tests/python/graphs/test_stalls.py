# SPDX-License-Identifier: Apache-2.0
"""Runs that cannot end: each says which kernel waits, where in its source, for whom, and what happened last."""

from __future__ import annotations

import re

import numpy as np
import pytest
from callables import FOLDER, chain, host_stalls, run_graph
from device_faults import SMALL, check_good, run_fault
from device_programs import ABG

import chiphost as ch

TMR = "tensormap_and_ringbuffer"
HBG = "host_build_graph"
ISOLATIONS = ("namespace", "copy", "process")
WINDOW, HEAP, POOL = ({name: value} for name, value in SMALL.items())
KERNEL = r"core \d+ waits in kernel `pop_for_ever` of submit #\d+ at \S*/pop_for_ever\.cpp:\d+ for core \d+"
CALL = r"called at \S*/device_misbehave\.cpp:\d+"
FLAG = r"core {core} waits in kernel `wait_for_flag` of submit #{submission} at \S*/wait_for_flag\.cpp:\d+"
ONE_CLUSTER = {"block_dim": 1}
KEPT = (
    r"who waits for whom: the orchestration waits for submit #\d+ \(kernel `touch`\), which keeps that until its scope "
    r"ends, which waits for the orchestration: a cycle; "
)
SCOPE = (
    r"who waits for whom: the orchestration waits for that task, which waits for the end of its scope, which waits for "
    r"the orchestration: a cycle; "
)

# Each entry: the fault: (configuration, name of the error, what its text says).
BOTH: dict[str, tuple[dict[str, int], str, str]] = {
    "cores that wait for each other": ({}, "STALLED", KERNEL + ", which waits.* a cycle: core 0 -> core 24 -> core 0"),
    "a tile that nobody pushes": ({}, "STALLED", KERNEL + ", whose kernel has returned"),
    "three cores that wait for each other in a circle": (
        {},
        "STALLED",
        r"core (\d+) waits in kernel `wait_for_aiv1` of submit #0 at \S*/wait_for_aiv1\.cpp:\d+ for core (\d+), which "
        r"waits;.* a cycle: core (\d+) -> core \1 -> core \2 -> core \3",
    ),
    "flags of two clusters": (
        {},
        "STALLED",
        rf"{FLAG.format(core='([0-9]+)', submission='[01]')} for core (\d+), which waits and uses the same memory;"
        r".* a cycle: core \1 -> core \2 -> core \1",
    ),
    "a flag that nobody sets": ({}, "STALLED", rf"{FLAG.format(core='[0-9]+', submission=0)}, alone in its task"),
    "more blocks than cores that meet": (
        ONE_CLUSTER,
        "STALLED",
        r"1 block of submit #0 \(kernel `meet`\) waits for a free AIV core;"
        r".* submit #0 \(kernel `meet`\) waits for core 1, which waits for core 2, which waits for core 1: a cycle",
    ),
    "a mixed task that finds no cluster": (
        ONE_CLUSTER,
        "STALLED",
        r"who waits for whom: submit #2 \(kernels `touch`, `touch`\) waits for a free cluster, and so for core 0;"
        rf" {FLAG.format(core=0, submission=0)}",
    ),
    "many tasks": (WINDOW, "SCOPE_DEADLOCK", r"submit #4 \(kernel `touch`\).*" + KEPT + CALL),
    "many tasks below a deep scope": (
        WINDOW,
        "WINDOW_DEADLOCK",
        r"from submit #\d+ \(kernel `touch`\) on.*" + KEPT + CALL,
    ),
    "many buffers": (HEAP, "HEAP_DEADLOCK", r"from submit #0 \(kernel `touch`\) on.*" + KEPT + CALL),
    "a large buffer": (HEAP, "HEAP_DEADLOCK", r"submit #0 \(kernel `touch`\).*" + CALL),
    "many predecessors": (POOL, "DEP_POOL_DEADLOCK", r"submit #5 \(kernel `touch`\).*" + CALL),
    "many edges": (POOL, "DEP_POOL_DEADLOCK", r"from submit #\d+ \(kernel `touch`\) on.*" + KEPT + CALL),
    "an edge to an earlier task": ({}, "GRAPH_CYCLE", r"from submit #1 \(.*\) to submit #0 \(.*" + CALL),
    "an edge to itself": ({}, "GRAPH_CYCLE", r"from submit #1 \(.*\) to submit #1 \(.*" + CALL),
    "an edge from no task": ({}, "TASK_ID_OUT_OF_RANGE", r"from task 1000 of ring 0 to submit #0 \(.*" + CALL),
    "after a task that was never submitted": (
        {},
        "TASK_ID_OUT_OF_RANGE",
        r"submit #0 \(kernel `touch`\): after task 1000 of ring 0: there was no such task.*" + CALL,
    ),
    "an element of an open manual scope": ({}, "ELEMENT_WAIT", r"submit #0 \(kernel `touch`\) uses.*" + SCOPE + CALL),
}
INFERRED: dict[str, tuple[dict[str, int], str, str]] = {
    "many uses": (WINDOW, "TENSOR_MAP_DEADLOCK", r"submit #\d+ \(kernel `touch`\).*" + KEPT + CALL),
    "an element written in an open manual scope": (
        {},
        "ELEMENT_WAIT",
        r"submit #\d+ \(kernel `touch`\) uses.*" + SCOPE + CALL,
    ),
    "an element behind an open manual scope": (
        {},
        "ELEMENT_WAIT",
        r"the orchestration waits for an element in an access to an element at \S*/device_misbehave\.cpp:\d+, "
        r"until submit #\d+ \(kernel `touch`\) has completed;.*"
        r" who waits for whom: the orchestration waits for submit #1 \(kernel `touch`\), which waits for submit #0 "
        r"\(kernel `touch`\), which waits for the end of its scope, which waits for the orchestration: a cycle",
    ),
    "an element behind two tasks and a core that waits for ever": (
        {},
        "STALLED",
        r"who waits for whom: the orchestration waits for submit #1 \(kernel `touch`\), which waits for submit #0 "
        r"\(kernels `pop_for_ever`, `pop_for_ever`\), which waits for core (\d+), which waits for core \d+, which "
        r"waits for core \1: a cycle;",
    ),
    "an element of a task that waits for ever": (
        {},
        "STALLED",
        r"until submit #0 \(kernels `pop_for_ever`, `pop_for_ever`\) has completed.*" + KERNEL + ", which waits",
    ),
}
CASES = [(runtime, what) for runtime in (TMR, ABG) for what in BOTH] + [(TMR, what) for what in INFERRED]


def stall(worker: ch.ChipWorker, what: str, **config: float) -> ch.ChiphostError:
    rings, name, text = (BOTH | INFERRED)[what]
    with pytest.raises(ch.ChiphostError) as caught:
        run_fault(worker, what, **rings, **config)
    error = caught.value
    assert error.name == name, error
    whole = f"{error.where}: {error.message}"
    assert re.search(text, whole), whole
    if name == "STALLED" or name.endswith(("_DEADLOCK", "_WAIT")):
        message, *lines = error.stall_report.splitlines()
        assert error.message.startswith(message)
        assert any(re.fullmatch(r"the last \d+ of \d+ events:", line) for line in lines)
    return error


@pytest.mark.parametrize(("runtime", "what"), CASES)
def test_names_kernel_line_and_who_waits_for_whom(runtime: str, what: str) -> None:
    with ch.ChipWorker(runtime) as worker:
        stall(worker, what)
        stall(worker, what, sim_threads=2)
        check_good(worker)


@pytest.mark.parametrize("isolation", ISOLATIONS)
@pytest.mark.parametrize("runtime", [TMR, ABG])
def test_one_worker_goes_on_after_every_stall(runtime: str, isolation: str) -> None:
    with ch.ChipWorker(runtime, isolation=isolation) as worker:
        for what in [what for each, what in CASES if each == runtime]:
            for sim_threads in (1, 2):
                stall(worker, what, sim_threads=sim_threads)
                check_good(worker)


# Graphs that the host builds. Each entry: the number of the graph: what the text says.
ADDED = r" at \S*/host_stalls\.cpp:\d+"
ON_HOST: dict[int, tuple[str, str]] = {
    1: (
        "STALLED",
        rf"{FLAG.format(core=24, submission=0)} for core 25, which waits and uses the same memory;"
        rf" {FLAG.format(core=25, submission=1)} for core 24.* a cycle: core 24 -> core 25 -> core 24",
    ),
    2: ("STALLED", rf"{FLAG.format(core='2[45]', submission=1)}, alone in its task"),
    3: (
        "STALLED",
        r"who waits for whom: submit #1 \(kernel `touch`\) waits for submit #0 \(kernel `wait_for_flag`\), which waits "
        rf"for core 24; {FLAG.format(core=24, submission=0)}",
    ),
    5: (
        "GRAPH_CYCLE",
        r"tasks wait for each other: "
        + " -> ".join(rf"submit #{number} \(kernel `touch`\){ADDED}" for number in (0, 1, 2, 0)),
    ),
    6: ("TASK_ID_OUT_OF_RANGE", ADDED),
}


def stall_on_host(worker: ch.ChipWorker, what: int, **config: float) -> ch.ChiphostError:
    with pytest.raises(ch.ChiphostError) as caught:
        worker.run(host_stalls(), [np.zeros(64, np.int32), what], **config)
    return caught.value


@pytest.mark.parametrize("isolation", ISOLATIONS)
@pytest.mark.parametrize("what", ON_HOST)
def test_graphs_that_the_host_builds(what: int, isolation: str) -> None:
    name, text = ON_HOST[what]
    with ch.ChipWorker(HBG, isolation=isolation) as worker:
        for sim_threads in (1, 2):
            error = stall_on_host(worker, what, sim_threads=sim_threads, aicpu_thread_num=1)
            assert error.name == name, error
            assert re.search(text, error.message), error.message
            run_graph(worker, *chain(3))


HANGS = r"the run did not end within 0.3 s: {} did not return"
SPINNING = r"kernel `wait_for_flag` of submit #{} on core \d+ at \S*/wait_for_flag\.cpp:(\d+)"


@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_a_kernel_that_hangs_is_named_with_its_line(isolation: str) -> None:
    worker = ch.ChipWorker(TMR, isolation=isolation)
    with pytest.raises(ch.DeadlineError) as caught:
        run_fault(worker, "a kernel never returns", timeout_s=0.3)
    kernel = r"kernel `never_return` of submit #0 on core \d+ at \S*/never_return\.cpp:(\d+)"
    found = re.search(HANGS.format(kernel), caught.value.message)
    assert found, caught.value
    assert "pause()" in (FOLDER / "never_return.cpp").read_text().splitlines()[int(found[1]) - 1]
    message, line = caught.value.stall_report.splitlines()
    assert message == caught.value.message
    assert re.fullmatch(kernel.replace(" at ", " goes on at "), line), line
    if isolation == "process":
        check_good(worker)
    else:
        with pytest.raises(ch.StateError, match=r"submit #0 on core \d+ did not return"):
            run_fault(worker, "nothing")
        worker.finalize()
        with ch.ChipWorker(TMR, isolation=isolation) as another:
            check_good(another)


@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_an_orchestration_that_hangs_is_named_with_its_line(isolation: str) -> None:
    worker = ch.ChipWorker(TMR, isolation=isolation)
    with pytest.raises(ch.DeadlineError) as caught:
        run_fault(worker, "never return", timeout_s=0.3)
    found = re.search(HANGS.format(r"the orchestration at \S*/device_misbehave\.cpp:(\d+)"), caught.value.message)
    assert found, caught.value
    assert "usleep(" in (FOLDER / "device_misbehave.cpp").read_text().splitlines()[int(found[1]) - 1]
    worker.finalize()


def test_kernels_of_two_clusters_that_spin_are_both_named() -> None:
    with ch.ChipWorker(TMR, isolation="process") as worker:
        with pytest.raises(ch.DeadlineError) as caught:
            run_fault(worker, "flags of two clusters, without a pause", timeout_s=0.3, sim_threads=2)
        assert len(re.findall(SPINNING.format(r"\d"), caught.value.message)) == 2, caught.value
        assert len(caught.value.stall_report.splitlines()) == 3
        check_good(worker)
        with pytest.raises(ch.DeadlineError, match=SPINNING.format(r"\d")):
            run_fault(worker, "flags of two clusters, without a pause", timeout_s=0.3)
        check_good(worker)


@pytest.mark.parametrize(
    ("what", "text"), [(4, SPINNING.format(0)), (0, r"the orchestration at \S*/host_stalls\.cpp:\d+")]
)
def test_what_hangs_in_a_graph_that_the_host_builds_has_its_line(what: int, text: str) -> None:
    with ch.ChipWorker(HBG, isolation="process") as worker:
        error = stall_on_host(worker, what, timeout_s=0.3)
        assert re.search(HANGS.format(text), error.message), error
        run_graph(worker, *chain(3))


@pytest.mark.parametrize("what", ["reads for ever", "asks for ever"])
@pytest.mark.parametrize("runtime", [TMR, ABG])
def test_an_orchestration_that_submits_nothing_for_ever(runtime: str, what: str) -> None:
    with ch.ChipWorker(runtime) as worker:
        with pytest.raises(ch.DeadlineError) as caught:
            run_fault(worker, what, timeout_s=0.2)
        wanted = r"the orchestration has not returned; it called last at \S*/device_misbehave\.cpp:\d+"
        assert re.search(wanted, caught.value.message), caught.value
        check_good(worker)


@pytest.mark.parametrize("isolation", ISOLATIONS)
@pytest.mark.parametrize("sim_threads", [1, 2])
def test_the_report_has_waits_and_the_last_events(isolation: str, sim_threads: int) -> None:
    with ch.ChipWorker(TMR, isolation=isolation) as worker:
        error = stall(worker, "cores that wait for each other", sim_threads=sim_threads)
        check_good(worker)
    message, *lines = error.stall_report.splitlines()
    assert message == error.message
    assert sum(re.match(KERNEL + ", which waits$", line) is not None for line in lines) == 2
    assert "a cycle: core 0 -> core 24 -> core 0" in lines
    events = lines[next(i for i, line in enumerate(lines) if line.startswith("the last ")) + 1 :]
    assert sum("begins kernel `pop_for_ever` of submit #0" in line for line in events) == 2


def test_the_lines_of_the_two_waits_are_those_of_the_source() -> None:
    with ch.ChipWorker(TMR) as worker:
        error = stall(worker, "cores that wait for each other")
    source = (FOLDER / "pop_for_ever.cpp").read_text().splitlines()
    found = sorted({int(line) for line in re.findall(r"pop_for_ever\.cpp:(\d+)", error.stall_report)})
    assert ["pop_from_" in source[line - 1] for line in found] == [True, True]


def test_an_error_that_is_no_stall_has_no_report() -> None:
    with ch.ChipWorker(TMR) as worker, pytest.raises(ch.KernelError) as caught:
        run_fault(worker, "a kernel throws")
    assert caught.value.stall_report == ""


def test_a_run_that_is_stopped_on_the_device_has_a_report() -> None:
    with ch.ChipWorker(TMR) as worker, pytest.raises(ch.DeadlineError) as caught:
        run_fault(worker, "submit for ever", timeout_s=0.2)
    [header] = [line for line in caught.value.stall_report.splitlines() if line.startswith("the last 256 of ")]
    assert int(header.split()[4]) > 256
