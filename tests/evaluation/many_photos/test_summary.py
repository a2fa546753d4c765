"""The figures of a run: intervals as scipy has them, counts as one counts by hand."""

import math

import pyarrow as pa
import pytest

from evaluation.many_photos.run_folder import SCHEMA
from evaluation.many_photos.summary import summarise, summary_table


def row(outcome, clean, cause="", psnr=20.0, defense="lgs"):
    figures = {} if outcome == "unread" else {"ssim": 0.5, "psnr": psnr, "ndcg": 0.9, "milliseconds": 3.0}
    return {
        "attack": "none",
        "defense": defense,
        "outcome": outcome,
        "cause": cause,
        "label": "cat",
        "clean": clean,
        **figures,
    }


def test_counts():
    rows = [
        row("right", "cat", psnr=10.0),
        row("wrong", "cat", "object smoothed away"),
        row("right", "dog"),
        row("rejected", "dog", "wrong on the clean photo"),
        row("unread", None, None),
    ]
    tables = [pa.Table.from_pylist(part, SCHEMA) for part in (rows[:2], rows[2:])]
    told = summarise(tables)
    assert (told["photos"], told["unread"]) == (5, 1)
    (cell,) = told["cells"]
    assert cell["photos"] == 4
    assert cell["accuracy"]["hits"] == 2
    assert cell["accuracy"]["share"] == 0.5
    assert (cell["accuracy_when_clean"]["hits"], cell["accuracy_when_clean"]["of"]) == (1, 2)
    assert (cell["fooled"]["hits"], cell["fooled"]["of"]) == (1, 2)
    assert cell["ndcg"] == pytest.approx(0.9)
    assert cell["outcomes"] == {"right": 2, "wrong": 1, "rejected": 1, "unread": 1}
    assert cell["causes"] == {"wrong on the clean photo": 1, "object smoothed away": 1}
    assert cell["ssim"] == 0.5
    assert cell["psnr"] == 17.5
    text = summary_table(told)
    assert "5 photos, 1 of them could not be used" in text
    assert (
        "| none | lgs | 50.0 (15.0 to 85.0) | 50.0 (9.5 to 90.5) | 1 | 0.900 | 0.500 | 17.5 | 3.0 |" in text
    )


def test_cells_come_in_the_order_of_the_rows_and_a_missing_figure_is_none():
    rows = [row("right", "cat", defense=name) for name in ("slgs", "lgs", "none")]
    rows += [row("wrong", "cat", "object smoothed away", defense=name) for name in ("none", "lgs", "slgs")]
    rows[0]["ssim"] = rows[3]["ssim"] = rows[2]["ssim"] = None
    told = summarise([pa.Table.from_pylist(rows, SCHEMA)])
    assert [cell["defense"] for cell in told["cells"]] == ["slgs", "lgs", "none"]
    assert [cell["ssim"] for cell in told["cells"]] == [None, 0.5, None]
    assert summarise([]) == {"photos": 0, "unread": 0, "cells": []}


def test_nothing_usable_and_infinite_figures():
    told = summarise([pa.Table.from_pylist([row("unread", None)], SCHEMA)])
    assert told["cells"][0]["accuracy"]["share"] is None
    assert "–" in summary_table(told)
    told = summarise([pa.Table.from_pylist([row("right", "cat", psnr=math.inf)], SCHEMA)])
    assert told["cells"][0]["psnr"] is None
