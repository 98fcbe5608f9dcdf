"""The table, and whether the bars are met.

What is compared was measured in the same round: ratios are medians of the rounds' ratios.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import NamedTuple

from subjects import COMMAND, LIBROSA, SEEK, SEEK_AV, TAGKIT, WARM
from usage import Cost


@dataclass
class Found:
    """Of one subject in one format, by round: its cost on one core, and on all."""

    one: dict[int, Cost] = field(default_factory=dict)
    all: dict[int, Cost] = field(default_factory=dict)

    def cpu(self) -> list[float]:
        return [cost.cpu for cost in self.one.values()]


Results = Mapping[str, Mapping[str, Found]]  # format, subject


def empty() -> defaultdict[str, defaultdict[str, Found]]:
    return defaultdict(lambda: defaultdict(Found))


def floor(rows: Mapping[str, Found]) -> Found | None:
    """The plain library that reads the windows with the least CPU."""
    both = [rows[name] for name in (SEEK, SEEK_AV) if name in rows and rows[name].one]
    return min(both, key=lambda found: median(found.cpu()), default=None)


def ratio(ours: Mapping[int, Cost], other: Mapping[int, Cost], part: str = "cpu") -> float | None:
    """How many times ``other`` the first costs, or None where they share no round."""
    shared = [
        getattr(ours[round_], part) / getattr(other[round_], part)
        for round_ in ours
        if round_ in other
    ]
    return median(shared) if shared else None


def table(results: Results) -> str:
    """A block for each format, a line for each subject."""
    head = (
        f"{'':40}{'files/s':>8}{'CPU s/file (range)':>28}{'× floor':>9}{'start s':>9}{'RSS MiB':>9}"
    )
    lines = []
    for name, rows in results.items():
        lines += [name, head]
        least = floor(rows)
        lines += [line(subject, found, least) for subject, found in rows.items()]
        lines.append("")
    return "\n".join(lines)


def line(subject: str, found: Found, least: Found | None) -> str:
    walls = [cost.wall for cost in found.all.values()]
    cpus = found.cpu()
    starts = [cost.start for cost in found.one.values()]
    most = max((cost.rss for cost in (found.all or found.one).values()), default=0.0)
    times = ratio(found.one, least.one) if least else None
    spread = f"{median(cpus):.4f} ({min(cpus):.4f}–{max(cpus):.4f})" if cpus else "–"
    return "".join(
        [
            f"{subject:40}",
            f"{1 / median(walls):8.2f}" if walls and median(walls) > 0 else f"{'–':>8}",
            f"{spread:>28}",
            f"{times:9.2f}" if times else f"{'–':>9}",
            f"{median(starts):9.2f}" if any(starts) else f"{'–':>9}",
            f"{most:9.0f}",
        ]
    )


def markdown(results: Results) -> str:
    """For the docs: a row for each subject, and for each format its CPU seconds and × floor."""
    subjects = list(dict.fromkeys(subject for rows in results.values() for subject in rows))
    first = next(iter(results))
    head = ["CPU s a track (× floor)", *results, f"files/s, {first}", f"MiB, {first}"]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for subject in subjects:
        cells = [cell(rows.get(subject, Found()), floor(rows)) for rows in results.values()]
        found = list(results[first].get(subject, Found()).all.values())
        walls, rss = [cost.wall for cost in found], [cost.rss for cost in found]
        cells += [f"{1 / median(walls):.2f}", f"{max(rss):.0f}"] if walls else ["", ""]
        lines.append(f"| {subject} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def cell(found: Found, least: Found | None) -> str:
    times = ratio(found.one, least.one) if least else None
    return f"{median(found.cpu()):.3f} ({times:.2f})" if times else ""


class Bar(NamedTuple):
    """``figure`` must be at most (or, ``least``, at least) ``limit``."""

    what: str
    figure: float | None
    limit: float
    least: bool = False

    @property
    def met(self) -> bool | None:
        if self.figure is None:
            return None
        return self.figure >= self.limit if self.least else self.figure <= self.limit

    def text(self) -> str:
        sign = ">=" if self.least else "<="
        figure = "not measured" if self.figure is None else f"{self.figure:.3g}"
        verdict = {True: "met", False: "missed", None: "–"}[self.met]
        return f"{self.what:58}{figure:>12}  {sign} {self.limit:<6g}{verdict}"


def bars(results: Results) -> list[Bar]:
    """The project's aims, with what was found. Peers are compared on MP3 320k."""

    def row(format_: str, subject: str) -> Found:
        return results.get(format_, {}).get(subject, Found())

    out = []
    for name, limit in (("MP3 320k", 2.0), ("MP3 V2", 2.0), ("FLAC", 2.4)):
        least = floor(results.get(name, {})) or Found()
        times = ratio(row(name, TAGKIT).one, least.one)
        out.append(Bar(f"{name}: CPU of tagkit, times the floor's", times, limit))
    ours = row("MP3 320k", TAGKIT)
    for peer, limit in ((LIBROSA, 10), (COMMAND, 40), (WARM, 15)):
        theirs = row("MP3 320k", peer)
        times = ratio(theirs.one, ours.one)
        out.append(Bar(f"{peer}: CPU a file, times tagkit's", times, limit, True))
        times = ratio(theirs.all, ours.all, "wall")
        out.append(Bar(f"{peer}: time a file on all cores, likewise", times, limit, True))
    cpus = ours.cpu()
    out.append(Bar("MP3 320k: CPU s a track", median(cpus) if cpus else None, 0.13))
    return out
