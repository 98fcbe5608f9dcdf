"""The table of the full trust run says what its tests counted, and hides no failure."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.trust import size

sys.path.append(str(Path(__file__).parents[1] / "bench"))

import full_trust

RESULTS = """<testsuites><testsuite tests="4" failures="1" errors="1" skipped="1" time="12.5">
<testcase name="test_good"/>
<testcase name="test_kills"><failure message="a byte is lost&#10;and more">...</failure></testcase>
<testcase name="test_disks"><error message="no disk"/></testcase>
<testcase name="test_picard"><skipped message="Picard is not here"/></testcase>
</testsuite></testsuites>"""


def test_counts_of_a_part_add_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAGKIT_TRUST_COUNTS", str(tmp_path / "counts"))
    size.tell("kills", 1.25, kills=3, old_files=5, most_mebibytes=7)
    size.tell("clocks", 2.0, clocks=4)
    size.tell("kills", 1.0, kills=2, new_files=1, most_mebibytes=4)
    lines = (tmp_path / "counts").read_text().splitlines()
    assert [json.loads(line)["part"] for line in lines] == ["kills", "clocks", "kills"]
    kills, clocks = full_trust.read("\n".join(lines))
    assert kills.counts == {"kills": 5, "old_files": 5, "new_files": 1, "most_mebibytes": 7}
    assert kills.seconds == pytest.approx(2.2, abs=0.11)
    assert clocks.counts == {"clocks": 4}
    assert "5 kills, 5 old files, 7 most mebibytes, 1 new files" in full_trust.table(
        [kills, clocks]
    )


def test_nothing_is_counted_where_nobody_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TAGKIT_TRUST_COUNTS", raising=False)
    monkeypatch.chdir(tmp_path)
    size.tell("kills", 1.0, kills=1)
    assert list(tmp_path.iterdir()) == []


def test_what_did_not_pass_is_named(tmp_path: Path) -> None:
    (tmp_path / "results.xml").write_text(RESULTS)
    said = full_trust.verdict(tmp_path / "results.xml")
    assert said.startswith("4 tests in 12 s: 1 passed, 2 failed, 1 skipped\n")
    for line in (
        "test_kills: a byte is lost\n",
        "error: test_disks: no disk",
        "Picard is not here",
    ):
        assert line in said


def test_draws_are_told_by_the_seed_and_parts_do_not_disturb_each_other() -> None:
    first, other = size.draws("kills"), size.draws("clocks")
    other.random()
    assert first.random() == size.draws("kills").random() != size.draws("clocks").random()
