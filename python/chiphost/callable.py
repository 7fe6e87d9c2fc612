# SPDX-License-Identifier: Apache-2.0
"""The things that a worker runs: an orchestration, its kernels and a signature."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Literal

from . import _core
from ._text.printable import one_line
from ._text.suggestion import did_you_mean
from .binary import Binary
from .errors import make_error
from .signature import Arg

CoreType = Literal["aic", "aiv"]

CORE_TYPES: Final[tuple[CoreType, ...]] = ("aic", "aiv")  # each at the place of its ch_core_type
DEFAULT_ENTRY: Final = "build_graph"  # name of an orchestration's function, if none is given

_DTYPES: Final[dict[str, int]] = _core.dtype_table()
_LENGTH_MAX: Final = 2**32 - 1
_SCALAR_DTYPES: Final = frozenset(_DTYPES) - {"float16", "bfloat16", "float8_e4m3fn", "float8_e5m2"}


class ChipCallable:
    """One orchestration with the kernels it may submit. Immutable: any number of workers may run it at once.

    Args:
        orchestration: the compiled orchestration.
        kernels: (func_id, "aic" or "aiv", compiled kernel); func_ids are 0..1023 and unique.
        entry: name of the orchestration's function.
        signature: what a run must be given; None accepts any arrays and numbers.
        name: for messages.

    Attributes:
        key: digest in hex of everything above; workers load callables of equal key once.
        platform: what all parts were compiled for; None if no part says so. Other workers refuse it.
    """

    def __init__(
        self,
        orchestration: Binary,
        kernels: Sequence[tuple[int, CoreType, Binary]],
        entry: str = DEFAULT_ENTRY,
        signature: Sequence[Arg] | None = None,
        name: str = "",
    ) -> None:
        """Check and keep the parts; raises ArgumentError and GraphError."""
        self.name = name or orchestration.name
        self.entry = _checked_entry(entry, self.name)
        self.signature = None if signature is None else _args(signature, self.name)
        self.kernels = tuple(kernels)
        self.orchestration = orchestration
        self.platform = self._common_platform()
        self.key = self._digest()
        self._core = _core.Callable(
            _raw(orchestration),
            entry,
            [(func_id, CORE_TYPES.index(core), _raw(binary)) for func_id, core, binary in self._checked_kernels()],
            self.key,
            None if self.signature is None else [_raw_arg(arg) for arg in self._checked_signature(self.signature)],
        )

    def __repr__(self) -> str:
        """Name, entry and kernels."""
        return f"ChipCallable({self.name!r}, entry={self.entry!r}, kernels={[k[0] for k in self.kernels]})"

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle by the parts."""
        return (_rebuild, (self.orchestration, self.kernels, self.entry, self.signature, self.name))

    def _digest(self) -> str:
        parts = [self.entry, str(self.platform), self.orchestration.key]
        parts += [f"{func_id}:{core}:{binary.key}" for func_id, core, binary in self.kernels]
        return hashlib.sha256("\n".join([*parts, repr(self.signature)]).encode()).hexdigest()

    def _common_platform(self) -> str | None:
        binaries = [self.orchestration, *(binary for _, _, binary in self.kernels)]
        first = next((binary for binary in binaries if binary.platform is not None), self.orchestration)
        for other in binaries:
            if other.platform not in (None, first.platform):
                message = f"{first.name} is compiled for {first.platform}, {other.name} for {other.platform}"
                raise make_error(
                    "INVALID_ARGUMENT", message, f"callable {self.name}", hint="compile all for one platform"
                )
        return first.platform

    def _checked_kernels(self) -> tuple[tuple[int, CoreType, Binary], ...]:
        repeated = {later for _, later in repeated_func_ids(func_id for func_id, _, _ in self.kernels)}
        for index, (func_id, core, binary) in enumerate(self.kernels):
            where = f"kernel {binary.name}"
            if not 0 <= func_id <= _core.MAX_FUNC_ID:
                raise make_error("FUNC_ID_OUT_OF_RANGE", f"wanted 0 to {_core.MAX_FUNC_ID}, found {func_id}", where)
            if index in repeated:
                raise make_error("INVALID_ARGUMENT", f"func_id {func_id} is used twice", where)
            if core not in CORE_TYPES:
                raise make_error("CORE_TYPE_INVALID", f"wanted 'aic' or 'aiv', found {core!r}", where)
        return self.kernels

    def _checked_signature(self, signature: tuple[Arg, ...]) -> tuple[Arg, ...]:
        for arg in signature:
            where = f"signature of {self.name}, argument {arg.name}"
            if arg.kind not in ("in", "out", "inout", "scalar"):
                raise make_error("INVALID_ARGUMENT", f"wanted in, out, inout or scalar, found {arg.kind!r}", where)
            known = _SCALAR_DTYPES if arg.kind == "scalar" else _DTYPES.keys()
            if arg.dtype is not None and arg.dtype not in known:
                names = ", ".join(sorted(known))
                message = f"wanted one of {names}; found {arg.dtype!r}"
                hint, guess = "name one of these in the signature", did_you_mean(arg.dtype, known)
                raise make_error("ARGUMENT_DTYPE", message, where, hint=hint, guess=guess)
            if any(length is not None and length < 0 for length in arg.shape or ()):
                message = f"lengths are 0 or more, or None; found {arg.shape}"
                raise make_error("ARGUMENT_SHAPE", message, where, hint="None stands for any length")
            if any(length is not None and length > _LENGTH_MAX for length in arg.shape or ()):
                message = f"lengths are at most {_LENGTH_MAX}; found {arg.shape}"
                raise make_error("ARGUMENT_SHAPE", message, where, hint="no array can have that shape in a run")
            if len(arg.shape or ()) > _core.MAX_DIMS:
                message = f"wanted at most {_core.MAX_DIMS} dimensions; found {arg.shape}"
                raise make_error("ARGUMENT_SHAPE", message, where, hint="join dimensions with array.reshape(...)")
        return signature


