"""One name and one category for every tag, whatever its published vocabulary called it.

The three corpora behind the published models spell alike things differently (``female vocalists``,
``woman``, ``female voice``) and unlike things alike. :data:`CANONICAL` is the one table: below each
category, a canonical name a line and after the colon the other spellings that mean the same.
Spellings are compared in lower case without spaces, hyphens, underscores or a
leading ``genre---``/``instrument---``/``mood/theme---``, so that ``Hip-Hop`` and ``genre---hiphop`` agree.

:data:`VOCABULARIES` holds the published vocabularies in their published output order: a checkpoint's
outputs mean nothing without it.

No canonical name contains ``;``, ``/`` or ``,``: players split genre and mood on those.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from tagkit.errors import VocabularyError

CATEGORIES = ("mood", "theme", "instrument", "genre", "vocals")


class Tag(NamedTuple):
    """A canonical tag: ``name`` in lower case, ``category`` one of :data:`CATEGORIES`."""

    name: str
    category: str


CANONICAL: dict[str, str] = {
    # How it feels and how it moves. Tempo and loudness words are moods here: that is how people use them.
    "mood": """
        beautiful
        calm
        catchy
        chill
        cool
        dark
        deep
        dramatic
        dream: dreamy
        emotional
        energetic
        epic
        fast
        fun
        funny
        groovy
        happy
        heavy
        hopeful
        inspiring
        loud
        meditative
        melancholic
        mellow
        melodic
        motivational
        positive
        powerful
        quiet
        relaxing
        retro
        romantic
        sad
        sexy
        slow
        soft
        upbeat
        uplifting
        weird
    """,
    # What it is for or about.
    "theme": """
        action
        adventure
        advertising
        background
        ballad
        children
        christmas
        commercial
        corporate
        documentary
        drama
        film
        game
        holiday
        love
        movie
        nature
        party
        soundscape
        space
        sport
        summer
        trailer
        travel
    """,
    "instrument": """
        accordion
        acoustic bass guitar
        acoustic guitar
        bass
        beat: beats
        bell
        bongo
        brass
        cello
        clarinet
        classical guitar
        computer
        double bass
        drum machine
        drums: drum
        electric guitar
        electric piano
        flute
        guitar
        harmonica
        harp
        harpsichord
        horn
        keyboard
        oboe
        orchestra
        organ
        pad
        percussion
        piano
        pipe organ
        rhodes
        sampler
        saxophone
        sitar
        solo
        strings: string
        synthesizer: synth
        trombone
        trumpet
        viola
        violin
    """,
    # Decades are here: last.fm's listeners use them as styles.
    "genre": """
        00s
        60s
        70s
        80s
        90s
        acoustic
        alternative
        alternative rock
        ambient
        atmospheric
        blues
        chillout
        classic rock
        classical: classic
        country
        dance
        downtempo
        easy listening
        electro
        electronic
        electronica
        experimental
        folk
        funk
        hard rock
        heavy metal
        hip hop
        house
        indian
        indie
        indie pop
        indie rock
        instrumental pop
        jazz
        lounge
        metal
        new age
        oldies
        opera
        orchestral
        pop
        pop folk
        pop rock
        progressive rock
        punk
        reggae
        rnb: r&b
        rock
        soul
        soundtrack
        techno
        trance
        trip hop
        world
    """,
    "vocals": """
        choir: choral
        female vocals: female vocalists, female vocalist, female vocal, female voice, female, woman
        instrumental: no vocals, no vocal, no voice
        male vocals: male vocalists, male vocal, male voice, male, man
        vocals: vocal, voice, singing
    """,
}

VOCABULARIES: dict[str, tuple[str, ...]] = {
    # MTG-Jamendo's 50 most frequent tags, sorted with their category prefix.
    "jamendo-top50": (
        *(
            f"genre---{name}"
            for name in (
                "alternative ambient atmospheric chillout classical dance downtempo easylistening "
                "electronic experimental folk funk hiphop house indie instrumentalpop jazz lounge "
                "metal newage orchestral pop popfolk poprock reggae rock soundtrack techno trance "
                "triphop world"
            ).split()
        ),
        *(
            f"instrument---{name}"
            for name in (
                "acousticguitar bass computer drummachine drums electricguitar electricpiano guitar "
                "keyboard piano strings synthesizer violin voice"
            ).split()
        ),
        *(f"mood/theme---{name}" for name in "emotional energetic film happy relaxing".split()),
    ),
    # MTG-Jamendo's mood/theme subset; the papers say 57 tags, the split files hold 56.
    "jamendo-moodtheme56": tuple(
        f"mood/theme---{name}"
        for name in (
            "action adventure advertising background ballad calm children christmas commercial cool "
            "corporate dark deep documentary drama dramatic dream emotional energetic epic fast film "
            "fun funny game groovy happy heavy holiday hopeful inspiring love meditative melancholic "
            "melodic motivational movie nature party positive powerful relaxing retro romantic sad "
            "sexy slow soft soundscape space sport summer trailer travel upbeat uplifting"
        ).split()
    ),
    # MagnaTagATune's 50 most frequent tags, by falling frequency.
    "mtat-top50": tuple(
        (
            "guitar|classical|slow|techno|strings|drums|electronic|rock|fast|piano|ambient|beat|"
            "violin|vocal|synth|female|indian|opera|male|singing|vocals|no vocals|harpsichord|loud|"
            "quiet|flute|woman|male vocal|no vocal|pop|soft|sitar|solo|man|classic|choir|voice|"
            "new age|dance|male voice|female vocal|beats|harp|cello|no voice|weird|country|metal|"
            "female voice|choral"
        ).split("|")
    ),
    # The Million Song Dataset's 50 most frequent last.fm tags, by falling frequency.
    "msd-top50": tuple(
        (
            "rock|pop|alternative|indie|electronic|female vocalists|dance|00s|alternative rock|jazz|"
            "beautiful|metal|chillout|male vocalists|classic rock|soul|indie rock|Mellow|"
            "electronica|80s|folk|90s|chill|instrumental|punk|oldies|blues|hard rock|ambient|"
            "acoustic|experimental|female vocalist|guitar|Hip-Hop|70s|party|country|easy listening|"
            "sexy|catchy|funk|electro|heavy metal|Progressive rock|60s|rnb|indie pop|sad|House|happy"
        ).split("|")
    ),
}


def _squeeze(spelling: str) -> str:
    return re.sub(r"[\s_-]+", "", spelling.rsplit("---", 1)[-1].lower())


def _index() -> dict[str, Tag]:
    index: dict[str, Tag] = {}
    for category, block in CANONICAL.items():
        for line in block.split("\n"):
            name, _, aliases = line.strip().partition(":")
            if not name:
                continue
            tag = Tag(name, category)
            for spelling in (name, *filter(None, aliases.split(","))):
                if index.setdefault(_squeeze(spelling), tag) != tag:
                    raise AssertionError(f"{spelling!r} is in the table twice")
    return index


_INDEX = _index()


def known(spelling: str) -> bool:
    """Whether any vocabulary's spelling, or a canonical name, means a tag here."""
    return _squeeze(spelling) in _INDEX


def canonical(spelling: str, extra: Iterable[Tag] = ()) -> Tag:
    """Return the tag that ``spelling`` means; canonical names map to themselves.

    ``extra``: tags outside the table, a user's own model's, that may be meant too.
    Raises VocabularyError, with near names in its hint.
    """
    key = _squeeze(spelling)
    if tag := _INDEX.get(key):
        return tag
    own = {_squeeze(tag.name): tag for tag in extra}
    if key in own:
        return own[key]
    from difflib import get_close_matches

    near = get_close_matches(key, {**_INDEX, **own}, n=3)
    names = ", ".join(sorted({(_INDEX | own)[match].name for match in near}))
    raise VocabularyError(
        f"no tag is called {spelling!r}",
        hint=f"did you mean {names}?" if names else "tagkit weights info NAME lists a model's tags",
    )


def all_tags() -> tuple[Tag, ...]:
    """Return every canonical tag, by category in :data:`CATEGORIES` order, then by name."""
    return tuple(sorted(set(_INDEX.values()), key=lambda t: (CATEGORIES.index(t.category), t.name)))
