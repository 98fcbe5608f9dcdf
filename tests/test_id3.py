"""The traps of ID3, each seen in a real library: what is ours changes, every other byte stays.

Tags are built and taken apart by tests/rawid3.py, never by the library that is under suspicion.
"""

from __future__ import annotations

import zlib
from pathlib import Path

import mutagen
import pytest
from mutagen.id3 import ID3

from tagkit.errors import NoWriterError, TagError
from tagkit.library import payload
from tagkit.library.containers import TagOptions, open_tags
from tests import media, rawid3
from tests.rawid3 import Frame

VERSIONS = pytest.mark.parametrize("version", [3, 4])
OUT_OF_TAG = ("TMOO", "TXXX:MOOD", "TXXX:THEME", "TCON", "TXXX:TAGKIT")


def mp3(path: Path, tag: bytes, behind: bytes = b"") -> Path:
    media.make(path, "mp3", seconds=0.2)
    path.write_bytes(tag + path.read_bytes() + behind)
    return path


def write(path: Path, options: TagOptions = TagOptions(), **fields: list[str]) -> None:
    tags = open_tags(path, options=options)
    for field, values in fields.items():
        tags.set(field, values)
    tags.save()


def name(frame: Frame) -> str:
    if frame.id != "TXXX":
        return frame.id
    wide = frame.body[0] == 1
    text = frame.body[1:].decode("utf-16" if wide else "utf-8", "replace")
    return "TXXX:" + text.split("\0")[0]


def others(path: Path, *ours: str) -> list[Frame]:
    return [frame for frame in rawid3.parse(path.read_bytes()).frames if name(frame) not in ours]


def body(path: Path, of: str) -> bytes:
    (found,) = [f.body for f in rawid3.parse(path.read_bytes()).frames if name(f) == of]
    return found


@VERSIONS
@pytest.mark.parametrize("extended", [False, True], ids=["", "extended"])
@pytest.mark.parametrize("unsynchronised", [False, True], ids=["", "unsynchronised"])
@pytest.mark.parametrize("mood", [["happy"], ["happy", "日本 ÿþ"]], ids=["latin", "wide"])
def test_every_foreign_frame_keeps_its_bytes_and_the_tag_its_version(
    tmp_path: Path, version: int, extended: bool, unsynchronised: bool, mood: list[str]
) -> None:
    """TYER + TDAT, two artists, COMM, PRIV, APIC, GEOB, chapters, unknown frames, all in their order."""
    foreign = rawid3.foreign_frames(version)
    # as iTunes and Windows Media Player end their text, and one with flags of its own
    foreign += [Frame("TALB", b"\1\xff\xfeA\0\0\0"), Frame("TENC", b"\0x", flags=0x2000)]
    tag = rawid3.tag(version, foreign, unsynchronised=unsynchronised, extended=extended)
    path = mp3(tmp_path / "a.mp3", tag)
    audio = payload.audio_digest(path)
    before = others(path)
    assert [f.id for f in before] == [f.id for f in foreign]

    write(path, mood=mood, theme=["film"])
    after = rawid3.parse(path.read_bytes())
    assert after.version == version
    assert others(path, *OUT_OF_TAG) == [f for f in before if name(f) != "TCON"]
    assert body(path, "TCON") == next(f.body for f in foreign if f.id == "TCON")
    assert open_tags(path).get("mood") == mood
    assert [str(t) for t in ID3(path, translate=False)["TXXX:THEME"].text] == ["film"]
    assert payload.audio_digest(path) == audio

    write(path, mood=[], theme=[])
    assert others(path) == before


def test_version_3_has_custom_mood_joined_by_a_semicolon_in_its_own_encodings(
    tmp_path: Path,
) -> None:
    path = mp3(tmp_path / "a.mp3", rawid3.tag(3, rawid3.foreign_frames(3)))
    write(path, mood=["happy", "föó"], theme=["日本", "film"], genre=["Jazz", "Rock"])
    assert body(path, "TXXX:MOOD") == b"\0MOOD\0" + "happy; föó".encode("latin-1")
    wide = [part.encode("utf-16-le") for part in ("THEME", "日本; film")]
    assert body(path, "TXXX:THEME") == b"\1\xff\xfe" + wide[0] + b"\0\0\xff\xfe" + wide[1]
    assert body(path, "TCON") == b"\0Jazz; Rock"
    assert "TMOO" not in [f.id for f in others(path)]
    tags = open_tags(path)
    assert tags.get("mood") == ["happy", "föó"]
    assert tags.get("theme") == ["日本", "film"]
    assert tags.get("genre") == ["Jazz", "Rock"]


