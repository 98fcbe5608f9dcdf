"""Thresholds of the bundles and of the two together, and what tracks then get.

The bundles' own thresholds are for whoever uses one alone; ``default.toml`` has the ensemble's, since two
models together are surer than either.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import borrowed
import calibrating
import cutting
import listening
import numpy as np
from listening import Music
from numpy.typing import NDArray

from tagkit.inference import context, ensemble, ensemble_file
from tagkit.inference.context import Context
from tagkit.inference.ensemble import Ensemble
from tagkit.vocab import Tag
from tagkit.weights import bundle

FloatArray = NDArray[np.float32]

#: What ``tagkit tag`` gives unless told otherwise.
DEFAULT = ("mood", "theme", "instrument")
#: Of tracks that get a tag: with fewer its threshold for smoothed probabilities would be chance.
FEWEST = 5
NOTES = """\
What "tagkit tag" listens with unless told otherwise. Written by bench/weights/assemble.py: a threshold
gives its tag to as many of {tracks} held-out tracks as have it in an official split file, at most a third.
The context's shares are borrowed: fitted on published predictions for MTG-Jamendo, with at least half left
to the track itself (bench/weights/borrowed.py)."""


def fit(
    shared: Path,
    work: Path,
    raw: Sequence[Path],
    bundles: Sequence[Path],
    music: Music,
    official: Mapping[Tag, float],
) -> dict[str, Any]:
    """Write the thresholds into the bundles and ``default.toml`` beside them; return what tracks get."""
    shipped = ensemble.load([str(path) for path in bundles])
    held_out, nothing = (
        said(raw, shipped, [work / row["path"] for row in rows], work)
        for rows in (music.held_out, music.nothing)
    )
    clips, labels = calibrating.genres(shared)
    labelled = said(raw, shipped, clips, work)

    def cuts(alone: Ensemble, chosen: slice) -> NDArray[np.float64]:
        found, none, known = (
            ensemble.combine(alone, part[chosen]) for part in (held_out, nothing, labelled)
        )
        shares = [official[tag] for tag in alone.tags]
        fitted = {
            tag: calibrating.best_f1(known[:, alone.tags.index(tag)], has, official[tag])
            for tag, has in labels.items()
            if tag in alone.tags
        }
        return np.round(cutting.thresholds(found, alone.tags, shares, none, fitted), 4)

    for number, path in enumerate(bundles):
        alone = ensemble.load([str(path)])
        by_tag = dict(zip(alone.tags, cuts(alone, slice(number, number + 1)), strict=True))
        made = bundle.load(path)
        ordered = tuple(float(by_tag[tag]) for tag in made.card.tags)
        bundle.save(path, replace(made.card, thresholds=ordered), made.model, made.front_end)
    together = cuts(shipped, slice(None))
    definition = ensemble_file.Definition(
        members=tuple(path.stem for path in bundles),
        name="tagkit-default",
        thresholds={tag.name: float(cut) for tag, cut in zip(shipped.tags, together, strict=True)},
        most=cutting.MOST,
        context=borrowed.fit(shared).context,
    )
    definition = replace(
        definition, context_thresholds=in_context(shipped, definition, held_out, nothing, music)
    )
    place = bundles[0].with_name("default.toml")
    ensemble_file.write(place, definition, notes=NOTES.format(tracks=len(music.held_out)))
    return measure(ensemble.load([str(place)]), held_out, nothing, music)


def said(
    raw: Sequence[Path], shipped: Ensemble, paths: Sequence[Path], work: Path
) -> list[FloatArray]:
    """Return what each member says, (tracks, outputs): what the student it was cut from said."""
    heard = listening.students(raw, paths, work)
    found = []
    for place, member, given in zip(raw, shipped.members, heard.members, strict=True):
        whole = bundle.read_card(place).tags
        found.append(given[:, [whole.index(tag) for tag in member.card.tags]])
    return found


def in_context(
    shipped: Ensemble,
    definition: ensemble_file.Definition,
    held_out: list[FloatArray],
    nothing: list[FloatArray],
    music: Music,
) -> dict[str, float]:
    """Return thresholds for smoothed probabilities, which vary less: those of the held-out tracks that have
    an artist in common get each tag as often as without smoothing.

    A tag that few of them get keeps its threshold.
    """
    found = ensemble.combine(shipped, held_out)
    smoothed, company = smooth(shipped, found, definition.context, music)
    plain = [definition.thresholds[tag.name] for tag in shipped.tags]
    got = cutting.given(found, shipped.tags, plain)[company]
    cuts = cutting.thresholds(
        smoothed[company],
        shipped.tags,
        got.mean(0).tolist(),
        ensemble.combine(shipped, nothing),
        ceiling=1,
    )
    return {
        tag.name: round(float(cut), 4)
        for tag, cut, tracks in zip(shipped.tags, cuts, got.sum(0), strict=True)
        if tag.category in context.CATEGORIES and tracks >= FEWEST
    }


def smooth(
    shipped: Ensemble, found: FloatArray, shares: Context | None, music: Music
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Return ``found`` (tracks, tags) smoothed, and which tracks share an artist with another.

    For an album stands what a game or a repository has by one artist.
    """
    assert shares is not None
    artists = [row["artist"] for row in music.held_out]
    albums = [row["source"] for row in music.held_out]
    smoothed = context.smooth(found, shipped.tags, artists, albums, shares)
    times = Counter(artists)
    return smoothed, np.array([bool(artist) and times[artist] > 1 for artist in artists])


def measure(
    shipped: Ensemble, held_out: list[FloatArray], nothing: list[FloatArray], music: Music
) -> dict[str, Any]:
    """Return how many tags tracks get of the categories that are given unless told otherwise.

    Raises ValueError where sound that is no music gets any tag.
    """
    found, none = ensemble.combine(shipped, held_out), ensemble.combine(shipped, nothing)
    got = cutting.given(none, shipped.tags, shipped.thresholds).any(1)
    if got.any():
        paths = [row["path"] for row, some in zip(music.nothing, got, strict=True) if some]
        raise ValueError(f"no music, and yet it gets tags: {', '.join(paths)}")
    smoothed, company = smooth(shipped, found, shipped.context, music)
    default = [tag.category in DEFAULT for tag in shipped.tags]
    figures: dict[str, Any] = {}
    for name, values, cuts in (
        ("held-out music", found, shipped.thresholds),
        ("those with company", found[company], shipped.thresholds),
        ("those with company, smoothed", smoothed[company], shipped.context_thresholds),
    ):
        counts = cutting.given(values, shipped.tags, cuts)[:, default].sum(1)
        figures[name] = spread(counts)
    return {"moods, themes and instruments a track": figures}


def spread(counts: NDArray[np.int64]) -> dict[str, float]:
    """Of tags a track (tracks,): the mean, the median, and the part of tracks with so many."""
    parts = {
        "2 to 6": (counts >= 2) & (counts <= 6),
        "none": counts == 0,
        "more than 8": counts > 8,
    }
    return {
        "tracks": len(counts),
        "mean": round(float(counts.mean()), 2),
        "median": float(np.median(counts)),
        **{name: round(float(part.mean()), 3) for name, part in parts.items()},
    }
