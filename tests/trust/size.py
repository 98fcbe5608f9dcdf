"""How much is tried: CI's slice, or with ``TAGKIT_TRUST=full`` all of it; and from which seed.

Every draw comes from :func:`draws`, so that a seed tells the whole run. ``TAGKIT_TRUST_COUNTS`` names a
file to which each test adds what it has tried; ``bench/full_trust.sh`` makes its table of that.
"""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

FULL = os.environ.get("TAGKIT_TRUST") == "full"
SEED = int(os.environ.get("TAGKIT_TRUST_SEED", "20261127"))


def of(ci: int, full: int) -> int:
    """Return how many of something are tried in this run."""
    return full if FULL else ci


def draws(part: str) -> random.Random:
    """Return the source of chance of one part; parts do not disturb each other's draws."""
    return random.Random(f"{SEED}/{part}")


def tell(part: str, seconds: float, **counts: int) -> None:
    """Add a row to the run's table: what was tried, and how often it ended in which way."""
    if where := os.environ.get("TAGKIT_TRUST_COUNTS"):
        row = {"part": part, "seconds": round(seconds, 1), **counts}
        with Path(where).open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
