"""What the names of artists and albums say of who belongs together: who is nobody, and what is no album.

Names are compared as :func:`plain` gives them: taggers differ in case, in spaces and in how an accent is
encoded.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

# What taggers write where there is no one artist, or none is known, in the common tongues.
_VARIOUS = frozenset(
    "various|various artist|various artists|various composers|various performers|multiple artists|"
    "va|v.a.|v.a|v/a|v. a.|diverse|div.|divers|artistes divers|artistes variés|multi-interprètes|"
    "verschiedene|verschiedene interpreten|verschiedene künstler|diverse interpreten|"
    "varios|varios artistas|varios intérpretes|vários|vários artistas|vários intérpretes|vv.aa.|vv. aa.|"
    "artisti vari|autori vari|aa.vv.|aa. vv.|aavv|diverse artiesten|diverse artister|"
    "diverse kunstnere|blandade artister|eri esittäjiä|różni wykonawcy|různí umělci|různí interpreti|"
    "çeşitli sanatçılar|разные исполнители|различные исполнители|群星|オムニバス".split("|")
)
_UNKNOWN_ARTIST = frozenset(
    "unknown|unknown artist|<unknown>|[unknown]|[no artist]|[anonymous]|anonymous|"
    "unbekannt|unbekannter künstler|artiste inconnu|artista desconocido|artista desconhecido|"
    "artista sconosciuto|неизвестный исполнитель|неизвестен".split("|")
)
_UNKNOWN_ALBUM = frozenset(
    "unknown|unknown album|<unknown>|[unknown]|unbekanntes album|album inconnu|"
    "álbum desconocido|álbum desconhecido|album sconosciuto|неизвестный альбом".split("|")
)
_NO_ALBUM = frozenset("[non-album tracks]|non-album tracks|untitled|singles".split("|"))


@lru_cache(maxsize=1 << 16)
def plain(name: str) -> str:
    """Return the name as it is compared."""
    return " ".join(unicodedata.normalize("NFC", name).casefold().split())


def is_various(artist: str) -> bool:
    """Whether a :func:`plain` name says that there are several artists."""
    return artist in _VARIOUS


def is_somebody(artist: str) -> bool:
    """Whether a :func:`plain` name is one artist's."""
    return bool(artist) and artist not in _VARIOUS and artist not in _UNKNOWN_ARTIST


def is_unknown_album(album: str) -> bool:
    """Whether a :func:`plain` title says nothing: absent, or what rippers put in its place."""
    return not album or album in _UNKNOWN_ALBUM


def is_album(album: str) -> bool:
    """Whether a :func:`plain` title is an album's, and not what says that there is none."""
    return not is_unknown_album(album) and album not in _NO_ALBUM
