"""What the store promises: nothing is heard twice, nothing is lost, nothing is mixed up."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import mutagen
import numpy as np
import pytest

from tagkit.errors import StoreError
from tagkit.library.payload import content_key
from tagkit.library.store import Store, default_path
from tagkit.vocab import Tag
from tests import media

TAGS = (Tag("happy", "mood"), Tag("piano", "instrument"))


class CountingKey:
    """A content key that remembers whom it was asked for; by default the real one."""

    def __init__(self, key=content_key) -> None:
        self.asked: list[Path] = []
        self._key = key

    def __call__(self, path: Path) -> str:
        self.asked.append(path)
        return self._key(path)


@pytest.fixture
def key_of():
    return CountingKey()


@pytest.fixture
def store(tmp_path, key_of):
    with Store(tmp_path / "data" / "library.sqlite", key_of=key_of) as store:
        store.add_model("a" * 64, "A", TAGS)
        store.add_model("b" * 64, "B", TAGS[:1])
        yield store


A, B = "a" * 64, "b" * 64


def analyse(store: Store, paths, models=(A,), **options) -> list[Path]:
    """What a run does: hears what is missing. Returns the files it had to hear."""
    heard = []
    for look in store.look(paths, models, **options):
        if look.missing:
            heard.append(look.path)
            value = int(look.key[:4], 16) / 65536
            store.record(look.key, {m: ([value, 0.5], [1.0]) for m in look.missing}, duration=1.0)
    return heard


def test_arrays_come_back_as_they_went_in(store, tmp_path):
    path = media.make(tmp_path, "flac")
    (look,) = store.look([path], [A, B])
    assert look == (path, content_key(path), (A, B), None)
    probabilities = np.array([0.1, 0.9], np.float32)
    embedding = np.array([1.5, -2.25, 1e9, 0.1])
    store.record(look.key, {A: (probabilities, embedding), B: ([0.3], None)}, duration=12.5)

    (stored,) = store.read([path], [A, B], embeddings=True)
    assert (stored.path, stored.key, stored.duration, stored.error) == (path, look.key, 12.5, None)
    np.testing.assert_array_equal(stored.results[A], probabilities)
    assert stored.results[A].dtype == np.float32
    np.testing.assert_allclose(stored.results[B], [0.3])
    np.testing.assert_allclose(stored.embeddings[A], [1.5, -2.25, 65504, 0.1], rtol=1e-3)
    assert set(stored.embeddings) == {A}
    assert next(store.read([path], [A])).embeddings == {}
    assert set(next(store.read([path], [B])).results) == {B}


def test_models_remember_their_tags(store):
    assert [tuple(model) for model in store.models()] == [(A, "A", TAGS), (B, "B", TAGS[:1])]
    store.add_model(A, "again", ())
    assert store.models()[0].tags == TAGS
    with pytest.raises(StoreError, match="no model"):
        store.record("k", {"c" * 64: ([0.1], None)}, duration=1)


def test_a_second_run_hears_nothing_and_reads_no_file(store, tmp_path, key_of):
    paths = [media.make(tmp_path, "wav", seed=n, seconds=0.1) for n in range(3)]
    assert analyse(store, paths) == paths
    assert key_of.asked == paths
    assert analyse(store, paths) == []
    assert key_of.asked == paths


def test_a_moved_and_a_retagged_file_are_recognised(store, tmp_path, key_of):
    first, second = (media.make(tmp_path, "mp3_id3v24", seed=n) for n in range(2))
    analyse(store, [first, second])
    moved = first.rename(tmp_path / "moved.mp3")
    file = mutagen.File(second)
    file.tags.delall("TIT2")
    file.save()
    os.utime(second, ns=(1, 1))
    assert analyse(store, [moved, second]) == []
    assert set(key_of.asked[2:]) == {moved, second}
    assert [s.key for s in store.read([moved, second], [A])] == [
        content_key(moved),
        content_key(second),
    ]


def test_changed_audio_is_heard_again(store, tmp_path):
    path = media.make(tmp_path / "x.wav", "wav", seed=1)
    analyse(store, [path])
    media.make(path, "wav", seed=2)
    os.utime(path, ns=(5, 5))
    assert analyse(store, [path]) == [path]


def test_audio_that_changes_within_the_tick_of_a_coarse_clock_is_heard_again(
    store, tmp_path, key_of
):
    """FAT knows two seconds: the new audio has the size and the time of the old."""
    path = media.make(tmp_path / "x.wav", "wav", seed=1)
    now = time.time_ns() // 10**9 * 10**9
    os.utime(path, ns=(now, now))
    analyse(store, [path])
    media.make(path, "wav", seed=2)
    os.utime(path, ns=(now, now))
    assert analyse(store, [path]) == [path]
    before = now - 60 * 10**9
    os.utime(path, ns=(before, before))
    assert analyse(store, [path]) == []
    asked = len(key_of.asked)
    assert analyse(store, [path]) == []
    assert len(key_of.asked) == asked, "read again though its time has long passed"


def test_after_retagged_not_even_the_key_is_read(store, tmp_path, key_of):
    path = media.make(tmp_path, "flac")
    analyse(store, [path])
    file = mutagen.File(path)
    file["mood"] = ["happy"]
    file.save()
    os.utime(path, ns=(7, 7))
    store.retagged(path, path.stat())
    assert analyse(store, [path]) == []
    assert len(key_of.asked) == 1


def test_what_is_in_doubt_is_read_again_whatever_its_time(store, tmp_path, key_of):
    files = [media.make(tmp_path, "wav", seed=n, seconds=0.1) for n in range(2)]
    first, second = store.look(files, [A])
    store.doubt(first.key)
    key_of.asked.clear()
    assert list(store.look(files, [A])) == [first, second]
    assert key_of.asked == [first.path]


def test_a_time_after_the_year_2262_is_a_time_too(store, tmp_path, key_of):
    (path,) = fake_files(tmp_path, 1)
    os.utime(path, (10**10, 10**10))
    if path.stat().st_mtime < 10**10:
        pytest.skip("this file system knows no such time")
    (look,) = store.look([path], [A])
    store.retagged(path, path.stat())
    key_of.asked.clear()
    assert list(store.look([path], [A])) == [look]
    assert not key_of.asked


def test_what_is_no_probability_of_this_model_is_damage(store, tmp_path):
    (look,) = store.look(fake_files(tmp_path, 1), [A])
    store.record(look.key, {A: ([0.5], None)}, duration=1.0)
    for column, value in (("probabilities", "'text'"), ("probabilities", "7"), ("error", "x'00'")):
        store._db.run(f"UPDATE analyses SET {column} = {value}")
        with pytest.raises(StoreError, match="damaged: a row of"):
            list(store.read([look.path], [A]))


@pytest.mark.parametrize("duration", ["9e999", "-1.0"])
def test_a_track_of_no_length_is_damage(store, tmp_path, duration):
    paths = fake_files(tmp_path, 1)
    analyse(store, paths)
    store._db.run(f"UPDATE contents SET duration = {duration}")
    with pytest.raises(StoreError, match="damaged: a track of"):
        list(store.read(paths, [A]))


def test_another_model_hears_only_what_it_has_not_heard(store, tmp_path):
    one, two = (media.make(tmp_path, "wav", seed=n, seconds=0.1) for n in range(2))
    analyse(store, [one], [A])
    analyse(store, [two], [B])
    assert [look.missing for look in store.look([one, two], [A, B])] == [(B,), (A,)]
    assert [set(s.results) for s in store.read([one, two], [A, B])] == [{A}, {B}]


def test_a_failure_is_remembered_until_the_file_changes_or_someone_asks(store, tmp_path):
    path = media.make(tmp_path, "flac")
    (look,) = store.look([path], [A])
    store.record_failure(look.key, look.missing, "no frames")
    assert [tuple(look)[1:] for look in store.look([path], [A])] == [(look.key, (), "no frames")]
    assert next(store.read([path], [A])).error == "no frames"

    assert [(k.missing, k.error) for k in store.look([path], [A], retry=True)] == [((A,), None)]
    os.utime(path, ns=(9, 9))
    assert [(k.missing, k.error) for k in store.look([path], [A])] == [((A,), None)]
    # An interrupted run must not make it look done.
    assert [k.missing for k in store.look([path], [A])] == [(A,)]


def test_a_failure_does_not_take_the_place_of_an_analysis_but_an_analysis_of_a_failure(store):
    store.record("k", {A: ([0.1, 0.2], None)}, duration=3.0)
    store.record_failure("k", [A, B], "killed")
    assert store._states(["k"], [A, B]) == {"k": {A: None, B: "killed"}}
    store.record("k", {B: ([0.1], None)}, duration=3.0)
    assert store._states(["k"], [A, B]) == {"k": {A: None, B: None}}


def test_what_cannot_be_read_is_said_and_nothing_is_remembered(store, tmp_path):
    gone, folder = tmp_path / "gone.mp3", tmp_path / "folder.mp3"
    folder.mkdir()
    looks = list(store.look([gone, folder, Path("nul\0name")], [A]))
    assert [(look.key, look.missing) for look in looks] == [(None, ())] * 3
    assert all(look.error for look in looks)
    assert list(store.tracks()) == []


def test_names_that_are_no_text_survive(store, tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe \n.wav"))
    media.make(path, "wav", seconds=0.1)
    analyse(store, [path])
    assert analyse(store, [path]) == []
    assert [track.path for track in store.tracks()] == [path]
    assert [stored.path for stored in store.read([path], [A])] == [path]


def test_a_path_is_the_same_file_however_it_is_spelt(store, tmp_path, monkeypatch):
    path = media.make(tmp_path, "wav")
    analyse(store, [path])
    monkeypatch.chdir(tmp_path)
    spelt = Path("..") / tmp_path.name / path.name
    assert analyse(store, [spelt]) == []
    assert [stored.path for stored in store.read([spelt], [A])] == [spelt]


def test_vanished_paths_can_be_forgotten_and_their_audio_only_on_request(store, tmp_path):
    one, two = (media.make(tmp_path, "wav", seed=n, seconds=0.1) for n in range(2))
    data = one.read_bytes()
    analyse(store, [one, two])
    one.unlink()
    assert list(store.vanished()) == [one]
    store.forget(store.vanished())
    assert [(track.path, track.duration) for track in store.tracks()] == [(two, 1.0)]
    one.write_bytes(data)
    assert analyse(store, [one]) == []
    store.forget([one])
    store.sweep()
    assert analyse(store, [one, two]) == [one]


# ------------------------------------------------------------------------------ many and at once


def fake_files(folder: Path, count: int) -> list[Path]:
    folder.mkdir(exist_ok=True)
    paths = [folder / f"{n:06}.mp3" for n in range(count)]
    for path in paths:
        path.touch()
    return paths


def test_a_large_store_is_read_quickly(tmp_path):
    count = 5000
    paths = [tmp_path / f"{n}.mp3" for n in range(count)]
    with Store(tmp_path / "s.sqlite") as store:
        store.add_model(A, "A", TAGS)
        store.add_model(B, "B", TAGS)
        rows = np.random.default_rng(0).random((count, 150), dtype=np.float32)
        with store._db.transaction():  # the rows that look() and record() make, faster
            for number, path in enumerate(paths):
                store._db.run("INSERT INTO contents VALUES (?, ?, 1)", number, str(number))
                store._db.run("INSERT INTO paths VALUES (?, 1, 1, ?)", os.fsencode(path), number)
                for model in (1, 2):
                    store._db.run(
                        "INSERT INTO analyses VALUES (?, ?, 0, NULL, ?, ?)",
                        *(number, model, rows[number].tobytes(), bytes(1024)),
                    )
        begun = time.process_time()
        stored = list(store.read(paths, [A, B]))
        assert time.process_time() - begun < 1
        assert [s.path for s in stored] == paths
        np.testing.assert_array_equal([s.results[B] for s in stored], rows)
        assert sum(1 for _ in store.tracks()) == count


WRITER = """
import sys
from pathlib import Path
from tagkit.library.store import Store
database, folder, mine = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
models = ["a" * 64, mine * 64]
with Store(database, key_of=lambda path: path.name) as store:
    for fingerprint in models:
        store.add_model(fingerprint, "", [])
    for look in store.look(sorted(folder.iterdir()), models):
        number = float(look.path.stem)
        store.record(look.key, {m: ([number], [number]) for m in look.missing}, duration=number)
        print(look.path.name, flush=True)
