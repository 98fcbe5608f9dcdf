"""How many tracks have a tag, by the split files of the corpora that the teachers were trained on.

    python bench/weights/shares.py SHARED

A tag's share is taken from the first of these that has it:

1. MTG-Jamendo's official mood/theme lists (tracks with a mood or theme, 17,982);
2. its instrument lists (24,976); 3. its top-50 lists, validation and test alone (22,244), for genres;
4. MagnaTagATune's test list (4,332 clips), 5. the Million Song Dataset's test list (28,435 tracks): their
   labels are not at hand; the counts are those that came with the published results of the teachers
   (``published.csv``). Of several words for one tag the most frequent counts, for how many clips have
   one of them is not told.

A list holds tracks with at least one tag of its own, so shares of moods say "of tracks whose mood somebody
named". Prints the mean number of tags of each category on a track of MTG-Jamendo's lists, which the
recipes' ``tags_per_track`` follow, then every tag's share.
"""

from __future__ import annotations

import argparse
import csv
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tagkit.vocab import CATEGORIES, Tag, canonical

SUBSETS = ("moodtheme", "instrument", "top50tags")
PUBLISHED = Path(__file__).with_name("published.csv")
#: Tracks in the test list of M. Won et al., "Evaluation of CNN-based automatic music tagging models", 2020,
#: section 3; MagnaTagATune's list lies in SHARED and is counted.
MSD_TEST = 28_435


class Share(NamedTuple):
    """The part of tracks that have a tag, 0 to 1, and which list says so."""

    share: float
    source: str


def official(shared: Path) -> dict[Tag, Share]:
    """Return the share of every tag that a list has. Raises OSError where a list is missing."""
    found: dict[Tag, Share] = {}
    for subset in SUBSETS:
        counts, tracks = count(shared, subset)
        for tag, number in counts.items():
            found.setdefault(tag, Share(number / tracks, f"mtg-jamendo {subset}"))
    mtat_test = len(np.load(shared / "datasets" / "mtat" / "test.npy", allow_pickle=False))
    for vocabulary, tracks in (("mtat-top50", mtat_test), ("msd-top50", MSD_TEST)):
        most: dict[Tag, int] = {}
        for row in published():
            if row["vocabulary"] == vocabulary:
                tag = canonical(row["word"])
                most[tag] = max(most.get(tag, 0), int(row["positives"]))
        for tag, number in most.items():
            found.setdefault(tag, Share(number / tracks, f"{vocabulary} test"))
    return found


def count(shared: Path, subset: str) -> tuple[Counter[Tag], int]:
    """Return how many tracks of one of MTG-Jamendo's subsets have each tag, and how many there are."""
    folder = shared / "datasets" / "mtg-jamendo" / "splits" / "split-0"
    counts: Counter[Tag] = Counter()
    tracks = 0
    for table in sorted(folder.glob(f"autotagging_{subset}-*.tsv")):
        for line in table.read_text(encoding="utf-8").splitlines()[1:]:
            counts.update({canonical(tag.strip()) for tag in line.split("\t")[5:] if tag.strip()})
            tracks += 1
    if not tracks:
        raise FileNotFoundError(f"{folder} holds no autotagging_{subset}-*.tsv")
    return counts, tracks


def published() -> list[dict[str, str]]:
    """Return the rows of ``published.csv``: vocabulary, word, fcn, musicnn, positives."""
    with PUBLISHED.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("shared", type=Path)
    shared = parser.parse_args().shared
    for subset in SUBSETS:
        counts, tracks = count(shared, subset)
        rates: Counter[str] = Counter()
        for tag, number in counts.items():
            rates[tag.category] += number
        told = ", ".join(f"{name} {number / tracks:.2f}" for name, number in rates.most_common())
        print(f"{subset}, {tracks:,} tracks: {told}")
    shares = official(shared)
    for tag in sorted(shares, key=lambda tag: (CATEGORIES.index(tag.category), tag.name)):
        print(f"{shares[tag].share:6.3f}  {tag.category:10}  {tag.name:20}  {shares[tag].source}")


if __name__ == "__main__":
    main()
