"""A run of many photos as one HTML file that needs nothing else: figures, charts that move, thumbnails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import plotly.io

from evaluation.many_photos.causes import MEANINGS
from story.render import png_address

_STYLE = Path(__file__).parents[2] / "assets" / "report.css"


def report_html(
    title: str,
    facts: Sequence[tuple[str, str]],
    tables: Mapping[str, Sequence[Mapping[str, str]]],
    figures: Mapping[str, go.Figure],
    tiles: Sequence[tuple[bytes | None, str]],
    tiles_title: str,
) -> str:
    """The report.

    Args:
        title: the run's name.
        facts: what was run, as pairs of a name and a value.
        tables: heading -> rows with the same keys.
        figures: heading -> chart.
        tiles: a PNG file or None, and the words below it.
        tiles_title: what these photos are.
    """
    parts = [f"<h1>{escape(title)}</h1>", _definitions(facts)]
    parts += [f"<h2>{escape(heading)}</h2>{_table(rows)}" for heading, rows in tables.items()]
    for number, (heading, figure) in enumerate(figures.items()):
        chart = plotly.io.to_html(
            figure,
            full_html=False,
            include_plotlyjs=number == 0,
            config={"displaylogo": False, "modeBarButtons": [["toImage"]]},
        )
        parts.append(f"<h2>{escape(heading)}</h2>{chart}")
    if tiles:
        shown = "".join(_tile(*tile) for tile in tiles)
        parts.append(f"<h2>{escape(tiles_title)}</h2><div class=tiles>{shown}</div>")
    parts.append(f"<h2>What the causes mean</h2>{_definitions(list(MEANINGS.items()))}")
    style = _STYLE.read_text(encoding="utf-8")
    return (
        "<!doctype html><html lang=en><head><meta charset=utf-8>"
        "<meta name=viewport content='width=device-width'>"
        f"<title>{escape(title)}</title><style>{style}</style></head><body>{''.join(parts)}</body></html>\n"
    )


def _definitions(pairs: Sequence[tuple[str, str]]) -> str:
    return f"<dl>{''.join(f'<dt>{escape(name)}</dt><dd>{escape(text)}</dd>' for name, text in pairs)}</dl>"


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    heads = "".join(f"<th scope=col>{escape(head)}</th>" for head in rows[0]) if rows else ""
    lines = ["".join(f"<td>{escape(str(value))}</td>" for value in row.values()) for row in rows]
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f"<div class=wide><table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>"


def _tile(png: bytes | None, words: str) -> str:
    picture = (
        "<span class=none>no picture</span>" if png is None else f"<img alt='' src='{png_address(png)}'>"
    )
    return f"<figure>{picture}<figcaption>{escape(words)}</figcaption></figure>"
