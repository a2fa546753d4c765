"""What runs in the browser: looking at maps, scrubbing and placing, without a trip to the server."""

from ui.browser.place_picker import Placement, place_picker
from ui.browser.scrubber import scrubber
from ui.browser.story_viewer import Panel, panels_of, story_parcel, story_viewer
from ui.browser.wipe import wipe

__all__ = [
    "Panel",
    "Placement",
    "panels_of",
    "place_picker",
    "scrubber",
    "story_parcel",
    "story_viewer",
    "wipe",
]
