"""What the students say of pieces that everybody knows or can imagine, and of what is no music.

``SHARED/audio``: librosa's example recordings and one excerpt. Silence and white noise are generated, at
several levels, into ``WORK/judge``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import judge_real
import listening
import numpy as np
import soundfile

from tagkit.files import whole
from tagkit.inference import ensemble

PIECES = {
    "ragtime, piano": "442789__lena-orsa__happy-music-pistachio-ice-cream-ragtime.hq.ogg",
    "Hungarian Dance 5, string orchestra": "Hungarian_Dance_number_5_-_Allegro_in_F_sharp_minor"
    "_(string_orchestra).hq.ogg",
    "Sugar Plum Fairy": "Kevin_MacLeod_-_P_I_Tchaikovsky_Dance_of_the_Sugar_Plum_Fairy.hq.ogg",
    "Let's Go Fishin', folk with a woman's voice": "Karissa_Hobbs_-_Lets_Go_Fishin.hq.ogg",
    "Vibe Ace, jazz": "Kevin_MacLeod_-_Vibe_Ace.hq.ogg",
    "drum and bass alone": "admiralbob77_-_Choice_-_Drum-bass.hq.ogg",
    "trumpet alone": "sorohanro_-_solo-trumpet-06.hq.ogg",
    "sweet waltz": "147793__setuniman__sweet-waltz-0i-22mi.hq.ogg",
    "Solipsism (Magnatune)": "joram-moments_of_clarity-08-solipsism-59-88.mp3",
}
NO_MUSIC = listening.NAMED | {"dog howling in her sleep": "pibble.hq.ogg"}
#: RMS of white noise in dB below full scale.
LEVELS = (-80, -60, -40, -20, -10)
SHOWN = {("mood", "theme"): 5, ("instrument",): 4, ("genre",): 3}
RATE = 44_100
SECONDS = 20


def measure(shared: Path, work: Path, bundles: Sequence[Path]) -> dict[str, Any]:
    """Return by piece the top tags as [name, probability, given?], and by other file the tags it gets."""
    models = ensemble.load([str(path) for path in bundles])
    pieces = {name: shared / "audio" / file for name, file in PIECES.items()}
    others = {name: shared / "audio" / file for name, file in NO_MUSIC.items()}
    others |= generated(work / "judge")
    heard = listening.students(bundles, list((pieces | others).values()), work)
    given = judge_real.decide(models, heard.together)
    tops: dict[str, Any] = {}
    tags: dict[str, list[str]] = {}
    for name, row, decisions in zip(pieces | others, heard.together, given, strict=True):
        if name in pieces:
            tops[name] = top(models, row)
        else:
            tags[name] = [decision.name for decision in decisions]
    return {"pieces": tops, "no music": tags}


def top(models: ensemble.Ensemble, row: np.ndarray) -> dict[str, list[list[Any]]]:
    """Return the most probable tags of each group of categories; the last says whether it is above its
    threshold."""
    found: dict[str, list[list[Any]]] = {}
    for categories, count in SHOWN.items():
        places = [p for p, tag in enumerate(models.tags) if tag.category in categories]
        best = sorted(places, key=lambda place: -row[place])[:count]
        found[" and ".join(categories)] = [
            [models.tags[p].name, float(row[p]), bool(row[p] >= models.thresholds[p])] for p in best
        ]
    return found


def generated(folder: Path) -> dict[str, Path]:
    """Return digital silence and white noise as files, written where they are missing."""
    folder.mkdir(parents=True, exist_ok=True)
    found = {"digital silence": folder / "silence.wav"}
    found |= {f"white noise, {level} dB": folder / f"noise{level}.wav" for level in LEVELS}
    for path, level in zip(found.values(), (None, *LEVELS), strict=True):
        if not path.exists():
            noise = np.random.default_rng(0).standard_normal(RATE * SECONDS)
            samples = noise * (0 if level is None else 10 ** (level / 20))
            with whole(path) as out:
                soundfile.write(out, samples.clip(-1, 1), RATE, format="WAV", subtype="PCM_24")
    return found


def lines(found: dict[str, Any]) -> Iterator[str]:
    yield "Known pieces: the most probable tags (* above its threshold)"
    for piece, groups in found["pieces"].items():
        yield f"  {piece}"
        for best in groups.values():
            told = (f"{name}{'*' if given else ''} {value:.3f}" for name, value, given in best)
            yield "    " + ", ".join(told)
    yield "Tags that no music gets (none is right):"
    for name, tags in found["no music"].items():
        yield f"  {name}: {', '.join(tags) or 'none'}"
