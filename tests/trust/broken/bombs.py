from __future__ import annotations
from collections.abc import Callable
from pathlib import Path

BOMBS: dict[str, Callable[[Path], Path]] = {}
