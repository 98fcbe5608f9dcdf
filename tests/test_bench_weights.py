"""How the teachers are weighed and the students judged: on small cases worked by hand."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tagkit.thresholds import Decision
from tagkit.vocab import Tag
from tests.shared import shared

sys.path.append(str(Path(__file__).parents[1] / "bench" / "weights"))

import emotify
import judge
import judge_mixes
import judge_pieces
import judge_real
import labelled
import weigh
import weighting
from emotify import Clips, Said, Target
from listening import Heard

CALM, SOFT, ROCK = Tag("calm", "mood"), Tag("soft", "mood"), Tag("rock", "genre")
CHOIR, PIANO = Tag("choir", "vocals"), Tag("piano", "instrument")
NAN = float("nan")


def clips(labels: list[list[int]], artists: str, targets: tuple[Target, ...]) -> Clips:
    files = [f"{number}.opus" for number in range(len(labels))]
    return Clips(
        files, np.array(list(artists)), np.ones(len(labels), bool), targets, np.array(labels, bool)
    )


def said(tags: tuple[Tag, ...], *members: list[list[float]]) -> Said:
    return Said(tuple(f"m{n}" for n in range(len(members))), tags, np.array(members))


def test_a_target_is_the_mean_rank_of_the_words_that_the_model_has() -> None:
    targets = (
        Target("calmness", "feeling", (CALM, SOFT)),
        Target("rock", "genre", (ROCK,)),
    )
    values = np.array([[0.1, 0.4, NAN], [0.2, 0.3, NAN], [0.3, 0.2, NAN], [0.3, 0.1, NAN]])
    found = emotify.target_scores(values, (CALM, SOFT, ROCK), targets)
    # Ranks: calm 1, 2, 3.5, 3.5; soft 4, 3, 2, 1.
    assert found[:, 0].tolist() == [2.5 / 4, 2.5 / 4, 2.75 / 4, 2.25 / 4]
    assert np.isnan(found[:, 1]).all()


def test_of_several_words_for_a_tag_the_loudest_counts() -> None:
    words = [Tag("vocals", "vocals"), CALM, Tag("vocals", "vocals")]
    found = emotify.by_tag(words, np.array([[0.1, 0.5, 0.3], [0.4, 0.6, 0.2]]))
    assert found[CALM].tolist() == [0.5, 0.6]
    assert found[words[0]].tolist() == [0.3, 0.4]


def test_ways_to_express_probabilities() -> None:
    given = np.array([[[0.5, NAN], [0.9, NAN], [0.5, NAN]]])
    ranks = weighting.express(given, "ranks")
    assert ranks[0, :, 0].tolist() == pytest.approx([0.5, 1, 0.5])
    assert np.isnan(ranks[..., 1]).all()
    like = np.array(
        [[[0.5, NAN], [0.9, NAN]]]
    )  # logits 0 and ln 9: mean and deviation are ln 9 / 2
    standardised = weighting.express(given, "standardised logits", like)
    assert standardised[0, :, 0].tolist() == pytest.approx([-1, 1, -1])


def test_members_are_combined_where_they_have_a_weight() -> None:
    values = np.array([[[1.0, 2.0, NAN]], [[4.0, NAN, NAN]]])
    weights = np.array([[2.0, 1, 0], [1, 0, 0]])
    combined = weighting.combine(values, weights)
    assert combined[0, :2].tolist() == [2.0, 2.0]
    assert np.isnan(combined[0, 2])


TARGETS = (Target("calmness", "feeling", (CALM,)), Target("solemnity", "feeling", (CHOIR,)))


def weighed() -> weighting.Weighed:
    """calm of four clips: perfect, three of four pairs right, worse than chance; choir: only the last two."""
    about = clips([[1, 0], [1, 1], [0, 0], [0, 1]], "aabb", TARGETS)
    first = [[0.9, NAN], [0.8, NAN], [0.2, NAN], [0.1, NAN]]
    second = [[0.9, 0.1], [0.2, 0.9], [0.3, 0.2], [0.1, 0.8]]
    third = [[0.1, 0.2], [0.2, 0.8], [0.8, 0.1], [0.9, 0.9]]
    return weighting.Weighed(about, said((CALM, CHOIR), first, second, third))


EVERY = np.ones(4, bool)


@pytest.mark.parametrize("fit", [weighting.per_target, weighting.per_tag])
def test_weights_by_labels(fit: weighting.Fit) -> None:
    weights = fit(weighed(), EVERY)
    assert weights[:, 0].tolist() == [0.25, 0.0625, 0]  # AUC 1, .75 and 0
    assert weights[:, 1].tolist() == [0, 0.25, 0.25]


def test_shrinking_goes_halfway_to_the_teachers_mean() -> None:
    weights = weighting.shrunk(weighed(), EVERY)
    # The second: .75 and 1, mean .875. The third: 0 and 1, mean .5.
    assert weights[:, 0].tolist() == pytest.approx([0.25, (0.8125 - 0.5) ** 2, 0])
    assert weights[:, 1].tolist() == pytest.approx([0, (0.9375 - 0.5) ** 2, (0.75 - 0.5) ** 2])


def test_where_every_teacher_is_wrong_all_weigh_the_same() -> None:
    about = clips([[0, 0], [0, 0], [1, 1], [1, 1]], "aabb", TARGETS)
    wrong = weighting.Weighed(about, said((CALM,), [[0.9], [0.8], [0.2], [0.1]]))
    assert weighting.per_target(wrong, EVERY).tolist() == [[1]]


def test_agreement_is_with_the_mean_of_the_others() -> None:
    rising = [[0.1], [0.2], [0.3], [0.4]]
    falling = rising[::-1]
    about = clips([[0, 0]] * 4, "aabb", TARGETS)
    # Each of the two rising ones is compared with one rising and one falling: no order, no agreement.
    alone = weighting.Weighed(about, said((PIANO,), rising, rising, rising, falling))
    assert weighting.agreement(alone, EVERY)[:, 0].tolist() == pytest.approx([1, 1, 1, 0])
    tied = weighting.Weighed(about, said((PIANO,), rising, rising, falling))
    assert weighting.agreement(tied, EVERY)[:, 0].tolist() == [1, 1, 1]  # nobody agrees: plain
    two = weighting.Weighed(about, said((PIANO,), rising, falling))
    assert weighting.agreement(two, EVERY)[:, 0].tolist() == [1, 1]


def test_the_choice_says_what_it_is_based_on() -> None:
    weights, basis = weigh.choose(weighed())
    assert basis == ["labels", "agreement"]  # a vote for solemnity is none for choirs
    assert weights[:, 0].tolist() == pytest.approx([0.8, 0.2, 0])
    assert weights[:, 1].tolist() == pytest.approx([0, 0.5, 0.5])


def test_an_artist_is_in_one_fold() -> None:
    artists = np.array(list("abcdefghijaab"))
    fold = weigh.folds(artists, deal=3)
    assert len(set(fold[artists == "a"])) == len(set(fold[artists == "b"])) == 1
    assert np.bincount([fold[artists == name][0] for name in "abcdefghij"]).tolist() == [2] * 5


def test_out_of_fold_an_artists_labels_are_not_seen() -> None:
    chance = np.random.default_rng(0)
    labels = np.arange(20)[:, None] % 3 == 0
    given = said((CALM,), *(chance.random((2, 20, 1)) / 2 + labels / 4).tolist())
    artists = "abcdefghij" * 2
    target = (TARGETS[0],)

    def combined() -> np.ndarray:
        about = weighting.Weighed(clips(labels.tolist(), artists, target), given)
        return weigh.out_of_fold(about, weighting.per_target, "ranks", 0)[:, 0]

    before = combined()
    labels[[0, 10]] = ~labels[[0, 10]]  # both clips of "a"
    after = combined()
    assert after[[0, 10]].tolist() == before[[0, 10]].tolist()
    assert (after != before).any()  # others' weights come from them


def test_differences_are_paired() -> None:
    about = clips([[1, 0], [1, 1], [0, 0], [0, 1]], "abcd", TARGETS)
    right = np.array([[4.0, NAN], [3, NAN], [2, NAN], [1, NAN]])
    half = np.array([[4.0, NAN], [1, NAN], [3, NAN], [2, NAN]])
    same = emotify.intervals(about, right, right, resamples=50)
    assert same == {"feeling": (0.0, 0.0, 0.0)}
    value, low, high = emotify.intervals(about, right, half, resamples=200)["feeling"]
    assert value == 0.5
    assert low < 0.5 < high <= 1


def test_looks_are_kept(tmp_path: Path) -> None:
    emotify.look(tmp_path, "first, with a comma")
    emotify.look(tmp_path, "second")
    with (tmp_path / "looks.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert [row["what"] for row in rows] == ["first, with a comma", "second"]
    assert rows[0]["date"][:2] == "20"


def test_instruments_leave_out_what_may_be_heard() -> None:
    count = judge_mixes.FEWEST
    has = np.array([1.0] * count + [NAN] + [0.0] * 2)
    scores = np.array([[0.9]] * count + [[0.0]] + [[0.1], [0.95]], np.float32)
    paths = [Path(str(number)) for number in range(len(has))]
    rare = np.array([1.0] * (count - 1) + [0.0] * 4)
    labels = labelled.Labels("", paths, [path.name for path in paths], {PIANO: has, CALM: has})
    found = judge_mixes.figures(labels, Heard((PIANO, CALM), [], scores.repeat(2, 1)), 50)
    (row,) = found["instruments"]  # calm is no instrument
    assert (row["tag"], row["with"], row["without"], row["auc"]) == ("piano", count, 2, 0.5)
    assert found["macro"] == 0.5
    assert "mean of 1 instruments: 0.500" in "\n".join(judge_mixes.lines(found))
    fewer = labels._replace(has={PIANO: rare})
    assert judge_mixes.figures(fewer, Heard((PIANO,), [], scores), 50)["instruments"] == []


def test_agreement_on_real_music_lists_the_weakest_first() -> None:
    students = np.array([[1.0, 1], [2, 2], [3, 3]])
    teachers = np.array([[1.0, 3], [2, 1], [3, 2]])
    rows = [{"source": "a"}, {"source": "b"}, {"source": "b"}]
    found = judge_real.agreement((CALM, ROCK), students, teachers, rows)
    assert found["tags"] == [["rock", "genre", -0.5], ["calm", "mood", 1.0]]
    assert found["mean"] == 0.25
    assert found["categories"] == {"mood": 1.0, "genre": -0.5}
    assert found["sources"] == {"b": 2, "a": 1}


def test_tags_a_track_are_counted() -> None:
    calm, piano = Decision("calm", "mood", 0.5), Decision("piano", "instrument", 0.5)
    found = judge_real.spread([[], [calm], [calm, piano], [calm, piano] * 4])
    assert (found["median"], found["most"], found["none"], found["typical"]) == (1.5, 8, 0.25, 0.25)
    assert found["categories"] == {"mood": 1.5, "theme": 0.0, "instrument": 1.25}


def test_generated_noise_has_its_level(tmp_path: Path) -> None:
    found = judge_pieces.generated(tmp_path)
    for level in (-80, -20):
        samples, _ = soundfile.read(found[f"white noise, {level} dB"])
        assert 20 * np.log10(np.sqrt((samples**2).mean())) == pytest.approx(level, abs=0.1)
    samples, _ = soundfile.read(found["digital silence"])
    assert not samples.any()


def test_figures_of_other_models_are_not_gone_on_with(tmp_path: Path) -> None:
    bundles = [Path(__file__).parents[1] / "weights" / "default.toml"]
    record = tmp_path / "judged.json"
    begun = judge.begun(record, bundles)
    record.write_text(json.dumps({**begun, "size": {"kept": True}}))
    assert judge.begun(record, bundles)["size"] == {"kept": True}
    record.write_text(json.dumps({**begun, "models": {"other": "0"}, "size": {}}))
    assert "size" not in judge.begun(record, bundles)


def test_what_is_missing_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert judge.measure("mixes", tmp_path, tmp_path, []) is None
    assert "mixes.csv is not there; render.py writes it" in capsys.readouterr().err


def test_the_teachers_are_as_right_about_the_training_artists_as_was_measured() -> None:
    folder = shared("datasets", "emotify-teachers.npz").parents[1]
    about = emotify.read(folder)
    train = weighting.Weighed(
        *emotify.some(about, emotify.read_teachers(folder, about), about.train)
    )
    assert len(train.clips.files) == 259
    found = {
        member: emotify.by_kind(emotify.areas(train.clips.labels, scores), about.targets)
        for member, scores in zip(train.said.members, train.scores, strict=True)
    }
    # The reference ranked all 400 clips, those of the test artists too.
    assert found["mtg-moodtheme-vgg"]["feeling"] == pytest.approx(0.741, abs=0.003)
    assert found["jamendo-fcn"]["genre"] == pytest.approx(0.908, abs=0.003)
    assert found["mtat-musicnn"]["feeling"] == pytest.approx(0.704, abs=0.003)
    plain = weighting.target_level(train, None)
    areas = emotify.by_kind(emotify.areas(train.clips.labels, plain), about.targets)
    assert areas["feeling"] == pytest.approx(0.700, abs=0.003)
    assert areas["genre"] == pytest.approx(0.923, abs=0.003)
