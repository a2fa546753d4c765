"""Which page shows which defense."""

from __future__ import annotations

from defenses import DEFENSES

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
    **dict.fromkeys(GRADIENT_SMOOTHING, "pages/gradient_smoothing.py"),
    **dict.fromkeys(PIXEL_DEFLECTION, "pages/pixel_deflection.py"),
    **dict.fromkeys(HEAT_AND_BLUR, "pages/heat_and_blur.py"),
    **dict.fromkeys(SMOOTHING_VOTE, "pages/smoothing_vote.py"),
    **dict.fromkeys(ADVFILTER, "pages/advfilter.py"),
    **dict.fromkeys(CLASSIC, "pages/classic_filters.py"),
}
"""Name of a defense -> the page that steps through it."""
