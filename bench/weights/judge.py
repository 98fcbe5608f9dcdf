"""Measure the students: the figures of ``docs/weights.md`` and of the cards.

    python bench/weights/judge.py SHARED WORK [--model NAME]... [--only PART]...

Without ``--model`` what ships is measured, and ``bench/weights/judged.txt`` and ``WORK/judged.json`` are
written; others' figures go to ``WORK/judged-NAME.txt`` and ``.json``. With ``--only`` the parts named are
measured and the rest of the JSON stays. What was heard once is kept in ``WORK/cache``.

The part ``emotify`` is a look at the test artists, and is noted in ``WORK/looks.csv``; nothing may be chosen
by it.
"""

from __future__ import annotations

import argparse
import datetime
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import judge_emotify
import judge_mixes
import judge_pieces
import judge_real
import judge_size
from rich.console import Console

from tagkit.inference import ensemble
from tagkit.weights import catalogue

HERE = Path(__file__).parent
Bundles = Sequence[Path]


class Part(NamedTuple):
    """What is measured, what it needs in WORK and which script makes that, and how it is told."""

    needs: dict[str, str]
    measure: Callable[[Path, Path, Bundles], dict[str, Any]]
    lines: Callable[[dict[str, Any]], Iterator[str]]


PARTS = {
    "size": Part({}, lambda _shared, _work, models: judge_size.measure(models), judge_size.lines),
    "emotify": Part({"teachers.json": "weigh.py"}, judge_emotify.measure, judge_emotify.lines),
    "real": Part(
        {"real.csv": "collect.py", "teachers.json": "weigh.py"},
        lambda _shared, work, models: judge_real.measure(work, models),
        judge_real.lines,
    ),
    "mixes": Part(
        {"mixes.csv": "render.py"},
        lambda _shared, work, models: judge_mixes.measure(work, models),
        judge_mixes.lines,
    ),
    "pieces": Part({}, judge_pieces.measure, judge_pieces.lines),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("shared", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument(
        "--model", action="append", default=[], metavar="NAME", help="not what ships"
    )
    parser.add_argument("--only", action="append", choices=PARTS, help="measure this part alone")
    arguments = parser.parse_args()
    bundles = [catalogue.find(name) for name in arguments.model or [ensemble.DEFAULT]]
    name = "judged" + "".join(f"-{path.stem}" for path in bundles if arguments.model)
    record = arguments.work / f"{name}.json"
    found = begun(record, bundles)
    for part in arguments.only or PARTS:
        measured = measure(part, arguments.shared, arguments.work, bundles)
        if measured is None:
            continue
        found[part] = {"date": f"{datetime.date.today()}", **measured}
        record.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    text = "\n".join(told(found)) + "\n"
    (arguments.work / f"{name}.txt" if arguments.model else HERE / "judged.txt").write_text(
        text, encoding="utf-8"
    )
    print(text, end="")


def begun(record: Path, bundles: Bundles) -> dict[str, Any]:
    """Return what is known already of these very models, and nothing of others by that name."""
    models = ensemble.load([str(path) for path in bundles])
    of: dict[str, Any] = {
        "models": {member.card.name: member.fingerprint for member in models.members},
        "thresholds": models.thresholds.tolist(),
        "most": dict(models.most),
    }
    found: dict[str, Any] = json.loads(record.read_text("utf-8")) if record.exists() else {}
    return found if of.items() <= found.items() else of


def measure(part: str, shared: Path, work: Path, bundles: Bundles) -> dict[str, Any] | None:
    """Return the figures of a part; None, and say so, where what it needs is not there."""
    for file, script in PARTS[part].needs.items():
        if not (work / file).exists():
            console = Console(stderr=True, highlight=False)
            console.print(f"{part}: WORK/{file} is not there; {script} writes it", markup=False)
            return None
    return PARTS[part].measure(shared, work, bundles)


def told(found: dict[str, Any]) -> Iterator[str]:
    for name, part in PARTS.items():
        if name in found:
            yield f"[{name}, {found[name]['date']}]"
            yield from part.lines(found[name])
            yield ""
    if "real" in found:
        yield from judge_real.listing(found["real"])


if __name__ == "__main__":
    main()
