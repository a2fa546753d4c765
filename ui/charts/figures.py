"""The charts, without Streamlit: numbers in, a Plotly figure out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.colors import get_colorscale, hex_to_rgb
from plotly.subplots import make_subplots

from attacks.patch_training import Lesson
from defenses import DEFENSES
from evaluation.one_photo.heat_and_blur import Survival
from evaluation.one_photo.smoothing_vote import Level
from evaluation.one_photo.sweep import Sweep
from explain import STARTS
from story.render import ATTACKED, DEFENDED, HEAT, HIGHLIGHT, NEUTRAL, SERIES, TARGET_COLOUR, TRUE_COLOUR
from ui.session.parameters import title
from ui.session.workbench import Ribbon

PLAIN = {"displayModeBar": False, "scrollZoom": False, "doubleClick": False}
"""Plotly's own buttons are left out: there is nothing to zoom into."""
SAVEABLE = {
    "displaylogo": False,
    "scrollZoom": False,
    "modeBarButtons": [["toImage"]],
    "displayModeBar": True,
}
"""One button, which saves the chart as PNG."""
FONT = 16
_WRITTEN = 7
"""Side of the largest kernel whose weights are written out, px."""
_SHARES = (-0.02, 1.02)
"""The vertical axis of probabilities: lines at its ends are seen whole."""
_BINS = 20
"""Of a map's values."""
_HEAT = [(share, f"rgb{hex_to_rgb(colour)}") for share, colour in get_colorscale(HEAT)]
"""In decimals: in hexadecimal Streamlit's theme takes the darkest for one of its own placeholders."""
_DASHES = ("solid", "dash", "dot")
"""Not as many as ``SERIES`` has colours, so that 15 lines differ and lines over each other are seen."""


def axes(figure: go.Figure, height: int) -> go.Figure:
    """``figure`` with what all charts share: letters, legend on top, a vertical axis of probabilities."""
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        hovermode="x unified",
        dragmode=False,
        legend={
            "orientation": "h",
            "y": 1.04,
            "yanchor": "bottom",
            "x": 0,
            "xanchor": "left",
            "title": None,
            "font": {"size": FONT},
        },
        showlegend=True,
        hoverlabel={"font": {"size": FONT}},
    )
    # Streamlit's theme would make them small.
    letters = {"tickfont": {"size": FONT}, "title": {"font": {"size": FONT}}}
    figure.update_xaxes(fixedrange=True, automargin=True, **letters)
    figure.update_yaxes(
        range=_SHARES,
        tickformat=".0%",
        tickvals=[0, 0.25, 0.5, 0.75, 1],
        fixedrange=True,
        automargin=True,
        **letters,
    )
    return figure


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
        y=_SHARES,
        name="λ",
        mode="lines+text",
        line={"color": HIGHLIGHT, "width": 3},
        textfont={"size": FONT},
        hoverinfo="skip",
        showlegend=False,
    )
    figure.update_xaxes(title="λ", range=[float(ribbon.lams[0]), float(ribbon.lams[-1])])
    return axes(figure, 300)


def map_figure() -> go.Figure:
    """A chart for ``fill_map_figure``, still without numbers."""
    figure = go.Figure()
    for name, colour, dash in (("all pixels", NEUTRAL, "dot"), ("moved pixels", DEFENDED, "solid")):
        figure.add_scatter(
            x=(np.arange(_BINS) + 0.5) / _BINS,
            name=name,
            mode="lines",
            line={"color": colour, "width": 3.5, "dash": dash, "shape": "hvh"},
            hovertemplate="%{y:.0%}",
        )
    figure.update_xaxes(title="value of the map", range=[0, 1])
    figure = axes(figure, 260)
    figure.update_yaxes(range=None, tickvals=None, rangemode="tozero")
    return figure


def fill_map_figure(
    figure: go.Figure, values: NDArray[np.floating], moved: NDArray[np.floating]
) -> go.Figure:
    """``figure`` with a map's values in [0, 1], over all pixels and over those that were moved.

    To fill it again takes a hundredth of the time that it takes to build another.
    """
    for line, part in zip(figure.data, (values, moved), strict=True):
        line.y = np.histogram(part, _BINS, (0, 1))[0] / max(1, len(part))
    return figure


def kernel_figure(weights: NDArray[np.floating]) -> go.Figure:
    """The weights of a square kernel (K, K) around its middle; written into the squares while they fit."""
    places = np.arange(len(weights)) - len(weights) // 2
    figure = go.Figure()
    figure.add_heatmap(
        x=places,
        y=places,
        z=weights,
        zmin=0,
        colorscale=_HEAT,
        showscale=False,
        texttemplate="%{z:.3f}" if len(weights) <= _WRITTEN else "",
        hovertemplate="%{x:+d}, %{y:+d} px: %{z:.4f}<extra></extra>",
    )
    figure = axes(figure, 280)
    figure.update_layout(showlegend=False, hovermode="closest")
    figure.update_xaxes(tickformat="+d", nticks=7)
    figure.update_yaxes(
        range=None,
        autorange="reversed",
        tickvals=None,
        tickformat="+d",
        nticks=7,
        scaleanchor="x",
        constrain="domain",
    )
    return figure


