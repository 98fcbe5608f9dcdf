"""Published tables come out again, and a table that would not is told apart."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from tagkit.cli.reproduce import reproduce as command
from tagkit.errors import DataError, UsageError
from tagkit.evaluation.reproduce import philtgun, reproduce
from tagkit.evaluation.reproduce.table import Figure, Folders, Table, printed, row
from tests.shared import shared

PAGE = Path(__file__).parents[1] / "docs" / "reproduce.md"
APP = typer.Typer()
APP.command()(command)


def run(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(APP, [str(argument) for argument in arguments])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout


def on_the_page(publication: str) -> str:
    """The output that docs/reproduce.md shows below its command."""
    pattern = rf"tagkit eval reproduce {publication} .*?```\n+```text\n(.*?)```"
    found = re.search(pattern, PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found, publication
    return found[1]


@pytest.fixture(scope="module")
def focal() -> tuple[int, str]:
    return run("focal-paper", "--data", shared("predictions", "usc-sail-2020"))


def test_the_focal_papers_tables_come_out_as_the_page_shows(focal: tuple[int, str]) -> None:
    code, text = focal
    assert (code, text) == (0, on_the_page("focal-paper"))


def test_every_figure_of_the_focal_paper_with_predictions_is_equal(focal: tuple[int, str]) -> None:
    lines = [line for line in focal[1].splitlines() if re.search(r"\d\.\d{3}", line)]
    rows = [line for line in lines if not line.startswith("  ")]
    assert sum(line.endswith("equal") for line in rows) == 7 + 5 + 5 + 3 + 2
    assert sum("another team's" in line for line in rows) == 3
    assert not any("differs" in line for line in rows)


def test_mtgs_results_come_out_as_the_page_shows() -> None:
    code, text = run("mtg-baseline", "--data", shared("predictions", "mtg-baseline"))
    assert (code, text) == (0, on_the_page("mtg-baseline"))


def test_runs_without_files_are_published_only(tmp_path: Path) -> None:
    code, text = run("philtgun", "--data", tmp_path)
    assert (code, text) == (0, on_the_page("philtgun"))


def test_what_is_stated_of_the_cross_dataset_runs_is_what_was_measured() -> None:
    measured = json.loads(shared("golden", "metrics_philtgun.json").read_text())
    assert set(measured) == set(philtgun.STATED)
    for run_name, figures in measured.items():
        values = [f"{figures[key]:.6f}" for key in ("roc", "ap", "trap", "micro_roc")]
        assert list(philtgun.STATED[run_name].values()) == values
        assert (figures["rows"], figures["labels"]) == (philtgun.ROWS, philtgun.TAGS)


def write_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of four tracks and two tags whose figures can be worked by hand."""
    monkeypatch.setattr(philtgun, "ROWS", 4)
    monkeypatch.setattr(philtgun, "TAGS", 2)
    folder.mkdir(parents=True)
    # Names with a tab and a comma, as the repository's.
    (folder / "est.csv").write_text(
        "0\tf/a.mp3,0.9,0.1\n1\tf/b,c.mp3,0.8,0.9\n2\tf/d.mp3,0.3,0.2\n3\tf/e.mp3,0.1,0.3\n"
    )
    (folder / "gt.csv").write_text("a,1.0,0.0\nb,0.0,1.0\nd,1.0,0.0\ne,0.0,0.0\n")


def test_a_run_is_scored_from_its_two_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "test-mtat-train-mtat-musicnn"
    write_run(tmp_path / "results" / name, monkeypatch)
    [table] = reproduce("philtgun", Folders(tmp_path))
    found = {line.name: line for line in table.rows}[name]
    # Tag 1: + - + -: ROC 3/4, AP (1 + 2/3) / 2. Tag 2 is perfect. Micro: of 3 × 5 pairs, .9 (first
    # tag) ties with .9, so three positives beat 5, 5 and 3 (below .3: .1, .2, .1; .3 ties) and a half.
    assert found.figures["ROC-AUC"].computed == pytest.approx((0.75 + 1) / 2)
    assert found.figures["PR-AUC"].computed == pytest.approx((5 / 6 + 1) / 2)
    assert found.figures["ROC-AUC micro"].computed == pytest.approx((5 + 5 + 3.5) / 15)
    assert found.verdict == "differs"
    assert table.differs


