"""What models say of files, remembered: the students, and the teachers as the one voice that taught them.

Everything heard is kept in ``WORK/cache``, where the students' training keeps what the teachers said of the
music that it validates and measures on; nothing there is listened to twice.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from tagkit.inference import ensemble
from tagkit.training.teaching.teachers import Teachers
from tagkit.training.teaching.voice import Voice
from tagkit.vocab import Tag

FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class Heard:
    """``members``: what each said, (tracks, outputs); ``together``: (tracks, tags) of ``tags``."""

    tags: tuple[Tag, ...]
    members: list[FloatArray]
    together: FloatArray

    def columns(self, tags: Sequence[Tag]) -> FloatArray:
        """(tracks, tags), NaN for a tag that nobody here knows."""
        found = np.full((len(self.together), len(tags)), np.nan, np.float32)
        for column, tag in enumerate(tags):
            if tag in self.tags:
                found[:, column] = self.together[:, self.tags.index(tag)]
        return found

    def rows(self, chosen: NDArray[np.bool_]) -> Heard:
        return Heard(self.tags, [said[chosen] for said in self.members], self.together[chosen])


#: Of SHARED/audio what is no music: three readers, a humpback whale, a robin. They must get no tag, so
#: thresholds lie above what is said of them; what ``judge.py`` says of these files measures nothing.
NAMED = {
    "speech, Sense and Sensibility": "198-209-0000.hq.ogg",
    "speech, The Age of Chivalry": "3436-172162-0000.hq.ogg",
    "speech, Ashiel Mystery": "5703-47212-0000.hq.ogg",
    "humpback whale": "glacier-bay-humpback.hq.ogg",
    "robin": "456440__inspectorj__bird-whistling-robin-single-13.hq.ogg",
}


@dataclass(frozen=True)
class Music:
    """Rows of ``real.csv``: music held out from training, some of which chose the best weights
    ("validation") and some nothing ("test"); and sound that is no music, of "validation" and :data:`NAMED`.
    Emotify's test artists are in neither: they are for measuring."""

    held_out: list[dict[str, str]]
    nothing: list[dict[str, str]]

    @classmethod
    def read(cls, work: Path) -> Music:
        rows = [row for row in read_rows(work / "real.csv") if row["split"] != "train"]
        chosen = [row for row in rows if row["split"] == "validation"]
        others = [row for row in rows if row["split"] == "test" and "/emotify/" not in row["path"]]
        return cls(
            [row for row in chosen + others if row["teach"] == "teachers"],
            [row for row in chosen if row["teach"] == "nothing"]
            + [{"path": f"shared/audio/{name}", "split": "validation"} for name in NAMED.values()],
        )

    @property
    def test(self) -> NDArray[np.bool_]:
        """Which of ``held_out`` chose nothing."""
        return np.array([row["split"] == "test" for row in self.held_out])


def students(bundles: Sequence[Path], paths: Sequence[Path], work: Path) -> Heard:
    """Return the mean probability of the students, as ``tagkit tag`` has it."""
    listener = Teachers([str(path) for path in bundles], work / "cache")
    members = _listen(listener, paths, "students")
    return Heard(listener.ensemble.tags, members, ensemble.combine(listener.ensemble, members))


def teachers(paths: Sequence[Path], work: Path) -> Heard:
    """Return the logits of the weighted teachers, ``WORK/teachers.toml``, as they taught.

    Each teacher is standardised over ``paths``: give all the tracks that are to be compared.
    """
    listener = Teachers([str(work / "teachers.toml")], work / "cache")
    members = _listen(listener, paths, "teachers")
    return Heard(listener.ensemble.tags, members, Voice(listener.ensemble, members)(members))


def _listen(listener: Teachers, paths: Sequence[Path], who: str) -> list[FloatArray]:
    shown = track(paths, f"{who} listen", console=Console(stderr=True))
    said = [listener.listen(path) for path in shown]
    return [np.stack(member) for member in zip(*said, strict=True)]


def read_rows(table: Path) -> list[dict[str, str]]:
    """Return the lines of a CSV. Raises OSError."""
    with table.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def tags_of(text: str, tags: Iterable[Tag]) -> set[Tag]:
    """Return the tags whose names stand in a cell, separated by ``;``. Raises KeyError."""
    by_name = {tag.name: tag for tag in tags}
    return {by_name[name.strip()] for name in text.split(";") if name.strip()}
