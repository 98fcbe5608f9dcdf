"""What payload promises: tags do not count, every byte of the audio does."""

from __future__ import annotations

import io
import itertools
import os
import random
import struct
import time
import tracemalloc
from pathlib import Path

import mutagen
import mutagen.flac
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutagen.id3 import APIC, COMM, TMOO, TXXX
from mutagen.ogg import OggPage

from tagkit.errors import AudioError
from tagkit.library.payload import PIECE, audio_digest, content_key, sniff
from tagkit.library.payload.source import Source
from tests import media, rawid3

KINDS = sorted(media.KINDS)
EDITABLE = sorted(name for name, kind in media.KINDS.items() if kind.container != "other")
SHORT = 0.2

quick = settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def make(folder: Path, kind: str, **options) -> Path:
    return media.make(folder, kind, seconds=SHORT, **options)


def marks(path: Path) -> tuple[str, str]:
    return audio_digest(path), content_key(path)


# ---------------------------------------------------------------------------------- tag edits


def edit(path: Path, text: str, picture: bytes | None, padding: int) -> None:
    """Set a mood, a title and a picture with mutagen, in whatever way the format has."""
    file = mutagen.File(path)
    if file.tags is None:
        file.add_tags()
    kind = type(file.tags).__name__
    if "ID3" in kind:
        file.tags.add(TMOO(3, [text]))
        file.tags.add(TXXX(3, "THEME", [text, "b"]))
        file.tags.add(COMM(3, "eng", "", [text]))
        if picture is not None:
            file.tags.add(APIC(3, "image/png", 3, "", picture))
    elif kind == "MP4Tags":
        file.tags["\xa9nam"] = [text]
        file.tags["----:com.apple.iTunes:MOOD"] = [text.encode(), b"x"]
        if picture is not None:
            file.tags["covr"] = [picture]
    else:
        for name in ("MOOD", "Title"):
            file.tags[name] = [text, "b"]
        if picture is not None and isinstance(file, mutagen.flac.FLAC):
            block = mutagen.flac.Picture()
            block.data = picture
            file.add_picture(block)
    try:
        file.save(padding=lambda _: padding)
    except TypeError:  # APEv2 has no padding
        file.save()


EDITS = st.tuples(
    st.sampled_from(["", "calm", "ü" * 300, "x" * 70_000, "y" * 300_000]),
    st.none() | st.sampled_from([b"", b"p" * 100, b"q" * 200_000]),
    st.sampled_from([0, 1, 1000, 100_000]),
)


@pytest.mark.parametrize("kind", EDITABLE)
def test_no_tag_edit_changes_digest_or_key(tmp_path, kind):
    @quick
    @given(st.lists(EDITS | st.just("delete"), min_size=1, max_size=3), st.booleans())
    def check(edits, foreign):
        path = make(tmp_path / f"x{media.KINDS[kind].suffix}", kind, foreign=foreign)
        before = marks(path)
        for change in edits:
            if change == "delete":
                mutagen.File(path).delete()
            else:
                edit(path, *change)
            assert marks(path) == before
            assert sniff(path) == media.KINDS[kind].container

    check()


# TagLib turns 2.2 into 2.4 by frames of its own, and clears the "last block" bit of FLAC in Ogg.
TAGLIB = [kind for kind in EDITABLE if kind != "oggflac"]


@pytest.mark.parametrize("kind", TAGLIB)
def test_nor_does_an_edit_by_another_library(tmp_path, kind):
    taglib = pytest.importorskip("taglib")
    path = make(tmp_path, kind, foreign=True)
    before = marks(path)
    for text in ("calm", "x" * 100_000, "calm"):
        with taglib.File(path) as file:
            file.tags["MOOD"] = [text]
            file.tags["TITLE"] = [text]
            assert not file.save()
        assert marks(path) == before


