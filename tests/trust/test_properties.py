"""What holds whatever is done in whatever order: drawn sequences of writes, edits, undos, runs and kills.

All draws come from the seed of :mod:`tests.trust.size`; nothing is remembered between runs. Each example has
a folder of its own: the store knows a file by its path, size and time, and a path that is used again within
one tick of the clock would be another file with all three the same.
"""

from __future__ import annotations

import functools
import os
import struct
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

import mutagen
import numpy as np
import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from tagkit.engines import local
from tagkit.inference.ensemble import Ensemble
from tagkit.inference.ensemble import load as load_ensemble
from tagkit.inference.listening import Heard
from tagkit.inference.pipeline import Analysis, Task
from tagkit.library import deciding
from tagkit.library.change import FileChange
from tagkit.library.payload import PIECE, audio_digest, content_key
from tagkit.library.policy import Stamp, propose
from tagkit.library.runs.strip import strip
from tagkit.library.runs.undo import last_write, reversal
from tagkit.library.store import Store
from tagkit.thresholds import Options, decide
from tagkit.vocab import Tag
from tests import library as small_library
from tests import media, test_payload
from tests.test_writer import LAYOUT, Library
from tests.trust import size
from tests.trust.shelf import see

pytestmark = pytest.mark.timeout(0 if size.FULL else 300)

KINDS = st.sampled_from(media.WRITABLE)
TRIED: Counter[str] = Counter()


