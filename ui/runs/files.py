"""A run to take along: its rows, the photos that are shown, and a report that needs nothing else."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import streamlit as st
from numpy.typing import NDArray

from evaluation.many_photos.summary import Summary
from story.render import to_png
from ui.charts.run import charts
from ui.runs.report import report_html
from ui.runs.selected_run import SelectedRun, fact_pairs, matrix_rows, said

THUMB, _GAP = 112, 8
"""Side of a thumbnail, and the gap between two on the sheet, px."""
_ACROSS = 6
"""Thumbnails in a row of the sheet."""
Thumbnail = NDArray[np.uint8]
"""(THUMB, THUMB, 3), RGB."""


def downloads(
    selected: SelectedRun,
    summary: Summary,
    numbers: NDArray[np.int64],
    shown: Sequence[Mapping[str, Any]],
    pictures: Sequence[Thumbnail | None],
    attack: str,
) -> None:
    """Buttons for the rows that the filters leave, the photos of this page, and the report."""
    name = selected.run.folder.name
    rows = partial(selected.rows.take, numbers)
    report = partial(_report, selected, summary, shown, pictures, attack)
    files: dict[str, tuple[Callable[[], bytes], str, str]] = {
        "Rows (CSV)": (lambda: csv_of(rows()), f"{name}.csv", "text/csv"),
        "Rows (Parquet)": (lambda: parquet_of(rows()), f"{name}.parquet", "application/vnd.apache.parquet"),
        "Report (HTML)": (report, f"{name}.html", "text/html"),
    }
    if any(picture is not None for picture in pictures):
        files["This page (PNG)"] = (partial(sheet_of, pictures), f"{name}.png", "image/png")
    with st.container(horizontal=True, gap="small"):
        for title, (data, file, mime) in files.items():
            st.download_button(
                title, data, file_name=file, mime=mime, icon=":material/download:", on_click="ignore"
            )
    st.caption("The rows are those that the filters leave. The camera above a chart saves it as PNG.")


def csv_of(rows: pa.Table) -> bytes:
    """A CSV file."""
    file = io.BytesIO()
    pyarrow.csv.write_csv(rows, file)
    return file.getvalue()


def parquet_of(rows: pa.Table) -> bytes:
    """A Parquet file."""
    file = io.BytesIO()
    pq.write_table(rows, file, compression="zstd")
    return file.getvalue()


def sheet_of(pictures: Sequence[Thumbnail | None]) -> bytes:
    """The thumbnails side by side as a PNG file, white where there is none."""
    tiles = np.full((-(-len(pictures) // _ACROSS) * _ACROSS, THUMB + _GAP, THUMB + _GAP, 3), 255, np.uint8)
    for tile, picture in zip(tiles, pictures, strict=False):
        if picture is not None:
            tile[:THUMB, :THUMB] = picture
    side = tiles.shape[1]
    rows = tiles.reshape(-1, _ACROSS, side, side, 3).swapaxes(1, 2)
    return to_png(np.ascontiguousarray(rows.reshape(-1, _ACROSS * side, 3)))


def _report(
    selected: SelectedRun,
    summary: Summary,
    shown: Sequence[Mapping[str, Any]],
    pictures: Sequence[Thumbnail | None],
    attack: str,
) -> bytes:
    settings = selected.settings
    heads = {"defense": "Defense"} | {
        name: selected.name("attack", name) for name in selected.cells("attack")
    }
    matrix = [{heads[key]: text for key, text in row.items()} for row in matrix_rows(selected, summary)]
    return report_html(
        selected.run.folder.name,
        fact_pairs(selected),
        {"Right labels in % (95 % interval)": matrix},
        charts(summary.cells, settings["attacks"], settings["defenses"], attack),
        [
            (
                None if picture is None else to_png(picture),
                f"{row['label']} → {said(row)}; {row['cause'] or 'no cause'}; {row['file']}",
            )
            for picture, row in zip(pictures, shown, strict=True)
        ],
        "Photos",
    ).encode()
