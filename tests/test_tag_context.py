"""``tagkit tag --context``: what artist and album say of a track, by the files' own tags and folders.

The command and the files are real. What was heard in them is put into the store by hand where figures
are to be worked by hand: the small model says nearly the same of everything.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from tagkit.cli.main import app
from tagkit.inference import ensemble
from tagkit.library import neighbours
from tagkit.library.containers import open_tags
from tagkit.library.store import Store, default_path
from tagkit.weights import bundle
from tests import library, media, people
from tests.people import Who

pytestmark = pytest.mark.usefixtures("home")

#: As much as the ensemble of these tests lets artist and album say.
ARTIST, ALBUM = 0.2, 0.3
OWN = 1 - ARTIST - ALBUM

ODE, SUN, HITS = (Who("Ann", "", title) for title in ("Ode", "Sun", "Hits"))


@pytest.fixture
def together(tmp_path: Path, model: Path) -> Path:
    return shares(tmp_path / "together.toml", model)


def shares(path: Path, model: Path, more: str = "", head: str = "") -> Path:
    path.write_text(
        f'members = ["{model.name}"]\n{head}\n[context]\nartist = {ARTIST}\nalbum = {ALBUM}\n{more}'
    )
    return path


def tag(*arguments: object, **options: Any) -> Result:
    done = CliRunner().invoke(app, ["tag", *map(str, arguments)], **options)
    assert "Traceback" not in done.output
    return done


def said(*arguments: object, of: str = "happy") -> dict[str, float]:
    """File name -> the probability that the command says."""
    everything = ("--all-tags", "--format", "jsonl")
    done = tag(*arguments, *everything)
    assert done.exit_code == 0, done.output
    rows = map(json.loads, done.stdout.splitlines())
    return {Path(row["path"]).name: row["probabilities"][of] for row in rows}


_seed = iter(range(1000, 100_000))


def track(path: Path, who: Who = Who(), kind: str = "flac") -> Path:
    """A new recording; its format's suffix is added to the name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path = path.with_name(path.name + media.KINDS[kind].suffix)
    media.make(path, kind, seconds=0.2, seed=next(_seed))
    return people.sign(path, kind, who) if who != Who() else path


def heard(model: Path, tracks: Mapping[Path, float | tuple[float, ...]]) -> None:
    """Put into the store what the model heard: one probability for all tags, or one a tag."""
    with Store(default_path()) as store:
        voice = ensemble.load([str(model)])
        (name,) = voice.model_ids(16)
        store.add_model(name, "small", voice.members[0].card.tags)
        for look in store.look(tracks, [name]):
            assert look.key is not None
            values = np.broadcast_to(tracks[look.path], len(library.TAGS))
            store.record(look.key, {name: (values, None)}, duration=1.0)


def close(**figures: float) -> Any:
    return pytest.approx({f"{name}.flac": value for name, value in figures.items()}, abs=1e-4)


def state(folder: Path) -> dict[Path, tuple[int, bytes]]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


# ------------------------------------------------------------------------------- what it says


def test_artist_album_and_none_worked_by_hand(model: Path, together: Path, music: Path) -> None:
    heard(
        model,
        {
            track(music / "Ode" / "a", ODE): 0.1,
            track(music / "Ode" / "b", ODE): 0.3,
            track(music / "Sun" / "c", SUN): 0.8,
            track(music / "Sun" / "d", Who("Bob", "", "Sun")): 0.5,
        },
    )
    ann, ode = (0.1 + 0.3 + 0.8) / 3, 0.2
    both = close(
        a=OWN * 0.1 + ARTIST * ann + ALBUM * ode,
        b=OWN * 0.3 + ARTIST * ann + ALBUM * ode,
        c=(OWN + ALBUM) * 0.8 + ARTIST * ann,
        d=0.5,  # an album of the same name by somebody else is another album
    )
    assert said(music, "--model", together) == both
    assert said(music, "--model", together, "--context", "artist") == both
    album = close(a=0.7 * 0.1 + ALBUM * ode, b=0.7 * 0.3 + ALBUM * ode, c=0.8, d=0.5)
    assert said(music, "--model", together, "--context", "album") == album
    alone = close(a=0.1, b=0.3, c=0.8, d=0.5)
    assert said(music, "--model", together, "--context", "none") == alone
    assert said(music, "--model", model) == alone, "an ensemble without shares smooths nothing"
    done = tag(music, "--model", together)
    assert "3 smoothed" in done.stderr and "analysed" not in done.stderr


