"""Published tables, recomputed from published predictions: a module a publication, a row in the table below.

To add one: a module with ``tables(folders) -> list[Table]``, a row in :data:`PUBLICATIONS`.
"""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches

from tagkit.errors import UsageError
from tagkit.evaluation.reproduce import focal_paper, mtg_baseline, philtgun
from tagkit.evaluation.reproduce.table import Folders, Table

PUBLICATIONS: dict[str, Callable[[Folders], list[Table]]] = {
    # name            what computes its tables
    "focal-paper": focal_paper.tables,
    "mtg-baseline": mtg_baseline.tables,
    "philtgun": philtgun.tables,
}


def reproduce(name: str, folders: Folders) -> list[Table]:
    """Return a publication's tables, published beside recomputed.

    Raises UsageError for a name that is not in the table, DataError for files that cannot be used.
    """
    if name not in PUBLICATIONS:
        near = get_close_matches(name, PUBLICATIONS, n=1) or PUBLICATIONS
        raise UsageError(f"no publication is called {name!r}", hint=f"there is {', '.join(near)}")
    return PUBLICATIONS[name](folders)
