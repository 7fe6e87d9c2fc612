# SPDX-License-Identifier: Apache-2.0
"""Programs for device_graph_interpreter.cpp, and their results, by NumPy.

The model runs every task at the moment it is submitted: edges must give the result of the program's order. It also
knows which tasks touch which elements, and from that which edges the orchestration has to name itself; and what of the
rings stays taken whatever the tasks do, because scopes are open.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from callables import FOLDER, PLATFORMS

import chiphost as ch

ABG, TMR = "aicpu_build_graph", "tensormap_and_ringbuffer"
DEVICE_RUNTIMES = (ABG, TMR)
PAIRS = tuple((runtime, platform) for runtime in DEVICE_RUNTIMES for platform in PLATFORMS)

VIEW, RESHAPE, TRANSPOSE, MANUAL_DEP, SUBMIT, SCOPE_BEGIN, SCOPE_END, DEPENDENCY, READ, WRITE, FORGET = range(1, 12)
IN, NEW, INOUT, OUT, NO_DEP, NEW_WITH_INITIAL = 0, 1, 2, 3, 4, 9  # roles
READS, WRITES, READS_AND_WRITES = 0, 1, 2  # a kernel's accesses to a tensor
AIC, AIV0, AIV1 = 1, 2, 4  # bits of a task's cores
AUTO, MANUAL = 0, 1
DTYPES = {np.dtype("int32"): 2, np.dtype("int64"): 7}
LOG_LENGTH = 64
RING_COUNT = 4
DEADLOCKS = {1: "SCOPE_DEADLOCK", 2: "HEAP_DEADLOCK", 3: "WINDOW_DEADLOCK", 4: "DEP_POOL_DEADLOCK"}
DEADLOCKS[11] = "TENSOR_MAP_DEADLOCK"


@cache
def device_interpreter(platform: str = "a2a3sim") -> ch.ChipCallable:
    """Any graph: (program, x, y, z, log)."""
    return ch.compile(
        FOLDER / "device_graph_interpreter.cpp",
        [
            ch.Kernel(0, FOLDER / "device_compute.cpp", "aic", defines=["ON_AIC"]),
            ch.Kernel(1, FOLDER / "device_compute.cpp", "aiv"),
        ],
        platform=platform,
        signature=[
            ch.In("program", "int32", (None,)),
            ch.InOut("x", "int64", (6, 8)),
            ch.InOut("y", "int32", (4, 3, 5)),
            ch.InOut("z", "int64", (24,)),
            ch.InOut("log", "int64", (LOG_LENGTH,)),
        ],
    )


def arguments() -> list[np.ndarray]:
    """x, y, z with contents that are alike in every run."""
    rng = np.random.default_rng(7)
    return [
        rng.integers(-(2**62), 2**62, (6, 8)),
        rng.integers(-(2**31), 2**31, (4, 3, 5)).astype(np.int32),
        rng.integers(-(2**62), 2**62, 24),
    ]


@dataclass
class Tensor:
    """A register: a view of a buffer."""

    buffer: int
    data: np.ndarray
    numbers: np.ndarray  # numbers of the buffer's elements, with the view's shape
    owner: int | None = None  # task that made the buffer
    depth: int = 0  # depth of the scope with which it ends
    manual: bool = False
    elements: int = field(init=False)  # the same numbers as a set of bits

    def __post_init__(self) -> None:
        self.elements = sum(1 << number for number in self.numbers.ravel().tolist())

    def derive(self, change: Callable[[np.ndarray], np.ndarray], manual: bool = False) -> Tensor:
        return Tensor(
            self.buffer, change(self.data), change(self.numbers), self.owner, self.depth, self.manual or manual
        )


@dataclass(frozen=True)
class New:
    """A tensor to be made by a task."""

    shape: tuple[int, ...]
    dtype: np.dtype = np.dtype("int64")  # noqa: RUF009 - immutable
    initial: int | None = None


@dataclass(frozen=True)
class Arg:
    role: int
    tensor: int | New
    access: int = READS


def into(tensor: int) -> Arg:
    """out = ..."""
    return Arg(OUT, tensor, WRITES)


def update(tensor: int) -> Arg:
    """out = 3 * out + ..."""
    return Arg(INOUT, tensor, READS_AND_WRITES)


def from_(tensor: int) -> Arg:
    return Arg(IN, tensor, READS)


@dataclass
class Use:
    buffer: int
    elements: int
    writes: bool
    tracked: bool  # the runtime infers edges from it


@dataclass
class Task:
    uses: list[Use]
    owners: set[int]
    before: set[int]  # tasks it may wait for
    ring: int
    open: bool = True  # its scope is open
    published: bool = False
    consumers: list[int] = field(default_factory=list)
    heap_bytes: int = 0
    record_bytes: int = 0
    tracked: int = 0
    edges_end: int = 0  # edges of the ring, after this task


@dataclass
class Rings:
    window: int = 16384
    heap_bytes: int = 256 << 20
    dep_pool: int = 65536

    @property
    def config(self) -> dict[str, int]:
        return {
            "ring_task_window": self.window,
            "ring_heap_bytes": self.heap_bytes,
            "ring_dep_pool": self.dep_pool,
        }


class Program:
    """Words for the interpreter and the operations they stand for. Every method is one operation of the orchestration.

    Args:
        runtime: whose rules hold.
        rings: with which it will run; what may go wrong then is in `possible` and `certain`.
        name_edges: whether submit() adds the edges that the runtime does not infer.
    """

    def __init__(self, runtime: str, rings: Rings | None = None, *, name_edges: bool = True) -> None:
        self.tracks = runtime == TMR
        self.rings = rings or Rings()
        self.name_edges = name_edges
        self.words: list[int] = []
        self.tensors: list[Tensor] = []
        self.results = arguments()
        for array in self.results:
            numbers = np.arange(array.size).reshape(array.shape)
            self.tensors.append(Tensor(len(self.tensors), array, numbers))
        self.buffers = len(self.tensors)
        self.tasks: list[Task] = []
        self.scopes: list[tuple[int, int, list[int]]] = [(self._mode(AUTO), len(self.tensors), [])]
        self.log: list[int] = []
        self.accumulator = 0
        self.possible: set[int] = set()  # codes of deadlocks that may be reported
        self.certain = False  # a deadlock will be reported
        self._in_ring: list[list[int]] = [[] for _ in range(RING_COUNT)]
        self._edges = [0] * RING_COUNT

    # --- the operations

    def view(self, tensor: int, shape: Sequence[int], offset: Sequence[int]) -> int:
        box = (*(slice(o, o + s) for s, o in zip(shape, offset, strict=True)), ...)  # never a scalar
        self.words += [VIEW, tensor, *shape, *offset]
        return self._add(self.tensors[tensor].derive(lambda array: array[box]))

    def reshape(self, tensor: int, shape: Sequence[int]) -> int:
        self.words += [RESHAPE, tensor, len(shape), *shape]
        result = self.tensors[tensor].derive(lambda array: array.reshape(tuple(shape)))
        assert np.may_share_memory(result.data, self.tensors[tensor].data)
        return self._add(result)

    def transpose(self, tensor: int, first: int, second: int) -> int:
        self.words += [TRANSPOSE, tensor, first, second]
        return self._add(self.tensors[tensor].derive(lambda array: array.swapaxes(first, second)))

    def manual_dep(self, tensor: int) -> int:
        self.words += [MANUAL_DEP, tensor]
        return self._add(self.tensors[tensor].derive(lambda array: array, manual=True))

    def begin(self, mode: int = AUTO) -> None:
        self.words += [SCOPE_BEGIN, mode]
        self.scopes.append((self._mode(mode), len(self.tensors), []))

    def end(self) -> None:
        self.words.append(SCOPE_END)
        self._end()
        self.words += [FORGET, len(self.tensors)]

    def _end(self) -> None:
        _, tensors, tasks = self.scopes.pop()
        for task in tasks:
            self.tasks[task].open = False
            self.tasks[task].published = True
        # Views of older tensors that were made in the scope could stay; the interpreter forgets them as well.
        del self.tensors[tensors:]

    def submit(
        self, args: Iterable[Arg], *, cores: int = AIV0, blocks: int = 1, constant: int = 0, after: Iterable[int] = ()
    ) -> int:
        """Submit a task and return its number. New tensors are the last registers then."""
        args = list(args)
        number = len(self.tasks)
        ring = min(len(self.scopes) - 1, RING_COUNT - 1)
        auto = self.scopes[-1][0] == AUTO
        task = Task([], set(), set(), ring, published=auto)
        words = [SUBMIT, cores, blocks, constant, len(args)]
        made: list[Tensor] = []
        operands: list[tuple[Tensor, int]] = []
        for arg in args:
            if isinstance(arg.tensor, New):
                tensor = self._make(arg, number, words)
                made.append(tensor)
                task.heap_bytes += -(-tensor.data.nbytes // 1024) * 1024
                task.uses.append(Use(tensor.buffer, tensor.elements, True, False))
            else:
                tensor = self.tensors[arg.tensor]
                words += [arg.role, arg.access, arg.tensor]
                tracked = self.tracks and arg.role != NO_DEP and not tensor.manual
                task.tracked += self.tracks and arg.role != NO_DEP
                task.uses.append(Use(tensor.buffer, tensor.elements, arg.access != READS, tracked))
                if tensor.owner is not None:
                    task.owners.add(tensor.owner)
            operands.append((tensor, arg.access))
        explicit = set(after)
        inferred, missing = self._conflicts(task, auto)
        if self.name_edges:
            explicit |= missing
        words += [len(explicit), *sorted(explicit)]
        task.record_bytes = -(-((1 + len(args)) * 136 + 8) // 64) * 64
        task.before = inferred | explicit | task.owners
        self._note_room(task, len(task.before | self._near(task, auto)))
        self.words += words
        self.tasks.append(task)
        for before in task.before:
            self.tasks[before].consumers.append(number)
        self._in_ring[ring].append(number)
        self._edges[ring] += len(task.before | self._near(task, auto))
        task.edges_end = self._edges[ring]
        self.scopes[-1][2].append(number)
        self._compute(operands, constant)
        self.tensors += made
        return number

    def dependency(self, producer: int, consumer: int) -> None:
        self.words += [DEPENDENCY, producer, consumer]
        task = self.tasks[consumer]
        kept = self._kept(task.ring)
        if self._edges_taken(task.ring, kept) + 1 > self.rings.dep_pool:
            self.possible.add(4)
        self._edges[task.ring] += 1
        task.before.add(producer)
        self.tasks[producer].consumers.append(consumer)

    def read(self, tensor: int, indices: Sequence[int]) -> None:
        self.words += [READ, tensor, *indices]
        value = int(self.tensors[tensor].data[tuple(indices)])
        self.log.append(value)
        self.accumulator = wrapped(self.accumulator * 31 + value)

    def write(self, tensor: int, indices: Sequence[int], value: int) -> None:
        self.words += [WRITE, tensor, *indices, value]
        self.tensors[tensor].data[tuple(indices)] = value

    # --- what a generator wants to know

    def may_access(self, tensor: int, indices: Sequence[int], writes: bool) -> bool:
        """True if reading or writing the element now neither races nor waits for a task that is not published."""
        view = self.tensors[tensor]
        element = 1 << int(view.numbers[tuple(indices)])
        users = {view.owner} if view.owner is not None else set()
        for number, task in enumerate(self.tasks):
            for use in task.uses:
                if use.buffer == view.buffer and use.elements & element and (writes or use.writes):
                    if not use.tracked and number != view.owner:
                        return False
                    users.add(number)
        if not self.tracks:
            return not users
        can = self._can_complete()
        return not view.manual and all(can[user] for user in users)

    # --- the model

    def _mode(self, mode: int) -> int:
        return mode if self.tracks else MANUAL

    def _add(self, tensor: Tensor) -> int:
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def _make(self, arg: Arg, task: int, words: list[int]) -> Tensor:
        new = arg.tensor
        assert isinstance(new, New)
        role = NEW if new.initial is None else NEW_WITH_INITIAL
        assert arg.access == (WRITES if new.initial is None else READS_AND_WRITES)
        words += [role, arg.access, DTYPES[new.dtype], len(new.shape), *new.shape]
        if new.initial is not None:
            words.append(new.initial)
        data = np.full(new.shape, new.initial or 0, new.dtype)
        tensor = Tensor(self.buffers, data, np.arange(data.size).reshape(new.shape), task, len(self.scopes))
        self.buffers += 1
        return tensor

    def _conflicts(self, task: Task, auto: bool) -> tuple[set[int], set[int]]:
        """Earlier tasks that must come before: those that the runtime finds, and those that it doesn't."""
        inferred: set[int] = set()
        missing: set[int] = set()
        for number, other in enumerate(self.tasks):
            for use in task.uses:
                for theirs in other.uses:
                    if use.buffer != theirs.buffer or not (use.writes or theirs.writes):
                        continue
                    if not use.elements & theirs.elements or number in task.owners:
                        continue
                    found = auto and use.tracked and theirs.tracked
                    (inferred if found else missing).add(number)
        return inferred, missing - inferred

    def _near(self, task: Task, auto: bool) -> set[int]:
        """Tasks it may wait for without need, because the runtime does not look at elements one by one."""
        if not auto or not self.tracks:
            return set()
        buffers = {use.buffer for use in task.uses if use.tracked}
        return {n for n, other in enumerate(self.tasks) if any(use.buffer in buffers for use in other.uses)}

    def _compute(self, operands: list[tuple[Tensor, int]], constant: int) -> None:
        inputs = [tensor.data.astype(np.int64).ravel() for tensor, access in operands if access == READS]
        outputs = [(tensor.data, access) for tensor, access in operands if access != READS]
        for j, (out, access) in enumerate(outputs):
            value = np.full(out.size, wrapped(constant + j + self.accumulator), np.int64)
            if access == READS_AND_WRITES:
                value += 3 * out.astype(np.int64).ravel()
            for i, source in enumerate(inputs):
                if source.size:
                    value += (i + 2) * np.resize(source, out.size)
            out[...] = value.astype(out.dtype).reshape(out.shape)

    # --- room

    def _can_complete(self) -> list[bool]:
        result: list[bool] = []
        for task in self.tasks:
            result.append(task.published and all(before < len(result) and result[before] for before in task.before))
        return result

    def _kept(self, ring: int) -> list[int]:
        """Tasks of the ring that may stay whatever completes: all from the oldest one that is still held."""
        can = self._can_complete()
        for position, number in enumerate(self._in_ring[ring]):
            task = self.tasks[number]
            if task.open or not can[number] or not all(can[consumer] for consumer in task.consumers):
                return self._in_ring[ring][position:]
        return []

    def _kept_by_scopes(self, ring: int) -> list[int]:
        """Tasks of the ring that certainly stay."""
        for position, number in enumerate(self._in_ring[ring]):
            if self.tasks[number].open:
                return self._in_ring[ring][position:]
        return []

    def _edges_taken(self, ring: int, kept: list[int]) -> int:
        if not kept:
            return 0
        position = self._in_ring[ring].index(kept[0])
        retired = self._in_ring[ring][position - 1] if position else None
        return self._edges[ring] - (0 if retired is None else self.tasks[retired].edges_end)

    def _note_room(self, task: Task, edges: int) -> None:
        rings = self.rings
        heap_bytes = -(-rings.heap_bytes // 1024) * 1024  # as tensors are rounded up
        kept = self._kept(task.ring)
        tasks = [self.tasks[number] for number in kept]
        if len(kept) >= rings.window:
            self.possible |= {1, 3}

        def too_much(size: int, sizes: list[int], need: int) -> bool:
            """Room that is too small before the end of the ring is left free there."""
            return need > 0 and sum(sizes) + need + (max([*sizes, need]) if sizes else 0) > size

        if too_much(heap_bytes, [t.heap_bytes for t in tasks], task.heap_bytes):
            self.possible.add(2)
        record_bytes = max(rings.window * 1024, 16384)
        if too_much(record_bytes, [t.record_bytes for t in tasks], task.record_bytes):
            self.possible |= {1, 3}
        if self._edges_taken(task.ring, kept) + edges > rings.dep_pool:
            self.possible.add(4)
        uses = sum(self.tasks[number].tracked for ring in range(RING_COUNT) for number in self._kept(ring))
        if self.tracks and uses + task.tracked > rings.window * 4 * RING_COUNT:
            self.possible.add(11)

        certain = self._kept_by_scopes(task.ring)
        heap = sum(self.tasks[number].heap_bytes for number in certain)
        if len(certain) >= rings.window or (task.heap_bytes and heap + task.heap_bytes > heap_bytes):
            self.certain = True

    def close(self) -> Program:
        """End the scopes that are open but the first."""
        while len(self.scopes) > 1:
            self.end()
        return self


def wrapped(value: int) -> int:
    """A number modulo 2^64, as an int64."""
    return (value + 2**63) % 2**64 - 2**63


def run_program(worker: ch.ChipWorker, program: Program, **config: int) -> ch.RunResult:
    """Run a program and check its results; a ChiphostError leaves the arguments as they were."""
    assert worker.platform is not None
    before = arguments()
    arrays = arguments()
    log = np.zeros(LOG_LENGTH, np.int64)
    words = np.array(program.words, np.int32)
    try:
        result = worker.run(
            device_interpreter(worker.platform), [words, *arrays, log], **{**program.rings.config, **config}
        )
    except ch.ChiphostError:
        for array, old in zip(arrays, before, strict=True):
            np.testing.assert_array_equal(array, old)
        assert not log.any()
        raise
    for name, array, wanted in zip("xyz", arrays, program.results, strict=True):
        np.testing.assert_array_equal(array, wanted, err_msg=name)
    assert log[: len(program.log)].tolist() == program.log
    assert result.task_count == len(program.tasks)
    return result


def good_program(runtime: str) -> Program:
    """A small program that uses a bit of everything; to see that a worker still works."""
    program = Program(runtime)
    made = len(program.tensors)
    program.submit([from_(0), Arg(NEW, New((6, 8)), WRITES)], constant=3)
    program.submit([from_(made), update(0)], cores=AIC, blocks=5)
    row = program.view(0, (1, 8), (2, 0))
    program.begin(MANUAL)
    first = program.submit([from_(row), into(2)], cores=AIC | AIV0 | AIV1, blocks=3)
    second = len(program.tasks)
    program.submit([from_(2), update(1)], cores=AIV1)
    program.dependency(first, second)
    program.end()
    return program.close()
