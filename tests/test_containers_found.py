"""What the broken files of tests/trust have found in the containers, each as a plain test."""

from __future__ import annotations

import struct
import tracemalloc
import zlib
from pathlib import Path

import mutagen.apev2
import pytest
import taglib
from mutagen.ogg import OggPage

from tagkit.errors import NoWriterError, TagError
from tagkit.library.containers import open_tags
from tagkit.library.origin import read_origin
from tagkit.library.payload import audio_digest
from tests import media, rawid3

DIGITS = "1" * 5000  # more than Python makes a number of


def write(path: Path, **fields: list[str]) -> None:
    tags = open_tags(path)
    for field, values in fields.items():
        tags.set(field, values)
    tags.save()


def there_and_back(path: Path) -> None:
    """Write a mood, take it back, and compare all but padding."""
    before = open_tags(path)
    kept = {field: before.snapshot(field) for field in ("mood", "genre")}
    foreign, audio = before.foreign(), audio_digest(path)
    write(path, mood=["happy"], genre=["Jazz"])
    after = open_tags(path)
    assert after.get("mood") == ["happy"]
    assert (after.foreign(), audio_digest(path)) == (foreign, audio)
    for field, snapshot in kept.items():
        after.restore(field, snapshot)
    after.save()
    now = open_tags(path)
    assert (now.foreign(), audio_digest(path)) == (foreign, audio)
    assert {field: now.snapshot(field) for field in kept} == kept


def mp3(path: Path, *frames: rawid3.Frame, version: int = 4) -> Path:
    media.make(path, "mp3", seconds=0.1)
    path.write_bytes(rawid3.tag(version, list(frames)) + path.read_bytes())
    return path


def refused(path: Path, message: str, error: type[TagError] = TagError) -> None:
    data = path.read_bytes()
    with pytest.raises(error, match=message):
        write(path, mood=["happy"])
    assert path.read_bytes() == data


# ---------------------------------------------------------------------------- numbers and lengths


@pytest.mark.parametrize("genre", [DIGITS, f"({DIGITS})", f"{DIGITS} and a word"])
def test_a_genre_of_thousands_of_digits_is_a_name(tmp_path: Path, genre: str) -> None:
    path = mp3(tmp_path / "a.mp3", rawid3.text(4, "TCON", genre, "17"))
    assert open_tags(path).get("genre") == [genre, "Rock"]
    there_and_back(path)


def test_a_flag_of_thousands_of_digits_is_a_flag(tmp_path: Path) -> None:
    def box(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", 8 + len(content)) + name + content

    path = media.make(tmp_path, "m4a", foreign=True)
    data = path.read_bytes()
    flag = box(b"cpil", box(b"data", struct.pack(">II", 21, 0) + b"\xff" * 3000))
    at = data.index(b"\xa9nam") - 4
    grown = data[:at] + flag + data[at:]
    for name in (b"moov", b"udta", b"meta", b"ilst"):
        place = grown.rindex(name) - 4
        (size,) = struct.unpack_from(">I", grown, place)
        grown = grown[:place] + struct.pack(">I", size + len(flag)) + grown[place + 4 :]
    path.write_bytes(grown)
    assert read_origin(path).compilation is True
    there_and_back(path)


@pytest.mark.parametrize("compressed", [False, True])
def test_a_mood_that_is_too_long_is_never_written_back_in_part(
    tmp_path: Path, compressed: bool
) -> None:
    body = b"\3" + b"happy\0" * 200_000
    if compressed:
        body = struct.pack(">I", len(body)) + zlib.compress(body)
    path = mp3(tmp_path / "a.mp3", rawid3.Frame("TMOO", body, 9 if compressed else 0))
    refused(path, "longer than any list")


def test_frames_that_expand_are_not_expanded_for_their_names(tmp_path: Path) -> None:
    body = bytes(4) + zlib.compress(b"\1\xff\xfe" + b"M\0" * (4 << 20))
    path = mp3(tmp_path / "a.mp3", *[rawid3.Frame("TXXX", body, 9)] * 50)
    tracemalloc.start()
    there_and_back(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 << 20


@pytest.mark.parametrize("version", [2, 3, 4])
def test_more_fields_than_any_file_has_are_left_with_a_reason(tmp_path: Path, version: int) -> None:
    path = mp3(tmp_path / "a.mp3", *rawid3.frames(version, title="A") * 10_001, version=version)
    message = "10,000 fields" if version > 2 else "2.2"
    refused(path, message, NoWriterError)
    assert read_origin(path).artist == ""


def test_a_tag_larger_than_any_is_left_with_a_reason(tmp_path: Path) -> None:
    path = mp3(tmp_path / "a.mp3", rawid3.Frame("APIC", b"\0image/png\0\3\0" + bytes(81 << 20)))
    tracemalloc.start()
    with pytest.raises(NoWriterError, match="80 MiB"):
        open_tags(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20


# ---------------------------------------------------------------------------------------- ID3


def test_an_empty_tag_stays_where_another_would_take_its_place(tmp_path: Path) -> None:
    path = mp3(tmp_path / "a.mp3", *rawid3.foreign_frames(3), version=3)
    path.write_bytes(b"ID3\4\0\0\0\0\0\0" + path.read_bytes())
    there_and_back(path)


def test_a_dsf_keeps_what_lies_behind_an_empty_tag(tmp_path: Path) -> None:
    path = media.make(tmp_path, "dsf", seconds=0.1)
    data = path.read_bytes()
    more = b"ID3\4\0\0\0\0\0\0" + b"something else"
    sizes = struct.pack("<QQ", len(data) + len(more), len(data))
    path.write_bytes(data[:12] + sizes + data[28:] + more)
    there_and_back(path)


@pytest.mark.parametrize("kind", ["wav", "aiff"])
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda tag: b"\0\0\0" + tag[3:], "no whole ID3"),
        (lambda tag: tag[:6] + b"\0\0\x7f\x7f" + tag[10:], "no whole ID3"),
        (lambda tag: tag[:6] + b"\0\0\0\x20" + tag[10:], "beyond the tag|behind its ID3 tag"),
    ],
    ids=["no tag", "too long", "too short"],
)
def test_a_chunk_that_holds_no_id3_tag_is_not_overwritten(
    tmp_path: Path, kind: str, damage: object, message: str
) -> None:
    path = media.make(tmp_path, kind, seconds=0.1, foreign=True)
    data = path.read_bytes()
    at = data.rindex(b"ID3\4") if b"ID3\4" in data else data.rindex(b"ID3\3")
    assert callable(damage)
    path.write_bytes(data[:at] + damage(data[at:]))
    refused(path, message)


