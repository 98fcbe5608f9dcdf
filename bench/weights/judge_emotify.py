"""The students and the teachers on Emotify's test artists: who is right about feelings and genres.

In-domain: Emotify's other artists weighed the teachers and taught the students, and Emotify is music of
the label that MagnaTagATune is of, so the two MTAT teachers know some of its artists. Hence the figures
without them.

Tags are combined before targets are scored: a combination says something of each tag, as a student does,
and is scored by the mapping as one model. The reference's way, which combines the models' scores of a
target and so never says a tag, is printed beside it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import emotify
import numpy as np
from emotify import Clips, FloatArray, Said
from listening import students as listen
from weighting import Weighed, combine, express, target_level

from tagkit.inference import ensemble

STUDENTS = "students"
WEIGHTED = "teachers, weighted"
REFERENCE = "targets of teachers, weighted"


def measure(shared: Path, work: Path, bundles: Sequence[Path]) -> dict[str, Any]:
    """Return the figures of every system, and the students' distance to the weighted teachers."""
    clips = emotify.read(shared)
    said = emotify.read_teachers(shared, clips)
    train = Weighed(*emotify.some(clips, said, clips.train))
    test = Weighed(*emotify.some(clips, said, ~clips.train))
    emotify.look(work, "students and teachers: " + ", ".join(path.stem for path in bundles))
    scores = dict(_students(shared, work, bundles, test.clips))
    scores |= dict(_teachers(train, test, weights_of(work, said)))
    against = {name: test_against(test.clips, scores, name) for name in (WEIGHTED, REFERENCE)}
    return {
        "clips": len(test.clips.files),
        "artists": len(set(test.clips.artists)),
        "systems": {name: _figures(test.clips, found) for name, found in scores.items()},
        "intervals": {
            name: emotify.intervals(test.clips, scores[name]) for name in (STUDENTS, WEIGHTED)
        },
        "students minus": against,
    }


def test_against(
    clips: Clips, scores: dict[str, FloatArray], other: str
) -> dict[str, tuple[float, float, float]]:
    return emotify.intervals(clips, scores[STUDENTS], scores[other])


def _figures(clips: Clips, scores: FloatArray) -> dict[str, Any]:
    areas = emotify.areas(clips.labels, scores)
    targets = {t.name: float(area) for t, area in zip(clips.targets, areas, strict=True)}
    return {**emotify.by_kind(areas, clips.targets), "targets": targets}


def _students(
    shared: Path, work: Path, bundles: Sequence[Path], clips: Clips
) -> Iterator[tuple[str, FloatArray]]:
    paths = [shared / "music" / file for file in clips.files]
    together = ensemble.load([str(path) for path in bundles])
    heard = listen(bundles, paths, work)
    yield STUDENTS, emotify.target_scores(heard.together, heard.tags, clips.targets)
    if len(heard.members) > 1:
        for member, given in zip(together.members, heard.members, strict=True):
            columns = emotify.by_tag(member.card.tags, given)
            values = np.stack(list(columns.values()), 1)
            yield member.card.name, emotify.target_scores(values, list(columns), clips.targets)


def _teachers(
    train: Weighed, test: Weighed, weights: FloatArray
) -> Iterator[tuple[str, FloatArray]]:
    said = test.said
    yield from zip(said.members, test.scores, strict=True)
    values = express(said.probabilities, "standardised logits", train.said.probabilities)
    plain = said.knows.astype(np.float64)
    foreign = np.array([not member.startswith("mtat") for member in said.members])
    for name, given in (("teachers, plain", plain), (WEIGHTED, weights)):
        for whose, kept in (("", foreign | True), (", without MTAT", foreign)):
            combined = combine(values[kept], given[kept])
            yield name + whose, emotify.target_scores(combined, said.tags, test.clips.targets)
    yield "targets of teachers, plain", target_level(test, None)
    yield REFERENCE, target_level(test, train.skill(np.ones(len(train.clips.files), bool)))


def weights_of(work: Path, said: Said) -> FloatArray:
    """Return (members, tags) of ``WORK/teachers.json``. Raises ValueError where it is about others."""
    says = json.loads((work / "teachers.json").read_text(encoding="utf-8"))
    if tuple(says["members"]) != said.members or [tuple(t) for t in says["tags"]] != list(
        said.tags
    ):
        raise ValueError(f"{work / 'teachers.json'} is about other teachers: run weigh.py again")
    found: FloatArray = np.array(says["weights"]).T
    return found


def lines(found: dict[str, Any]) -> Iterator[str]:
    yield f"Emotify's test artists ({found['artists']}, {found['clips']} clips), in-domain: ROC-AUC"
    yield f"  {'':36}eight feelings  four genres"
    for name, figures in found["systems"].items():
        yield f"  {name:36}{figures['feeling']:14.3f}  {figures['genre']:11.3f}".replace(
            "nan", "  –"
        )
    for name, of_kind in found["intervals"].items():
        yield f"  {name}: {_told(of_kind, '.3f')}"
    for name, of_kind in found["students minus"].items():
        yield f"  students − {name}: {_told(of_kind, '+.3f')}"
    yield "  by target: students / weighted teachers"
    pair = [found["systems"][name]["targets"] for name in (STUDENTS, WEIGHTED)]
    for target in pair[0]:
        yield f"    {target:20}{pair[0][target]:.3f} / {pair[1][target]:.3f}"


def _told(of_kind: dict[str, tuple[float, float, float]], how: str) -> str:
    told = (
        f"{kind}s {v:{how}} [{low:{how}}, {high:{how}}]" for kind, (v, low, high) in of_kind.items()
    )
    return ", ".join(told) + " (95 %, bootstrap by artist)"
