"""What ships: it is there, says whose it is, and agrees with its teachers on music that it never heard."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from tagkit.cli.main import app
from tagkit.inference import ensemble
from tagkit.inference.pipeline import Analyser, Task
from tagkit.metrics import rank_correlation
from tagkit.vocab import VOCABULARIES, Tag, canonical
from tagkit.weights import bundle
from tests.shared import shared

ROOT = Path(__file__).parents[1]
CLIPS = 60  # of 141: a slice; bench/agreement.py takes all

#: The arrays of emotify-teachers.npz and the vocabulary of each.
TEACHERS = {
    "jamendo_fcn": "jamendo-top50",
    "jamendo_crnn": "jamendo-top50",
    "jamendo_musicnn": "jamendo-top50",
    "mtat_fcn": "mtat-top50",
    "mtat_musicnn": "mtat-top50",
    "msd_fcn": "msd-top50",
    "msd_crnn": "msd-top50",
    "mtg": "jamendo-moodtheme56",
}


def test_it_is_a_small_ensemble_of_two_with_their_papers() -> None:
    shipped = ensemble.load(())
    assert len(shipped.members) == 2
    assert sum(member.path.stat().st_size for member in shipped.members) <= 6e6
    for member in shipped.members:
        card = member.card
        assert card.licence == "CC-BY-NC-SA-4.0"
        assert card.training_data and card.notes and card.title
        assert card.thresholds is not None and len(card.thresholds) == len(card.tags)
        told = card.scores["rank correlation with the mean of the teachers, mean over tags"]
        assert told["test tracks"] >= 0.5
    assert {tag.category for tag in shipped.tags} == {
        "mood",
        "theme",
        "instrument",
        "genre",
        "vocals",
    }


def test_it_agrees_with_its_teachers_on_artists_that_it_never_heard() -> None:
    with shared("datasets", "emotify.csv").open() as lines:
        files = [row["file"] for row in csv.DictReader(lines) if row["split"] == "test"]
    files = sorted(files)[:: max(1, len(files) // CLIPS)][:CLIPS]
    shipped = ensemble.load(())
    ids = shipped.model_ids(16)
    analyser = Analyser([bundle.load(member.path) for member in shipped.members])
    music = shared("music")
    heard = list(analyser.analyse(Task(music / file, ids) for file in files))
    assert not [analysis.error for analysis in heard if analysis.error]
    outputs = [np.stack([a.results[name].probabilities for a in heard]) for name in ids]
    found = ensemble.combine(shipped, outputs)
    rho = rank_correlation(found, _teachers(files, shipped.tags))
    assert np.nanmean(rho) >= 0.5


def _teachers(files: list[str], tags: tuple[Tag, ...]) -> np.ndarray:
    """The plain mean of the published taggers that know a tag, (files, tags), by no code of ours."""
    with np.load(shared("datasets", "emotify-teachers.npz"), allow_pickle=False) as stored:
        data = dict(stored)
    names = data["files"].tolist()
    rows = [names.index(file) for file in files]
    means = []
    for tag in tags:
        columns = []
        for teacher, vocabulary in TEACHERS.items():
            outputs = [
                n for n, word in enumerate(VOCABULARIES[vocabulary]) if canonical(word) == tag
            ]
            if outputs:
                columns.append(data[teacher][rows][:, outputs].max(1))
        means.append(np.mean(columns, 0))
    return np.stack(means, 1)


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, float]]:
    store = tmp_path_factory.mktemp("store") / "store.sqlite"
    arguments = ["tag", str(ROOT / "examples" / "music"), "--store", str(store), "--all-tags"]
    done = CliRunner().invoke(app, [*arguments, "--format", "jsonl"])
    assert done.exit_code == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return {Path(row["path"]).stem[3:]: row["probabilities"] for row in rows}


EXPECTED = {
    "lament": "strings",
    "downstrokes": "rock",
    "warehouse": "techno",
    "porch-waltz": "folk",
    "corner-table": "jazz",
    "the-gates": "epic",
    "low-cloud": "ambient",
    "cradle": "harp",
    "rubber-band": "funk",
}


@pytest.mark.parametrize("piece", EXPECTED)
def test_the_examples_sound_like_what_they_are(
    examples: dict[str, dict[str, float]], piece: str
) -> None:
    """Among the pieces, the one with the instrument (or the kind of music) ranks highest or second."""
    ranked = sorted(examples, key=lambda name: -examples[name][EXPECTED[piece]])
    assert piece in ranked[:2]
