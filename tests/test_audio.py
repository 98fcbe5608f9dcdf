"""What ``tagkit.audio`` promises: every format, exact windows, true lengths, one kind of error."""

from __future__ import annotations

import contextlib
import errno
import itertools
import math
import os
import struct
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest import mock

import av
import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from tagkit import audio
from tagkit.audio import decoder, libav, sndfile, stream
from tagkit.errors import AudioError, PassingError
from tests import media
from tests.shared import shared

RATE = 44100

# Encodings that are the hard ones to seek in, and that media does not make.
ENCODINGS: dict[str, tuple[str, str, dict[str, str], dict[str, str]]] = {
    "mp3 320 kbit/s": ("mp3", "libmp3lame", {}, {"b": "320k"}),
    "mp3 32 kbit/s": ("mp3", "libmp3lame", {}, {"b": "32k"}),  # frames borrow from many before them
    "mp3 VBR": ("mp3", "libmp3lame", {}, {"b": "0", "q": "2"}),
    "mp3 VBR, no Xing": ("mp3", "libmp3lame", {"write_xing": "0"}, {"b": "0", "q": "9"}),
    "mp3 CBR, no Xing": ("mp3", "libmp3lame", {"write_xing": "0"}, {"b": "128k"}),
    "m4a": ("ipod", "aac", {}, {"aac_pns": "0"}),  # see libav: noise substitution is never exact
    "aac": ("adts", "aac", {}, {"aac_pns": "0"}),
    "mka mp3": ("matroska", "libmp3lame", {}, {}),
    "mka opus": ("matroska", "libopus", {}, {}),
    "mp3 in mp4": ("mp4", "libmp3lame", {}, {"b": "64k"}),
    "ac3": ("ac3", "ac3", {}, {}),
    "tta": ("tta", "tta", {}, {}),
}
EXACT_KINDS = [
    kind for kind in media.KINDS if kind not in ("m4a", "m4a_faststart", "mp4_video", "aac")
]
PLAIN = ("flac", "ogg", "opus", "wav", "aiff")


