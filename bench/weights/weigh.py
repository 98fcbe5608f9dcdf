"""How much each teacher says about each tag, from Emotify's training artists.

    python bench/weights/weigh.py SHARED WORK [--compare]

Writes ``WORK/teachers.json`` and prints it::

    {"tags": [[name, category], ...], "members": [name, ...],
     "weights": [[one a member, 0 where it lacks the tag, sum 1], ...one a tag], "basis": [...one a tag]}

A tag's ``basis`` is "labels" (its feeling was voted on, its genre is known), "agreement" (with what the
other teachers that have it say together; two of them weigh the same) or "only" (one teacher has it).
``--compare`` first prints what the ways to weigh and to combine are worth out of fold: five folds by artist,
dealt several times; weights are fitted on four, the fifth is scored. The choice below was made on that.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import emotify
import numpy as np
import weighting
from emotify import FloatArray, Said
from weighting import Fit, Weighed, combine, express

FOLDS = 5
DEALS = 10
FITS: dict[str, Fit] = {
    "plain": weighting.plain,
    "(AUC - .5)², per target": weighting.per_target,
    "(AUC - .5)², per target, half shrunk": weighting.shrunk,
    "(AUC - .5)², per tag": weighting.per_tag,
    "agreement, no label used": weighting.agreement,
}
#: Chosen on what ``--compare`` prints (weighed.txt). Weighing is worth a little on genres and nothing that
#: can be told on feelings, and the ways to weigh are worth the same: the one with the fewest numbers fitted
#: is taken. Standardised logits are no worse than the rest, and it is these that the students are taught.
WAY = "standardised logits"
LABELLED: Fit = weighting.per_target


def folds(artists: np.ndarray, deal: int) -> np.ndarray:
    """Return the fold (clips,) of every clip: an artist's clips share one, folds have as many artists."""
    names, member_of = np.unique(artists, return_inverse=True)
    dealt = np.random.default_rng(deal).permutation(len(names)) % FOLDS
    found: np.ndarray = dealt[member_of]
    return found


def out_of_fold(weighed: Weighed, fit: Fit, way: str, deal: int) -> FloatArray:
    """Return (clips, tags), each clip combined with weights that never saw its artist's labels."""
    fold = folds(weighed.clips.artists, deal)
    values = express(weighed.said.probabilities, way)
    combined = np.zeros(values.shape[1:])
    for number in range(FOLDS):
        held_out = fold == number
        combined[held_out] = combine(values[:, held_out], fit(weighed, ~held_out))
    return combined


def score(combined: FloatArray, weighed: Weighed) -> dict[str, float]:
    """Mean ROC-AUC of feelings and genres of (clips, tags)."""
    targets = weighed.clips.targets
    scores = emotify.target_scores(combined, weighed.said.tags, targets)
    return emotify.by_kind(emotify.areas(weighed.clips.labels, scores), targets)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("shared", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument(
        "--compare", action="store_true", help="what other ways are worth; a minute"
    )
    arguments = parser.parse_args()
    clips = emotify.read(arguments.shared)
    said = emotify.read_teachers(arguments.shared, clips)
    train = Weighed(*emotify.some(clips, said, clips.train))
    if arguments.compare:
        print_alternatives(train)
    weights, basis = choose(train)
    print_weights(said, weights, basis)
    write(arguments.work / "teachers.json", said, weights, basis)


def choose(train: Weighed) -> tuple[FloatArray, list[str]]:
    """Return weights (members, tags) that sum to 1, and each tag's basis, from all training clips."""
    every = np.ones(len(train.clips.files), bool)
    labelled, agreeing = LABELLED(train, every), weighting.agreement(train, every)
    # A choir makes music solemn to listeners; who is right about that need not be right about choirs.
    voted = {
        tag for target in train.clips.targets for tag in target.tags if tag.category != "vocals"
    }
    basis = [
        "only" if alone else "labels" if tag in voted else "agreement"
        for tag, alone in zip(train.said.tags, train.said.knows.sum(0) == 1, strict=True)
    ]
    weights = np.where(np.array(basis) == "labels", labelled, agreeing)
    return weights / weights.sum(0), basis


def write(path: Path, said: Said, weights: FloatArray, basis: list[str]) -> None:
    content = {
        "tags": [list(tag) for tag in said.tags],
        "members": list(said.members),
        "weights": [[float(weight) for weight in column] for column in weights.T],
        "basis": basis,
    }
    text = json.dumps(content, indent=1) + "\n"
    if (
        not path.exists() or path.read_text(encoding="utf-8") != text
    ):  # what reads it may go by its date
        path.write_text(text, encoding="utf-8")


def print_alternatives(train: Weighed) -> None:
    print(f"Emotify, {len(train.clips.files)} clips of {len(set(train.clips.artists))} training")
    print(
        f"artists; ROC-AUC, feelings / genres, out of fold, mean of {DEALS} deals of {FOLDS} folds"
    )
    print(" " * 40 + "  ".join(f"{way:13}" for way in ("probabilities", "ranks", "logits", "z")))
    for name, fit in FITS.items():
        figures = []
        for way in weighting.WAYS:
            deals = 1 if fit is weighting.plain else DEALS
            found = [score(out_of_fold(train, fit, way, deal), train) for deal in range(deals)]
            figures.append(_means(found))
        print(f"  {name:38}" + "  ".join(figures))
    print(f"  chosen: {WAY}, per target; more than plain: {gain(train)}")


def gain(train: Weighed) -> str:
    """What the chosen weights add to the plain mean out of fold, with 95 % intervals by artist."""
    ours, plainly = (
        emotify.target_scores(out_of_fold(train, fit, WAY, 0), train.said.tags, train.clips.targets)
        for fit in (LABELLED, weighting.plain)
    )
    found = emotify.intervals(train.clips, ours, plainly)
    return "; ".join(
        f"{kind} {value:+.3f} [{low:+.3f}, {high:+.3f}]"
        for kind, (value, low, high) in found.items()
    )


def _means(found: list[dict[str, float]]) -> str:
    return " / ".join(f"{np.mean([each[kind] for each in found]):.3f}" for kind in found[0])


def print_weights(said: Said, weights: FloatArray, basis: list[str]) -> None:
    print("weights in %:", ", ".join(said.members))
    for tag, column, why in zip(said.tags, weights.T, basis, strict=True):
        shown = "".join(f"{100 * weight:5.0f}" if weight else "    ." for weight in column)
        print(f"{tag.name:22}{tag.category:11}{why:10}{shown}")


if __name__ == "__main__":
    main()
