"""Python 2's pickles of dictionaries, lists, texts, numbers and numpy arrays, and nothing else.

A pickle is a program. This runs those that the Million Song Dataset's splits come in, and no other:
Python's own unpickler with

- a table of opcodes that make plain values (no instances, persistent ids or extension codes);
- the names that numpy's arrays need, each standing for code of ours that checks what it is given: no
  function of numpy's or of anybody's is called with what a stranger wrote;
- a memo that is a dictionary, and reads that end with the file, so that no length or index in it
  makes us reserve memory (the C unpickler grows its memo to any index it is told);
- keys that are texts or numbers (hashing tuples of tuples can take for ever);
- no more memory than data of its size could need.

Texts are read as latin-1, as NumPy asks of Python 2's.
"""

from __future__ import annotations

import io
import math
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tagkit import strangers
from tagkit.errors import DataError

MOST_BYTES = 1 << 30
# Python keeps a short text in ten times its bytes.
_TIMES, _ROOM = 32, 256 << 20

_OPCODES = (
    "mark pop pop_mark dup stop proto frame none true false int binint binint1 binint2 long long1 long4 "
    "float binfloat string binstring short_binstring unicode binunicode short_binunicode binunicode8 "
    "binbytes short_binbytes binbytes8 empty_list list append appends empty_tuple tuple tuple1 tuple2 "
    "tuple3 empty_dictionary dict setitem setitems get binget long_binget put binput long_binput memoize "
    "global stack_global reduce build"
).split()
#: What a dtype may be: numbers, texts, and objects (which are texts again).
_DTYPE = re.compile(r"[<>|=]?(?:b1|[iu][1248]|f[248]|[SU][1-9]\d{0,5}|O8?)")


class _Refused(Exception):  # noqa: N818 (an answer to the file, turned into DataError here)
    """Something that data has no need of."""


class _DType:
    """``numpy.dtype(code)``, and its byte order set after that."""

    def __init__(self, code: object, _align: object = False, _copy: object = True) -> None:
        if not isinstance(code, str) or not _DTYPE.fullmatch(code):
            raise _Refused("a dtype that is none of numbers or texts")
        self.dtype = np.dtype(code)

    def build(self, state: object) -> None:
        if not isinstance(state, tuple) or len(state) < 2 or state[1] not in ("<", ">", "|", "="):
            raise _Refused("the state of a dtype that is none")
        self.dtype = self.dtype.newbyteorder(state[1])


class _Array:
    """``numpy.core.multiarray._reconstruct(numpy.ndarray, (0,), "b")``, and its contents after that."""

    def __init__(self, kind: object, _shape: object, _code: object) -> None:
        if kind is not _NDARRAY:
            raise _Refused("an array of another class")
        self.array: NDArray[Any] = np.empty(0)

    def build(self, state: object) -> None:
        if not isinstance(state, tuple) or len(state) != 5:
            raise _Refused("the state of an array that is none")
        _, shape, kind, fortran, data = state
        if not isinstance(kind, _DType) or not isinstance(shape, tuple) or len(shape) > 8:
            raise _Refused("the state of an array that is none")
        if not all(isinstance(size, int) and 0 <= size < 1 << 40 for size in shape):
            raise _Refused("the shape of an array that is none")
        flat = _texts(data) if kind.dtype.hasobject else np.frombuffer(_raw(data), kind.dtype)
        if flat.size != math.prod(shape):
            raise _Refused("an array whose contents do not fill it")
        self.array = flat.reshape(shape, order="F" if fortran else "C")


def _texts(data: object) -> NDArray[Any]:
    if not isinstance(data, list) or not all(isinstance(item, str | bytes) for item in data):
        raise _Refused("an array of objects that are no texts")
    return np.array([i.decode("latin-1") if isinstance(i, bytes) else i for i in data], dtype=str)


def _raw(data: object) -> bytes:
    if isinstance(data, str):
        return data.encode("latin-1")
    if isinstance(data, bytes):
        return data
    raise _Refused("an array without bytes")


def _scalar(kind: object, data: object) -> object:
    if not isinstance(kind, _DType) or kind.dtype.hasobject:
        raise _Refused("a number that is none")
    value: object = np.frombuffer(_raw(data), kind.dtype)[0].item()
    return value


def _encode(text: object, encoding: object = "latin1") -> bytes:
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise _Refused("a text in another encoding")
    return text.encode("latin-1")


_NDARRAY = object()
_NAMES: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _NDARRAY,
    ("numpy", "dtype"): _DType,
    ("_codecs", "encode"): _encode,
    **{
        (f"numpy.{core}.multiarray", name): function
        for core in ("core", "_core")
        for name, function in (("_reconstruct", _Array), ("scalar", _scalar))
    },
}
_CALLABLE = (_DType, _Array, _scalar, _encode)


