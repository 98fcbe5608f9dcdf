"""A pickle is read for its data; whatever else it wants is refused, named, and not done."""

from __future__ import annotations

import os
import pickle
import struct
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tagkit.data import pickles
from tagkit.errors import DataError

PROTOCOLS = range(5)
DATA = {
    "TRAAAAW128F429D538": np.array([[0.0, 1.0, 1.0]]),
    "ids": ["a", b"b", "ä"],
    "numbers": (1, 2**70, -1.5, True, None, np.float64(3.5), np.int64(4)),
    "order": np.asfortranarray(np.arange(6, dtype=">i2").reshape(2, 3)),
    "words": np.array(["guitar", "no vocals"]),
}


class Evil:
    """Pickles as a call of ``function``."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __repr__(self) -> str:
        return f"{self.call[0].__name__}{self.call[1]}"

    def __reduce__(self) -> Any:
        return self.call


def read(tmp_path: Path, data: bytes) -> Any:
    path = tmp_path / "x.pkl"
    path.write_bytes(data)
    return pickles.load(path)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_data_comes_back_as_it_was(tmp_path: Path, protocol: int) -> None:
    found = read(tmp_path, pickle.dumps(DATA, protocol=protocol))
    assert found.keys() == DATA.keys()
    for name in ("TRAAAAW128F429D538", "order"):
        assert np.array_equal(found[name], DATA[name]) and found[name].dtype == DATA[name].dtype
    assert found["ids"] == DATA["ids"] and found["numbers"] == DATA["numbers"]


def test_what_python_2_wrote_is_read(tmp_path: Path) -> None:
    """Written by hand as Python 2 writes {'TR1': array([[1., 0.]])}: byte strings, and the old module."""
    text = (
        b"(dp0\nS'TR1'\np1\ncnumpy.core.multiarray\n_reconstruct\np2\n(cnumpy\nndarray\np3\n(I0\ntp4\n"
        b"S'b'\np5\ntp6\nRp7\n(I1\n(I1\nI2\ntp8\ncnumpy\ndtype\np9\n(S'f8'\np10\nI0\nI1\ntp11\nRp12\n"
        b"(I3\nS'<'\np13\nNNNI-1\nI-1\nI0\ntp14\nbI00\n"
        b"S'\\x00\\x00\\x00\\x00\\x00\\x00\\xf0?\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00'\np15\ntp16\nbs."
    )
    assert read(tmp_path, text)["TR1"].tolist() == [[1.0, 0.0]]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "evil",
    [
        Evil(os.system, "touch owned"),
        Evil(eval, "open('owned', 'w')"),
        Evil(exec, "open('owned', 'w')"),
        Evil(getattr, "", "join"),
        Evil(np.load, "x.npy"),
        Evil(np.fromfile, "x.npy"),
        Evil(np.zeros, 10),
        Evil(Path, "owned"),
        np.ma.array([1, 2], mask=[0, 1]),
        np.zeros(2, dtype=[("a", "f8")]),
        np.array([{}, 3], dtype=object),
        {1, 2},
        bytearray(b"a"),
        1j,
    ],
    ids=repr,
)
def test_what_is_no_data_is_refused_and_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, evil: Any, protocol: int
) -> None:
    monkeypatch.chdir(tmp_path)
    hidden = {"a": [1, {"b": (2, [evil])}]}
    with pytest.raises(DataError, match=r"x\.pkl: is (no pickle|a pickle with more than data)"):
        read(tmp_path, pickle.dumps(hidden, protocol=protocol))
    assert not (tmp_path / "owned").exists()


NDARRAY, RECONSTRUCT = b"cnumpy\nndarray\n", b"cnumpy.core.multiarray\n_reconstruct\n"
FLOATS = b"cnumpy\ndtype\n(S'f8'\nI0\nI1\ntR(I3\nS'<'\nNNNI-1\nI-1\nI0\ntb"


@pytest.mark.parametrize(
    "program",
    [
        b"(S'touch owned'\nios\nsystem\n.",  # INST
        b"(cos\nsystem\nS'touch owned'\no.",  # OBJ
        b"\x80\x02cbuiltins\nobject\n)\x81.",  # NEWOBJ
        b"\x80\x02\x82\x01.",  # EXT1
        b"Pname\n.",  # PERSID
        b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x0btouch owned\x85R.",  # STACK_GLOBAL
        b"S'os.system'\n(S'touch owned'\ntR.",  # a text is no function
        RECONSTRUCT + b"(cnumpy\ndtype\n(I0\ntS'b'\ntR.",  # an array of another class
        RECONSTRUCT
        + b"("
        + NDARRAY
        + b"(I0\ntS'b'\ntR(I1\n(I99999999999\nt"
        + FLOATS
        + b"I00\nS''\ntb.",
        RECONSTRUCT + b"(" + NDARRAY + b"(I0\ntS'b'\ntR(I1\n(I-1\nt" + FLOATS + b"I00\nS''\ntb.",
        b"cnumpy\ndtype\n(S'V8'\nI0\nI1\ntR.",  # a dtype of raw memory
        b"cnumpy\ndtype\n(S'S99999999999'\nI0\nI1\ntR.",
        b"c_codecs\nencode\n(S'AAAA'\nS'zip'\ntR.",  # decompression
        b"(d(I1\nS'a'\ndb.",  # BUILD of a dictionary
        b"]I1\nI2\ns.",  # items of a list
        b"T\xff\xff\xff\x7f",  # a text of 2 GiB in a file of 5 bytes
        b"\x80\x04\x8e" + struct.pack("<Q", 1 << 62),
        b"\x80\x04\x95" + struct.pack("<Q", 1 << 62),
        b"(" * 10_000 + b".",
        b"h\x07.",  # what was never stored
        b"",
        b"\x00\x01",
        b"just text\n",
    ],
    ids=lambda program: repr(program[:24]),
)
def test_hostile_and_damaged_programs_end_in_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: bytes
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"x\.pkl: is "):
        read(tmp_path, program)
    assert not (tmp_path / "owned").exists()


def test_an_index_of_the_memo_reserves_no_memory(tmp_path: Path) -> None:
    """The C unpickler makes room for 8 billion entries when it is told this one."""
    started = time.monotonic()
    assert read(tmp_path, b"\x80\x02I7\nr\xff\xff\xff\xff.") == 7
    assert time.monotonic() - started < 1


def test_what_is_shared_or_holds_itself_is_looked_at_once(tmp_path: Path) -> None:
    started = time.monotonic()
    laughs: Any = [np.zeros(1)]
    for _ in range(60):  # 10^60 elements to whoever walks them all
        laughs = [laughs] * 10
    read(tmp_path, pickle.dumps(laughs, protocol=2))
    circle: list[Any] = []
    circle.append(circle)
    found = read(tmp_path, pickle.dumps(circle, protocol=2))
    assert found[0] is found
    assert time.monotonic() - started < 5


def test_a_key_that_takes_for_ever_to_hash_is_refused(tmp_path: Path) -> None:
    # A tuple of a tuple twice, twenty deep: without the check half a second's hashing, sixty deep for ever.
    program = b"}" + b")" + b"2\x86" * 20 + b"I1\ns."
    with pytest.raises(DataError, match="a tuple as a key"):
        read(tmp_path, program)


def test_the_name_that_was_asked_for_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"(posix|nt)\.system.*nothing of it was run"):
        read(tmp_path, pickle.dumps(Evil(os.system, "true")))


def test_a_file_that_is_not_there_or_too_large_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DataError, match=r"no\.pkl: cannot be read: No such file"):
        pickles.load(tmp_path / "no.pkl")
    monkeypatch.setattr(pickles, "MOST_BYTES", 10)
    with pytest.raises(DataError, match="is larger than"):
        read(tmp_path, pickle.dumps(DATA))


def test_arrays_of_texts_are_read_also_where_they_are_objects(tmp_path: Path) -> None:
    lines = ["0\tf/a.mp3", "1\tf/b.mp3"]
    for kind in (str, object):
        np.save(tmp_path / "list.npy", np.array(lines, dtype=kind), allow_pickle=True)
        assert pickles.load_array(tmp_path / "list.npy").tolist() == lines


@pytest.mark.parametrize(
    "data", [b"", b"\x93NUMPY\x01\x00\xff", b"\x93NUMPY\x09\x00v\x00{}", b"PK\x03\x04"]
)
def test_a_damaged_array_is_named(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "list.npy").write_bytes(data)
    with pytest.raises(DataError, match=r"list\.npy: cannot be read as an array"):
        pickles.load_array(tmp_path / "list.npy")


def test_an_array_of_objects_can_hide_nothing(tmp_path: Path) -> None:
    np.save(
        tmp_path / "list.npy", np.array([Evil(os.system, "true")], dtype=object), allow_pickle=True
    )
    with pytest.raises(DataError, match="more than data"):
        pickles.load_array(tmp_path / "list.npy")