def test_version_3_takes_another_separator_and_still_reads_the_old_one(tmp_path: Path) -> None:
    path = mp3(tmp_path / "a.mp3", rawid3.tag(3, rawid3.frames(3, title="A")))
    marker = ["tagkit 0.1.0 model=a/b mood=2:5e884898da28"]
    write(path, mood=["happy", "calm"])
    slash = TagOptions(v23_separator="/")
    assert open_tags(path, options=slash).get("mood") == ["happy", "calm"]
    write(path, slash, theme=["film", "epic"], tagkit=marker)
    assert body(path, "TXXX:THEME") == b"\0THEME\0film/epic"
    assert open_tags(path, options=slash).get("theme") == ["film", "epic"]
    assert open_tags(path, options=slash).get("tagkit") == marker


def test_version_4_has_utf_8_and_null_separated_lists(tmp_path: Path) -> None:
    path = mp3(tmp_path / "a.mp3", rawid3.tag(4, rawid3.foreign_frames(4)))
    write(path, mood=["happy", "日本"], instrument=["piano", "cello"])
    assert body(path, "TMOO") == b"\3" + "happy\0日本".encode()
    assert body(path, "TXXX:INSTRUMENT") == b"\3INSTRUMENT\0piano\0cello"


def test_a_file_without_a_tag_gets_version_4_and_no_id3v1(tmp_path: Path) -> None:
    path = mp3(tmp_path / "a.mp3", b"")
    audio = path.read_bytes()
    write(path, mood=["happy"])
    data = path.read_bytes()
    tag = rawid3.parse(data)
    assert (tag.version, tag.flags) == (4, 0)
    assert tag.frames == [Frame("TMOO", b"\3happy")]
    assert data[tag.size :] == audio


def test_a_tag_that_has_room_stays_as_long_as_it_was(tmp_path: Path) -> None:
    path = mp3(tmp_path / "a.mp3", rawid3.tag(4, rawid3.foreign_frames(4), padding=500))
    size = path.stat().st_size
    write(path, mood=["happy"], theme=["film"])
    assert path.stat().st_size == size


@pytest.mark.parametrize(
    ("version", "stray", "right"), [(3, "TMOO", "TXXX:MOOD"), (4, "TXXX:MOOD", "TMOO")]
)
def test_a_mood_where_other_programs_keep_it_is_the_users_and_never_goes_stale(
    tmp_path: Path, version: int, stray: str, right: str
) -> None:
    frame = rawid3.text(version, "TMOO", "mine")
    if stray == "TXXX:MOOD":
        frame = rawid3.txxx(version, "MOOD", "mine")
    path = mp3(tmp_path / "a.mp3", rawid3.tag(version, [frame]))
    assert open_tags(path).get("mood") == ["mine"]
    write(path, mood=["new"])
    assert body(path, stray).endswith(b"new")
    assert body(path, right).endswith(b"new")
    write(path, mood=[])
    assert path.read_bytes()[:3] != b"ID3"


def test_custom_mood_beside_tmoo_on_request(tmp_path: Path) -> None:
    path = mp3(tmp_path / "a.mp3", rawid3.tag(4, rawid3.frames(4, title="A")))
    write(path, mood=["happy", "calm"])
    assert [f.id for f in others(path)] == ["TIT2", "TMOO"]
    write(path, TagOptions(also_txxx=True), mood=["happy", "calm"])
    assert body(path, "TXXX:MOOD") == b"\3MOOD\0happy\0calm"
    assert open_tags(path).get("mood") == ["happy", "calm"]


@VERSIONS
def test_two_spellings_of_a_custom_field_become_one(tmp_path: Path, version: int) -> None:
    frames = [rawid3.txxx(version, "theme", "one"), rawid3.txxx(version, "Theme", "two")]
    path = mp3(tmp_path / "a.mp3", rawid3.tag(version, frames))
    assert open_tags(path).get("theme") == ["one", "two"]
    write(path, theme=["new"])
    assert [name(f) for f in others(path)] == ["TXXX:THEME"]


@pytest.mark.parametrize("text", ["(17)", "17", "(17)Rock", "Rock"])
def test_a_numbered_genre_is_read_by_its_name(tmp_path: Path, text: str) -> None:
    path = mp3(tmp_path / "a.mp3", rawid3.tag(3, [rawid3.text(3, "TCON", text)]))
    assert open_tags(path).get("genre")[0] == "Rock"