def drawn(ci: int, full: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Try a property so often, from our own seed, and leave nothing behind."""

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        limited = settings(
            max_examples=size.of(ci, full),
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        return seed(size.SEED)(limited(test))

    return decorate


@pytest.fixture(autouse=True)
def told(request: pytest.FixtureRequest) -> Iterator[None]:
    TRIED.clear()
    began = time.monotonic()
    yield
    size.tell(f"property: {request.node.originalname}", time.monotonic() - began, **TRIED)


@contextmanager
def fresh() -> Iterator[Path]:
    """Yield a folder that no other example has had; in memory where there is such a place."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        TRIED["examples"] += 1
        yield Path(folder)


@contextmanager
def one_file(kind: str) -> Iterator[tuple[Library, Path]]:
    with fresh() as folder:
        library = Library(folder)
        try:
            yield library, library.make(kind, seed=1)
        finally:
            library.journal.close()


# ------------------------------------------------------------------------- write, edit, undo

FIELDS = ("mood", "theme", "instrument", "genre")
OURS = st.dictionaries(
    st.sampled_from(FIELDS), st.lists(st.sampled_from(["happy", "calm", "sad"]), unique=True)
)
THEIRS = st.dictionaries(
    st.sampled_from(FIELDS), st.lists(st.sampled_from(["Zen", "Mine"]), unique=True), min_size=1
)
EXISTING = st.sampled_from(["keep", "add", "replace"])
GENRE = st.sampled_from(["off", "fill", "add"])
WRITE = st.tuples(st.just("write"), OURS, EXISTING, GENRE)
STEPS = st.lists(
    st.one_of(
        WRITE,
        st.tuples(st.just("edit"), THEIRS),
        st.tuples(st.just("undo")),
        st.tuples(st.just("strip")),
    ),
    min_size=1,
    max_size=7,
)


def write(library: Library, path: Path, wanted: Any, existing: str, genre: str) -> FileChange:
    change = library.propose(path, wanted or {"mood": []}, existing=existing, genre=genre)
    assert library.apply(change).status == ("written" if change.changes else "unchanged")
    return change


def edit(path: Path, values: dict[str, list[str]]) -> None:
    """Edit a file as its owner would, with another program."""
    tags = LAYOUT.open(path)
    for field, words in values.items():
        tags.set(field, words)
    tags.save()


def undo(library: Library, path: Path) -> bool:
    """Take the file's last write back as far as it goes; False where there is none."""
    last = last_write(library.journal, path, content_key(path))
    if last is None:
        return False
    change, _ = reversal(last, path, LAYOUT.open(path))
    if change.changes:
        assert library.apply(change, reverts=last.id).status == "written"
    else:
        library.journal.nothing_left(last.id)
    return True


def take_out(library: Library, path: Path) -> FileChange:
    key = content_key(path)
    remembered = library.journal.remembered(path, key)
    change = strip(path, LAYOUT.open(path), content=key, remembered=remembered)
    library.apply(change)
    return change


@drawn(60, 1000)
@given(KINDS, STEPS)
def test_what_is_written_can_be_taken_back_and_what_is_the_owners_stays(
    kind: str, steps: list[Any]
) -> None:
    """After any steps, undo until nothing is left gives each field to the byte as it was at first, or what
    its owner has last put there; the audio and all else never change.

    An edit that leaves a field as a write had left it cannot be told from none.
    """
    with one_file(kind) as (library, path):
        first = see(path)
        theirs: dict[str, tuple[str, ...]] = {}
        ours: dict[str, set[tuple[str, ...]]] = {field: set() for field in FIELDS}
        for what, *how in steps:
            TRIED[what] += 1
            if what == "write":
                for change in write(library, path, *how).changes:
                    ours.get(change.field, set()).add(change.new)
            elif what == "edit":
                before = {field: LAYOUT.open(path).get(field) for field in how[0]}
                edit(path, how[0])
                theirs |= {f: tuple(now) for f, now in how[0].items() if now != before[f]}
            elif what == "undo":
                undo(library, path)
            else:
                for change in take_out(library, path).changes:
                    ours.get(change.field, set()).add(change.new)
            now = see(path)
            assert (now.audio, now.foreign) == (first.audio, first.foreign)
        while undo(library, path):
            pass
        tags, last = LAYOUT.open(path), see(path)
        for field in (*FIELDS, "tagkit"):
            if field in theirs:
                assert tuple(tags.get(field)) == theirs[field] or theirs[field] in ours[field], (
                    field
                )
            else:
                assert last.fields[field] == first.fields[field], field


@drawn(60, 1000)
@given(KINDS, st.none() | THEIRS, OURS, EXISTING, GENRE)
def test_to_write_twice_is_to_write_once(
    kind: str, theirs: dict[str, list[str]] | None, wanted: Any, existing: str, genre: str
) -> None:
    """Neither the same decision nor the same plan changes one byte of the file a second time."""
    with one_file(kind) as (library, path):
        if theirs:
            edit(path, theirs)
        change = write(library, path, wanted, existing, genre)
        TRIED["written"] += bool(change.changes)
        before, there = path.read_bytes(), path.stat()
        again = library.propose(path, wanted or {"mood": []}, existing=existing, genre=genre)
        assert again.changes == ()
        assert library.apply(change).status == "unchanged"
        now = path.stat()
        assert path.read_bytes() == before
        assert (now.st_ino, now.st_mtime_ns) == (there.st_ino, there.st_mtime_ns)


# ------------------------------------------------------------------------------------ decide

TAGS = tuple(
    Tag(name, category)
    for category, names in {
        "mood": ("calm", "dark", "epic", "happy", "sad"),
        "theme": ("ballad", "film", "party"),
        "instrument": ("bass", "drums", "piano"),
    }.items()
    for name in names
)
UNIT = st.floats(0, 1, width=32)
EACH = st.lists(UNIT, min_size=len(TAGS), max_size=len(TAGS))
RAISES = st.lists(st.sampled_from([0, 0, 0.1, 0.3, 1]), min_size=len(TAGS), max_size=len(TAGS))
LIMITS = st.none() | st.integers(1, 3)


@drawn(200, 3000)
@given(EACH, EACH, RAISES, LIMITS, st.none() | st.fixed_dictionaries({"mood": st.integers(1, 3)}))
def test_raising_tags_own_thresholds_adds_none(
    said: list[float], card: list[float], raises: list[float], top_k: int | None, most: Any
) -> None:
    """Without a limit a raised threshold only takes tags away. With one (``top_k``, a model's most) a tag may
    move up, but only in a category that has lost one, which it then has no more of; with ``top_k`` alone
    only a tag that is less probable than the lost one."""
    TRIED["examples"] += 1
    higher = [min(1.0, own + more) for own, more in zip(card, raises, strict=True)]
    options = Options(top_k=top_k)
    before = {d.name: d for d in decide(TAGS, said, card, options, most)}
    after = {d.name: d for d in decide(TAGS, said, higher, options, most)}
    added = [after[name] for name in after.keys() - before.keys()]
    lost = [before[name] for name in before.keys() - after.keys()]
    if top_k is None and most is None:
        assert not added
    for category in {tag.category for tag in TAGS}:
        gone = [d for d in lost if d.category == category]
        new = [d for d in added if d.category == category]
        assert len(new) <= len(gone)
        if new and most is None:
            assert max(d.probability for d in new) <= max(d.probability for d in gone)
    for tag, own, need in zip(TAGS, said, higher, strict=True):
        assert tag.name not in after or np.float32(own) >= np.float32(need)


@drawn(200, 3000)
@given(EACH, EACH, st.tuples(UNIT, UNIT), LIMITS, st.sampled_from(["threshold", "min_confidence"]))
def test_raising_an_option_adds_none(
    said: list[float], card: list[float], ends: tuple[float, float], top_k: int | None, name: str
) -> None:
    """One threshold for all tags, or the least confidence: raised, with any limit, it only takes tags away. So
    does a smaller ``top_k``."""
    TRIED["examples"] += 1
    low, high = (
        {d.name for d in decide(TAGS, said, card, Options(**{name: value}, top_k=top_k))}
        for value in sorted(ends)
    )
    assert high <= low
    fewer, more = (
        {d.name for d in decide(TAGS, said, card, Options(top_k=count))}
        for count in (top_k or 2, (top_k or 2) + 1)
    )
    assert fewer <= more


# --------------------------------------------------------------------------------- the key

EDITABLE = st.sampled_from([kind for kind in media.WRITABLE if kind in test_payload.EDITABLE])
EDITS = st.one_of(
    st.tuples(st.just("tagkit"), OURS),
    st.tuples(st.just("mutagen"), test_payload.EDITS),
    st.tuples(st.just("removed")),
)


@drawn(60, 600)
@given(EDITABLE, st.lists(EDITS, min_size=1, max_size=4))
def test_no_tag_edit_changes_the_key(kind: str, edits: list[Any]) -> None:
    """Neither one of tagkit's nor one of mutagen's, in any order and format: what was heard is found again."""
    with one_file(kind) as (library, path):
        before = content_key(path), audio_digest(path)
        for what, *how in edits:
            TRIED[what] += 1
            if what == "tagkit":
                write(library, path, how[0], "replace", "fill")
            elif what == "mutagen":
                test_payload.edit(path, *how[0])
            else:
                mutagen.File(path).delete()
            assert (content_key(path), audio_digest(path)) == before, what


@drawn(80, 800)
@given(KINDS, st.integers(0, 1 << 30), st.integers(1, 255))
def test_any_changed_byte_of_the_audio_changes_the_key_of_a_small_file(
    kind: str, place: int, change: int
) -> None:
    """Up to 192 KiB the key is over all of the audio, behind any tags; the digest always is."""
    with one_file(kind) as (library, path):
        write(library, path, {"mood": ["happy"]}, "replace", "off")
        offsets = test_payload.audio_offsets(path, media.KINDS[kind].container)
        before, data = (content_key(path), audio_digest(path)), bytearray(path.read_bytes())
        data[offsets[place % len(offsets)]] ^= change
        path.write_bytes(data)
        assert audio_digest(path) != before[1]
        if len(offsets) <= 3 * PIECE:
            TRIED["small"] += 1
            assert content_key(path) != before[0]


@drawn(60, 600)
@given(st.integers(0, (1 << 19) - 1), st.integers(1, 255), st.integers(-3, 3))
def test_of_a_large_file_the_key_has_the_length_and_three_pieces(
    place: int, change: int, longer: int
) -> None:
    """And so it does not tell apart two files of one length that differ only between the pieces: re-mastered
    or cut audio differs everywhere, a bit that has rotted is for the digest to find."""
    with fresh() as folder:
        path = folder / "large.wav"
        samples = bytearray(np.random.default_rng(place).bytes(1 << 19))
        path.write_bytes(wav(samples))
        key, digest = content_key(path), audio_digest(path)
        samples[place] ^= change
        path.write_bytes(wav(samples))
        middle = (len(samples) - PIECE) // 2
        starts = (0, middle, len(samples) - PIECE)
        covered = any(start <= place < start + PIECE for start in starts)
        TRIED["covered" if covered else "between"] += 1
        assert (content_key(path) != key) == covered
        assert audio_digest(path) != digest
        if longer:
            path.write_bytes(wav(samples + bytes(longer) if longer > 0 else samples[:longer]))
            assert content_key(path) != key


def wav(samples: bytes | bytearray) -> bytes:
    """A WAV of bytes: 8 bits, mono."""
    chunk = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 8000, 8000, 1, 8)
    data = struct.pack("<4sI", b"data", len(samples)) + samples + bytes(len(samples) % 2)
    return struct.pack("<4sI4s", b"RIFF", 4 + len(chunk) + len(data), b"WAVE") + chunk + data


