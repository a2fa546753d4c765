"""Rows as a table for readers."""

from __future__ import annotations

from typing import Any


def markdown_table(rows: list[dict[str, Any]]) -> str:
    """Rows with the same keys as a table."""
    heads = list(rows[0])
    lines = [heads, ["---"] * len(heads), *([str(row[head]) for head in heads] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def percent(share: float) -> float:
    """A share from 0 to 1 as a percentage with one digit."""
    return round(100 * share, 1)
