"""AdvFilter's tables as the denoisers' cards tell them: ``python -m experiments.advfilter_cards``.

Nothing is computed. The cards have fewer photos than ``experiments.advfilter_tables``, no hardened classifier
and no intervals.
"""

from __future__ import annotations

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from typing import Any

from denoisers import installed, read_card
from evaluation.one_photo.advfilter import ATTACKED
from experiments.advfilter_tables import NONE, row_of, tables

_NOT_PICTURES = ("photos", "strengths", "maps")


def figures_of_cards() -> dict[str, Any]:
    """The figures of all cards as ``tables`` takes them.

    Raises:
        ValueError: no denoiser is installed, or the cards were not measured on as many photos.
    """
    cards = {variant: read_card(variant)["val"] for variant in installed()}
    numbers = {card["photos"] for card in cards.values()}
    if len(numbers) != 1:
        raise ValueError(f"the cards were measured on {sorted(numbers)} photos, and not all on as many")
    rows: dict[str, dict[str, list[float]]] = {}
    for variant, card in cards.items():
        for name in card.keys() - _NOT_PICTURES:
            row = NONE if name == ATTACKED else row_of(variant, name)
            measured = card[name]
            right = [percent / 100 for percent in measured["accuracy"]]
            rows[row] = {"right": right, "psnr": measured["psnr"], "ssim": measured["ssim"]}
        if "maps" in card:
            rows[variant] |= card["maps"]
    strengths = next(iter(cards.values()))["strengths"]
    return {"photos": numbers.pop(), "strengths": strengths, "rows": rows, "claims": []}


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter).parse_args(arguments)
    figures = figures_of_cards()
    print(f"{figures['photos']} photos\n\n{tables(figures)}")


if __name__ == "__main__":
    main()