# ------------------------------------------------------------------------ the order of runs

FAT = 2 * 10**9  # nanoseconds
COUNT = 6  # files; the last two have the audio of the first
FILE = st.integers(0, COUNT - 1)
RUN = st.fixed_dictionaries(
    {
        "files": st.lists(FILE, min_size=1, max_size=COUNT, unique=True),
        "killed_after": st.none() | st.integers(0, COUNT),
        "failing": st.sets(FILE, max_size=2),
        "passing": st.booleans(),
        "retry": st.booleans(),
    }
)
CHANGE = st.one_of(
    st.tuples(st.just("audio"), FILE, st.integers(0, 9)),
    st.tuples(st.just("tags"), FILE),
    st.tuples(st.just("moved"), FILE, FILE),
)
CALLS = st.lists(st.tuples(st.just("run"), RUN) | CHANGE, min_size=1, max_size=8)


class Listener:
    """Stands in for decoders and networks: what is heard in a file is drawn from its audio."""

    failing: ClassVar[frozenset[str]] = frozenset()
    passing = False

    def __init__(self, *_: object) -> None:
        pass

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def start(self) -> None:
        pass

    def analyse(self, tasks: Iterable[Task]) -> Iterator[Analysis]:
        for path, wanted in tasks:
            digest = audio_digest(path)
            if digest in self.failing:
                yield Analysis(path, 0.0, {}, "cannot be decoded", self.passing)
                continue
            random = np.random.default_rng(list(bytes.fromhex(digest)))
            said = random.uniform(0.05, 0.95, len(small_library.TAGS)).astype(np.float32)
            yield Analysis(path, 1.0, {model: Heard(said, said[:2]) for model in wanted}, None)


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tagkit.audio.workers.Workers", Listener)
    monkeypatch.setattr("tagkit.inference.pipeline.Analyser", Listener)
    monkeypatch.setattr(local, "load", lambda *_: None)
    monkeypatch.setattr(local, "_nothing_is_garbage", nullcontext)


