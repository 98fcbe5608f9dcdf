"""Tables, playlists and pages: what strangers call things is text in whatever opens them."""

from __future__ import annotations

import csv
import io
import itertools
import json
import os
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from tagkit.cli import render
from tagkit.cli.main import app
from tagkit.data import manifest
from tagkit.data.dataset import Dataset, Track
from tagkit.evaluation.predictions import Predictions
from tagkit.library import deciding, playlist
from tagkit.strangers import cell, from_cell, path_cell
from tagkit.thresholds import Decision
from tagkit.vocab import Tag

FORMULAS = (
    *('=cmd|"/C calc"!A0', "+1+1", "-2+3", "@SUM(1)", "\t=1", "\r=1", "＝1+1", "＠x", "'=1"),
    *("=HYPERLINK(0)", "=1\n+2"),
)


def is_formula(text: str) -> bool:
    """What a spreadsheet computes: by how the cell begins."""
    return text[:1] in tuple("=+-@\t\r＝＋－＠") and text[:1] != ""


# ---------------------------------------------------------------------------------------- cells


@given(st.text() | st.sampled_from(FORMULAS) | st.text(alphabet="'=+-@ a\t"))
@settings(max_examples=300, deadline=None)
def test_no_cell_is_a_formula_and_each_comes_back(text: str) -> None:
    assert not is_formula(cell(text))
    assert from_cell(cell(text)) == text
    assert not is_formula(path_cell(text))


def test_an_honest_cell_stays_as_it_is() -> None:
    for text in ("happy", "AC/DC", "'til tomorrow", "80s", "r&b", "a=b", "x -y", "", " =1"):
        assert cell(text) == path_cell(text) == text


def _tracks(folder: Path) -> list[deciding.Track]:
    names = [*(name.replace("/", "∕") for name in FORMULAS), "x;=1+1", 'a";=1', "plain.mp3"]
    decisions = [Decision(name.lower(), "mood", 0.5) for name in FORMULAS]
    return [deciding.Track(folder / name, "0" * 32, 1.0, decisions, np.ones(1)) for name in names]


def test_the_csv_of_tag_holds_no_formula(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    tracks = _tracks(Path())
    tags = [Tag(decision.name, decision.category) for decision in tracks[0].decisions]
    list(render.csv_rows(tracks, tags, False))
    text = capsys.readouterr().out
    rows = list(csv.reader(io.StringIO(text)))
    assert len(rows) == 1 + len(tracks) * len(FORMULAS)
    assert not [word for row in rows for word in row if is_formula(word)]
    # A spreadsheet of another country splits at semicolons: the path is in quotes, and no tag has one.
    for line in text.splitlines():
        for word in next(csv.reader([line], delimiter=";")):
            assert not is_formula(word), line
    for row in rows[1:]:
        if row[0].isprintable() and "\\" not in row[0]:
            assert os.path.normpath(row[0]) in {str(track.path) for track in tracks}


def test_jsonl_is_a_line_of_json_each(capsys: pytest.CaptureFixture[str]) -> None:
    odd = ["\n", "\u2028", "\x85", "\udcff", '"', "\\", "\x00", "é"]
    tracks = [
        track._replace(path=Path(f"/x/a{c}b")) for c in odd for track in _tracks(Path("/"))[:1]
    ]
    tags = [Tag(decision.name, decision.category) for decision in tracks[0].decisions]
    list(render.jsonl(tracks, tags[:1], True))
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["path"] for line in lines] == [f"/x/a{c}b" for c in odd]


def _dataset(folder: Path, texts: tuple[str, ...]) -> Dataset:
    tags = (Tag("happy", "mood"), Tag("own", "genre"))
    tracks = tuple(
        Track(f"{n}", f"{name.replace('/', '_')}.mp3", "train", frozenset({"happy"}), name, name)
        for n, name in enumerate(texts)
    )
    return Dataset("x", folder, ("happy", "genre---own"), tags, tracks)


