"""What all charts share: letters, margins, a vertical axis of probabilities, the buttons over them."""

from __future__ import annotations

import plotly.graph_objects as go

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
SHARES = (-0.02, 1.02)
"""The vertical axis of probabilities: lines at its ends are seen whole."""


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
        range=SHARES,
        tickformat=".0%",
        tickvals=[0, 0.25, 0.5, 0.75, 1],
        fixedrange=True,
        automargin=True,
        **letters,
    )
    return figure
