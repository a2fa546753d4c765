"""The charts of the smoothing vote, without Streamlit: its kernel, and its votes under noise."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.colors import get_colorscale, hex_to_rgb

from evaluation.one_photo.smoothing_vote import Level
from story.render import HEAT, HIGHLIGHT, NEUTRAL, TARGET_COLOUR, TRUE_COLOUR
from ui.charts.axes import axes

_WRITTEN = 7
"""Side of the largest kernel whose weights are written out, px."""
_HEAT = [(share, f"rgb{hex_to_rgb(colour)}") for share, colour in get_colorscale(HEAT)]
"""In decimals: in hexadecimal Streamlit's theme takes the darkest for one of its own placeholders."""


def kernel_figure(weights: NDArray[np.floating]) -> go.Figure:
    """The weights of a square kernel (K, K) around its middle; written into the squares while they fit."""
    offsets = np.arange(len(weights)) - len(weights) // 2
    figure = go.Figure()
    figure.add_heatmap(
        x=offsets,
        y=offsets,
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