@pytest.mark.parametrize(
    "text", ["a,1,0\n", "a,1\nb,0\nc,1\nd,1\n", "a,x,0\n" * 4, "a,nan,0\n" * 4]
)
def test_a_damaged_run_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    folder = tmp_path / "test-mtat-train-msd-boc"
    write_run(folder, monkeypatch)
    (folder / "est.csv").write_text(text)
    with pytest.raises(DataError, match=r"est\.csv"):
        reproduce("philtgun", Folders(tmp_path))


def test_print_rounds_or_truncates() -> None:
    assert Figure("0.107", 0.1077).verdict == "differs"
    assert Figure("0.107", 0.1077, truncated=True).verdict == "equal"
    assert Figure("0.108", 0.1077).recomputed == "0.108"
    assert Figure(None, 0.123456).recomputed == "0.12346"
    assert Figure("0.1").verdict == "published only"


def test_one_figure_that_differs_makes_the_row_differ() -> None:
    line = row("x", {"a": "0.1", "b": "0.2"}, {"a": 0.1, "b": 0.3})
    assert line.verdict == "differs"
    assert Table("t", [line]).differs
    assert row("x", {"a": "0.1"}, {"a": 0.1}).verdict == "equal"


def test_printed_tables_are_read_row_by_row() -> None:
    found = printed(("a", "b"), "\n  one row   0.1 0.2\n  two 0.3 0.4\n")
    assert found == {"one row": {"a": "0.1", "b": "0.2"}, "two": {"a": "0.3", "b": "0.4"}}


def copied(tmp_path: Path) -> Path:
    """MTG's folder, writable."""
    source = shared("predictions", "mtg-baseline")
    folder = tmp_path / "mtg"
    folder.mkdir()
    for file in source.iterdir():
        shutil.copyfile(file, folder / file.name)
    return folder


def test_another_figure_than_print_ends_with_exit_code_1(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    results = folder / "baseline_vggish_results.tsv"
    results.write_text(results.read_text().replace("0.107734", "0.107735"))
    code, text = run("mtg-baseline", "--data", folder, "--format", "json")
    assert code == 1
    rows = {line["row"]: line for line in json.loads(text)[0]["rows"]}
    assert rows["PR-AUC-macro"]["verdict"] == "differs"
    figure = rows["PR-AUC-macro"]["figures"]["vggish"]
    assert (figure["published"], figure["recomputed"]) == ("0.107735", "0.107734")
    assert rows["ROC-AUC-macro"]["verdict"] == "equal"


def test_missing_and_damaged_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"test_ground_truth\.npy"):
        reproduce("focal-paper", Folders(tmp_path))
    with pytest.raises(UsageError, match="focal-paper"):
        reproduce("focal", Folders(tmp_path))
    folder = copied(tmp_path)
    np.save(folder / "baseline_popular_decisions.npy", np.zeros((3, 56), bool))
    with pytest.raises(DataError, match=r"popular_decisions.*\(3, 56\)"):
        reproduce("mtg-baseline", Folders(folder))


def test_a_folder_with_the_truth_alone_is_published_only(tmp_path: Path) -> None:
    source = shared("predictions", "usc-sail-2020", "test_ground_truth.npy")
    shutil.copyfile(source, tmp_path / source.name)
    found = reproduce("focal-paper", Folders(tmp_path))
    assert {line.verdict for table in found for line in table.rows} == {"published only"}
    notes = [line.note for table in found for line in table.rows]
    assert notes.count("no bce_predictions.npy") == 4  # two losses, two means of losses
    assert "no jamendo_moodtheme-train.tsv" in notes
    assert found[-1].rows[0].note == "no autotagging_moodtheme-validation.tsv"


def test_rows_of_another_order_are_refused(tmp_path: Path) -> None:
    data = shared("predictions", "usc-sail-2020")
    splits = shared("datasets", "mtg-jamendo", "splits", "split-0")
    for split in ("validation", "test"):
        name = f"autotagging_moodtheme-{split}.tsv"
        lines = (splits / name).read_text().splitlines()
        lines[1], lines[-1] = lines[-1], lines[1]
        (tmp_path / name).write_text("\n".join(lines))
    with pytest.raises(DataError, match="does not label its tracks"):
        reproduce("focal-paper", Folders(data, splits=tmp_path))
