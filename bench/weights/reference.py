"""The music of the reference data, in place: Emotify with its votes, and the openly licensed pieces."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import soundfile
import splits
from rows import Row

from tagkit.audio import probe

#: Shares no artist with the rest; as in the first edition.
HELD_OUT = ("zento/", "open/tuxemon", "open/map-tiles", "open/lincity")
#: Single notes strung together are no music that a teacher could judge.
LEFT_OUT = ("philharmonia/",)
#: One Emotify artist in so many chooses the weights.
EMOTIFY_ONE_IN = 14
#: Who made what, by a part of the file name.
ARTISTS = {
    "hudebni-web": "Kevin MacLeod",
    "holiznacc0": "HoliznaCC0",
    "thelackthereof": "Brock Wilcox",
    "slime99": "Nihilore",
    "nifty-gui": "Nine Inch Nails",
    "diarmuid": "diarmuid",
    "helena": "Helena",
    "uh-": "Unknown Horizons",
    "pronobozo": "Pronobozo",
    "Robert-van-Herk": "Robert van Herk",
}
FEELINGS = "solemnity tenderness nostalgia calmness power joyful_activation tension sadness".split()
GENRES = ("classical", "rock", "electronic", "pop")


def reference_rows(work: Path, done: set[str]) -> Iterator[Row]:
    """Yield a row for each file of ``music.csv`` that is music and whose path is not ``done``."""
    datasets = work / "shared" / "datasets"
    emotify = {row["file"]: row for row in _read(datasets / "emotify.csv")}
    for row in _read(datasets / "music.csv"):
        file = row["file"]
        if file.startswith(LEFT_OUT):
            continue
        path = f"shared/music/{file}"
        if path in done:
            continue
        votes = emotify.get(file)
        if votes is None:
            split = splits.of_piece(file, test=file.startswith(HELD_OUT))
        elif votes["split"] == "test":
            split = "test"
        else:
            split = splits.of_piece(votes["artist"], one_in=EMOTIFY_ONE_IN)
        yield Row(
            path=path,
            split=split,
            teach="teachers",
            votes=_votes(votes) if votes and votes["split"] != "test" else "",
            artist=votes["artist"] if votes else _artist(file, row["source"]),
            source="Emotify" if votes else row["source"].split(",")[0],
            licence=row["licence"],
            seconds=f"{_seconds(work / path):.2f}",
        )


def _seconds(path: Path) -> float:
    try:
        return float(soundfile.info(path).duration)
    except soundfile.SoundFileError:  # damaged, as far as libsndfile can tell
        return probe(path).duration


def _votes(row: dict[str, str]) -> str:
    feelings = [f"emotify {name.replace('_', ' ')}={row[name]}" for name in FEELINGS]
    genres = [f"emotify {name}={int(row['genre'] == name)}" for name in GENRES]
    return ";".join(feelings + genres)


def _artist(file: str, source: str) -> str:
    """Return who it is by where one person made all of a source, else the source."""
    for part, artist in ARTISTS.items():
        if part in file:
            return artist
    return source.split(",")[0]


def kinds(work: Path) -> dict[str, str]:
    """Return what kind of music each file is, by its path from ``work``."""
    rows = _read(work / "shared" / "datasets" / "music.csv")
    emotify = "classical, rock, electronic, pop"
    return {
        f"shared/music/{row['file']}": emotify if row["what"].startswith("see") else row["what"]
        for row in rows
    }


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))
