"""Programs that we did not write read what tagkit wrote: the right mood, in the right field, nothing else
changed.

:data:`SHOWN` is the table of what each of them shows of two moods, happy and calm. Most show a list;
where one shows the first alone, or joins, that is its way with every list of that format, and
the reason why tagkit writes the strongest mood first. :data:`BLIND` says who cannot read what.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

from tagkit.library.containers import open_tags
from tests import media

MOODS = ["happy", "calm"]
KINDS = {  # kind of file -> row of SHOWN
    "mp3_id3v24": "id3v24",
    "mp3_id3v23": "id3v23",
    "wav": "id3v24",
    "aiff": "id3v24",
    "dsf": "id3v24",
    "flac": "vorbis",
    "ogg": "vorbis",
    "oggflac": "vorbis",
    "opus": "vorbis",
    "m4a": "mp4",
    "alac": "mp4",
    "ape": "apev2",
    "wavpack": "apev2",
    "musepack": "apev2",
    "wma": "asf",
}
JOINED = ["happy; calm"]  # ID3v2.3 has no lists: this is what is there
SHOWN: dict[str, dict[str, list[str]]] = {
    "ffprobe": {
        "id3v24": ["happy"],
        "id3v23": JOINED,
        "vorbis": ["happy;calm"],
        "mp4": ["happy"],
        "apev2": ["happy"],
        "asf": ["calm"],  # of several attributes of a name it keeps the last
    },
    "exiftool": {
        "id3v24": ["happy/calm"],
        "id3v23": JOINED,
        "vorbis": MOODS,
        "mp4": MOODS,
        "apev2": ["happycalm"],  # it drops the null between them
        "asf": MOODS,
    },
    "kid3-cli": {
        "id3v24": ["happy|calm"],
        "id3v23": JOINED,
        "vorbis": MOODS,
        "mp4": ["happy|calm"],
        "apev2": ["happy"],
        "asf": MOODS,
    },
    "mediainfo": {
        "id3v24": ["happy"],
        "id3v23": JOINED,
        "vorbis": ["happy / calm"],
        "mp4": ["happy / calm"],
        "apev2": ["happy"],
        "asf": ["happy / calm"],
    },
    "mediafile": dict.fromkeys(("id3v24", "vorbis", "mp4", "apev2", "asf"), MOODS)
    | {"id3v23": JOINED},
    "taglib": dict.fromkeys(("id3v24", "vorbis", "mp4", "apev2", "asf"), MOODS)
    | {"id3v23": JOINED},
}
BLIND = {
    ("exiftool", "dsf"): "ExifTool reads no tags in DSF",
    ("exiftool", "wavpack"): "ExifTool reads no tags in WavPack",
    ("exiftool", "musepack"): "ExifTool reads no tags in Musepack SV8",
    ("mediainfo", "oggflac"): "MediaInfo shows no comments of Ogg FLAC",
    ("mediafile", "oggflac"): "mediafile does not support Ogg FLAC",
}


class Seen(NamedTuple):
    mood: list[str]
    others: dict[str, object]  # every other field, and what is said of the sound


def run(*command: str) -> str:
    # exiftool exits with 1 for the formats it does not know, and reports on the others
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.stdout, done.stderr
    return done.stdout


def absent(name: str) -> None:
    """In CI every reader must be there; elsewhere its test is skipped."""
    reason = f"{name} is not installed"
    pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)


def module(name: str) -> ModuleType:
    if importlib.util.find_spec(name) is None:
        absent(name)
    return importlib.import_module(name)


def sorted_out(fields: Iterable[tuple[str, str]], *mood: str) -> Seen:
    """Separate the fields named as mood from the others; a name may come several times."""
    found = Seen([], {})
    for name, value in fields:
        if name.casefold() in mood:
            found.mood.append(value)
        else:
            found.others[name] = [*found.others.get(name, []), value]  # type: ignore[misc]
    return found


def ffprobe(paths: list[Path]) -> list[Seen]:
    seen = []
    for path in paths:
        command = "ffprobe -v error -show_format -show_streams -show_chapters -of json"
        report = json.loads(run(*command.split(), str(path)))
        fields = dict(report["format"].get("tags", {}))
        for stream in report["streams"]:
            fields |= stream.get("tags", {}) | {"codec": stream["codec_name"]}
            fields |= {"duration": stream.get("duration", "")}
        fields["chapters"] = str(report["chapters"])
        seen.append(sorted_out(fields.items(), "mood", "tmoo", "wm/mood"))
    return seen


# what exiftool says of the file, not of its tags
_SIZES = ("System:", "File:", "ExifTool:", "Composite:", "SourceFile", "ASF:FileLength")


def exiftool(paths: list[Path]) -> list[Seen]:
    seen = []
    command = "exiftool -j -a -G1:4 -struct -charset filename=utf8".split()
    for report in json.loads(run(*command, *map(str, paths))):
        fields = []
        for key, value in report.items():
            if key.startswith(_SIZES) or key.endswith(("MediaDataOffset", "AudioBitrate")):
                continue
            name = key.split(":")[-1]
            for text in value if isinstance(value, list) else [value]:
                if name == "UserDefinedText" and str(text).startswith("(MOOD) "):
                    fields.append(("mood", str(text).removeprefix("(MOOD) ")))
                else:
                    fields.append((name, str(text)))
        found = sorted_out(fields, "mood")
        seen.append(
            Seen(sorted(found.mood, reverse=True), found.others)
        )  # the last one comes first
    return seen


def kid3(paths: list[Path]) -> list[Seen]:
    get = '{"method":"get","params":["all"]}'
    commands = [["-c", f"select {path.name}", "-c", get, "-c", "select none"] for path in paths]
    flat = [word for command in commands for word in command]
    seen = []
    for line in run("kid3-cli", *flat, str(paths[0].parent)).splitlines():
        if not line.startswith("{") or "taggedFile" not in line:
            continue
        tags = json.loads(line)["result"]["taggedFile"]
        frames = [
            f for key in ("tag1", "tag2", "tag3") for f in tags.get(key, {}).get("frames", [])
        ]
        fields = [(frame["name"], str(frame["value"])) for frame in frames]
        seen.append(sorted_out([*fields, ("format", tags["format"])], "mood"))
    return seen


# sizes of the file and its parts, what is computed from them, and when it was written
_MEDIAINFO_MOVES = (
    *("File", "HeaderSize", "FooterSize", "DataSize", "StreamSize", "OverallBitRate", "BitRate"),
)


def mediainfo(paths: list[Path]) -> list[Seen]:
    seen = []
    for report in json.loads(run("mediainfo", "--Output=JSON", *map(str, paths))):
        fields: list[tuple[str, str]] = []
        for track in report["media"]["track"]:
            extra: Any = track.get("extra", {})
            fields += [
                (key, str(value)) for key, value in (track | extra).items() if key != "extra"
            ]
        kept = [field for field in fields if not field[0].startswith(_MEDIAINFO_MOVES)]
        seen.append(sorted_out(kept, "mood", "wm_mood"))
    return seen


def mediafile(paths: list[Path]) -> list[Seen]:
    library = module("mediafile")
    field = library.ListMediaField(
        # as the documentation of beets asks for: the four native names
        *(library.MP3ListStorageStyle("TMOO"), library.MP3ListDescStorageStyle("MOOD")),
        library.MP4ListStorageStyle("----:com.apple.iTunes:MOOD"),
        library.ListStorageStyle("MOOD"),
        library.ASFStorageStyle("WM/Mood"),
    )
    with_mood = type("WithMood", (library.MediaFile,), {"mood": field})
    seen = []
    for path in paths:
        if ("mediafile", kind_of(path)) in BLIND:
            seen.append(Seen([], {}))
            continue
        file = with_mood(path)
        names = ("title", "artist", "artists", "genres", "date", "comments", "length", "images")
        others = {name: str(getattr(file, name)) for name in names if name != "images"}
        others["images"] = str([image.data for image in file.images or ()])
        seen.append(Seen(list(file.mood or ()), dict(others)))
    return seen


def taglib(paths: list[Path]) -> list[Seen]:
    library = module("taglib")
    seen = []
    for path in paths:
        with library.File(path) as file:
            fields = [(key, value) for key, values in file.tags.items() for value in values]
            fields += [("unsupported", name) for name in file.unsupported]
            fields += [("length", str(file.length)), ("rate", str(file.sampleRate))]
            seen.append(sorted_out(fields, "mood"))
    return seen


READERS: dict[str, Callable[[list[Path]], list[Seen]]] = {
    "ffprobe": ffprobe,
    "exiftool": exiftool,
    "kid3-cli": kid3,
    "mediainfo": mediainfo,
    "mediafile": mediafile,
    "taglib": taglib,
}


def kind_of(path: Path) -> str:
    return path.name.split("-")[0]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Path], list[Path]]:
    """Every kind of file before and after tagkit wrote its moods."""
    folders = tmp_path_factory.mktemp("before"), tmp_path_factory.mktemp("after")
    before, after = ([media.make(f, kind, foreign=True) for kind in KINDS] for f in folders)
    for path in after:
        tags = open_tags(path)
        tags.set("mood", MOODS)
        tags.save()
    return before, after


@pytest.fixture(scope="module", params=READERS)
def reader(
    request: pytest.FixtureRequest, library: tuple[list[Path], list[Path]]
) -> tuple[str, dict[str, tuple[Seen, Seen]]]:
    """One reader, and what it sees of every kind before and after, in two runs of it."""
    name = request.param
    if name not in ("mediafile", "taglib") and shutil.which(name) is None:
        absent(name)
    before, after = (READERS[name](paths) for paths in library)
    return name, dict(zip(KINDS, zip(before, after, strict=True), strict=True))


def test_it_sees_the_moods_where_it_looks_for_them_and_all_else_as_before(
    reader: tuple[str, dict[str, tuple[Seen, Seen]]],
) -> None:
    name, seen = reader
    for kind, (before, after) in seen.items():
        if (name, kind) in BLIND:
            assert after.mood == [], f"{name} has learnt to read {kind}: take it out of BLIND"
            continue
        assert after.mood == SHOWN[name][KINDS[kind]], f"{name} on {kind}"
        assert before.mood == []
        assert after.others == before.others, f"{name} on {kind}"
        assert before.others
