"""AdvFilter's tables 1 to 5 in miniature: ``python -m experiments.advfilter_tables --photos FOLDER``.

FOLDER holds ``label/name.jpg``. Accuracy, PSNR and SSIM without attack and under PGD at the 12 strengths, for
every denoiser that is installed, in front of the classifier that was attacked and in front of the hardened
one, which sees the same photos; then the paper's claims and what the figures say of them. All photos count,
not those alone that the classifier gets right, as in the paper. The attacks are kept where the trainings keep
theirs, so a killed command goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import classifiers
from classifiers.base import Classifier
from denoisers import VARIANTS, Denoiser, installed, load
from denoisers.denoise import RESULT, UNCERTAINTIES, WEIGHT, denoised_and_maps
from evaluation.many_photos.claims import Claim, claim, first_minus_second
from evaluation.many_photos.measuring import command, in_parts
from evaluation.measures.accuracy import predicted
from evaluation.measures.detection import auc
from evaluation.measures.quality import quality
from evaluation.one_photo.advfilter import ALL
from ops.coding import from_bytes
from photos import Source
from story.table import markdown_table
from training import checkpoint
from training.attacked_photos import AttackedPhotos, AttackRecipe, Pairs

HARDENED = "builtin-hardened"
NONE = "none"
MEDIUM = (5e-4, 1e-3, 3e-3, 5e-3)
"""Where the paper's Table 1 has Filt(L_img) behind the denoisers of L_sem or of strong attacks."""
LARGE = (0.1, 0.3, 0.5)
WEAK = (0.0, 1e-4, 3e-4, 5e-4, 1e-3)
MOST_COST = 2.0
"""Points of clean accuracy that PA-Filt may cost."""
AUCS = {name: f"AUC of {name}" for name in UNCERTAINTIES}
"""How well a photo's mean uncertainty tells it from clean ones, by the uncertainty's name."""
Figures = dict[str, dict[str, NDArray[np.float64]]]
"""Row -> figure -> (13, photos), by ε."""
ORDER = ("add-sem", "filt-sem", "add-img", "filt-img", "filt-strong")
HEADS = tuple(f"multi-head, head {number}" for number in range(1, 5))
PARTS = ("pa-filt, sl", "pa-filt, m", "pa-filt", "filt-img")
TABLES = {
    "Table 1: accuracy in %": ("right", (NONE, *ORDER)),
    "Table 2: PSNR in dB": ("psnr", ORDER[:4]),
    "Table 2: SSIM": ("ssim", ORDER[:4]),
    "Table 3: accuracy in %, heads by decade of ε": ("right", (NONE, *HEADS)),
    "Table 4: accuracy in %, PA-Filt and its two decoders": ("right", (NONE, *PARTS)),
    "PSNR in dB, PA-Filt and its two decoders": ("psnr", (NONE, *PARTS)),
    "Table 5: accuracy in % of the hardened classifier": (
        "right, hardened",
        (NONE, "add-img", "filt-img", "pa-filt"),
    ),
}
"""Title -> figure and rows; rows that are not installed are left out."""


def row_of(variant: str, name: str) -> str:
    """What a variant's photo of that name is called."""
    return variant if name == RESULT else f"{variant}, {name}"


