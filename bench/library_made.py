"""Make the libraries that ``bench/library.py`` measures, with the stores that know them.

    python bench/library_made.py WORK --files 100000

| below ``WORK`` | what it is |
|---|---|
| ``one.mp3`` | 220 s of noise and tones, 320 kbit/s |
| ``small/``, ``small.sqlite`` | 10,000 MP3s of a second, each with its own sound and tags, read from them |
| ``files-N/``, ``files-N.sqlite`` | N empty files; keys and tags made up, for nothing is to be read of them |

In the stores each file was heard by the default ensemble: what each member said is drawn at random around
the ensemble's thresholds. A track in ten passes each of them. Stopped at any time, the same command goes on.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import count, islice
from pathlib import Path
from typing import TypeVar

import av
import numpy as np
from mutagen.id3 import ID3, TALB, TIT2, TPE1
from rich.console import Console
from rich.progress import track

from tagkit.inference.ensemble import Ensemble
from tagkit.inference.ensemble import load as load_ensemble
from tagkit.library.origin import Origin, read_origin
from tagkit.library.payload import content_key
from tagkit.library.store import Store

T = TypeVar("T")

SMALL = 10_000
TRACKS, ALBUMS = 10, 5  # of an album, of an artist
EMBEDDING = 256  # dims of either member of the default ensemble
RATE = 44_100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("--files", type=int, default=100_000)
    arguments = parser.parse_args()
    work: Path = arguments.work
    work.mkdir(parents=True, exist_ok=True)
    (work / "config.toml").touch()  # the user's own is not to be measured
    if not (one := work / "one.mp3").exists():
        made = one.with_suffix(".part")
        made.write_bytes(b"".join(mp3_frames(220, 320_000)))
        made.rename(one)
    make(work, "small", SMALL, small_file, content_key, read_origin)
    name = f"files-{arguments.files}"
    make(work, name, arguments.files, empty_file, made_up_key, made_up_origin)


def make(
    work: Path,
    name: str,
    files: int,
    fill: Callable[[Path], None],
    key_of: Callable[[Path], str],
    origin_of: Callable[[Path], Origin],
) -> None:
    """Make a library and its store, or what is missing of them."""
    folder, done = work / name, work / f"{name}.done"
    if done.exists():
        return
    paths = list(islice(names(folder), files))
    for path in shown(paths, f"{name}: files"):
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            fill(path)
    ensemble = load_ensemble(())
    ids = ensemble.model_ids(16)
    with Store(work / f"{name}.sqlite", key_of=key_of, origin_of=origin_of) as store:
        store.places.add_roots([folder])
        for member, model in zip(ensemble.members, ids, strict=True):
            store.add_model(model, member.card.name, member.card.tags)
        said = voices(ensemble)
        for look in shown(store.look(paths, ids), f"{name}: store", len(paths)):
            heard = {model: next(said) for model in ids}  # drawn for those that are known too
            if look.missing and look.key is not None:
                store.record(look.key, heard, duration=220.0)
    done.touch()


def names(folder: Path) -> Iterator[Path]:
    for artist in count():
        for album in range(ALBUMS):
            for number in range(TRACKS):
                place = folder / f"Artist {artist:05d}" / f"Album {artist:05d}.{album}"
                yield place / f"{number + 1:02d} Some song {artist:05d}.{album}.mp3"


def voices(ensemble: Ensemble) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """What a member says of a track: probabilities (136,) and embedding (256,)."""
    random = np.random.default_rng(5)
    least = np.clip(ensemble.thresholds, 1e-4, 1 - 1e-4)
    centre = np.log(least / (1 - least)) - 1.3  # with a spread of 1, a tenth of them passes
    while True:
        logits = random.normal(centre, 1.0, (1000, len(centre)))
        embeddings = random.standard_normal((1000, EMBEDDING), np.float32)
        yield from zip((1 / (1 + np.exp(-logits))).astype(np.float32), embeddings, strict=True)


_frames: list[bytes] = []


def small_file(path: Path) -> None:
    """A second of frames, drawn from twenty seconds by the file's name, and the tags of its place."""
    if not _frames:
        _frames.extend(mp3_frames(20, 64_000))
    random = np.random.default_rng(list(path.name.encode()))
    drawn = random.choice(len(_frames), 39)
    part = path.with_suffix(".part")
    part.write_bytes(b"".join(_frames[place] for place in drawn))
    tags = ID3()
    tags.add(TPE1(encoding=3, text=[path.parent.parent.name]))
    tags.add(TALB(encoding=3, text=[path.parent.name]))
    tags.add(TIT2(encoding=3, text=[path.stem]))
    tags.save(part)
    part.rename(path)


def empty_file(path: Path) -> None:
    path.touch()


def made_up_key(path: Path) -> str:
    return hashlib.blake2b(bytes(path), digest_size=16).hexdigest()


def made_up_origin(path: Path) -> Origin:
    return Origin(path.parent.parent.name, "", path.parent.name, False)


def mp3_frames(seconds: int, bits: int) -> list[bytes]:
    """Noise and tones as MP3 frames: 44.1 kHz, stereo."""
    random = np.random.default_rng(7)
    encoder = av.CodecContext.create("libmp3lame", "w")
    encoder.sample_rate, encoder.layout, encoder.format = RATE, "stereo", "fltp"
    encoder.bit_rate = bits
    frames: list[bytes] = []
    for second in range(seconds):
        time = np.arange(RATE) / RATE
        tone = np.sin(2 * np.pi * 110 * 2 ** (second % 24 / 12) * time)
        sound = 0.3 * tone + 0.05 * random.standard_normal((2, RATE))
        for start in range(0, RATE - RATE % 1152, 1152):
            block = np.ascontiguousarray(sound[:, start : start + 1152], np.float32)
            frame = av.AudioFrame.from_ndarray(block, "fltp", "stereo")
            frame.sample_rate = RATE
            frames += [bytes(packet) for packet in encoder.encode(frame)]
    return frames + [bytes(packet) for packet in encoder.encode(None)]


def shown(items: Iterable[T], doing: str, total: int | None = None) -> Iterable[T]:
    return track(items, doing, total=total, console=Console(stderr=True), transient=True)


if __name__ == "__main__":
    sys.exit(main())
