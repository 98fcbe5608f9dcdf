"""What must be true of reading and writing tags in every container."""

from __future__ import annotations

import hashlib
import os
import struct
from pathlib import Path

import av
import mutagen
import numpy as np
import pytest
from mutagen.asf import ASFUnicodeAttribute
from mutagen.mp4 import MP4FreeForm
from mutagen.ogg import OggPage
from mutagen.oggspeex import OggSpeex

from tagkit.errors import NoWriterError, TagError
from tagkit.library import payload
from tagkit.library.containers import STRATEGIES, comments, open_tags
from tagkit.library.fields import DEFAULTS
from tests import media, rawid3

# Labels that no single-byte encoding holds, and that need surrogate pairs
VALUES = {
    "mood": ["happy", "föó 日本", "🎻 calm"],
    "theme": ["film"],
    "instrument": ["acoustic guitar", "piano"],
    "vocals": ["female vocals"],
    "grouping": ["evening"],
    "probability:mood": ["happy=0.83", "calm=0.40"],
    "tagkit": ["tagkit 0.1.0 model=9f3c01 mood=3:5e884898da28"],
}
BOTH = pytest.mark.parametrize("foreign", [False, True], ids=["bare", "foreign"])
EVERY = pytest.mark.parametrize("kind", media.WRITABLE)


def decoded(path: Path) -> str:
    """A hash of every sample: what a player hears."""
    digest = hashlib.sha256()
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            digest.update(np.ascontiguousarray(frame.to_ndarray()).tobytes())
    return digest.hexdigest()


def write(path: Path, **fields: list[str]) -> None:
    tags = open_tags(path)
    for field, values in fields.items():
        tags.set(field, values)
    tags.save()


@EVERY
@BOTH
def test_values_come_back_and_nothing_else_changes(
    tmp_path: Path, kind: str, foreign: bool
) -> None:
    path = media.make(tmp_path, kind, foreign=foreign)
    heard, audio, before = decoded(path), payload.audio_digest(path), open_tags(path).foreign()
    assert all(open_tags(path).get(field) == [] for field in VALUES)

    tags = open_tags(path)
    genre = tags.get("genre")
    for field, values in VALUES.items():
        tags.set(field, values)
    tags.save()

    after = open_tags(path)
    assert after.container == payload.sniff(path) == media.KINDS[kind].container
    assert {field: after.get(field) for field in VALUES} == VALUES
    assert after.get("genre") == genre
    assert after.foreign() == before == tags.foreign()
    assert payload.audio_digest(path) == audio
    assert decoded(path) == heard


@EVERY
def test_a_foreign_change_shows(tmp_path: Path, kind: str) -> None:
    path = media.make(tmp_path, kind, foreign=True)
    before = open_tags(path).foreign()
    data = path.read_bytes()
    title = media.TITLE
    for spelling in (title.encode(), title.encode("latin-1"), title.encode("utf-16-le")):
        data = data.replace(spelling, spelling.replace(b"G", b"H", 1))
    path.write_bytes(data)
    assert open_tags(path).foreign() != before


@EVERY
def test_writing_the_same_again_touches_nothing(tmp_path: Path, kind: str) -> None:
    path = media.make(tmp_path, kind, foreign=True)
    write(path, **VALUES)
    os.utime(path, ns=(1, 1))
    data = path.read_bytes()
    write(path, **VALUES)
    assert path.stat().st_mtime_ns == 1
    assert path.read_bytes() == data


@EVERY
@BOTH
def test_a_snapshot_brings_back_every_byte_of_a_field(
    tmp_path: Path, kind: str, foreign: bool
) -> None:
    path = media.make(tmp_path, kind, foreign=foreign)
    everything = list(DEFAULTS)
    for user in ([], ["Mine, Own / Two"]):
        if user:
            spell_oddly(path, user[0])
        before = open_tags(path).foreign(changing=[])
        tags = open_tags(path)
        kept = {field: tags.snapshot(field) for field in everything}
        for field in ("mood", "genre", "tagkit"):
            tags.set(field, ["other"])
        tags.save()
        assert open_tags(path).foreign(changing=[]) != before

        tags = open_tags(path)
        for field in everything:
            tags.restore(field, kept[field])
        tags.save()
        assert open_tags(path).foreign(changing=[]) == before
        assert open_tags(path).get("mood") == user


def test_a_snapshot_of_something_else_is_an_error(tmp_path: Path) -> None:
    tags = open_tags(media.make(tmp_path, "flac"))
    for text in ("", "{", "[1]", '[["id3", "TMOO", "", "?"]]', "null"):
        with pytest.raises(TagError):
            tags.restore("mood", text)