# ---------------------------------------------------------------------------------------- APEv2


@pytest.mark.parametrize("length", range(80, 100))
@pytest.mark.parametrize("kind", ["ape", "musepack"])
def test_a_marker_of_any_length_leaves_the_tag_visible(
    tmp_path: Path, kind: str, length: int
) -> None:
    """With 89 letters the TAG of TAGKIT stands where an ID3v1 tag would begin."""
    path = media.make(tmp_path, kind, seconds=0.1, foreign=True)
    write(path, mood=["happy"], tagkit=["x" * length])
    assert mutagen.apev2.APEv2(path)["Title"] == media.TITLE
    with taglib.File(path) as file:
        assert file.tags["TITLE"] == [media.TITLE]
        assert file.tags["TAGKIT"] == ["x" * length]
    there_and_back(path)


@pytest.mark.parametrize("kind", ["ape", "mp3_ape"])
def test_two_ape_tags_are_refused(tmp_path: Path, kind: str) -> None:
    path = media.make(tmp_path, kind, seconds=0.1)
    tag = media.apev2_tag({"Mood": ["sad"]})
    path.write_bytes(path.read_bytes().removesuffix(rawid3.id3v1("A", "B")) + tag + tag)
    refused(path, "two APE tags", NoWriterError)


def test_an_empty_ape_tag_behind_an_id3v1_stays(tmp_path: Path) -> None:
    path = media.make(tmp_path, "ape", seconds=0.1)
    empty = media.apev2_tag({})
    path.write_bytes(path.read_bytes() + rawid3.id3v1("A", "B") + empty)
    there_and_back(path)


# ---------------------------------------------------------------------------------------- Ogg


def ogg(*packets: tuple[int, int, list[bytes]]) -> bytes:
    """Pages of (serial, granule position, packets), numbered from 0; the first of each serial is first."""
    out, numbers = b"", dict[int, int]()
    for serial, position, parts in packets:
        page = OggPage()
        page.serial, page.position, page.packets = serial, position, parts
        page.sequence = numbers.get(serial, 0)
        page.first = page.sequence == 0
        numbers[serial] = page.sequence + 1
        out += page.write()
    return out


HEAD = b"OpusHead\1\2\x38\1\x80\xbb\0\0\0\0\0"
TAGS = b"OpusTags\1\0\0\0x\1\0\0\0\3\0\0\0A=b"
SOUND = [b"\xfc" + bytes(99)] * 5
LONG = ["x" * 9000]  # over more than one page


