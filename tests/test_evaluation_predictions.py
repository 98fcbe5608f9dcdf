"""Saved predictions come back as they were, and what is unsound in a file is said, not scored."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tagkit.errors import DataError
from tagkit.evaluation import arrays
from tagkit.evaluation.predictions import Predictions, load
from tagkit.vocab import canonical

NAMES = ("mood/theme---happy", "piano", "rock")


def sample(tracks: int = 4) -> Predictions:
    random = np.random.default_rng(0)
    return Predictions(
        scores=random.random((tracks, 3), np.float32),
        labels=random.random((tracks, 3)) < 0.5,
        outputs=NAMES,
        tags=tuple(canonical(name) for name in NAMES),
        ids=tuple(f"track {n}" for n in range(tracks)),
        artists=tuple(f"Ärtist {n // 2}" for n in range(tracks)),
        albums=("",) * tracks,
        name="one",
        thresholds=np.array([0.1, 0.2, 0.3], np.float32),
        train_counts=np.array([7, 8, 9]),
    )


def same(a: Predictions, b: Predictions) -> bool:
    return all(np.array_equal(value, getattr(b, part)) for part, value in vars(a).items())


def test_a_round_trip_loses_nothing(tmp_path: Path) -> None:
    for given in (sample(), replace(sample(), thresholds=None, train_counts=None)):
        given.save(tmp_path / "p.npz")
        assert same(load(tmp_path / "p.npz"), given)


def test_choosing_tracks_and_tags() -> None:
    given = sample()
    assert same(given.keep_tracks([0, 1, 2, 3]).keep_tags([0, 1, 2]), given)
    part = given.keep_tracks([3, 1]).keep_tags([2, 0])
    assert (part.ids, part.outputs) == (("track 3", "track 1"), (NAMES[2], NAMES[0]))
    assert np.array_equal(part.scores, given.scores[[3, 1]][:, [2, 0]])
    assert part.thresholds is not None and part.train_counts is not None
    assert (part.thresholds[0], part.train_counts[1]) == (np.float32(0.3), 7)


@pytest.mark.parametrize(
    ("part", "value", "says"),
    [
        ("scores", np.full((4, 3), np.nan), "12 scores are no finite numbers"),
        ("scores", np.full((4, 3), 4.0), "--logits"),
        ("scores", np.zeros((4, 2)), "4 × 2 scores, but 4 × 3 labels"),
        ("scores", np.zeros(4), "tracks × tags"),
        ("scores", np.array([["a"] * 3] * 4), "must be real numbers"),
        ("scores", np.zeros((4, 3), complex), "must be real numbers"),
        ("labels", np.full((4, 3), 2), "0 and 1"),
        ("labels", np.array([["1"] * 3] * 4), "0 and 1"),
        ("outputs", NAMES[:2], "2 outputs, but the scores have 3 tags"),
        ("outputs", (NAMES[0], *NAMES[:2]), "is there 2 times"),
        ("ids", ("one",), "1 ids, but the scores have 4 tracks"),
        ("artists", (), "0 artists"),
        ("thresholds", np.zeros(2), "2 thresholds"),
        ("thresholds", np.full(3, np.nan), "not finite"),
        ("train_counts", np.array(["7"] * 3), "numbers a tag"),
    ],
)
def test_parts_that_do_not_fit_are_refused(part: str, value: object, says: str) -> None:
    with pytest.raises(DataError, match=says):
        replace(sample(), **{part: value})


def test_damaged_files_are_data_errors(tmp_path: Path) -> None:
    path = tmp_path / "p.npz"
    sample().save(path)
    whole = path.read_bytes()
    bare = tmp_path / "a.npy"
    np.save(bare, np.zeros(3))
    for content in (b"", whole[:100], whole[: len(whole) // 2], b"text", bare.read_bytes()):
        path.write_bytes(content)
        with pytest.raises(DataError) as caught:
            load(path)
        assert str(path) in str(caught.value)
    for missing in ("scores", "tag_names"):
        sample().save(path)
        parts = arrays.read_npz(path)
        del parts[missing]
        np.savez(path, **parts)
        with pytest.raises(DataError, match=missing):
            load(path)


def test_a_category_nobody_knows_is_refused(tmp_path: Path) -> None:
    sample().save(tmp_path / "p.npz")
    parts = arrays.read_npz(tmp_path / "p.npz")
    parts["tag_categories"] = np.array(["mood", "<script>", "genre"])
    np.savez(tmp_path / "p.npz", **parts)
    with pytest.raises(DataError, match="unknown category"):
        load(tmp_path / "p.npz")


class Trap:
    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (Path("trap"),)


def test_pickles_are_refused_and_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("objects.npy", np.array([Trap()], dtype=object), allow_pickle=True)
    Path("bare.npy").write_bytes(pickle.dumps(Trap()))
    for name in ("objects.npy", "bare.npy"):
        with pytest.raises(DataError, match="pickled objects"):
            arrays.read_npy(Path(name))
    assert not Path("trap").exists()


def test_a_header_that_claims_the_moon_is_no_memory_error(tmp_path: Path) -> None:
    path = tmp_path / "huge.npy"
    np.save(path, np.zeros((2, 2)))
    path.write_bytes(path.read_bytes().replace(b"(2, 2), }" + b" " * 12, b"(9999999999999, 9), }"))
    with pytest.raises(DataError):
        arrays.read_npy(path)
    with pytest.raises(DataError, match="No such file"):
        arrays.read_npy(tmp_path / "absent.npy")
    (tmp_path / "latin.txt").write_bytes(b"\xe9")
    with pytest.raises(DataError, match="as text"):
        arrays.read_lines(tmp_path / "latin.txt")
