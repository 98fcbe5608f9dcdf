"""Of a kept array the pieces asked for are read, and nothing stays open."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tagkit.data.kept import Kept, save
from tagkit.errors import RecipeError

IMAGE = np.random.default_rng(0).integers(0, 256, (5, 40), dtype=np.uint8)
SOUND = np.random.default_rng(0).integers(-99, 99, 70, dtype=np.int16)


def kept(folder: Path, array: np.ndarray) -> Kept:
    place = folder / "kept.npy"
    with place.open("wb") as out:
        save(out, array)
    return Kept(place)


@pytest.mark.parametrize("array", [IMAGE, SOUND], ids=["image", "sound"])
@pytest.mark.parametrize(
    "span", [slice(3, 9), slice(0, 1), slice(None), slice(-4, None), slice(9, 3), slice(30, 999)]
)
def test_a_piece_is_what_numpy_would_take(tmp_path: Path, array: np.ndarray, span: slice) -> None:
    found = kept(tmp_path, array)
    assert (found.shape, found.dtype, len(found)) == (array.shape, array.dtype, len(array))
    assert found[..., span].dtype == array.dtype
    assert np.array_equal(found[..., span], array[..., span])


def test_an_image_lies_frame_by_frame_and_numpy_reads_it(tmp_path: Path) -> None:
    place = kept(tmp_path, IMAGE).place
    assert place.read_bytes().endswith(IMAGE.T.tobytes())
    assert np.array_equal(np.load(place), IMAGE)


def test_an_image_kept_row_by_row_is_read_as_well(tmp_path: Path) -> None:
    np.save(tmp_path / "old.npy", IMAGE)
    assert np.array_equal(Kept(tmp_path / "old.npy")[..., 7:31], IMAGE[:, 7:31])


def test_only_spans_of_the_last_axis_are_read(tmp_path: Path) -> None:
    assert np.array_equal(kept(tmp_path, SOUND)[4:9], SOUND[4:9])
    found = kept(tmp_path, IMAGE)
    for key in (slice(0, 2), (..., slice(0, 8, 2))):
        with pytest.raises(IndexError):
            found[key]


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_damaged_file_is_a_value_error(tmp_path: Path, order: str) -> None:
    place = tmp_path / "kept.npy"
    np.save(place, np.asarray(IMAGE, order=order))
    whole = place.read_bytes()
    for damaged in (whole[:-1], whole[:50], b"", b"x" * 300, b"\x93NUMPY\x03\x00" + whole[8:]):
        place.write_bytes(damaged)
        with pytest.raises(ValueError):
            Kept(place)


def test_a_file_that_went_is_named(tmp_path: Path) -> None:
    found = kept(tmp_path, IMAGE)
    found.place.unlink()
    with pytest.raises(RecipeError, match="cannot be read") as raised:
        found[..., 1:2]
    assert raised.value.path == str(found.place)


_MANY = """
import resource, sys
from pathlib import Path
import numpy as np
from tagkit.data.cache import Cache
from tagkit.data.filling import prepare
from tagkit.front_end import FrontEnd
from tagkit.training.batches import Batches, Features, Slice
from tagkit.training.ahead import ahead

folder, cache, least = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
resource.setrlimit(resource.RLIMIT_NOFILE, (least, least))
paths = sorted(folder.glob("*.wav"))
store = Cache(cache, FrontEnd(1600, n_mels=8))
for _ in range(2):
    failed = [done for done in prepare(store, paths, 3) if done.error is not None]
    assert not failed, failed[0]
features = Features(store, paths)
opened = [features[row] for row in range(len(paths))]
targets = np.zeros((len(paths), 1), np.float32)
batches = Batches(
    opened, targets, length=7, order=lambda _: np.arange(len(paths)), batch=len(paths), seed=0
)
for batch in ahead(batches, iter([Slice(0), Slice(1)]), jobs=2):
    print(tuple(batch.inputs.shape))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such limit")
def test_more_tracks_than_files_may_be_open_are_prepared_and_learned_from(tmp_path: Path) -> None:
    import soundfile

    music = tmp_path / "music"
    music.mkdir()
    for number in range(120):
        noise = np.random.default_rng(number).normal(0, 0.1, 1700)
        soundfile.write(music / f"{number}.wav", noise, 16000)
    arguments = [sys.executable, "-c", _MANY, music, tmp_path / "cache", "60"]
    done = subprocess.run(
        [*map(str, arguments)], capture_output=True, text=True, env=os.environ, check=False
    )
    assert done.stdout.split("\n")[:2] == ["(120, 8, 7)", "(120, 8, 7)"], done.stderr