def test_what_gets_no_tag_by_itself_gets_none_from_its_album(
    model: Path, tmp_path: Path, music: Path
) -> None:
    """An album's spoken interlude stays one."""
    cuts = "".join(f"{name} = 0.5\n" for name in library.TAGS)
    more = f"[context.thresholds]\nhappy = 0.2\n[thresholds]\n{cuts}"
    album = shares(tmp_path / "cuts.toml", model, more)
    heard(model, {track(music / "a", ODE): 0.1, track(music / "b", ODE): 0.9})
    # 0.5 · 0.1 + 0.5 · 0.5 = 0.3 would be more than the 0.2 that smoothed tracks need.
    assert said(music, "--model", album) == close(a=0.1, b=0.7)
    rows = map(json.loads, tag(music, "--model", album, "--format", "jsonl").stdout.splitlines())
    assert [bool(row["tags"]) for row in rows] == [False, True]


def sharpened(model: Path, music: Path) -> Path:
    """The model with a calibration that makes much of the little by which it tells tracks apart."""
    said(music, "--model", model)
    with Store(default_path()) as store:
        (name,) = ensemble.load([str(model)]).model_ids(16)
        heard = [s.results[name] for s in store.read(sorted(music.iterdir()), [name])]
    logits = np.log(heard) - np.log1p(-np.array(heard))
    scale = 2 / logits.std(0)
    known = bundle.load(model)
    pairs = tuple(zip(scale.tolist(), (-scale * logits.mean(0)).tolist(), strict=True))
    sharp = replace(known.card, calibration=pairs)
    bundle.save(model, sharp, known.model, known.front_end)
    return model


def test_every_format_and_real_listening(model: Path, together: Path, music: Path) -> None:
    kinds = ["flac", "ogg", "opus", "mp3", "mp3_id3v22", "mp3_id3v23", "m4a", "wma", "wavpack"]
    kinds += ["wav", "aiff", "dsf", "musepack"]
    paths = [track(music / kind, Who("Ann", "", "Ode"), kind) for kind in kinds]
    sharpened(model, music)
    alone = said(music, "--model", model, of="sad")
    found = said(music, "--model", together, of="sad")
    mean = sum(alone.values()) / len(paths)
    blended = {name: OWN * own + (ARTIST + ALBUM) * mean for name, own in alone.items()}
    assert found == pytest.approx(blended, abs=1e-4)
    assert max(alone.values()) - min(alone.values()) > 0.5, "the model tells them apart"
    assert f"{len(paths)} smoothed" in tag(music, "--model", together).stderr


def test_instruments_and_vocals_are_never_changed(tmp_path: Path, model: Path, music: Path) -> None:
    heard(
        model,
        {track(music / "a", ODE): 0.2, track(music / "b", ODE): 0.6},
    )
    low = shares(
        tmp_path / "low.toml",
        model,
        "[context.thresholds]\nhappy = 0.3\npiano = 0.1\nvocals = 0.1\n",
        "[thresholds]\nhappy = 0.5\npiano = 0.5\nvocals = 0.5\n",
    )
    for name in ("piano", "vocals"):
        assert said(music, "--model", low, of=name) == close(a=0.2, b=0.6)
    for name in ("happy", "sad", "film", "pop"):
        assert said(music, "--model", low, of=name) == close(a=0.3, b=0.5)
    # Nor do thresholds for smoothed probabilities hold for them.
    options = ("--model", low, "--categories", "mood,instrument,vocals", "--exclude", "sad")
    done = tag(music, *options)
    tags = [{t["tag"] for t in json.loads(line)["tags"]} for line in done.stdout.splitlines()]
    assert tags == [{"happy"}, {"happy", "piano", "vocals"}]


def test_thresholds_for_smoothed_tracks_hold_for_those_alone(
    tmp_path: Path, model: Path, music: Path
) -> None:
    heard(
        model,
        {
            track(music / "a", ODE): 0.4,
            track(music / "b", ODE): 0.4,
            track(music / "c", Who("Bob", "", "Ode")): 0.4,
        },
    )
    file = shares(
        tmp_path / "t.toml",
        model,
        "[context.thresholds]\nhappy = 0.3\n",
        "[thresholds]\nhappy = .5",
    )
    file.write_text(file.read_text().replace("= .5", "= 0.5"))

    def happy(*options: object) -> list[bool]:
        done = tag(music, "--model", file, "--include", "happy", *options)
        return [bool(json.loads(line)["tags"]) for line in done.stdout.splitlines()]

    assert happy() == [True, True, False]
    assert happy("--context", "none") == [False, False, False]


