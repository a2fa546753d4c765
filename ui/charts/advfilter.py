"""The charts of the learned denoisers, without Streamlit: numbers in, a Plotly figure out."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from denoisers.denoise import RESULT
from evaluation.one_photo.advfilter import ATTACKED, AtStrength, PixelKernel
from story.render import NEUTRAL, SERIES, legend
from ui.charts.axes import axes

CHANNELS = ("red", "green", "blue")
_WRITTEN = 5
"""Side of the largest kernel whose weights are written out, px."""
_EVERY = 17
"""Of the 256 colours of a legend, every such one is named: the first and the last are among them."""


def quality_figure(rows: Sequence[AtStrength]) -> go.Figure:
    """PSNR and SSIM to the clean photo over ε: of the attacked photo, dotted, and of each denoised one."""
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.07)
    names = list(rows[0].photos)
    for number, name in enumerate(names):
        attacked = name == ATTACKED
        # It may lie on one of those that it is made of, which is to be seen in the gaps.
        dash = "dot" if attacked else "dash" if name == RESULT and len(names) > 2 else "solid"
        colour = NEUTRAL if attacked else SERIES[(number - 1) % len(SERIES)]
        for axis_row, unit in ((1, " dB"), (2, "")):
            figure.add_scatter(
                x=[f"{row.eps:g}" for row in rows],
                y=[(row.psnr if axis_row == 1 else row.ssim)[name] for row in rows],
                customdata=[row.labels[name] for row in rows],
                name=name,
                legendgroup=name,
                showlegend=axis_row == 1,
                mode="lines+markers",
                line={"color": colour, "width": 3.5, "dash": dash},
                hovertemplate=f"%{{y:.3g}}{unit}, %{{customdata}}",
                row=axis_row,
                col=1,
            )
    figure = axes(figure, 460)
    figure.update_xaxes(type="category")
    figure.update_xaxes(title="strength ε of PGD", row=2, col=1)
    figure.update_yaxes(title="PSNR, dB", range=None, tickvals=None, tickformat=".0f", row=1, col=1)
    figure.update_yaxes(title="SSIM", tickformat=".2f", row=2, col=1)
    return figure


def pixel_kernel_figure(pixel: PixelKernel) -> go.Figure:
    """The weights of a pixel's neighbours, one square for each channel, all on one scale around 0."""
    kernels = pixel.kernel.cpu().numpy()
    side = kernels.shape[-1]
    most = float(abs(kernels).max()) or 1.0
    places = [place - side // 2 for place in range(side)]
    # The colours of signed maps, in decimals: Streamlit's theme takes some hexadecimal ones for its own.
    colours = legend("signed")[::_EVERY].tolist()
    scale = [(number / (len(colours) - 1), f"rgb{tuple(colour)}") for number, colour in enumerate(colours)]
    figure = make_subplots(rows=1, cols=3, subplot_titles=CHANNELS, horizontal_spacing=0.06)
    for number, (channel, weights) in enumerate(zip(CHANNELS, kernels, strict=True), 1):
        figure.add_heatmap(
            x=places,
            y=places,
            z=weights,
            name=channel,
            zmin=-most,
            zmax=most,
            colorscale=scale,
            showscale=False,
            texttemplate="%{z:.2f}" if side <= _WRITTEN else "",
            hovertemplate="%{x:+d}, %{y:+d} px: %{z:.4f}<extra></extra>",
            row=1,
            col=number,
        )
    figure = axes(figure, 260)
    figure.update_layout(showlegend=False, hovermode="closest", margin={"l": 8, "r": 8, "t": 32, "b": 8})
    ticks = {"tickvals": sorted({places[0], 0, places[-1]}), "tickformat": "+d", "constrain": "domain"}
    figure.update_xaxes(tickangle=0, **ticks)
    figure.update_yaxes(range=None, autorange="reversed", **ticks)
    for number in range(1, 4):
        beside = {"scaleanchor": f"x{number if number > 1 else ''}", "showticklabels": number == 1}
        figure.update_yaxes(**beside, row=1, col=number)
    return figure