def repeated_func_ids(func_ids: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Kernels whose func_id an earlier one has: the index of the earlier one, and of this one."""
    first: dict[int, int] = {}
    for index, func_id in enumerate(func_ids):
        if first.setdefault(func_id, index) != index:
            yield first[func_id], index


def _rebuild(
    orchestration: Binary,
    kernels: Sequence[tuple[int, CoreType, Binary]],
    entry: str,
    signature: Sequence[Arg] | None,
    name: str,
) -> ChipCallable:
    return ChipCallable(orchestration, kernels, entry=entry, signature=signature, name=name)


def _checked_entry(entry: object, name: str) -> str:
    if not isinstance(entry, str) or not entry or not entry.isprintable():
        message = f"wanted the name of a function, found {entry!r}"
        raise make_error("INVALID_ARGUMENT", message, f"entry of {name}", hint="for example entry='build_graph'")
    return entry


def _args(signature: object, name: str) -> tuple[Arg, ...]:
    args = tuple(signature) if isinstance(signature, Iterable) else (signature,)
    for arg in args:
        if not isinstance(arg, Arg):
            message = f"wanted one of In, Out, InOut and Scalar for each argument; found {arg!r}"
            raise make_error(
                "INVALID_ARGUMENT", message, f"signature of {name}", hint="for example [In('x', 'float32')]"
            )
    return args


def _raw(binary: Binary) -> tuple[bytes, str, str]:
    # A name may come from a file whose name is no UTF-8. C++ writes it to lines on a terminal.
    return (binary.data, binary.key, one_line(binary.name))


def _raw_arg(arg: Arg) -> tuple[str, str, int, list[int] | None]:
    dtype = -1 if arg.dtype is None else _DTYPES[arg.dtype]
    shape = None if arg.shape is None else [-1 if length is None else length for length in arg.shape]
    return (one_line(arg.name), arg.kind, dtype, shape)
