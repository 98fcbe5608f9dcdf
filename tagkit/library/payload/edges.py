"""The tags that lie around any stream: ID3v2 and APE in front; ID3v1, Lyrics3, APE, ID3v2 behind.

Each is taken off only where it proves itself (both ends found, or every item parsed): what is
taken for a tag is not protected by the digest, so a doubtful one counts as audio.

Sources: id3.org (ID3v2.4 structure, Lyrics3 v2.00), wiki.hydrogenaud.io (APEv2 specification).
"""

from __future__ import annotations

from tagkit.library.payload.source import Broken, Source, Span

_MOST_TAGS = 64  # stacked tags taken off one end; a dozen is already a curiosity
_MOST_ITEMS = 4096  # of one APE tag


def audio_bounds(source: Source) -> Span:
    """The file without the tags at both its ends."""
    start, end = 0, source.size
    for _ in range(_MOST_TAGS):
        length = _id3v2(source, start, end) or _ape_in_front(source, start, end)
        if not length:
            break
        start += length
    for _ in range(_MOST_TAGS):
        length = (
            _id3v1(source, start, end)
            or _lyrics3(source, start, end)
            or _ape_behind(source, start, end)
            or _id3v2_behind(source, start, end)
        )
        if not length:
            break
        end -= length
    return Span(start, end)


def _peek(source: Source, offset: int, length: int, within: Span) -> bytes:
    """The bytes, or nothing where they would reach outside ``within``."""
    if offset < within.start or offset + length > within.end:
        return b""
    return source.at(offset, length)


def _id3v2(source: Source, start: int, end: int) -> int:
    """Length of the ID3v2 tag at ``start``, header, padding and footer included; 0: none."""
    within = Span(start, end)
    header = _peek(source, start, 10, within)
    size = _id3v2_size(header, b"ID3")
    if size is None:
        return 0
    length = 10 + size
    # A footer is announced by a flag, but mutagen drops the flag and leaves the footer standing.
    if _peek(source, start + length, 10, within)[:3] == b"3DI":
        length += 10
    return length if start + length <= end else 0


def _id3v2_behind(source: Source, start: int, end: int) -> int:
    """Length of an ID3v2.4 tag appended to the file (it ends in a footer)."""
    within = Span(start, end)
    size = _id3v2_size(_peek(source, end - 10, 10, within), b"3DI")
    if size is None:
        return 0
    length = size + 20
    return length if _peek(source, end - length, 3, within) == b"ID3" else 0


def _id3v2_size(header: bytes, magic: bytes) -> int | None:
    if len(header) < 10 or header[:3] != magic or header[3] not in (2, 3, 4) or header[4] == 0xFF:
        return None
    a, b, c, d = header[6:10]
    if (a | b | c | d) & 0x80:  # not "synchsafe": no tag
        return None
    return a << 21 | b << 14 | c << 7 | d


def _id3v1(source: Source, start: int, end: int) -> int:
    """128 bytes from ``TAG``, and the 227 of an enhanced ``TAG+`` before them."""
    within = Span(start, end)
    if _peek(source, end - 128, 3, within) != b"TAG":
        return 0
    # The TAG of APETAGEX stands just there in an APE tag of 131 bytes.
    if _peek(source, end - 131, 8, within) == b"APETAGEX":
        return 0
    return 355 if _peek(source, end - 355, 4, within) == b"TAG+" else 128


def _lyrics3(source: Source, start: int, end: int) -> int:
    within = Span(start, end)
    tail = _peek(source, end - 15, 15, within)
    if tail.endswith(b"LYRICS200") and tail[:6].isdigit():
        length = int(tail[:6]) + 15
        return length if _peek(source, end - length, 11, within) == b"LYRICSBEGIN" else 0
    if tail.endswith(b"LYRICSEND"):  # v1: at most 5100 bytes of text, without a size
        first = max(start, end - 5120)
        found = source.at(first, end - first).rfind(b"LYRICSBEGIN")
        return end - first - found if found >= 0 else 0
    return 0


def _ape_size(header: bytes) -> tuple[int, int]:
    """(bytes of items and footer, number of items)."""
    return int.from_bytes(header[12:16], "little"), int.from_bytes(header[16:20], "little")


def _ape_behind(source: Source, start: int, end: int) -> int:
    within = Span(start, end)
    footer = _peek(source, end - 32, 32, within)
    if not footer.startswith(b"APETAGEX"):
        return 0
    size, count = _ape_size(footer)
    if size < 32 or not _ape_items(source, Span(end - size, end - 32), count, within):
        return 0
    header = _peek(source, end - size - 32, 32, within)
    # The bit that says "header": without it these are the footer of another tag.
    is_header = header.startswith(b"APETAGEX") and header[23] & 0x20
    return size + 32 if is_header else size


def _ape_in_front(source: Source, start: int, end: int) -> int:
    within = Span(start, end)
    header = _peek(source, start, 32, within)
    if not header.startswith(b"APETAGEX"):
        return 0
    size, count = _ape_size(header)
    if size < 32 or _peek(source, start + size, 8, within) != b"APETAGEX":
        return 0
    items = Span(start + 32, start + size)
    return size + 32 if _ape_items(source, items, count, within) else 0


def _ape_items(source: Source, area: Span, count: int, within: Span) -> bool:
    """Whether ``count`` items fill ``area`` exactly."""
    if area.start < within.start or area.end > within.end or count > _MOST_ITEMS:
        return False
    offset = area.start
    for _ in range(count):
        try:
            head = source.at(offset, min(8 + 256, area.end - offset))
        except Broken:
            return False
        key_end = head.find(b"\0", 8)
        if key_end < 0:
            return False
        offset += key_end + 1 + int.from_bytes(head[:4], "little")
    return offset == area.end
