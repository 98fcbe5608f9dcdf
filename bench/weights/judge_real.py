"""The students on held-out files of ``WORK/real.csv``: music that the teachers can judge, and what is no music.

- Agreement: rank correlation, tag by tag, with the weighted teachers, on music by nobody who is in the
  training; Emotify is left out. The teachers are standardised over the same files.
- How many tags a track gets of the categories that ``tagkit tag`` gives by default, each file by itself
  (no artist, no album).
- The share of speech, nature and noise that gets none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from listening import read_rows
from listening import students as listen
from listening import teachers as ask
from numpy.typing import NDArray

from tagkit import metrics
from tagkit.inference import ensemble
from tagkit.inference.ensemble import Ensemble
from tagkit.thresholds import Decision, Options, decide_all
from tagkit.vocab import Tag

DEFAULT_CATEGORIES = ("mood", "theme", "instrument")
TYPICAL = range(2, 7)


def measure(work: Path, bundles: Sequence[Path]) -> dict[str, Any]:
    rows = [row for row in read_rows(work / "real.csv") if row["split"] == "test"]
    music = [r for r in rows if r["teach"] == "teachers" and "/emotify/" not in r["path"]]
    others = [row for row in rows if row["teach"] == "nothing"]
    models = ensemble.load([str(path) for path in bundles])
    paths = [work / row["path"] for row in music]
    heard = listen(bundles, paths, work)
    given = decide(models, heard.together)
    return {
        "agreement": agreement(
            heard.tags, heard.together, ask(paths, work).columns(heard.tags), music
        ),
        "tags a track": spread(given),
        "nothing": nothing(models, work, bundles, others),
    }


def decide(models: Ensemble, probabilities: NDArray[np.floating]) -> list[list[Decision]]:
    """Return what ``tagkit tag`` gives each file by default."""
    options = Options(categories=DEFAULT_CATEGORIES)
    thresholds = models.thresholds.tolist()
    return list(decide_all(models.tags, probabilities, thresholds, options, models.most))


def agreement(
    tags: Sequence[Tag],
    students: NDArray[np.floating],
    teachers: NDArray[np.floating],
    rows: Sequence[dict[str, str]],
) -> dict[str, Any]:
    """Return the rank correlation of each tag, (tracks, tags) each, lowest first, and the means."""
    rho = metrics.rank_correlation(students, teachers)
    tracks = Counter(row["source"] for row in rows)
    by_category = {
        category: metrics.macro(rho[[tag.category == category for tag in tags]])
        for category in dict.fromkeys(tag.category for tag in tags)
    }
    order = np.argsort(rho)
    return {
        "tracks": len(rows),
        "sources": dict(tracks.most_common()),
        "mean": metrics.macro(rho),
        "median": float(np.nanmedian(rho)),
        "categories": by_category,
        "tags": [[tags[place].name, tags[place].category, float(rho[place])] for place in order],
    }


def spread(given: Sequence[Sequence[Decision]]) -> dict[str, Any]:
    """Return how many tags tracks get."""
    counts = np.array([len(decisions) for decisions in given])
    by_category = Counter(decision.category for decisions in given for decision in decisions)
    by_tag = Counter(decision.name for decisions in given for decision in decisions)
    return {
        "tracks": len(counts),
        "median": float(np.median(counts)),
        "mean": float(counts.mean()),
        "most": int(counts.max()),
        "none": float((counts == 0).mean()),
        "typical": float(np.isin(counts, TYPICAL).mean()),
        "categories": {name: by_category[name] / len(counts) for name in DEFAULT_CATEGORIES},
        "commonest": {name: count / len(counts) for name, count in by_tag.most_common(10)},
    }


def nothing(
    models: Ensemble, work: Path, bundles: Sequence[Path], rows: Sequence[dict[str, str]]
) -> dict[str, Any]:
    """Return how many files of each source get no tag, and what the others get."""
    if not rows:
        return {"files": 0, "share": float("nan"), "sources": {}, "tagged": {}}
    heard = listen(bundles, [work / row["path"] for row in rows], work)
    given = decide(models, heard.together)
    silent: dict[str, list[bool]] = {}
    for row, decisions in zip(rows, given, strict=True):
        silent.setdefault(row["source"], []).append(not decisions)
    tagged = Counter(decision.name for decisions in given for decision in decisions)
    return {
        "files": len(rows),
        "share": float(np.mean([not decisions for decisions in given])),
        "sources": {name: [sum(kept), len(kept)] for name, kept in silent.items()},
        "tagged": dict(tagged.most_common()),
    }


def lines(found: dict[str, Any]) -> Iterator[str]:
    says = found["agreement"]
    yield f"Agreement with the weighted teachers on {says['tracks']} held-out tracks, rank correlation:"
    yield f"  mean of {len(says['tags'])} tags {says['mean']:.3f}, median {says['median']:.3f}"
    yield "  " + ", ".join(f"{name} {rho:.3f}" for name, rho in says["categories"].items())
    yield "  tracks: " + ", ".join(f"{name} {count}" for name, count in says["sources"].items())
    says = found["tags a track"]
    yield f"Tags a track there ({', '.join(DEFAULT_CATEGORIES)}):"
    share = f"{says['typical']:.0%} get {TYPICAL[0]}–{TYPICAL[-1]}, {says['none']:.0%} none"
    yield f"  median {says['median']:.0f}, mean {says['mean']:.2f}, most {says['most']}; {share}"
    yield "  " + ", ".join(f"{name} {count:.2f}" for name, count in says["categories"].items())
    common = (f"{name} {share:.0%}" for name, share in says["commonest"].items())
    yield "  commonest: " + ", ".join(common)
    says = found["nothing"]
    if says["files"]:
        yield f"No tag on {says['share']:.0%} of {says['files']} held-out files without music:"
        told = (f"{name} {kept} of {files}" for name, (kept, files) in says["sources"].items())
        yield "  " + ", ".join(told)
        if says["tagged"]:
            told = (f"{name} {count}" for name, count in says["tagged"].items())
            yield "  given to the others: " + ", ".join(told)


def listing(found: dict[str, Any]) -> Iterator[str]:
    yield "Agreement by tag, lowest first:"
    for name, category, rho in found["agreement"]["tags"]:
        yield f"{rho:6.3f}  {category:10}  {name}"
