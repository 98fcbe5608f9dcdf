"""Other programs at work on the same files, between tagkit's decision and its write.

Their work is never overwritten with what tagkit knew before: the file is left as they left it, and named;
or written on top of that, read afresh. The next run deals with it as it is then.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import pty
import re
import select
import shutil
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from tagkit.engines.todo import add_models
from tagkit.inference import ensemble
from tagkit.library.containers import open_tags
from tagkit.library.store import Store
from tests import library, media
from tests.trust import command, edits, size
from tests.trust.edits import EDITS, Left, left
from tests.trust.shelf import WINDOWS, Shelf

pytestmark = pytest.mark.timeout(0 if size.FULL else 300)

KINDS = media.WRITABLE
ODD = ("replaced by a folder", "replaced by a FIFO")
HARMFUL = (
    "truncated",
    "appended to",
    "given other audio, unnoticed",
)
SECONDS = size.of(60, 300)  # that a command may take


class Desk:
    """A shelf, and beside each of its files another recording that may take its place."""

    def __init__(self, folder: Path, kinds: Sequence[str], names: Sequence[str]) -> None:
        self.shelf = Shelf(folder, kinds)
        elsewhere = folder / "elsewhere"
        elsewhere.mkdir()
        self.edits = dict(zip(self.shelf.files, names, strict=False))
        self.others = {}
        for number, (path, kind) in enumerate(zip(self.edits, kinds, strict=False)):
            other = media.make(elsewhere / path.name, kind, seconds=0.3, seed=500 + number)
            edits.retag(other, "mood", edits.THEIRS)
            self.others[path] = other
        self.theirs = {other: left(other) for other in self.others.values()}
        self.shelf.hear()
        self.left: dict[Path, Left | None] = {}

    def edit(self, path: Path) -> None:
        EDITS[self.edits[path]](path, self.others[path])
        self.left[path] = left(path)

    def check(self, said: str) -> Counter[str]:
        """Hold every edited file to the promise after a run; return how they ended."""
        ends = Counter[str]()
        for path, was in self.left.items():
            now, name = left(path), self.edits[path]
            if now == was:
                # Of files that are skipped for the same reason, the first is named and the rest counted.
                skipped = name in ODD and "not a regular file" in said
                assert path.name in said or skipped, f"{name}: {path.name} is not named:\n{said}"
                ends["left"] += 1
            else:
                assert on_top(was, now), f"{name}: {path.name} was overwritten:\n{said}"
                ends["read afresh"] += 1
        assert {other: left(other) for other in self.theirs} == self.theirs
        assert not list(self.shelf.music.rglob(".tagkit-*"))
        return ends

    def go_on(self) -> None:
        """The next run, with everything heard that it has to hear, does what is right with each file."""
        unreadable = self.hear_again()
        before = {path: left(path) for path in self.left}
        done = self.shelf.run(*self.shelf.tag("--write"), seconds=SECONDS)
        assert done.returncode in (0, 1), done.stderr
        for path, was in before.items():
            now, name = left(path), self.edits[path]
            assert now == was or on_top(was, now), f"{name}: {path.name}: {done.stderr}"
            if was is None or not was.is_file or not was.mode & 0o222 or path in unreadable:
                assert now == was
            elif was.seen is not None and not tagged(path):
                # Such damage as a container's checksums show.
                assert name in HARMFUL and now == was, f"{name}: {path.name} is not tagged"
                assert path.name in done.stderr, f"{name}: {path.name} is not named: {done.stderr}"
        again = {path: left(path) for path in self.left}
        self.shelf.run(*self.shelf.tag("--write"), seconds=SECONDS)
        assert {path: left(path) for path in self.left} == again

    def hear_again(self) -> set[Path]:
        """Fill the store for what is there now; return the files that cannot be read at all."""
        there = [path for path in sorted(self.shelf.music.iterdir()) if path.is_file()]
        heard, unreadable = ensemble.load([str(self.shelf.model)]), set()
        with Store(self.shelf.store) as store:
            models = add_models(store, heard, WINDOWS)
            for look in list(store.look(there, models)):
                if look.key is None:
                    unreadable.add(look.path)
                elif look.missing:
                    said = [0.5] * len(heard.tags)
                    store.record(look.key, dict.fromkeys(models, (said, None)), duration=0.3)
        return unreadable


def tagged(path: Path) -> bool:
    return "instrument" in str(open_tags(path).get("tagkit"))


def on_top(was: Left | None, now: Left | None) -> bool:
    """Whether a file is what they left, with nothing but tagkit's own values in addition."""
    if was is None or now is None or was.seen is None or now.seen is None:
        return False
    kept = (was.mode, was.seen.audio, was.seen.foreign) == (
        now.mode,
        now.seen.audio,
        now.seen.foreign,
    )
    theirs = edits.THEIRS in str(mood(was))
    return kept and (not theirs or was.seen.fields["mood"] == now.seen.fields["mood"])


