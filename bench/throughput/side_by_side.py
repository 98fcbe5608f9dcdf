"""Measure and print; see ``bench/throughput.py``, which is the command."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import agreement
import figures
import peers
import subjects
from formats import named
from machine import described
from subjects import Subject

from tagkit.inference import ensemble
from tagkit.inference.backends import pick

PARTS = Path(__file__).parent
REAL = 100  # tracks of real music


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("--shared", type=Path, help="the project's reference data")
    parser.add_argument("--files", type=int, default=16, help="of each format")
    parser.add_argument("--seconds", type=float, default=220)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--formats", help="some, with commas, such as 'MP3 320k,FLAC'")
    parser.add_argument("--only", action="append", help="subjects with this in their name")
    parser.add_argument("--peers", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--jobs", type=int, default=0, help="for tagkit; default its own")
    parser.add_argument("--out", type=Path, default=PARTS.with_suffix(".txt"))
    given = parser.parse_args()
    work = given.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    script("encoding.py", work, given.files, given.seconds)
    script("bundles.py", work, *([given.shared] if given.shared else []))
    files = named(work, given.seconds, given.files)
    if given.formats:
        files = {name: files[name] for name in given.formats.split(",")}
    before = described().rstrip()
    results = measure(chosen(work, given), files, given.rounds)
    if given.peers:
        before += f"\n{peers.versions()}"
    out = [before, f"tagkit tag computes with {pick('auto', 'cpu')} here", "", *block(results)]
    if not given.only:
        out += windows(work, next(iter(files.values())), given.shared)
    out.append(f"load at the end: {os.getloadavg()[0]:.1f}")
    text = "\n".join(out) + "\n"
    (work / "throughput.md").write_text(figures.markdown(results), encoding="utf-8")
    given.out.write_text(text, encoding="utf-8")
    print(text, end="")


def script(name: str, *arguments: object) -> None:
    """Make something in a process of its own: this one stays small, for what it starts inherits its size."""
    subprocess.run([sys.executable, PARTS / name, *map(str, arguments)], check=True)


def chosen(work: Path, given: argparse.Namespace) -> list[Subject]:
    hearing = {member.card.front_end for member in ensemble.load(()).members}
    longest = max(each.chunk_samples / each.sample_rate for each in hearing if each)
    every = subjects.readers(longest, subjects.FULL)
    every += subjects.tagkits(work, given.jobs)
    wanted = given.only or [""]

    def asked(name: str) -> bool:
        return any(text in name for text in wanted)

    if given.peers and any(map(asked, subjects.OTHERS)):
        every += subjects.others(work)
    return [subject for subject in every if asked(subject.name)]


def measure(
    every: Sequence[Subject], files: Mapping[str, Sequence[Path]], rounds: int
) -> figures.Results:
    results = figures.empty()
    for round_ in range(rounds):
        for format_, paths in files.items():
            for subject in every:
                if format_ not in subject.formats or round_ >= subject.rounds:
                    continue
                print(f"round {round_ + 1}: {format_}, {subject.name}", file=sys.stderr)
                found = results[format_][subject.name]
                some = paths[: subject.files]
                found.one[round_] = subject.measure(some, True, round_)
                found.all[round_] = subject.measure(some, False, round_)
    return results


def block(results: figures.Results) -> list[str]:
    floors = "the floor: the library that seeks and decodes the windows with the least CPU"
    starts = "start s: CPU before any file; of processes that measure themselves, the first file is in it"
    return [
        figures.table(results),
        floors,
        starts,
        "",
        *(bar.text() for bar in figures.bars(results)),
        "",
    ]


def windows(work: Path, corpus: Sequence[Path], shared: Path | None) -> list[str]:
    """What fewer windows cost in agreement."""
    tracks = {f"{len(corpus)} tracks of the corpus": list(corpus)}
    if shared:
        real = sorted((shared / "music" / "emotify").rglob("*.opus"))[:: max(1, 400 // REAL)]
        tracks[f"{len(real)} excerpts of a minute (Emotify)"] = real
    head = f"{'against 16 windows':44}{'ranks':>8}{'|Δp|':>8}{'tags that change':>18}"
    lines = [head]
    for name, paths in tracks.items():
        for count, found in agreement.measure(work, paths).items():
            lines.append(
                f"{f'{count} windows, {name}':44}{found.ranks:8.3f}{found.difference:8.4f}"
                f"{found.changed:18.1%}"
            )
    return [*lines, ""]


if __name__ == "__main__":
    main()