def test_what_is_shown_is_what_is_written(model: Path, together: Path, music: Path) -> None:
    (a, b) = (track(music / name, ODE, "mp3_id3v24") for name in "ab")
    heard(model, {a: 0.2, b: 0.6})
    options = ("--model", together, "--threshold", 0.28, "--probabilities")
    done = tag(music, *options, "--plan", music.parent / "plan.jsonl", "--format", "jsonl")
    assert [json.loads(line)["tags"][0]["probability"] for line in done.stdout.splitlines()] == [
        0.3,
        0.5,
    ]
    assert (
        "probability:mood: (none) → happy=0.30; sad=0.30"
        in tag(music, *options, "--dry-run").stdout
    )
    assert CliRunner().invoke(app, ["apply", str(music.parent / "plan.jsonl")]).exit_code == 0
    assert open_tags(a).get("probability:mood") == ["happy=0.30", "sad=0.30"]
    assert open_tags(a).get("instrument") == [], "its own piano is below the threshold"
    assert open_tags(b).get("instrument") == ["piano"]
    after = state(music)
    again = tag(music, *options, "--write")
    assert "2 unchanged" in again.stderr and state(music) == after


# ------------------------------------------------------------- all that the store knows speaks


def test_a_file_added_later_gets_what_it_would_have_got_with_the_others(
    model: Path, together: Path, music: Path, tmp_path: Path
) -> None:
    first, second = (track(music / "Ode" / name, ODE) for name in "ab")
    elsewhere = track(tmp_path / "Other" / "c", SUN)
    heard(model, {first: 0.1, elsewhere: 0.8})
    said(music, tmp_path / "Other", "--model", together)
    heard(model, {second: 0.3})
    alone = said(second, "--model", together)
    everything = said(music, tmp_path / "Other", "--model", together)
    assert alone == {"b.flac": everything["b.flac"]}
    # A store that met them all at once, in another order, says the same to the bit.
    again = tmp_path / "again.sqlite"
    with Store(again) as store:
        (name,) = ensemble.load([str(model)]).model_ids(16)
        store.add_model(name, "small", ensemble.load([str(model)]).members[0].card.tags)
        for look in store.look([elsewhere, second, first], [name]):
            values = {first: 0.1, second: 0.3, elsewhere: 0.8}[look.path]
            assert look.key is not None
            store.record(look.key, {name: ([values] * 6, None)}, duration=1.0)
    assert said(music, tmp_path / "Other", "--model", together, "--store", again) == everything


def test_a_second_run_with_nothing_changed_writes_nothing(together: Path, music: Path) -> None:
    paths = [track(music / "Ode" / kind, ODE, kind) for kind in ("flac", "mp3", "m4a", "wma")]
    options = ("--model", together, "--write", "--probabilities")
    assert f"{len(paths)} tagged" in tag(music, *options).stderr
    before = state(music)
    for inputs in ([music], paths[:1], reversed(paths)):
        done = tag(*inputs, *options)
        assert "unchanged" in done.stderr and "tagged" not in done.stderr
    assert state(music) == before


def test_deleted_moved_and_retagged_files_speak_as_they_are_now(
    model: Path, together: Path, music: Path
) -> None:
    a, b, c = (track(music / name, ODE) for name in "abc")
    heard(model, {a: 0.1, b: 0.3, c: 0.8})

    def blended(*company: float) -> Any:
        mean = sum(company) / len(company)
        return close(a=OWN * 0.1 + (ARTIST + ALBUM) * mean)

    assert said(a, "--model", together) == blended(0.1, 0.3, 0.8)
    c.unlink()  # nobody looks at the folder: it is asked for when it is to speak
    assert said(a, "--model", together) == blended(0.1, 0.3)
    (music / "Elsewhere").mkdir()
    b = b.rename(music / "Elsewhere" / "moved.flac")
    assert said(a, "--model", together) == close(a=0.1)
    tag(b, "--model", together)  # now the store knows where it is
    assert said(a, "--model", together) == blended(0.1, 0.3)
    people.sign(b, "flac", Who("Bob", "", "Other"))
    os.utime(b, ns=(5, 5))
    assert said(a, "--model", together) == close(a=0.1)


def test_changed_audio_does_not_speak_until_it_is_heard(
    model: Path, together: Path, music: Path
) -> None:
    a, b = (track(music / name, ODE) for name in "ab")
    heard(model, {a: 0.1, b: 0.3})
    shutil.copy(track(music / "new", ODE), b)
    os.utime(b, ns=(5, 5))
    assert said(a, "--model", together) == close(a=0.1)


