"""How long every defense needs for 5000 photos, on a logarithmic scale, as an SVG file.

After figure 9 of You-Wei and Sheng-De 2022, "Enhanced Local Gradient Smoothing".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from bench import defending
from bench.interleaved import Row
from story.render import CLEAN, NEUTRAL

PHOTOS = 5000
ALONE = ", transform alone"
_LABELS, _BARS, _NUMBERS = 400, 460, 90
"""Widths of the three columns, px."""
_LINE, _TOP, _BOTTOM = 22, 40, 30


def seconds_of(rows: Sequence[Row]) -> list[tuple[str, str, float]]:
    """Case, who, and seconds for ``PHOTOS`` photos at the largest batch that each was measured at.

    Ours with its evidence, the quickest case first and below each its peers. They do the transform alone:
    where ours has evidence too, its transform alone stands above them. The classifier's verdict is in none.
    """
    seconds: dict[str, dict[tuple[str, str], float]] = {}
    for row in sorted(rows, key=lambda row: row.batch):
        if row.part == defending.PART and row.by != defending.PASS[0] and row.stage != "evidence":
            time = PHOTOS / row.batch * row.milliseconds.median / 1000
            seconds.setdefault(row.case, {})[row.by, row.stage] = time
    groups = []
    for case, times in seconds.items():
        bars = [(case, by, time) for (by, stage), time in times.items() if stage == "transform"]
        whole = times.get((defending.OURS, "all"))
        if whole is not None:
            compared = bars if len(bars) > 1 else []
            bars = [(case, defending.OURS, whole), *((case, by + ALONE, time) for _, by, time in compared)]
        groups.append(bars)
    groups.sort(key=lambda bars: (bars[0][2], bars[0][0]))
    return [bar for bars in groups for bar in bars]


def figure(rows: Sequence[Row], title: str) -> str:
    """The chart of ``rows`` as SVG; empty where no defense is among them."""
    bars = seconds_of(rows)
    if not bars:
        return ""
    first = math.floor(math.log10(min(seconds for _, _, seconds in bars)))
    last = max(first + 1, math.ceil(math.log10(max(seconds for _, _, seconds in bars))))

    def across(seconds: float) -> float:
        return _LABELS + _BARS * (math.log10(seconds) - first) / (last - first)

    bottom = _TOP + _LINE * len(bars)
    parts = [_text(_LABELS, 20, title, "start")]
    for power in range(first, last + 1):
        x = across(10.0**power)
        parts.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{bottom}" stroke="{NEUTRAL}" opacity="0.4"/>'
        )
        parts.append(_text(x, bottom + 20, f"{10.0**power:g} s", "middle"))
    for number, (case, by, seconds) in enumerate(bars):
        ours, top = by.removesuffix(ALONE) == defending.OURS, _TOP + _LINE * number
        title = case if by == defending.OURS else f"{case}, {by}"
        parts.append(_text(_LABELS - 8, top + 16, title, "end"))
        parts.append(
            f'<rect x="{_LABELS}" y="{top + 4}" width="{max(across(seconds) - _LABELS, 1):.1f}" '
            f'height="{_LINE - 8}" fill="{CLEAN if ours else NEUTRAL}"/>'
        )
        shown = f"{seconds:.3g} s" if seconds < 1000 else f"{seconds:.0f} s"
        parts.append(_text(across(seconds) + 6, top + 16, shown, "start"))
    width, height = _LABELS + _BARS + _NUMBERS, bottom + _BOTTOM
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" font-family="sans-serif" font-size="13"><title>{escape(title)}</title>'
        f'<rect width="100%" height="100%" fill="white"/>{"".join(parts)}</svg>\n'
    )


def _text(x: float, y: float, words: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'