def test_a_snapshot_is_not_forced_into_a_tag_of_another_kind(tmp_path: Path) -> None:
    path = media.make(tmp_path, "mp3_id3v23")
    write(path, mood=["happy"])
    snapshot = open_tags(path).snapshot("mood")
    other = open_tags(media.make(tmp_path, "mp3_id3v24"))
    with pytest.raises(TagError, match="no longer there"):
        other.restore("mood", snapshot)


@pytest.mark.parametrize(
    "kind", ["mp3", "mp3_vbr", "wav", "aiff", "dsf", "wma", "ape", "wavpack", "musepack"]
)
def test_what_is_removed_last_leaves_the_file_as_it_was_without_a_tag(
    tmp_path: Path, kind: str
) -> None:
    path = media.make(tmp_path, kind)
    data = path.read_bytes()
    write(path, mood=["happy"], genre=["Jazz"])
    write(path, mood=[], genre=[])
    assert path.read_bytes() == data


# --------------------------------------------------------------- the right field, as others read it


def native(path: Path) -> dict[str, list[str]]:
    """The mood, theme and genre fields by mutagen, which had no part in writing them."""
    file = mutagen.File(path)
    found: dict[str, list[str]] = {}
    for key, value in file.tags.items():
        if key in ("TMOO", "TCON") or key.startswith("TXXX"):
            found[key] = [str(text) for text in value.text]
        elif isinstance(value, list):
            found[key] = [
                v.decode(errors="replace") if isinstance(v, bytes) else str(v) for v in value
            ]
        elif type(value).__name__ == "APETextValue":
            found[key] = list(value)
    return found


ID3V24 = {"mood": "TMOO", "theme": "TXXX:THEME", "genre": "TCON"}
VORBIS = {"mood": "mood", "theme": "theme", "genre": "genre"}
APEV2 = {"mood": "Mood", "theme": "Theme", "genre": "Genre"}
NATIVE = {
    **dict.fromkeys(("mp3", "wav", "aiff", "dsf"), ID3V24),
    **dict.fromkeys(("flac", "ogg", "opus"), VORBIS),
    **dict.fromkeys(("ape", "wavpack", "musepack"), APEV2),
    "mp4": {"mood": f"{'-' * 4}:com.apple.iTunes:MOOD", "theme": "----:com.apple.iTunes:THEME"}
    | {"genre": "©gen"},
    "asf": {"mood": "WM/Mood", "theme": "THEME", "genre": "WM/Genre"},
}


# ID3v2.3 has no lists: tests/test_id3.py
@pytest.mark.parametrize("kind", sorted({*media.WRITABLE} - {"mp3_id3v23", "flac_id3"}))  # no lists
def test_several_values_are_a_native_list_in_the_native_field(tmp_path: Path, kind: str) -> None:
    path = media.make(tmp_path, kind)
    wanted = {"mood": ["happy", "calm"], "theme": ["film"], "genre": ["Jazz", "Rock"]}
    write(path, **wanted)
    found, names = native(path), NATIVE[media.KINDS[kind].container]
    assert {field: found[names[field]] for field in wanted} == wanted


def spell_oddly(path: Path, *values: str) -> None:
    """Give a file moods as another program would: the name in another case, and twice if that can be."""
    file = mutagen.File(path)
    if file.tags is None:
        file.add_tags()
    name = type(file).__name__
    if name in ("MP3", "WAVE", "AIFF", "DSF"):
        version = file.tags.version[1] if file.tags.version[0] == 2 else 4
        file.tags.load(path, translate=False) if file.tags.filename else None
        for spelling, value in zip(("mood", "Mood"), values, strict=False):
            file.tags.add(
                mutagen.id3.TXXX(encoding=3 if version == 4 else 1, desc=spelling, text=value)
            )
        file.save(v2_version=version, v23_sep=None)
        return
    if name == "MP4":
        for spelling, value in zip(("mood", "Mood"), values, strict=False):
            file.tags[f"----:com.apple.iTunes:{spelling}"] = [MP4FreeForm(value.encode())]
    elif name == "ASF":
        for spelling, value in zip(("wm/mood", "WM/MOOD"), values, strict=False):
            file.tags[spelling] = [ASFUnicodeAttribute(value)]
    elif name in ("MonkeysAudio", "WavPack", "Musepack"):
        file.tags["MOOD"] = list(values)  # mutagen itself knows no two spellings here
    else:
        for spelling, value in zip(("mood", "Mood"), values, strict=False):
            list.append(file.tags, (spelling, value))
    file.save()


