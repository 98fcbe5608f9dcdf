"""Debian packages as a source of audio: fetched by name, unpacked, and searched for music."""

from __future__ import annotations

import re
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import av

ARCHIVES = {".pk3", ".pk4", ".zip", ".love"}
AUDIO = {".ogg", ".oga", ".opus", ".mp3", ".flac", ".wav", ".m4a", ".g722", ".wv"}


def fetch(package: str, folder: Path) -> Path | None:
    """Return the package's file in ``folder``, downloaded where it is not there; None if that fails."""
    if found := sorted(folder.glob(f"{package}_*.deb")):
        return found[-1]
    folder.mkdir(parents=True, exist_ok=True)
    command = ["apt-get", "download", "-q", package]
    subprocess.run(command, cwd=folder, check=False, capture_output=True)
    found = sorted(folder.glob(f"{package}_*.deb"))
    return found[-1] if found else None


def unpack(package: str, folder: Path, debs: Path) -> Path | None:
    """Return ``folder``/PACKAGE with what the package holds, archives' audio included; None if absent.

    Only audio, archives of it and the copyright file are kept: pictures and levels are deleted.
    """
    target = folder / package
    if target.exists():
        return target
    deb = fetch(package, debs)
    if deb is None:
        return None
    half = folder / f".{package}"
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(parents=True)
    subprocess.run(["dpkg-deb", "-x", str(deb), str(half)], check=True)
    for path in sorted(half.rglob("*")):
        if path.is_symlink() or not path.is_file():
            continue
        if path.suffix.lower() in ARCHIVES:
            _extract(path)
        if path.suffix.lower() not in AUDIO and path.name != "copyright":
            path.unlink()
    half.rename(target)
    return target


def _extract(archive: Path) -> None:
    """Put the audio of ``archive`` into a folder beside it."""
    if not zipfile.is_zipfile(archive):
        return
    with zipfile.ZipFile(archive) as content:
        for member in content.infolist():
            if Path(member.filename).suffix.lower() in AUDIO:
                content.extract(member, archive.with_name(archive.name + ".d"))


def audio_files(folder: Path, leave_out: str = "") -> Iterator[Path]:
    """Yield the audio files below ``folder``, in order, without links and what ``leave_out`` matches."""
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not path.is_file() or path.suffix.lower() not in AUDIO:
            continue
        if not (leave_out and re.search(leave_out, path.relative_to(folder).as_posix())):
            yield path


def artist(path: Path) -> str:
    """Return the artist in the file's own tags, or nothing."""
    try:
        with av.open(str(path), metadata_errors="ignore") as file:
            tags = {**file.metadata, **file.streams.audio[0].metadata}
    except (av.FFmpegError, IndexError):
        return ""
    found = next((value.strip() for key, value in tags.items() if key.lower() == "artist"), "")
    return "" if found.startswith("<") else found
