"""What a run that was killed left lying: found and removed by the next command, whatever that has to do."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tagkit.library.layout import Layout
from tagkit.library.payload import audio_digest, content_key
from tagkit.library.policy import Stamp, propose
from tagkit.library.runs import torn
from tagkit.library.runs.journal import Journal
from tagkit.library.runs.settle import open_journal
from tagkit.library.saving import inplace, tempfiles
from tagkit.library.saving.safesave import SaveOptions
from tagkit.library.writer import Writer
from tests import media

LAYOUT = Layout()


@pytest.fixture
def music(tmp_path: Path) -> Path:
    folder = tmp_path / "music"
    folder.mkdir()
    return folder


@pytest.fixture
def book(tmp_path: Path) -> Path:
    return tmp_path / "data" / "journal.sqlite"


def begin(journal: Journal) -> int:
    return journal.begin("tag", command=[], version="0", settings=LAYOUT.settings())


def die(journal: Journal) -> None:
    """End as a kill does: the kernel lets go of the locks, and nothing else is done."""
    for fd in journal._locks._held.values():
        os.close(fd)
    journal._locks._held.clear()
    journal.close()


def left_by_a_dead_run(book: Path, folder: Path) -> Path:
    journal = Journal(book)
    journal.note(begin(journal), folder)
    stray, fd = tempfiles.create(folder)
    os.close(fd)
    die(journal)
    return stray


def test_a_dead_runs_file_goes_where_nothing_is_written_any_more(music: Path, book: Path) -> None:
    stray = left_by_a_dead_run(book, music)
    assert stray.exists() and list(book.parent.glob("*.lock"))
    open_journal(book).close()
    assert list(music.iterdir()) == [] and list(book.parent.iterdir()) == [book]


def test_a_folder_that_is_away_is_swept_when_it_is_back(
    music: Path, book: Path, tmp_path: Path
) -> None:
    inner = music / "inner"
    inner.mkdir()
    left_by_a_dead_run(book, inner)
    music.rename(tmp_path / "unplugged")
    open_journal(book).close()
    assert list(book.parent.glob("*.lock"))
    (tmp_path / "unplugged").rename(music)
    open_journal(book).close()
    assert list(inner.iterdir()) == [] and list(book.parent.iterdir()) == [book]


def test_a_folder_that_was_deleted_is_forgotten(music: Path, book: Path) -> None:
    left_by_a_dead_run(book, music).unlink()
    music.rmdir()
    open_journal(book).close()
    assert list(book.parent.iterdir()) == [book]


def test_a_living_run_keeps_its_files_and_its_lock(music: Path, book: Path) -> None:
    with Journal(book) as living:
        run = begin(living)
        living.note(run, music)
        mine, fd = tempfiles.create(music)
        open_journal(book).close()
        assert mine.exists() and living.is_alive(run)
        os.close(fd)
        mine.unlink()
        living.finish(run)
    assert list(book.parent.iterdir()) == [book]


def test_what_a_run_could_not_remove_itself_goes_with_the_next(music: Path, book: Path) -> None:
    with Journal(book) as journal:
        run = begin(journal)
        journal.note(run, music)
        stray, fd = tempfiles.create(music)
        os.close(fd)
        journal.finish(run)
    open_journal(book).close()
    assert not stray.exists() and list(book.parent.iterdir()) == [book]


class Torn:
    """A file with two names that a run was overwriting when it died."""

    def __init__(self, music: Path, book: Path, cut: int = 1000) -> None:
        self.path = media.make(music / "a.mp3", "mp3", seconds=0.5, foreign=True)
        (music.parent / "other.mp3").hardlink_to(self.path)
        self.audio = audio_digest(self.path)
        key = content_key(self.path)
        wanted = {"mood": ["happy"]}
        change = propose(
            self.path, LAYOUT.open(self.path), wanted, content=key, stamp=Stamp("0", "m")
        )
        journal = Journal(book)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(inplace, "_overwrite", lambda _, source: self._tear(source, cut))
            writer = Writer(journal, begin(journal), LAYOUT.open, SaveOptions(through_links=True))
            assert writer.apply(change).status == "failed"
        die(journal)
        (self.redo,) = music.glob(".tagkit-*.redo")
        self.new = self.redo.read_bytes()
        assert self.path.read_bytes() != self.new

    def _tear(self, source: Path, cut: int) -> None:
        with self.path.open("r+b") as old:
            old.write(source.read_bytes()[:cut])
        raise OSError(5, "killed")

    def name(self, book: Path, redo: Path) -> None:
        """Have the journal name another copy."""
        with Journal(book) as journal:
            journal._db.run("UPDATE writes SET redo = ?", os.fsencode(redo))


def test_a_torn_file_is_made_whole(music: Path, book: Path) -> None:
    file = Torn(music, book)
    open_journal(book).close()
    assert file.path.read_bytes() == file.new and audio_digest(file.path) == file.audio
    assert list(music.iterdir()) == [file.path]


@pytest.mark.parametrize("where", ["secret", "elsewhere/.tagkit-0123456789abcdef.redo", "link"])
def test_no_other_file_is_put_over_one_whatever_the_journal_says(
    music: Path, book: Path, tmp_path: Path, where: str
) -> None:
    file = Torn(music, book)
    torn_bytes = file.path.read_bytes()
    (tmp_path / "elsewhere").mkdir()
    other = tmp_path / where
    if where == "link":
        other = music / ".tagkit-0123456789abcdef.redo"
        (tmp_path / "b.mp3").write_bytes(file.new)
        other.symlink_to(tmp_path / "b.mp3")
    else:
        other.write_bytes(file.new)
    file.name(book, other)
    open_journal(book).close()
    assert file.path.read_bytes() == torn_bytes
    assert os.path.lexists(other)


def test_a_copy_with_other_audio_is_put_over_nothing(music: Path, book: Path) -> None:
    file = Torn(music, book)
    torn_bytes, right = file.path.read_bytes(), LAYOUT.open(file.redo)
    media.make(file.redo, "mp3", seed=9)
    wrong = LAYOUT.open(file.redo)
    for field in ("mood", "tagkit"):
        wrong.restore(field, right.snapshot(field), right.get(field))
    wrong.save()
    open_journal(book).close()
    assert file.path.read_bytes() == torn_bytes and file.redo.exists()


def test_what_somebody_has_made_of_the_file_since_is_theirs(music: Path, book: Path) -> None:
    file = Torn(music, book)
    theirs = media.make(music.parent / "theirs.mp3", "mp3", seed=3).read_bytes()
    file.path.write_bytes(theirs)
    later = time.time() + 2 * torn.PATIENCE
    os.utime(file.path, (later, later))
    open_journal(book).close()
    assert file.path.read_bytes() == theirs and file.redo.exists()


def test_a_file_that_was_not_begun_or_is_whole_again_is_left_as_it_is(
    music: Path, book: Path
) -> None:
    file = Torn(music, book, cut=0)
    whole = media.make(music.parent / "again.mp3", "mp3", seconds=0.5, foreign=True).read_bytes()
    file.path.write_bytes(whole)  # as from a backup
    with open_journal(book) as journal:
        assert journal.unsettled() == []
    assert file.path.read_bytes() == whole and list(music.iterdir()) == [file.path]
