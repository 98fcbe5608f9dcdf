"""How many tags a track has in MTG-Jamendo's official splits: where the recipes' ``tags_per_track`` is from.

    python bench/label_rates.py SHARED

Prints, for every subset, the tracks and the mean number of tags of each category on one of its tracks.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from tagkit.vocab import canonical


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("shared", type=Path)
    folder = parser.parse_args().shared / "datasets" / "mtg-jamendo" / "splits" / "split-0"
    for subset in ("moodtheme", "instrument", "top50tags"):
        counts: Counter[str] = Counter()
        tracks = 0
        for table in sorted(folder.glob(f"autotagging_{subset}-*.tsv")):
            for line in table.read_text(encoding="utf-8").splitlines()[1:]:
                tags = {canonical(tag.strip()) for tag in line.split("\t")[5:] if tag.strip()}
                counts.update(tag.category for tag in tags)
                tracks += 1
        rates = ", ".join(f"{name} {count / tracks:.2f}" for name, count in counts.most_common())
        print(f"{subset}, {tracks:,} tracks: {rates}")


if __name__ == "__main__":
    main()
