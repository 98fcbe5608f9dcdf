"""``bench/throughput``: the corpus, the floor, what processes are charged with, and the figures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import ArrayLike

from tagkit import audio
from tagkit.library.payload import content_key

sys.path.append(str(Path(__file__).parents[1] / "bench"))
sys.path.append(str(Path(__file__).parents[1] / "bench" / "throughput"))

import agreement
import encoding
import figures
import floor
import formats
import side_by_side
import subjects
import tracks
import usage
from figures import Bar, Found
from tracks import FloatArray
from usage import Cost, Usage

SECONDS = 8


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("throughput")
    encoding.corpus(folder, 2, SECONDS)
    return folder


# --- the corpus ---


def test_tracks_differ_and_are_made_again_the_same() -> None:
    one, other = tracks.make(0, 3), tracks.make(1, 3)
    assert one.shape == other.shape == (3 * tracks.RATE, 2)
    assert np.array_equal(one, tracks.make(0, 3))
    assert abs(np.corrcoef(one[:, 0], other[:, 0])[0, 1]) < 0.5
    assert abs(np.corrcoef(one.T)[0, 1]) < 0.999  # two channels, not one twice
    assert 0.1 < np.sqrt(np.mean(one**2)) < 0.3
    assert np.abs(one).max() <= 1


def test_every_format_is_made_once_as_long_as_asked_for(work: Path) -> None:
    paths = formats.named(work, SECONDS, 2)
    before = {path: path.stat().st_mtime_ns for files in paths.values() for path in files}
    encoding.corpus(work, 2, SECONDS)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    for path in before:
        info = audio.probe(path)
        assert (info.sample_rate, info.channels) == (44100, 2), path.name
        assert info.duration == pytest.approx(SECONDS, abs=0.1), path.name
    assert len({content_key(path) for path in before}) == 10


def test_mp3s_have_the_rate_and_the_header_of_real_ones(work: Path) -> None:
    paths = formats.named(work, SECONDS, 1)
    constant, variable = (paths[name][0].read_bytes() for name in ("MP3 320k", "MP3 V2"))
    assert len(constant) == pytest.approx(SECONDS * 40_000, rel=0.02)
    assert len(variable) < 0.9 * len(constant)
    assert b"Info" in constant[:1000]
    assert b"Xing" in variable[:1000]


# --- the floor ---


def compared(path: Path, read: Callable[..., Sequence[ArrayLike]]) -> tuple[FloatArray, FloatArray]:
    """Return windows (16, samples) as tagkit hears them, and as the floor reads them."""
    length = round(0.3 * 44100)
    heard, _ = audio.read_windows(path, 44100, length, 16)
    windows = np.stack([np.asarray(window).mean(1) for window in read(str(path), 0.3, 16)])
    assert windows.shape == heard.shape == (16, length)
    assert np.abs(heard).max() > 0.1
    return heard, windows


@pytest.mark.parametrize("name", ["MP3 320k", "MP3 V2", "FLAC", "Ogg Vorbis"])
def test_the_floor_reads_the_windows_that_tagkit_hears(work: Path, name: str) -> None:
    path = formats.named(work, SECONDS, 1)[name][0]
    heard, windows = compared(path, floor.windows_soundfile)
    apart = np.abs(windows - heard)
    if name == "Ogg Vorbis":  # of libsndfile's seeks some miss by a block, and need settling
        apart = np.sort(apart[:, apart.shape[1] // 2 :].max(1))[:12]
    assert apart.max() < 1e-4


@pytest.mark.parametrize("name", ["MP3 320k", "MP3 V2", "M4A"])
def test_so_does_ffmpegs_but_for_what_needs_settling(work: Path, name: str) -> None:
    path = formats.named(work, SECONDS, 1)[name][0]
    heard, windows = compared(path, floor.windows_pyav)
    for one, other in zip(heard, windows, strict=True):
        spectra = np.fft.rfft(one), np.conj(np.fft.rfft(other))
        alike = np.fft.irfft(spectra[0] * spectra[1], len(one))
        alike /= np.linalg.norm(one) * np.linalg.norm(other)
        lag = (np.argmax(alike) + len(one) // 2) % len(one) - len(one) // 2
        assert alike.max() > 0.8
        assert abs(lag) <= (1024 if name == "M4A" else 0)  # two counts of the last frame


def test_whole_files_are_decoded_whole(work: Path) -> None:
    path = str(formats.named(work, SECONDS, 1)["FLAC"][0])
    assert len(floor.whole_soundfile(path)) == SECONDS * 44100
    assert sum(block.shape[1] // 2 for block in floor.whole_pyav(path)) == SECONDS * 44100


# --- what processes are charged with ---


def test_what_a_command_leaves_behind_is_charged_too() -> None:
    leave = """
import os, time
if os.fork() == 0:
    time.sleep(0.2)
    while time.process_time() < 0.4: pass
