"""One HTML page of a model's scores, with nothing outside it: it opens anywhere, and asks nobody.

Every text on it is escaped, and the page forbids itself scripts and requests: names of tags and
models come from strangers.
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from tagkit import __version__
from tagkit.errors import DataError
from tagkit.evaluation import plots
from tagkit.evaluation.cuts import Decided
from tagkit.evaluation.drawing import printable
from tagkit.evaluation.figure import interval, number
from tagkit.evaluation.scores import Scores
from tagkit.files import whole

_MOST_TAGS = 1000

_HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; --line: #8884; --soft: #667; }}
@media (prefers-color-scheme: dark) {{ :root {{ --soft: #aab; }} }}
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem;
  background: Canvas; color: CanvasText; }}
h1 {{ font-size: 1.5rem; margin-bottom: 0; overflow-wrap: anywhere; }}
h2 {{ font-size: 1.1rem; margin: 2.5rem 0 .5rem; }}
p, li {{ max-width: 46rem; }}
.soft, caption {{ color: var(--soft); }}
caption {{ text-align: left; padding-bottom: .3rem; }}
.wide {{ overflow-x: auto; }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; margin: 1rem 0; }}
th, td {{ padding: .15rem .8rem .15rem 0; text-align: right; border-bottom: 1px solid var(--line);
  white-space: nowrap; }}
th {{ font-weight: 600; }}
th:first-child, td:first-child {{ text-align: left; }}
figure {{ margin: 1rem 0; }}
figcaption {{ color: var(--soft); font-size: .9rem; max-width: 46rem; }}
svg {{ max-width: 100%; height: auto; }}
svg text {{ font-family: inherit !important; }}
@media print {{ h2 {{ break-after: avoid; }} figure, tr {{ break-inside: avoid; }} }}
</style>
</head>
<body>
"""


def write_report(scores: Scores, path: Path) -> None:
    """Write the page to ``path``, whole or not at all. Raises UsageError without matplotlib, and
    DataError where the file cannot be written and for more tags than a page can show."""
    count = len(scores.predictions.tags)
    if count > _MOST_TAGS:
        # A picture with a row and a column for each would take gigabytes.
        raise DataError(f"{count:,} tags; a page shows at most {_MOST_TAGS:,}", path=path)
    try:
        with whole(path) as file:
            for piece in render(scores):
                file.write(piece.encode())
    except OSError as error:
        raise DataError(f"cannot be written: {error.strerror or error}", path=path) from error


def render(scores: Scores) -> Iterator[str]:
    """Yield the page in pieces."""
    predictions = scores.predictions
    title = predictions.name or "Predictions"
    yield _HEAD.format(title=_text(title))
    artists = len({artist for artist in predictions.artists if artist})
    yield f"<h1>{_text(title)}</h1>"
    known = f" by {artists:,} artists" if artists else ""
    yield f'<p class="soft">{len(predictions.ids):,} tracks{known}, {len(predictions.tags)} tags</p>'
    yield from _summary(scores)
    yield from _by_group(scores)
    yield "<h2>Tags</h2>"
    yield _figure(
        plots.tag_bars(scores),
        "PR-AUC (average precision) and ROC-AUC of each tag, from the best to the worst PR-AUC."
        " Orange: popularity.",
    )
    yield "<h2>Curves</h2>"
    yield _figure(
        plots.curves(scores),
        "Precision over recall, and ROC. Grey: every tag; named: the tags with the best, the middle"
        " and the worst PR-AUC; blue: all entries of the matrix pooled.",
    )
    yield from _thresholds(scores)
    yield "<h2>Calibration</h2>"
    yield _figure(
        plots.calibration(scores),
        "Left: the share of positives among entries with a score; on the dotted line a score is a"
        " probability. Right: how scores are spread. Expected calibration error, all tags pooled,"
        f" 15 bins of equal width: {number(scores.figures['ece'].value)}.",
    )
    yield from _confusions(scores)
    yield from _every_tag(scores)
    yield f'<p class="soft">Made by tagkit {_text(__version__)}.</p></body></html>\n'


def _summary(scores: Scores) -> Iterator[str]:
    names = {
        "pr_auc_macro": "PR-AUC, macro",
        "roc_auc_macro": "ROC-AUC, macro",
        "pr_auc_micro": "PR-AUC, micro",
        "roc_auc_micro": "ROC-AUC, micro",
        "trapezoidal_pr_auc_macro": "PR-AUC by trapezoids, macro",
        "ece": "Calibration error (ECE)",
    }
    yield _table(
        ("", "value", "95 %", "popularity"),
        [
            (word, number(of.value), interval(of), number(of.popularity))
            for word, of in ((word, scores.figures[name]) for name, word in names.items())
        ],
    )
    yield "<ul>"
    yield from (f"<li>{_text(note)}</li>" for note in scores.notes)
    yield "</ul>"