@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl"])
def test_a_written_manifest_holds_no_formula_and_says_the_same(ending: str, tmp_path: Path) -> None:
    texts = (*FORMULAS, "\x1b[2J", "'", "''=", 'a"b', "tab\there", "line\nline", "é")
    out = tmp_path / f"m.{ending}"
    manifest.write(_dataset(tmp_path, texts), out)
    if ending != "jsonl":
        delimiter = "\t" if ending == "tsv" else ","
        with out.open(newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file, delimiter=delimiter))
        assert not [word for row in rows for word in row if is_formula(word)]
    found = manifest.read(out).tracks
    assert [track.artist for track in found] == list(texts)
    assert [track.album for track in found] == list(texts)
    written = [f"{text.replace('/', '_')}.mp3" for text in texts]
    assert [os.path.normpath(track.path) for track in found] == written


# ------------------------------------------------------------------------------------- playlists


_LINES = st.text(alphabet=st.sampled_from("a#\n\r\u2028\u2029\x85\x0b\x0c\x1c\u202e\u2066: ./é"))


@given(names=st.lists(_LINES, min_size=1, max_size=4), titles=st.lists(_LINES, max_size=4))
@settings(max_examples=200, deadline=None)
def test_no_name_and_no_title_becomes_a_line_of_a_playlist(
    names: list[str], titles: list[str]
) -> None:
    entries = [
        playlist.Entry(Path(f"/m/{name.replace('/', '_')}x"), 1.0, title)
        for name, title in itertools.zip_longest(names, titles[: len(names)], fillvalue=None)
        if name is not None
    ]
    for home in (None, Path("/m")):
        lines = list(playlist.m3u8(entries, relative_to=home))
        assert len(lines) == 1 + 2 * len(entries)
        for extra, place, entry in zip(lines[1::2], lines[2::2], entries, strict=True):
            assert extra.startswith("#EXTINF:1,") and len(extra.splitlines()) == 1
            assert not place.startswith("#") and len(place.splitlines()) == 1
            assert not {"\u202e", "\u2066"} & set(extra + place)
            if place.startswith("file://"):
                assert unquote(place.removeprefix("file://")) == str(entry.path)
            else:
                assert os.path.normpath(Path("/m", place)) == os.path.normpath(entry.path)


# ----------------------------------------------------------------------------------------- pages


class _Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]


def test_a_report_is_text_only_whatever_its_names_say(tmp_path: Path) -> None:
    """The real command, over predictions from somebody else: also in the pictures."""
    names = (
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(2)>',
        "]]><svg onload=alert(3)>",
        "</text></svg><iframe src=//x>",
        "$\\frac{1}{0}$ &lt;b&gt; \x1b[2J\u202e",
        "{title}{0}%s",
    )
    rng = np.random.default_rng(0)
    found = Predictions(
        rng.random((60, len(names))).astype(np.float32),
        rng.random((60, len(names))) < 0.4,
        outputs=names,
        tags=tuple(Tag(name, "mood") for name in names),
        ids=names[:1] * 60,
        artists=names[:1] * 60,
        albums=("",) * 60,
        name=names[0] + names[1],
        thresholds=np.full(len(names), 0.5, np.float32),
    )
    found.save(tmp_path / "p.npz")
    words = ["eval", "--predictions", str(tmp_path / "p.npz"), "--resamples", "0"]
    done = CliRunner().invoke(app, [*words, "--report", str(tmp_path / "r.html")])
    assert done.exit_code == 0, done.output
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    page = _Page(text)
    assert not {"script", "img", "iframe", "object", "embed", "base", "link", "form"} & page.tags
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    linked = [value for name, value in page.attributes if name.endswith("href")]
    assert all(value.startswith(("#", "data:image/png;base64,")) for value in linked)
    assert (
        "content",
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:",
    ) in page.attributes
    assert "\x1b" not in text and "\u202e" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


def test_a_report_of_a_thousand_tags_and_one_is_refused_before_it_is_drawn(tmp_path: Path) -> None:
    count = 1_001
    names = tuple(f"t{n}" for n in range(count))
    found = Predictions(
        np.zeros((2, count), np.float32),
        np.eye(2, count, dtype=bool),
        outputs=names,
        tags=tuple(Tag(name, "mood") for name in names),
        ids=("a", "b"),
        artists=("", ""),
        albums=("", ""),
    )
    found.save(tmp_path / "p.npz")
    words = ["eval", "--predictions", str(tmp_path / "p.npz"), "--resamples", "0"]
    done = CliRunner().invoke(app, [*words, "--report", str(tmp_path / "r.html")])
    assert done.exit_code == 1 and "1,001 tags" in done.stderr
    assert not (tmp_path / "r.html").exists()
