"""What ships, by which rule, from which threshold: on small cases worked by hand, and once in miniature."""

from __future__ import annotations

import csv
import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from tagkit import features, models
from tagkit.inference import ensemble
from tagkit.thresholds import for_shares
from tagkit.vocab import CATEGORIES, VOCABULARIES, Tag, canonical
from tagkit.weights import bundle
from tagkit.weights.card import Card
from tests.shared import shared

sys.path.append(str(Path(__file__).parents[1] / "bench" / "weights"))

import assemble
import borrowed
import calibrating
import cutting
import labelled
import listening
import shares
import vocabulary
import wording
from labelled import Area
from listening import Heard
from vocabulary import Verdict

HAPPY, SAD, PIANO = Tag("happy", "mood"), Tag("sad", "mood"), Tag("piano", "instrument")


# --- the rule ---


def verdict(low: float | None, published: float | None, rho: float) -> Verdict:
    area = None if low is None else Area(low + 0.1, low, low + 0.2, "somebody's labels")
    return Verdict(HAPPY, area, None if published is None else (published, "a teacher"), rho)


def test_a_tag_ships_by_labels_or_by_a_published_result_and_agreement() -> None:
    assert verdict(0.51, None, 0.0).basis == "labels"
    assert verdict(0.50, None, 1.0).basis == ""
    assert verdict(None, 0.60, 0.6).basis == "published"
    assert verdict(None, 0.59, 0.9).basis == ""
    assert verdict(None, 0.99, 0.59).basis == ""
    assert verdict(0.6, 0.8, 0.7).basis == "labels and published"
    assert verdict(0.4, 0.8, 0.7).basis == "published"
    assert verdict(None, None, float("nan")).basis == ""


