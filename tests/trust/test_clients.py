"""Other programs at work on files that tagkit wrote: it knows its own values again, and takes no one else's.

Picard (its own code for formats), beets, Kid3 and TagLib save files of every format, as their users do; then
tagkit follows a new decision, strips, and undoes. What is not installed is skipped.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from mutagen.id3 import ID3

from tagkit.library.change import FileChange
from tagkit.library.containers import TagFile, TagOptions, open_tags
from tagkit.library.layout import Layout, load_layout
from tagkit.library.payload import audio_digest, content_key
from tagkit.library.runs.strip import strip
from tagkit.library.runs.undo import last_write, reversal
from tests import media, readers
from tests.readers import beets, kid3, picard, taglib
from tests.test_writer import LAYOUT, Library
from tests.trust import size
from tests.trust.shelf import Shelf

WANTED = {
    "mood": ("happy", "calm"),
    "theme": ("film", "love"),
    "instrument": ("piano", "harp"),
    "vocals": ("voice", "choir"),
    "genre": ("jazz", "rock"),
    "probability:mood": ("happy=0.83", "calm=0.40"),
}
OURS = tuple(field for field in WANTED if field != "genre")
JOBS = ("follow", "strip", "undo")
TITLE = "New"
EDIT = {"title": [TITLE]}
SAVES: dict[str, Callable[[list[Path], Path], None]] = {
    "picard": lambda paths, _: picard.save(paths, edits=EDIT),
    "picard-id3v23": lambda paths, _: picard.save(paths, {"write_id3v23": True}, EDIT),
    "picard-clearing": lambda paths, _: picard.save(paths, {"clear_existing_tags": True}, EDIT),
    "kid3": lambda paths, _: kid3.save(paths, TITLE),
    "taglib": lambda paths, _: taglib.save(paths, TITLE),
    "beets": lambda paths, home: beets_saves(paths, home, ""),
    "beets-id3v23": lambda paths, home: beets_saves(paths, home, "id3v23: yes\n"),
}


def beets_saves(paths: list[Path], home: Path, settings: str) -> None:
    beet = beets.Beets(home, settings)
    beet.take(paths[0].parent)
    beet("modify", "-y", "-w", f"title={TITLE}")
    beet("write", "-f")


class Saved:
    """Files of every kind, one for each job, that tagkit wrote and a client saved since."""

    def __init__(self, folder: Path, save: Callable[[list[Path], Path], None]) -> None:
        self.library = Library(folder)
        numbers = {job: number for number, job in enumerate(JOBS)}
        self.files = {
            (kind, job): self.library.make(kind, seed=numbers[job])
            for kind in media.WRITABLE
            for job in JOBS
        }
        paths = list(self.files.values())
        self.genres = {path: open_tags(path).get("genre") for path in paths}
        for path in paths:
            change = self.library.propose(path, WANTED, genre="fill")
            assert self.library.apply(change).status == "written"
        heard = {path: (audio_digest(path), content_key(path)) for path in paths}
        written = {path: path.read_bytes() for path in paths}
        save(paths, folder / "home")
        assert heard == {path: (audio_digest(path), content_key(path)) for path in paths}
        same = [path for path in paths if path.read_bytes() == written[path]]
        assert {path.suffix for path in same} <= {".oga"}  # beets knows no Ogg FLAC

    def of(self, job: str) -> Iterator[tuple[str, Path]]:
        return ((kind, path) for (kind, found), path in self.files.items() if found == job)

    def apply(self, change: FileChange) -> TagFile:
        """Write it, and see that of everything else nothing is different."""
        before = open_tags(change.path).foreign()
        assert self.library.apply(change).status in ("written", "unchanged")
        tags = open_tags(change.path)
        assert tags.foreign() == before
        return tags


@pytest.fixture(scope="module", params=SAVES)
def saved(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    begun = time.monotonic()
    found = Saved(tmp_path_factory.mktemp(request.param), SAVES[request.param])
    yield found
    found.library.journal.close()
    seconds = time.monotonic() - begun
    size.tell(f"files that {request.param} saved", seconds, files=len(found.files))


def test_a_new_decision_replaces_what_the_client_saved(saved: Saved) -> None:
    wanted = {"mood": ("dark", "sad"), "theme": (), "instrument": ("organ",)}
    for kind, path in saved.of("follow"):
        change = saved.library.propose(path, wanted)
        assert change.kept == (), kind
        tags = saved.apply(change)
        found = {field: tuple(tags.get(field)) for field in wanted}
        assert found == wanted, kind
        assert tags.get("probability:mood") == []
        assert saved.library.propose(path, wanted).changes == (), kind


def test_strip_takes_out_what_the_client_saved(saved: Saved) -> None:
    for kind, path in saved.of("strip"):
        key = content_key(path)
        remembered = saved.library.journal.remembered(path, key)
        change = strip(path, LAYOUT.open(path), content=key, remembered=remembered)
        tags = saved.apply(change)
        assert (change.kept, [tags.get(field) for field in OURS]) == ((), [[]] * len(OURS)), kind
        assert tags.get("tagkit") == []
        assert bool(tags.get("genre")) == bool(saved.genres[path]), kind


def test_undo_takes_back_what_the_client_saved(saved: Saved) -> None:
    for kind, path in saved.of("undo"):
        write = last_write(saved.library.journal, path, content_key(path))
        assert write is not None
        change, left = reversal(write, path, LAYOUT.open(path))
        gone = {
            field for field in WANTED if not open_tags(path).get(field)
        }  # cleared by the client
        assert set(left) <= gone, kind
        tags = saved.apply(change)
        assert [tags.get(field) for field in OURS] == [[]] * len(OURS), kind
        assert bool(tags.get("genre")) == bool(saved.genres[path]), kind


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    library = Library(tmp_path)
    yield library
    library.journal.close()


def written(library: Library, kinds: Sequence[str], wanted: Mapping[str, Sequence[str]] = WANTED):
    paths = [library.make(kind) for kind in kinds]
    for path in paths:
        assert library.tag(path, wanted).status == "written"
    return paths


def is_the_users(library: Library, path: Path, mood: list[str]) -> bool:
    """Whether tagkit keeps the mood, and leaves it where it strips and undoes the rest."""
    kept = library.propose(path, {"mood": ("dark",)}).kept
    key = content_key(path)
    change = strip(path, LAYOUT.open(path), content=key, remembered=None)
    assert library.apply(change).status == "written"
    return kept == ("mood",) and change.kept == ("mood",) and open_tags(path).get("mood") == mood


KINDS = ("mp3_id3v24", "mp3_id3v23", "flac", "opus", "m4a", "wavpack", "wma", "dsf")


@pytest.mark.parametrize("id3v23", [False, True])
@pytest.mark.parametrize("mood", [["happy", "calm", "Zen"], ["happy"], ["calm", "happy"]])
def test_a_mood_that_was_edited_in_picard_is_the_users(
    library: Library, mood: list[str], id3v23: bool
) -> None:
    paths = written(library, KINDS)
    picard.save(paths, {"write_id3v23": id3v23}, edits={"mood": mood})
    for kind, path in zip(KINDS, paths, strict=True):
        joined = "/".join(mood)
        is_id3 = kind in ("mp3_id3v24", "mp3_id3v23", "dsf")
        expected = [joined] if id3v23 and is_id3 else mood
        assert is_the_users(library, path, expected), kind


def test_a_mood_that_was_edited_in_beets_is_the_users(library: Library) -> None:
    paths = written(library, KINDS)
    beet = beets.Beets(library.music.parent / "home")
    beet.take(library.music)
    beet("modify", "-y", "-w", "mood:calm", "mood=happy; Zen")
    for kind, path in zip(KINDS, paths, strict=True):
        assert is_the_users(library, path, ["happy", "Zen"]), kind


@pytest.mark.parametrize("save", ["picard", "picard-id3v23", "beets", "kid3", "taglib"])
def test_a_mood_in_both_places_of_id3v24_stays_one_mood(library: Library, save: str) -> None:
    """--also-txxx, for foobar2000 and MusicBee."""
    layout = Layout(options=TagOptions(also_txxx=True))
    path = library.make("mp3_id3v24")
    change = library.propose(path, {"mood": ("happy", "calm")}, layout=layout)
    tags = layout.open(path)
    for field, _, new, _ in change.changes:
        tags.set(field, new)
    tags.save()
    assert moods(path) == {"TMOO", "TXXX:MOOD"}
    SAVES[save]([path], library.music.parent / "home")
    assert library.propose(path, {"mood": ("dark",)}).kept == ()
    stripped = strip(path, LAYOUT.open(path), content=content_key(path), remembered=None)
    assert library.apply(stripped).status == "written" and stripped.kept == ()
    assert not moods(path)


def moods(path: Path) -> set[str]:
    return {name for name in ID3(path) if name.casefold() in ("tmoo", "txxx:mood")}


def test_what_ffmpeg_copies_is_tagkits_where_it_joins_and_the_users_where_it_drops(
    library: Library,
) -> None:
    """One value of two is an edit, whoever made it."""
    paths = written(library, ("flac", "opus", "mp3_id3v24", "wavpack"))
    for path in paths:
        copy = path.with_name(f"copy{path.suffix}")
        readers.run(
            *(readers.program("ffmpeg"), "-v", "error", "-nostdin", "-i", path, "-map", "0:a"),
            *("-c", "copy", "-progress", "-", copy),
        )
        copy.replace(path)
    kept = [library.propose(path, {"mood": ("dark",)}).kept for path in paths]
    assert kept == [(), (), ("mood",), ("mood",)]


def test_a_mood_of_the_users_comes_back_into_a_tag_that_picard_made_id3v23(
    library: Library,
) -> None:
    """The bytes that the journal keeps are of ID3v2.4; its values are what matters then."""
    (path,) = written(library, ["mp3_id3v24"], {"theme": ("film",)})
    picard.save([path], edits={"mood": ["Zen / slow"]})
    change = library.propose(path, WANTED, existing="replace")
    assert library.apply(change).status == "written"
    assert open_tags(path).get("mood") == ["happy", "calm"]
    picard.save([path], {"write_id3v23": True})
    assert library.undo(path).status == "written"
    assert open_tags(path).get("mood") == ["Zen / slow"]


def test_picards_own_mood_of_id3v23_stays_picards(library: Library, tmp_path: Path) -> None:
    """Its TXXX:mood is the mood; tagkit adds to it under that name, and writes it where it is told to."""
    path, new = library.make("mp3_id3v24"), library.make("mp3_id3v23", seed=1)
    picard.save([path], {"write_id3v23": True}, edits={"mood": ["Zen"]})
    change = library.propose(path, {"mood": ("calm",)}, existing="add")
    assert library.apply(change).status == "written"
    (tmp_path / "fields.toml").write_text(beets.printed("picard-fields"))
    tags = load_layout(tmp_path / "fields.toml").open(new)
    tags.set("mood", ["calm"])
    tags.save()
    shown = picard.names([path, new])
    assert [found.get("mood") for found in shown] == [["Zen; calm"], ["calm"]]
    assert not any("MOOD" in found for found in shown)


def test_a_beets_library_finds_the_moods_that_tagkit_wrote(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.hear()
    done = shelf.run(*shelf.tag("--write"))
    assert done.returncode == 0, done.stderr
    beet = beets.Beets(tmp_path / "listener")
    beet.take(shelf.music)
    known = beet.files()
    assert {path.suffix for path in set(shelf.files) - known} == {".oga"}  # beets knows no Ogg FLAC
    front = {path for path in known if "flac_id3" in path.name}  # nor ID3 in front of FLAC
    for field in ("mood", "theme", "instrument"):
        for value in {value for path in known for value in open_tags(path).get(field)}:
            expected = {path for path in known if value in open_tags(path).get(field)}
            assert beet.files(f"{field}:{value}") == expected - front, value
    for line in beets.printed("beets-commands").splitlines():
        beet(*shlex.split(line.replace("mood:calm", "mood:happy"))[1:])

    assert shelf.run("undo").returncode == 0
    beet("update")
    assert beet.files("mood:happy") == set() and beet.files() == known
