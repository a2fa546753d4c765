"""The defenses, by the name that every door uses."""

from defenses.base import Defended, Defense
from defenses.lgs import LGS
from defenses.pixel_deflection import PixelDeflection
from defenses.slgs import SLGS
from defenses.wlgs import WLGS

DEFENSES: dict[str, type[Defense]] = {
    "lgs": LGS,
    "slgs": SLGS,
    "wlgs": WLGS,
    "pixel-deflection": PixelDeflection,
}

__all__ = ["DEFENSES", "LGS", "SLGS", "WLGS", "Defended", "Defense", "PixelDeflection"]
