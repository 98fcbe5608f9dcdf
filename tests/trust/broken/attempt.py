"""One file through every layer, as a run and an undo take it, and whether it ended as promised."""

from __future__ import annotations

import contextlib
import hashlib
import io
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import mutagen
from mutagen.apev2 import APEv2
from mutagen.id3 import ID3

from tagkit.errors import AudioError, NoWriterError, TagError, TagkitError
from tagkit.library.containers import TagFile, open_tags
from tagkit.library.fields import DEFAULTS
from tagkit.library.layout import Layout
from tagkit.library.origin import read_origin
from tagkit.library.payload import audio_digest, content_key, sniff
from tagkit.library.policy import PolicyOptions, Stamp, propose
from tagkit.library.runs.journal import Journal
from tagkit.library.runs.undo import last_write, reversal
from tagkit.library.writer import Writer

WANTED = {"mood": ["happy", "calm"], "theme": ["film"], "instrument": ["piano"], "genre": ["pop"]}
_OURS = re.compile("mood|tmoo|theme|instrument|gen|tcon|vocals|grp1|grouping|tagkit", re.IGNORECASE)
_NAMELESS = re.compile(r"^unknown\d+$")  # Vorbis comments, which mutagen counts
_AMBIGUOUS = 127  # bytes of an ID3 frame: readers disagree on a damaged size that is larger
SECONDS = 30  # a file that takes longer hangs


class Ended(NamedTuple):
    how: str  # tagged, skipped, failed, unchanged
    reason: str
    seconds: float


class Layers:
    """A journal with a run that writes and one that takes back; a context manager."""

    def __init__(self, folder: Path, wanted: Mapping[str, Sequence[str]] = WANTED) -> None:
        self._wanted = wanted
        self._journal = Journal(folder / "journal.sqlite")
        self._tag, self._undo = (self._writer(kind) for kind in ("tag", "undo"))

    def _writer(self, kind: Any) -> Writer:
        run = self._journal.begin(
            kind, command=["test"], version="1", model="m", settings=Layout().settings()
        )
        return Writer(self._journal, run, Layout().open)

    def __enter__(self) -> Layers:
        self._journal.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._journal.__exit__(*error)

    def take(self, path: Path) -> Ended:
        """Read, tag and undo a file. Raises AssertionError where it did not end as promised."""
        begun = time.process_time()  # another program may have the processor
        before = Fingerprint(path)
        how, reason = self._tagged(path)
        if how == "tagged":
            self._take_back(path)
        else:
            assert before == Fingerprint(path), f"{how}, and it is another file: {reason}"
            assert how == "unchanged" or reason
        seconds = time.process_time() - begun
        assert seconds < SECONDS, f"{seconds:.0f} s"
        return Ended(how, reason, seconds)

    def _tagged(self, path: Path) -> tuple[str, str]:
        try:
            sniff(path)
            key = content_key(path)
        except AudioError as error:
            return "failed", _reason(error, path)
        read_origin(path)
        try:
            tags = open_tags(path)
            options = PolicyOptions("add", "add")
            stamp = Stamp("1", "m")
            change = propose(path, tags, self._wanted, content=key, stamp=stamp, options=options)
            before = Seen.of(path, tags)
        except NoWriterError as error:
            return "skipped", _reason(error, path)
        except TagError as error:
            return "failed", _reason(error, path)
        outcome = self._tag.apply(change)
        if outcome.status != "written":
            reason = _reason(outcome.error, path) if outcome.error else ""
            return outcome.status, reason
        self._before, self._key = before, key
        after = Seen.of(path, open_tags(path))
        assert content_key(path) == key, "another content key"
        before.assert_kept(after)
        return "tagged", ""

    def _take_back(self, path: Path) -> None:
        write = last_write(self._journal, path, self._key)
        assert write is not None
        back = reversal(write, path, open_tags(path))
        assert not back.left
        outcome = self._undo.apply(back.change, reverts=write.id)
        assert outcome.status == "written", f"not taken back: {outcome.error}"
        now = Seen.of(path, open_tags(path))
        self._before.assert_kept(now)
        assert now.fields == self._before.fields


class Seen(NamedTuple):
    audio: str
    fields: dict[str, str]
    foreign: dict[str, bytes]
    others: dict[str, str]  # what another reader makes of the foreign tags

    @classmethod
    def of(cls, path: Path, tags: TagFile) -> Seen:
        fields = {name: tags.snapshot(name) for name in DEFAULTS}
        if path.stat().st_size > 1 << 34:  # larger than the disk has room for, so never written
            return cls(content_key(path), fields, {}, {})
        foreign, others = tags.foreign(), _by_mutagen(path, tags.container)
        # Where a size is wrong, the two may take different bytes for a field; then tagkit's view counts.
        agreed = len(others) <= sum("#" in name for name in foreign)
        return cls(audio_digest(path), fields, foreign, others if agreed else {})

    def assert_kept(self, after: Seen) -> None:
        """That all but tagkit's own fields is the same."""
        assert self.audio == after.audio
        assert self.foreign == after.foreign
        lost = self.others.items() - after.others.items()
        assert not lost, f"another reader misses {lost}"


# Of Monkey's Audio, WavPack and Musepack the tag alone: mutagen's look at a broken stream may never end.
_READERS: dict[str, tuple[Callable[[Path], Any], ...]] = {
    "mp3": (ID3, APEv2),
    "ape": (APEv2,),
    "wavpack": (APEv2,),
    "musepack": (APEv2,),
}


def _by_mutagen(path: Path, container: str) -> dict[str, str]:
    """Return what mutagen makes of the foreign tags; nothing of what it cannot read."""
    if path.stat().st_size > 1 << 20:  # it believes what a file declares
        return {}
    found = {}
    for reader in _READERS.get(container, (mutagen.File,)):
        with contextlib.suppress(Exception):
            read = reader(path)
            tags = read.tags if isinstance(read, mutagen.FileType) else read
            found |= {
                f"{type(tags).__name__}/{name}": repr(value)
                for name, value in (tags.items() if hasattr(tags, "items") else tags)
                if not _OURS.search(name)
                and not _NAMELESS.search(name)
                and not (isinstance(tags, ID3) and len(repr(value)) > _AMBIGUOUS)
            }
    return found


class Fingerprint:
    """A file to the byte; of large ones the beginning, the end and the size, not the holes."""

    def __init__(self, path: Path) -> None:
        found = path.stat()
        digest = hashlib.sha256()
        with path.open("rb") as file:
            if found.st_size <= 1 << 28:
                while block := file.read(1 << 20):
                    digest.update(block)
            else:
                digest.update(file.read(1 << 24))
                file.seek(-(1 << 24), io.SEEK_END)
                digest.update(file.read())
        self._all = digest.digest(), found.st_size, found.st_ino, found.st_mtime_ns

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Fingerprint) and self._all == other._all

    __hash__ = None  # type: ignore[assignment]


def _reason(error: TagkitError, path: Path) -> str:
    assert error.path == str(path), f"names {error.path}"
    assert error.message.strip()
    return error.message
