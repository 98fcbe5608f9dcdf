"""Which General MIDI program speaks for which instrument tags.

A voice is one or several programs (or drum kits) with the same answer. ``tags`` are surely heard;
``maybe`` are tags that listeners may or may not say (a family, a near relative, a vague word): nothing is
taught or measured of them. Every other instrument tag is surely absent. Choirs and the voice-like leads
and pads are left out, since rendered music says nothing of vocals.
"""

# ruff: noqa: E501 (a table's rows stay whole)

from __future__ import annotations

from typing import NamedTuple

#: Said of any sound by some listeners, and wrong for none.
ALWAYS_MAYBE = ("solo", "computer", "sampler")
DRUM_ROLES = ("drums", "percussion", "bongo", "orchestral")
#: Words of the table for several tags.
FAMILIES = {
    "any guitar": ("guitar", "acoustic guitar", "classical guitar"),
    "any bowed": ("violin", "viola", "cello", "double bass"),
}


class Voice(NamedTuple):
    """``programs``: 0–127, or kits on the drum channel for the roles of :data:`DRUM_ROLES`.

    ``roles``: what it may play, see ``parts.py``; ``low``, ``high``: MIDI pitches, both reached;
    ``stems``: how many are rendered, so that each tag has about as many as another.
    """

    name: str
    programs: tuple[int, ...]
    tags: tuple[str, ...]
    maybe: tuple[str, ...]
    roles: tuple[str, ...]
    low: int
    high: int
    stems: int

    @property
    def is_drums(self) -> bool:
        return self.roles[0] in DRUM_ROLES


