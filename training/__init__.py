"""The commands that made every file of weights in ``assets/``; nothing here runs in the app."""

from pathlib import Path

CHECKPOINTS = Path.home() / ".cache" / "unfool"
"""Where a training keeps what it needs to go on, unless it is told another place."""
