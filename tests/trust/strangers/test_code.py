"""Code: nothing that a stranger's file says is run, and what reads pickles reads data and no more."""

from __future__ import annotations

import ast
import functools
import os
import pickle
import resource
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tagkit import strangers
from tagkit.data import pickles
from tagkit.errors import DataError, TagkitError
from tagkit.evaluation import arrays, predictions
from tagkit.recipe import load as load_recipe
from tagkit.training.runs import Run
from tagkit.weights import bundle, convert
from tests.trust import bounds, command

PACKAGE = command.ROOT / "tagkit"


class Evil:
    """Pickles as a call that leaves a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.mark),)


# ------------------------------------------------------------------------------- what is never called


@functools.cache
def _nodes() -> list[tuple[str, ast.AST]]:
    return [
        (str(path.relative_to(PACKAGE)), node)
        for path in sorted(PACKAGE.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call | ast.Import | ast.ImportFrom)
    ]


def _calls() -> Iterator[tuple[str, str, ast.Call]]:
    for path, node in _nodes():
        if isinstance(node, ast.Call):
            yield path, ast.unparse(node.func), node


def _says(call: ast.Call, name: str, value: object) -> bool:
    given = {word.arg: word.value for word in call.keywords}
    return isinstance(given.get(name), ast.Constant) and given[name].value == value  # type: ignore[union-attr]


def _is_dangerous(name: str, call: ast.Call) -> bool:
    last = name.rpartition(".")[2]
    if name == "torch.load":
        return not _says(call, "weights_only", True)
    if name in ("np.load", "numpy.load"):
        return not _says(call, "allow_pickle", False)
    if last in ("eval", "exec", "compile", "__import__"):
        return name in ("eval", "exec", "compile", "__import__", "builtins.eval", "builtins.exec")
    if _says(call, "shell", True):
        return True
    if name == "pickle._Unpickler.dispatch.items":  # the table that the restricted one is made from
        return False
    return (
        name.startswith(("pickle.", "cPickle.", "dill.", "joblib.", "marshal.", "shelve.", "yaml."))
        or name in ("os.system", "os.popen", "pty.spawn", "torch.hub.load", "torch.jit.load")
        or last in ("extractall", "extract", "enable_load_extension", "unpack_archive")
    )


def test_nothing_that_could_run_a_strangers_code_is_called_anywhere() -> None:
    found = [(path, name) for path, name, call in _calls() if _is_dangerous(name, call)]
    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        "torch.load(f)",
        "torch.load(f, weights_only=False)",
        "np.load(f)",
        "np.load(f, allow_pickle=True)",
        "pickle.loads(x)",
        "eval(x)",
        "yaml.load(x)",
        "subprocess.run(x, shell=True)",
        "archive.extractall()",
    ],
)
def test_such_a_call_would_be_found(line: str) -> None:
    call = ast.parse(line, mode="eval").body
    assert isinstance(call, ast.Call)
    assert _is_dangerous(ast.unparse(call.func), call)


def test_only_the_restricted_unpickler_knows_pickle() -> None:
    users = {
        path
        for path, node in _nodes()
        if (isinstance(node, ast.Import) and any(a.name == "pickle" for a in node.names))
        or (isinstance(node, ast.ImportFrom) and node.module == "pickle")
    }
    assert users == {"data/pickles.py"}


# ------------------------------------------------------------------------------ pickles in every file


def _numpy(path: Path, mark: Path) -> None:
    np.save(path, np.array([Evil(mark)], dtype=object), allow_pickle=True)


def _numpy_zip(path: Path, mark: Path) -> None:
    np.savez(path, scores=np.array([Evil(mark)], dtype=object))


def _torch(path: Path, mark: Path) -> None:
    torch.save({"weight": Evil(mark)}, path)


def _bare(path: Path, mark: Path) -> None:
    path.write_bytes(pickle.dumps(Evil(mark)))


def _last(path: Path) -> object:
    run = Run(path.parent / "new", load_recipe("fcn"), {})
    run.folder = path.parent
    return run.read("last")


DOORS = {
    "a checkpoint": (convert.read_checkpoint, "x.pth"),
    "a bundle": (bundle.load, "x.safetensors"),
    "a run's checkpoint": (_last, "last.pt"),
    "predictions": (predictions.load, "x.npz"),
    "an array": (arrays.read_npy, "x.npy"),
    "the pickles of a data set": (pickles.load, "x.cP"),
    "the arrays of a data set": (pickles.load_array, "x.npy"),
}


@pytest.mark.parametrize(
    "make", [_numpy, _numpy_zip, _torch, _bare], ids=lambda make: make.__name__
)
@pytest.mark.parametrize(("read", "name"), DOORS.values(), ids=DOORS.keys())
def test_a_pickle_behind_any_door_is_refused_and_not_run(
    read: Any, name: str, make: Any, tmp_path: Path
) -> None:
    mark = tmp_path / "owned"
    make(tmp_path / name if make is not _numpy_zip else tmp_path / "zip.npz", mark)
    if make is _numpy_zip:
        (tmp_path / "zip.npz").rename(tmp_path / name)
    elif not (tmp_path / name).exists():  # np.save adds its own ending
        (tmp_path / f"{name}.npy").rename(tmp_path / name)
    with pytest.raises(TagkitError):
        read(tmp_path / name)
    assert not mark.exists()


def test_the_command_runs_no_checkpoint(tmp_path: Path) -> None:
    _torch(tmp_path / "x.pth", tmp_path / "owned")
    done = command.run(
        tmp_path,
        "weights",
        "import",
        tmp_path / "x.pth",
        "--as",
        "fcn",
        "--vocabulary",
        "mtat-top50",
    )
    assert done.returncode == 1 and "is no checkpoint of plain tensors" in done.stderr
    assert not (tmp_path / "owned").exists()


# ----------------------------------------------------- a pickle that is data, and more than fits

ENCODE = b"c_codecs\nencode\n"
RECONSTRUCT = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR"
OBJECTS = b"cnumpy\ndtype\n(S'O8'\nI0\nI1\ntR"
TEXT = b"X" + struct.pack("<I", 1 << 20) + b"x" * (1 << 20)  # a megabyte, kept as number 1
LAUGHS = b")" + b"2\x86" * 60  # 2^60 empty tuples to whoever walks them

BOMBS = {
    "a megabyte encoded ten thousand times": b"\x80\x02"
    + TEXT
    + b"q\x010("
    + (ENCODE + b"(h\x01S'latin1'\ntR") * 10_000
    + b"l.",
    "ten thousand texts as long as the longest": b"\x80\x02"
    + TEXT
    + b"q\x010"
    + RECONSTRUCT
    + b"(I1\n(I10001\nt"
    + OBJECTS
    + b"I00\n(h\x01"
    + b"U\x01a" * 10_000
    + b"ltb.",
    "a dtype of laughs": b"\x80\x02cnumpy\ndtype\n(" + LAUGHS + b"I0\nI1\ntR.",
    "a shape of laughs": b"\x80\x02" + RECONSTRUCT + b"(I1\n" + LAUGHS + OBJECTS + b"I00\n(ltb.",
    "keys that are all alike": b"\x80\x02}("
    + b"".join(
        pickle.LONG1 + bytes([12]) + ((n + 5) * (2**61 - 1)).to_bytes(12, "little") + b"N"
        for n in range(60_000)
    )
    + b"u.",
    "a long of two gigabytes": b"\x80\x02\x8b\xff\xff\xff\x7f\x01",
    "bytes of 2^62": b"\x80\x04\x8e" + struct.pack("<Q", 1 << 62) + b"x",
    "a memo at 2^31": b"\x80\x02I7\nr\x00\x00\x00\x80" + b"j\x00\x00\x00\x80\x85R.",
    "deep nesting": b"\x80\x02" + b"]" * 200_000 + b"a" * 199_999 + b".",
    "appends to itself": b"\x80\x02]q\x01" + b"(h\x01h\x01e" * 50_000 + b"R.",
    "digits": b"I" + b"9" * 1_000_000 + b"\n.",
}


@pytest.mark.parametrize("program", BOMBS.values(), ids=BOMBS.keys())
def test_a_pickle_bomb_is_over_soon_and_takes_little(program: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.cP"
    path.write_bytes(program)
    with bounds.soon(6), bounds.within(bounds.GIB), pytest.raises(DataError, match=r"x\.cP: is "):
        pickles.load(path)


def test_the_same_data_in_its_usual_size_is_read(tmp_path: Path) -> None:
    """So that the bombs are refused for what they are."""
    found = [b"abc"] * 1000, np.array(["a", "bcd"]), {5: 1, -(2**62): 2, 2.5: 3}
    (tmp_path / "x.cP").write_bytes(pickle.dumps(found, protocol=2))
    assert pickles.load(tmp_path / "x.cP")[0] == [b"abc"] * 1000


def test_a_checkpoint_whose_pickle_is_a_bomb_takes_little(tmp_path: Path) -> None:
    """torch's own reader lets a few plain functions be called, any number of times."""
    call = ENCODE + b"h\x01X\x06\x00\x00\x00latin1\x86R"
    state = b"]q\x00(" + TEXT + b"q\x01" + call * 10_000 + b"e."
    with zipfile.ZipFile(tmp_path / "x.pth", "w") as archive:
        archive.writestr("x/data.pkl", b"\x80\x02" + state)
        archive.writestr("x/byteorder", "little")
        archive.writestr("x/version", "3\n")
    with (
        bounds.soon(10),
        bounds.within(bounds.GIB),
        pytest.raises(TagkitError, match="no checkpoint"),
    ):
        convert.read_checkpoint(tmp_path / "x.pth")


