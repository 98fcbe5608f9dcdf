"""A corpus whose instruments and moods are known because it was composed: the same pieces laid out as
MagnaTagATune, as MTG-Jamendo, or as a manifest.

Each piece has three to six of the twenty instruments of :mod:`tests.corpus_sound` at once, mostly one
mood, which decides mode, tempo, density, register and loudness, and background noise. Artists have a
leaning to some instruments and moods, and a recording of their own colour: an artist is in one split
only, so a score on the test split is one on other pieces by other artists.

Everything follows from ``seed``; the same pieces in another layout are the same bytes.
"""

from __future__ import annotations

import csv
import functools
import io
import multiprocessing
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np

from tagkit.vocab import VOCABULARIES
from tests.corpus_sound import INSTRUMENTS, LONGEST, RATE, Sound, note

SECONDS = 29.1
SHARES = {"train": 0.68, "validation": 0.12, "test": 0.20}  # of the artists
PIECES_EACH = 4  # pieces of an artist, half of them on either of two albums


class Mood(NamedTuple):
    """``scale``: semitones above the key; ``tempo``: beats a minute; ``density``: the chance that a note
    is played; ``register``: semitones up; ``loudness``: dB RMS, give or take 6."""

    name: str
    scale: tuple[int, ...]
    tempo: tuple[float, float]
    density: float
    register: int
    loudness: float


MAJOR, MINOR = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10)
MOODS = (
    Mood("happy", MAJOR, (105, 125), 0.8, 5, -21),
    Mood("sad", MINOR, (56, 68), 0.7, -5, -27),
    Mood("energetic", MINOR, (145, 170), 0.95, 0, -18),
    Mood("calm", MAJOR, (60, 75), 0.5, 0, -31),
)
NO_MOOD = Mood("", MAJOR, (80, 100), 0.65, 0, -24)

#: The corpus's own names, in order; and how MagnaTagATune and MTG-Jamendo spell each.
TAGS = (*(instrument.name for instrument in INSTRUMENTS), *(mood.name for mood in MOODS))
MTAT = {name: name for name in TAGS} | {
    "synthesizer": "synth",
    "bell": "bells",
    "saxophone": "sax",
    "bongo": "bongos",
    "electric piano": "keyboard",
    "energetic": "fast",
    "calm": "slow",
}
MTAT_BACK = {spelling: name for name, spelling in MTAT.items()}
JAMENDO = {
    name: ("mood/theme" if name in {mood.name for mood in MOODS} else "instrument")
    + "---"
    + name.replace(" ", "")
    for name in TAGS
}


@dataclass(frozen=True)
class Piece:
    """``tags``: of :data:`TAGS`; ``artist`` and ``album`` are numbers, an artist's pieces are in one split."""

    number: int
    split: str
    artist: int
    album: int
    tags: frozenset[str]
    mood: Mood
    seed: tuple[int, int]