@torch.no_grad()
def figures_of(
    model: Classifier, hardened: Classifier | None, networks: dict[str, Denoiser], pairs: Pairs
) -> Figures:
    """All figures, by photo; ``networks`` by variant."""
    by_eps: dict[str, dict[str, list[Tensor]]] = {}
    clean = pairs.photos

    def part(x: Tensor, before: Tensor, labels: Tensor) -> dict[tuple[str, str], Tensor]:
        """(Row, figure) -> (B,)."""
        pictures = {NONE: x}
        columns: dict[tuple[str, str], Tensor] = {}
        for variant, network in networks.items():
            by_name, maps = denoised_and_maps(network, x)
            pictures |= {row_of(variant, name): picture for name, picture in by_name.items()}
            columns |= {(variant, name): one.mean((1, 2, 3)).cpu() for name, one in maps.items()}
        for row, picture in pictures.items():
            judged = quality(picture, from_bytes(before), labels, model)
            columns |= {(row, figure): getattr(judged, figure) for figure in ("right", "psnr", "ssim")}
            if hardened is not None:
                columns[row, "right, hardened"] = (predicted(hardened, picture) == labels).cpu()
        return columns

    for number, eps in enumerate(ALL):
        attacked = from_bytes(clean) if number == 0 else pairs.attacked(number - 1)
        parts = in_parts(part, attacked, clean, pairs.labels, model=model, name=f"ε {eps:g}")
        for row, figure in parts[0]:
            column = torch.cat([one[row, figure] for one in parts]).double()
            by_eps.setdefault(row, {}).setdefault(figure, []).append(column)
    return {
        row: {figure: torch.stack(values).numpy() for figure, values in by_figure.items()}
        for row, by_figure in by_eps.items()
    }


