"""MagnaTagATune's 188 tags: the usual fifty, and the fifty after merging synonyms.

Merging follows the list that K. Choi proposed (github.com/keunwoochoi/magnatagatune-list): paper 2 does
not print its map, but the names in its Table III (electro, string, no singer, no beat, chant, hard ...)
are the first words of that list. Whether the counts agree could not be checked when this was
written, for the annotations were not at hand: :func:`unlike_table_3` compares them, and ``tagkit data
check`` prints what it finds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from tagkit.vocab import VOCABULARIES, Tag, canonical, known

TOP50 = VOCABULARIES["mtat-top50"]

#: Merged name -> the spellings that mean it.
SYNONYMS: dict[str, tuple[str, ...]] = {
    line.split(":")[0].strip(): tuple(name.strip() for name in line.split(":")[1].split(","))
    for line in """
        beat: beats
        chant: chanting
        choir: choral
        classical: clasical, classic
        drum: drums
        electro: electronic, electronica, electric
        fast: fast beat, quick
        female: female singer, female singing, female vocals, female voice, woman, woman singing, women
        flute: flutes
        guitar: guitars
        hard: hard rock
        harpsichord: harpsicord
        heavy: heavy metal, metal
        horn: horns
        india: indian
        jazz: jazzy
        male: male singer, male vocal, male vocals, male voice, man, man singing, men
        no beat: no drums
        no singer: no singing, no vocal, no vocals, no voice, no voices, instrumental
        opera: operatic
        orchestra: orchestral
        quiet: silence
        singer: singing
        space: spacey
        strange: weird
        string: strings
        synth: synthesizer
        violin: violins
        vocal: vocals, voice, voices
    """.strip().splitlines()
}

#: Every spelling that is merged -> the name that it goes by.
MERGED = {spelling: name for name, spellings in SYNONYMS.items() for spelling in spellings}

#: The counts in Table III of paper 2, all that it prints; bass and modern share a line there.
TABLE_3: dict[str, int] = {
    line.rpartition(" ")[0].strip(): int(line.rpartition(" ")[2])
    for line in """guitar 4861, classical 4358, slow 3547, techno 2954, string 2842, vocal 2813,
        electro 2764, drum 2698, no singer 2550, rock 2371, bass 327, modern 327, no piano 324, hard 323,
        chant 312, baroque 297, orchestra 296, foreign 275, trance 253, folk 243, no beat 242""".split(
        ","
    )
}

# A merged name means all of its spellings; the rest are plurals and short forms.
_ALIASES = {
    "electro": "electronic",
    "no singer": "instrumental",
    "singer": "vocals",
    "india": "indian",
    "strange": "weird",
    "bells": "bell",
    "sax": "saxophone",
}
#: What tagkit's table has no word for, by category; all else of the 188 is taken for a style.
_OWN = {
    "instrument": """banjo, bongos, chimes, fiddle, lute, wind, woodwind, plucking, clapping, no beat,
        no flute, no guitar, no piano, no strings, no violin""",
    "vocals": """chant, chorus, duet, english, female opera, foreign, girl, male opera, monks,
        not english, not opera, soprano, talking""",
    "mood": "airy, different, drone, echo, eerie, hard, light, low, noise, repetitive, scary",
    "theme": "birds, water",
}
_CATEGORY = {name.strip(): kind for kind, names in _OWN.items() for name in names.split(",")}


def meaning(spelling: str) -> Tag:
    """Return the canonical tag of a spelling; what tagkit's table lacks is a tag of its own."""
    spelling = _ALIASES.get(spelling, spelling)
    if known(spelling):
        return canonical(spelling)
    return Tag(spelling, _CATEGORY.get(spelling, "genre"))


def merged_counts(clips: Iterable[frozenset[str]]) -> Counter[str]:
    """Return how many clips have each merged tag."""
    counts: Counter[str] = Counter()
    for tags in clips:
        counts.update({MERGED.get(tag, tag) for tag in sorted(tags)})
    return counts


def unlike_table_3(counts: Mapping[str, int]) -> list[str]:
    """Return the tags whose counts (of all clips) are not those of Table III, a phrase each."""
    return [
        f"{tag} {counts.get(tag, 0):,} (printed: {printed:,})"
        for tag, printed in TABLE_3.items()
        if counts.get(tag, 0) != printed
    ]
