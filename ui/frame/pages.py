"""Which page shows which defense."""

from __future__ import annotations

from defenses import DEFENSES
from ui.frame.page_files import FOLDER

GRADIENT_SMOOTHING = ("lgs", "slgs", "wlgs")
PIXEL_DEFLECTION = ("pixel-deflection",)
HEAT_AND_BLUR = ("heat-and-blur",)
SMOOTHING_VOTE = ("smoothing-vote",)
ADVFILTER = ("advfilter",)
CLASSIC = tuple(
    name
    for name in DEFENSES
    if name not in (*GRADIENT_SMOOTHING, *PIXEL_DEFLECTION, *HEAT_AND_BLUR, *SMOOTHING_VOTE, *ADVFILTER)
)
PAGE_OF = {
    **dict.fromkeys(GRADIENT_SMOOTHING, FOLDER / "gradient_smoothing.py"),
    **dict.fromkeys(PIXEL_DEFLECTION, FOLDER / "pixel_deflection.py"),
    **dict.fromkeys(HEAT_AND_BLUR, FOLDER / "heat_and_blur.py"),
    **dict.fromkeys(SMOOTHING_VOTE, FOLDER / "smoothing_vote.py"),
    **dict.fromkeys(ADVFILTER, FOLDER / "advfilter.py"),
    **dict.fromkeys(CLASSIC, FOLDER / "classic_filters.py"),
}
"""Name of a defense -> the page that steps through it."""
