"""What reading costs with the plainest means: whole files, and the windows that tagkit hears.

    python bench/throughput/floor.py {whole,windows} {soundfile,pyav} FILE... [--seconds 3] [--windows 16]

Nothing is mixed down or resampled, and nothing is checked.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial

import av
import numpy as np
import numpy.typing as npt
import soundfile
import warm

from tagkit.audio import window_starts

FloatArray = npt.NDArray[np.float32]


def whole_soundfile(path: str) -> FloatArray:
    """Return the file (frames, channels) at its own rate."""
    samples: FloatArray = soundfile.read(path, dtype="float32", always_2d=True)[0]
    return samples


def whole_pyav(path: str) -> list[npt.NDArray[np.generic]]:
    """Return the file's frames as FFmpeg decodes them."""
    with av.open(path) as file:
        file.streams.audio[0].codec_context.thread_count = 1
        return [frame.to_ndarray() for frame in file.decode(audio=0)]


def windows_soundfile(path: str, seconds: float = 3.0, most: int = 16) -> list[FloatArray]:
    """Return at most ``most`` windows (frames, channels), where tagkit has its own."""
    with soundfile.SoundFile(path) as file:
        length = round(seconds * file.samplerate)
        out = []
        for start in window_starts(file.frames, length, most):
            file.seek(start)
            out.append(file.read(length, dtype="float32", always_2d=True))
        return out


def windows_pyav(path: str, seconds: float = 3.0, most: int = 16) -> list[FloatArray]:
    """The same with FFmpeg, trusting its timestamps: no settling before a window.

    Of Vorbis some blocks then lie a little late, and M4A's length is the one that its header states.
    """
    with av.open(path) as file:
        stream = file.streams.audio[0]
        stream.codec_context.thread_count = 1
        tick = stream.time_base * stream.rate  # in samples
        origin = stream.start_time or 0
        length = round(seconds * stream.rate)
        out = []
        for start in window_starts(int(stream.duration * tick), length, most):
            try:
                file.seek(origin + int(start / tick), stream=stream)
            except av.FFmpegError:  # in short FLAC files it finds no place near the end
                file.seek(0)
            window = np.zeros((length, stream.codec_context.channels), np.float32)
            for frame in file.decode(stream):
                at = round((frame.pts - origin) * tick) - start
                first, last = max(at, 0), min(at + frame.samples, length)
                if first < last:
                    window[first:last] = plain(frame)[first - at : last - at]
                if at + frame.samples >= length:
                    break
            out.append(window)
        return out


def plain(frame: av.AudioFrame) -> npt.NDArray[np.generic]:
    """Return (samples, channels) in the decoder's own numbers."""
    data: npt.NDArray[np.generic] = frame.to_ndarray()
    return data.T if frame.format.is_planar else data.reshape(frame.samples, -1)


READERS: dict[tuple[str, str], Callable[..., object]] = {
    ("whole", "soundfile"): whole_soundfile,
    ("whole", "pyav"): whole_pyav,
    ("windows", "soundfile"): windows_soundfile,
    ("windows", "pyav"): windows_pyav,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=("whole", "windows"))
    parser.add_argument("library", choices=("soundfile", "pyav"))
    parser.add_argument("files", nargs="+")
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--windows", type=int, default=16)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    read = READERS[given.what, given.library]
    if given.what == "windows":
        read = partial(read, seconds=given.seconds, most=given.windows)
    warm.measure(read, given.files, given.threads)


if __name__ == "__main__":
    main()
