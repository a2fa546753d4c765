"""The λ-ribbon, without Streamlit: what a classifier says at every strength of a defense."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import plotly.graph_objects as go

from evaluation.one_photo.gradient_smoothing import Ribbon
from story.render import HIGHLIGHT, NEUTRAL, TARGET_COLOUR, TRUE_COLOUR
from ui.charts.axes import FONT, SHARES, axes


def ribbon_figure(
    ribbon: Ribbon, lam: float, labels: Sequence[str], true: int, against: int | None
) -> go.Figure:
    """Probability of the clean label, of the one that the attack is for, and of the likeliest other, over λ.

    The lines differ in colour and in dash; the present λ is marked. For one ribbon it is one figure, whose
    mark is moved: to build another takes longer than the classifier does.
    """
    figure = _ribbon_lines(ribbon, tuple(labels), true, against)
    words = f"λ = {lam:g}"
    # Words beside the line: an en space keeps them off it.
    side, words = ("right", f"\u2002{words}") if lam < 0.75 * ribbon.lams[-1] else ("left", f"{words}\u2002")
    # A line of the data, not of the layout, of which a change costs Plotly ten times as much.
    figure.data[-1].update(x=(lam, lam), text=("", words), textposition=f"bottom {side}")
    return figure


@lru_cache(maxsize=32)
def _ribbon_lines(ribbon: Ribbon, labels: tuple[str, ...], true: int, against: int | None) -> go.Figure:
    shown = {true: (TRUE_COLOUR, "solid")}
    if against is not None and against != true:
        shown[against] = (TARGET_COLOUR, "dash")
    others = ribbon.probabilities.copy()
    others[:, list(shown)] = 0
    lines = [(labels[number], ribbon.probabilities[:, number], *style) for number, style in shown.items()]
    lines.append(("likeliest other label", others.max(1), NEUTRAL, "dot"))
    figure = go.Figure()
    for name, probabilities, colour, dash in lines:
        figure.add_scatter(
            x=ribbon.lams,
            y=probabilities,
            name=name,
            mode="lines",
            line={"color": colour, "width": 3.5, "dash": dash},
            hovertemplate="%{y:.0%}",
        )
    figure.add_scatter(
        y=SHARES,
        name="λ",
        mode="lines+text",
        line={"color": HIGHLIGHT, "width": 3},
        textfont={"size": FONT},
        hoverinfo="skip",
        showlegend=False,
    )
    figure.update_xaxes(title="λ", range=[float(ribbon.lams[0]), float(ribbon.lams[-1])])
    return axes(figure, 300)
