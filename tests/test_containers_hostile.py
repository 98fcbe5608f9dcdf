"""Broken files, in every container: a TagError that names the file, and not one byte changed."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tagkit.errors import TagError
from tagkit.library.containers import open_tags
from tests import media

CASES = 24  # of each kind of damage, in each container


def try_everything(path: Path) -> str:
    """Do all that the writer does; return what came of it. Anything but TagError escapes."""
    data = path.read_bytes()
    try:
        tags = open_tags(path)
        tags.foreign(changing=[])
        tags.set("mood", ["happy"])
        tags.set("genre", ["Jazz"])
        tags.snapshot("mood")
        tags.save()
    except TagError as error:
        assert error.path == str(path)
        assert path.read_bytes() == data
        return "refused"
    assert open_tags(path).get("mood") == ["happy"]
    return "written"


@pytest.mark.parametrize("kind", media.WRITABLE)
def test_a_truncated_file_is_refused_or_written_but_never_a_crash(
    tmp_path: Path, kind: str
) -> None:
    whole = media.make(tmp_path, kind, foreign=True, seconds=0.2).read_bytes()
    path = tmp_path / "cut"
    outcomes = set()
    for case in range(CASES):
        path.write_bytes(whole[: len(whole) * case // CASES])
        outcomes.add(try_everything(path))
    assert "refused" in outcomes


@pytest.mark.parametrize("kind", media.WRITABLE)
def test_flipped_bits_and_absurd_sizes_are_refused_or_written_but_never_a_crash(
    tmp_path: Path, kind: str
) -> None:
    whole = media.make(tmp_path, kind, foreign=True, seconds=0.2).read_bytes()
    path = tmp_path / "flipped"
    random_ = random.Random(kind)
    # where the structure is: the first and the last two kilobytes
    places = [*range(min(2048, len(whole))), *range(max(0, len(whole) - 2048), len(whole))]
    for _ in range(CASES):
        data = bytearray(whole)
        at = random_.choice(places)
        damage = random_.choice([b"\xff", b"\0", b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f"])
        data[at : at + len(damage)] = damage
        path.write_bytes(data)
        try_everything(path)


@pytest.mark.parametrize("data", [b"", b"I", b"ID3", b"fLaC", b"OggS", b"RIFF", b"\0" * 64])
def test_a_file_with_next_to_nothing_in_it(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.mp3"
    path.write_bytes(data)
    assert try_everything(path) == "refused"


def test_what_is_no_file_is_a_tag_error(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path, tmp_path / "fifo", tmp_path / "missing.mp3"):
        with pytest.raises(TagError):
            open_tags(path)


def test_a_file_that_may_not_be_written_is_a_tag_error(tmp_path: Path) -> None:
    path = media.make(tmp_path, "flac")
    tags = open_tags(path)
    tags.set("mood", ["happy"])
    path.unlink()
    with pytest.raises(TagError):
        tags.save()


def test_an_undecodable_name_is_no_hindrance(tmp_path: Path) -> None:
    path = media.make(tmp_path, "mp3").rename(tmp_path / os.fsdecode(b"\xff\xe9.mp3"))
    assert try_everything(path) == "written"
