"""Speech and everyday sounds from Debian packages: short clips strung together into longer files."""

from __future__ import annotations

from typing import NamedTuple


class Clips(NamedTuple):
    """Sounds of one kind: a voice, or a kind of animal, weather or machine.

    ``pattern``: a regular expression over the path in the package. ``files``: how many to make, each
    of other clips as far as there are some. ``split`` as in the manifest.
    """

    name: str
    package: str
    pattern: str
    licence: str
    files: int = 2
    split: str = "train"


class Voice(NamedTuple):
    """A synthetic voice: the program's arguments before the text."""

    name: str
    program: str
    arguments: tuple[str, ...]
    language: str = "en"
    split: str = "train"


ASTERISK = "CC BY-SA 3.0"
STAMPS = "GPL-2+"

SPEECH = (
    Clips(
        "asterisk-en", "asterisk-core-sounds-en-wav", r"/en[^/]*/(?!silence|beep|tt-)", ASTERISK, 3
    ),
    Clips("asterisk-es", "asterisk-core-sounds-es-wav", r"/es[^/]*/(?!silence|beep)", ASTERISK, 3),
    Clips("asterisk-fr", "asterisk-core-sounds-fr-wav", r"/fr[^/]*/(?!silence|beep)", ASTERISK, 3),
    Clips(
        "asterisk-it",
        "asterisk-core-sounds-it-wav",
        r"/it[^/]*/(?!silence|beep)",
        ASTERISK,
        2,
        "test",
    ),
    Clips(
        "asterisk-ru",
        "asterisk-core-sounds-ru-wav",
        r"/ru[^/]*/(?!silence|beep)",
        ASTERISK,
        2,
        "validation",
    ),
    Clips("stamps-fr", "tuxpaint-stamps-default", r"_desc_fr\.ogg", STAMPS, 3),
    Clips("stamps-es", "tuxpaint-stamps-default", r"_desc_es\.ogg", STAMPS, 3),
    Clips("stamps-ro", "tuxpaint-stamps-default", r"_desc_ro\.ogg", STAMPS, 3),
    Clips("stamps-ru", "tuxpaint-stamps-default", r"_desc_ru\.ogg", STAMPS, 3),
    Clips("stamps-ca", "tuxpaint-stamps-default", r"_desc_ca\.ogg", STAMPS, 3),
    Clips("stamps-be", "tuxpaint-stamps-default", r"_desc_be\.ogg", STAMPS, 3),
    Clips("stamps-bg", "tuxpaint-stamps-default", r"_desc_bg\.ogg", STAMPS, 2, "validation"),
    Clips("stamps-el", "tuxpaint-stamps-default", r"_desc_el\.ogg", STAMPS, 3, "test"),
    Clips("stamps-da", "tuxpaint-stamps-default", r"_desc_da\.ogg", STAMPS, 2),
    Clips("stamps-en", "tuxpaint-stamps-default", r"_desc\.ogg", STAMPS, 1),
    Clips("fish-small", "fillets-ng-data", r"sound/.*/en/.*-m-", "GPL-2+", 3),
    Clips("fish-big", "fillets-ng-data", r"sound/.*/en/(?!.*-m-)", "GPL-2+", 3, "test"),
)

