"""The safe save, on real files of every container: the tag changes, everything else does not."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import mutagen.flac
import pytest

from tagkit.errors import ChangedError, NoWriterError, SaveError
from tagkit.library.change import FileChange
from tagkit.library.layout import Layout
from tagkit.library.payload import audio_digest, content_key
from tagkit.library.policy import PolicyOptions, Stamp, propose
from tagkit.library.runs.journal import Journal
from tagkit.library.runs.settle import settle
from tagkit.library.runs.undo import last_write, reversal
from tagkit.library.saving import attributes, guard, inplace, safesave, tempfiles
from tagkit.library.saving.exchange import exchange
from tagkit.library.saving.guard import SkipError
from tagkit.library.saving.safesave import SaveOptions
from tagkit.library.writer import Outcome, Writer
from tests import media

WANTED = {
    "mood": ("happy", "calm"),
    "theme": ("love",),
    "instrument": ("piano",),
    "probability:mood": ("happy=0.83", "calm=0.40"),
}
LAYOUT = Layout()


class Library:
    """A folder of music, a journal, and the steps of a run."""

    def __init__(self, folder: Path) -> None:
        self.music = folder / "music"
        self.music.mkdir(exist_ok=True)
        self.journal = Journal(folder / "journal.sqlite3")

    def make(self, kind: str = "mp3_id3v24", **how) -> Path:
        return media.make(self.music, kind, **{"seconds": 0.2, "foreign": True, **how})

    def propose(self, path: Path, wanted=None, layout=LAYOUT, **options) -> FileChange:
        key = content_key(path)
        return propose(
            path,
            layout.open(path),
            wanted or WANTED,
            content=key,
            stamp=Stamp("0.1.0", "9f3c"),
            remembered=self.journal.remembered(path, key),
            options=PolicyOptions(**options),
        )

    def apply(self, change: FileChange, *, reverts=None, **options) -> Outcome:
        run = self.journal.begin("tag", command=[], version="0", settings=LAYOUT.settings())
        writer = Writer(self.journal, run, LAYOUT.open, SaveOptions(**options))
        outcome = writer.apply(change, reverts=reverts)
        self.journal.finish(run)
        return outcome

    def tag(self, path: Path, wanted=None, **options) -> Outcome:
        return self.apply(self.propose(path, wanted), **options)

    def undo(self, path: Path) -> Outcome:
        write = last_write(self.journal, path, content_key(path))
        change, left = reversal(write, path, LAYOUT.open(path))
        assert left == ()
        return self.apply(change, reverts=write.id)

    def settle(self) -> int:
        return settle(self.journal)

    def names(self) -> set[str]:
        return {path.name for path in self.music.iterdir()}


@pytest.fixture
def library(tmp_path):
    library = Library(tmp_path)
    yield library
    library.journal.close()


def untouched(path: Path) -> tuple[int, ...]:
    """What is different once a file has been written, or only touched."""
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def everything(path: Path) -> dict[str, object]:
    tags = LAYOUT.open(path)
    fields = {field: tags.get(field) for field in (*WANTED, "genre", "tagkit")}
    return {**fields, "foreign": tags.foreign(), "snapshot": tags.snapshot("mood")}


@pytest.mark.parametrize("kind", media.WRITABLE)
def test_written_taken_back_and_nothing_else_ever_different(library, kind):
    path = library.make(kind)
    before, audio, key = everything(path), audio_digest(path), content_key(path)

    assert library.tag(path).status == "written"
    after = everything(path)
    assert {field: tuple(after[field]) for field in WANTED} == WANTED
    assert after["tagkit"] and after["genre"] == before["genre"]
    assert after["foreign"] == before["foreign"]
    assert (audio_digest(path), content_key(path)) == (audio, key)

    assert library.undo(path).status == "written"
    assert everything(path) == before
    assert (audio_digest(path), content_key(path)) == (audio, key)
    assert library.names() == {path.name}


@pytest.mark.parametrize("kind", ["mp3_id3v23", "mp3_id3v24", "flac", "m4a", "wavpack", "wma"])
def test_a_users_mood_that_was_replaced_comes_back_as_it_was(library, kind):
    path = library.make(kind)
    library.tag(path, {"mood": ["Zen", "zen garden"]})
    before = everything(path)
    change = library.propose(path, {"mood": ["dark"]}, existing="replace")
    assert library.apply(change).status == "written"
    assert LAYOUT.open(path).get("mood") == ["dark"]
    library.undo(path)
    assert everything(path) == before


def test_undo_brings_back_the_spelling_of_a_field_and_not_only_its_values(library):
    path = library.make("flac")
    file = mutagen.flac.FLAC(path)
    file.tags["mOOd"] = ["Zen", "Zen"]
    file.save()
    before = everything(path)
    library.apply(library.propose(path, {"mood": ["dark"]}, existing="replace"))
    library.undo(path)
    assert everything(path) == before
    assert ("mOOd", "Zen") in list(mutagen.flac.FLAC(path).tags)


def test_writing_the_same_twice_touches_nothing(library):
    path = library.make()
    library.tag(path)
    before = untouched(path)
    assert library.tag(path).status == "unchanged"
    assert untouched(path) == before


def test_mtime_moves_on_unless_it_shall_not(library):
    one, two = library.make(seed=1), library.make(seed=2)
    for path in (one, two):
        os.utime(path, ns=(10**18, 10**18))
    library.tag(one)
    library.tag(two, keep_mtime=True)
    assert one.stat().st_mtime_ns > 10**18
    assert two.stat().st_mtime_ns == 10**18


def test_mode_owner_and_extended_attributes_are_carried_over(library):
    path = library.make()
    path.chmod(0o764)
    os.setxattr(path, "user.rating", b"\0five\xff")
    if os.geteuid() == 0:
        os.chown(path, 1234, 4321)
    before = attributes.read(path)
    assert library.tag(path).status == "written"
    assert attributes.read(path) == before
    assert before.extended["user.rating"] == b"\0five\xff"


def test_what_cannot_be_carried_is_said_before_and_only_done_by_force(library, monkeypatch):
    path = library.make()
    os.setxattr(path, "user.rating", b"5")
    data = path.read_bytes()

    def refuse(*_):
        raise OSError(errno.ENOTSUP, "not supported")

    monkeypatch.setattr(os, "setxattr", refuse)
    monkeypatch.setattr(safesave, "_fill", lambda *_: pytest.fail("copied before it was asked"))
    outcome = library.tag(path)
    assert outcome.status == "skipped" and "user.rating" in str(outcome.error)
    assert path.read_bytes() == data and library.names() == {path.name}
    monkeypatch.undo()
    monkeypatch.setattr(os, "setxattr", refuse)
    assert library.tag(path, force=True).status == "written"


@pytest.mark.parametrize("mode", [0o444, 0o555])
def test_a_read_only_file_is_reported_and_never_forced(library, mode):
    path = library.make()
    path.chmod(mode)
    data = path.read_bytes()
    outcome = library.tag(path, force=True)
    assert outcome.status == "failed" and "read-only" in str(outcome.error)
    assert path.read_bytes() == data


def test_a_symlink_stays_one_and_its_target_is_written(library, tmp_path):
    path = library.make()
    link = tmp_path / "link.mp3"
    link.symlink_to(path)
    assert library.tag(link).status == "written"
    assert link.is_symlink() and LAYOUT.open(path).get("theme") == ["love"]
    assert library.names() == {path.name}


def test_a_file_with_two_names_is_left_unless_asked_then_both_change(library, tmp_path):
    path = library.make("mp3")
    other = tmp_path / "other.mp3"
    other.hardlink_to(path)
    data, audio = path.read_bytes(), audio_digest(path)
    outcome = library.tag(path)
    assert outcome.status == "skipped" and isinstance(outcome.error, SkipError)
    assert "2 names" in str(outcome.error) and path.read_bytes() == data

    assert library.tag(path, through_links=True).status == "written"
    assert path.samefile(other) and LAYOUT.open(other).get("theme") == ["love"]
    assert audio_digest(other) == audio and library.names() == {path.name}


@pytest.mark.parametrize("size", [0, 10, 2_000_000, 3_000_001])
def test_an_overwritten_file_has_exactly_the_new_bytes(tmp_path, size):
    target, redo = tmp_path / "a.mp3", tmp_path / "copy"
    target.write_bytes(b"old" * 700_000)
    redo.write_bytes(new := os.urandom(size))
    inplace.reserve(target, size)
    inplace.complete(target, redo)
    assert target.read_bytes() == new and not redo.exists()
    inplace.complete(target, redo)
    assert target.read_bytes() == new


@pytest.mark.parametrize("point", ["before", "within", "after"])
def test_a_kill_while_all_names_are_overwritten_is_finished_by_the_next_run(
    library, tmp_path, monkeypatch, point
):
    path = library.make("mp3")
    (tmp_path / "other.mp3").hardlink_to(path)
    audio = audio_digest(path)
    true_overwrite = inplace._overwrite

    def die(target: Path, source: Path) -> None:
        if point == "within":
            with source.open("rb") as new, target.open("r+b") as old:
                old.write(new.read(1000))
        if point == "after":
            true_overwrite(target, source)
        raise OSError(errno.EIO, "killed")

    monkeypatch.setattr(inplace, "_overwrite", die)
    outcome = library.tag(path, through_links=True)
    assert outcome.status == "failed" and "half-written" in str(outcome.error)
    monkeypatch.undo()
    assert library.settle() == 1
    assert LAYOUT.open(path).get("theme") == ["love"] and audio_digest(path) == audio
    assert library.names() == {path.name}
    library.journal.close()


def test_of_two_commands_that_find_a_torn_file_one_mends_it_and_the_other_waits(
    library, tmp_path, monkeypatch
):
    """The one that is done writes to the file at once: a copy that the other puts over it would mix the two."""
    path = library.make("mp3")
    (tmp_path / "other.mp3").hardlink_to(path)
    true_overwrite = inplace._overwrite
    monkeypatch.setattr(inplace, "_overwrite", no_space)
    assert library.tag(path, through_links=True).status == "failed"
    within, at_once = threading.Lock(), []

    def slow(target: Path, source: Path) -> None:
        at_once.append(within.acquire(blocking=False))
        time.sleep(0.3)
        true_overwrite(target, source)
        within.release()

    monkeypatch.setattr(inplace, "_overwrite", slow)
    threads = [threading.Thread(target=library.settle) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert at_once == [True]
    assert LAYOUT.open(path).get("theme") == ["love"] and library.names() == {path.name}


def no_space(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize(
    "place", ["tempfiles.create", "_fill", "os.fsync", "os.statvfs", "exchange", "save"]
)
def test_a_full_disk_at_any_step_leaves_the_file_whole_and_nothing_behind(
    library, monkeypatch, place
):
    path = library.make()
    data = path.read_bytes()
    change = library.propose(path)
    owner, name = {
        "tempfiles.create": (tempfiles, "create"),
        "_fill": (safesave, "_fill"),
        "os.fsync": (os, "fsync"),
        "os.statvfs": (os, "statvfs"),
        "exchange": (safesave, "exchange"),
        "save": (type(LAYOUT.open(path)), "save"),
    }[place]
    monkeypatch.setattr(owner, name, no_space)
    if place == "save":

        def full(*_):
            raise SaveError("cannot use the tag: No space left on device", path="elsewhere")

        monkeypatch.setattr(owner, name, full)
    outcome = library.apply(change)
    monkeypatch.undo()
    assert outcome.status == "failed" and "No space left" in str(outcome.error)
    assert outcome.error.path == str(path)
    assert path.read_bytes() == data and library.names() == {path.name}
    assert library.journal.last_run() is None and library.journal.unsettled() == []
    assert library.tag(path).status == "written"


@pytest.fixture
def tiny_disk(tmp_path):
    """A file system of 1.5 MB, where this user can mount one."""
    place = tmp_path / "tiny"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1536k", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("this user cannot mount a tmpfs")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.parametrize("checked_before", [True, False])
def test_a_disk_that_is_really_full(library, tiny_disk, monkeypatch, checked_before):
    path = media.make(tiny_disk / "a.wav", "wav", seconds=5, foreign=True)
    data = path.read_bytes()
    if not checked_before:
        monkeypatch.setattr(guard, "ROOM", -(1 << 30))
    outcome = library.tag(path)
    assert outcome.status == "failed" and "full" in str(outcome.error)
    assert path.read_bytes() == data and list(tiny_disk.iterdir()) == [path]


def test_a_file_that_vanished_is_reported(library):
    path = library.make()
    change = library.propose(path)
    path.unlink()
    outcome = library.apply(change)
    assert outcome.status == "failed" and "moved or removed" in str(outcome.error)
    assert library.names() == set()


def test_a_folder_that_took_its_place_is_not_written(library):
    path = library.make()
    change = library.propose(path)
    path.unlink()
    path.mkdir()
    assert library.apply(change).status == "skipped"


def test_tags_that_changed_since_the_decision_are_not_overwritten(library):
    path = library.make()
    change = library.propose(path)
    library.tag(path, {"mood": ["Mine"]})
    outcome = library.apply(change)
    assert outcome.status == "failed" and isinstance(outcome.error, ChangedError)
    assert LAYOUT.open(path).get("mood") == ["Mine"]


def test_other_audio_under_the_same_name_is_not_written(library):
    path = library.make(seed=1)
    change = library.propose(path)
    shutil.copy(library.make(seed=2), path)
    outcome = library.apply(change)
    assert isinstance(outcome.error, ChangedError) and "other audio" in str(outcome.error)


@pytest.mark.parametrize("can_exchange", [True, False])
def test_where_nothing_can_change_places_the_file_is_replaced(library, monkeypatch, can_exchange):
    path = library.make()
    if not can_exchange:
        monkeypatch.setattr(safesave, "exchange", lambda *_: False)
    assert library.tag(path).status == "written"
    assert LAYOUT.open(path).get("theme") == ["love"] and library.names() == {path.name}


def test_what_two_files_exchange_is_their_names(tmp_path):
    one, other = tmp_path / os.fsdecode(b"\xe9"), tmp_path / "other"
    one.write_text("1")
    with pytest.raises(FileNotFoundError):
        exchange(one, other)
    other.mkdir()
    if not exchange(one, other):
        pytest.skip("this file system cannot exchange")
    assert one.is_dir() and other.read_text() == "1"


@pytest.mark.parametrize("edit", ["append", "replace", "folder", "link", "gone"])
def test_an_edit_in_the_very_last_moment_wins_too(library, monkeypatch, edit):
    path = library.make()
    theirs = library.make(seed=2).rename(path.with_name("theirs"))
    change = library.propose(path)

    def meanwhile(one, other):
        monkeypatch.undo()  # theirs goes back by another exchange
        if edit == "append":
            with path.open("ab") as file:
                file.write(b"theirs")
        elif edit == "replace":
            shutil.copy(theirs, path.with_name("new")).rename(path)
        else:
            path.unlink()
            if edit == "folder":
                path.mkdir()
            elif edit == "link":
                path.symlink_to(theirs)
        meanwhile.left = path.read_bytes() if path.is_file() else path.is_dir()
        return exchange(one, other)

    monkeypatch.setattr(safesave, "exchange", meanwhile)
    outcome = library.apply(change)
    assert outcome.status == "failed", outcome
    assert (path.read_bytes() if path.is_file() else path.is_dir()) == meanwhile.left
    assert path.is_symlink() == (edit == "link")
    assert library.names() == {"theirs", path.name} - ({path.name} if edit == "gone" else set())
    assert library.journal.last_run() is None and library.journal.unsettled() == []


def test_of_a_written_file_is_said_what_was_written(library, monkeypatch):
    path = library.make()
    commit = safesave.Copy.commit

    def replaced(copy):
        commit(copy)
        replaced.size = path.stat().st_size
        path.with_name("new").write_bytes(b"theirs")
        path.with_name("new").rename(path)

    monkeypatch.setattr(safesave.Copy, "commit", replaced)
    outcome = library.tag(path)
    assert outcome.status == "written" and outcome.now.st_size == replaced.size


@pytest.mark.parametrize("edit", ["append", "touch", "replace", "same size and time"])
def test_an_edit_by_another_program_during_the_save_wins(library, monkeypatch, edit):
    path = library.make()
    change = library.propose(path)
    seal = safesave.Copy.seal

    def meanwhile(copy: safesave.Copy) -> None:
        seal(copy)
        if edit == "append":
            path.write_bytes(path.read_bytes() + b"theirs")
        elif edit == "touch":
            path.touch()
        elif edit == "replace":
            theirs = path.with_name("theirs")
            theirs.write_bytes(path.read_bytes())
            theirs.rename(path)
        else:
            found = path.stat()
            path.write_bytes(path.read_bytes()[:-1] + b"\xff")
            os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
        meanwhile.left = path.read_bytes()

    monkeypatch.setattr(safesave.Copy, "seal", meanwhile)
    outcome = library.apply(change)
    assert outcome.status == "failed" and isinstance(outcome.error, ChangedError)
    assert path.read_bytes() == meanwhile.left and library.names() == {path.name}
    assert library.journal.last_run() is None


def test_a_file_that_another_tagkit_is_writing_is_waited_for_but_not_for_ever(library, monkeypatch):
    path = library.make()
    change = library.propose(path)
    with path.open("r+b") as theirs:
        assert tempfiles.try_lock(theirs.fileno())
        monkeypatch.setattr(guard, "PATIENCE", 0.05)
        outcome = library.apply(change)
    assert outcome.status == "failed" and "locked" in str(outcome.error)
    assert library.apply(change).status == "written"


def test_of_two_that_write_one_file_the_second_sees_what_the_first_wrote(library, monkeypatch):
    path = library.make()
    first, second = (library.propose(path, {"mood": [mood]}) for mood in ("happy", "sad"))
    seal = safesave.Copy.seal
    outcomes = []

    def meanwhile(copy: safesave.Copy) -> None:
        monkeypatch.setattr(safesave.Copy, "seal", seal)
        other = threading.Thread(target=lambda: outcomes.append(library.apply(second)))
        other.start()
        time.sleep(0.1)  # the other now waits for the lock, or has found nothing locked
        meanwhile.other = other
        seal(copy)

    monkeypatch.setattr(safesave.Copy, "seal", meanwhile)
    assert library.apply(first).status == "written"
    meanwhile.other.join()
    assert isinstance(outcomes[0].error, ChangedError) and "mood" in str(outcomes[0].error)
    assert LAYOUT.open(path).get("mood") == ["happy"]


@pytest.mark.parametrize("harm", ["audio", "foreign", "field"])
def test_an_edit_that_does_harm_never_reaches_the_file(library, monkeypatch, harm):
    path = library.make("flac")
    data = path.read_bytes()
    change = library.propose(path)
    tags = type(LAYOUT.open(path))
    save = tags.save

    def harmful(self) -> None:
        save(self)
        temp = Path(self._path)
        if harm == "audio":
            temp.write_bytes(temp.read_bytes()[:-1] + b"\0")
        elif harm == "foreign":
            temp.write_bytes(temp.read_bytes().replace(b"Satie", b"Satan"))
        else:
            temp.write_bytes(temp.read_bytes().replace(b"happy", b"sappy"))

    monkeypatch.setattr(tags, "save", harmful)
    outcome = library.apply(change)
    assert outcome.status == "failed" and isinstance(outcome.error, SaveError)
    assert "would have changed" in str(outcome.error)
    assert path.read_bytes() == data and library.names() == {path.name}


@pytest.mark.parametrize("kind", ["mka", "mp3_id3v22"])
def test_a_kind_that_tagkit_never_writes_is_skipped_with_the_reason(library, kind):
    path = library.make(kind, foreign=False)
    like = library.propose(library.make("mp3", seed=5))
    change = FileChange(path, "other", 1, 1, content_key(path), like.changes)
    outcome = library.apply(change)
    assert outcome.status == "skipped" and isinstance(outcome.error, NoWriterError)
    assert outcome.error.path == str(path)


def test_temporary_files_of_dead_runs_go_those_of_living_ones_stay(library):
    path = library.make()
    dead, fd = tempfiles.create(library.music)
    os.close(fd)
    living, held = tempfiles.create(library.music)
    users = [library.music / name for name in (".tagkit-notes.tmp", ".tagkit-0123.tmp", "a.tmp")]
    for file in users:
        file.write_text("mine")
    trap = library.music / ".tagkit-0123456789abcdef.tmp"
    trap.symlink_to(users[0])
    library.tag(path)
    assert not dead.exists() and living.exists() and trap.is_symlink()
    assert all(file.read_text() == "mine" for file in users)
    os.close(held)
    assert tempfiles.sweep(library.music) == [living]


def test_a_temporary_file_cannot_be_taken_for_music_or_read_by_others(tmp_path):
    path, fd = tempfiles.create(tmp_path)
    os.close(fd)
    assert path.name.startswith(".") and path.suffix == ".tmp"
    assert path.stat().st_mode & 0o777 == 0o600


def test_ctrl_c_during_the_copy_leaves_the_file_and_nothing_beside_it(library, monkeypatch):
    path = library.make()
    data = path.read_bytes()

    def interrupted(*_):
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(safesave, "_fill", interrupted)
    with pytest.raises(KeyboardInterrupt):
        library.tag(path)
    assert path.read_bytes() == data and library.names() == {path.name}


def test_ctrl_c_during_the_replace_waits_until_it_is_finished_and_recorded(library, monkeypatch):
    path = library.make()

    def interrupted(one, other):
        signal.raise_signal(signal.SIGINT)
        return exchange(one, other)

    monkeypatch.setattr(safesave, "exchange", interrupted)
    with pytest.raises(KeyboardInterrupt):
        library.tag(path)
    assert LAYOUT.open(path).get("theme") == ["love"]
    assert [w.state for w in library.journal.history(path, content_key(path))] == ["done"]


def test_a_file_name_that_is_no_text_is_written_like_any_other(library):
    path = library.music / os.fsdecode(b"\xff\xfe caf\xe9.mp3")
    library.make().rename(path)
    assert library.tag(path).status == "written"
    assert library.undo(path).status == "written"


def test_without_its_journal_nothing_is_written(library):
    path = library.make()
    data = path.read_bytes()
    change = library.propose(path)
    run = library.journal.begin("tag", command=[], version="0")
    library.journal._db.run("DROP TABLE writes")
    with pytest.raises(Exception, match="writes"):
        Writer(library.journal, run, LAYOUT.open).apply(change)
    assert path.read_bytes() == data and library.names() == {path.name}


LOOP = """
import sys
from pathlib import Path
from tests.test_writer import LAYOUT, Library, Writer
library = Library(Path(sys.argv[1]))
files = sorted(library.music.glob("[!.]*"))
run = library.journal.begin("tag", command=[], version="0", settings=LAYOUT.settings())
writer = Writer(library.journal, run, LAYOUT.open)
print("ready", flush=True)
for turn in range(10**6):
    for path in files:
        assert writer.apply(library.propose(path, {"mood": [f"mood {turn}"]})).error is None
        print("written", flush=True)
