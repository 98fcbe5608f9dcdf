"""torchaudio, also where its native extension cannot be loaded.

PyPI's torchaudio links CUDA and fails at import beside a CPU-only torch, though all that tagkit takes
from it is Python: :func:`load` then leaves the extension out. The rest of tagkit imports torchaudio
through here only.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

from tagkit.errors import TagkitError


def load() -> Any:
    """Return torchaudio, whose ``functional`` and ``transforms`` work.

    A plain import comes first; only where that fails, ``torchaudio._extension`` is replaced by a stub
    that says it is not available, as torchaudio itself does in a build without it. Raises TagkitError,
    and leaves nothing half-imported behind, where torchaudio is missing or that does not help either.
    """
    try:
        return _import()
    except ModuleNotFoundError as error:
        if error.name == "torchaudio":
            raise TagkitError(
                "torchaudio is not installed", hint="augmentation of audio needs it"
            ) from error
        first: Exception = error
    except (ImportError, OSError, RuntimeError) as error:
        first = error  # a library that is not there, of another torch, or of another CUDA
    stub: Any = ModuleType("torchaudio._extension")
    stub._IS_TORCHAUDIO_EXT_AVAILABLE = stub._IS_ALIGN_AVAILABLE = False
    stub.fail_if_no_align = _unavailable
    sys.modules[stub.__name__] = stub
    try:
        return _import()
    except (ImportError, OSError, RuntimeError, AttributeError) as error:
        raise TagkitError(
            f"torchaudio cannot be imported: {first}",
            hint="install the torchaudio that was built for this torch",
        ) from error


def _import() -> ModuleType:
    """Import torchaudio, or leave ``sys.modules`` without any part of it."""
    known = {name for name in sys.modules if _ours(name)}
    try:
        return importlib.import_module("torchaudio")
    except BaseException:
        for name in [name for name in sys.modules if _ours(name)]:
            if name not in known or name == "torchaudio._extension":
                del sys.modules[name]
        raise


def _ours(name: str) -> bool:
    return name == "torchaudio" or name.startswith("torchaudio.")


def _unavailable(function: Any) -> Any:
    """Stand in for the decorator of forced alignment, which needs the extension."""

    def missing(*_: Any, **__: Any) -> None:
        raise RuntimeError(f"{function.__name__} needs torchaudio's native extension")

    return missing