@EVERY
def test_names_are_matched_whatever_their_case_and_never_two_are_left(
    tmp_path: Path, kind: str
) -> None:
    path = media.make(tmp_path, kind, foreign=True)
    spell_oddly(path, "mine", "second")
    assert open_tags(path).get("mood") == ["mine", "second"]
    write(path, mood=["new"])
    custom = {k: v for k, v in native(path).items() if k.casefold().split(":")[-1].endswith("mood")}
    assert list(custom.values()) == [["new"]]
    if NATIVE[media.KINDS[kind].container] is ID3V24 and kind != "mp3_id3v23":
        assert native(path)["TMOO"] == ["new"]  # and the user's TXXX:MOOD was kept equal to it
    write(path, mood=[])
    assert open_tags(path).get("mood") == []
    assert not [key for key in native(path) if "mood" in key.casefold()]


# ------------------------------------------------------------------------------ what is refused

REASONS = {
    "mka": "no writer",
    "webm": "no writer",
    "aac": "no writer",
    "dff": "no writer",
    "mp4_video": "video",
    "mp3_id3v22": "ID3v2.2",
}


@pytest.mark.parametrize("kind", sorted(set(media.KINDS) - set(media.WRITABLE)))
def test_what_has_no_writer_says_why(tmp_path: Path, kind: str) -> None:
    with pytest.raises(NoWriterError, match=REASONS[kind]) as caught:
        open_tags(media.make(tmp_path, kind))
    assert caught.value.path is not None


@pytest.mark.parametrize(
    "label", ["a;b", "a/b", "a,b", "", "  ", "a\nb", "a\0b", "a\x7f", "�", "\ud800"]
)
def test_a_label_that_readers_would_split_or_lose_is_rejected(tmp_path: Path, label: str) -> None:
    path = media.make(tmp_path, "flac")
    data = path.read_bytes()
    for field in ("mood", "genre", "probability:mood"):
        with pytest.raises(TagError):
            write(path, **{field: ["fine", label]})
    assert path.read_bytes() == data


def test_the_users_own_value_may_stay_beside_ours_whatever_is_in_it(tmp_path: Path) -> None:
    path = media.make(tmp_path, "flac")
    spell_oddly(path, "Happy, or / not; so")
    write(path, mood=["Happy, or / not; so", "calm"])
    assert open_tags(path).get("mood") == ["Happy, or / not; so", "calm"]


def test_the_strategy_is_chosen_by_content(tmp_path: Path) -> None:
    path = media.make(tmp_path / "really.mp3", "flac")
    assert open_tags(path).container == "flac"


def test_every_container_has_a_strategy_and_a_test() -> None:
    assert set(STRATEGIES) == {media.KINDS[kind].container for kind in media.WRITABLE}


# ------------------------------------------------------------------------- one container at a time


def test_a_dsf_whose_tag_mutagen_took_off_is_written_a_shortened_one_is_not(tmp_path: Path) -> None:
    """mutagen leaves the file's size in its first chunk as it was with the tag."""
    path = media.make(tmp_path, "dsf", seconds=0.1, foreign=True)
    mutagen.File(path).delete()
    audio = payload.audio_digest(path)
    write(path, mood=["happy"])
    assert open_tags(path).get("mood") == ["happy"] and payload.audio_digest(path) == audio
    assert struct.unpack("<Q", path.read_bytes()[12:20]) == (path.stat().st_size,)
    mutagen.File(path).delete()
    os.truncate(path, path.stat().st_size - 10)
    with pytest.raises(TagError, match="another size"):
        open_tags(path)


@pytest.mark.parametrize("kind", ["wav", "aiff", "dsf", "ogg", "opus", "m4a", "wma"])
def test_id3_in_front_of_what_has_a_header_of_its_own_is_refused(tmp_path: Path, kind: str) -> None:
    path = media.make(tmp_path, kind)
    path.write_bytes(rawid3.tag(3, rawid3.frames(3, title="A")) + path.read_bytes())
    assert payload.sniff(path) == media.KINDS[kind].container
    with pytest.raises(NoWriterError, match="in front"):
        open_tags(path)


@pytest.mark.parametrize("kind", ["ape", "wavpack", "musepack"])
def test_id3_in_front_of_an_ape_tag_s_file_stays(tmp_path: Path, kind: str) -> None:
    path = media.make(tmp_path, kind)
    tag = rawid3.tag(3, rawid3.foreign_frames(3))
    path.write_bytes(tag + path.read_bytes())
    assert "ape/in front" in open_tags(path).foreign()
    write(path, mood=["happy"])
    assert path.read_bytes().startswith(tag)
    assert open_tags(path).get("mood") == ["happy"]


