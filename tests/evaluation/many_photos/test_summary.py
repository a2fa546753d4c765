"""The figures of a run: intervals as scipy has them, counts as one counts by hand."""

import json
import math

import pyarrow as pa
import pytest

from evaluation.many_photos.columns import SCHEMA
from evaluation.many_photos.summary import Mean, Summary, summarise, summary_table


def row(outcome, clean, cause="", psnr=20.0, defense="lgs", reached=None):
    counts = outcome not in ("unread", "left out")
    figures = {"ssim": 0.5, "psnr": psnr, "ndcg": 0.9, "milliseconds": 3.0} if counts else {}
    return {
        "attack": "none",
        "defense": defense,
        "outcome": outcome,
        "cause": cause,
        "label": "cat",
        "clean": clean,
        "reached": reached,
        **figures,
    }


def summary_of(*rows):
    return summarise([pa.Table.from_pylist(list(rows), SCHEMA)])


def test_counts():
    rows = [
        row("right", "cat", psnr=10.0, reached=False),
        row("wrong", "cat", "object smoothed away", reached=True),
        row("right", "dog"),
        row("rejected", "dog", "wrong on the clean photo"),
        row("unread", None, None),
        row("left out", "cat"),
    ]
    summary = summarise([pa.Table.from_pylist(part, SCHEMA) for part in (rows[:2], rows[2:])])
    assert (summary.photos, summary.unread) == (6, 1)
    (cell,) = summary.cells
    assert cell.photos == 4
    assert cell.accuracy.hits == 2
    assert cell.accuracy.share == 0.5
    assert (cell.accuracy_when_clean.hits, cell.accuracy_when_clean.of) == (1, 2)
    assert (cell.fooled.hits, cell.fooled.of) == (1, 2)
    assert (cell.reached.hits, cell.reached.of) == (1, 2)
    assert cell.ndcg.mean == pytest.approx(0.9)
    assert cell.outcomes == {"right": 2, "wrong": 1, "rejected": 1, "left out": 1, "unread": 1}
    assert cell.causes == {"wrong on the clean photo": 1, "object smoothed away": 1}
    assert cell.ssim == Mean(0.5, 4)
    assert cell.psnr == Mean(17.5, 4)
    text = summary_table(summary)
    assert "6 photos, 1 of them could not be used" in text
    assert (
        "| none | lgs | 50.0 (15.0 to 85.0) | 50.0 (9.5 to 90.5) | 50.0 (9.5 to 90.5) | 1 | 1 | 4 "
        "| 0.900 | 0.500 | 17.5 | 3.0 |" in text
    )


def test_cells_come_in_the_order_of_the_rows_and_a_missing_figure_is_left_out():
    rows = [row("right", "cat", defense=name) for name in ("slgs", "lgs", "none")]
    rows += [row("wrong", "cat", "object smoothed away", defense=name) for name in ("none", "lgs", "slgs")]
    rows[0]["ssim"] = rows[3]["ssim"] = rows[2]["ssim"] = None
    summary = summary_of(*rows)
    assert [cell.defense for cell in summary.cells] == ["slgs", "lgs", "none"]
    assert [cell.ssim for cell in summary.cells] == [Mean(0.5, 1), Mean(0.5, 2), Mean(None, 0)]
    assert summarise([]) == Summary(0, 0, ())


@pytest.mark.parametrize("strange", [math.inf, math.nan, None])
def test_the_mean_is_that_of_the_finite_figures_and_says_of_how_many(strange):
    rows = [row("right", "cat", psnr=psnr) for psnr in (30.0, strange, 40.0)]
    summary = summary_of(*rows)
    assert summary.cells[0].psnr == Mean(35.0, 2)
    assert "| 35.0 (2 of 3) |" in summary_table(summary)
    assert summary_of(row("right", "cat", psnr=strange)).cells[0].psnr == Mean(None, 0)
    assert json.loads(json.dumps(summary.json, allow_nan=False))["cells"][0]["psnr"] == {
        "mean": 35.0,
        "photos": 2,
    }


def test_nothing_usable():
    summary = summary_of(row("unread", None))
    assert summary.cells[0].accuracy.share is None
    assert "–" in summary_table(summary)
