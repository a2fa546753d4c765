"""Where the pages lie; read before anything that takes time to load."""

from pathlib import Path

FOLDER = Path(__file__).parents[2] / "pages"