"""
    assert usage.run([sys.executable, "-c", leave])[0].cpu > 0.35


def test_what_else_this_process_has_started_is_not_waited_for() -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as other:
        usage.run([sys.executable, "-c", ""])
        assert other.poll() is None
        other.kill()


def test_one_core_is_one_core_and_only_for_the_command() -> None:
    cores = os.sched_getaffinity(0)
    say = "import os; print(len(os.sched_getaffinity(0)))"
    assert usage.run([sys.executable, "-c", say], one_core=True)[1].strip() == "1"
    assert usage.run([sys.executable, "-c", say])[1].strip() == str(len(cores))
    assert os.sched_getaffinity(0) == cores


def test_memory_of_all_processes_is_counted() -> None:
    hold = "import time, os; os.fork(); data = bytearray(60 << 20); time.sleep(0.5)"
    assert usage.run([sys.executable, "-c", hold])[0].rss > 120


def test_a_failing_command_ends_the_bench_with_its_reason() -> None:
    with pytest.raises(SystemExit, match="no such thing"):
        usage.run([sys.executable, "-c", "raise SystemExit('no such thing')"])


def test_start_up_is_told_apart_by_two_runs() -> None:
    cost, start = usage.slope(Usage(2.2, 1.6, 10), 2, Usage(3.2, 2.1, 20), 12)
    assert cost == pytest.approx((0.1, 0.05, 2.0, 20))
    assert start == pytest.approx((2.0, 1.5, 10))
    assert usage.above(start, Usage(5.0, 3.0, 30), 10) == pytest.approx((0.3, 0.15, 2.0, 30))


# --- figures ---


def cost(cpu: float, wall: float = 0.1) -> Cost:
    return Cost(cpu, wall, 2.0, 100)


def results() -> figures.Results:
    found = figures.empty()
    rows = found["MP3 320k"]
    rows[subjects.SEEK] = Found({0: cost(0.06), 1: cost(0.12), 2: cost(0.06)}, {0: cost(0.06)})
    rows[subjects.SEEK_AV] = Found({0: cost(0.1)})
    rows[subjects.TAGKIT] = Found(
        {0: cost(0.18), 1: cost(0.24), 2: cost(0.12)}, {0: cost(0.12, 0.05), 1: cost(0.12, 0.05)}
    )
    rows[subjects.LIBROSA] = Found({1: cost(1.2)}, {1: cost(1.2, 0.6)})
    return found


def test_ratios_are_of_the_same_round() -> None:
    rows = results()["MP3 320k"]
    least = figures.floor(rows)
    assert least is rows[subjects.SEEK]
    assert figures.ratio(rows[subjects.TAGKIT].one, least.one) == pytest.approx(2.0)
    assert figures.ratio(rows[subjects.LIBROSA].one, {0: cost(1)}) is None


def test_bars_are_met_missed_or_not_measured() -> None:
    bars = {bar.what: bar for bar in figures.bars(results())}
    assert bars["MP3 320k: CPU of tagkit, times the floor's"].met
    assert bars["FLAC: CPU of tagkit, times the floor's"].met is None
    assert bars[f"{subjects.LIBROSA}: CPU a file, times tagkit's"].figure == pytest.approx(5)
    assert bars[f"{subjects.LIBROSA}: CPU a file, times tagkit's"].met is False
    wall = bars[f"{subjects.LIBROSA}: time a file on all cores, likewise"]
    assert wall.figure == pytest.approx(12)
    assert wall.text().endswith(">= 10    met")
    assert Bar("x", 0.15, 0.13).text().endswith("missed")


def test_the_table_has_a_line_a_subject() -> None:
    lines = figures.table(results()).splitlines()
    assert lines[0] == "MP3 320k"
    (ours,) = [line for line in lines if line.startswith(subjects.TAGKIT)]
    assert ours.split()[2:] == "20.00 0.1800 (0.1200–0.2400) 2.00 2.00 100".split()


def test_the_docs_table_has_a_row_a_subject() -> None:
    lines = figures.markdown(results()).splitlines()
    assert len(lines) == 2 + 4
    assert f"| {subjects.TAGKIT} | 0.180 (2.00) | 20.00 | 100 |" in lines
    assert f"| {subjects.SEEK_AV} | 0.100 (1.67) |  |  |" in lines


def test_agreement_is_counted() -> None:
    def line(first: float, second: float, *given: str) -> str:
        tags = [{"tag": tag} for tag in given]
        return json.dumps({"probabilities": {"a": first, "b": second}, "tags": tags})

    full = agreement.said(
        "\n".join([line(0.1, 0.5, "a"), line(0.2, 0.4, "a", "b"), line(0.3, 0.3)])
    )
    fewer = agreement.said(
        "\n".join([line(0.1, 0.3, "a"), line(0.2, 0.4, "b"), line(0.3, 0.5, "b")])
    )
    found = agreement.compare(full, fewer)
    assert found == pytest.approx((0.0, 0.4 / 6, 2 / 4))
    assert agreement.compare(full, full) == pytest.approx((1, 0, 0))


# --- all of it, small ---


def test_a_small_run_makes_a_table(work: Path) -> None:
    files = {"FLAC": formats.named(work, SECONDS, 2)["FLAC"]}
    reading = [
        each for each in subjects.readers(0.2, 4) if each.name in (subjects.SEEK, subjects.SEEK_AV)
    ]
    began = time.perf_counter()
    found = side_by_side.measure(reading, files, 2)
    ours = subjects.Tagkit(work)(files["FLAC"], True, 0)
    assert found["FLAC"][subjects.SEEK].one.keys() == {0, 1}
    found["FLAC"][subjects.TAGKIT].one[0] = ours
    assert 0.3 < ours.start < time.perf_counter() - began
    assert ours.rss > 100
    text = figures.table(found)
    assert all(name in text for name in (subjects.SEEK, subjects.SEEK_AV, subjects.TAGKIT))
