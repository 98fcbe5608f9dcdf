"""A student learns what its teachers say of the very sound that it hears; they are listened to once."""

from __future__ import annotations

import csv
import dataclasses
import errno
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from typer.testing import CliRunner

from tagkit import models, recipe
from tagkit.cli.main import app
from tagkit.data import sources
from tagkit.data.cache import Cache, decibel
from tagkit.data.sources import Kind, Source
from tagkit.errors import RecipeError
from tagkit.features import LogMel
from tagkit.front_end import FrontEnd
from tagkit.inference import ensemble
from tagkit.metrics import rank_correlation
from tagkit.recipe import Augment, Distill, Train
from tagkit.training.runs import Run
from tagkit.training.teaching import clips, distill, school, targets
from tagkit.training.teaching.lessons import Lesson, Lessons
from tagkit.training.teaching.teachers import Ears, Judged, Teachers, judge
from tagkit.training.teaching.voice import Voice
from tagkit.vocab import canonical
from tagkit.weights import bundle
from tests import forked, library, media

TAGS = tuple(canonical(name) for name in ("happy", "sad", "piano"))
PIANO = frozenset({canonical("piano")})
RATE = 16000


def small(**changes: Any) -> recipe.Recipe:
    """A recipe whose clips last 1.2 s and whose chunks last half a second."""
    plan = recipe.Recipe(
        "small",
        "mel_tcn",
        arguments={"channels": 8},
        front_end={"chunk_samples": 8000},
        distill=Distill(clip_seconds=1.2, windows=3),
        train=Train(epochs=3, steps_per_epoch=25, batch=20, optimizer="adamw", learning_rate=5e-3),
    )
    return dataclasses.replace(plan, **changes)


# ------------------------------------------------------------------------------------ sources


def manifest(folder: Path, rows: Sequence[Sequence[str]]) -> Path:
    path = folder / "m.csv"
    with path.open("w", newline="") as out:
        header = ("path", "split", "teach", "tags", "maybe", "votes")
        csv.writer(out).writerows([header, *rows])
    return path