def seen_in(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """How well falling uncertainties (13, photos) tell attacked photos from clean ones: AUC by ε, (13,)."""
    clean = -torch.from_numpy(values[0])
    positive = torch.arange(2 * len(clean)) >= len(clean)
    return np.array([auc(torch.cat((clean, -torch.from_numpy(one))), positive) for one in values])


def at(figures: Figures, row: str, figure: str, strengths: Sequence[float]) -> NDArray[np.float64]:
    """(S, photos) the figures of a row at those ε."""
    return figures[row][figure][[ALL.index(eps) for eps in strengths]]


def halves(means: NDArray[np.float64], least: Callable[..., NDArray[np.float64]]) -> NDArray[np.float64]:
    """(N, 2 S) -> (N,): the first half less the second, put together by ``least``, as ``np.min``."""
    first, second = np.split(means, 2, axis=1)
    return least(first - second, axis=1)


def over_every_other(means: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, S) -> (N,): how far the first mean is over the best of the others."""
    return means[:, 0] - means[:, 1:].max(axis=1)


def claims_of(figures: Figures) -> list[Claim]:
    """The paper's claims, and the marks that were set here; those whose rows are there."""
    claims: list[Claim] = []

    def more_often(
        words: str, first: str, second: str, strengths: Sequence[float], figure: str = "right"
    ) -> None:
        if {first, second} <= figures.keys() and figure in figures[first]:
            pair = [at(figures, row, figure, strengths).mean(0) for row in (first, second)]
            claims.append(claim(words, np.stack(pair), first_minus_second))

    for loss in ("img", "sem"):
        first, second = f"filt-{loss}", f"add-{loss}"
        more_often(
            f"Filtering is right more often than adding (L_{loss}, mean over all ε)", first, second, ALL
        )
        if {first, second} <= figures.keys():
            both = np.concatenate([at(figures, row, "psnr", ALL) for row in (first, second)])
            words = f"Filtering has the higher PSNR at every ε (L_{loss}; the number is the least lead)"
            least = partial(halves, least=np.min)
            claims.append(claim(words, both, least, scale=1, unit="dB", decimals=2))
    medium = "at medium ε, 0.0005 to 0.005"
    more_often(
        f"Filt(L_img) is weak {medium}: Filt(L_sem) is right more often", "filt-sem", "filt-img", MEDIUM
    )
    more_often(
        f"PA-Filt mends that: {medium}, it is right more often than Filt(L_img)",
        "pa-filt",
        "filt-img",
        MEDIUM,
    )
    others = [row for row in (*ORDER, *HEADS) if row in figures]
    if "pa-filt" in figures and others:
        means = [at(figures, row, "right", ALL).mean(0) for row in ("pa-filt", *others)]
        words = "PA-Filt's mean accuracy over all ε is at least that of every single denoiser"
        claims.append(claim(words, np.stack(means), over_every_other))
    if "pa-filt" in figures:
        pair = np.concatenate([at(figures, row, "right", (0.0,)) for row in ("pa-filt", NONE)])
        pair[0] += MOST_COST / 100
        words = f"PA-Filt costs at most {MOST_COST:g} points of clean accuracy"
        claims.append(claim(words, pair, first_minus_second))
    if WEIGHT in figures.get("pa-filt", {}):
        pair = np.stack([at(figures, "pa-filt", WEIGHT, some).mean(0) for some in (WEAK, LARGE)])
        words = "PA-Filt's W falls with ε: its mean at ε up to 0.001 less that at 0.1 and over"
        claims.append(claim(words, pair, first_minus_second, scale=1, unit="", decimals=3))
    for row in ("add-img", "filt-img", "pa-filt"):
        words = f"At large ε, 0.1 to 0.5, the hardened classifier is right more often behind {row}"
        more_often(words, row, NONE, LARGE, "right, hardened")
    return claims


def measure(classifier: Classifier, source: Source, *, size: int, limit: int, seed: int) -> dict[str, Any]:
    """All figures and claims.

    Raises:
        ValueError: another size than the classifier's own, at which photos are attacked, or no denoiser.
    """
    if size != classifier.working_size:
        raise ValueError(f"photos are attacked at {classifier.working_size} px, not at {size}")
    if not installed():
        raise ValueError("no denoiser is installed; python -m training.train_advfilter makes them")
    pairs = AttackedPhotos(checkpoint.FOLDER, AttackRecipe(seed=seed), classifier, source).pairs(limit)
    hardened = None
    if HARDENED in classifiers.names():
        hardened = classifiers.load(HARDENED, device=classifier.device)
        if hardened.labels != classifier.labels:
            raise ValueError(f"{hardened.name} knows other labels than {classifier.name}")
    networks = {variant: load(variant, device=classifier.device) for variant in installed()}
    figures = figures_of(classifier, hardened, networks, pairs)
    means = {row: {name: values.mean(1) for name, values in kept.items()} for row, kept in figures.items()}
    for row, kept in figures.items():
        means[row] |= {AUCS[name]: seen_in(kept[name]) for name in UNCERTAINTIES if name in kept}
    return {
        "photos": len(pairs.labels),
        "hardened": hardened.identity if hardened else None,
        "denoisers": [row for row in VARIANTS if row in networks],
        "strengths": list(ALL),
        "rows": {
            row: {name: [round(float(value), 4) for value in values] for name, values in row_means.items()}
            for row, row_means in means.items()
        },
        "claims": [
            {"claim": one.words, "figures": one.figures, "verdict": one.verdict} for one in claims_of(figures)
        ],
    }


def tables(figures: dict[str, Any]) -> str:
    """The figures as the paper's tables, and the claims."""
    written: list[str] = []
    for title, (figure, rows) in TABLES.items():
        there = [row for row in rows if figure in figures["rows"].get(row, {})]
        if not there:
            continue
        lines = []
        for row in there:
            values = figures["rows"][row][figure]
            shown = [
                f"{100 * value:.1f}" if figure.startswith("right") else f"{value:.2f}" for value in values
            ]
            by_strength = dict(zip((f"{eps:g}" for eps in figures["strengths"]), shown, strict=True))
            lines.append({"denoiser": row, **by_strength, "mean": _mean(values, figure)})
        written.append(f"{title}\n\n{markdown_table(lines)}")
    fusion = figures["rows"].get("pa-filt", {})
    if WEIGHT in fusion:
        lines = [
            {
                "mean of": name,
                **{f"{eps:g}": f"{value:.4f}" for eps, value in zip(ALL, fusion[name], strict=True)},
            }
            for name in (*UNCERTAINTIES, WEIGHT, *AUCS.values())
            if name in fusion
        ]
        written.append(f"What PA-Filt's fusion sees and makes of it\n\n{markdown_table(lines)}")
    if figures["claims"]:
        written.append(f"Claims\n\n{markdown_table(figures['claims'])}")
    return "\n\n".join(written)


def _mean(values: list[float], figure: str) -> str:
    mean = sum(values) / len(values)
    return f"{100 * mean:.1f}" if figure.startswith("right") else f"{mean:.2f}"


if __name__ == "__main__":
    command(__doc__, measure, tables)
