# SPDX-License-Identifier: Apache-2.0
"""Values that no call can take: each is refused in chiphost's own words, before anything runs."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from callables import FOLDER, RUNTIME, copy_tensor, show_scalars

import chiphost as ch

BINARY = ch.Binary(b"not checked before it is loaded", "key", "name")
SOURCE = FOLDER / "show_scalars.cpp"


@pytest.fixture
def worker():
    with ch.ChipWorker(RUNTIME) as made:
        yield made


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ch.ChipWorker(5), "runtime: wanted the name of a runtime, or a RuntimeFiles; found int"),
        (
            lambda: ch.ChipWorker(RUNTIME, isolation=[]),
            r"isolation: wanted one of namespace, copy, process, auto; found \[\]",
        ),
        (lambda: ch.ChipWorker(RUNTIME, []), r"platform: wanted one of a2a3sim, a5sim, a2a3, a5; found \[\]"),
        (lambda: ch.ChipCallable(BINARY, [], signature=["x"]), "signature of name: wanted one of In, Out, .*'x'"),
        (lambda: ch.ChipCallable(BINARY, [], signature=5), "signature of name: wanted one of In, Out, .*found 5"),
        (lambda: ch.ChipCallable(BINARY, [], entry="build\0x"), "entry of name: wanted the name of a function"),
        (lambda: ch.ChipCallable(BINARY, [], entry=""), "entry of name: wanted the name of a function"),
        (lambda: ch.compile(SOURCE, [], flags=["a\0b"]), "no word of a command can have a NUL in it"),
        (lambda: ch.compile(SOURCE, [], include_dirs=["a\0b"]), "no word of a command can have a NUL in it"),
        (lambda: ch.compile(SOURCE, [], defines=["a\0b"]), "no word of a command can have a NUL in it"),
        (lambda: ch.compile("a\0b", []), "there is no source file"),
    ],
)
def test_is_refused_in_words(make: Callable[[], Any], message: str) -> None:
    with pytest.raises((ch.ChiphostError, TypeError), match=message):
        make()


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((2**70,), "lengths are at most 4294967295"),
        ((2**32,), "at most 4294967295"),
        ((None,) * 6, "most 5 dimensions"),
    ],
)
def test_a_signature_that_no_array_can_meet_is_refused(shape: tuple[int | None, ...], message: str) -> None:
    with pytest.raises(ch.ArgumentError, match=message) as caught:
        ch.ChipCallable(BINARY, [], signature=[ch.In("a", "float32", shape)])
    assert caught.value.name == "ARGUMENT_SHAPE"


@pytest.mark.parametrize(
    "field", ["block_dim", "aicpu_thread_num", "orch_thread_num", "sim_threads", "seed", "timeout_s"]
)
@pytest.mark.parametrize("value", [None, True, np.bool_(True)], ids=repr)
def test_none_and_bools_are_no_numbers(worker: ch.ChipWorker, field: str, value: Any) -> None:
    if value is None and field in ("block_dim", "aicpu_thread_num"):
        return  # the chip's own value
    config = ch.CallConfig()
    for use in (
        lambda: ch.CallConfig(**{field: value}),
        lambda: setattr(config, field, value),
        lambda: worker.run(show_scalars(), [np.zeros(1, np.uint64), 1], **{field: value}),
    ):
        with pytest.raises(ch.ArgumentError, match=f"{field}: wanted an? .*number|{field}: wanted an integer"):
            use()


def test_bounds_that_are_no_chips_are_not_named() -> None:
    with pytest.raises(ch.ConfigError, match=r"block_dim: wanted 0 or more, .*; found -1"):
        ch.CallConfig(block_dim=-1)
    with pytest.raises(ch.ConfigError, match=f"block_dim: wanted 0 or more, .*; found {2**40}"):
        ch.CallConfig(block_dim=2**40)


def test_a_source_may_have_any_name(worker: ch.ChipWorker, tmp_path: Path) -> None:
    for name in (b"k\xff.cpp", b"two\nlines.cpp", b"a b'\".cpp"):
        source = Path(os.fsdecode(bytes(tmp_path) + b"/" + name))
        source.write_bytes(SOURCE.read_bytes())
        words = np.zeros(1, np.uint64)
        worker.run(ch.compile(source, []), [words, 7])
        assert words.tolist() == [7]


@pytest.mark.parametrize(
    "dtype",
    ["M8[s]", "m8[ms]", ml_dtypes.float8_e4m3fnuz, ml_dtypes.int4, np.complex64, np.dtype(">f4")],
    ids=lambda dtype: str(np.dtype(dtype)),
)
def test_an_unsupported_dtype_is_named(worker: ch.ChipWorker, dtype: Any) -> None:
    array = np.zeros(4, dtype)
    name = "'.?f'" if array.dtype == np.dtype(">f4") else "'Zf'" if dtype is np.complex64 else array.dtype.name
    with pytest.raises(ch.ArgumentError, match=str(name).replace("[", r"\[")) as caught:
        worker.run(copy_tensor(), [array, np.zeros(4)])
    assert caught.value.name == "ARGUMENT_DTYPE"
    assert "supported are" in caught.value.message


class Exporter:
    """An object of another library, which exports by DLPack only."""

    def __init__(self, device: object, problem: Exception) -> None:
        self._device = device
        self._problem = problem
        self.asked = False

    def __dlpack_device__(self) -> object:
        if isinstance(self._device, Exception):
            raise self._device
        return self._device

    def __dlpack__(self, **options: object) -> object:
        self.asked = True
        raise self._problem


def test_what_an_exporter_raises_is_the_cause(worker: ch.ChipWorker) -> None:
    problem = RuntimeError("this tensor requires grad")
    with pytest.raises(
        ch.ArgumentError, match=r"its __dlpack__ raised RuntimeError: this tensor requires grad"
    ) as caught:
        worker.run(copy_tensor(), [Exporter((1, 0), problem), np.zeros(4)])
    assert caught.value.__cause__ is problem
    assert caught.value.name == "INVALID_ARGUMENT"
    problem = RuntimeError("no device")
    with pytest.raises(ch.ArgumentError, match=r"its __dlpack_device__ raised RuntimeError: no device") as caught:
        worker.run(copy_tensor(), [Exporter(problem, problem), np.zeros(4)])
    assert caught.value.__cause__ is problem


def test_an_array_of_another_device_is_not_asked_for_its_memory(worker: ch.ChipWorker) -> None:
    array = Exporter((2, 0), BufferError("cannot be exported without a stream"))
    with pytest.raises(ch.ArgumentError, match="wanted an array in host memory; copy it to the CPU first"):
        worker.run(copy_tensor(), [array, np.zeros(4)])
    assert not array.asked