def mood(found: Left) -> str:
    assert found.seen is not None
    rows = json.loads(found.seen.fields["mood"])
    return " ".join(base64.b64decode(row[-1]).replace(b"\0", b"").decode("latin-1") for row in rows)


def pairs(part: str, rounds: int) -> Iterator[tuple[list[str], list[str]]]:
    """Yield kinds, and for each an edit: in every round other ones, so that few rounds meet many pairs."""
    draws = size.draws(part)
    names, kinds = list(EDITS), list(KINDS)
    draws.shuffle(kinds)
    for number in range(rounds):
        yield kinds, [names[(at + number) % len(names)] for at in range(len(kinds))]


def test_edits_between_the_plan_and_its_use(tmp_path: Path) -> None:
    started, ends = time.monotonic(), Counter[str]()
    for number, (kinds, names) in enumerate(pairs("plan", size.of(3, len(EDITS)))):
        desk = Desk(tmp_path / str(number), kinds, names)
        plan = tmp_path / f"plan-{number}.jsonl"
        done = desk.shelf.run(*desk.shelf.tag("--plan", plan))
        assert done.returncode == 0, done.stderr
        for path in desk.edits:
            desk.edit(path)
        done = desk.shelf.run("apply", plan, seconds=SECONDS)
        ends += desk.check(done.stderr)
        assert done.returncode == 1
        # What only its audio tells from before: a new plan that says so, and then one that fits.
        again = desk.shelf.run(*desk.shelf.tag("--plan", plan))
        assert "other audio" in again.stderr or "given other audio, unnoticed" not in names
        desk.go_on()
        shutil.rmtree(tmp_path / str(number))
    assert ends["left"] and ends["read afresh"]
    size.tell("edits between plan and apply", time.monotonic() - started, **ends)


def test_edits_before_the_question_is_answered(tmp_path: Path) -> None:
    started, ends = time.monotonic(), Counter[str]()
    for number in range(size.of(1, 3)):
        draws = size.draws(f"question {number}")
        kinds = draws.choices(KINDS, k=104)
        names = draws.choices(list(EDITS), k=size.of(40, 90))
        desk = Desk(tmp_path / str(number), kinds, names)
        said, code = answered(desk)
        assert code == 1, said
        ends += desk.check(said)
        desk.go_on()
        shutil.rmtree(tmp_path / str(number))
    assert ends["left"] and ends["read afresh"]
    size.tell("edits before the question is answered", time.monotonic() - started, **ends)


def answered(desk: Desk) -> tuple[str, int]:
    """Run at a terminal; at the question edit the files, then say yes. Return what was said, and the code."""
    ours, its = pty.openpty()
    process = subprocess.Popen(
        [*command.TAGKIT, *map(str, desk.shelf.tag("--write"))],
        env=library.environment(desk.shelf.home) | {"TERM": "dumb", "COLUMNS": "1000"},
        cwd=command.ROOT,
        stdin=its,
        stdout=subprocess.DEVNULL,
        stderr=its,
        start_new_session=True,
    )
    os.close(its)
    try:
        said = heard(ours, r"Write \d+ files\?")
        for path in desk.edits:
            desk.edit(path)
        os.write(ours, b"y\n")
        said += heard(ours, None)
        process.wait(SECONDS)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 9)
        process.wait()
        os.close(ours)
    assert "Traceback" not in said, said
    return said, process.returncode


def heard(terminal: int, until: str | None) -> str:
    """Return what is said at a terminal until something is, or until the end."""
    said, deadline = "", time.monotonic() + SECONDS
    while until is None or not re.search(until, said):
        ready, _, _ = select.select([terminal], [], [], max(0, deadline - time.monotonic()))
        assert ready, f"nothing more is said after: {said}"
        try:
            data = os.read(terminal, 1 << 16)
        except OSError:  # the other end is closed
            data = b""
        if not data:
            assert until is None, said
            return said
        said += data.decode(errors="replace")
    return said


# An edit in the last moment that keeps the file, its size and its time is nowhere to be seen.
HELD = [name for name in EDITS if "unnoticed" not in name]
HOLD = ("strace", "-f", "-q", "-o", "/dev/null", "-e", "trace=renameat2", "--seccomp-bpf")


