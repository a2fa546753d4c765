"""A browser component from the files that stand beside this one."""

from __future__ import annotations

from pathlib import Path

from streamlit.components.v2 import component
from streamlit.components.v2.types import ComponentRenderer

_FOLDER = Path(__file__).parent


def assemble(name: str) -> ComponentRenderer:
    """The mounting command of ``<name>.html``, ``<name>.css`` and ``<name>.js``.

    Streamlit hands the script to the browser as one module without neighbours, so what several components
    need (``parcel.js``, ``theme.css``) is put in front of it here instead of being imported there.
    """

    def text(*files: str) -> str:
        return "\n".join((_FOLDER / file).read_text(encoding="utf-8") for file in files)

    return component(
        f"unfool_{name}",
        html=text(f"{name}.html"),
        css=text("theme.css", f"{name}.css"),
        js=text("parcel.js", f"{name}.js"),
    )
