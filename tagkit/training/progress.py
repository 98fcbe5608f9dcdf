"""What a person sees of a run: a bar where stderr is a terminal, a line an epoch everywhere."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class Display:
    """``steps`` updates in all, of which ``done`` are behind us."""

    def __init__(self, bar: Progress, steps: int, done: int) -> None:
        self._bar = bar
        self._task = bar.add_task("train", total=steps, completed=done, note="")

    def step(self, loss: float) -> None:
        self._bar.update(self._task, advance=1, note=f"loss {loss:.4f}")

    def epoch(self, entry: Mapping[str, Any], epochs: int, best: bool) -> None:
        figures = "  ".join(f"{key} {value:.4f}" for key, value in entry["validation"].items())
        line = f"epoch {entry['epoch']}/{epochs}  loss {entry['loss']:.4f}  validation: {figures}"
        line += f"  {entry['seconds']:.0f} s" + ("  best so far" if best else "")
        self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)


@contextlib.contextmanager
def display(steps: int, done: int, *, quiet: bool = False) -> Iterator[Display]:
    """Yield what shows a run; ``quiet`` for all processes but one."""
    console = Console(stderr=True, quiet=quiet)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=console, disable=quiet or not console.is_terminal) as bar:
        yield Display(bar, steps, done)