def _stated(shape: str, kind: str, data: bytes = b"") -> bytes:
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    text = text.ljust(118) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data


ARRAYS = {
    "a terabyte, it says": _stated("(1099511627776,)", "<f8", b"x" * 64),
    "2^40 empty texts": _stated("(1099511627776,)", "<U0"),
    "a text of four gigabytes": _stated("(1,)", "<U1073741823", b"x" * 64),
    "less than nothing": _stated("(-1,)", "<f8", b"x" * 64),
    "an expression": _stated("(9**9**9,)", "<f8"),
    "objects": _stated("(1,)", "|O", pickle.dumps(1)),
}


@pytest.mark.parametrize("data", ARRAYS.values(), ids=ARRAYS.keys())
def test_an_array_that_says_more_than_it_holds(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.npy").write_bytes(data)
    with zipfile.ZipFile(tmp_path / "x.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("ids.npy", data)
    with bounds.soon(3), bounds.within(bounds.GIB // 2):
        for read, name in ((arrays.read_npy, "x.npy"), (arrays.read_npz, "x.npz")):
            with pytest.raises(DataError):
                read(tmp_path / name)
        if b"|O" not in data:  # there the pickle is data
            with pytest.raises(DataError):
                pickles.load_array(tmp_path / "x.npy")


def test_predictions_that_unpack_to_a_hundred_times_their_size_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert arrays._MOST_ARRAYS <= 1 << 30
    monkeypatch.setattr(arrays, "_MOST_ARRAYS", 1 << 20)
    np.savez_compressed(tmp_path / "x.npz", scores=np.zeros((1 << 21, 1), np.uint8))
    assert (tmp_path / "x.npz").stat().st_size < 1 << 14
    with pytest.raises(DataError, match="unpacks to"):
        predictions.load(tmp_path / "x.npz")


@pytest.mark.parametrize(
    ("read", "name"),
    [(arrays.read_npy, "x.npy"), (arrays.read_npz, "x.npz"), (convert.read_checkpoint, "x.pth")],
)
def test_a_hundred_gigabytes_of_nothing_are_not_read(read: Any, name: str, tmp_path: Path) -> None:
    """An archive holds such a file in a few bytes."""
    with (tmp_path / name).open("wb") as file:
        file.write(_stated("(107374182400,)", "|u1"))
        file.truncate(100 << 30)
    with bounds.soon(3), bounds.within(64 << 20), pytest.raises(TagkitError):
        read(tmp_path / name)


def test_what_is_no_array_in_an_archive_is_named(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("ids", b"text")
    with pytest.raises(DataError, match="something else than arrays"):
        predictions.load(tmp_path / "x.npz")


def test_the_bound_on_memory_holds_and_is_taken_back() -> None:
    before = resource.getrlimit(resource.RLIMIT_DATA)
    with pytest.raises(MemoryError), strangers.bounded_memory(64 << 20):
        bytearray(1 << 30)
    with strangers.bounded_memory(64 << 20):
        assert len(bytearray(1 << 20)) == 1 << 20
    assert resource.getrlimit(resource.RLIMIT_DATA) == before
