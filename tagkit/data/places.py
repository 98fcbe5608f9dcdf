"""Where a dataset's files are: people unpack them in a few usual places."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path

from tagkit.data.dataset import Track
from tagkit.errors import DataError

#: Tracks looked for in each place: with some missing, the place is still found.
_LOOKED_FOR = 200


def locate(
    bases: Iterable[Path],
    places: Sequence[str],
    tracks: Sequence[Track],
    spellings: Sequence[Callable[[str], str]] = (str,),
) -> tuple[Path, tuple[Track, ...]]:
    """Return the first of the ``places`` below ``bases`` that holds tracks, and the tracks as they are
    called there: by one of the ``spellings`` of their path.

    Where there are none, the first place and spelling, so that whoever looks for a file is told
    where it should be.
    """
    some = tracks[:: max(1, len(tracks) // _LOOKED_FOR)]
    candidates = [base / place for base in bases for place in places]
    for root in dict.fromkeys(candidates):
        for spell in spellings:
            if any((root / spell(track.path)).exists() for track in some):
                return root, _spelled(tracks, spell)
    return candidates[0], _spelled(tracks, spellings[0])


def _spelled(tracks: Sequence[Track], spell: Callable[[str], str]) -> tuple[Track, ...]:
    return tuple(track._replace(path=spell(track.path)) for track in tracks)


def choose(given: str, known: Iterable[str], dataset: str, what: str) -> str:
    """Return ``given`` where it is known. Raises DataError with near names."""
    names = list(known)
    if given in names:
        return given
    near = get_close_matches(given, names, n=1)
    raise DataError(
        f"{dataset} has no {what} {given!r}",
        hint=f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}",
    )