def holding(seconds: float) -> tuple[str, ...]:
    """Return what lets a command wait just before each file is put in place."""
    if not shutil.which("strace"):
        pytest.skip("needs strace")
    return (*HOLD, "-e", f"inject=renameat2:delay_enter={seconds * 1e6:.0f}")


def pending(journal: Path) -> Iterator[Path]:
    """Yield the files that a run is about to put in place, each when it is so far."""
    last, deadline = -1, time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        rows = []
        if journal.exists():
            with contextlib.suppress(sqlite3.Error), closing(sqlite3.connect(journal)) as db:
                query = "SELECT id, path FROM writes WHERE state = 'pending' AND id > ?"
                rows = db.execute(query, (last,)).fetchall()
        for number, name in rows:
            last = number
            yield Path(os.fsdecode(name))
        if not rows:
            time.sleep(0.01)
            yield Path()  # for whoever wants to look whether the run is still there


def test_edits_just_before_a_file_is_put_in_place(tmp_path: Path) -> None:
    started, ends = time.monotonic(), Counter[str]()
    draws = size.draws("held")
    for number in range(size.of(1, 5)):
        kinds = draws.sample(KINDS, size.of(11, 20))
        names = (draws.sample(HELD, len(HELD)) * 2)[: len(kinds)]
        desk = Desk(tmp_path / str(number), kinds, names)
        process = command.start(desk.shelf.home, *desk.shelf.tag("--write"), before=holding(0.5))
        try:
            for path in pending(desk.shelf.journal):
                if path in desk.edits and path not in desk.left:
                    desk.edit(path)
                if process.poll() is not None:
                    break
        finally:
            done = command.finish(process, SECONDS)
        assert len(desk.left) > len(kinds) // 2, done.stderr
        assert done.returncode == 1, done.stderr
        # Their edit may have come after all was done: then it is theirs, and nothing is to be named.
        ends += desk.check(done.stderr + " ".join(path.name for path in desk.left))
        assert re.search(r"changed the file meanwhile|No such file", done.stderr), done.stderr
        desk.go_on()
        shutil.rmtree(tmp_path / str(number))
    size.tell("edits just before the rename", time.monotonic() - started, **ends)


@pytest.mark.parametrize("when", ["planned", "held"])
def test_a_folder_that_is_renamed_meanwhile_keeps_all_it_holds(tmp_path: Path, when: str) -> None:
    shelf = Shelf(tmp_path, size.draws(when).sample(KINDS, 5))
    shelf.hear()
    before, elsewhere = shelf.seen(), tmp_path / "Elsewhere"
    if when == "planned":
        plan = tmp_path / "plan.jsonl"
        assert shelf.run(*shelf.tag("--plan", plan)).returncode == 0
        shelf.music.rename(elsewhere)
        done = shelf.run("apply", plan)
    else:
        process = command.start(shelf.home, *shelf.tag("--write"), before=holding(0.5))
        try:
            next(path for path in pending(shelf.journal) if path.name)
            shelf.music.rename(elsewhere)
        finally:
            done = command.finish(process, SECONDS)
    assert done.returncode == 1 and "No such file" in done.stderr, done.stderr
    names = {path.name for path in before}
    shelf.files = [elsewhere / name for name in sorted(names)]
    assert len(shelf.seen()) == len(before)
    for path, now in shelf.seen().items():
        was = before[shelf.music / path.name]
        assert (now.audio, now.foreign) == (was.audio, was.foreign)
    done = shelf.run(*(elsewhere if word == shelf.music else word for word in shelf.tag("--write")))
    assert done.returncode == 0 and "5 files" in done.stderr, done.stderr
    assert {path.name for path in elsewhere.iterdir()} == names


def test_the_edits_are_what_they_say(tmp_path: Path) -> None:
    """The other tests prove nothing where these change nothing."""
    for kind in KINDS:
        other = media.make(tmp_path / f"other{media.KINDS[kind].suffix}", kind, seed=1, seconds=0.3)
        for name, edit in EDITS.items():
            path = media.make(
                tmp_path / f"it{media.KINDS[kind].suffix}", kind, seconds=0.3, foreign=True
            )
            before, stamp = left(path), path.stat()
            edit(path, other)
            now = left(path)
            assert now != before, (kind, name)
            if "unnoticed" in name:
                assert path.stat().st_mtime_ns == stamp.st_mtime_ns
                assert path.stat().st_size == stamp.st_size or "title" in name, (kind, name)
            if path.is_dir():
                path.rmdir()
            elif now is not None:
                path.unlink()
