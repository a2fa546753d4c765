"""A slider through the frames of something that ran, such as the iterations of an attack."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from ui.browser.assembly import assemble
from ui.browser.parcel import pack

_mount = assemble("scrubber")


def scrubber(
    frames: Sequence[bytes],
    captions: Sequence[str],
    *,
    key: str,
    label: str,
    series: Sequence[float] | None = None,
    at: Sequence[int] | None = None,
    series_label: str = "Probability",
    colour: str | None = None,
    start: Literal["first", "last"] = "last",
) -> None:
    """Shows one frame, a slider over all of them, play and pause; scrubbing never reaches the server.

    Args:
        frames: PNG files of one size, at least one.
        captions: one for each frame.
        key: of the component.
        label: what is scrubbed through; the name of the slider.
        series: values in [0, 1], drawn as a line above the slider with a mark at the present frame.
        at: place in ``series`` of each frame; without it the frames are spread evenly over the series.
        series_label: what the line shows.
        colour: of the line, as CSS has it (``story.render`` has the colours of meanings); without it the
            theme's primary colour.
        start: the frame that is shown first, and again whenever other frames come.

    Raises:
        ValueError: no frames, or not as many captions or places as frames.
    """
    if not frames:
        raise ValueError("nothing to scrub through: no frames")
    if len(captions) != len(frames):
        raise ValueError(f"{len(frames)} frames need as many captions, not {len(captions)}")
    if at is not None and len(at) != len(frames):
        raise ValueError(f"{len(frames)} frames need as many places in the series, not {len(at)}")
    values = [float(value) for value in series or ()]
    last = max(len(values) - 1, 0)
    places = [last * i / max(len(frames) - 1, 1) for i in range(len(frames))] if at is None else list(at)
    header = {
        "captions": list(captions),
        "label": label,
        "series": values,
        "places": [min(max(place, 0), last) for place in places],
        "seriesLabel": series_label,
        "colour": colour or "var(--st-primary-color)",
        "start": 0 if start == "first" else len(frames) - 1,
    }
    _mount(key=key, data=pack(header, list(frames)))