"""


def writer(database: Path, folder: Path, mine: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", WRITER, str(database), str(folder), mine]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def test_two_runs_at_once_make_and_fill_one_store(tmp_path):
    paths = fake_files(tmp_path / "music", 400)
    database = tmp_path / "s.sqlite"
    runs = [writer(database, tmp_path / "music", mine) for mine in "bc"]
    for run in runs:
        run.communicate(timeout=60)
        assert run.returncode == 0
    with Store(database) as store:
        models = [letter * 64 for letter in "abc"]
        for number, stored in enumerate(store.read(paths, models)):
            assert {m: list(v) for m, v in stored.results.items()} == {m: [number] for m in models}
            assert stored.duration == number
    with sqlite3.connect(database) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def test_a_killed_run_has_kept_all_that_it_finished(tmp_path):
    paths = fake_files(tmp_path / "music", 2000)
    database = tmp_path / "s.sqlite"
    run = writer(database, tmp_path / "music", "b")
    assert run.stdout is not None
    for _ in range(250):
        run.stdout.readline()
    run.send_signal(signal.SIGKILL)
    said = 250 + len(run.communicate()[0].splitlines())
    with Store(database, key_of=lambda path: path.name) as store:
        missing = [look for look in store.look(paths, [A]) if look.missing]
    assert len(paths) - said - 1 <= len(missing) <= len(paths) - said


def test_threads_may_share_a_store(store):
    def record(name: str) -> None:
        for number in range(50):
            store.record(f"{name}{number}", {A: ([number], None)}, duration=1.0)

    threads = [threading.Thread(target=record, args=(name,)) for name in "xyz"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    keys = [f"{name}{number}" for name in "xyz" for number in range(50)]
    assert len(store._states(keys, [A])) == 150


# ------------------------------------------------------------------------------ what is no store


def test_a_newer_store_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "s.sqlite"
    Store(path).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="newer") as raised:
        Store(path)
    assert raised.value.hint
    assert path.read_bytes() == before


def test_another_database_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "photos.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE photos (name)")
    connection.commit()
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="another kind"):
        Store(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("damage", ["text", "head", "half"])
def test_a_damaged_store_says_so_and_what_to_do(tmp_path, damage):
    path = tmp_path / "s.sqlite"
    with Store(path) as store:
        store.add_model(A, "A", TAGS)
        for number in range(200):
            store.record(str(number), {A: ([0.5] * 200, None)}, duration=1.0)
    data = path.read_bytes()
    path.write_bytes(
        {
            "text": b"This is no database. " * 1000,
            "head": data[:100] + b"\xff" * 4096 + data[4196:],
            "half": data[: len(data) // 2],
        }[damage]
    )
    with pytest.raises(StoreError) as raised, Store(path) as store:
        for _ in store.look(fake_files(tmp_path / "m", 1), [A]):
            pass
        store._states([str(number) for number in range(200)], [A])
    assert raised.value.path == str(path)
    assert raised.value.hint


def test_a_store_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError):
        Store(tmp_path / "file" / "s.sqlite")
    with pytest.raises(StoreError):
        Store(tmp_path)


def test_the_default_place_is_no_cache():
    assert default_path().is_absolute()
    assert "cache" not in str(default_path()).lower()
