"""The app for ``AppTest``: the script of every visit, and its pages."""

from pathlib import Path

SCRIPT = str(Path(__file__).parents[2] / "ui" / "entry.py")


def page_file(name: str) -> str:
    """As ``AppTest.switch_page`` takes it: seen from the script."""
    return f"../pages/{name}.py"
