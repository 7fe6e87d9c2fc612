# SPDX-License-Identifier: Apache-2.0
"""Random programs for device_graph_interpreter.cpp, without races; see device_programs."""

from __future__ import annotations

import random

import numpy as np
from device_programs import (
    AIC,
    AIV0,
    AIV1,
    AUTO,
    IN,
    INOUT,
    LOG_LENGTH,
    MANUAL,
    NEW,
    NO_DEP,
    OUT,
    READS,
    READS_AND_WRITES,
    WRITES,
    Arg,
    New,
    Program,
    Rings,
)


def random_rings(rng: random.Random) -> Rings:
    return Rings(
        window=rng.choice([16384, 4, 8, 16]),
        heap_bytes=rng.choice([256 << 20, 1024, 2048, 5000, 8192]),
        dep_pool=rng.choice([65536, 4, 8, 32]),
    )


def random_program(rng: random.Random, runtime: str, rings: Rings, steps: int) -> Program:
    """A program without races. With small rings it ends scopes often."""
    program = Program(runtime, rings)
    small = rings != Rings()
    log_room = LOG_LENGTH
    for _ in range(steps):
        kind = rng.choice(["submit"] * 9 + ["view"] * 4 + ["scope"] * 3 + ["element"] * 2 + ["edge"])
        if kind == "scope":
            ends = len(program.scopes) > 1 and rng.random() < (0.7 if small else 0.5)
            if ends:
                program.end()
            elif len(program.scopes) < 7:
                manual = program.scopes[-1][0] == MANUAL or rng.random() < 0.3
                program.begin(MANUAL if manual else AUTO)
        elif kind == "view":
            random_view(rng, program)
        elif kind == "submit":
            random_submit(rng, program)
        elif kind == "edge":
            random_edge(rng, program)
        else:
            tensor = rng.randrange(len(program.tensors))
            data = program.tensors[tensor].data
            if data.size == 0 or log_room == len(program.log):
                continue
            indices = [rng.randrange(length) for length in data.shape]
            writes = rng.random() < 0.4
            if not program.may_access(tensor, indices, writes):
                continue
            if writes:
                program.write(tensor, indices, rng.randrange(-1000, 1000))
            else:
                program.read(tensor, indices)
    return program.close()


def random_view(rng: random.Random, program: Program) -> None:
    tensor = rng.randrange(len(program.tensors))
    data = program.tensors[tensor].data
    kind = rng.choice(["box", "box", "box", "reshape", "transpose", "manual"])
    if kind == "box":
        shape, offset = [], []
        for length in data.shape:
            whole = rng.random() < 0.4 or length == 0
            start = 0 if whole else rng.randrange(length)
            least = 0 if rng.random() < 0.03 else 1
            shape.append(length if whole else rng.randrange(least, length - start + 1))
            offset.append(start)
        program.view(tensor, shape, offset)
    elif kind == "reshape" and data.flags.c_contiguous and data.size:
        program.reshape(tensor, random_shape(rng, data.size))
    elif kind == "transpose" and data.ndim:
        program.transpose(tensor, rng.randrange(data.ndim), rng.randrange(data.ndim))
    elif kind == "manual" and rng.random() < 0.5:
        program.manual_dep(tensor)


def random_shape(rng: random.Random, size: int) -> list[int]:
    """Up to five lengths with this product."""
    shape = []
    for _ in range(rng.randrange(0, 5)):
        length = rng.choice([d for d in range(1, size + 1) if size % d == 0])
        shape.append(length)
        size //= length
    return [*shape, size] if size > 1 or not shape else shape


def random_submit(rng: random.Random, program: Program) -> None:
    args: list[Arg] = []
    read: dict[int, int] = {}  # elements by buffer
    written: dict[int, int] = {}
    for _ in range(rng.choice([1, 1, 2, 2, 3, 4, 6])):
        kind = rng.choice(["in", "in", "inout", "out", "new", "initial", "no_dep"])
        if kind in ("new", "initial"):
            shape = tuple(rng.choice([1, 2, 3, 5]) for _ in range(rng.choice([0, 1, 1, 2, 2, 3])))
            if rng.random() < 0.1:
                shape = (rng.choice([0, 130, 200]),)
            dtype = np.dtype(rng.choice(["int32", "int64"]))
            if kind == "new":
                args.append(Arg(NEW, New(shape, dtype), WRITES))
            else:
                args.append(Arg(NEW, New(shape, dtype, rng.randrange(-100, 100)), READS_AND_WRITES))
            continue
        number = rng.randrange(len(program.tensors))
        tensor = program.tensors[number]
        access = {"in": READS, "inout": READS_AND_WRITES, "out": WRITES}.get(kind, rng.choice([0, 1, 2]))
        meets_written = tensor.elements & written.get(tensor.buffer, 0)
        if meets_written or (access != READS and tensor.elements & read.get(tensor.buffer, 0)):
            continue  # the cores of a task would race
        mine = read if access == READS else written
        mine[tensor.buffer] = mine.get(tensor.buffer, 0) | tensor.elements
        args.append(Arg({"in": IN, "inout": INOUT, "out": OUT}.get(kind, NO_DEP), number, access))
    cores = rng.choice([AIC, AIV0, AIV0, AIV1, AIC | AIV0, AIC | AIV1, AIV0 | AIV1, AIC | AIV0 | AIV1])
    program.submit(args, cores=cores, blocks=rng.choice([1, 1, 1, 2, 3, 7, 50]), constant=rng.randrange(-50, 50))


def random_edge(rng: random.Random, program: Program) -> None:
    """An edge that is not needed."""
    consumers = [number for number, task in enumerate(program.tasks) if not task.published]
    if consumers:
        consumer = rng.choice(consumers)
        if consumer > 0:
            program.dependency(rng.randrange(consumer), consumer)
