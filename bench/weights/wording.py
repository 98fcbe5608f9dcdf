"""What the cards say in words, from the tables that tell what the students were taught with."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from vocabulary import Verdict

LICENCE = "CC-BY-NC-SA-4.0"
TITLES = {
    "tagkit-ds-cnn": "tagkit student, depthwise-separable CNN",
    "tagkit-mel-tcn": "tagkit student, dilated 1-D CNN over mel bands",
}
SOURCE = (
    "distilled by tagkit (bench/weights/rebuild.py) from the published taggers of"
    " github.com/minzwon/sota-music-tagging-models (MIT) and github.com/MTG/mtg-jamendo-dataset (Apache-2.0 code)"
)
KINDS = {
    "teachers": "real music, of which the teachers say what it is",
    "labels": "single instruments, rendered or recorded, whose tags are known; they teach instruments only",
    "nothing": "sound that is no music and gets no tag",
}
FEW = 0.1  # hours: sources with less are told together


def training_data(rows: Iterable[Mapping[str, str]]) -> str:
    """Say what the students were trained on and chosen by: hours by kind and source, with licences."""
    taught = [row for row in rows if row["split"] in ("train", "validation")]
    told = []
    for kind, what in KINDS.items():
        of_kind = [row for row in taught if row["teach"] == kind]
        if not of_kind:
            continue
        hours: dict[str, float] = defaultdict(float)
        licences: dict[str, set[str]] = defaultdict(set)
        for row in of_kind:
            hours[row["source"]] += float(row["seconds"]) / 3600
            licences[row["source"]].add(row["licence"])
        parts = [
            f"{source} {hours[source]:.1f} h ({', '.join(sorted(licences[source]))})"
            for source in sorted(hours, key=lambda source: (-hours[source], source))
            if hours[source] >= FEW
        ]
        few = [source for source in sorted(hours) if hours[source] < FEW]
        if few:
            terms = sorted(set[str]().union(*(licences[source] for source in few)))
            part = f"{sum(hours[source] for source in few):.1f} h of {', '.join(few)}"
            parts.append(f"{part} ({', '.join(terms)})")
        chosen = sum(float(row["seconds"]) for row in of_kind if row["split"] == "validation")
        told.append(
            f"{sum(hours.values()):.1f} h of {what} ({chosen / 3600:.1f} h of them to choose the best weights by): "
            f"{'; '.join(parts)}."
        )
    told.append(
        "The teachers are eight published taggers (Jamendo FCN, CRNN, Musicnn; MTAT FCN, Musicnn; MSD FCN, CRNN; MTG's "
        "mood/theme VGG), trained on MTG-Jamendo, MagnaTagATune and the Million Song Dataset and weighed per tag; "
        "teachers and student hear the same changed sound."
    )
    return " ".join(told)


def notes(verdicts: Sequence[Verdict], calibrated: Sequence[str], missing: str) -> str:
    """Say what a probability means, what is missing, and which tags were dropped and why."""
    shipped = [verdict for verdict in verdicts if verdict.basis]
    labels = [verdict.tag.name for verdict in shipped if "labels" in verdict.basis]
    contradicted = [
        verdict.tag.name
        for verdict in shipped
        if verdict.labelled is not None and verdict.labelled.high < 0.5
    ]
    dropped = [
        f"{verdict.tag.name} ({verdict.why_not})" for verdict in verdicts if not verdict.basis
    ]
    return " ".join(
        (
            "Opinions of a model, not facts. A probability means: the weighted teachers would say so; for"
            f" {', '.join(calibrated)} it is calibrated on the genres of Emotify's training artists, at the shares of"
            " MTG-Jamendo. A tag's threshold gives it to as many held-out tracks as have it in an official split file,"
            " at most a third.",
            f"{len(shipped)} tags ship, {len(labels)} of them because the students are right about labels here"
            f" ({', '.join(labels)}), the others because a teacher is published to be and the students agree with the"
            " teachers.",
            *(
                [
                    f"Emotify's listeners, asked what they felt, contradict {', '.join(contradicted)}."
                ]
                if contradicted
                else []
            ),
            f"Dropped: {'; '.join(dropped) or 'none'}.",
            f"The real music in training has {missing}.",
        )
    )


def scores(judged: Mapping[str, Any], fingerprints: Mapping[str, str]) -> dict[str, Any]:
    """Return the main figures of ``WORK/judged.json``, each part with its date; nothing where it is about
    other models than those with these fingerprints."""
    if judged.get("models") != dict(fingerprints):
        return {}
    found: dict[str, Any] = {
        "measured by": "bench/weights/judge.py, whole in bench/weights/judged.txt"
    }
    if "emotify" in judged:
        says = judged["emotify"]
        found["Emotify's test artists, in-domain, ROC-AUC of 8 feelings and 4 genres"] = {
            "date": says["date"],
            **{
                name: {kind: figures[kind] for kind in ("feeling", "genre")}
                for name, figures in says["systems"].items()
            },
            "students minus (value, 95 % from, to; paired bootstrap by artist)": says[
                "students minus"
            ],
        }
    if "real" in judged:
        says = judged["real"]["agreement"]
        found["rank correlation with the weighted teachers on held-out music"] = {
            "date": judged["real"]["date"],
            **{name: says[name] for name in ("tracks", "mean", "median", "categories")},
        }
    if "mixes" in judged:
        says = judged["mixes"]
        found["instruments on unseen mixes, ROC-AUC"] = {
            **{name: says[name] for name in ("date", "mixes", "macro", "low", "high")},
            "instruments": len(says["instruments"]),
        }
    rounded: dict[str, Any] = _rounded(found)
    return rounded


def _rounded(value: Any) -> Any:
    """Four decimals; what is not defined is null."""
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    if isinstance(value, float):
        return None if math.isnan(value) else round(value, 4)
    return value
