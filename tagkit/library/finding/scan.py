"""From what a person names to the audio files that are meant, one at a time.

A folder stands for all audio files below it, in the order of their names, without hidden ones and
without what an ignore file or a ``.nomedia`` leaves out. A file that is named itself is taken
whatever it is called. What cannot be taken is a value too, never an exception: the walk goes on.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple, TypeAlias

from pathspec import GitIgnoreSpec

from tagkit.errors import UsageError
from tagkit.library.finding import remote
from tagkit.library.finding.ignore import Ignore, above, ignores, load, parse

EXTENSIONS = frozenset(
    (
        ".mp3 .mp2 .flac .ogg .oga .opus .spx .wav .wave .w64 .aif .aiff .aifc .m4a .m4b .mp4 .aac"
        " .wma .asf .ape .wv .mpc .mp+ .dsf .dff .mka .webm .tta .caf"
    ).split()
)
"""Lower-case extensions of the files in a folder that are listened to."""

NOMEDIA = ".nomedia"


class Found(NamedTuple):
    """A file to be listened to."""

    path: Path


class Skipped(NamedTuple):
    """Something that was not taken. ``failed``: a person named it or meant it, so it is an error."""

    path: Path
    reason: str
    failed: bool


Report: TypeAlias = Found | Skipped


def scan(
    inputs: Iterable[str | os.PathLike[str]],
    *,
    follow: bool = False,
    extensions: Collection[str] = EXTENSIONS,
    ignore: Sequence[str] = (),
) -> Iterator[Report]:
    """Yield every file of ``inputs`` (files and folders) once, as it is found.

    Inputs come in the order given, a folder's entries in the order of their names. ``follow``
    takes symbolic links inside folders too (an input that is one is always followed).
    ``ignore``: gitignore patterns for every input folder, on top of the ignore files; raises
    UsageError, before anything is yielded, where one is no pattern. Nothing else is raised.
    """
    extra = parse(os.sep, list(ignore), "--ignore").spec
    return _Scan(follow, extensions, extra).run(inputs)


@dataclass
class _Folder:
    """A folder being walked."""

    absolute: str
    identity: tuple[int, int]  # device and inode
    ignore: list[Ignore]  # that speak here, the outermost first
    entries: Iterator[os.DirEntry[str]]  # that are left, in the order of their names


@dataclass
class _Scan:
    follow: bool
    extensions: Collection[str]
    extra: GitIgnoreSpec
    folders: set[tuple[int, int]] = field(default_factory=set)  # entered; so no loop is endless
    objects: set[Path] = field(default_factory=set)  # found, where one can be named twice
    files: set[int] | None = None  # found, by a hash of folder and name; None: none can come twice

    def run(self, inputs: Iterable[str | os.PathLike[str]]) -> Iterator[Report]:
        paths = (os.fspath(item) for item in inputs)
        first = list(islice(paths, 2))
        if len(first) > 1 or self.follow:
            self.files = set()
        for path in chain(first, paths):
            if remote.is_remote(path):
                yield from self._objects(Path(path))
                continue
            try:
                mode = os.stat(path).st_mode  # noqa: PTH116 (reported as it was given)
            except (OSError, ValueError) as error:  # ValueError: a NUL inside the name
                yield _failed(path, error)
                continue
            if stat.S_ISDIR(mode):
                yield from self._walk(path)
            elif not stat.S_ISREG(mode):
                yield Skipped(Path(path), _kind(mode), failed=True)
            elif self._is_new(path):
                yield Found(Path(path))

    def _objects(self, root: Path) -> Iterator[Report]:
        """The audio files below a prefix; patterns and ignore files are for folders."""
        try:
            for item in remote.walk(root):
                hidden = any(part.startswith(".") for part in item.path.parts)
                audio = item.path.suffix.lower() in self.extensions and not hidden
                if (audio or item.path == root) and item.path not in self.objects:
                    if self.files is not None:
                        self.objects.add(item.path)
                    yield Found(item.path)
        except OSError as error:
            yield Skipped(root, str(error).partition("\n")[0], failed=True)

    def _walk(self, root: str) -> Iterator[Report]:
        absolute = os.path.abspath(root)  # noqa: PTH100 (links stay what they are)
        try:
            ignore = [*above(absolute), Ignore(absolute, self.extra)]
        except UsageError as error:
            yield _failed(root, error)
            return
        stack: list[_Folder] = []
        yield from self._enter(stack, root, absolute, ignore)
        while stack:
            folder = stack[-1]
            entry = next(folder.entries, None)
            if entry is None:
                stack.pop()
            elif not entry.name.startswith("."):  # tagkit's own temporary files among them
                yield from self._entry(stack, folder, entry)

    def _enter(
        self, stack: list[_Folder], path: str, absolute: str, ignore: list[Ignore]
    ) -> Iterator[Report]:
        """Put the folder on the stack, or say why not; in silence where it was entered before."""
        try:
            found = os.stat(path)  # noqa: PTH116
            identity = found.st_dev, found.st_ino
            if identity in self.folders:
                return
            self.folders.add(identity)
            own = load(absolute)
            with os.scandir(path) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
        except (OSError, UsageError) as error:
            yield _failed(path, error)
            return
        if any(entry.name == NOMEDIA for entry in listed):
            yield Skipped(Path(path), f"holds {NOMEDIA}", failed=False)
            return
        # What the command line says stays the last word.
        inner = ignore if own is None else [*ignore[:-1], own, ignore[-1]]
        stack.append(_Folder(absolute, identity, inner, iter(listed)))

    def _entry(
        self, stack: list[_Folder], folder: _Folder, entry: os.DirEntry[str]
    ) -> Iterator[Report]:
        absolute = os.path.join(folder.absolute, entry.name)  # noqa: PTH118
        try:
            is_link = entry.is_symlink()
            # A link that leads in a circle leads to no folder; entry.is_dir would raise.
            is_folder = os.path.isdir(entry.path) if is_link else entry.is_dir()  # noqa: PTH112
            extension = os.path.splitext(entry.name)[1].lower()  # noqa: PTH122 (no Path for each)
            if not is_folder and extension not in self.extensions:
                return
            if ignores(folder.ignore, absolute, is_folder=is_folder):
                return
            if is_link and not self.follow:
                yield Skipped(Path(entry.path), "a symbolic link, not followed", failed=False)
            elif is_folder:
                yield from self._enter(stack, entry.path, absolute, folder.ignore)
            elif not entry.is_file():
                yield Skipped(Path(entry.path), _kind(entry.stat().st_mode), failed=False)
            elif self._is_new(entry.path, None if is_link else folder.identity):
                yield Found(Path(entry.path))
        except OSError as error:
            yield _failed(entry.path, error)

    def _is_new(self, path: str, folder: tuple[int, int] | None = None) -> bool:
        """Whether the file (a link: what it leads to) is found for the first time."""
        if self.files is None:
            return True
        if folder is None:
            path = os.path.realpath(path)
            parent = os.stat(os.path.dirname(path))  # noqa: PTH116, PTH120
            folder = parent.st_dev, parent.st_ino
        # Numbers and not names: half a million of them are to fit.
        number = hash((*folder, os.path.basename(path)))  # noqa: PTH119
        if number in self.files:
            return False
        self.files.add(number)
        return True


def _failed(path: str, error: Exception) -> Skipped:
    # An ignore file's error names that file; the others are about ``path`` itself.
    reason = error.strerror if isinstance(error, OSError) else str(error)
    return Skipped(Path(path), reason or str(error), failed=True)


def _kind(mode: int) -> str:
    names = {stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket", stat.S_IFDIR: "a folder"}
    return f"{names.get(stat.S_IFMT(mode), 'a device')}, not a file"