def _by_group(scores: Scores) -> Iterator[str]:
    if not scores.groups:
        return
    limits = scores.settings
    yield "<h2>Groups of tags</h2>"
    yield _figure(
        plots.group_bars(scores),
        f"By number of training tracks (head: more than {limits.head}, tail: at most {limits.tail})"
        " where it is known, and by category; the number of tags in brackets.",
    )


def _thresholds(scores: Scores) -> Iterator[str]:
    yield "<h2>Thresholds</h2>"
    if scores.decided:
        figures = {
            "accuracy": "accuracy",
            "precision_macro": "precision",
            "recall_macro": "recall",
            "f1_macro": "F1",
            "precision_micro": "precision, micro",
            "recall_micro": "recall, micro",
            "f1_micro": "F1, micro",
        }
        rows = []
        for decided in scores.decided:
            found = [decided.figures[name] for name in figures]
            rows.append([decided.cut.name, _cut(decided), *(number(of.value) for of in found)])
            if found[0].popularity is not None:
                rows.append(["popularity", "", *(number(of.popularity) for of in found)])
        yield _table(("", "threshold", *figures.values()), rows)
        fitted = ", ".join(sorted({decided.cut.fitted_on for decided in scores.decided}))
        yield f'<p class="soft">Thresholds come from {_text(fitted)}. Macro unless it says micro.</p>'
    yield _figure(
        plots.thresholds(scores),
        "Precision, recall and F1 of all tags pooled over one threshold for all; dashed: the chosen"
        " ones, ticks: the tags' own.",
    )


def _confusions(scores: Scores) -> Iterator[str]:
    decided = chosen(scores)
    if decided is None:
        return
    yield "<h2>What false positives are</h2>"
    yield _figure(
        plots.co_confusion(scores, decided),
        f"Tracks that get a tag wrongly ({decided.cut.name} thresholds), a row a tag: the share that"
        " has each other tag.",
    )
    shares = plots.wrongly_given(scores, decided)
    names = plots.labels(scores)
    rows = []
    for row in np.argsort(-decided.counts.fp, kind="stable")[:15]:
        nearest = np.argsort(-shares[row], kind="stable")[:5]
        listed = ", ".join(f"{names[b]} {shares[row, b]:.0%}" for b in nearest if shares[row, b])
        rows.append((names[row], f"{decided.counts.fp[row]:,}", listed or "none"))
    yield _table(("given wrongly", "tracks", "which have"), rows)


def _every_tag(scores: Scores) -> Iterator[str]:
    predictions = scores.predictions
    decided = chosen(scores)
    counts = predictions.train_counts
    head = ["tag", "category", "tracks", "in training", "PR-AUC", "95 %", "ROC-AUC", "95 %", "ECE"]
    head += ["threshold", "F1", "tp", "fp", "fn", "tn"] if decided else []
    rows = []
    for column, name in enumerate(predictions.outputs):
        precision, roc, error = (scores.tags[key][column] for key in ("pr_auc", "roc_auc", "ece"))
        row = [name, predictions.tags[column].category, f"{predictions.labels[:, column].sum():,}"]
        row += ["" if counts is None else f"{counts[column]:,}"]
        row += [number(precision.value), interval(precision), number(roc.value), interval(roc)]
        row += [number(error.value)]
        if decided is not None:
            row += [number(float(decided.cut.thresholds[column])), number(decided.f1[column])]
            row += [f"{part[column]:,}" for part in decided.counts]
        rows.append(row)
    yield "<h2>Every tag</h2>"
    caption = f"Decisions by {decided.cut.name} thresholds." if decided else ""
    yield _table(head, rows, caption)


def chosen(scores: Scores) -> Decided | None:
    """The decisions to look at tag by tag: by each tag's own threshold where validation fitted them."""
    by_name = {decided.cut.name: decided for decided in scores.decided}
    return by_name.get("per-tag") or by_name.get("own")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], caption: str = "") -> str:
    shown = [f"<caption>{_text(caption)}</caption>"] if caption else []
    shown.append(f"<tr>{''.join(f'<th>{_text(cell)}</th>' for cell in head)}</tr>")
    shown += [f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in row)}</tr>" for row in rows]
    return f'<div class="wide"><table>{"".join(shown)}</table></div>\n'


def _figure(svg: str, caption: str) -> str:
    return f'<figure class="wide">{svg}<figcaption>{_text(caption)}</figcaption></figure>\n'


def _cut(decided: Decided) -> str:
    cuts = np.unique(decided.cut.thresholds)
    return number(float(cuts[0])) if len(cuts) == 1 else f"{cuts[0]:.3f} – {cuts[-1]:.3f}"


def _text(text: str) -> str:
    return html.escape(printable(text))
