"""The chart of Heat and Blur, without Streamlit: what attacks leave of the heat of many photos."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from evaluation.one_photo.heat_and_blur import Survival
from explain import STARTS
from story.render import ATTACKED, NEUTRAL
from ui.charts.axes import axes


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
