"""What each chunk of each lesson should make the student say, and how far off it is.

A target is a row of numbers beside its chunk, laid out by :class:`Layout`: the teachers' logits for this
window and for the whole clip, exact labels, listeners' votes. NaN is where nobody says anything, and nothing
is learned there: single instruments teach instruments only, for to a teacher their moods are foreign.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from tagkit.data.sources import Source
from tagkit.recipe import Distill
from tagkit.training.teaching.clips import AUDIBLE_DB, INAUDIBLE_DB
from tagkit.training.teaching.lessons import Lesson, whole_clips
from tagkit.training.teaching.voice import Voice
from tagkit.vocab import Tag

FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class Layout:
    """Where things stand in a row, of a target and of what a pupil says: ``tags`` numbers and ``votes``.

    Of a target: the window's logits, the clip's, labels (0 or 1) by tag, shares by vote, and one that
    is 1 where no tag is to be heard. Of a pupil: logits by tag, the same in the labels' scale, by vote.
    """

    tags: int
    votes: int

    @property
    def width(self) -> int:
        """Numbers of a target."""
        return 3 * self.tags + self.votes + 1

    def target(self, rows: Tensor) -> tuple[Tensor, ...]:
        """Split targets (chunks, width) into window, clip, labels, votes and nothing."""
        return torch.split(rows, [self.tags, self.tags, self.tags, self.votes, 1], 1)

    def said(self, rows: Tensor) -> tuple[Tensor, ...]:
        """Split what a pupil says into logits, logits in the labels' scale, and votes."""
        return torch.split(rows, [self.tags, self.tags, self.votes], 1)


def taught(lessons: Sequence[Lesson], voice: Voice) -> tuple[FloatArray, FloatArray]:
    """Return the voice for each window (lessons, windows, tags) and clip (lessons, tags), as logits.

    A teacher that hears the clip as a whole says the same of each window.
    """
    members = range(len(lessons[0].said))
    windows = max(len(said) for said in lessons[0].said)
    by_window = [
        voice(
            [
                np.stack([said[min(window, len(said) - 1)] for said in given])
                for given in ([lesson.said[member] for lesson in lessons] for member in members)
            ]
        )
        for window in range(windows)
    ]
    return np.stack(by_window, 1), voice(whole_clips(lessons))


def labelled(
    lessons: Sequence[Lesson], sources: Sequence[Source], tags: Sequence[Tag]
) -> FloatArray:
    """Return (lessons, windows, tags): 1 where an instrument is to be heard, 0 where none of the clip's
    is meant by the tag, NaN where that is unclear and for every tag that no source is labelled with."""
    known = {tag for source in sources for tag in source.tags}
    column = {tag: number for number, tag in enumerate(tags)}
    found = np.full((len(lessons), lessons[0].levels.shape[1], len(tags)), np.nan, np.float32)
    found[..., [column[tag] for tag in known if tag in column]] = 0.0
    for truth, lesson in zip(found, lessons, strict=True):
        for row, levels in zip(lesson.rows.tolist(), lesson.levels, strict=True):
            for tag in sources[row].maybe & column.keys():
                truth[levels > INAUDIBLE_DB, column[tag]] = np.nan
        # What is surely there wins over what another instrument leaves open.
        for row, levels in zip(lesson.rows.tolist(), lesson.levels, strict=True):
            for tag in sources[row].tags & column.keys():
                here = truth[:, column[tag]]
                here[(levels > INAUDIBLE_DB) & (here != 1)] = np.nan
                here[levels > AUDIBLE_DB] = 1.0
    return found


@dataclass(frozen=True)
class Distance:
    """The loss: how far what a pupil says is from the targets.

    ``spread``, ``low``: (tags,) the standard deviation of each tag's target logits, and a logit that only
    a tenth of the music is below: where no tag is to be heard, more than that is wrong.
    """

    layout: Layout
    plan: Distill
    spread: Tensor
    low: Tensor

    def __call__(self, rows: Tensor, targets: Tensor) -> Tensor:
        """Return the loss, a mean over all that the targets (chunks, width) say; a clip's chunks follow
        each other."""
        window, clip, labels, votes, nothing = self.layout.target(targets)
        logits, scaled, voted = self.layout.said(rows.float())
        spread = self.spread.to(logits)
        music = ~window[:, 0].isnan()
        total = rows.new_zeros((), dtype=torch.float32)
        if music.any():
            total = total + ((logits - window)[music] / spread).square().mean() * _part(music)
            together = self._together(logits[music])
            wanted = clip[music][:: self.plan.chunks]
            apart = ((together - wanted) / spread).square().mean()
            total = total + self.plan.clip_weight * apart * _part(music)
        if (silent := nothing[:, 0] > 0).any():
            above = F.relu((logits[silent] - self.low.to(logits)) / spread)
            total = total + above.square().mean() * _part(silent)
        total = total + self.plan.label_weight * _entropy(scaled, labels)
        return total + self.plan.vote_weight * _entropy(voted, votes)

    def _together(self, logits: Tensor) -> Tensor:
        """The logits of the mean probability of each clip's chunks, as a track's are."""
        each = torch.sigmoid(logits).view(-1, self.plan.chunks, logits.shape[1])
        return torch.logit(each.mean(1).clamp(1e-5, 1 - 1e-5))


def _part(chosen: Tensor) -> Tensor:
    return chosen.float().mean()


def _entropy(logits: Tensor, wanted: Tensor) -> Tensor:
    """Binary cross-entropy over what is said, times the part of the chunks that say anything."""
    said = ~wanted.isnan()
    if not said.any():
        return logits.new_zeros(())
    found = F.binary_cross_entropy_with_logits(logits[said], wanted[said])
    return found * _part(said.any(1))
