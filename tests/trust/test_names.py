"""Odd file names and odd kinds of file, through the real command: tagged, or passed over with a reason."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import pytest

from tagkit.library.containers import open_tags
from tests import media
from tests.trust import size
from tests.trust.shelf import Shelf, see

#: Names below the music folder, as bytes; each gets a recording of its own.
NAMES = (
    b"-n.mp3",
    b"--write.mp3",
    b"-.flac",
    b"~.mp3",
    b"$HOME `id` ;|&.mp3",
    b"*?[a-z]{1,2}.mp3",
    b"100% %s %n.mp3",
    b" leading and trailing \xe3\x80\x80.mp3",
    b"dot at the end..mp3",
    b"new\nline.mp3",
    b"tab\tbell\x07return\r.mp3",
    b"\x1b[31mred\x1b[0m\x1b]0;title\x07.mp3",
    b"back\\slash.mp3",
    b"quote'\".mp3",
    b"#comment.mp3",
    b"undecodable \xff\xfe\xe9.mp3",
    b"half a letter \xe2\x82.mp3",
    "combined é and e\u0301.mp3".encode(),
    "rtl \u202egnp.3pm \u2066.mp3".encode(),
    "zero\u200bwidth \ufeff \U000e0041.mp3".encode(),
    "🎵 — \U0010ffff.mp3".encode(),
    "日本語の曲名.MP3".encode(),
    b"con.mp3",
    b"a:b.mp3",
    b"s3:/bucket/song.mp3",
    b"http:/host/song.mp3",
    b"file:/song.mp3",
    b"folder.mp3/inside.mp3",
    b"album \xff/\xff.mp3",
    b"x" * 251 + b".mp3",
    b"\xc3\xa9" * 125 + b"e.mp3",
    b"/".join([b"deep" * 20] * 12) + b"/song.mp3",
)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    """A library of the odd names, and beside each a whole file of an ordinary one."""
    made = Shelf(tmp_path_factory.mktemp("names"), ("flac",))
    for seed, name in enumerate(NAMES, 100):
        path = made.music / os.fsdecode(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        kind = "flac" if path.suffix == ".flac" else "mp3"
        made.files.append(media.make(path, kind, seconds=0.2, seed=seed, foreign=True))
    made.hear()
    return made


def test_a_name_may_be_anything(shelf: Shelf) -> None:
    begun = time.monotonic()
    before = shelf.seen()
    done = shelf.run(*shelf.tag("--write", "--yes", "--format", "table"))
    assert done.returncode == 0, done.stderr
    assert f"{len(shelf.files)} tagged" in done.stderr
    assert all(open_tags(path).get("mood") for path in shelf.files)
    assert not list(shelf.music.rglob(".tagkit-*"))
    _is_harmless(done.stdout + done.stderr)
    for arguments in (("history",), ("history", 1)):
        told = shelf.run(*arguments)
        assert told.returncode == 0, told.stderr
        _is_harmless(told.stdout + told.stderr)
    undone = shelf.run("undo", "--yes")
    assert undone.returncode == 0, undone.stderr
    _is_harmless(undone.stdout + undone.stderr)
    assert shelf.seen() == before
    size.tell("names", time.monotonic() - begun, cases=len(NAMES), tagged=len(NAMES))


def test_a_list_of_names_may_hold_any(shelf: Shelf, tmp_path: Path) -> None:
    before = shelf.seen()
    listed = tmp_path / "list"
    listed.write_bytes(b"\0".join(map(os.fsencode, shelf.files)) + b"\0")
    done = shelf.run(
        *("tag", "--input-list", listed, "--model", shelf.model, "--context", "none"),
        *("--write", "--yes"),
    )
    assert done.returncode == 0, done.stderr
    assert f"{len(shelf.files)} tagged" in done.stderr
    assert shelf.run("undo", "--yes").returncode == 0
    assert shelf.seen() == before


def test_a_plan_carries_every_name(shelf: Shelf, tmp_path: Path) -> None:
    before, plan = shelf.seen(), tmp_path / "plan.jsonl"
    assert shelf.run(*shelf.tag("--plan", plan)).returncode == 0
    assert shelf.seen() == before
    done = shelf.run("apply", plan, "--yes")
    assert done.returncode == 0, done.stderr
    assert all(open_tags(path).get("mood") for path in shelf.files)
    stripped = shelf.run("strip", shelf.music, "--yes")
    assert stripped.returncode == 0, stripped.stderr
    assert not any(open_tags(path).get("tagkit") for path in shelf.files)
    assert {p: s.audio for p, s in shelf.seen().items()} == {p: s.audio for p, s in before.items()}


def _is_harmless(text: str) -> None:
    """Nothing in a name moves the cursor, or the words on the line."""
    odd = {c for c in text if not c.isprintable()} - {"\n"}
    assert not odd, odd


# ---------------------------------------------------------------------------------- odd kinds


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        here = Path.cwd()
        os.chdir(path.parent)  # the name of a socket is a hundred letters at most
        try:
            one.bind(path.name)
        finally:
            os.chdir(here)


def _device(path: Path) -> None:
    os.mknod(path, 0o20666, os.makedev(1, 5))  # as /dev/zero


def _link_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


def _link_to_nothing(path: Path) -> None:
    path.symlink_to("nothing.mp3")


def _link_to_zeros(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _link_to_the_folder_above(path: Path) -> None:
    path.symlink_to("..")


def _two_links_in_a_ring(path: Path) -> None:
    path.symlink_to("ring.mp3")
    path.with_name("ring.mp3").symlink_to(path.name)


def _folder(path: Path) -> None:
    path.mkdir()


ODD = (
    *(_fifo, _socket, _link_to_itself, _link_to_nothing, _link_to_zeros),
    *(_link_to_the_folder_above, _two_links_in_a_ring, _folder),
)


@pytest.mark.parametrize("options", [(), ("--follow",)], ids=["", "followed"])
def test_what_is_no_file_is_passed_over_and_the_rest_is_tagged(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    begun = time.monotonic()
    shelf = Shelf(tmp_path, ("mp3_id3v24", "opus"))
    shelf.hear()
    odd = {}
    for make in (*ODD, *((_device,) if os.geteuid() == 0 else ())):
        odd[make] = shelf.music / f"odd{make.__name__}.mp3"
        make(odd[make])
    before = shelf.seen()
    done = shelf.run(*shelf.tag("--write", *options), seconds=60)
    assert "2 tagged" in done.stderr, done.stderr
    _each_has_a_reason(done.stderr, "passed over ")
    if options:
        assert done.returncode == 1  # links that lead nowhere
        assert f"failed: {odd[_link_to_itself]}: " in done.stderr
    else:
        assert done.returncode == 0, done.stderr
        assert "passed over 6: a symbolic link, not followed" in done.stderr
    assert shelf.run("undo", "--yes", seconds=60).returncode == 0
    assert {path: see(path) for path in shelf.files} == before
    size.tell("odd files", time.monotonic() - begun, cases=len(odd), skipped=len(odd))


def test_what_is_no_file_and_was_named_has_failed(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, ("mp3_id3v24",))
    named = [make for make in ODD if make not in (_folder, _link_to_the_folder_above)]
    paths = []
    for make in named:
        paths.append(shelf.music / f"odd{make.__name__}.mp3")
        make(paths[-1])
    done = shelf.run("tag", *paths, "--model", shelf.model, "--write", seconds=60)
    assert done.returncode == 1
    for path in paths:
        assert f"failed: {path}: " in done.stderr


def _each_has_a_reason(text: str, word: str) -> None:
    lines = [line for line in text.splitlines() if line.strip().startswith(word)]
    assert lines
    assert all(line.partition(": ")[2] for line in lines)


def test_a_folder_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root reads every folder")
    shelf = Shelf(tmp_path, ("mp3_id3v24",))
    shelf.hear()
    closed = shelf.music / "closed"
    closed.mkdir(mode=0)
    done = shelf.run(*shelf.tag("--write"))
    closed.chmod(0o700)
    assert done.returncode == 1
    assert f"failed: {closed}: " in done.stderr
    assert "1 tagged" in done.stderr