def music(seconds: float, rate: int = RATE, channels: int = 2, seed: int = 0) -> np.ndarray:
    """Tones, and bursts of noise that make an encoder's packets uneven."""
    samples = media.sound(seconds, rate, channels, seed)
    rng = np.random.default_rng(seed + 100)
    bursts = np.repeat(rng.random(len(samples) // 3000 + 1) < 0.3, 3000)[: len(samples), None]
    noise = 0.3 * rng.standard_normal(samples.shape) * bursts
    return np.clip(samples + noise, -1, 1).astype(np.float32)


def encode(path: Path, name: str, *, seconds: float, rate: int = RATE, channels: int = 1) -> Path:
    muxer, codec, options, codec_options = ENCODINGS[name]
    rates = (48000,) if codec == "libopus" else ()
    write = media._av(muxer, codec, rates=rates, options=options, codec_options=codec_options)
    write(path, music(seconds, rate, channels), rate, 0)
    return path


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many samples were decoded, in blocks."""
    counts: list[int] = []

    def count(samples: np.ndarray) -> np.ndarray:
        counts.append(len(samples))
        return decoder.mono(samples)

    for module in (libav, sndfile):
        monkeypatch.setattr(module, "mono", count)
    return counts


def native_windows_equal_the_whole(path: Path) -> None:
    """Six short windows with gaps that are sought over, against slices of one decode."""
    info = audio.probe(path)
    whole = audio.read(path, info.sample_rate)
    assert len(whole) == info.frames
    length = info.frames // 40
    windows, duration = audio.read_windows(path, info.sample_rate, length, most=6)
    assert duration == info.frames / info.sample_rate
    for start, window in zip(audio.window_starts(len(whole), length, 6), windows, strict=True):
        np.testing.assert_array_equal(window, whole[start : start + length])


# ------------------------------------------------------------------ windows against the whole


@pytest.mark.parametrize("kind", EXACT_KINDS)
def test_windows_are_the_whole_to_the_bit_in_every_container(kind: str, tmp_path: Path) -> None:
    seconds = 3.0 if kind in ("dsf", "dff") else 12.0
    native_windows_equal_the_whole(media.make(tmp_path, kind, seconds=seconds))


@pytest.mark.parametrize("name", ENCODINGS)
def test_windows_are_the_whole_to_the_bit_however_encoded(name: str, tmp_path: Path) -> None:
    native_windows_equal_the_whole(encode(tmp_path / "x", name, seconds=12))


@pytest.mark.parametrize("rate", [8000, 22050])
def test_windows_are_the_whole_in_the_smallest_mp3_frames(rate: int, tmp_path: Path) -> None:
    path = tmp_path / "x.mp3"
    write = media._av("mp3", "libmp3lame", codec_options={"b": "8k"})
    write(path, music(20, rate, 1), rate, 0)
    native_windows_equal_the_whole(path)


@pytest.mark.parametrize("rate", [RATE, 16000])  # at the lower rate, pages last for seconds
def test_vorbis_is_exact_where_it_changes_its_blocks_and_at_its_end(
    rate: int, tmp_path: Path
) -> None:
    path = tmp_path / "x.ogg"
    soundfile.write(path, music(20, rate, 1), rate)
    whole = audio.read(path, rate)
    np.testing.assert_allclose(whole, soundfile.read(path, dtype="float32")[0], atol=1e-4)
    for most in range(2, 12):
        windows, _ = audio.read_windows(path, rate, 1000, most)
        for start, window in zip(audio.window_starts(len(whole), 1000, most), windows, strict=True):
            np.testing.assert_array_equal(window, whole[start : start + 1000])


def test_the_last_page_of_vorbis_misplaces_nothing(tmp_path: Path) -> None:
    samples = music(6, 16000, 1, seed=4)  # found by search: one of the spans begins in that page
    samples[-32000:] *= 0.2
    soundfile.write(tmp_path / "x.ogg", samples, 16000)
    file = libav.LibavDecoder(tmp_path / "x.ogg")
    whole = file.span(0, file.frames)
    for start in range(file.frames - 800, 0, -800)[:59]:
        np.testing.assert_array_equal(file.span(start, start + 500), whole[start : start + 500])
    file.close()


@pytest.mark.parametrize(
    ("native", "rate"),
    [(44100, 16000), (48000, 16000), (96000, 16000), (192000, 16000), (8000, 16000),
     (11025, 16000), (44100, 12000), (44056, 16000), (16000, 16000)],
)  # fmt: skip
def test_windows_equal_slices_of_the_resampled_whole(
    native: int, rate: int, tmp_path: Path
) -> None:
    path = tmp_path / "x.wav"
    soundfile.write(path, music(12, native, 1), native, subtype="FLOAT")
    whole = audio.read(path, rate)
    assert len(whole) == math.floor(12 * rate + 0.5)
    length = rate // 2
    windows, _ = audio.read_windows(path, rate, length, most=7)
    for start, window in zip(audio.window_starts(len(whole), length, 7), windows, strict=True):
        np.testing.assert_allclose(window, whole[start : start + length], atol=2e-6)


@pytest.mark.parametrize(
    "name",
    [
        "joram-moments_of_clarity-08-solipsism-59-88.mp3",
        "sorohanro_-_solo-trumpet-06.hq.ogg",
        "198-209-0000.hq.ogg",
    ],
)
def test_windows_of_real_recordings_equal_slices_of_the_whole(name: str) -> None:
    path = shared("audio", name)
    whole = audio.read(path, 16000)
    windows, _ = audio.read_windows(path, 16000, 20000, most=5)
    for start, window in zip(audio.window_starts(len(whole), 20000, 5), windows, strict=True):
        np.testing.assert_allclose(window, whole[start : start + 20000], atol=1e-4)


# ------------------------------------------------------------------------- true to the sound


@pytest.mark.parametrize("kind", ["flac", "flac_id3", "wav", "aiff", "alac", "wavpack", "mka"])
def test_lossless_files_give_back_what_was_put_in(kind: str, tmp_path: Path) -> None:
    put_in = media.sound(1.0, RATE, 2, seed=0)
    heard = audio.read(media.make(tmp_path, kind), RATE)
    atol = 5e-3 if kind == "wavpack" else 4e-5  # media's is of 8 bits, the others of 16
    np.testing.assert_allclose(heard, put_in.mean(axis=1), atol=atol)


@pytest.mark.parametrize("kind", ["mp3", "ogg", "opus", "m4a", "wma", "webm", "aac", "dsf", "dff"])
def test_lossy_files_are_as_loud_as_what_was_put_in(kind: str, tmp_path: Path) -> None:
    """FFmpeg's own downmix would be √2 louder."""
    put_in = media.sound(3.0, RATE, 2, seed=0).mean(axis=1)
    heard = audio.read(media.make(tmp_path, kind, seconds=3.0), RATE)
    ratio = np.sqrt(np.mean(heard**2) / np.mean(put_in**2))
    # "1-bit audio" is full of noise above hearing, and at most half as loud by convention
    assert ratio == pytest.approx(1, rel=0.1) or (kind in ("dsf", "dff") and 0.4 < ratio < 1.1)


def test_mp3_equals_another_decoder() -> None:
    path = shared("audio", "joram-moments_of_clarity-08-solipsism-59-88.mp3")
    other, rate = soundfile.read(path, dtype="float32", always_2d=True)
    np.testing.assert_allclose(audio.read(path, rate), other.mean(axis=1), atol=1e-5)


@pytest.mark.parametrize("channels", [1, 2, 3, 6, 8])
def test_mono_is_the_mean_of_all_channels(channels: int, tmp_path: Path) -> None:
    samples = music(0.2, RATE, channels)
    soundfile.write(tmp_path / "x.wav", samples, RATE, subtype="FLOAT")
    heard = audio.read(tmp_path / "x.wav", RATE)
    np.testing.assert_allclose(heard, samples.mean(axis=1), atol=1e-7)
    assert heard.dtype == np.float32
    assert audio.probe(tmp_path / "x.wav").channels == channels


@pytest.mark.parametrize("codec", ["ac3", "aac", "alac", "pcm_u8", "pcm_s32le"])
def test_surround_and_every_sample_format_through_ffmpeg(codec: str, tmp_path: Path) -> None:
    samples = music(1.0, 48000, 6)
    media._av("matroska", codec)(tmp_path / "x", samples, 48000, 0)
    heard = audio.read(tmp_path / "x", 48000)
    assert heard.dtype == np.float32
    assert audio.probe(tmp_path / "x").channels == 6
    if codec.startswith(("pcm", "alac")):
        np.testing.assert_allclose(heard[:48000], samples.mean(axis=1), atol=0.005)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_every_width_of_sample_is_the_same_sound(subtype: str, tmp_path: Path) -> None:
    samples = music(0.2, RATE, 2)
    soundfile.write(tmp_path / "x.wav", samples, RATE, subtype=subtype)
    atol = 0.01 if subtype == "PCM_U8" else 1e-6
    np.testing.assert_allclose(
        audio.read(tmp_path / "x.wav", RATE), samples.mean(axis=1), atol=atol
    )


def test_samples_that_are_no_numbers_are_silence(tmp_path: Path) -> None:
    samples = np.full((1000, 2), 0.25, np.float32)
    samples[100, 0], samples[200, 1], samples[300, 0], samples[400, 0] = np.nan, np.inf, 1e30, 3.0
    soundfile.write(tmp_path / "x.wav", samples, RATE, subtype="FLOAT")
    heard = audio.read(tmp_path / "x.wav", RATE)
    assert [float(heard[i]) for i in (99, 100, 200, 300, 400)] == [0.25, 0, 0, 0, 1.625]


# ---------------------------------------------------------------------- where windows lie


@given(st.integers(1, 10_000_000), st.integers(1, 500_000), st.integers(1, 40))
def test_windows_spread_over_the_whole_track_its_end_included(
    total: int, length: int, most: int
) -> None:
    starts = audio.window_starts(total, length, most)
    assert len(starts) == max(1, min(most, math.ceil(total / length)))
    assert starts[0] == 0
    assert len(starts) == 1 or starts[-1] + length == total
    steps = np.diff(starts)
    assert len(steps) == 0 or steps.max() - steps.min() <= 1 or total < most * 2


def test_window_starts_by_hand() -> None:
    assert audio.window_starts(100, 30, 3) == [0, 35, 70]
    assert audio.window_starts(100, 30, 16) == [0, 23, 47, 70]
    assert audio.window_starts(30, 30, 16) == [0]
    assert audio.window_starts(31, 30, 16) == [0, 1]
    assert audio.window_starts(1, 30, 16) == [0]


def test_the_last_window_holds_the_end(tmp_path: Path) -> None:
    samples = np.zeros(10 * 16000, np.float32)
    samples[-1] = 0.5
    soundfile.write(tmp_path / "x.wav", samples, 16000)
    windows, _ = audio.read_windows(tmp_path / "x.wav", 16000, 16000, most=3)
    assert windows.shape == (3, 16000)
    assert windows[-1, -1] == 0.5


def test_a_file_shorter_than_a_window_is_repeated(tmp_path: Path) -> None:
    samples = music(0.1, 16000, 1)[:, 0]
    soundfile.write(tmp_path / "x.wav", samples, 16000, subtype="FLOAT")
    windows, duration = audio.read_windows(tmp_path / "x.wav", 16000, 4000)
    assert duration == 0.1
    np.testing.assert_array_equal(windows, np.concatenate([samples, samples, samples[:800]])[None])


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 192000])
@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_a_file_of_one_sample_is_heard(rate: int, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"x{suffix}"
    soundfile.write(path, np.array([0.5]), rate)
    assert audio.probe(path).frames == 1
    assert len(audio.read(path, 16000)) in (1, 2)
    windows, _ = audio.read_windows(path, 16000, 100)
    assert windows.shape == (1, 100)
    assert np.all(windows != 0)


# ------------------------------------------------------------------- what headers get wrong


def test_an_mp3_without_a_frame_count_is_as_long_as_it_is(
    tmp_path: Path, decoded: list[int]
) -> None:
    """The usual estimate, from the first frame's bit rate, is several times too long."""
    silence_first = np.concatenate([np.zeros((RATE, 2), np.float32), music(11)])
    write = media._av(
        "mp3", "libmp3lame", options={"write_xing": "0"}, codec_options={"b": "0", "q": "0"}
    )
    write(tmp_path / "x.mp3", silence_first, RATE, 0)
    assert audio.probe(tmp_path / "x.mp3").duration == pytest.approx(12, abs=0.1)
    assert sum(decoded) < 2 * RATE


def test_joined_mp3s_are_heard_to_the_end_of_the_last(tmp_path: Path) -> None:
    first = encode(tmp_path / "a.mp3", "mp3 VBR", seconds=6).read_bytes()
    second = encode(tmp_path / "b.mp3", "mp3 VBR, no Xing", seconds=6).read_bytes()
    path = tmp_path / "joined.mp3"
    path.write_bytes(first + second)
    assert audio.probe(path).duration == pytest.approx(12, abs=0.1)
    native_windows_equal_the_whole(path)


def stereo_mp3(path: Path, seconds: float = 12, **options: str) -> Path:
    media._av("mp3", "libmp3lame", codec_options=options)(path, music(seconds), RATE, 0)
    return path


@pytest.mark.parametrize("options", [{"b": "320k"}, {"b": "0", "q": "2"}, {"b": "0", "q": "9"},
                                     {"b": "32k"}])  # fmt: skip
def test_an_mp3_that_fits_its_header_is_libsndfile_s_and_exact(
    options: dict[str, str], tmp_path: Path
) -> None:
    path = stereo_mp3(tmp_path / "x.mp3", **options)
    file = sndfile.SndfileDecoder(path)
    whole = file.span(0, file.frames)
    rng = np.random.default_rng(0)
    for start in rng.integers(0, file.frames - 5000, 60):
        np.testing.assert_array_equal(file.span(start, start + 5000), whole[start : start + 5000])
    file.close()
    other = libav.LibavDecoder(path)
    np.testing.assert_allclose(other.span(0, other.frames), whole, atol=1e-5)
    other.close()
    native_windows_equal_the_whole(path)


def test_an_mp3_that_does_not_fit_its_header_is_ffmpeg_s(tmp_path: Path) -> None:
    data = stereo_mp3(tmp_path / "x.mp3", 6, b="128k").read_bytes()
    at = data.index(b"Info") + 8
    frames = int.from_bytes(data[at : at + 4], "big")
    few = data[:at] + (frames // 2).to_bytes(4, "big") + data[at + 4 :]
    for broken, seconds in ((few, 6), (data[:-9000], 5.4), (data + data, 12)):
        path = tmp_path / "broken.mp3"
        path.write_bytes(broken)
        with pytest.raises(AudioError, match=r"libsndfile|header"):
            sndfile.SndfileDecoder(path)
        assert audio.probe(path).duration == pytest.approx(seconds, abs=0.1)
    for tagged in (data + b"TAG" + bytes(125), b"ID3\4\0\0\0\0\1\0" + bytes(128) + data):
        path.write_bytes(tagged)
        sndfile.SndfileDecoder(path).close()


@pytest.mark.parametrize("kind", ["ogg", "opus"])
def test_chained_ogg_is_heard_to_the_end_of_the_last(kind: str, tmp_path: Path) -> None:
    parts = [media.make(tmp_path, kind, seconds=3.0, seed=seed).read_bytes() for seed in (1, 2)]
    path = tmp_path / "chained"
    path.write_bytes(b"".join(parts))
    rate = audio.probe(path).sample_rate
    assert audio.probe(path).duration == pytest.approx(6, abs=0.02)
    end = audio.read(media.make(tmp_path, kind, seconds=3.0, seed=2), rate)[-rate:]
    np.testing.assert_allclose(audio.read(path, rate)[-rate:], end, atol=1e-3)
    native_windows_equal_the_whole(path)


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 40_000])
def test_a_wav_whose_header_lies_about_its_size(size: int, tmp_path: Path) -> None:
    path = media.make(tmp_path, "wav")
    data = bytearray(path.read_bytes())
    at = data.index(b"data") + 4
    data[at : at + 4] = struct.pack("<I", size)
    path.write_bytes(data)
    frames = audio.probe(path).frames
    assert frames == (10_000 if size == 40_000 else RATE)
    assert len(audio.read(path, RATE)) == frames


