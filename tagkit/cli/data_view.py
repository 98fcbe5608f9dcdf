"""A dataset's report as readable lines and as a record, for ``tagkit data check``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tagkit.data.check import Report

_MOST = 20  # examples of a thing that a person reads


def record(report: Report) -> dict[str, Any]:
    """Return the report as JSON values."""
    dataset = report.dataset
    return {
        "dataset": dataset.name,
        "root": str(dataset.root),
        "kind": dataset.kind,
        "tracks": report.tracks,
        "missing": list(report.missing),
        "unreadable": [{"path": e.path, "reason": e.message} for e in report.unreadable],
        "imbalance": report.imbalance,
        "tags": {
            output: {
                "tag": tag.name,
                "category": tag.category,
                **dict(zip(report.tracks, map(int, column), strict=True)),
            }
            for output, tag, column in zip(
                dataset.outputs, dataset.tags, report.counts.T, strict=True
            )
        },
        "artists_in_several_splits": report.artists,
        "albums_in_several_splits": report.albums,
        "duplicates": [list(group) for group in report.duplicates],
        "warnings": _warnings(report),
    }


def lines(report: Report) -> Iterator[str]:
    """Yield the report for a person: the splits, the tags by falling count, what is wrong."""
    dataset = report.dataset
    split_sizes = ", ".join(f"{split} {count:,}" for split, count in report.tracks.items())
    yield f"{dataset.name}: {len(dataset.tracks):,} tracks ({split_sizes}), {len(dataset.outputs)} tags"
    if report.missing or report.unreadable:
        yield f"{len(report.missing):,} files are missing, {len(report.unreadable):,} cannot be read"
    yield f"the most frequent training tag is {report.imbalance:,.1f} times as frequent as the rarest"
    yield ""
    width = max(len("tag"), *(len(output) for output in dataset.outputs))
    yield f"{'tag':{width}}  {'category':10}" + "".join(f"{split:>12}" for split in report.tracks)
    order = sorted(
        range(len(dataset.outputs)), key=lambda at: (-int(report.counts[:, at].sum()), at)
    )
    for at in order:
        counts = "".join(f"{count:12,}" for count in report.counts[:, at])
        yield f"{dataset.outputs[at]:{width}}  {dataset.tags[at].category:10}{counts}"
    for kind, torn in (("artists", report.artists), ("albums", report.albums)):
        shown = [f"{name}: {', '.join(splits)}" for name, splits in torn.items()]
        yield from _listed(f"{kind} in several splits", shown)
    yield from _listed("files with the same audio", [" = ".join(g) for g in report.duplicates])
    yield from _listed("warnings", _warnings(report))


def _warnings(report: Report) -> list[str]:
    from tagkit.data.check import doubts

    return list(dict.fromkeys((*report.dataset.warnings, *doubts(report.dataset))))


def _listed(title: str, items: list[str]) -> Iterator[str]:
    if items:
        yield ""
        yield f"{len(items):,} {title}:"
        yield from (f"  {item}" for item in items[:_MOST])
        if len(items) > _MOST:
            yield f"  and {len(items) - _MOST:,} more; --format json lists all"
