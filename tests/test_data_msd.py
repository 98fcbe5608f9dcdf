"""The Million Song Dataset's split, from pickles as they are published, read as data only."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tagkit.data import msd, open_dataset, read_dataset
from tagkit.errors import DataError
from tagkit.recipe import Data
from tagkit.vocab import VOCABULARIES

TAGS = VOCABULARIES["msd-top50"]
IDS = [f"TRAAAAW128F429D53{n}" for n in range(6)]


def lay_out(root: Path, **changes: Any) -> Path:
    vectors = {name: np.zeros((1, 50)) for name in IDS[:5]}
    for number, vector in enumerate(vectors.values()):
        vector[0, [number, 49]] = 1
    files: dict[str, Any] = {
        "filtered_list_train.cP": IDS[:3],
        "filtered_list_test.cP": [IDS[4].encode(), IDS[5].encode()],
        "msd_id_to_tag_vector.cP": vectors,
        "MSD_id_to_7D_id.pkl": {name: str(number) for number, name in enumerate(IDS)},
        "7D_id_to_path.pkl": {str(number): f"0/{number}/{number}.clip.mp3" for number in range(6)},
        **changes,
    }
    for name, value in files.items():
        if value is not None:
            (root / name).write_bytes(pickle.dumps(value, protocol=0))
    return root


def test_ids_lead_to_files_and_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(msd, "TRAIN", 2)  # of 201,680
    found = read_dataset(lay_out(tmp_path), Data())
    assert [(track.id, track.split) for track in found.tracks] == [
        (IDS[0], "train"),
        (IDS[1], "train"),
        (IDS[2], "validation"),
        (IDS[4], "test"),
    ]
    assert found.tracks[3].path == "0/4/4.clip.mp3"
    assert found.tracks[3].tags == {TAGS[4], TAGS[49]}
    assert found.outputs == TAGS
    assert found.warnings == ("1 listed tracks have no path or no labels",)


def test_a_validation_list_of_its_own_is_taken(tmp_path: Path) -> None:
    found = msd.read(lay_out(tmp_path, **{"filtered_list_valid.cP": [IDS[3]]}))
    assert [track.split for track in found.tracks] == ["train"] * 3 + ["validation", "test"]


def test_audio_may_lie_in_a_folder_of_its_own(tmp_path: Path) -> None:
    (lay_out(tmp_path) / "songs" / "0" / "1").mkdir(parents=True)
    (tmp_path / "songs/0/1/1.clip.mp3").touch()
    found = open_dataset(tmp_path, Data())
    assert found.root == tmp_path / "songs" and len(found.tracks) == 1


def test_the_list_of_tags_must_be_the_published_one(tmp_path: Path) -> None:
    lay_out(tmp_path)
    (tmp_path / "50tagList.txt").write_text("\n".join(TAGS) + "\n")
    assert msd.read(tmp_path).outputs == TAGS
    (tmp_path / "50tagList.txt").write_text("\n".join(reversed(TAGS)))
    with pytest.raises(DataError, match=r"50tagList\.txt: its tags are not the published fifty"):
        msd.read(tmp_path)


class Evil:
    def __reduce__(self) -> Any:
        return eval, ("1",)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"msd_id_to_tag_vector.cP": Evil()}, r"tag_vector\.cP: is a pickle with more than data"),
        ({"msd_id_to_tag_vector.cP": []}, r"tag_vector\.cP: holds no dictionary"),
        ({"msd_id_to_tag_vector.cP": {IDS[0]: np.zeros(49)}}, "a vector has 49 values, not 50"),
        ({"msd_id_to_tag_vector.cP": {IDS[0]: "x"}}, "a vector is a str, not an array"),
        ({"filtered_list_train.cP": {}}, r"train\.cP: holds no list of ids"),
        ({"filtered_list_test.cP": None}, r"test\.cP: is not there"),
        ({"7D_id_to_path.pkl": {}}, "have no track in common"),
        ({"MSD_id_to_7D_id.pkl": None}, r"MSD_id_to_7D_id\.pkl: cannot be read"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    with pytest.raises(DataError, match=says):
        msd.read(lay_out(tmp_path, **change))
