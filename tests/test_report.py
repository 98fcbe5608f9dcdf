"""The report is one page that holds everything, asks nobody, and runs nothing that a name says."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from tagkit.errors import DataError, UsageError
from tagkit.evaluation import drawing, plots
from tagkit.evaluation.report import render, write_report
from tagkit.evaluation.scores import Scores, Settings, score
from tagkit.vocab import Tag
from tests.evaluation import made_up, published

VOID = {"meta", "link", "br", "img", "input", "hr"}


class Page(HTMLParser):
    """Collects what a browser would find, and fails on tags that do not close."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: dict[str, int] = {}
        self.attributes: list[tuple[str, str, str]] = []
        self.cells: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen[tag] = self.seen.get(tag, 0) + 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen[tag] = self.seen.get(tag, 0) + 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-1:]}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if self.open:
            self.cells.append(data)


def scored(**parts: object) -> Scores:
    test = made_up(train_counts=np.array([900, 300, 200, 100, 10]), **parts)
    validation = made_up(seed=1, outputs=test.outputs, tags=test.tags)
    return score(test, validation, Settings(resamples=20))


@cache
def plain() -> tuple[Scores, str]:
    found = scored()
    return found, "".join(render(found))


def test_the_page_of_the_published_ensemble(tmp_path: Path) -> None:
    found = score(published("test"), published("validation"), Settings(resamples=20))
    write_report(found, tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert len(text.encode()) < 3_000_000
    page = Page(text)
    assert page.seen["svg"] == 6
    for value in ("0.1610", "0.7812", "0.0319", "0.1867"):
        assert value in page.cells
    for tag in published("test").outputs:
        assert tag in page.cells
    for heading in ("Groups of tags", "Tags", "Curves", "Thresholds", "Calibration", "Every tag"):
        assert heading in page.cells


def test_it_asks_nobody() -> None:
    page = Page(plain()[1])
    assert not {"script", "link", "iframe", "img", "object", "base", "form"} & set(page.seen)
    for tag, name, value in page.attributes:
        assert not name.startswith("on"), (tag, name)
        if name in ("href", "src", "xlink:href"):
            assert value.startswith(("#", "data:image/png;")), (tag, name, value)
        assert "url(http" not in value
    assert "@import" not in "".join(page.cells)


EVIL = (
    '<script>alert("tag")</script>',
    "</text></svg><img src=x onerror=alert(1)>",
    "$\\frac{1}{$ & ]]> --> {title}",
    "楽しい \x00\x1b[31m\udc80",
    '" onload="alert(2)',
)


def test_what_names_say_is_text() -> None:
    given = scored(
        name="<b>model</b><script>1</script>",
        outputs=EVIL,
        tags=tuple(Tag(name, "mood") for name in EVIL),
        artists=('<img src=y onerror="alert(3)">',) * 120,
    )
    given = replace(given, notes=("<script>note</script>", *given.notes))
    text = "".join(render(given))
    text.encode()
    page = Page(text)
    assert not {"script", "img", "b"} & set(page.seen)
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", text)
    assert EVIL[0] in page.cells and "<b>model</b><script>1</script>" in page.cells


def test_light_and_dark_read_alike() -> None:
    found, text = plain()
    assert "color-scheme: light dark" in text and drawing.INK not in text
    svg = plots.calibration(found)
    assert "currentColor" in svg and "#ffffff" not in svg.lower()


def test_equal_scores_make_an_equal_page() -> None:
    found, text = plain()
    assert "".join(render(found)) == text


def test_a_page_of_little() -> None:
    """One tag, few tracks, no validation, no artists, no training counts."""
    given = made_up(8).keep_tags([0])
    page = Page("".join(render(score(given, None, Settings(resamples=0)))))
    assert page.seen["svg"] >= 4
    every = replace(given, labels=np.ones((8, 1), bool))
    Page("".join(render(score(every, None, Settings(resamples=5)))))


def test_names_lose_their_category_only_where_they_stay_apart() -> None:
    assert plots.labels(plain()[0])[:2] == ["happy", "sad"]
    twins = ("mood---x", "genre---x", "a", "b", "c")
    assert plots.labels(scored(outputs=twins))[:2] == ["mood---x", "genre---x"]


def test_false_positives_are_counted_by_what_the_tracks_have() -> None:
    labels = np.array([[0, 1, 1], [0, 1, 0], [1, 0, 0], [0, 0, 0]], bool)
    said = np.array([[0.9, 0, 0], [0.9, 0, 0], [0.9, 0, 0.9], [0, 0, 0.9]], np.float32)
    given = made_up(4).keep_tags([0, 1, 2])
    given = replace(given, labels=labels, scores=said, thresholds=np.full(3, 0.5))
    found = score(given, None, Settings(resamples=0))
    shares = plots.wrongly_given(found, found.decided[0])
    # The first tag was wrong on two tracks: both have the second, one the third.
    np.testing.assert_allclose(shares, [[0, 1, 0.5], [0, 0, 0], [0.5, 0, 0]])


def test_curves_are_thinned_along_their_length() -> None:
    x = np.concatenate([np.linspace(0, 0.01, 5000), np.linspace(0.01, 1, 100)])
    thin, same = drawing.thinned(x, x)
    assert len(thin) == 160 and np.array_equal(thin, same)
    assert (thin[0], thin[-1]) == (0, 1) and np.diff(thin).max() < 0.03


def test_without_matplotlib_the_way_to_get_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(UsageError, match="matplotlib") as caught:
        drawing.require()
    assert "pip install 'tagkit[report]'" in str(caught.value)


def test_a_page_that_cannot_be_written_leaves_what_was_there(tmp_path: Path) -> None:
    given = score(made_up(8).keep_tags([0]), None, Settings(resamples=0))
    for place in (tmp_path, tmp_path / "absent" / "report.html"):
        with pytest.raises(DataError, match="cannot be written"):
            write_report(given, place)