def votes_figure(rows: Sequence[Level]) -> go.Figure:
    """Shares of the draws over the noise: right, wrong, rejected, and right without a vote."""
    sigmas = [row.sigma for row in rows]
    figure = go.Figure()
    for name, shares, colour, dash in (
        ("accepted, clean label", [row.right for row in rows], TRUE_COLOUR, "solid"),
        ("accepted, another", [row.wrong for row in rows], TARGET_COLOUR, "dash"),
        ("rejected", [row.rejected for row in rows], NEUTRAL, "dot"),
        ("clean label without the vote", [row.alone for row in rows], HIGHLIGHT, "dashdot"),
    ):
        figure.add_scatter(
            x=sigmas,
            y=shares,
            name=name,
            mode="lines+markers",
            line={"color": colour, "width": 3.5, "dash": dash},
            hovertemplate="%{y:.0%}",
        )
    figure.update_xaxes(title="σ of the noise, of white")
    return axes(figure, 320)


def survival_figure(rows: Sequence[Survival]) -> go.Figure:
    """How like the heat of the clean photo is to the attacked one's, and to another photo's, for each start.

    Boxes with a point for every photo.
    """
    names = [f"{row.name}{'' if row.fooled else ' (not fooled)'}" for row in rows]
    figure = go.Figure()
    for name, colour, symbol, values in (
        ("the same photo, attacked", ATTACKED, "circle", [row.correlations for row in rows]),
        ("another photo, clean", NEUTRAL, "diamond", [row.another for row in rows]),
    ):
        figure.add_box(
            x=[start for start in STARTS for _ in rows],
            y=[value[start] for start in STARTS for value in values],
            customdata=names * len(STARTS),
            name=name,
            boxpoints="all",
            jitter=0.6,
            pointpos=0,
            line={"color": colour, "width": 2.5},
            marker={"color": colour, "size": 9, "symbol": symbol, "opacity": 0.75},
            hoveron="points",
            hovertemplate="%{customdata}: %{y:.2f}<extra></extra>",
        )
    figure = axes(figure, 380)
    figure.update_layout(boxmode="group", hovermode="closest")
    figure.update_yaxes(
        title="correlation of the heat", range=[-1.05, 1.05], tickformat=".1f", tickvals=[-1, -0.5, 0, 0.5, 1]
    )
    return figure


def sweep_figure(
    found: Mapping[str, Sweep], true: int, against: int | None, labels: Sequence[str]
) -> go.Figure:
    """The clean label, the attack's, nDCG, SSIM over one parameter: a row each, a line for each defense."""
    rows = [(labels[true], lambda swept: swept.probabilities[:, true].tolist())]
    if against is not None and against != true:
        rows.append((labels[against], lambda swept: swept.probabilities[:, against].tolist()))
    shares = len(rows)
    rows += [("nDCG", lambda swept: list(swept.ndcg)), ("SSIM", lambda swept: list(swept.ssim))]
    figure = make_subplots(rows=len(rows), cols=1, shared_xaxes=True, vertical_spacing=0.07)
    for number, (name, swept) in enumerate(found.items()):
        style = {"color": SERIES[number % len(SERIES)], "width": 3.5, "dash": _DASHES[number % len(_DASHES)]}
        for row, (_, series) in enumerate(rows, 1):
            figure.add_scatter(
                x=[swept.parameter.show(value) for value in swept.values]
                if swept.parameter.choices or swept.parameter.type is bool
                else [float(value) * swept.parameter.shown_as for value in swept.values],
                y=series(swept),
                name=DEFENSES[name].title,
                legendgroup=name,
                showlegend=row == 1,
                mode="lines+markers",
                line=style,
                hovertemplate="%{y:.0%}" if row <= shares else "%{y:.3f}",
                row=row,
                col=1,
            )
    figure = axes(figure, 200 * len(rows) + 60)
    for row, (name, _) in enumerate(rows, 1):
        figure.update_yaxes(title=name, row=row, col=1)
    parameter = next(iter(found.values())).parameter
    figure.update_xaxes(title=title(parameter), row=len(rows), col=1)
    for row in range(shares + 1, len(rows) + 1):
        figure.update_yaxes(tickformat=".2f", row=row, col=1)
    return figure


def training_figure(lessons: Sequence[Lesson], total: int, target: str) -> go.Figure:
    """Two rows over the steps so far: share fooled and probability of the target, and below them the loss."""
    steps = [lesson.step for lesson in lessons]
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.08)
    lines = (
        ("of the batch fooled", [lesson.fooled for lesson in lessons], TARGET_COLOUR, "solid", "%{y:.0%}", 1),
        (f"P({target})", [lesson.probability for lesson in lessons], HIGHLIGHT, "dash", "%{y:.0%}", 1),
        ("loss", [lesson.loss for lesson in lessons], NEUTRAL, "solid", "%{y:.2f}", 2),
    )
    for name, series, colour, dash, hover, row in lines:
        figure.add_scatter(
            x=steps,
            y=series,
            name=name,
            mode="lines",
            line={"color": colour, "width": 3.5, "dash": dash},
            hovertemplate=hover,
            row=row,
            col=1,
        )
    figure = axes(figure, 380)
    figure.update_xaxes(range=[1, max(total, 2)])
    figure.update_xaxes(title="step", row=2, col=1)
    figure.update_yaxes(range=None, tickvals=None, tickformat=".1f", title="loss, logits", row=2, col=1)
    return figure


def progress_figure(probabilities: Sequence[float], total: int, label: str, is_target: bool) -> go.Figure:
    """Probability of the watched label at each iteration so far, over all that are planned."""
    figure = go.Figure()
    figure.add_scatter(
        x=list(range(len(probabilities))),
        y=list(probabilities),
        name=f"{label} ({'target' if is_target else 'to be left'})",
        mode="lines",
        line={"color": TARGET_COLOUR if is_target else TRUE_COLOUR, "width": 3.5},
        hovertemplate="%{y:.0%}",
    )
    figure.update_xaxes(title="iteration", range=[0, max(total, 1)])
    return axes(figure, 260)
