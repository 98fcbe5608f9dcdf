"""From two trained students to what ships: vocabulary, calibration, thresholds, context, cards.

    python bench/weights/assemble.py SHARED WORK [--out DIR]

Reads ``WORK/raw/`` (the students, with every tag of any teacher), ``WORK/real.csv`` and ``WORK/stems.csv`` (what
they were taught with), ``WORK/mixes.csv``, ``WORK/teachers.toml`` and, where it is there and about these
students, ``WORK/judged.json``: run it again after ``judge.py``, and the cards say the figures. Writes
``WORK/vocabulary.csv``, which tags ship and why, and to ``--out``, by default ``weights/``, the two bundles and
``default.toml``. Prints what ships and how many tags a track gets.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import calibrating
import fitting
import labelled
import listening
import shares
import vocabulary
import wording
from listening import Heard, Music, read_rows

from tagkit.metrics import rank_correlation
from tagkit.vocab import Tag
from tagkit.weights import assemble, bundle

WEIGHTS = Path(__file__).parents[2] / "weights"
NAMES = ("tagkit-ds-cnn", "tagkit-mel-tcn")
#: What is not, or hardly, in ``WORK/real.csv``; by its sources (``packages.py``, SHARED/datasets/music.csv).
MISSING = (
    "next to no soul, R&B, reggae, country, rap and traditional music of most of the world, little sung music,"
    " blues and metal; more than half of its hours is music of computer games"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("shared", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    arguments = parser.parse_args()
    shared, work, out = arguments.shared, arguments.work, arguments.out
    out.mkdir(parents=True, exist_ok=True)
    raw = [work / "raw" / f"{name}.safetensors" for name in NAMES]
    music = Music.read(work)
    heard = listening.students(raw, [work / row["path"] for row in music.held_out], work)
    verdicts = judge(shared, work, raw, music, heard)
    vocabulary.write(work / "vocabulary.csv", verdicts)
    tags = [verdict.tag for verdict in verdicts if verdict.basis]
    official = {tag: share.share for tag, share in shares.official(shared).items()}
    bundles = cut_down(shared, work, raw, out, tags, official)
    figures = fitting.fit(shared, work, raw, bundles, music, official)
    describe(work, bundles, verdicts, figures)
    report(verdicts, figures)


def judge(
    shared: Path, work: Path, raw: Sequence[Path], music: Music, heard: Heard
) -> list[vocabulary.Verdict]:
    """Apply the shipping rule; agreement is on the held-out music that chose nothing."""
    test = [
        work / row["path"] for row, chosen in zip(music.held_out, music.test, strict=True) if chosen
    ]
    wanted = listening.teachers(test, work)
    agreement = rank_correlation(
        heard.rows(music.test).columns(wanted.tags), wanted.columns(wanted.tags)
    )
    figures = labelled.measured(shared, work, raw)
    return vocabulary.judge(wanted.tags, figures, vocabulary.results(shared), agreement)


def cut_down(
    shared: Path,
    work: Path,
    raw: Sequence[Path],
    out: Path,
    tags: Sequence[Tag],
    official: Mapping[Tag, float],
) -> list[Path]:
    """Write the students with the tags that ship and their calibration; return where."""
    paths, labels = calibrating.genres(shared)
    heard = listening.students(raw, paths, work)
    written = []
    for place, said in zip(raw, heard.members, strict=True):
        whole = bundle.load(place)
        outputs = [whole.card.tags.index(tag) for tag in tags]
        card, model = assemble.keep(whole.card, whole.model, outputs)
        pairs = calibrating.calibration(said[:, outputs], card.tags, labels, official)
        card = replace(card, thresholds=None, calibration=pairs)
        bundle.save(out / place.name, card, model, whole.front_end)
        written.append(out / place.name)
    return written


def describe(
    work: Path,
    bundles: Sequence[Path],
    verdicts: Sequence[vocabulary.Verdict],
    figures: Mapping[str, Any],
) -> None:
    """Write the cards' words and scores."""
    rows = read_rows(work / "real.csv") + read_rows(work / "stems.csv")
    looks = [" ".join(row.values()) for row in read_rows(work / "looks.csv")]
    judged = work / "judged.json"
    known = json.loads(judged.read_text(encoding="utf-8")) if judged.exists() else {}
    made = [bundle.load(path) for path in bundles]
    scores = wording.scores(known, {each.card.name: each.fingerprint for each in made})
    for path, each in zip(bundles, made, strict=True):
        card = replace(
            each.card,
            title=wording.TITLES[each.card.name],
            licence=wording.LICENCE,
            source=wording.SOURCE,
            training_data=wording.training_data(rows),
            notes=wording.notes(verdicts, calibrating.NAMES, MISSING),
            scores={**scores, **figures, "looks at Emotify's test artists": looks},
        )
        bundle.save(path, card, each.model, each.front_end)


def report(verdicts: Sequence[vocabulary.Verdict], figures: Mapping[str, Any]) -> None:
    """Print what ships, what does not, and how many tags a track gets."""
    shipped = [verdict for verdict in verdicts if verdict.basis]
    for basis in ("labels", "published", "labels and published"):
        names = [verdict.tag.name for verdict in shipped if verdict.basis == basis]
        print(f"{basis}: {len(names)}: {', '.join(names)}")
    print(f"dropped: {len(verdicts) - len(shipped)}")
    for verdict in verdicts:
        if not verdict.basis:
            print(f"  {verdict.tag.name} ({verdict.tag.category}): {verdict.why_not}")
    for name, values in figures.items():
        print(name)
        for music, spread in values.items():
            print(f"  {music}: " + ", ".join(f"{part} {value}" for part, value in spread.items()))


if __name__ == "__main__":
    main()