def test_the_same_recording_speaks_once(model: Path, together: Path, music: Path) -> None:
    a, b = (track(music / name, ODE) for name in "ab")
    shutil.copy(a, music / "copy.flac")
    heard(model, {a: 0.1, b: 0.3})
    rest = (ARTIST + ALBUM) * 0.2
    figures = close(a=OWN * 0.1 + rest, b=OWN * 0.3 + rest, copy=OWN * 0.1 + rest)
    assert said(music, "--model", together) == figures
    b.unlink()
    assert said(music, "--model", together) == close(a=0.1, copy=0.1)
    assert "smoothed" not in tag(music, "--model", together).stderr


def test_ranks_are_among_the_tracks_of_the_run(tmp_path: Path, model: Path, music: Path) -> None:
    file = shares(tmp_path / "rank.toml", model, head='combine = "rank"')
    a, b, c = (track(music / name, ODE) for name in "abc")
    heard(model, {a: 0.1, b: 0.3, c: 0.8})
    rest = (ARTIST + ALBUM) * 2 / 3
    blended = close(a=OWN / 3 + rest, b=OWN * 2 / 3 + rest, c=OWN + rest)
    assert said(music, "--model", file) == blended
    assert said(a, "--model", file) == close(a=1)


# ------------------------------------------------------------------- compilations and folders


@pytest.mark.parametrize("kind", ["flac", "mp3_id3v23", "m4a", "wma"])
@pytest.mark.parametrize(
    ("album_artist", "flag"), [("Various Artists", False), ("VA", False), ("", True), ("", False)]
)
def test_a_compilation_does_not_bind_across_artists(
    model: Path, together: Path, music: Path, kind: str, album_artist: str, flag: bool
) -> None:
    suffix = media.KINDS[kind].suffix
    heard(
        model,
        {
            track(music / "Hits" / name, Who(artist, album_artist, "Hits", flag), kind): figure
            for name, artist, figure in (
                ("a1", "Ann", 0.1),
                ("a2", "Ann", 0.3),
                ("b", "Bob", 0.8),
                ("n", "", 0.9),
            )
        },
    )
    rest = (ARTIST + ALBUM) * 0.2
    figures = {"a1": OWN * 0.1 + rest, "a2": OWN * 0.3 + rest, "b": 0.8, "n": 0.9}
    found = said(music, "--model", together)
    assert found == pytest.approx({n + suffix: v for n, v in figures.items()}, abs=1e-4)


def test_the_album_artist_makes_it_one_album(model: Path, together: Path, music: Path) -> None:
    heard(
        model,
        {
            track(music / "a", Who("Ann", "Ann", "Ode")): 0.1,
            track(music / "b", Who("Ann & Bob", "Ann", "Ode")): 0.3,
            track(music / "c", Who("", "Ann", "Sun")): 0.8,  # the artist is the album's
        },
    )
    assert said(music, "--model", together) == close(
        a=OWN * 0.1 + ARTIST * 0.45 + ALBUM * 0.2,
        b=(OWN + ARTIST) * 0.3 + ALBUM * 0.2,
        c=(OWN + ALBUM) * 0.8 + ARTIST * 0.45,
    )


def test_without_tags_the_folder_stands_for_the_album(
    model: Path, together: Path, music: Path
) -> None:
    heard(
        model,
        {
            track(music / "one" / "a"): 0.1,
            track(music / "one" / "b"): 0.3,
            track(music / "one" / "c", ODE): 0.9,  # says where it belongs
            track(music / "one" / "deeper" / "d"): 0.8,
            track(music / "e"): 0.2,  # in the library's root is what was never sorted
            track(music / "f"): 0.4,
        },
    )
    bound = {"a": 0.7 * 0.1 + ALBUM * 0.2, "b": 0.7 * 0.3 + ALBUM * 0.2}
    figures = close(**bound, c=0.9, d=0.8, e=0.2, f=0.4)
    assert said(music, "--model", together) == figures
    # Whichever folder or file is named later, the library's root stays what it is.
    later = said(music / "one", music / "e.flac", "--model", together)
    assert later == close(**bound, c=0.9, d=0.8, e=0.2)
    assert said(music / "one" / "a.flac", "--model", together) == close(a=bound["a"])


