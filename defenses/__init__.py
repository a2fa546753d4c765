"""The defenses, by the name that every door uses."""

from defenses.advfilter import AdvFilter
from defenses.base import Decision, Defended, Defense, Outcome, defend, defend_each
from defenses.digital_watermarking import DigitalWatermarking
from defenses.filters import FILTERS
from defenses.heat_and_blur import HeatAndBlur
from defenses.lgs import LGS
from defenses.looking import Looking
from defenses.pixel_deflection import PixelDeflection
from defenses.slgs import SLGS
from defenses.smoothing_vote import SmoothingVote
from defenses.threats import THREATS, Oblivious, Threat
from defenses.wlgs import WLGS

DEFENSES: dict[str, type[Defense]] = {
    "lgs": LGS,
    "slgs": SLGS,
    "wlgs": WLGS,
    "pixel-deflection": PixelDeflection,
    "heat-and-blur": HeatAndBlur,
    "smoothing-vote": SmoothingVote,
    "advfilter": AdvFilter,
    **FILTERS,
    "digital-watermarking": DigitalWatermarking,
}

__all__ = [
    "DEFENSES",
    "LGS",
    "SLGS",
    "THREATS",
    "WLGS",
    "AdvFilter",
    "Decision",
    "Defended",
    "Defense",
    "HeatAndBlur",
    "Looking",
    "Oblivious",
    "Outcome",
    "PixelDeflection",
    "SmoothingVote",
    "Threat",
    "defend",
    "defend_each",
]
