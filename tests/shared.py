"""Where the project's shared reference data is, found in one place.

The data (published checkpoints, golden outputs, audio) is not part of the repository. It lies beside
the checkout as ``../shared`` or where ``TAGKIT_SHARED`` points. A test that needs it calls
:func:`shared`, which skips with a reason on a machine without it; in CI its absence is a failure.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(os.environ.get("TAGKIT_SHARED", Path(__file__).resolve().parents[2] / "shared"))


def shared(*parts: str) -> Path:
    """Return the path of a shared file or folder, or skip the calling test."""
    path = ROOT.joinpath(*parts)
    if path.exists():
        return path
    if os.environ.get("CI"):
        pytest.fail(f"{path} is missing, and in CI the shared data must be there")
    pytest.skip(f"needs the project's shared data: {path} is not here")
