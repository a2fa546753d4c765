"""Formulas that a browser draws by itself, without a script or a font from elsewhere."""

from __future__ import annotations

import html
from functools import lru_cache

from latex2mathml.converter import convert


@lru_cache(maxsize=512)
def formula_markup(latex: str) -> str:
    """``latex`` as MathML, "" for ""; what cannot be read as LaTeX is shown as it was written."""
    if not latex.strip():
        return ""
    try:
        return convert(latex, display="block")
    except Exception:  # the library's errors have no common base
        return f"<code>{html.escape(latex)}</code>"