"""


def test_killed_at_any_moment_every_file_is_whole_and_the_journal_knows(library, tmp_path):
    files = [library.make(kind) for kind in ("mp3_id3v23", "flac", "m4a", "wav")]
    audio = {path: audio_digest(path) for path in files}
    foreign = {path: LAYOUT.open(path).foreign() for path in files}
    argv = [sys.executable, "-c", LOOP, str(tmp_path)]
    for written, delay in enumerate((0.0, 0.002, 0.005, 0.01, 0.02)):
        with subprocess.Popen(
            argv, stdout=subprocess.PIPE, cwd=Path(__file__).parents[1]
        ) as process:
            assert process.stdout.readline() == b"ready\n"
            for _ in range(written):  # so far at least, however slow the machine is
                assert process.stdout.readline() == b"written\n"
            time.sleep(delay)  # and then at some moment of the next
            process.kill()
        library.settle()
        assert library.journal.unsettled() == []
        for path in files:
            tags = LAYOUT.open(path)
            assert audio_digest(path) == audio[path] and tags.foreign() == foreign[path]
            history = library.journal.history(path, content_key(path))
            last = {c.field: list(c.new) for c in history[0].changes} if history else {"mood": []}
            assert tags.get("mood") == last["mood"]
    tempfiles.sweep(library.music)
    assert library.names() == {path.name for path in files}
    assert any(run.files for run in library.journal.runs())
