"""The charts of attacks that run, without Streamlit: an attack on one photo, and a patch for all photos."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from attacks.patch_training import Lesson
from story.render import HIGHLIGHT, NEUTRAL, TARGET_COLOUR, TRUE_COLOUR
from ui.charts.axes import axes


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
