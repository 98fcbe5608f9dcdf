"""Make the corpus: every track in every format, encoded by what tagkit's own decoders bring.

    python bench/throughput/encoding.py WORK FILES SECONDS

The FFmpeg in PyAV's wheels has LAME, but no good Vorbis encoder; libsndfile has the reference one. Files
that are there are kept.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import numpy as np
import soundfile
import tracks
from formats import FORMATS, Format, named

BLOCK = 1 << 16  # samples handed to the encoder at once
VORBIS = 0.4  # libsndfile's compression level: Vorbis quality 6, about 192 kbit/s


def main() -> None:
    work, files, seconds = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    corpus(work, files, seconds)


def corpus(work: Path, files: int, seconds: float) -> dict[str, list[Path]]:
    """Make what is missing of ``files`` files of each format; return all."""
    paths = named(work, seconds, files)
    with ThreadPoolExecutor() as pool:  # the encoders release the interpreter lock
        for number in range(files):
            missing = [name for name in FORMATS if not paths[name][number].exists()]
            if missing:
                paths[missing[0]][number].parent.mkdir(parents=True, exist_ok=True)
                track = tracks.make(number, seconds)
                jobs = [(paths[name][number], track, FORMATS[name]) for name in missing]
                list(pool.map(lambda job: encode(*job), jobs))
    return paths


def encode(path: Path, track: tracks.FloatArray, how: Format) -> None:
    """Write stereo ``track`` (samples, 2) to ``path``, whole or not at all."""
    part = path.with_name(f"{path.name}.part")
    if how.codec == "libsndfile":
        vorbis(part, track)
    else:
        ffmpeg(part, track, how)
    part.replace(path)


def vorbis(path: Path, track: tracks.FloatArray) -> None:
    kind = {"format": "OGG", "subtype": "VORBIS", "compression_level": VORBIS}
    with soundfile.SoundFile(path, "w", tracks.RATE, track.shape[1], **kind) as file:
        for at in range(0, len(track), BLOCK):  # all at once overflows libsndfile's stack
            file.write(track[at : at + BLOCK])


def ffmpeg(path: Path, track: tracks.FloatArray, how: Format) -> None:
    with av.open(str(path), "w", format=how.container) as file:
        file.metadata.update(title=path.name, artist="tagkit", album="throughput")
        stream = file.add_stream(how.codec, rate=tracks.RATE, options=dict(how.options))
        stream.codec_context.layout = "stereo"
        stream.codec_context.format = how.samples
        for frame in frames(track, how.samples):
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))


def frames(track: tracks.FloatArray, samples: str) -> Iterator[av.AudioFrame]:
    """Cut ``track`` into frames in FFmpeg's sample format ``samples``: "fltp" or "s16"."""
    if samples == "s16":
        track = np.round(track * 32767).astype(np.int16)
    for at in range(0, len(track), BLOCK):
        block = track[at : at + BLOCK]
        data = block.reshape(1, -1) if samples == "s16" else np.ascontiguousarray(block.T)
        frame = av.AudioFrame.from_ndarray(data, format=samples, layout="stereo")
        frame.sample_rate = tracks.RATE
        frame.pts = at
        yield frame


if __name__ == "__main__":
    main()
