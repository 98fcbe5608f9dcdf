"""The Debian packages whose music teaches: what kind it is, under which licence, and by whom."""

from __future__ import annotations

from typing import NamedTuple


class Package(NamedTuple):
    """A Debian package with music.

    ``kind`` goes by titles, tags and descriptions: nobody has listened to every piece. ``licence`` is
    that of the music, from the package's copyright file. ``artists``: pairs of a regular expression
    over the path in the package and the composer, the first that matches; without a match the file's
    own tag decides, then ``artist``. ``leave_out``: a regular expression over paths of what is no
    music, or comes twice. ``layers``: the files of a folder are one piece in separate tracks, to be
    added up. ``test``: never trained on.
    """

    name: str
    kind: str
    licence: str
    artist: str = ""
    artists: tuple[tuple[str, str], ...] = ()
    leave_out: str = ""
    layers: bool = False
    test: bool = False


PACKAGES = (
    Package("wesnoth-1.16-music", "orchestral", "GPL-2+"),
    Package("hedgewars-data", "electronic, rock, light", "GPL-2"),
    Package("fretsonfire-songs-muldjord", "metal", "CC BY-SA 3.0", "Muldjord", layers=True),
    Package("fretsonfire-songs-sectoid", "rock, metal", "MIT", "Sectoid", layers=True, test=True),
    Package("freedroidrpg-data", "electronic, ambient, techno", "GPL-2+", leave_out="/titles/"),
    Package("ufoai-music", "electronic, orchestral, industrial", "CC BY-SA 3.0, CC BY 3.0, GPL-2"),
    Package(
        "hyperrogue-music",
        "piano, light orchestral",
        "CC BY-SA 3.0",
        artists=(
            ("savino", "Will Savino"),
            ("domina", "Lincoln Domina"),
            ("hr3", "Shawn Parrotte"),
        ),
        leave_out="/sounds/",
    ),
    Package("singularity-music", "ambient, electronic", "CC BY-SA 3.0", artist="Maxstack"),
    Package("asc-music", "electronic", "GPL-2+"),
    Package("drascula-music", "light, comedy", "Drascula-License (free)", "Alcachofa Soft"),
    Package(
        "supertux-data",
        "light orchestral, chiptune, jazz",
        "GPL-2+, GPL-3+",
        leave_out="sounds/|speech/",
        artists=(("retro/(ice|world)", "Joseph G. Toscano"),),
    ),
    Package(
        "supertuxkart-data",
        "pop, rock, electronic, folk",
        "CC BY-SA 3.0, CC BY-SA 4.0, CC BY 4.0, GPL-3+",
        leave_out="/sfx/|/library/|_fast|farm_f|Locomotive|nolok_speech|race_summary|beneath_the",
    ),
    Package("nexuiz-music", "electronic, rock", "GPL-2+"),
    Package("warzone2100-music", "dark ambient, electronic", "GPL-2+"),
    Package(
        "asterisk-moh-opsound-wav",
        "lounge, electronic, acoustic (on hold)",
        "CC BY-SA 3.0",
        artists=(("macroform", "Macroform"), ("manolo", "Manolo Camp"), ("reno", "Reno Project")),
    ),
    Package(
        "freedink-data",
        "classical recordings, light",
        "CC BY 3.0, CC BY-SA 3.0 and the like",
        test=True,
    ),
    Package(
        "openclonk-data",
        "lounge, electronic, Latin",
        "CC BY 3.0 or CC0",
        "Martin Strohmeier",
        test=True,
    ),
    Package("warmux-data", "light, folk, comedy", "GPL-2+", test=True, leave_out="/sound/"),
    Package("amoebax-data", "light, chiptune", "Free Art License 1.2", "Àlex Almarza", test=True),
    Package("wordwarvi-sound", "garage rock, blues", "CC BY-SA 3.0", "Stephen M. Cameron"),
    Package(
        "mrrescue", "jazz, rock, chiptune", "CC BY-SA 3.0", "Tangram Games", leave_out="menujazz"
    ),
    Package("marsshooter-data", "gothic, piano, orchestral", "CC BY-SA 3.0", "Obsidian Shell"),
    Package("enigma-data", "ragtime, ambient, light", "GPL-2"),
    Package("fillets-ng-data", "light, acoustic", "GPL-2", leave_out="/sound/"),
    Package("pushover-data", "world, light, electronic", "GPL-3+", "Roberto Lorenz"),
    Package("frozen-bubble-data", "light electronic", "GPL-2"),
    Package(
        "freecol", "orchestral, folk", "CC BY 4.0, GPL-2+", "Alexander Zhelanov", leave_out="video"
    ),
    Package(
        "unknown-horizons",
        "orchestral, Irish folk, a Grieg recording",
        "CC BY-SA 3.0",
        artists=(("Peer Gynt", "Czech National Symphony Orchestra"), ("", "Unknown Horizons")),
        # Six of them are in the reference data already.
        leave_out="/sounds/|main_theme|music2?.ogg|newfrontier|nightdream|seafight",
    ),
    Package(
        "widelands-data", "medieval, folk, orchestral", "GPL-2+, CC BY-SA 3.0", leave_out="sound/"
    ),
    Package("renpy-demo", "ragtime by a concert band", "MIT, public domain", leave_out="allstars"),
    Package("pink-pony-data", "pop rock", "CC BY-SA 3.0", "Renich"),
    Package("funnyboat", "sea shanty, light", "MIT", "JDruid"),
    Package("hex-a-hop-data", "light, acoustic", "CC BY-SA 3.0", "remaxim"),
    Package("zaz-data", "electronic", "CC BY-SA 3.0", "Leonard Ritter"),
    Package("wizznic-data", "electronic", "GPL-3", "Sean Hawk"),
    Package("miceamaze", "trance, electronic", "CC BY 3.0"),
    Package("starfighter-data", "rock, electronic, orchestral", "GPL-2+ and the like"),
    Package("xmoto-data", "rock, electronic", "GPL-2+"),
    Package(
        "btanks-data",
        "rock, electronic, light",
        "Battle-Tanks-License (GPL-2+)",
        leave_out="/ambient/",
    ),
    Package("extremetuxracer-data", "light, rock, ballad", "GPL-2+"),
    Package("neverball-common", "light electronic", "GPL-2+"),
    Package("trackballs-data", "electronic, light", "GPL-2+, Ethymonics Free Music License"),
    Package("tuxmath-data", "electronic, pop", "CC BY-SA 3.0, GPL-3+"),
    Package("tuxtype-data", "piano, chiptune", "GPL-2", leave_out="tuxi"),
    Package("performous", "trance, electronic", "GPL-2+", leave_out="notes|sounds"),
    Package("powermanga-data", "electronic", "GPL-3+", "TLK Games"),
    Package("noiz2sa-data", "techno", "BSD-2-Clause", "Kenta Cho"),
    Package("openarena-088-data", "metal, industrial", "GPL-2+", "Jute Gyte"),
    Package("pathological", "light", "GPL-2+"),
    Package("pax-britannica-data", "ambient, electronic", "MIT", "Ben Abraham"),
    Package("colobot-common-sounds", "electronic, orchestral", "GPL-3+"),
    Package(
        "naev-data", "electronic, orchestral, ambient", "GPL-3+, CC BY-SA 3.0, CC BY 3.0, GPL-2+"
    ),
    Package(
        "megaglest-data",
        "world, medieval, electronic",
        "CC BY-SA 3.0",
        artists=(
            ("manolo_camp", "Manolo Camp"),
            ("aminos|indian", "Aminos"),
            ("asak", "Asak"),
            ("romans", "Mattias Westlund"),
        ),
        leave_out="/tilesets/|intro_music",
    ),
    Package("flare-game", "orchestral, dark ambient", "CC BY-SA 3.0+", leave_out="soundfx|wind"),
    Package("lordsawar-data", "orchestral, medieval", "GPL-3+"),
    Package(
        "ardentryst", "piano, orchestral", "CC BY-SA 3.0", "Jordan Trudgett", leave_out="Sounds"
    ),
    Package("lugaru-data", "ambient, tribal", "CC BY-SA 3.0", leave_out="Ambient|Wind"),
    Package(
        "plee-the-bear-data", "light orchestral", "CC BY-SA 3.0", leave_out="bonus|title|weather"
    ),
    Package("mazeofgalious-data", "chiptune remade", "GPL", "jorito"),
    Package("gigalomania-data", "electronic, ambient", "CC BY 3.0", leave_out="defeat|victory"),
    Package("cube2-data", "orchestral", "CC BY-SA 3.0"),
    Package("brainparty-data", "electronic", "CC BY-SA 3.0", "Alexander Blu"),
    Package("freeciv-data", "orchestral", "GPL-2+", "Cullam Bruce-Lockhart"),
    Package("freeorion-data", "ambient electronic", "CC BY-SA 3.0", "Kenneth Welch"),
    Package("caveexpress-data", "light", "CC BY-SA 4.0", leave_out="cave2"),
    Package("solarwolf", "techno", "LGPL-2.1"),
    Package("alienblaster-data", "electronic", "GPL-2+"),
    Package("lomiri-sounds", "light electronic", "CC BY 4.0", leave_out="alarms|notifications"),
    Package("scorched3d-data", "electronic", "GPL-2+", leave_out=r"\.wav"),
    Package("tuxfootball", "light", "GPL-2+"),
    Package("planetblupi-music-ogg", "light, comedy (medleys)", "GPL-3+", "Planet Blupi"),
    Package(
        "0ad-data",
        "ancient and folk instruments, orchestral, voice",
        "CC BY-SA 3.0",
        "0 A.D. composers",
        leave_out="audio/(?!music)",
    ),
)