@pytest.mark.parametrize("kind", KINDS)
def test_two_recordings_differ_and_copies_do_not(tmp_path, kind):
    path, other = make(tmp_path, kind, seed=1), make(tmp_path, kind, seed=2)
    copy = tmp_path / "copy.xyz"
    copy.write_bytes(path.read_bytes())
    assert marks(copy) == marks(path)
    assert audio_digest(path) != audio_digest(other)
    assert content_key(path) != content_key(other)


# --------------------------------------------------------------------------------- audio edits

STARTS = {  # where the audio begins: just after the last of these bytes
    "wav": b"data",
    "aiff": b"SSND",
    "mp4": b"mdat",
    "asf": bytes.fromhex("3626b2758e66cf11a6d900aa0062ce6c"),
    "dsf": b"data",
}


def audio_offsets(path: Path, container: str) -> list[int]:
    """Offsets of bytes that are audio, without a word from the code under test."""
    data = path.read_bytes()
    if container in ("ogg", "opus"):
        bodies = []
        for page in range(len(data) - 27):
            if data[page : page + 4] == b"OggS" and data[page + 6 : page + 14] > bytes(8):
                first = page + 27 + data[page + 26]
                bodies.append(range(first, first + sum(data[page + 27 : first])))
        return [offset for body in bodies for offset in body]
    if container in STARTS:
        first = data.rindex(STARTS[container]) + 24
        size = int.from_bytes(data[first - 28 : first - 24], "big")
        last = first + size - 32 if container == "mp4" else len(data)
        return list(range(first, last))
    return list(range(len(data) // 2, len(data) - 400))  # before any tag at the end


@pytest.mark.parametrize("kind", KINDS)
def test_every_changed_byte_of_the_audio_changes_digest_and_key(tmp_path, kind):
    path = make(tmp_path, kind)
    data, before = path.read_bytes(), marks(path)
    offsets = audio_offsets(path, media.KINDS[kind].container)
    assert len(offsets) > 200
    small = path.stat().st_size < 3 * PIECE  # then the key is over all of it

    @settings(quick, max_examples=25)
    @given(st.sampled_from(offsets), st.integers(1, 255))
    def check(offset, change):
        path.write_bytes(data[:offset] + bytes([data[offset] ^ change]) + data[offset + 1 :])
        digest, key = marks(path)
        assert digest != before[0]
        assert key != before[1] or not small

    check()


def test_missing_audio_changes_digest_and_key(tmp_path):
    for kind in KINDS:
        path = make(tmp_path, kind)
        before = marks(path)
        os.truncate(path, path.stat().st_size * 2 // 3)
        assert audio_digest(path) != before[0], kind
        if kind not in ("m4a", "alac", "mp4_video"):  # these have their tables at the end
            assert content_key(path) != before[1], kind


def test_the_middle_of_a_large_file_is_in_the_key(tmp_path):
    path = tmp_path / "x.mp3"
    frame = make(tmp_path, "mp3").read_bytes()
    path.write_bytes(frame + bytes(1 << 20))
    before = content_key(path)
    data = bytearray(path.read_bytes())
    for offset in (10, len(data) // 2, len(data) - 300):
        changed = data.copy()
        changed[offset] ^= 1
        path.write_bytes(changed)
        assert content_key(path) != before
    path.write_bytes(data + bytes(1))
    assert content_key(path) != before


def test_a_codec_parameter_counts_in_the_digest(tmp_path):
    for kind, mark, offset in (
        ("flac", b"fLaC", 18),  # sample rate
        ("wav", b"fmt ", 12),
        ("aiff", b"COMM", 16),
        ("dsf", b"fmt ", 28),
        ("m4a", b"stsz", 40),  # the size of a packet
        ("m4a", b"stsd", 50),
        ("ogg", b"\x01vorbis", 12),
        ("opus", b"OpusHead", 10),
    ):
        path = make(tmp_path, kind)
        before = audio_digest(path)
        data = bytearray(path.read_bytes())
        data[data.index(mark) + offset] ^= 1
        path.write_bytes(data)
        assert audio_digest(path) != before, kind


# -------------------------------------------------------------------------------- tags all around


def lyrics3_v2() -> bytes:
    body = b"LYRICSBEGININD0000210LYR00005hello"
    return body + b"%06dLYRICS200" % len(body)


TAILS = {
    "id3v1": rawid3.id3v1("A", "B"),
    "enhanced": b"TAG+" + bytes(223) + rawid3.id3v1("A", "B"),
    "ape": media.apev2_tag({"Mood": ["calm"], "Title": ["x" * 5000]}),
    "ape without header": media.apev2_tag({"Mood": ["calm"]})[32:],
    "lyrics3 v1": b"LYRICSBEGIN[00:01]hello" + b"LYRICSEND",
    "lyrics3 v2": lyrics3_v2(),
    "id3v2 with footer": b"ID3\4\0\x10" + bytes(3) + b"\x05hello3DI\4\0\x10" + bytes(3) + b"\x05",
}
HEADS = {
    "id3v2.3": rawid3.tag(3, rawid3.frames(3, title="A")),
    "id3v2.4": rawid3.tag(4, rawid3.frames(4, title="B")),
    "id3v2.2": rawid3.tag(2, rawid3.frames(2, title="C")),
    "footer left standing": b"ID3\4\0\0" + bytes(3) + b"\x05hello3DI\4\0\0" + bytes(3) + b"\x05",
    "ape": media.apev2_tag({"Mood": ["calm"]}),
}


@pytest.mark.parametrize("kind", ["mp3", "ape", "wavpack", "musepack", "flac", "ogg", "aac"])
def test_tags_at_both_ends_are_no_audio_in_any_order(tmp_path, kind):
    path = make(tmp_path, kind)
    audio, before = path.read_bytes(), marks(path)
    heads, tails = (st.lists(st.sampled_from(sorted(t)), max_size=3) for t in (HEADS, TAILS))

    @settings(quick, max_examples=40)
    @given(heads, tails)
    def check(front, behind):
        path.write_bytes(
            b"".join(HEADS[n] for n in front) + audio + b"".join(TAILS[n] for n in behind)
        )
        assert marks(path) == before
        assert sniff(path) == media.KINDS[kind].container

    check()


def test_what_only_claims_to_be_a_tag_is_audio(tmp_path):
    path = tmp_path / "x.mp3"
    audio = make(tmp_path, "mp3").read_bytes()
    liars = [  # of each the content would be the last frames of the audio
        b"APETAGEX" + struct.pack("<IIII8x", 2000, 2000, 3, 0x80000000),
        b"APETAGEX" + struct.pack("<IIII8x", 2000, 2000, 0, 0x80000000),
        b"LYRICSBEGIN" + b"%06dLYRICS200" % 3000,
        b"3DI\4\0\x10\0\0\x0f\x0f",
    ]
    for liar in liars:
        path.write_bytes(audio + liar)
        before = audio_digest(path)
        path.write_bytes(audio[:-900] + bytes([audio[-900] ^ 1]) + audio[-899:] + liar)
        assert audio_digest(path) != before
    # the same for a tag in front that would reach over the end of the file, or is none
    for liar in (b"ID3\4\0\0\x7f\x7f\x7f\x7f", b"ID3\4\0\0\x80\0\0\0"):
        path.write_bytes(liar + audio)
        assert sniff(path) == "mp3"
        before = audio_digest(path)
        path.write_bytes(liar + audio[:900] + bytes([audio[900] ^ 1]) + audio[901:])
        assert audio_digest(path) != before


def test_samples_that_look_like_a_tag_are_audio(tmp_path):
    path = make(tmp_path, "wav")
    data = path.read_bytes()
    path.write_bytes(data[:-128] + b"TAG" + data[-125:])
    before = audio_digest(path)
    path.write_bytes(data[:-128] + b"TAG" + data[-125:-1] + b"\x55")
    assert audio_digest(path) != before


# ------------------------------------------------------------------------------------ containers


def chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def test_wav_chunks_of_any_kind_and_place_are_no_audio(tmp_path):
    path = make(tmp_path, "wav")
    data = path.read_bytes()
    before = marks(path)
    at = data.index(b"data")
    info = chunk(b"LIST", b"INFO" + chunk(b"IART", b"odd"))
    for front, behind in itertools.product((b"", info, chunk(b"id3 ", b"ID3 odd")), repeat=2):
        body = data[8:at] + front + data[at:] + behind
        path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
        assert marks(path) == before


def test_rf64_says_its_size_elsewhere(tmp_path):
    path = make(tmp_path, "wav")
    data = path.read_bytes()
    before = marks(path)
    at = data.index(b"data")
    size = struct.unpack_from("<I", data, at + 4)[0]
    ds64 = chunk(b"ds64", struct.pack("<QQQI", len(data), size, 0, 0))
    body = ds64 + data[12:at] + b"data\xff\xff\xff\xff" + data[at + 8 :] + chunk(b"id3 ", b"x")
    path.write_bytes(b"RF64\xff\xff\xff\xffWAVE" + body)
    assert sniff(path) == "wav"
    assert marks(path) == before


@pytest.mark.parametrize("kind", ["m4a", "m4a_faststart"])
def test_mp4_offsets_that_point_elsewhere_are_changed_audio(tmp_path, kind):
    path = make(tmp_path, kind)
    digest, key = marks(path)
    data = bytearray(path.read_bytes())
    data[data.index(b"stco") + 15] ^= 1
    path.write_bytes(data)
    assert audio_digest(path) != digest
    assert content_key(path) == key


def test_mp4_in_fragments(tmp_path):
    path = tmp_path / "x.m4a"
    encode = media._av(
        "mp4", "aac", options={"movflags": "empty_moov+frag_every_frame"}, rates=(44100,)
    )
    encode(path, media.sound(SHORT, 44100, 2, 0), 44100, 0)
    data = path.read_bytes()
    assert data.count(b"moof") > 3
    digest, key = marks(path)
    edit(path, "x" * 70_000, None, 0)
    # mutagen 1.48.1 corrects only the first fragment's offset: the file no longer decodes.
    assert audio_digest(path) != digest
    assert content_key(path) == key
    edited = bytearray(path.read_bytes())
    at = 0
    while (at := edited.find(b"moof", at + 1)) > 0:  # here every fragment counts from itself
        struct.pack_into(">Q", edited, edited.index(b"tfhd", at) + 12, at - 4)
    path.write_bytes(edited)
    assert marks(path) == (digest, key)


def test_ogg_streams_chained_and_side_by_side(tmp_path):
    path = tmp_path / "x.ogg"
    one, two = (make(tmp_path, "ogg", seed=n).read_bytes() for n in (1, 2))
    path.write_bytes(one + two)
    chained = marks(path)
    edit(path, "x" * 300_000, None, 0)
    assert marks(path) == chained

    parts = [pages(one), pages(two)]
    beginnings = [part.pop(0) for part in parts]
    headers = [part.pop(0) for part in parts]
    mixed = [page for both in itertools.zip_longest(*parts, fillvalue=b"") for page in both]
    path.write_bytes(b"".join([*beginnings, *headers, *mixed]))
    multiplexed = marks(path)
    for text in ("x" * 300_000, "calm"):
        edit(path, text, None, 0)
        assert marks(path) == multiplexed


def test_ogg_pages_that_were_cut_differently_or_lost_count_as_changed(tmp_path):
    path = make(tmp_path, "opus")
    whole = pages(path.read_bytes())
    before = audio_digest(path)
    path.write_bytes(b"".join(whole[:-2] + whole[-1:]))
    assert audio_digest(path) != before
    granule = bytearray(whole[-1])
    granule[6] ^= 1
    path.write_bytes(b"".join([*whole[:-1], granule]))
    assert audio_digest(path) != before


def test_ogg_pages_that_a_decoder_would_drop_count_as_changed(tmp_path):
    path = make(tmp_path, "ogg")
    whole = pages(path.read_bytes())
    digest, key = marks(path)
    for position in (0, 1, len(whole) - 1):
        damaged = bytearray(whole[position])
        damaged[22] ^= 1  # the checksum
        path.write_bytes(b"".join([*whole[:position], damaged, *whole[position + 1 :]]))
        assert audio_digest(path) != digest
        assert content_key(path) == key
    last_header = next(n for n, page in enumerate(whole) if page[6:14] > bytes(8)) - 1
    page = OggPage(io.BytesIO(whole[last_header]))
    page.sequence += 1  # as if the audio had not been numbered anew
    path.write_bytes(b"".join([*whole[:last_header], page.write(), *whole[last_header + 1 :]]))
    assert audio_digest(path) != digest
    assert content_key(path) == key


def pages(data: bytes) -> list[bytes]:
    found = []
    while data:
        length = 27 + data[26] + sum(data[27 : 27 + data[26]])
        found.append(data[:length])
        data = data[length:]
    return found


# ------------------------------------------------------------------------------------------ sniff


@pytest.mark.parametrize("kind", KINDS)
def test_the_container_is_known_by_content_through_a_tag_and_a_wrong_name(tmp_path, kind):
    made = make(tmp_path, kind)
    path = tmp_path / "wrong.txt"
    for front in (b"", HEADS["id3v2.4"], HEADS["id3v2.3"] + HEADS["id3v2.4"]):
        path.write_bytes(front + made.read_bytes())
        assert sniff(path) == media.KINDS[kind].container


def test_mp3_behind_junk_is_mp3_and_noise_is_nothing(tmp_path):
    path = tmp_path / "x"
    audio = make(tmp_path, "mp3").read_bytes()
    path.write_bytes(bytes(3000) + b"\xff\xfb junk" + audio)
    assert sniff(path) == "mp3"
    generator = random.Random(7)
    for length in (0, 1, 3, 10, 500, 5000, 70_000):
        path.write_bytes(generator.randbytes(length))
        assert sniff(path) == "other"
        assert len(audio_digest(path)) == 64
        assert len(content_key(path)) == 32


# ------------------------------------------------------------------------------ broken and hostile


@pytest.mark.parametrize("kind", KINDS)
def test_a_broken_file_gives_an_answer_soon_and_in_little_memory(tmp_path, kind):
    path = make(tmp_path, kind, foreign=kind in media.WRITABLE)
    data = path.read_bytes()
    head = min(len(data), 3000)

    @settings(quick, max_examples=30)
    @given(st.data())
    def check(draw):
        broken = bytearray(data)
        for _ in range(draw.draw(st.integers(1, 4))):
            at = draw.draw(st.integers(0, head - 9) | st.integers(0, len(data) - 9))
            broken[at : at + 8] = draw.draw(
                st.binary(min_size=8, max_size=8)
                | st.sampled_from([b"\xff" * 8, bytes(8), b"\0" * 7 + b"\1", b"\x7f" + b"\xff" * 7])
            )
        path.write_bytes(broken[: draw.draw(st.just(len(data)) | st.integers(0, len(data)))])
        begun = time.monotonic()
        tracemalloc.start()
        assert len(audio_digest(path)) == 64
        assert len(content_key(path)) == 32
        assert sniff(path)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 32 << 20
        assert time.monotonic() - begun < 30

    check()


GIANT = {
    "wav": b"RIFF\xff\xff\xff\xffWAVEfmt \xff\xff\xff\xff",
    "rf64": b"RF64\xff\xff\xff\xffWAVEds64\x1c\0\0\0" + b"\x7f" * 28 + b"data\xff\xff\xff\xff",
    "aiff": b"FORM\xff\xff\xff\xffAIFFSSND\xff\xff\xff\xff",
    "mp4": b"\0\0\0\x08ftyp\0\0\0\1moov" + b"\x0f" * 8 + b"\0\0\0\1mdat" + b"\x7f" * 8,
    "flac": b"fLaC\x00\xff\xff\xff",
    "dsf": b"DSD " + b"\x7f" * 24 + b"fmt " + b"\x7f" * 8,
    "asf": bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c") + b"\x7f" * 8,
    "ogg": b"OggS\0\2" + bytes(20) + b"\xff" + b"\xff" * 255,
    "id3": b"ID3\4\0\0\x7f\x7f\x7f\x7f",
}


@pytest.mark.parametrize("name", sorted(GIANT))
def test_a_giant_declared_size_is_not_believed(tmp_path, name):
    path = tmp_path / "x"
    path.write_bytes(GIANT[name] + bytes(100))
    tracemalloc.start()
    before = marks(path)
    assert tracemalloc.get_traced_memory()[1] < 4 << 20
    tracemalloc.stop()
    path.write_bytes(GIANT[name] + bytes(99) + b"\1")
    assert audio_digest(path) != before[0]


@pytest.mark.parametrize(
    ("head", "item"),
    [
        (b"RIFF\0\0\0\0WAVE", b"junk\0\0\0\0"),
        (b"\0\0\0\x08ftyp", b"\0\0\0\x08free"),
        (b"fLaC", b"\1\0\0\0"),
    ],
)
def test_countless_empty_chunks_do_not_keep_it_busy(tmp_path, head, item):
    path = tmp_path / "x"
    path.write_bytes(head + item * 200_000)
    begun = time.process_time()
    marks(path)
    assert time.process_time() - begun < 10


@pytest.mark.parametrize("kind", ["mp3", "wav", "aiff", "m4a", "flac", "ogg", "dsf", "wma", "mka"])
def test_the_key_of_a_large_file_reads_a_few_pieces(tmp_path, kind, monkeypatch):
    path = make(tmp_path, kind)
    data = bytearray(path.read_bytes())
    size = 50 << 20
    for mark, at, layout in (
        (b"data", 4, "<I") if kind == "wav" else (b"data", 4, "<Q"),
        (b"SSND", 4, ">I"),
        (b"mdat", -4, ">I"),
        (STARTS["asf"], 16, "<Q"),
    ):
        if kind in ("wav", "aiff", "m4a", "dsf", "wma") and mark in data:
            struct.pack_into(layout, data, data.rindex(mark) + at, size)
    path.write_bytes(data)
    os.truncate(path, size)

    read = []
    at = Source.at
    monkeypatch.setattr(Source, "at", lambda s, o, n: read.append(n) or at(s, o, n))
    content_key(path)
    assert sum(read) < 500_000
    assert len(read) < 200


def test_what_is_no_readable_file_is_an_audio_error(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path, tmp_path / "gone", tmp_path / "fifo", Path("a\0b"), "/dev/null"):
        for ask in (sniff, audio_digest, content_key):
            with pytest.raises(AudioError) as raised:
                ask(path)
            assert raised.value.path == os.fspath(path)


def test_a_file_that_shrinks_while_it_is_read_is_an_audio_error(tmp_path, monkeypatch):
    path = make(tmp_path, "mp3")
    blocks = Source.blocks

    def shrink(source, span):
        os.truncate(path, 100)
        return blocks(source, span)

    monkeypatch.setattr(Source, "blocks", shrink)
    with pytest.raises(AudioError):
        audio_digest(path)


@pytest.mark.parametrize("kind", ["ape", "musepack", "wavpack", "mp3"])
def test_an_ape_tag_of_131_bytes_is_no_id3v1(kind: str, tmp_path: Path) -> None:
    """Its APETAGEX then has its TAG just where an ID3v1 would start."""
    path = media.make(tmp_path, kind)
    before = audio_digest(path), content_key(path)
    items = {"Mood": ["x" * (131 - 64 - 8 - len("Mood") - 1)]}
    tag = media.apev2_tag(items)
    assert len(tag) == 131
    path.write_bytes(path.read_bytes() + tag)
    assert (audio_digest(path), content_key(path)) == before