def test_speex_comments_are_written(tmp_path: Path) -> None:
    head = b"Speex   1.2".ljust(36, b"\0") + struct.pack("<I", 16000) + b"\0" * 40
    pages = [head, comments.render(b"vendor", []), b"\0" * 20]
    path = tmp_path / "a.spx"
    data = b""
    for number, packet in enumerate(pages):
        page = OggPage()
        page.serial, page.sequence, page.packets = 7, number, [packet]
        page.first, page.last, page.position = number == 0, number == 2, 320 * (number == 2)
        data += page.write()
    path.write_bytes(data)
    audio = payload.audio_digest(path)
    write(path, mood=["happy", "calm"])
    assert OggSpeex(path)["mood"] == ["happy", "calm"]
    assert payload.audio_digest(path) == audio


def test_ogg_flac_that_taglib_has_saved_is_still_written(tmp_path: Path) -> None:
    """It leaves out the mark that says which block of metadata is the last."""
    import taglib

    path = media.make(tmp_path, "oggflac", foreign=True)
    audio = payload.audio_digest(path)
    write(path, mood=["happy", "calm"])
    with taglib.File(path, save_on_exit=True) as file:
        file.tags["TITLE"] = ["New"]
    assert open_tags(path).get("mood") == ["happy", "calm"]
    before = open_tags(path).foreign()
    write(path, mood=["dark", "sad", "angry" * 200])
    assert mutagen.File(path)["mood"] == ["dark", "sad", "angry" * 200]
    assert mutagen.File(path)["title"] == ["New"]
    assert open_tags(path).foreign() == before
    assert payload.audio_digest(path) == audio


def test_flac_keeps_id3_in_front_and_every_block(tmp_path: Path) -> None:
    path = media.make(tmp_path, "flac_id3", foreign=True)
    comments = mutagen.flac.FLAC(path)
    comments["title"] = ["A"]
    comments.save()
    data = path.read_bytes()
    start = data.index(b"fLaC")
    write(path, mood=["happy"])
    assert path.read_bytes()[:start] == data[:start]
    assert mutagen.flac.FLAC(path)["mood"] == ["happy"]


def test_flac_with_all_its_tags_in_front_gets_ours_there(tmp_path: Path) -> None:
    """A first comment would hide the title from FFmpeg and TagLib, which read ID3 where there is none."""
    path = media.make(tmp_path, "flac_id3", foreign=True)
    data = path.read_bytes()
    audio = payload.audio_digest(path)
    write(path, mood=["happy", "calm"])
    tag = rawid3.parse(path.read_bytes())
    assert b"\0MOOD\0happy; calm" in [frame.body for frame in tag.frames]
    assert path.read_bytes().endswith(data[data.index(b"fLaC") :])
    assert payload.audio_digest(path) == audio
    write(path, mood=[])
    assert rawid3.parse(path.read_bytes()).frames == rawid3.parse(data).frames
    assert open_tags(path).get("genre") == ["Classical/Piano"]


def test_flac_comments_are_followed_by_what_is_in_front(tmp_path: Path) -> None:
    """Ours went into ID3, then another program wrote comments: nothing of ours is out of reach."""
    path = media.make(tmp_path, "flac_id3", foreign=True)
    write(path, mood=["happy"])
    comments = mutagen.flac.FLAC(path)
    comments["title"] = ["A"]
    comments.save()
    assert open_tags(path).get("mood") == ["happy"]
    assert open_tags(path).get("genre") == ["Classical/Piano"]  # there is one: none is filled in
    before, audio = open_tags(path).foreign(), payload.audio_digest(path)
    write(path, mood=["calm"], theme=["film"])
    assert mutagen.flac.FLAC(path)["mood"] == ["calm"]
    bodies = [frame.body for frame in rawid3.parse(path.read_bytes()).frames]
    assert b"\0MOOD\0calm" in bodies and b"\0THEME\0film" not in bodies
    write(path, mood=[], theme=[])
    assert mutagen.flac.FLAC(path).tags == [("title", "A")]
    assert open_tags(path).foreign() == before and payload.audio_digest(path) == audio


@pytest.mark.parametrize(
    "front", [b"ID3\4\0\0\0\0\0\0", b"ID3\2\0\0\0\0\0\4abcd", b"ID3\4\0\x01\0\0\0\0"]
)
def test_flac_gets_comments_where_what_is_in_front_is_no_tag_to_write(
    tmp_path: Path, front: bytes
) -> None:
    path = media.make(tmp_path, "flac")
    path.write_bytes(front + path.read_bytes())
    write(path, mood=["happy"])
    assert path.read_bytes().startswith(front)
    assert mutagen.flac.FLAC(path)["mood"] == ["happy"]


def test_flac_uses_its_padding_so_that_no_audio_moves(tmp_path: Path) -> None:
    path = media.make(tmp_path, "flac", foreign=True)  # saved by mutagen, which leaves padding
    size = path.stat().st_size
    write(path, mood=["happy"], theme=["film"])
    assert path.stat().st_size == size