def test_a_heap_is_no_album(
    model: Path, together: Path, music: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures = {"a": 0.1, "b": 0.3, "c": 0.8}
    heard(model, {track(music / "heap" / name): value for name, value in figures.items()})
    mean = ALBUM * 0.4
    bound = close(a=0.7 * 0.1 + mean, b=0.7 * 0.3 + mean, c=0.7 * 0.8 + mean)
    assert said(music, "--model", together) == bound
    monkeypatch.setattr(neighbours, "MOST_IN_FOLDER", 2)
    assert said(music, "--model", together) == close(a=0.1, b=0.3, c=0.8)


# ----------------------------------------------------------------- stores, options, accidents


def older(store: Path) -> None:
    """Make a store what it was before it knew whose a file is."""
    with sqlite3.connect(store) as db:
        db.executescript("DROP TABLE origins; DROP TABLE roots; PRAGMA user_version = 1;")
    db.close()


def test_a_store_of_the_former_schema_keeps_what_it_knows(
    model: Path, together: Path, music: Path
) -> None:
    a, b, c = (track(music / "Ode" / name, ODE) for name in "abc")
    heard(model, {a: 0.1, b: 0.3, c: 0.8})
    before = said(a, "--model", together)
    older(default_path())
    c.unlink()
    # b is not among the run's files, and its tag is read all the same.
    done = said(a, "--model", together)
    assert done == close(a=OWN * 0.1 + (ARTIST + ALBUM) * 0.2) != before
    assert "analysed" not in tag(music, "--model", together).stderr


def test_without_context_nobody_reads_the_tags_of_an_old_store(model: Path, music: Path) -> None:
    a, b = (track(music / name, ODE) for name in "ab")
    heard(model, {a: 0.1, b: 0.3})
    older(default_path())
    assert said(a, "--model", model) == close(a=0.1)
    with Store(default_path()) as store:
        assert store.places.unread() == [b]


def test_an_interrupted_run_is_taken_up_and_ends_as_if_it_had_not_been(
    together: Path, music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [track(music / name, ODE) for name in "abcdef"]
    record, heard = Store.record, []

    def interrupted(store: Store, *arguments: Any, **options: Any) -> None:
        if len(heard) == 3:
            raise KeyboardInterrupt
        heard.append(arguments)
        record(store, *arguments, **options)

    options = ("--model", together, "--probabilities", "--write")
    with monkeypatch.context() as patched:
        patched.setattr(Store, "record", interrupted)
        assert tag(music, *options).exit_code == 130
    assert not any(open_tags(path).get("mood") for path in paths), "nothing is decided by halves"
    resumed = tag(music, *options)
    assert "3 analysed, 6 smoothed" in resumed.stderr and "6 tagged" in resumed.stderr
    again = tag(music, *options, "--store", tmp_path / "whole.sqlite")
    assert "6 analysed, 6 smoothed" in again.stderr and "6 unchanged" in again.stderr


def test_the_config_file_knows_it_and_nonsense_is_refused(
    model: Path, together: Path, music: Path, home: Path
) -> None:
    heard(model, {track(music / "a", ODE): 0.2, track(music / "b", ODE): 0.6})
    config = home / "config" / "tagkit" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text('[tag]\ncontext = "none"\n')
    assert said(music, "--model", together) == close(a=0.2, b=0.6)
    assert said(music, "--model", together, "--context", "album") == close(a=0.26, b=0.54)
    config.write_text('[tag]\ncontext = "albums"\n')
    for arguments in ((), ("--context", "tracks")):
        wrong = tag(music, "--model", together, *arguments)
        assert wrong.exit_code == 2 and "--context" in wrong.stderr
        assert "artist, album, none" in wrong.stderr


def test_who_asks_for_context_of_a_model_without_shares_is_told(model: Path, music: Path) -> None:
    heard(model, {track(music / "a", ODE): 0.2})
    assert "no shares" in tag(music, "--model", model, "--context", "album").stderr
    assert "no shares" not in tag(music, "--model", model).stderr
    assert "no shares" not in tag(music, "--model", model, "--context", "none").stderr


def test_a_failed_neighbour_says_nothing(model: Path, together: Path, music: Path) -> None:
    a, b = (track(music / name, ODE) for name in "ab")
    heard(model, {a: 0.1})
    (name,) = ensemble.load([str(model)]).model_ids(16)
    with Store(default_path()) as store:
        for look in store.look([b], [name]):
            store.record_failure(str(look.key), look.missing, "no frames")
    assert said(a, "--model", together) == close(a=0.1)
    assert "smoothed" not in tag(a, "--model", together).stderr


def test_a_neighbour_who_says_no_number_silences_nobody(
    model: Path, together: Path, music: Path
) -> None:
    a, b, c = (track(music / name, ODE) for name in "abc")
    heard(model, {a: 0.1, b: 0.3, c: float("nan")})
    figures = close(a=OWN * 0.1 + (ARTIST + ALBUM) * 0.2)
    assert said(a, "--model", together) == figures