# name | programs | tags | maybe | roles | range | stems
TABLE = """
piano              | 0 1      | piano | electric piano; keyboard | keys keys pluck line | 28-100 | 34
electric grand     | 2        | piano | electric piano; keyboard; rhodes; synthesizer | keys pad | 36-96 | 6
honky-tonk         | 3        | piano | electric piano; keyboard | keys strum | 36-96 | 6
rhodes             | 4        | electric piano; rhodes | keyboard; piano; bell | keys pad strum line | 36-90 | 24
FM electric piano  | 5        | electric piano | keyboard; piano; rhodes; synthesizer; bell | keys pad pluck | 36-90 | 14
harpsichord        | 6        | harpsichord | keyboard | keys pluck line | 34-88 | 24
clavinet           | 7        | keyboard | electric piano; harpsichord; electric guitar; guitar | keys strum bass | 36-84 | 8
celesta            | 8        | bell | keyboard; percussion | pluck line | 60-103 | 5
glockenspiel       | 9        | bell | percussion | line pluck | 72-105 | 8
music box          | 10       | bell | percussion; keyboard | pluck line | 60-100 | 5
vibraphone         | 11       | percussion | bell | line pluck strum | 53-89 | 6
marimba            | 12       | percussion | bell | line pluck | 45-96 | 6
xylophone          | 13       | percussion | bell | line pluck | 65-105 | 6
tubular bells      | 14       | bell | percussion | line slow | 55-84 | 9
dulcimer           | 15       |  | strings; harpsichord; harp; percussion; sitar; guitar | pluck line | 48-84 | 4
drawbar organ      | 16 17 18 | organ | keyboard; pipe organ; accordion | keys pad line strum | 36-90 | 20
church organ       | 19       | organ; pipe organ | keyboard; orchestra | keys pad line | 36-90 | 24
reed organ         | 20       | organ | accordion; pipe organ; harmonica; keyboard | pad keys line | 40-84 | 6
accordion          | 21       | accordion | keyboard; harmonica; organ | line strum pad | 48-89 | 16
bandoneon          | 23       | accordion | keyboard; harmonica; organ | line strum pad | 48-86 | 12
harmonica          | 22       | harmonica | accordion | line slow pad | 60-93 | 24
nylon guitar       | 24       | any guitar | harp; strings | pluck pluck strum line | 40-79 | 28
steel guitar       | 25       | acoustic guitar; guitar | classical guitar; strings | strum pluck line | 40-79 | 22
jazz guitar        | 26       | electric guitar; guitar | acoustic guitar | line strum pluck | 40-81 | 8
clean guitar       | 27       | electric guitar; guitar | acoustic guitar | strum pluck line | 40-81 | 10
muted guitar       | 28       | electric guitar; guitar | acoustic guitar | pluck line | 40-76 | 4
overdriven guitar  | 29       | electric guitar; guitar |  | power line strum | 40-81 | 10
distorted guitar   | 30       | electric guitar; guitar |  | power line | 40-81 | 14
acoustic bass      | 32       | double bass; bass | acoustic bass guitar; strings | bass line | 28-60 | 18
finger bass        | 33       | bass | acoustic bass guitar; guitar; double bass | bass line | 28-60 | 14
picked bass        | 34       | bass | acoustic bass guitar; guitar; electric guitar | bass line | 28-60 | 8
fretless bass      | 35       | bass | acoustic bass guitar; guitar; double bass | bass line | 28-60 | 6
slap bass          | 36 37    | bass | guitar; acoustic bass guitar | bass | 28-60 | 8
synth bass         | 38 39    | bass; synthesizer | keyboard | bass | 28-60 | 10
violin             | 40       | violin | strings; orchestra; viola | line slow | 55-100 | 26
fiddle             | 110      | violin | strings; viola | line | 55-93 | 8
viola              | 41       | viola | strings; orchestra; violin; cello | line slow | 48-84 | 24
cello              | 42       | cello | strings; orchestra; viola; double bass | line slow bass | 36-72 | 28
contrabass         | 43       | double bass | bass; strings; orchestra; cello | bass line slow | 28-55 | 12
tremolo strings    | 44       | strings | orchestra; any bowed | pad slow line | 36-88 | 8
pizzicato          | 45       | strings | orchestra; harp; any bowed | pluck line strum | 36-88 | 8
strings            | 48 49    | strings | orchestra; pad; any bowed | pad slow line keys | 33-91 | 26
synth strings      | 50 51    | synthesizer | strings; pad; orchestra; violin; viola; cello; keyboard | pad slow keys | 36-88 | 10
harp               | 46       | harp | strings; orchestra; guitar; classical guitar | pluck pluck keys line | 28-98 | 26
timpani            | 47       | percussion | drums; orchestra | bass | 38-55 | 5
trumpet            | 56       | trumpet; brass | horn; orchestra | line slow | 54-84 | 22
muted trumpet      | 59       | trumpet; brass | horn | line | 54-84 | 8
trombone           | 57       | trombone; brass | horn; trumpet; orchestra | line slow bass | 40-70 | 24
tuba               | 58       | brass | horn; trombone; orchestra | bass line | 29-58 | 6
French horn        | 60       | horn; brass | trombone; orchestra; trumpet | line slow pad | 41-77 | 26
brass section      | 61       | brass | trumpet; trombone; horn; saxophone; orchestra | strum line pad | 42-82 | 12
synth brass        | 62 63    | synthesizer | brass; trumpet; horn; trombone; pad; keyboard | pad strum line | 42-84 | 8
soprano saxophone  | 64       | saxophone | brass; clarinet; oboe | line slow | 56-88 | 6
alto saxophone     | 65       | saxophone | brass | line slow | 49-81 | 12
tenor saxophone    | 66       | saxophone | brass | line slow | 42-76 | 12
baritone saxophone | 67       | saxophone | brass | line bass | 36-68 | 5
oboe               | 68       | oboe | orchestra | line slow | 58-91 | 24
English horn       | 69       |  | oboe; horn; orchestra; clarinet | line slow | 52-81 | 4
bassoon            | 70       |  | oboe; clarinet; orchestra; horn; saxophone | line bass | 34-72 | 6
clarinet           | 71       | clarinet | orchestra | line slow | 50-89 | 26
piccolo            | 72       | flute | orchestra | line | 74-105 | 4
flute              | 73       | flute | orchestra | line slow | 60-96 | 18
recorder           | 74       | flute |  | line slow | 65-96 | 6
pan flute          | 75       | flute | synthesizer | line slow | 60-90 | 6
shakuhachi         | 77       | flute |  | line slow | 55-84 | 4
ocarina, whistle   | 78 79    |  | flute; synthesizer | line slow | 60-88 | 4
square lead        | 80       | synthesizer | keyboard; electric piano | line pluck bass | 36-96 | 8
saw lead           | 81       | synthesizer | keyboard; strings; pad | line pluck strum | 36-96 | 10
other leads        | 83 86    | synthesizer | keyboard; pad; organ | line pluck | 40-90 | 6
calliope           | 82       | synthesizer | keyboard; flute; organ | line pluck | 55-90 | 3
charang            | 84       | synthesizer | keyboard; electric guitar; guitar; sitar | line pluck | 40-84 | 4
bass and lead      | 87       | synthesizer | keyboard; bass; electric guitar; guitar | line bass | 36-84 | 4
new age pad        | 88       | pad; synthesizer | keyboard; bell; strings | pad slow | 36-88 | 8
warm pad           | 89       | pad; synthesizer | keyboard; strings; orchestra | pad slow | 36-88 | 10
polysynth          | 90       | pad; synthesizer | keyboard; strings; brass | pad strum keys | 36-88 | 8
bowed pad          | 92       | pad; synthesizer | keyboard; strings; bell | pad slow | 36-88 | 5
metallic pad       | 93       | pad; synthesizer | keyboard; bell; strings | pad slow | 36-88 | 5
sweep pad          | 95       | pad; synthesizer | keyboard; strings | pad slow | 36-88 | 8
soundtrack         | 97       | pad; synthesizer | keyboard; strings; orchestra | pad slow | 36-84 | 5
crystal, rain      | 96 98    | synthesizer | keyboard; pad; bell; percussion | pad pluck | 48-96 | 5
atmosphere         | 99       | synthesizer | keyboard; pad; harp; any guitar | pad pluck | 40-84 | 4
brightness, goblin | 100 101  | synthesizer | keyboard; pad; bell; strings | pad pluck | 40-88 | 4
sci-fi, echoes     | 102 103  | synthesizer | keyboard; pad; bell; strings | pad pluck line | 40-88 | 4
sitar              | 104      | sitar | strings; guitar | line pluck | 45-81 | 26
banjo              | 105      |  | guitar; acoustic guitar; strings | pluck strum line | 48-84 | 6
shamisen, koto     | 106 107  |  | sitar; harp; strings; any guitar | line pluck | 48-84 | 6
kalimba            | 108      | percussion | bell; harp | pluck line | 48-84 | 4
bagpipe            | 109      |  | oboe; flute; organ; accordion | line slow | 55-79 | 4
tinkle bell        | 112      | bell | percussion; synthesizer | line slow | 60-96 | 4
steel drums        | 114      | percussion | bell; drums | line pluck | 52-88 | 4
drum kit           | 0 8      | drums | percussion; beat | drums | 35-81 | 26
power kit          | 16       | drums | percussion; beat; drum machine | drums | 35-81 | 6
jazz kit           | 32 40    | drums | percussion; beat | drums | 35-81 | 14
electronic kit     | 24       | drum machine; drums | percussion; beat; synthesizer | drums | 35-81 | 12
TR-808 kit         | 25       | drum machine; drums | percussion; beat; synthesizer | drums | 35-81 | 18
hand percussion    | 0        | percussion | drums; beat; bongo; bell | percussion | 35-81 | 16
bongos             | 0        | bongo; percussion | drums; beat | bongo | 60-61 | 24
orchestral kit     | 48       | percussion | drums; orchestra; beat; bell | orchestral | 35-81 | 6
"""


def _words(text: str) -> tuple[str, ...]:
    words = (word.strip() for word in text.split(";") if word.strip())
    return tuple(tag for word in words for tag in FAMILIES.get(word, (word,)))


def _voice(line: str) -> Voice:
    name, programs, tags, maybe, roles, reach, stems = (cell.strip() for cell in line.split("|"))
    low, high = map(int, reach.split("-"))
    return Voice(
        name,
        tuple(map(int, programs.split())),
        _words(tags),
        (*_words(maybe), *ALWAYS_MAYBE),
        tuple(roles.split()),
        low,
        high,
        int(stems),
    )


VOICES: dict[str, Voice] = {voice.name: voice for voice in map(_voice, TABLE.strip().split("\n"))}