@pytest.mark.parametrize("kind", ["flac", "ogg", "opus", "oggflac"])
def test_vorbis_comments_that_are_no_text_keep_their_bytes(tmp_path: Path, kind: str) -> None:
    path = media.make(tmp_path, kind, foreign=True)
    plain = f"comment={media.COMMENT}".encode()
    strange = (
        b"comment=" + b"\xe9\xff" * (len(media.COMMENT) // 2) + b"!" * (len(media.COMMENT) % 2)
    )
    path.write_bytes(path.read_bytes().replace(plain, strange))
    if kind != "flac":
        repaired(path)
    before = open_tags(path).foreign()
    assert strange in before.values()
    write(path, mood=["happy"])
    assert open_tags(path).foreign() == before
    assert strange in path.read_bytes()


def repaired(path: Path) -> None:
    """Give every page of an Ogg file the checksum that its bytes now have."""
    with path.open("r+b") as file:
        while True:
            at = file.tell()
            try:
                page = OggPage(file)
            except EOFError:
                return
            file.seek(at)
            file.write(page.write())


@pytest.mark.parametrize("kind", ["ogg", "opus", "oggflac"])
def test_ogg_comments_may_grow_and_shrink_over_pages(tmp_path: Path, kind: str) -> None:
    path = media.make(tmp_path, kind, foreign=True, seconds=2)
    heard, audio, before = decoded(path), payload.audio_digest(path), open_tags(path).foreign()
    for count in (3000, 1, 0):
        write(path, mood=[f"a rather long mood, the {n}th".replace(",", "") for n in range(count)])
        assert len(open_tags(path).get("mood")) == count
        assert (decoded(path), payload.audio_digest(path)) == (heard, audio)
        assert open_tags(path).foreign() == before


@pytest.mark.parametrize("kind", ["ogg", "opus"])
def test_ogg_comments_that_shrink_leave_every_page_where_it_is(tmp_path: Path, kind: str) -> None:
    path = media.make(tmp_path, kind, foreign=True)
    write(path, mood=[f"mood {n}" for n in range(500)])
    size = path.stat().st_size
    write(path, mood=["happy"])
    assert path.stat().st_size == size


def test_ogg_flac_says_the_length_of_its_comments(tmp_path: Path) -> None:
    path = media.make(tmp_path, "oggflac", foreign=True)
    write(path, mood=["happy"])
    with path.open("rb") as file:
        packets = OggPage.to_packets([OggPage(file), OggPage(file)])
    assert int.from_bytes(packets[1][1:4], "big") == len(packets[1]) - 4


def test_ogg_comments_on_a_page_with_audio_are_refused(tmp_path: Path) -> None:
    """Its position in the sound would have to be computed anew."""
    path = media.make(tmp_path, "ogg")
    with path.open("r+b") as file:
        OggPage(file)
        page = OggPage(file)
        page.position = 5
        file.seek(page.offset)
        file.write(page.write())
    with pytest.raises(TagError, match="with audio"):
        open_tags(path)


def test_ogg_with_video_is_refused(tmp_path: Path) -> None:
    page = OggPage()
    page.first, page.serial, page.packets = True, 7, [b"\x80theora" + b"\0" * 35]
    path = media.make(tmp_path, "ogg")
    path.write_bytes(page.write() + path.read_bytes())
    with pytest.raises(NoWriterError, match="video"):
        open_tags(path)


@pytest.mark.parametrize("kind", ["m4a", "m4a_faststart", "alac"])
def test_mp4_sound_is_found_after_a_growth_of_its_tags(tmp_path: Path, kind: str) -> None:
    path = media.make(tmp_path, kind, foreign=True)
    heard, before = decoded(path), open_tags(path).foreign()
    write(path, mood=[f"mood {n}" for n in range(1000)])  # beyond all padding: the sound moves
    assert decoded(path) == heard
    assert open_tags(path).foreign() == before
    write(path, mood=[])
    assert decoded(path) == heard


def test_mp4_offsets_that_point_elsewhere_show_as_a_foreign_change(tmp_path: Path) -> None:
    path = media.make(tmp_path, "m4a_faststart")
    before = open_tags(path).foreign()
    data = bytearray(path.read_bytes())
    at = data.index(b"stco") + 12
    (offset,) = struct.unpack_from(">I", data, at)
    struct.pack_into(">I", data, at, offset + 1)
    path.write_bytes(data)
    assert open_tags(path).foreign() != before


@pytest.mark.parametrize("box", [b"mvhd", b"tkhd", b"mdhd", b"stsd", b"stts", b"stsz", b"ftyp"])
def test_mp4_a_change_in_what_describes_the_sound_shows(tmp_path: Path, box: bytes) -> None:
    path = media.make(tmp_path, "m4a")
    before = open_tags(path).foreign()
    data = bytearray(path.read_bytes())
    data[data.index(box) + 11] ^= 1
    path.write_bytes(data)
    assert open_tags(path).foreign() != before


def test_mp4_numbered_genre_is_read_kept_and_only_replaced_with_the_genre(tmp_path: Path) -> None:
    path = media.make(tmp_path, "m4a", foreign=True)
    data = path.read_bytes()
    numbered = b"\0\0\0\x1agnre\0\0\0\x12data\0\0\0\0\0\0\0\0\0\x12"  # 18: the 17th from 0, Rock
    title = data.index(b"\xa9nam") - 4
    # in the place of the free box behind the list, so that nothing else moves
    free = data.index(b"free", title)
    size = int.from_bytes(data[free - 4 : free], "big")
    ilst = data.index(b"ilst")
    smaller = (size - len(numbered)).to_bytes(4, "big") + b"free"
    data = data[: free - 4] + numbered + smaller + data[free + 4 + len(numbered) :]
    grown = int.from_bytes(data[ilst - 4 : ilst], "big") + len(numbered)
    path.write_bytes(data[: ilst - 4] + grown.to_bytes(4, "big") + data[ilst:])

    assert open_tags(path).get("genre") == ["Rock"]
    write(path, mood=["happy"])
    assert numbered in path.read_bytes()
    write(path, genre=["Rock", "Pop"])
    assert b"gnre" not in path.read_bytes()
    assert mutagen.File(path)["©gen"] == ["Rock", "Pop"]


EMPTY_META = b"\0\0\0\x2dmeta\0\0\0\0\0\0\0\x21hdlr" + b"\0" * 8 + b"mdirappl" + b"\0" * 9
CHAPTERS = b"\0\0\0\x1achpl\1\0\0\0\0\0\0\0\1" + b"\0" * 8 + b"\0"


@pytest.mark.parametrize(
    "inside",
    [None, b"", CHAPTERS, CHAPTERS + b"\0" * 4, EMPTY_META],
    ids=["no udta", "empty", "chapters", "quicktime", "meta"],
)
@pytest.mark.parametrize("kind", ["m4a", "m4a_faststart"])
def test_mp4_without_a_list_of_tags_gets_one(
    tmp_path: Path, kind: str, inside: bytes | None
) -> None:
    """No udta at all, an empty one, one with chapters, one that ends as QuickTime's do."""
    path = media.make(tmp_path, kind)
    heard, data = decoded(path), path.read_bytes()
    moov, udta = data.index(b"moov") - 4, data.index(b"udta") - 4
    size = int.from_bytes(data[udta : udta + 4], "big")
    new = b"" if inside is None else (8 + len(inside)).to_bytes(4, "big") + b"udta" + inside
    filler = b"" if kind == "m4a" else (size - len(new)).to_bytes(4, "big") + b"free"
    filler = filler.ljust(size - len(new), b"\0") if filler else b""  # so that no sound moves
    total = int.from_bytes(data[moov : moov + 4], "big") - size + len(new) + len(filler)
    data = data[:udta] + new + filler + data[udta + size :]
    path.write_bytes(data[:moov] + total.to_bytes(4, "big") + data[moov + 4 :])
    assert decoded(path) == heard
    before = open_tags(path).foreign()
    write(path, mood=["happy"])
    with av.open(str(path)) as container:  # mutagen cannot read the last of the four
        assert container.metadata["MOOD"] == "happy"
    assert open_tags(path).foreign() == before
    assert decoded(path) == heard
    assert not inside or inside[8:] in path.read_bytes()


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"", b"\0\0\0\x0cmeta\0\0\0\0", "iloc"),  # behind all else
        (b"stsc", b"saio", "encrypted"),
    ],
)
def test_mp4_with_offsets_that_tagkit_does_not_know_is_refused(
    tmp_path: Path, old: bytes, new: bytes, reason: str
) -> None:
    path = media.make(tmp_path, "m4a")
    data = path.read_bytes()
    path.write_bytes(data.replace(old, new) if old else data + new)
    with pytest.raises(NoWriterError, match=reason):
        open_tags(path)