def test_version_2_is_refused_with_the_way_out(tmp_path: Path) -> None:
    path = media.make(tmp_path, "mp3_id3v22", foreign=True)
    with pytest.raises(NoWriterError, match=r"ID3v2\.2") as caught:
        open_tags(path)
    assert "--upgrade-id3" in str(caught.value)


def test_version_2_is_upgraded_on_request_without_a_loss(tmp_path: Path) -> None:
    path = media.make(tmp_path, "mp3_id3v22", foreign=True)
    upgrade = TagOptions(upgrade_id3=True)
    before, data = open_tags(path, options=upgrade).foreign(), path.read_bytes()
    write(path, upgrade)  # nothing set: nothing written, not even the upgrade
    assert path.read_bytes() == data
    write(path, upgrade, mood=["happy"])
    assert rawid3.parse(path.read_bytes()).version == 4
    assert open_tags(path).foreign() == before
    tag = ID3(path)
    assert tag["TIT2"].text == [media.TITLE]
    assert tag["TPE1"].text == ["/".join(media.ARTISTS)]
    assert str(tag["TDRC"].text[0]) == media.DATE[:4]
    assert tag["APIC:front"].data == media.png()
    assert tag["TMOO"].text == ["happy"]


def test_version_2_with_a_frame_that_would_be_lost_is_not_upgraded(tmp_path: Path) -> None:
    tag = rawid3.tag(2, [*rawid3.foreign_frames(2), Frame("XYZ", b"unknown")])
    path = mp3(tmp_path / "a.mp3", tag)
    with pytest.raises(NoWriterError, match="no place"):
        open_tags(path, options=TagOptions(upgrade_id3=True))


@pytest.mark.parametrize("kind", ["mp3", "mp3_id3v24"])
def test_id3v1_is_left_as_it_is(tmp_path: Path, kind: str) -> None:
    path = media.make(tmp_path, kind)
    old = rawid3.id3v1("A", "B")
    path.write_bytes(path.read_bytes() + old)
    write(path, mood=["happy"], genre=["Jazz"])
    assert path.read_bytes()[-128:] == old
    assert "id3/behind" in open_tags(path).foreign()


def ape_part(data: bytes) -> bytes:
    return data[data.index(b"APETAGEX") :]


def test_ape_beside_id3_is_untouched_where_it_has_no_mood(tmp_path: Path) -> None:
    path = media.make(tmp_path, "mp3_ape", foreign=True)
    before = ape_part(path.read_bytes())
    write(path, mood=["happy"], genre=["Jazz"])
    assert ape_part(path.read_bytes()) == before


def test_ape_beside_id3_does_not_go_stale(tmp_path: Path) -> None:
    """Kodi prefers it. Its other items, and the ID3v1 behind it, keep their bytes."""
    items = {"Title": ["A"], "mood": ["old", "older"], "Theme": ["x"]}
    behind = media.apev2_tag(items) + rawid3.id3v1("A", "B")
    path = mp3(tmp_path / "a.mp3", rawid3.tag(4, rawid3.foreign_frames(4), padding=0), behind)
    audio = payload.audio_digest(path)
    assert open_tags(path).get("mood") == ["old", "older"]
    write(path, mood=["new", "newer"])
    expected = {"Title": ["A"], "Mood": ["new", "newer"], "Theme": ["x"]}
    assert ape_part(path.read_bytes()) == media.apev2_tag(expected) + rawid3.id3v1("A", "B")
    assert ID3(path)["TMOO"].text == ["new", "newer"]
    assert payload.audio_digest(path) == audio
    write(path, mood=[])
    assert open_tags(path).get("mood") == []
    assert ape_part(path.read_bytes()) == media.apev2_tag(
        {"Title": ["A"], "Theme": ["x"]}
    ) + rawid3.id3v1("A", "B")


def test_ape_before_lyrics3_is_found(tmp_path: Path) -> None:
    lyrics = b"LYRICSBEGIN" + b"IND00002" + b"00"
    lyrics += f"{len(lyrics):06}LYRICS200".encode() + rawid3.id3v1("A", "B")
    behind = media.apev2_tag({"Mood": ["old"]}) + lyrics
    path = mp3(tmp_path / "a.mp3", rawid3.tag(4, rawid3.frames(4, title="A")), behind)
    write(path, mood=["new"])
    assert path.read_bytes().endswith(media.apev2_tag({"Mood": ["new"]}) + lyrics)


