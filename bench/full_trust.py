"""The table of a full trust run, from what its tests counted; ``bench/full_trust.sh`` calls it.

    python bench/full_trust.py COUNTS SEED RESULTS ... [--out bench/full_trust.txt]

COUNTS has a JSON object a line (``tests.trust.size.tell``), RESULTS are pytest's JUnit files: of the run,
and of what was run again.
"""

from __future__ import annotations

import argparse
import json
import re
import xml.etree.ElementTree as ET  # of our own test runner
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from machine import described

OUT = Path(__file__).with_suffix(".txt")
_FOLDERS = re.compile(r"(?<![\w.])/(?:[^/\s'\"<>]+/)+")  # of the machine that it ran on


class Part(NamedTuple):
    """What was tried under one name: how often it came to what, and in how many seconds."""

    name: str
    seconds: float
    counts: Counter[str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("counts", type=Path)
    parser.add_argument("seed")
    parser.add_argument("results", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    parts = read(arguments.counts.read_text(encoding="utf-8"))
    text = f"{described()}seed {arguments.seed}\n\n{table(parts)}\n"
    text += "".join(map(verdict, arguments.results))
    print(text, end="")
    arguments.out.write_text(text, encoding="utf-8")


def read(text: str) -> list[Part]:
    """Add up the rows of each part, in the order in which the parts came; of ``most_…`` keep the most."""
    parts: dict[str, Part] = {}
    for line in text.splitlines():
        row = json.loads(line)
        name, seconds = row.pop("part"), row.pop("seconds")
        before = parts.get(name, Part(name, 0.0, Counter()))
        counts = before.counts.copy()
        for what, count in row.items():
            most = what.startswith("most_")
            counts[what] = max(counts[what], count) if most else counts[what] + count
        parts[name] = Part(name, before.seconds + seconds, counts)
    return list(parts.values())


def table(parts: list[Part]) -> str:
    width = max((len(part.name) for part in parts), default=0)
    lines = [f"{'what was tried':{width}}  seconds  how often"]
    for part in parts:
        said = ", ".join(
            f"{count:,} {name.replace('_', ' ')}" for name, count in part.counts.items()
        )
        lines.append(f"{part.name:{width}}  {part.seconds:7,.0f}  {said}")
    return "\n".join(lines) + "\n"


def verdict(results: Path) -> str:
    """Say how many tests there were, and name each that did not pass."""
    suites = list(ET.parse(results).getroot().iter("testsuite"))
    total, failed, skipped = (
        sum(sum(int(suite.get(name, 0)) for name in names) for suite in suites)
        for names in (("tests",), ("failures", "errors"), ("skipped",))
    )
    seconds = sum(float(suite.get("time", 0)) for suite in suites)
    lines = [
        f"{total:,} tests in {seconds:,.0f} s:"
        f" {total - failed - skipped:,} passed, {failed:,} failed, {skipped:,} skipped"
    ]
    for suite in suites:
        for case in suite.iter("testcase"):
            for kind in ("failure", "error", "skipped"):
                if (found := case.find(kind)) is not None:
                    said = (found.get("message") or "").partition("\n")[0]
                    lines.append(f"  {kind}: {case.get('name')}: {_FOLDERS.sub('…/', said)[:200]}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
