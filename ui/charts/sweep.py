"""The chart of a sweep, without Streamlit: one parameter over its range."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from defenses import DEFENSES
from evaluation.one_photo.sweep import Sweep
from story.render import SERIES
from ui.charts.axes import axes

_DASHES = ("solid", "dash", "dot")
"""Not as many as ``SERIES`` has colours, so that 15 lines differ and lines over each other are seen."""


def sweep_figure(
    sweeps: Mapping[str, Sweep], true: int, against: int | None, labels: Sequence[str]
) -> go.Figure:
    """The clean label, the attack's, nDCG, SSIM over one parameter: a row each, a line for each defense."""
    rows = [(labels[true], lambda swept: swept.probabilities[:, true].tolist())]
    if against is not None and against != true:
        rows.append((labels[against], lambda swept: swept.probabilities[:, against].tolist()))
    shares = len(rows)
    rows += [("nDCG", lambda swept: list(swept.ndcg)), ("SSIM", lambda swept: list(swept.ssim))]
    figure = make_subplots(rows=len(rows), cols=1, shared_xaxes=True, vertical_spacing=0.07)
    for number, (name, swept) in enumerate(sweeps.items()):
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
    parameter = next(iter(sweeps.values())).parameter
    figure.update_xaxes(title=parameter.title, row=len(rows), col=1)
    for row in range(shares + 1, len(rows) + 1):
        figure.update_yaxes(tickformat=".2f", row=row, col=1)
    return figure