NATURE = (
    Clips(
        "stamps-birds", "tuxpaint-stamps-default", r"animals/birds/[^/]*(?<!_desc)\.ogg", STAMPS, 2
    ),
    Clips("stamps-beasts", "tuxpaint-stamps-default", r"animals/mammals/[^_]*\.ogg", STAMPS, 3),
    Clips(
        "stamps-insects",
        "tuxpaint-stamps-default",
        r"animals/(insects|amphibians|lizards|marsupials)/[^_]*\.ogg",
        STAMPS,
        1,
    ),
    Clips("stamps-house", "tuxpaint-stamps-default", r"(household|vehicles)/[^_]*\.ogg", STAMPS, 1),
    Clips("widelands-birds", "widelands-data", r"sound/animals/bird", "GPL-2+", 2),
    Clips(
        "widelands-beasts", "widelands-data", r"sound/(animals/(?!bird)|farm/)", "GPL-2+", 3, "test"
    ),
    Clips("widelands-work", "widelands-data", r"sound/(?!animals|farm|battle)", "GPL-2+", 2),
    Clips("megaglest-day", "megaglest-data", r"tilesets/.*(day|rain|wind)", "CC BY-SA 3.0", 5),
    Clips("megaglest-night", "megaglest-data", r"tilesets/.*night", "CC BY-SA 3.0", 2),
    Clips("megaglest-beasts", "megaglest-data", r"(cow|sheep|chicken|wolf)", "CC BY-SA 3.0", 2),
    Clips(
        "flare-nature", "flare-game", r"environment/.*(rain|wind|water|fire)", "CC BY-SA 3.0+", 2
    ),
    Clips("btanks-nature", "btanks-data", r"ambient/(city|country|forest|swamp)", "GPL-2+", 3),
    Clips("scorched-birds", "scorched3d-data", r"(birds\d|frogs)\.wav", "GPL-2+", 2, "test"),
    Clips("scorched-ocean", "scorched3d-data", r"(oceanwaves|lava2|jet)\.wav", "GPL-2+", 1, "test"),
    Clips("lugaru-wind", "lugaru-data", r"Sounds/(DesertAmbient|Wind)", "CC BY-SA 3.0", 2),
    Clips(
        "horizons-work",
        "unknown-horizons",
        r"sounds/(lumberjack|sheep|windmill)",
        "CC BY-SA 3.0",
        2,
    ),
    Clips("train", "supertuxkart-data", r"black_forest/steamLocomotive", "CC BY 3.0", 1),
    Clips("crowd", "supertuxkart-data", r"sfx/(lenautile|sara_airport)", "CC BY-SA 3.0", 2),
    Clips("radio", "supertuxkart-data", r"sfx/static-radio", "CC BY-SA 3.0", 1, "validation"),
    Clips("rain", "supertux-data", r"sounds/rain", "CC BY-SA 3.0", 1, "validation"),
    Clips("ardentryst-places", "ardentryst", r"Sounds/(AMB_Intro|Rain)", "CC BY-SA 3.0", 2),
    Clips("machinery", "endless-sky-data", r"ambient/machinery", "public domain", 2),
)

VOICES = (
    Voice("flite-awb", "flite", ("-voice", "awb"), split="test"),
    Voice("flite-rms", "flite", ("-voice", "rms")),
    Voice("flite-slt", "flite", ("-voice", "slt")),
    Voice("flite-kal", "flite", ("-voice", "kal16"), split="validation"),
    Voice("espeak-gb", "espeak-ng", ("-v", "en-gb", "-s", "150")),
    Voice("espeak-us-f2", "espeak-ng", ("-v", "en-us+f2", "-s", "165")),
    Voice("espeak-scotland-m3", "espeak-ng", ("-v", "en-gb-scotland+m3", "-s", "140")),
    Voice("espeak-caribbean-f4", "espeak-ng", ("-v", "en-029+f4", "-s", "175"), split="test"),
    Voice("espeak-de-m5", "espeak-ng", ("-v", "de+m5", "-s", "150"), "de"),
    Voice("espeak-fr-f3", "espeak-ng", ("-v", "fr+f3", "-s", "155"), "fr"),
)

#: Written for this; each file speaks them in an order of its own.
TEXTS = {
    "en": """\
The bus leaves at a quarter past eight, and it is never early. Please bring an umbrella.
We measured the garden twice and got two different answers. Neither of them was right.
Good morning, and welcome to the news. The bridge across the river stays closed until Thursday.
She asked whether the soup was ready, and he said that it had been ready since noon.
Water boils at a lower temperature in the mountains, so the eggs take longer there.
If you would like to speak to somebody, please wait. Somebody will be with you soon.
In the third chapter the two brothers sell the boat, and they regret it at once.
Take the second street on the left, walk past the baker, and then ask again.
The committee met four times last year and decided nothing, which was thought a success.
My grandmother kept bees, and she said that they knew her by the sound of her steps.
""",
    "de": """\
Der Bus fährt um Viertel nach acht, und er kommt nie zu früh. Bitte nehmen Sie einen Schirm mit.
Wir haben den Garten zweimal vermessen und zwei verschiedene Ergebnisse bekommen.
Guten Morgen, hier sind die Nachrichten. Die Brücke bleibt bis Donnerstag gesperrt.
Meine Großmutter hielt Bienen, und sie sagte, dass sie sie am Schritt erkennen.
Nehmen Sie die zweite Straße links, gehen Sie am Bäcker vorbei, und fragen Sie dann noch einmal.
Im dritten Kapitel verkaufen die Brüder das Boot, und sie bereuen es sofort.
""",
    "fr": """\
Le bus part à huit heures et quart, et il n'est jamais en avance. Prenez un parapluie.
Nous avons mesuré le jardin deux fois et trouvé deux réponses différentes.
Bonjour, voici les nouvelles. Le pont sur la rivière reste fermé jusqu'à jeudi.
Ma grand-mère avait des abeilles, et elle disait qu'elles la reconnaissaient à ses pas.
Prenez la deuxième rue à gauche, passez devant le boulanger, et demandez encore.
Au troisième chapitre, les deux frères vendent le bateau, et ils le regrettent aussitôt.
""",
}