def test_sizes_as_old_itunes_wrote_them_are_understood(tmp_path: Path) -> None:
    frames = [Frame("TIT2", b"\0A"), Frame("APIC", b"\0image/png\0\3\0" + media.png() * 3)]
    tag = bytearray(rawid3.tag(3, frames))
    tag[3] = 4  # says 2.4, and has the plain sizes of 2.3
    path = mp3(tmp_path / "a.mp3", bytes(tag))
    write(path, mood=["happy"])
    assert [f.body for f in rawid3.parse(path.read_bytes()).frames[:2]] == [f.body for f in frames]


def test_a_misread_size_that_ends_among_zeros_is_not_taken_for_padding(tmp_path: Path) -> None:
    frames = [Frame("APIC", b"\0image/png\0\3\0" + b"\0" * 700), Frame("TIT2", b"\0A")]
    tag = bytearray(rawid3.tag(3, frames))
    tag[3] = 4
    path = mp3(tmp_path / "a.mp3", bytes(tag))
    write(path, mood=["happy"])
    assert [f.body for f in rawid3.parse(path.read_bytes()).frames[:2]] == [f.body for f in frames]


@VERSIONS
def test_bytes_behind_the_frames_are_not_overwritten(tmp_path: Path, version: int) -> None:
    tag = bytearray(rawid3.tag(version, rawid3.foreign_frames(version)))
    tag[-1] = 1
    path = mp3(tmp_path / "a.mp3", bytes(tag))
    with pytest.raises(TagError, match="its ID3 tag"):
        open_tags(path)


@VERSIONS
def test_our_own_field_is_read_from_a_compressed_frame(tmp_path: Path, version: int) -> None:
    text = b"\0MOOD\0happy"
    packed = len(text).to_bytes(4, "big") + zlib.compress(text)
    frame = Frame("TXXX", packed, flags=0x80 if version == 3 else 0x9)
    path = mp3(tmp_path / "a.mp3", rawid3.tag(version, [frame]))
    assert open_tags(path).get("mood") == ["happy"]


def test_our_own_field_is_read_from_an_unsynchronised_frame(tmp_path: Path) -> None:
    frame = Frame(
        "TMOO", b"\1" + "ÿà".encode("utf-16")
    )  # 0xFF and 0xE0, which would look like audio
    path = mp3(tmp_path / "a.mp3", rawid3.tag(4, [frame], unsynchronised=True))
    assert open_tags(path).get("mood") == ["ÿà"]


@pytest.mark.parametrize("order", ["utf-16-le", "utf-16-be"])
def test_wide_text_is_read_in_either_byte_order(tmp_path: Path, order: str) -> None:
    mark = b"\xff\xfe" if order == "utf-16-le" else b"\xfe\xff"
    parts = [mark + "MOOD".encode(order), mark + "a; b".encode(order), "c".encode(order)]
    path = mp3(tmp_path / "a.mp3", rawid3.tag(3, [Frame("TXXX", b"\1" + b"\0\0".join(parts))]))
    assert open_tags(path).get("mood") == ["a", "b", "c"]


def test_stacked_tags_the_first_is_ours_and_the_second_stays(tmp_path: Path) -> None:
    second = rawid3.tag(3, rawid3.frames(3, title="second"))
    path = mp3(tmp_path / "a.mp3", rawid3.tag(4, rawid3.frames(4, title="first")) + second)
    audio = payload.audio_digest(path)
    assert "id3/further" in open_tags(path).foreign()
    write(path, mood=["happy"])
    data = path.read_bytes()
    assert data[rawid3.parse(data).size :].startswith(second)
    assert payload.audio_digest(path) == audio


def test_a_footer_goes_with_the_tag_it_belonged_to(tmp_path: Path) -> None:
    tag = bytearray(rawid3.tag(4, rawid3.frames(4, title="A"), padding=0))
    tag[5] |= 0x10
    path = mp3(tmp_path / "a.mp3", bytes(tag) + b"3DI" + bytes(tag[3:10]))
    audio = payload.audio_digest(path)
    write(path, mood=["happy"])
    assert b"3DI" not in path.read_bytes()
    assert payload.audio_digest(path) == audio
    assert mutagen.File(path)["TIT2"].text == ["A"]


def test_a_tag_that_cannot_be_walked_is_an_error_not_a_loss(tmp_path: Path) -> None:
    tag = bytearray(rawid3.tag(3, rawid3.foreign_frames(3)))
    tag[10 + 4] = 0x7F  # the first frame now claims 2 GB
    path = mp3(tmp_path / "a.mp3", bytes(tag))
    data = path.read_bytes()
    with pytest.raises(TagError, match="beyond the tag"):
        write(path, mood=["happy"])
    assert path.read_bytes() == data