class _Unpickler(pickle._Unpickler):
    """The one written in Python: its opcodes are a table, its memo a dictionary."""

    dispatch = {  # noqa: RUF012 (the base's own name and form)
        code: handler
        for code, handler in pickle._Unpickler.dispatch.items()
        if handler.__name__.removeprefix("load_") in _OPCODES
    }
    stack: list[Any]
    pop_mark: Callable[[], list[Any]]

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _NAMES[module, name]
        except KeyError:
            raise _Refused(f"{module}.{name}"[:200]) from None

    def _reduce(self) -> None:
        arguments = self.stack.pop()
        function = self.stack[-1]
        if not any(function is known for known in _CALLABLE) or not isinstance(arguments, tuple):
            raise _Refused("a call of what is no function")
        self.stack[-1] = function(*arguments)

    def _build(self) -> None:
        state = self.stack.pop()
        if not isinstance(self.stack[-1], _DType | _Array):
            raise _Refused("the state of what has none")
        self.stack[-1].build(state)

    def _set_items(self) -> None:
        self._put(self.pop_mark())

    def _set_item(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._put([key, value])

    def _dict(self) -> None:
        items = self.pop_mark()
        self.stack.append({})
        self._put(items)

    def _put(self, items: list[Any]) -> None:
        if not isinstance(self.stack[-1], dict) or len(items) % 2:
            raise _Refused("items of what is no dictionary")
        for key, value in zip(items[::2], items[1::2], strict=True):
            if not isinstance(key, str | bytes | int | float):
                raise _Refused(f"a {type(key).__name__} as a key")
            # Python hashes texts with a secret, and numbers without one: large ones can be made alike.
            if isinstance(key, int) and abs(key) >= 1 << 63:
                raise _Refused("a key of more than 64 bits")
            self.stack[-1][key] = value


_OURS: dict[bytes, Any] = {
    pickle.REDUCE: _Unpickler._reduce,
    pickle.BUILD: _Unpickler._build,
    pickle.SETITEM: _Unpickler._set_item,
    pickle.SETITEMS: _Unpickler._set_items,
    pickle.DICT: _Unpickler._dict,
}
_Unpickler.dispatch.update({code[0]: handler for code, handler in _OURS.items()})


def load(path: Path) -> Any:
    """Return what a pickle holds. Raises DataError for a file that is damaged or does anything else."""
    return _loads(_content(path), path)


def load_array(path: Path) -> NDArray[Any]:
    """Return the array of a ``.npy``; one of texts may be stored as objects. Raises DataError."""
    data = io.BytesIO(_content(path))
    try:
        version = np.lib.format.read_magic(data)
        header = {(1, 0): np.lib.format.read_array_header_1_0}.get(
            version, np.lib.format.read_array_header_2_0
        )
        _, _, kind = header(data)
        if not kind.hasobject:
            data.seek(0)
            with strangers.bounded_memory(_TIMES * len(data.getbuffer()) + _ROOM):
                array: NDArray[Any] = np.load(data, allow_pickle=False)
            if array.size and not array.dtype.itemsize:
                raise ValueError(f"it has {array.size:,} items without a byte")
            return array
    except (ValueError, EOFError, MemoryError) as error:
        raise DataError(f"cannot be read as an array: {error}", path=path) from error
    found = _loads(data.read(), path)
    if not isinstance(found, np.ndarray):
        raise DataError("holds no array", path=path)
    return found


def _content(path: Path) -> bytes:
    try:
        return strangers.content(path, MOST_BYTES)
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror or error}", path=path) from error


def _loads(data: bytes, path: Path) -> Any:
    try:
        # Plain values too can be made a million times of one text, or be padded to the longest.
        with strangers.bounded_memory(_TIMES * len(data) + _ROOM):
            return _plain(_Unpickler(io.BytesIO(data), encoding="latin1").load(), {})
    except _Refused as error:
        raise DataError(
            f"is a pickle with more than data in it: {error}",
            path=path,
            hint="nothing of it was run; get the file from its publisher",
        ) from error
    except Exception as error:  # a damaged or hostile program may fail in any way
        raise DataError(
            f"is no pickle that can be read: {type(error).__name__}", path=path
        ) from error


def _plain(value: Any, seen: dict[int, Any]) -> Any:
    """Return ``value`` with arrays for the stand-ins; what is shared is looked at once."""
    if isinstance(value, _Array):
        return value.array
    if not isinstance(value, dict | list | tuple):
        return value
    if id(value) not in seen:
        if isinstance(value, tuple):
            seen[id(value)] = tuple(_plain(item, seen) for item in value)
        else:
            seen[id(value)] = value
            pairs = list(value.items() if isinstance(value, dict) else enumerate(value))
            for key, item in pairs:
                value[key] = _plain(item, seen)
    return seen[id(value)]
