"""Every published spelling has one canonical tag, and the published orders are the published ones."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from tagkit.errors import VocabularyError
from tagkit.vocab import CATEGORIES, VOCABULARIES, Tag, all_tags, canonical
from tests.shared import shared


def test_published_orders_are_those_of_the_checkpoints() -> None:
    mtat = np.load(shared("datasets", "mtat", "tags.npy"), allow_pickle=False)
    jamendo = shared("datasets", "mtg-jamendo")
    assert VOCABULARIES["mtat-top50"] == tuple(mtat.tolist())
    assert VOCABULARIES["jamendo-top50"] == tuple((jamendo / "top50.txt").read_text().split())
    moods = (jamendo / "moodtheme_split.txt").read_text().split()
    assert VOCABULARIES["jamendo-moodtheme56"] == tuple(moods)
    msd = shared("teachers", "msd-tags.txt").read_text().splitlines()
    assert VOCABULARIES["msd-top50"] == tuple(msd)


def test_every_published_spelling_is_known_and_sizes_are_the_published_ones() -> None:
    assert {name: len(words) for name, words in VOCABULARIES.items()} == {
        "jamendo-top50": 50,
        "jamendo-moodtheme56": 56,
        "mtat-top50": 50,
        "msd-top50": 50,
    }
    tags = {canonical(word) for words in VOCABULARIES.values() for word in words}
    assert len(tags) == 142
    assert {tag.category for tag in tags} == set(CATEGORIES)


def test_jamendo_prefixes_agree_with_the_categories() -> None:
    wrong = []
    for name in ("jamendo-top50", "jamendo-moodtheme56"):
        for word in VOCABULARIES[name]:
            prefix = word.split("---")[0]
            if canonical(word).category not in prefix:
                wrong.append(word)
    # A voice is no instrument here: it has a category of its own.
    assert wrong == ["instrument---voice"]


@pytest.mark.parametrize(
    ("spelling", "name", "category"),
    [
        ("female vocalists", "female vocals", "vocals"),
        ("woman", "female vocals", "vocals"),
        ("no voice", "instrumental", "vocals"),
        ("Hip-Hop", "hip hop", "genre"),
        ("genre---hiphop", "hip hop", "genre"),
        ("mood/theme---melancholic", "melancholic", "mood"),
        ("Progressive rock", "progressive rock", "genre"),
        ("beats", "beat", "instrument"),
        ("synth", "synthesizer", "instrument"),
        ("instrument---acousticguitar", "acoustic guitar", "instrument"),
    ],
)
def test_synonyms(spelling: str, name: str, category: str) -> None:
    assert canonical(spelling) == Tag(name, category)


def test_canonical_names_mean_themselves_and_survive_players_that_split() -> None:
    for tag in all_tags():
        assert canonical(tag.name) == tag
        assert not set(";/,") & set(tag.name)


def test_an_unknown_word_names_its_neighbours() -> None:
    with pytest.raises(VocabularyError, match="melancholic"):
        canonical("melancolic")


def test_own_models_bring_their_own_tags() -> None:
    own = Tag("balearic sunset", "mood")
    assert canonical("Balearic-Sunset", [own]) == own
    with pytest.raises(VocabularyError):
        canonical("balearic sunset")


def test_the_emotify_mapping_speaks_our_language() -> None:
    with shared("datasets", "emotify-mapping.csv").open() as lines:
        words = [word for row in csv.DictReader(lines) for word in row["tags"].split()]
    assert len(words) > 40
    for word in words:
        canonical(word)
