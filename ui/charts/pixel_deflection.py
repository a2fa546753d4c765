"""The chart of Pixel Deflection's map, without Streamlit: numbers in, a Plotly figure out."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from story.render import DEFENDED, NEUTRAL
from ui.charts.axes import axes

_BINS = 20
"""Of a map's values."""


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