@pytest.mark.usefixtures("listener")
@drawn(60, 800)
@given(CALLS, st.booleans())
def test_any_order_of_runs_ends_in_the_same_state(calls: list[Any], coarse: bool) -> None:
    """Runs over any of the files in any order, some killed, some with failures, files changed between them at
    once: after a last run over all, what is decided and written is what one run over the files as they are
    decides and writes.

    ``coarse``: as on a disk that knows times to two seconds (FAT). There the store cannot tell that two
    files of one size and time have changed their names; a write does (``Store.doubt``).
    """
    with fresh() as folder:
        ensemble = load_ensemble([str(small_model(folder))])
        files = [folder / "music" / f"{number}.mp3" for number in range(COUNT)]
        files[0].parent.mkdir()
        for number, path in enumerate(files):
            put(path, number % (COUNT - 2), coarse)
        with Store(folder / "store.sqlite") as store:
            for what, *how in calls:
                TRIED[what] += 1
                if what == "run":
                    run(store, ensemble, files, how[0])
                elif what == "audio":
                    put(files[how[0]], how[1], coarse)
                elif what == "tags":
                    edit(files[how[0]], {"mood": ["Zen"]})
                elif not coarse:
                    swap(*(files[number] for number in how))
            found = finish(store, ensemble, files)
        with Store(folder / "fresh.sqlite") as store:
            assert found == finish(store, ensemble, files)


@functools.cache
def model() -> bytes:
    with fresh() as folder:
        return small_library.small_model(folder / "small.safetensors").read_bytes()


def small_model(folder: Path) -> Path:
    path = folder / "small.safetensors"
    path.write_bytes(model())
    return path


def put(path: Path, number: int, coarse: bool) -> None:
    """Another recording in place of the file's, of the same size."""
    path.write_bytes(media.make(path.parent.parent, "mp3", seconds=0.1, seed=number).read_bytes())
    if coarse:
        now = path.stat().st_mtime_ns
        os.utime(path, ns=(now, now - now % FAT))


def swap(one: Path, other: Path) -> None:
    aside = one.with_name("aside")
    one.rename(aside)
    if one != other:
        other.rename(one)
    aside.rename(other)


def run(store: Store, ensemble: Ensemble, paths: list[Path], how: dict[str, Any]) -> None:
    chosen = [paths[number] for number in how["files"]]
    failing = frozenset(audio_digest(paths[number]) for number in how["failing"])
    Listener.failing, Listener.passing = failing, how["passing"]
    heard = local.analyse(store, ensemble, chosen, retry=how["retry"])
    for _ in islice(heard, how["killed_after"]):
        pass
    heard.close()  # type: ignore[attr-defined]


def finish(store: Store, ensemble: Ensemble, files: list[Path]) -> list[Any]:
    """Hear what is left, decide, and propose what is to be written."""
    Listener.failing = frozenset()
    done = list(local.analyse(store, ensemble, files, retry=True))
    assert sorted(item.path for item in done) == files and not any(item.error for item in done)
    decided = list(deciding.decide(store, ensemble, files, Options()))
    assert [track.path for track in decided] == files
    return [
        (
            track.path.name,
            track.content,
            content_key(track.path),
            track.duration,
            track.probabilities.tolist(),
            propose(
                track.path,
                LAYOUT.open(track.path),
                {"mood": [d.name for d in track.decisions if d.category == "mood"]},
                content=track.content,
                stamp=Stamp("1", "small"),
            ).changes,
        )
        for track in decided
    ]