def compose(count: int, seed: int = 0) -> list[Piece]:
    """Return ``count`` pieces, in the order of artists; the splits hold :data:`SHARES` of them."""
    artists = -(-count // PIECES_EACH)
    bounds = np.cumsum([round(share * artists) for share in SHARES.values()])
    pieces = []
    for number in range(count):
        artist = number // PIECES_EACH
        split = list(SHARES)[min(int(np.searchsorted(bounds, artist, side="right")), 2)]
        leaning = np.random.default_rng((seed, 1, artist))
        # Some tags are common and some are rare, and an artist has favourites.
        liking = np.linspace(1.5, 0.7, len(INSTRUMENTS)) * leaning.lognormal(
            0, 0.6, len(INSTRUMENTS)
        )
        feeling = np.array([1.0] * len(MOODS) + [0.4]) * leaning.lognormal(0, 0.3, len(MOODS) + 1)
        random = np.random.default_rng((seed, 2, number))
        playing = random.choice(
            len(INSTRUMENTS),
            random.choice((3, 3, 4, 4, 5, 6)),
            replace=False,
            p=liking / liking.sum(),
        )
        mood = (*MOODS, NO_MOOD)[random.choice(len(MOODS) + 1, p=feeling / feeling.sum())]
        tags = {INSTRUMENTS[one].name for one in playing} | {mood.name} - {""}
        album = artist * 2 + number % PIECES_EACH // 2
        pieces.append(Piece(number, split, artist, album, frozenset(tags), mood, (seed, number)))
    return pieces


def shuffle_labels(pieces: Sequence[Piece], seed: int = 0) -> list[Piece]:
    """Return the pieces with tags of others, each split's among themselves; those to test on keep theirs."""
    random = np.random.default_rng((seed, 5))
    found = list(pieces)
    for split in ("train", "validation"):
        rows = [row for row, piece in enumerate(pieces) if piece.split == split]
        for row, other in zip(rows, random.permutation(rows), strict=True):
            found[row] = replace(pieces[row], tags=pieces[other].tags)
    return found


def render(piece: Piece, seconds: float = SECONDS) -> Sound:
    """Return the piece, mono at 16 kHz within ±1."""
    random = np.random.default_rng((*piece.seed, 3))
    total = np.zeros(int((seconds + LONGEST) * RATE), dtype=np.float32)
    beat = 60 / random.uniform(*piece.mood.tempo)
    key = int(random.choice((0, 5, 7)))  # few keys: less to learn, for less time to learn it in
    for place, instrument in enumerate(INSTRUMENTS):
        if instrument.name in piece.tags:
            level = 10 ** (random.uniform(-3, 0) / 20)
            for start, pitch, length in _part(place, piece.mood, key, beat, seconds, random):
                first, last = int(start * RATE), int(start * RATE) + length
                total[first:last] += level * note(place, pitch)[:length] * _ending(length)
    total = total[: int(seconds * RATE)]
    room = np.random.default_rng((piece.seed[0], 4, piece.artist))
    total = np.convolve(total, _colour(room), "same").astype(np.float32)
    loudness = piece.mood.loudness + random.uniform(-6, 6)
    total *= 10 ** (loudness / 20) / (np.sqrt(np.mean(total**2)) + 1e-6)
    hiss = 10 ** ((loudness - room.uniform(28, 45)) / 20)
    total += hiss * random.standard_normal(total.size, dtype=np.float32)
    return np.clip(total, -1, 1)


def _part(
    place: int, mood: Mood, key: int, beat: float, seconds: float, random: np.random.Generator
) -> Iterable[tuple[float, int, int]]:
    """What one instrument plays: (seconds, pitch, samples) a note. One bar in ten it rests."""
    instrument = INSTRUMENTS[place]
    drums = instrument.high - instrument.low < 3
    scale = [
        pitch
        for pitch in range(instrument.low, instrument.high + 1)
        if drums or (pitch - key) % 12 in mood.scale
    ]
    centre = (len(scale) - 1) / 2 + (0 if drums else mood.register * len(scale) / 40)
    step = beat / instrument.pace
    steps = int(seconds / step)
    bars = random.random(steps) < 0.9
    played = random.random(steps) < mood.density
    at = np.clip(np.rint(random.normal(centre, len(scale) / 4, steps)), 0, len(scale) - 1)
    length = int(min(LONGEST, max(step / mood.density, 0.12)) * RATE)
    for one in np.flatnonzero(played):
        if bars[int(one * step / beat / 4)]:
            for voice in range(instrument.chord):
                yield one * step, scale[min(int(at[one]) + 2 * voice, len(scale) - 1)], length


@functools.cache
def _ending(length: int) -> Sound:
    """A note that is cut off ends within 20 ms, not with a click."""
    fade = np.ones(length, dtype=np.float32)
    fade[-RATE // 50 :] = np.linspace(1, 0, RATE // 50)
    return fade


def _colour(random: np.random.Generator) -> Sound:
    """A recording's colour: a gentle, random equaliser of ±2 dB as 33 taps."""
    gains = np.interp(np.arange(17), np.linspace(0, 16, 5), random.uniform(-2, 2, 5))
    return np.asarray(np.roll(np.fft.irfft(10 ** (gains / 20), 33), 16), dtype=np.float32)


@functools.lru_cache(maxsize=512)
def mp3(piece: Piece, seconds: float = SECONDS) -> bytes:
    """Return the piece as MagnaTagATune has it: MP3 of 16 kHz, mono, 32 kbit/s."""
    samples = np.rint(render(piece, seconds) * 32767).astype(np.int16)
    frame = av.AudioFrame.from_ndarray(samples[None], format="s16p", layout="mono")
    frame.sample_rate = RATE
    fifo = av.AudioFifo()
    fifo.write(frame)
    file = io.BytesIO()
    plain = {"id3v2_version": "0", "write_id3v1": "0"}
    fast = {"b": "32k", "compression_level": "9"}  # twice as fast as LAME's default
    with av.open(file, "w", format="mp3", options=plain) as out:
        stream = out.add_stream("libmp3lame", rate=RATE, layout="mono", options=fast)
        stream.codec_context.format = "s16p"
        out.start_encoding()  # only then is the frame size known
        while chunk := fifo.read(stream.codec_context.frame_size, partial=True):
            out.mux(stream.encode(chunk))
        out.mux(stream.encode(None))
    return file.getvalue()


def encode(pieces: Iterable[Piece], seconds: float = SECONDS, jobs: int = 2) -> dict[int, bytes]:
    """Return the MP3 of each piece by its number, made by ``jobs`` processes."""
    pieces = list(pieces)
    # Not forked: a process that has threads already (torch's) may not be.
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        files = pool.map(mp3, pieces, [seconds] * len(pieces), chunksize=8)
        return {piece.number: file for piece, file in zip(pieces, files, strict=True)}


def _put(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


# ------------------------------------------------------------------------------ the layouts

#: MagnaTagATune's folders of each split: 0-b, c, d-f.
FOLDERS = {"train": "0123456789ab", "validation": "c", "test": "def"}
CLIP_INFO = (
    "clip_id track_number title artist album url segmentStart segmentEnd original_url mp3_path"
)
_OTHER_COLUMNS = ("no voice", "singer", "duet", "lol", "not classical", "classical guitar", "quick")


def write_mtat(root: Path, pieces: Sequence[Piece], audio: Mapping[int, bytes]) -> Path:
    """MagnaTagATune: ``annotations_final.csv`` and ``clip_info_final.csv``, sixteen folders of MP3; and
    Won's lists of them.

    Of the 188 columns there are the published top 50, the corpus's own and a few more. "drums" is a
    tag of the corpus and of the top 50, "happy" of the corpus alone, "techno" of the top 50 alone.
    """
    columns = list(dict.fromkeys((*VOCABULARIES["mtat-top50"], *MTAT.values(), *_OTHER_COLUMNS)))
    annotations: list[list[object]] = [["clip_id", *columns, "mp3_path"]]
    clips: list[list[object]] = [CLIP_INFO.split()]
    for piece in pieces:
        folders = FOLDERS[piece.split]
        name = f"artist_{piece.artist}-album_{piece.album}-{piece.number:02}-piece-0-29.mp3"
        path = f"{folders[piece.artist % len(folders)]}/{name}"
        _put(root / path, audio[piece.number])
        has = {MTAT[tag] for tag in piece.tags}
        annotations.append([piece.number + 2, *(int(tag in has) for tag in columns), path])
        clips.append([piece.number + 2, piece.number, "piece", *_names(piece), "", 0, 29, "", path])
    for name, rows in (("annotations_final.csv", annotations), ("clip_info_final.csv", clips)):
        with (root / name).open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, delimiter="\t", quoting=csv.QUOTE_ALL).writerows(rows)
    top50 = VOCABULARIES["mtat-top50"]
    np.save(root / "tags.npy", np.array(top50))
    labels = [[MTAT_BACK.get(tag) in piece.tags for tag in top50] for piece in pieces]
    np.save(root / "binary.npy", np.array(labels, dtype=np.int64))
    for split, name in (("train", "train"), ("validation", "valid"), ("test", "test")):
        lines = [
            f"{row}\t{annotations[row + 1][-1]}"
            for row, piece in enumerate(pieces)
            if piece.split == split and any(labels[row])
        ]
        np.save(root / f"{name}.npy", np.array(lines))
    return root


def write_jamendo(root: Path, pieces: Sequence[Piece], audio: Mapping[int, bytes]) -> Path:
    """MTG-Jamendo: ``NN/ID.mp3`` and, below ``splits/split-0``, the lists of all tags, of moods and
    themes, and of instruments. As there, a track without a tag of a subset is not in its lists."""
    header = "TRACK_ID\tARTIST_ID\tALBUM_ID\tPATH\tDURATION\tTAGS"
    for subset, prefix in (("", ""), ("_moodtheme", "mood/theme"), ("_instrument", "instrument")):
        for split in SHARES:
            lines = [header]
            for piece in pieces:
                tags = [JAMENDO[tag] for tag in TAGS if tag in piece.tags]
                tags = [tag for tag in tags if tag.startswith(prefix)]
                if piece.split == split and tags:
                    who = f"track_{_id(piece):07}\tartist_{piece.artist:06}\talbum_{piece.album:06}"
                    lines.append(f"{who}\t{jamendo_path(piece)}\t{SECONDS}\t" + "\t".join(tags))
            _put(
                root / "splits" / "split-0" / f"autotagging{subset}-{split}.tsv",
                ("\n".join(lines) + "\n").encode(),
            )
    for piece in pieces:
        _put(root / jamendo_path(piece), audio[piece.number])
    return root


def _names(piece: Piece) -> list[str]:
    return [f"artist {piece.artist}", f"album {piece.album}"]


def _id(piece: Piece) -> int:
    return 1000 + piece.number


def jamendo_path(piece: Piece) -> str:
    """Return where :func:`write_jamendo` puts the piece, below its folder."""
    return f"{_id(piece) % 100:02}/{_id(piece)}.mp3"


def write_manifest(root: Path, pieces: Sequence[Piece], audio: Mapping[int, bytes]) -> Path:
    """Anybody's: ``manifest.csv`` with the columns path, tags, split, artist and album."""
    rows: list[list[str]] = [["path", "tags", "split", "artist", "album"]]
    for piece in pieces:
        path = "/".join([*_names(piece), f"{piece.number:04}.mp3"])
        _put(root / path, audio[piece.number])
        tags = ";".join(tag for tag in TAGS if tag in piece.tags)
        rows.append([path, tags, piece.split, *_names(piece)])
    with (root / "manifest.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return root


def popularity(pieces: Iterable[Piece], tags: Sequence[str] = TAGS) -> float:
    """Return the macro PR-AUC of a constant guess on these pieces: the mean share of positives."""
    pieces = list(pieces)
    return float(np.mean([[tag in piece.tags for piece in pieces] for tag in tags]))
