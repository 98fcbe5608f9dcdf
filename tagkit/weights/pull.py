"""Fetch a published checkpoint, prove that it is the published one, and keep it as a bundle.

::

    registry row ─ download to a temporary name ─▶ size, git blob id ─ convert ─▶ cache/NAME.safetensors

The checkpoint itself is deleted. ``TAGKIT_WEIGHTS_URL`` names a mirror (http, https or file): a folder with
the files as ``NAME.pth``. A mirror is not trusted either: the hash decides.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from tagkit.errors import DownloadError, WeightsError
from tagkit.weights import bundle, header, registry
from tagkit.weights.catalogue import BUNDLE, cache_folder
from tagkit.weights.download import Progress, fetch
from tagkit.weights.registry import Entry

# What the published checkpoints of a vocabulary were trained on, by its first part.
_CORPORA = {
    "jamendo": "MTG-Jamendo",
    "mtat": "MagnaTagATune",
    "msd": "Million Song Dataset with last.fm tags",
}


def pull(
    name: str, *, accept_unstated_licence: bool = False, progress: Progress | None = None
) -> Path:
    """Return the path of the bundle called ``name``, fetched now unless it is there and sound.

    Raises WeightsError for a name that is not published, for an architecture that this tagkit lacks,
    and for an unstated licence that was not accepted; DownloadError where fetching or verifying fails.
    """
    entry = registry.find(name)
    if here := present(entry):
        return here
    require_pullable(entry, accept_unstated_licence=accept_unstated_licence)
    target = cache_folder() / f"{name}{BUNDLE}"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".pull-", dir=target.parent) as folder:
            checkpoint = Path(folder) / f"{name}.pth"
            with checkpoint.open("xb") as file:
                fetch(address(entry), file, size=entry.size, progress=progress)
            _prove(checkpoint, entry)
            _convert(checkpoint, entry, target)
    except OSError as error:
        raise WeightsError(
            f"cannot write there: {error.strerror}", path=target.parent, hint="or set TAGKIT_CACHE"
        ) from error
    return target


def require_pullable(entry: Entry, *, accept_unstated_licence: bool) -> None:
    """Raise WeightsError, before anything is fetched, for an entry that cannot or may not be pulled."""
    if not supported(entry):
        raise WeightsError(
            f"{entry.name} needs a later version of tagkit: this one has no {entry.architecture}"
        )
    if entry.licence is None and not accept_unstated_licence:
        raise WeightsError(
            f"the publisher of {entry.name} states no licence, so that no right to use it is granted",
            hint="--accept-unstated-licence pulls it all the same, at your own judgement",
        )


def present(entry: Entry) -> Path | None:
    """Return the cached bundle of ``entry``, or None where it is absent or damaged."""
    path = cache_folder() / f"{entry.name}{BUNDLE}"
    try:
        header.read_all(path)
    except WeightsError:
        return None
    return path


def supported(entry: Entry) -> bool:
    """Whether this tagkit has the architecture of ``entry``, and can prove a download of it."""
    from tagkit.models import CATALOGUE

    return entry.architecture in CATALOGUE and entry.git_blob_sha1 is not None


def address(entry: Entry) -> str:
    """Return where ``entry`` is fetched from: its publisher, or ``TAGKIT_WEIGHTS_URL``/NAME.pth."""
    mirror = os.environ.get("TAGKIT_WEIGHTS_URL")
    return f"{mirror.rstrip('/')}/{entry.name}.pth" if mirror else entry.url


def _prove(checkpoint: Path, entry: Entry) -> None:
    found = registry.git_blob_sha1(checkpoint)
    if found != entry.git_blob_sha1:
        raise DownloadError(
            f"{address(entry)} is not the published file: its git blob id is {found},"
            f" not {entry.git_blob_sha1}",
            hint="nothing was kept; pull again, or set TAGKIT_WEIGHTS_URL to another mirror",
        )


def _convert(checkpoint: Path, entry: Entry, target: Path) -> None:
    from tagkit.weights import convert

    corpus = _CORPORA[entry.vocabulary.partition("-")[0]]
    converted = convert.convert(
        checkpoint,
        entry.architecture,
        convert.vocabulary(entry.vocabulary),
        name=entry.name,
        licence=entry.licence,
        title=f"{entry.architecture}, {entry.vocabulary}, as published",
        source=entry.url,
        training_data=f"{corpus}, the corpus of its vocabulary",
        notes=entry.note,
    )
    bundle.save(target, *converted)