def test_a_flac_that_does_not_say_how_long_it_is(tmp_path: Path) -> None:
    path = media.make(tmp_path, "flac", seconds=4.0)
    data = bytearray(path.read_bytes())
    data[21] &= 0xF0
    data[22:26] = bytes(4)  # STREAMINFO's total of samples: 36 bits
    path.write_bytes(data)
    assert audio.probe(path).frames == 4 * RATE
    native_windows_equal_the_whole(path)


@pytest.mark.parametrize("kind", [*PLAIN, "mp3", "m4a_faststart", "wma", "wavpack", "aac", "mka"])
def test_a_truncated_file_is_heard_as_far_as_it_goes(kind: str, tmp_path: Path) -> None:
    path = media.make(tmp_path, kind, seconds=6.0)
    whole = audio.read(path, 16000)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    heard = audio.read(path, 16000)
    assert 0.3 * len(whole) < len(heard) < 0.8 * len(whole)
    np.testing.assert_allclose(heard[: len(heard) // 2], whole[: len(heard) // 2], atol=1e-4)
    windows, duration = audio.read_windows(path, 16000, 4000, most=4)
    assert windows.shape == (4, 4000)
    assert duration == pytest.approx(len(heard) / 16000, abs=1e-3)


def test_the_end_of_a_truncated_file_is_found_without_decoding_it(
    tmp_path: Path, decoded: list[int]
) -> None:
    path = media.make(tmp_path, "m4a_faststart", seconds=20.0, channels=1)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert 8 < audio.probe(path).duration < 12
    assert sum(decoded) < 2 * RATE


@pytest.mark.parametrize("kind", [*PLAIN, "mp3", "m4a", "wma", "wavpack", "alac"])
def test_a_hole_in_a_file_costs_the_hole(kind: str, tmp_path: Path) -> None:
    path = media.make(tmp_path, kind, seconds=6.0)
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 3000] = bytes(3000)
    path.write_bytes(data)
    assert audio.probe(path).duration == pytest.approx(6, abs=1)
    assert len(audio.read(path, 16000)) == pytest.approx(6 * 16000, abs=16000)
    windows, _ = audio.read_windows(path, 16000, 4000, most=8)
    silent = np.sqrt(np.mean(windows**2, axis=1)) < 0.005
    assert silent.sum() <= (1 if kind == "opus" else 0)  # it lost a page, which is a second


# ---------------------------------------------------------------- what else is in the world


@pytest.mark.parametrize(
    "kind", ["mp3", "flac", "ogg", "opus", "wav", "aiff", "m4a", "wma", "wavpack"]
)
@pytest.mark.parametrize("suffix", [".txt", ".mp3", ".wav", ".raw", ""])
def test_the_name_says_nothing(kind: str, suffix: str, tmp_path: Path) -> None:
    path = media.make(tmp_path, kind, seed=3)
    renamed = path.rename(tmp_path / f"x{suffix}")
    assert audio.probe(renamed).duration == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("kind", media.WRITABLE)
def test_tags_and_cover_art_are_not_sound(kind: str, tmp_path: Path) -> None:
    (tmp_path / "tagged").mkdir()
    plain = media.make(tmp_path, kind)
    tagged = media.make(tmp_path / "tagged", kind, foreign=True)
    np.testing.assert_array_equal(audio.read(tagged, 16000), audio.read(plain, 16000))


def test_the_sound_of_a_video_is_heard(tmp_path: Path) -> None:
    info = audio.probe(media.make(tmp_path, "mp4_video", seconds=2.0))
    assert info.duration == pytest.approx(2, abs=0.1)


@pytest.mark.parametrize(
    "name", [b"concat: a|b.m4a", b"http: x.m4a", b"\xff\xfe.m4a", "Ænima ♪.m4a".encode(), b"-i.m4a"]
)
def test_any_name_that_a_file_can_have(
    name: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path(os.fsdecode(name))
    monkeypatch.chdir(tmp_path)
    media.make(tmp_path / "made.m4a", "m4a").rename(path)
    assert audio.probe(path).duration == pytest.approx(1, abs=0.1)


# ------------------------------------------------------------------------------- the errors

BROKEN: dict[str, Callable[[Path], object]] = {
    "missing": lambda _: None,
    "empty": lambda path: path.touch(),
    "text": lambda path: path.write_text("no music\n" * 1000),
    "random": lambda path: path.write_bytes(np.random.default_rng(1).bytes(200_000)),
    "zeros": lambda path: path.write_bytes(bytes(200_000)),
    "picture": lambda path: path.write_bytes(media.png(200)),
    "folder": lambda path: path.mkdir(),
    "pipe": os.mkfifo,
    "no samples": lambda path: soundfile.write(path, np.zeros((0, 2)), RATE, format="WAV"),
    "no samples, flac": lambda path: soundfile.write(path, np.zeros((0, 2)), RATE, format="FLAC"),
    "only a tag": lambda path: path.write_bytes(b"ID3\x04\0\0\0\0\x10\0" + bytes(2048)),
    "only a head, flac": lambda path: path.write_bytes(b"fLaC" + bytes(range(200))),
    "only a head, ogg": lambda path: path.write_bytes(b"OggS" + bytes(range(200))),
    "only a head, wav": lambda path: path.write_bytes(b"RIFF\xff\xff\xff\x7fWAVEfmt "),
    "unreadable link": lambda path: path.symlink_to(path.with_name("nowhere")),
}


@pytest.mark.parametrize("how", BROKEN)
def test_what_cannot_be_heard_is_an_audio_error_with_a_next_step(
    how: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.mp3"
    BROKEN[how](path)
    for work in (
        audio.probe,
        lambda p: audio.read(p, 16000),
        lambda p: audio.read_windows(p, 16000, 1000),
    ):
        with pytest.raises(AudioError) as caught:
            work(path)
        assert caught.value.path == str(path)
        assert caught.value.hint
    assert capfd.readouterr() == ("", "")


def test_a_playlist_does_not_open_what_it_names(tmp_path: Path) -> None:
    media.make(tmp_path / "x.mp3", "mp3")
    lists = {"x.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nx.mp3\n#EXT-X-ENDLIST\n",
             "x.ffconcat": "ffconcat version 1.0\nfile x.mp3\n"}  # fmt: skip
    for name, text in lists.items():
        (tmp_path / name).write_text(text)
        with pytest.raises(AudioError):
            audio.probe(tmp_path / name)


def test_decoders_say_nothing_on_stderr(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for name in ("mp3 32 kbit/s", "mp3 VBR", "m4a", "mka opus"):
        path = encode(tmp_path / "x", name, seconds=6)
        data = bytearray(path.read_bytes())
        data[len(data) // 2 : len(data) // 2 + 2000] = bytes(2000)
        path.write_bytes(data[: len(data) * 4 // 5])
        try:
            audio.read(path, 16000)
            audio.read_windows(path, 16000, 1000)
        except AudioError:
            assert name == "m4a"  # its index was at the end
    assert capfd.readouterr() == ("", "")


# ---------------------------------------------------------------------------- cost and safety


@pytest.mark.parametrize("kind", ["mp3", "alac", "wavpack", "flac", "ogg", "wav"])
def test_only_the_windows_are_decoded(kind: str, tmp_path: Path, decoded: list[int]) -> None:
    path = media.make(tmp_path, kind, seconds=30.0, channels=1)
    audio.read_windows(path, 16000, 8000, most=5)
    assert 2.5 * RATE < sum(decoded) < 15 * RATE  # of 30


def test_a_long_file_that_cannot_be_sought_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "chained.ogg"
    parts = [media.make(tmp_path, "ogg", seconds=10.0, seed=seed) for seed in (1, 2)]
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    kept, _ = audio.read_windows(path, 16000, 4000, most=5)
    monkeypatch.setattr(libav, "KEPT", 100_000)
    file = libav.LibavDecoder(path)
    assert file._kept is None
    file.close()
    again, _ = audio.read_windows(path, 16000, 4000, most=5)
    np.testing.assert_array_equal(again, kept)


@pytest.mark.parametrize("kind", ["wma", "webm", "mka"])
def test_hours_with_timestamps_in_milliseconds_are_sought_to_the_millisecond(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, decoded: list[int]
) -> None:
    path = media.make(tmp_path, kind, seconds=60.0, channels=1)
    info = audio.probe(path)
    whole = audio.read(path, info.sample_rate)
    monkeypatch.setattr(libav, "KEPT", 100_000)
    decoded.clear()
    windows, duration = audio.read_windows(path, info.sample_rate, 4000, most=5)
    assert sum(decoded) < 20 * info.sample_rate  # of 60, a cluster holds 5
    assert duration == pytest.approx(info.duration, abs=0.002)
    for start, window in zip(audio.window_starts(len(whole), 4000, 5), windows, strict=True):
        inner = window[100:-100]
        near = range(start, min(start + 200, len(whole) - len(inner)))
        assert min(np.abs(inner - whole[at : at + len(inner)]).max() for at in near) < 1e-4


def test_what_cannot_be_read_is_not_blamed_on_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FFmpeg ends at a disk's error as it ends at a file's end: half a song would be all of it."""
    with pytest.raises(PassingError, match="cannot be opened: No such file"):
        audio.read(tmp_path / "unplugged.flac", RATE)

    class Failing:
        """A file whose disk fails behind the twentieth packet."""

        def __init__(self, *how: Any, **options: Any) -> None:
            self._file = really(*how, **options)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._file, name)

        def demux(self, *of: Any) -> Iterator[av.Packet]:
            yield from itertools.islice(self._file.demux(*of), 20)
            av.error.err_check(-errno.EIO)

    really = av.open
    path = media.make(tmp_path, "mka", seconds=6.0)
    whole = audio.read(path, RATE)
    monkeypatch.setattr(stream.av, "open", Failing)
    assert 0 < len(audio.read(path, RATE)) < len(whole) / 2  # the disk is well: so is the file

    def unread(*_: Any) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(stream.Path, "open", lambda *_: contextlib.closing(mock.Mock(read=unread)))
    with pytest.raises(PassingError, match="cannot be read to its end: Input/output error"):
        libav.LibavDecoder(path)


def test_nothing_stays_open(tmp_path: Path) -> None:
    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    good = [media.make(tmp_path, kind) for kind in ("flac", "mp3", "wma")]
    bad = tmp_path / "bad.flac"
    bad.write_bytes(good[0].read_bytes()[:60_000])
    worse = tmp_path / "worse.flac"
    worse.write_bytes(b"fLaC" + bytes(100))
    before = descriptors()
    for path in (*good, bad, worse) * 5:
        try:
            audio.read_windows(path, 16000, 1000)
        except AudioError:
            assert path == worse
    assert descriptors() <= before


def test_many_threads_hear_what_one_hears(tmp_path: Path) -> None:
    kinds = ["mp3", "flac", "ogg", "opus", "alac", "wma"]
    paths = [media.make(tmp_path, kind, seconds=5.0) for kind in kinds]

    def listen(path: Path) -> np.ndarray:
        return audio.read_windows(path, 16000, 8000, most=4)[0]

    alone = [listen(path) for path in paths]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(listen, paths * 4))
    for one, other in zip(alone * 4, together, strict=True):
        np.testing.assert_array_equal(one, other)


def test_no_decoder_thread_is_started_beside_the_callers(tmp_path: Path) -> None:
    with av.open(str(media.make(tmp_path, "alac"))) as container:
        assert container.streams.audio[0].codec_context.thread_count != 1  # else nothing to show
    file = libav.LibavDecoder(media.make(tmp_path, "alac"))
    assert file._stream._stream.codec_context.thread_count == 1
    file.close()