def test_what_is_dropped_says_what_it_lacks(tmp_path: Path) -> None:
    assert verdict(0.4, 0.8, 0.3).why_not == "AUC 0.50, from 0.40, agreement 0.30"
    assert verdict(None, 0.55, 0.9).why_not == "nothing published from .60"
    vocabulary.write(tmp_path / "v.csv", [verdict(0.6, 0.8, 0.7), verdict(None, None, 0.7)])
    with (tmp_path / "v.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    assert [row["ships"] for row in rows] == ["yes", "no"]
    assert rows[0]["basis"] == "labels (somebody's labels) and published"
    assert (rows[0]["low"], rows[1]["low"], rows[1]["published_of"]) == ("0.6000", "", "")


def test_of_two_labelled_figures_the_surer_counts() -> None:
    weak, sure = Area(0.9, 0.4, 1.0, "few"), Area(0.7, 0.6, 0.8, "many")
    (found,) = vocabulary.judge([HAPPY], [{HAPPY: weak}, {HAPPY: sure}], {}, np.array([0.0]))
    assert found.labelled == sure


def test_published_results_are_those_that_were_published() -> None:
    rows = shares.published()
    macro = {
        ("jamendo-top50", "fcn"): 0.8255,
        ("jamendo-top50", "musicnn"): 0.8226,
        ("mtat-top50", "fcn"): 0.9005,
        ("mtat-top50", "musicnn"): 0.9106,
        ("msd-top50", "fcn"): 0.8742,
    }
    for (name, model), mean in macro.items():
        words = [row for row in rows if row["vocabulary"] == name]
        assert [canonical(row["word"]) for row in words] == list(map(canonical, VOCABULARIES[name]))
        # Printed with two decimals: fifty of them round to some thousandth.
        assert np.mean([float(row[model]) for row in words]) == pytest.approx(mean, abs=2e-3)
    golden = json.loads(shared("golden", "metrics_philtgun.json").read_text())
    assert golden["test-mtat-train-mtat-musicnn"]["roc"] == pytest.approx(0.9109, abs=2e-3)
    assert np.mean(
        [v for v, _ in vocabulary.mtg(shared("datasets").parent).values()]
    ) == pytest.approx(0.725821, abs=1e-6)
    found = vocabulary.results(shared("datasets").parent)
    assert found[canonical("jazz")] == (0.96, "msd-fcn")  # .88 and .87 on Jamendo
    assert found[canonical("movie")][1] == "mtg-moodtheme-vgg"
    assert len(found) == 142


# --- shares ---


def test_shares_are_counted_in_the_split_files() -> None:
    found = shares.official(shared("datasets").parent)
    counts, tracks = shares.count(shared("datasets").parent, "instrument")
    assert tracks == 24_976
    assert found[canonical("piano")].share == counts[canonical("piano")] / tracks
    assert found[canonical("happy")].source == "mtg-jamendo moodtheme"
    # The most frequent of female, woman, female vocal, female voice.
    assert found[canonical("female vocals")].share == pytest.approx(381 / 4332)
    assert found[canonical("sexy")].source == "mtg-jamendo moodtheme"  # the lists that come first
    assert found[canonical("60s")].share == pytest.approx(639 / 28_435)
    known = set(vocabulary.results(shared("datasets").parent))
    assert known <= set(found)


# --- thresholds ---


def music(tracks: int = 600, seed: int = 0) -> tuple[np.ndarray, tuple[Tag, ...]]:
    """Ten moods that rise and fall together, as loud and quiet music makes them, and two instruments."""
    random = np.random.default_rng(seed)
    tags = (*(Tag(f"m{n}", "mood") for n in range(10)), *(Tag(f"i{n}", "instrument") for n in "ab"))
    logits = 2 * random.standard_normal((tracks, 1)) + random.standard_normal((tracks, len(tags)))
    return (1 / (1 + np.exp(-logits - np.linspace(-4, 0, len(tags))))).astype(np.float32), tags


def test_every_tag_is_given_to_its_share_and_no_track_gets_too_many() -> None:
    found, tags = music()
    wanted = [*[0.1] * 9, 0.2, 0.3, 0.6]
    quiet = np.zeros((2, len(tags)), np.float32)
    cuts = cutting.thresholds(found, tags, wanted, quiet)
    got = cutting.given(found, tags, cuts)
    assert got.mean(0) == pytest.approx([*[0.1] * 9, 0.2, 0.3, 1 / 3], abs=0.02)
    assert got[:, :10].sum(1).max() == cutting.MOST["mood"]
    plain = for_shares(found, wanted)
    crowded = cutting.given(found, tags, plain, most={})[:, :10].sum(1)
    assert crowded.max() > 6  # what the rule is for:
    assert (got[:, :10].sum(1) == 0).mean() < (crowded == 0).mean() - 0.1


def test_a_threshold_is_above_what_is_said_of_no_music() -> None:
    found, tags = music()
    nothing = np.full((3, len(tags)), 0.01, np.float32)
    nothing[1, 3] = 0.8
    cuts = cutting.thresholds(found, tags, [0.3] * len(tags), nothing)
    assert cuts[3] == pytest.approx(5 / 6)  # odds of .8 are 4, a quarter more 5
    assert not cutting.given(nothing, tags, cuts).any()
    free = cutting.thresholds(found, tags, [0.3] * len(tags), nothing * 0)
    assert np.all(np.delete(cuts, 3) >= 0.01) and cuts[3] > free[3]


def test_a_threshold_fitted_to_labels_stays_unless_it_is_for_too_many() -> None:
    found, tags = music()
    quiet = np.zeros((1, len(tags)), np.float32)
    high, low = (
        cutting.thresholds(found, tags, [0.1] * len(tags), quiet, {tags[10]: cut})[10]
        for cut in (0.9, 1e-4)
    )
    assert high == pytest.approx(0.9)
    assert (found[:, 10] >= low).mean() == pytest.approx(1 / 3, abs=0.01)


# --- calibration ---


def test_platt_finds_scale_and_shift_again_at_the_share_that_is_wanted() -> None:
    random = np.random.default_rng(0)
    logits = random.standard_normal(20_000) * 2
    has = random.random(20_000) < 1 / (1 + np.exp(-(1.5 * logits - 0.5)))
    said = 1 / (1 + np.exp(-logits))
    scale, shift = calibrating.platt(said, has, has.mean())
    assert (scale, shift) == pytest.approx((1.5, -0.5), abs=0.06)
    rare = calibrating.platt(said, has, 0.05)
    calibrated = 1 / (1 + np.exp(-(rare[0] * logits + rare[1])))
    assert np.average(calibrated, weights=calibrating.weights(has, 0.05)) == pytest.approx(
        0.05, abs=0.002
    )
    with pytest.raises(ValueError, match="order around"):
        calibrating.platt(1 - said, has, 0.5)


def test_the_best_f1_by_hand() -> None:
    said, has = np.array([0.9, 0.8, 0.4, 0.3]), np.array([True, False, True, False])
    # From .9 on: P 1, R 1/2, F1 2/3. From .4 on: P 2/3, R 1, F1 4/5.
    assert calibrating.best_f1(said, has, 0.5) == 0.4
    # Where one track in ten has it: from .9 on P 1, F1 2/3; from .4 on P .1 / (.1 + .45), F1 .31.
    assert calibrating.best_f1(said, has, 0.1) == 0.9


# --- labels, words, context ---


def test_what_may_be_said_is_left_out_of_the_area() -> None:
    has = np.array([1.0, 0.0] * 10 + [np.nan] * 5)
    scores = np.array([0.9, 0.1] * 10 + [0.95, 0.05, 0.5, 0.5, 0.5])[:, None]
    labels = labelled.Labels("mine", [], [str(n) for n in range(25)], {PIANO: has})
    found = labelled.areas(labels, Heard((PIANO,), [], scores))
    assert found[PIANO] == Area(1.0, 1.0, 1.0, "mine")
    few = labelled.Labels("mine", [], ["a"] * 9, {PIANO: has[:9]})
    assert labelled.areas(few, Heard((PIANO,), [], scores[:9])) == {}


def row(**cells: str) -> dict[str, str]:
    given = {"split": "train", "teach": "teachers", "source": "mine", "licence": "CC0"}
    return given | {"seconds": "3600", "artist": "", "path": "a.opus"} | cells


def test_the_card_says_hours_by_source() -> None:
    told = wording.training_data(
        [
            row(),
            row(split="validation"),
            row(split="test"),
            row(source="tiny", seconds="60"),
            row(teach="nothing", source="speech", licence="CC BY 4.0", seconds="1800"),
        ]
    )
    assert told.startswith("2.0 h of real music, of which the teachers say what it is (1.0 h")
    assert "mine 2.0 h (CC0); 0.0 h of tiny (CC0)." in told
    assert "0.5 h of sound that is no music" in told and "speech 0.5 h (CC BY 4.0)" in told
    said = wording.notes([verdict(0.6, None, 0), verdict(None, None, 0)], ["rock"], "gagaku")
    assert "1 tags ship" in said and "Dropped: happy (nothing published from .60)" in said
    assert "gagaku" in said


def test_figures_of_other_models_are_not_put_on_the_card() -> None:
    judged = {
        "models": {"a": "1"},
        "mixes": {
            "instruments": [],
            **dict.fromkeys("date mixes pieces macro low high".split(), 0.12345),
        },
    }
    found = wording.scores(judged, {"a": "1"})
    assert found["instruments on unseen mixes, ROC-AUC"]["macro"] == 0.1235
    assert wording.scores(judged, {"a": "2"}) == {}
    assert wording.scores({}, {"a": "1"}) == {}


def test_context_leaves_half_to_the_track_and_helps() -> None:
    fitted = borrowed.fit(shared("datasets").parent)
    assert fitted.context.own >= 0.5 - 1e-9
    assert fitted.pr_auc > fitted.alone + 0.005


# --- all of it ---


def teachers_tags() -> tuple[Tag, ...]:
    found = {canonical(word) for words in VOCABULARIES.values() for word in words}
    return tuple(sorted(found, key=lambda tag: (CATEGORIES.index(tag.category), tag.name)))


def said(path: Path, tags: tuple[Tag, ...], who: str, right: dict[str, np.ndarray]) -> np.ndarray:
    """What is said of a file: chance, the same for all in most of it, and right where labels are known."""
    seed = int(hashlib.sha256(f"{path.name}".encode()).hexdigest()[:8], 16)
    logits = np.random.default_rng(seed).standard_normal(len(tags)) - 3
    logits += 0.3 * np.random.default_rng(seed + len(who)).standard_normal(len(tags))
    logits += 3 * right.get(path.name, 0) - 3 * ("nothing" in path.name)
    return (1 / (1 + np.exp(-logits))).astype(np.float32)


def test_in_miniature(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Real tables, networks that are too small to hear anything, and made-up things said."""
    data = shared("datasets").parent
    tags = teachers_tags()
    work, out = tmp_path / "work", tmp_path / "out"
    (work / "raw").mkdir(parents=True)
    for name, architecture in zip(assemble.NAMES, ("ds_cnn", "mel_tcn"), strict=True):
        entry = models.entry(architecture)
        assert entry.front_end is not None
        card = Card(
            name, architecture, entry.tiny, entry.front_end, tags, tuple(t.name for t in tags)
        )
        network = models.build(architecture, len(tags), **entry.tiny)
        place = work / "raw" / f"{name}.safetensors"
        bundle.save(place, card, network, features.build(entry.front_end))
    real = [row(path=f"{n}.opus", split="test", artist=f"a{n // 4}") for n in range(200)]
    real += [row(path=f"v{n}.opus", split="validation") for n in range(50)]
    real += [row(path="nothing.wav", split="validation", teach="nothing"), row()]
    mixes = [
        {"path": f"mix{n}.flac", "tags": "piano" if n % 2 else "violin", "maybe": ""}
        for n in range(40)
    ]
    for table, rows in (("real", real), ("stems", [row(teach="labels")]), ("mixes", mixes)):
        with (work / f"{table}.csv").open("w", newline="") as lines:
            writer = csv.DictWriter(lines, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    # Emotify's genres and the mixes' pianos are heard; sad is said by chance, other than the teachers do.
    right = {}
    paths, genres = calibrating.genres(data)
    for number, path in enumerate(paths):
        right[path.name] = np.array([genres[t][number] if t in genres else 0 for t in tags])
    for mix in mixes:
        right[mix["path"]] = np.array([tag.name == mix["tags"] for tag in tags])

    def students(bundles: list[Path], files: list[Path], _work: Path) -> Heard:
        members = [np.stack([said(file, tags, b.stem, right) for file in files]) for b in bundles]
        return Heard(tags, members, np.mean(members, 0))

    def teachers(files: list[Path], _work: Path) -> Heard:
        found = np.stack([said(file, tags, "teachers", {}) for file in files])
        found[:, tags.index(SAD)] = np.random.default_rng(0).random(len(files))
        return Heard(tags, [], found)

    monkeypatch.setattr(listening, "students", students)
    monkeypatch.setattr(listening, "teachers", teachers)
    monkeypatch.setattr(sys, "argv", ["assemble.py", str(data), str(work), "--out", str(out)])
    assemble.main()

    with (work / "vocabulary.csv").open() as lines:
        judged = {r["tag"]: r for r in csv.DictReader(lines)}
    assert judged["piano"]["basis"] == "labels (test mixes) and published"
    assert judged["sad"]["ships"] == judged["movie"]["ships"] == "no"
    assert "sad" not in (out / "default.toml").read_text()
    shipped = ensemble.load([str(out / "default.toml")])
    assert {tag.name for tag in shipped.tags} == {
        t for t, r in judged.items() if r["ships"] == "yes"
    }
    assert shipped.context is not None and shipped.most == cutting.MOST
    for member in shipped.members:
        assert bundle.load(member.path).fingerprint == member.fingerprint
        assert member.card.thresholds is not None and member.card.calibration is not None
        assert member.card.calibration[member.card.tags.index(PIANO)] == (1, 0)
        assert member.card.calibration[member.card.tags.index(canonical("rock"))] != (1, 0)
        assert "sad (" in member.card.notes and "mine 0.0 h" not in member.card.training_data
        assert len(member.card.scores["looks at Emotify's test artists"]) == 1
    assemble.main()  # the same students: nobody looks twice
    assert len((work / "looks.csv").read_text().splitlines()) == 2