def test_mp4_pictures_are_no_video(tmp_path: Path) -> None:
    """Chapter images are a track of stills: "video" to the format, and common in podcasts."""
    path = media.make(tmp_path, "mp4_video")
    path.write_bytes(path.read_bytes().replace(b"mp4v", b"jpeg"))
    assert open_tags(path).container == "mp4"


def test_mp4_boxes_with_long_sizes_grow_too(tmp_path: Path) -> None:
    path = media.make(tmp_path, "m4a")
    heard, data = decoded(path), path.read_bytes()
    moov = data.index(b"moov") - 4
    size = int.from_bytes(data[moov : moov + 4], "big")
    assert moov + size == len(data)  # the last box: nothing moves
    head = b"\0\0\0\1moov" + (size + 8).to_bytes(8, "big")
    path.write_bytes(data[:moov] + head + data[moov + 8 :])
    write(path, mood=[f"mood {n}" for n in range(200)])
    assert decoded(path) == heard
    assert len(open_tags(path).get("mood")) == 200


def test_mp4_in_fragments_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "fragments.m4a"
    with av.open(
        str(path), "w", format="ipod", options={"movflags": "frag_keyframe+empty_moov"}
    ) as out:
        stream = out.add_stream("aac", rate=44100, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = 44100
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    with pytest.raises(NoWriterError, match="fragment"):
        open_tags(path)


def test_asf_values_in_the_metadata_library_are_read_and_do_not_outlive_a_set(
    tmp_path: Path,
) -> None:
    path = media.make(tmp_path, "wma", foreign=True)
    file = mutagen.File(path)  # puts the first value into one object, the others into another
    file.tags["WM/Mood"] = [ASFUnicodeAttribute("one"), ASFUnicodeAttribute("two")]
    file.save()
    assert open_tags(path).get("mood") == ["one", "two"]
    write(path, mood=["new"])
    assert native(path)["WM/Mood"] == ["new"]


def test_asf_knows_its_own_size(tmp_path: Path) -> None:
    path = media.make(tmp_path, "wma")
    write(path, mood=["happy"])
    properties = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
    at = path.read_bytes().index(properties) + 24 + 16
    assert struct.unpack_from("<Q", path.read_bytes(), at) == (path.stat().st_size,)


def test_wav_keeps_its_other_chunks_and_odd_sizes(tmp_path: Path) -> None:
    path = media.make(tmp_path, "wav", seconds=0.01, channels=1)
    data = path.read_bytes()
    info = b"LIST" + struct.pack("<I", 16) + b"INFOINAM" + struct.pack("<I", 3) + b"abc\0"
    odd = b"junk" + struct.pack("<I", 3) + b"abc"  # and no padding byte at the end of the file
    body = data[8:] + info + odd
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    before = open_tags(path).foreign()
    write(path, mood=["happy"])
    assert open_tags(path).foreign() == before
    assert info + odd in path.read_bytes()
    assert mutagen.File(path)["TMOO"].text == ["happy"]
    write(path, mood=["happy", "calm"])
    assert mutagen.File(path)["TMOO"].text == ["happy", "calm"]


def test_wav_that_would_outgrow_its_header_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    data = media.make(tmp_path, "wav", seconds=0.1).read_bytes()
    total = 0xFFFFFFFE  # sparse: it takes no room on the disk
    sound = (total - 36).to_bytes(4, "little")
    path.write_bytes(b"RIFF" + total.to_bytes(4, "little") + data[8:40] + sound)
    os.truncate(path, total + 8)
    with pytest.raises(TagError, match="4 GiB"):
        write(path, mood=["happy"])
    assert path.stat().st_size == total + 8


def test_flac_with_two_blocks_of_comments_is_refused(tmp_path: Path) -> None:
    path = media.make(tmp_path, "flac")
    data = path.read_bytes()
    block = comments.render(b"vendor", [])
    second = b"\4" + len(block).to_bytes(3, "big") + block
    path.write_bytes(data[:42] + second * 2 + data[42:])  # behind "fLaC" and STREAMINFO
    with pytest.raises(TagError, match="two blocks"):
        open_tags(path)


def test_flac_comments_beyond_what_a_block_holds_are_left_alone(tmp_path: Path) -> None:
    path = media.make(tmp_path, "flac")
    data = path.read_bytes()
    with pytest.raises(TagError, match="longer than a block"):
        write(path, mood=["x" * (1 << 24)])
    assert path.read_bytes() == data


def test_wav_whose_header_ends_before_its_sound_is_refused(tmp_path: Path) -> None:
    """A tag would come to stand in front of the format."""
    path = media.make(tmp_path, "wav")
    data = path.read_bytes()
    path.write_bytes(data[:4] + struct.pack("<I", 4) + data[8:])
    with pytest.raises(TagError, match="before its sound"):
        open_tags(path)


def test_flac_keeps_what_lies_behind_its_comments(tmp_path: Path) -> None:
    path = media.make(tmp_path, "flac")
    write(path, theme=["film"])
    data, comment = path.read_bytes(), b"\x0a\0\0\0THEME=film"
    at = data.index(comment) + len(comment)
    head = data.index(b"\4", 42)  # behind "fLaC" and STREAMINFO
    size = int.from_bytes(data[head + 1 : head + 4], "big") + 4
    data = data[: head + 1] + size.to_bytes(3, "big") + data[head + 4 : at] + b"more" + data[at:]
    path.write_bytes(data)
    before, heard = open_tags(path).foreign(), decoded(path)
    write(path, mood=["happy"])
    assert open_tags(path).foreign() == before and before["vorbis/behind"] == b"more"
    assert decoded(path) == heard
    assert b"THEME=film\x0a\0\0\0MOOD=happymore" in path.read_bytes()


def test_flac_whose_picture_is_larger_than_a_block_can_say_is_refused(tmp_path: Path) -> None:
    """Some taggers wrote such ones: the size lost its upper bits, and nobody knows what is audio."""
    path = media.make(tmp_path, "flac")
    data = path.read_bytes()
    size = (1 << 24) + 50
    picture = b"\6" + (size % (1 << 24)).to_bytes(3, "big") + b"\x01" * size
    path.write_bytes(data[:42] + picture + data[42:])
    before = path.read_bytes()
    with pytest.raises(TagError):
        write(path, mood=["happy"])
    assert path.read_bytes() == before


def test_mp4_with_a_compressed_moov_is_refused(tmp_path: Path) -> None:
    path = media.make(tmp_path, "m4a")
    data = path.read_bytes()
    path.write_bytes(data.replace(b"trak", b"cmov"))
    with pytest.raises(NoWriterError, match="compressed"):
        open_tags(path)


def test_wav_beyond_32_bits_is_refused(tmp_path: Path) -> None:
    path = media.make(tmp_path, "wav")
    data = path.read_bytes()
    ds64 = b"ds64" + struct.pack("<IQQQI", 28, len(data) + 28, len(data) - 44, 0, 0)
    path.write_bytes(b"RF64" + b"\xff" * 4 + b"WAVE" + ds64 + data[12:])
    with pytest.raises(NoWriterError, match="RF64"):
        open_tags(path)


@pytest.mark.parametrize("kind", ["ape", "musepack"])
def test_an_ape_tag_of_131_bytes_is_not_taken_for_id3v1(tmp_path: Path, kind: str) -> None:
    """The letters TAG of its own "APETAGEX" then stand where an ID3v1 tag would begin."""
    path = media.make(tmp_path, kind)
    size = path.stat().st_size
    write(path, mood=["x" * (131 - 64 - 8 - len("Mood") - 1)])
    assert path.stat().st_size == size + 131
    write(path, mood=["calm"])
    assert open_tags(path).get("mood") == ["calm"]
    assert path.read_bytes().count(b"APETAGEX") == 2


@pytest.mark.parametrize("kind", ["wav", "aiff"])
def test_two_id3_chunks_are_refused(tmp_path: Path, kind: str) -> None:
    path = media.make(tmp_path, kind)
    order = "little" if kind == "wav" else "big"
    tag = rawid3.tag(4, rawid3.frames(4, title="A"))
    chunks = b"".join(name + len(tag).to_bytes(4, order) + tag for name in (b"id3 ", b"ID3 "))
    body = path.read_bytes()[8:] + chunks
    head = path.read_bytes()[:4] + len(body).to_bytes(4, order)
    path.write_bytes(head + body)
    with pytest.raises(TagError, match="two ID3 chunks"):
        open_tags(path)


def test_an_ape_tag_in_front_of_the_audio_is_refused(tmp_path: Path) -> None:
    path = media.make(tmp_path, "musepack")
    path.write_bytes(media.apev2_tag({"Title": ["A"]}) + path.read_bytes())
    with pytest.raises(NoWriterError, match="in front"):
        open_tags(path)


def test_flac_whose_metadata_does_not_end_at_a_frame_is_refused(tmp_path: Path) -> None:
    path = media.make(tmp_path, "flac", foreign=True)
    data = path.read_bytes()
    path.write_bytes(data[:-20000].replace(b"\xff\xf8", b"\0\0", 1))
    with pytest.raises(TagError, match="where the audio begins"):
        open_tags(path)


def test_an_ape_tag_of_version_1_is_refused(tmp_path: Path) -> None:
    path = media.make(tmp_path, "ape")
    tag = bytearray(media.apev2_tag({"Title": ["A"]})[32:])  # version 1 has no header
    struct.pack_into("<I", tag, len(tag) - 24, 1000)
    struct.pack_into("<I", tag, len(tag) - 12, 0)
    path.write_bytes(path.read_bytes() + tag)
    with pytest.raises(NoWriterError, match="version 1"):
        open_tags(path)