def test_a_manifest_says_how_each_file_teaches(tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / name).touch()
    path = manifest(
        tmp_path,
        [
            ("a", "train", "", "not looked at", "", "calm=0.25; gaiety=1"),
            ("b", "train", "labels", "violin", "strings;violin", ""),
            ("c", "test", "nothing", "", "", ""),
        ],
    )
    violin, strings = (frozenset({canonical(name)}) for name in ("violin", "strings"))
    assert sources.read(path, tmp_path) == [
        Source("a", "train", votes={"calm": 0.25, "gaiety": 1.0}),
        Source("b", "train", "labels", violin, strings),
        Source("c", "test", "nothing"),
    ]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            ("a", "train", "guess", "", "", ""),
            r"line 2: teach is 'guess'.*teachers, labels, nothing",
        ),
        (
            ("a", "train", "labels", "", "", ""),
            r"line 2 teaches by labels and has no tags, not even in maybe",
        ),
        (("a", "train", "labels", "pianno", "", ""), r"line 2: .*pianno.*did you mean"),
        (("a", "train", "teachers", "", "", "calm=2"), r"line 2: 'calm=2' is no vote"),
        (("a", "train", "teachers", "", "", "calm"), r"line 2: 'calm' is no vote"),
        (("a", "", "teachers", "", "", ""), r"line 2.*split"),
        (("b", "train", "teachers", "", "", ""), r"line 2: b is not below"),
    ],
)
def test_a_wrong_line_of_the_manifest_is_named(
    row: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    (tmp_path / "a").touch()
    with pytest.raises(RecipeError, match=message):
        sources.read(manifest(tmp_path, [row]), tmp_path)


# -------------------------------------------------------------------------------------- clips


def tone(hertz: float, seconds: float = 2.0, level: float = 0.5) -> np.ndarray:
    time = np.arange(round(seconds * RATE)) / RATE
    return np.rint(level * np.sin(2 * np.pi * hertz * time) * 32767).astype(np.int16)


def made_of(*tones: tuple[Kind, float], effects: Augment | None = None, **plan: Any) -> clips.Clips:
    return clips.Clips(
        [Source(str(hertz), "train", kind) for kind, hertz in tones],
        [tone(hertz) for _, hertz in tones],
        RATE,
        8000,
        Distill(**{"clip_seconds": 1.0, "windows": 2, "speed": 0.0, **plan}),
        effects or Augment(),
        seed=3,
    )


def power(samples: np.ndarray, hertz: float) -> float:
    """dB of a partial."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    place = round(hertz * len(samples) / RATE)
    return float(20 * np.log10(spectrum[place - 2 : place + 3].max() + 1e-12))


def test_a_clip_is_a_function_of_the_seed_and_its_number() -> None:
    effects = Augment(gain=0.5, noise=0.5, codec=0.5)
    given = made_of(("teachers", 300), ("teachers", 700), effects=effects, speed=0.5, mix=0.5)
    first = [given.make("teachers", number).samples for number in range(6)]
    again = [given.make("teachers", number).samples for number in reversed(range(6))][::-1]
    for one, other in zip(first, again, strict=True):
        assert one.shape == (RATE,)
        assert np.array_equal(one, other)
    assert not np.array_equal(first[0], first[1])


def test_two_pieces_are_mixed_at_the_levels_asked_for() -> None:
    given = made_of(("teachers", 300), ("teachers", 1000), mix=1.0, mix_db=(-9.0, -9.0))
    clip = given.make("teachers", 0)
    first, second = ((300, 1000)[row] for row in clip.rows)
    assert power(clip.samples, first) - power(clip.samples, second) == pytest.approx(9, abs=0.2)
    alone = made_of(("teachers", 300), ("teachers", 1000), mix=0.0).make("teachers", 0)
    assert len(alone.rows) == 1


def test_kinds_are_not_mixed_with_each_other() -> None:
    given = made_of(("teachers", 300), ("labels", 700), ("labels", 1100), ("nothing", 2000))
    for number in range(8):
        assert given.make("teachers", number).rows == (0,)
        assert set(given.make("labels", number).rows) <= {1, 2}
        assert given.make("nothing", number).rows == (3,)


def test_a_faster_clip_is_higher_and_as_long() -> None:
    clip = made_of(("teachers", 400), speed=1.0, speed_ratio=(1.25, 1.25)).make("teachers", 0)
    assert clip.samples.shape == (RATE,)
    assert power(clip.samples, 500) > power(clip.samples, 400) + 30


def test_which_instrument_sounds_in_which_window_is_known() -> None:
    given = made_of(("labels", 300), ("labels", 900), stems=(2, 2), stem_db=(0.0, 0.0))
    given.audio[1][: 2 * RATE] = 0  # one is silent
    clip = given.make("labels", 0)
    by_row = dict(zip(clip.rows, clip.levels, strict=True))
    assert by_row[0] == pytest.approx(0, abs=0.1)
    assert (by_row[1] < clips.INAUDIBLE_DB).all()


# ------------------------------------------------------------------------- teachers' voice


def teachers(folder: Path, count: int = 2, tags: Sequence[str] = library.TAGS) -> list[str]:
    return [
        str(library.small_model(folder / f"{n}.safetensors", tags, thresholds=None, seed=n))
        for n in range(count)
    ]


def test_the_voice_by_hand(tmp_path: Path) -> None:
    names = [
        str(library.small_model(tmp_path / "a.safetensors", ("happy", "sad"), thresholds=None)),
        str(library.small_model(tmp_path / "b.safetensors", ("happy",), thresholds=None)),
    ]
    together = dataclasses.replace(
        ensemble.load(names), tag_weights={canonical("happy"): (1.0, 3.0)}
    )
    # logits of the first: happy -1, 1 (mean 0, std 1), sad 0, 2; of the second: happy -6, -2 (-4, 2)
    logit = [np.array([[-1.0, 0.0], [1.0, 2.0]]), np.array([[-6.0], [-2.0]])]
    heard = [(1 / (1 + np.exp(-given))).astype(np.float32) for given in logit]
    voice = Voice(together, heard)
    # z is -1 and 1 for both; in the mean scale: (0 + 3·-4) / 4 = -3, (1 + 3·2) / 4 = 1.75
    assert voice(heard) == pytest.approx(np.array([[-4.75, 0.0], [-1.25, 2.0]]), abs=1e-4)


def test_student_and_teachers_hear_the_same_changed_clip(tmp_path: Path) -> None:
    path = media.make(tmp_path / "a.wav", "wav", seconds=2.0)
    paths = [Path(name) for name in teachers(tmp_path)]
    plan = small(augment=Augment(gain=1.0, gain_db=(-9.0, -9.0), codec=1.0, noise=1.0))
    front_end = FrontEnd(8000)
    made = Lessons(
        tmp_path, plan, front_end, [Source("a.wav", "train")], tmp_path, tmp_path, paths, ["x", "y"]
    )
    assert list(made.make(1, "cpu")) == [0, 1, 1, 1, 1]
    kept = made.load()["teachers"]
    audio = Cache(tmp_path, front_end, samples=True).get(path)
    given = clips.Clips(
        made.sources, [audio], RATE, 8000, plan.distill, plan.augment, plan.train.seed
    )
    for number, lesson in enumerate(kept):
        samples = given.make("teachers", number).samples
        image = LogMel(front_end)(torch.from_numpy(samples)[None])[0]
        found = decibel(torch.from_numpy(np.load(lesson.image)))
        assert (found - image).abs().max() < 0.26  # half a step of the stored bytes
        for one, other in zip(
            Ears(paths, "cpu", "no").hear(samples, RATE, 3), lesson.said, strict=True
        ):
            assert other.shape == (2, len(library.TAGS))
            assert np.abs(one - other).max() < 1e-3
    # What is there is not made again; a lesson that was lost is.
    assert list(made.make(1, "cpu")) == [4]
    kept[2].image.with_suffix(".npz").unlink()
    assert list(made.make(1, "cpu")) == [3, 1]
    louder = dataclasses.replace(made, recipe=small(augment=Augment(gain=1.0)))
    assert louder.place != made.place


def test_teachers_are_heard_once_and_a_damaged_file_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = media.make(tmp_path / "a.wav", "wav", seconds=0.7)
    names = [str(library.small_model(tmp_path / f"{n}.safetensors", seed=n)) for n in range(2)]
    first = Teachers(names, tmp_path / "cache", "cpu").listen(path)
    moved = path.rename(tmp_path / "b.wav")
    places = sorted((tmp_path / "cache").rglob("*.npy"))
    assert len(places) == 2
    places[0].write_bytes(places[0].read_bytes()[:90])
    again = Teachers(names, tmp_path / "cache", "cpu")
    heard: list[int] = []
    analyse = again._analyse
    monkeypatch.setattr(
        again,
        "_analyse",
        lambda path, wanted: (heard.append(len(wanted)), analyse(path, wanted))[1],
    )
    for _ in range(2):
        for one, other in zip(first, again.listen(moved), strict=True):
            assert np.array_equal(one, other)
    assert heard == [1]


def test_a_full_disk_leaves_no_half_of_what_a_teacher_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_fd: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = media.make(tmp_path / "a.wav", "wav", seconds=0.7)
    teachers = Teachers([str(library.small_model(tmp_path / "t.safetensors"))], tmp_path, "cpu")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RecipeError, match=r"No space left.*free some space"):
        teachers.listen(path)
    assert not [found for found in (tmp_path / "teachers").rglob("*") if found.is_file()]


def test_a_split_without_usable_tracks_says_why(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    cache = Cache(tmp_path / "cache", FrontEnd(48000))
    listening = Teachers([str(library.small_model(tmp_path / "t.safetensors"))], tmp_path, "cpu")
    with pytest.raises(RecipeError, match=r"'validation' has 0 usable.*1 files failed.*a\.wav"):
        judge([Source("a.wav", "validation")], tmp_path, cache, listening)


# ------------------------------------------------------------------------------------ targets


def lesson(image: Path, said: np.ndarray | None = None, **parts: Any) -> Lesson:
    """A lesson of one window, from the first source."""
    return Lesson(
        image,
        [] if said is None else [said.astype(np.float32)],
        np.array(parts.get("rows", (0,)), np.int64),
        np.array(parts.get("levels", ((0.0,),)), np.float32),
    )


def test_labels_by_hand() -> None:
    flute, violin, strings, happy = map(canonical, ("flute", "violin", "strings", "happy"))
    given = [
        Source("0", "train", "labels", frozenset({violin}), frozenset({strings})),
        Source("1", "train", "labels", frozenset({flute})),
        Source("2", "train", "labels", frozenset({strings})),
    ]
    tags = (flute, strings, violin, happy)
    nan = np.nan

    def labels(rows: tuple[int, ...], levels: list[list[float]]) -> np.ndarray:
        return targets.labelled([lesson(Path(), rows=rows, levels=levels)], given, tags)[0]

    # A violin alone may be strings; nobody labelled a mood; two windows, the flute rests in the second.
    found = labels((0, 1), [[0.0, 0.0], [-6.0, -60.0]])
    assert np.array_equal(found, [[1, nan, 1, nan], [0, nan, 1, nan]], equal_nan=True)
    # What is surely strings is strings, whatever the violin leaves open; in between, nobody knows.
    assert np.array_equal(labels((2, 0), [[0.0], [-30.0]]), [[0, 1, nan, nan]], equal_nan=True)
    assert np.array_equal(labels((0, 2), [[-30.0], [0.0]]), [[0, 1, nan, nan]], equal_nan=True)


def test_the_loss_by_hand() -> None:
    layout = targets.Layout(2, 1)
    plan = Distill(chunks=2, clip_weight=0.0, label_weight=1.0, vote_weight=1.0)
    distance = targets.Distance(layout, plan, torch.tensor([1.0, 2.0]), torch.tensor([-1.0, 0.0]))
    nan = torch.nan
    #                  window     clip        labels     votes silent
    music = torch.tensor([[0.0, 2.0, 0.0, 2.0, nan, nan, nan, 0.0]] * 2)
    said = torch.tensor([[1.0, 4.0, 9.0, 9.0, 9.0], [0.0, 2.0, 9.0, 9.0, 9.0]])
    assert distance(said, music) == pytest.approx((1 + 1 + 0 + 0) / 4)
    # Of a labelled chunk only the label is learned: 1 of tag 1, said with a logit of 0.
    labels = torch.tensor([[nan, nan, nan, nan, nan, 1.0, nan, 0.0]])
    said = torch.tensor([[5.0, 5.0, 5.0, 0.0, 5.0]], requires_grad=True)
    found = distance(said, labels)
    found.backward()
    assert found.item() == pytest.approx(np.log(2))
    assert said.grad is not None
    assert said.grad.nonzero().tolist() == [[0, 3]]
    # Where no tag is to be heard, less than the low logit is as good as any: (1/1)², and 0.
    nothing = torch.tensor([[nan, nan, nan, nan, nan, nan, nan, 1.0]])
    assert distance(torch.tensor([[0.0, -3.0, 9.0, 9.0, 9.0]]), nothing) == pytest.approx(0.5)
    # Votes: 3 of 4 said with an even chance.
    votes = torch.tensor([[nan, nan, nan, nan, nan, nan, 0.75, 0.0]])
    assert distance(torch.zeros(1, 5), votes) == pytest.approx(np.log(2))


def test_the_chunks_of_a_clip_are_heard_together() -> None:
    layout = targets.Layout(1, 0)
    plan = Distill(chunks=2, clip_weight=1.0)
    distance = targets.Distance(layout, plan, torch.ones(1), torch.zeros(1))
    # Each chunk misses its window by 1; their mean probability is the clip's.
    said = torch.tensor([[2.0, 0.0], [-2.0, 0.0]])
    wanted = torch.tensor([[1.0, 0.0, torch.nan, 0.0], [-1.0, 0.0, torch.nan, 0.0]])
    assert distance(said, wanted) == pytest.approx(1.0, abs=1e-4)


# ------------------------------------------------------------------------------------ students


def loud_bands(random: np.random.Generator, row: np.ndarray) -> np.ndarray:
    image = random.integers(60, 90, (96, 76))
    for position in np.flatnonzero(row):
        image[20 + 20 * position : 30 + 20 * position] += 60
    return image.astype(np.uint8)


class Classroom:
    """Images with 0 to 3 loud bands; a tag is a loud band, so it can be learned."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.random = np.random.default_rng(0)
        name = str(
            library.small_model(folder / "t.safetensors", [t.name for t in TAGS], thresholds=None)
        )
        self.lessons = {
            "teachers": [self.taught(f"t{n}") for n in range(60)],
            "labels": [self.labelled(f"l{n}") for n in range(30)],
            "nothing": [lesson(self.keep(f"n{n}", np.zeros(3))) for n in range(10)],
        }
        self.sources = [Source("m", "train"), Source("p", "train", "labels", PIANO)]
        self.voice = Voice(
            ensemble.load([name]), [np.concatenate([x.said[0] for x in self.taught_ones])]
        )

    @property
    def taught_ones(self) -> list[Lesson]:
        return self.lessons["teachers"]

    def keep(self, name: str, row: np.ndarray) -> Path:
        path = self.folder / f"{name}.npy"
        np.save(path, loud_bands(self.random, row))
        return path

    def said(self, row: np.ndarray) -> np.ndarray:
        noise = self.random.uniform(0, 0.05, len(TAGS))
        return np.where(row, 0.9 - noise, 0.02 + noise).astype(np.float32)

    def taught(self, name: str) -> Lesson:
        row = self.random.random(len(TAGS)) < 0.4
        return lesson(self.keep(name, row), self.said(row)[None])

    def labelled(self, name: str) -> Lesson:
        """Nothing but pianos, which are loud in the third band."""
        return lesson(self.keep(name, np.array([0, 0, 1])), rows=(1,))

    def judged(self, count: int) -> Judged:
        rows = self.random.random((count, len(TAGS))) < 0.4
        images = [loud_bands(self.random, row) for row in rows]
        return Judged(images, [np.stack([self.said(row) for row in rows])])  # type: ignore[arg-type]

    def learn(self, plan: recipe.Recipe) -> tuple[distill.Student, dict[str, Judged]]:
        judged = {"validation": self.judged(30), "test": self.judged(30)}
        run = Run(self.folder / "run", plan, {})
        run.begin({})
        student = distill.distill(
            plan,
            self.voice,
            self.sources,
            self.lessons,  # type: ignore[arg-type]
            judged,
            run,
            accelerator=Accelerator(cpu=True),
        )
        return student, judged


def test_a_student_learns_what_its_teachers_say(tmp_path: Path) -> None:
    plan = small(
        front_end={"chunk_samples": 19200 - 128},
        distill=Distill(clip_seconds=1.2, windows=1, chunks=2),
        tags_per_track={"mood": 0.5},
    )
    room = Classroom(tmp_path)
    student, judged = room.learn(plan)
    assert np.nanmean(student.agreement) > 0.6
    told = student.card.scores["rank correlation with the weighted teachers, mean over tags"]
    assert told["test tracks"] == pytest.approx(np.nanmean(student.agreement), abs=1e-4)
    assert student.card.scores["clips"] == {"teachers": 60, "labels": 30, "nothing": 10}

    # and gives as many moods as the recipe says
    found = hear(student.model, judged["validation"])
    assert student.card.thresholds is not None
    given = (found >= np.array(student.card.thresholds)).mean(0)
    assert given[:2].sum() == pytest.approx(0.5, abs=0.1)

    # Where no tag is to be heard, it says less of every tag than of a typical piece.
    silent = hear(student.model, Judged([loud_bands(room.random, np.zeros(3))] * 4, []))  # type: ignore[arg-type]
    assert (silent.mean(0) < np.median(found, 0) + 0.05).all()


def hear(model: models.TagModel, judged: Judged) -> np.ndarray:
    with torch.inference_mode():
        images = torch.from_numpy(np.stack([image[:, :75] for image in judged.features]))
        return torch.sigmoid(model.eval()(decibel(images))).numpy()


def test_a_student_cannot_mix_after_its_teachers_listened() -> None:
    with pytest.raises(RecipeError, match=r"augment\.mixup mixes after the teachers.*distill\.mix"):
        school.require(small(augment=Augment(mixup=0.2)))
    with pytest.raises(RecipeError, match="hears audio itself"):
        school.require(small(architecture="sample_cnn", arguments={}, front_end={}))


def test_real_music_is_at_least_half_of_a_batch() -> None:
    with pytest.raises(RecipeError, match=r"more than half.*real music"):
        Distill(labelled=0.4, nothing=0.2)
    for name in ("student_ds_cnn", "student_mel_tcn"):
        plan = recipe.load(name).distill
        assert plan.labelled + plan.nothing <= 0.5


def test_the_train_command_makes_a_student_that_tags(tmp_path: Path, home: Path) -> None:
    music = tmp_path / "music"
    music.mkdir()
    splits = ("train", "train", "train", "validation", "validation", "test", "test")
    rows = [(f"{n}.wav", split, "", "", "", "") for n, split in enumerate(splits)]
    rows[1] = (*rows[1][:5], "calm=0.5")
    rows += [
        ("7.wav", "train", "labels", "piano", "", ""),
        ("8.wav", "train", "nothing", "", "", ""),
    ]
    for seed, row in enumerate(rows):
        media.make(music / row[0], "wav", seconds=1.5, seed=seed)
    (music / "0.wav").write_bytes(b"RIFF")  # a file that cannot be read is left out, by name
    (tmp_path / "r.toml").write_text(
        'name = "mine"\narchitecture = "ds_cnn"\n[arguments]\nstem = 4\ndense = 8\n'
        "[train]\nepochs = 2\nsteps_per_epoch = 2\nbatch = 20\n"
        "[distill]\nclip_seconds = 4.0\nwindows = 1\nclips = 4\nlabelled_clips = 3\n"
        "[augment]\ncodec = 0.5\ngain = 0.5\n"
    )
    teacher = library.small_model(tmp_path / "teacher.safetensors")
    arguments = ["train", tmp_path / "r.toml", "--data", music]
    arguments += ["--manifest", manifest(tmp_path, rows)]
    arguments += ["--teacher", teacher, "--out", tmp_path / "mine.safetensors"]
    arguments += ["--cache", tmp_path / "cache", "--run", tmp_path / "run", "--jobs", 0]
    done = CliRunner().invoke(app, list(map(str, arguments)))
    assert done.exit_code == 1, done.output
    assert "left out" in done.stderr and "0.wav" in done.stderr
    said = json.loads(done.stdout)
    assert said["bundle"] == str(tmp_path / "mine.safetensors")
    assert -1 <= said["test"]["rank_correlation"] <= 1
    card = bundle.read_card(tmp_path / "mine.safetensors")
    assert {tag.name for tag in card.tags} == {canonical(name).name for name in library.TAGS}
    assert card.scores["clips"] == {"teachers": 4, "labels": 3, "nothing": 4}
    assert len(list((tmp_path / "cache").rglob("*.npz"))) == 11
    tagged = forked.tagkit(
        home, "tag", music / "1.wav", "--model", tmp_path / "mine.safetensors", "--all-tags"
    ).wait()
    assert tagged.returncode == 0, tagged.stderr


def test_lessons_are_made_by_several_processes_alike(tmp_path: Path) -> None:
    media.make(tmp_path / "a.wav", "wav", seconds=2.0)
    paths = [Path(name) for name in teachers(tmp_path, 1)]
    given = [Source("a.wav", "train")]
    found = []
    for jobs in (1, 2):
        folder = tmp_path / str(jobs)
        made = Lessons(folder, small(), FrontEnd(8000), given, tmp_path, tmp_path, paths, ["x"])
        assert sum(made.make(jobs, "cpu")) == 4
        found.append(made.load()["teachers"])
    for one, other in zip(*found, strict=True):
        assert np.array_equal(np.load(one.image), np.load(other.image))
        assert np.array_equal(one.said[0], other.said[0])


def test_rank_correlation_by_hand() -> None:
    a = np.array([[1.0, 1.0, 5.0], [2.0, 1.0, 5.0], [3.0, 2.0, 5.0]])
    b = np.array([[10.0, 1.0, 1.0], [30.0, 2.0, 2.0], [20.0, 3.0, 3.0]])
    found = rank_correlation(a, b)
    # ranks 1 2 3 and 1 3 2: 1 − 6·2/(3·8) = .5; ties 1.5 1.5 3 against 1 2 3: 1.5/√(1.5·2) = .8660
    assert found[:2] == pytest.approx([0.5, 0.8660254])
    assert np.isnan(found[2])