def test_opus_audio_that_begins_on_the_page_of_the_comments_is_refused(tmp_path: Path) -> None:
    """Also where the page says that it ends before any sound."""
    path = tmp_path / "a.opus"
    path.write_bytes(ogg((1, 0, [HEAD]), (1, 0, [TAGS, *SOUND]), (1, 4800, SOUND)))
    refused(path, "share a page with audio")


def test_ogg_comments_between_pages_of_another_stream_are_refused(tmp_path: Path) -> None:
    first, second = OggPage(), OggPage()
    for number, page in enumerate((first, second), 1):
        page.serial, page.sequence = 1, number
    first.packets, first.complete, first.position = (
        [TAGS[:-2] + bytes(255 - len(TAGS) + 2)],
        False,
        -1,
    )
    second.packets, second.continued = [b"=b"], True
    other = ogg((2, 0, [b"fishead\0"]))
    path = tmp_path / "a.opus"
    path.write_bytes(ogg((1, 0, [HEAD])) + first.write() + other + second.write())
    refused(path, "pages of another stream")


def test_a_chained_stream_of_the_same_serial_keeps_its_numbers(tmp_path: Path) -> None:
    stream = ogg((1, 0, [HEAD]), (1, 0, [TAGS]), (1, 4800, SOUND), (1, 9600, SOUND))
    path = tmp_path / "a.opus"
    path.write_bytes(stream * 2)
    audio = audio_digest(path)
    write(path, mood=LONG)
    assert path.read_bytes().endswith(stream)
    assert audio_digest(path) == audio
    assert open_tags(path).get("mood") == LONG


def test_ogg_pages_that_are_missing_stay_missing(tmp_path: Path) -> None:
    """A decoder hears by the numbers that something was lost there."""
    pages = [ogg((1, 0, [HEAD]), (1, 0, [TAGS]))]
    for number in (2, 5):
        page = OggPage()
        page.serial, page.sequence, page.packets, page.position = 1, number, SOUND, 4800 * number
        pages.append(page.write())
    path = tmp_path / "a.opus"
    path.write_bytes(b"".join(pages))
    write(path, mood=LONG)
    with path.open("rb") as file:
        numbers = []
        while file.tell() < path.stat().st_size:
            numbers.append(OggPage(file).sequence)
    assert numbers[-1] - numbers[-2] == 3


def test_what_is_no_page_behind_an_ogg_stream_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.opus"
    path.write_bytes(ogg((1, 0, [HEAD]), (1, 0, [TAGS]), (1, 4800, SOUND)) + b"cut off")
    before = open_tags(path).foreign()
    write(path, mood=LONG)
    assert path.read_bytes().endswith(b"cut off")
    assert open_tags(path).foreign() == before


# ---------------------------------------------------------------------------------------- MP4


def test_boxes_of_any_depth_have_a_digest_and_a_reason(tmp_path: Path) -> None:
    path = media.make(tmp_path, "m4a", seconds=0.1)
    box = b""
    for _ in range(5000):
        box = struct.pack(">I", 8 + len(box)) + b"trak" + box
    moov = struct.pack(">I", 8 + len(box)) + b"moov" + box
    path.write_bytes(path.read_bytes() + moov)
    assert len(audio_digest(path)) == 64
    refused(path, "more boxes")


# --------------------------------------------------------------------------------------- in all


def test_many_labels_take_linear_time(tmp_path: Path) -> None:
    labels = [f"label {number}" for number in range(40_000)]
    path = mp3(tmp_path / "a.mp3", rawid3.text(4, "TMOO", *labels))
    tags = open_tags(path)
    assert tags.get("mood") == labels
    tags.set("mood", [*labels, "happy"])
    tags.save()
    assert open_tags(path).get("mood")[-1] == "happy"


def test_ogg_headers_may_end_where_a_page_ends(tmp_path: Path) -> None:
    """Whatever the length of the comments: the next header then begins on a page of its own."""
    path = media.make(tmp_path, "ogg", seconds=0.2)
    audio, alone = audio_digest(path), 0
    for length in range(3000, 4200, 20):
        file = mutagen.File(path)
        file["comment"] = ["x" * length]
        file.save(padding=lambda _: 0)
        tags = open_tags(path)
        tags.set("mood", ["happy"])
        tags.save()
        tags = open_tags(path)
        assert tags.get("mood") == ["happy"], length
        tags.set("mood", [])
        tags.save()
        assert open_tags(path).get("mood") == []
        assert audio_digest(path) == audio
        with path.open("rb") as stream:
            pages = [OggPage(stream) for _ in range(3)]
        alone += pages[1].complete and not pages[2].continued and pages[2].position <= 0
    assert alone, "no page ended with the comments"
