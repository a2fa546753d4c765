"""The papers' tables and figures in small, and their claims: ``python -m experiments.paper_tables SOURCE``.

Every experiment is a run under ``--runs``, which goes on where it was broken off, and which the page Failures
shows too.
All sentences and verdicts that it writes come from the rows.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from tqdm import tqdm

from attacks import Attack
from attacks.fgsm import FGSM
from attacks.iterated_fgsm import IteratedFGSM
from attacks.lavan import LaVAN
from attacks.noise import Noise
from attacks.universal_patch import PATCHES, UniversalPatch
from classifiers import Classifier, default_name, load
from defenses import (
    DEFENSES,
    LGS,
    SLGS,
    WLGS,
    Defense,
    Oblivious,
    PixelDeflection,
    SmoothingVote,
    Threat,
)
from defenses.threats import BPDA, Exact
from evaluation.many_photos.batch import Plan
from evaluation.many_photos.causes import CLEAN_WRONG, UNSURE, UNSURE_CLEAN
from evaluation.many_photos.claims import LEAST, Cells, Claim, claim, first_minus_second, narrower
from evaluation.many_photos.columns import NONE
from evaluation.many_photos.evaluate import Selection, evaluate, usual_batch
from evaluation.many_photos.rows import Rows
from evaluation.many_photos.run_folder import Run
from evaluation.many_photos.summary import Summary
from photos import open_source
from story.table import markdown_table

RESULTS = Path("docs/RESULTS.md")
MARK = "<!-- All below is written by make tables. -->"
"""What stands above it in the file of results stays."""
LAMBDAS = (1.5, 1.9, 2.3, 2.7, 3.5)
SHARES = (0.01, 0.017, 0.022, 0.05, 0.10)
SMOOTHING: dict[str, Callable[[float], Defense]] = {
    "lgs": lambda lam: LGS(lam=lam),
    "slgs": lambda lam: SLGS(lam=lam),
    "wlgs": lambda lam: WLGS(lam=lam),
    "wlgs-clamp": lambda lam: WLGS(lam=lam, clamp=True),
}
BESIDE = ("jpeg", "gaussian", "median", "bilateral", "tvm", "digital-watermarking")
"""The classic defenses of the enhanced paper's Fig. 9."""
SIGMAS = (0.125, 0.25, 0.375)
AS_GOOD = 2.0
"""Points below which a loss still counts as "at least as good"."""


@dataclass(frozen=True)
class Experiment:
    """One run and what is read from it.

    Attributes:
        title: heading of its part of the results.
        about: what stands under it.
        plan: its methods, for a classifier.
        tables: heading -> table in Markdown, from the run's summary.
        claims: from its rows.
    """

    title: str
    about: str
    plan: Callable[[Classifier], Plan]
    tables: Callable[[Summary], dict[str, str]]
    claims: Callable[[Cells], list[Claim]]


# --- patches: You-Wei and Sheng-De 2022 ---------------------------------------------------------------------


def _patches(classifier: Classifier) -> Plan:
    attacks: dict[str, Attack] = {_share(share): LaVAN(share=share) for share in SHARES}
    own = [name for name, card in PATCHES.items() if card.classifier == classifier.identity]
    attacks |= {f"universal {name}": UniversalPatch(patch=name) for name in own}
    defenses = {_strength(name, lam): make(lam) for name, make in SMOOTHING.items() for lam in LAMBDAS}
    return Plan(attacks, {**defenses, **{name: DEFENSES[name]() for name in BESIDE if name in DEFENSES}})


def _share(share: float) -> str:
    return f"LaVAN {100 * share:g} %"


def _strength(name: str, lam: float) -> str:
    return f"{name} λ {lam:g}"


def _patch_tables(summary: Summary) -> dict[str, str]:
    clean = [cell for cell in summary.cells if cell.attack == NONE and cell.defense != NONE]
    means = [
        {
            "λ": f"{lam:g}",
            **{name: _mean_of_both(summary, _share(0.017), _strength(name, lam)) for name in SMOOTHING},
        }
        for lam in LAMBDAS
    ]
    return {
        "Tables 1 to 4: right labels in %, by patch": accuracies(summary),
        "Fig. 5: mean of right labels without and with the 1.7 % patch, in %, by λ": markdown_table(means),
        "Around Fig. 6: mean SSIM of the defended clean photo to the clean photo": markdown_table(
            [{"defense": cell.defense, "SSIM": f"{cell.ssim.mean or 0:.3f}"} for cell in clean]
        ),
        "Fig. 9: milliseconds per photo": markdown_table(
            [{"defense": cell.defense, "ms": f"{cell.milliseconds.mean or 0:.2f}"} for cell in clean]
        ),
    }


def _mean_of_both(summary: Summary, attack: str, defense: str) -> str:
    shares = [
        cell.accuracy.share or 0
        for cell in summary.cells
        if cell.defense == defense and cell.attack in (NONE, attack)
    ]
    return f"{100 * sum(shares) / len(shares):.1f}"


def _patch_claims(cells: Cells) -> list[Claim]:
    claims: list[Claim] = []
    for lam in LAMBDAS:
        lgs, slgs = _strength("lgs", lam), _strength("slgs", lam)
        pair = np.stack([cells.right(NONE, slgs), cells.right(NONE, lgs)])
        words = f"Without a patch, SLGS keeps more labels right than LGS, λ {lam:g} (Tables 1, 2)"
        claims.append(claim(words, pair, first_minus_second))
        for share in SHARES:
            pair = np.stack([cells.right(_share(share), slgs), cells.right(_share(share), lgs)])
            pair[0] += AS_GOOD / 100
            words = f"Under {_share(share)}, SLGS is at least as good as LGS, λ {lam:g} (Tables 1–4)"
            claims.append(claim(words, pair, first_minus_second))
    for share in SHARES:
        both = [
            cells.right(_share(share), _strength(name, lam)) for name in ("lgs", "wlgs") for lam in LAMBDAS
        ]
        words = f"Under {_share(share)}, WLGS is steadier across λ than LGS (Fig. 5)"
        claims.append(claim(words, np.stack(both), narrower))
    for better, worse in (("slgs", "wlgs"), ("wlgs", "lgs")):
        pair = np.stack([cells.ssim(NONE, _strength(name, 2.3)) for name in (better, worse)])
        words = f"{better.upper()} changes clean photos less than {worse.upper()} does, λ 2.3 (Fig. 6)"
        claims.append(claim(words, pair, first_minus_second, scale=1, unit="", decimals=4))
    return claims + [_failures_claim(cells, name) for name in ("slgs", "wlgs")]


def _failures_claim(cells: Cells, name: str) -> Claim:
    """Over all LaVAN patches: of the photos that are not right, most are wrong or unsure when clean."""
    defense = _strength(name, 2.3)
    failed = np.mean([1 - cells.right(_share(share), defense) for share in SHARES], axis=0)
    causes = [
        np.isin(cells.of(_share(share), defense, "cause"), (CLEAN_WRONG, UNSURE_CLEAN)) for share in SHARES
    ]
    explained = np.mean(causes, axis=0)

    def over_half(means: np.ndarray) -> np.ndarray:
        return means[:, 1] / np.maximum(means[:, 0], 1e-12) - 0.5 * (means[:, 0] > 0)

    words = (
        f"Over half of the photos that {name.upper()}, λ 2.3, does not save from LaVAN are wrong or under "
        f"{100 * UNSURE:g} % sure without a patch already (section 4.2)"
    )
    return claim(words, np.stack([failed, explained]), over_half)


# --- attackers who know: You-Wei and Sheng-De 2022, figure 10 -----------------------------------------------

_KNOWLEDGE: dict[str, Threat] = {"oblivious": Oblivious(), "bpda": BPDA(), "exact": Exact()}
_SMOOTHED, _KNOWN_LAMBDAS = ("lgs", "slgs", "wlgs"), (1.5, 2.3, 3.5)
_KNOWING = LaVAN(share=0.05, iterations=60)
"""A patch that the classifier hardly withstands where there is no defense. Steps through a defense cost up to
three times the bare ones, so there are fewer of them than elsewhere: who knows could do better still."""
_PATCH = "LaVAN"


def _threats(_classifier: Classifier) -> Plan:
    defenses = {_strength(name, lam): SMOOTHING[name](lam) for name in _SMOOTHED for lam in _KNOWN_LAMBDAS}
    return Plan.under(_KNOWLEDGE, {_PATCH: _KNOWING}, defenses)


def _case(threat: str) -> str:
    return f"{_PATCH}/{threat}" if _KNOWLEDGE[threat].knows else _PATCH


def _threat_tables(summary: Summary) -> dict[str, str]:
    fooled = {(cell.attack, cell.defense): cell.fooled for cell in summary.cells}
    defenses = list(dict.fromkeys(cell.defense for cell in summary.cells))
    rows = [
        {"defense": defense} | {threat: fooled[_case(threat), defense].percent for threat in _KNOWLEDGE}
        for defense in defenses
    ]
    return {
        "Fig. 10: photos that come out wrong in %, of those right without attack and defense": markdown_table(
            rows
        )
    }


def _threat_claims(cells: Cells) -> list[Claim]:
    claims = []
    for name in _SMOOTHED:
        for lam in _KNOWN_LAMBDAS:
            for threat in ("bpda", "exact"):
                fooled = [
                    (cells.of(_case(case), _strength(name, lam), "outcome") == "wrong").astype(np.float64)
                    for case in ("oblivious", threat)
                ]
                fooled[0] += AS_GOOD / 100
                words = (
                    f"An attacker who knows {name.upper()}, λ {lam:g}, and goes through it by "
                    f"{_KNOWLEDGE[threat].title} fools hardly more photos than one who does not (Fig. 10)"
                )
                claims.append(claim(words, np.stack(fooled), first_minus_second))
    return claims


# --- noise: the smoothing vote ------------------------------------------------------------------------------


def _noise(_classifier: Classifier) -> Plan:
    return Plan({_sigma(sigma): Noise(sigma=sigma) for sigma in SIGMAS}, {"smoothing-vote": SmoothingVote()})


def _sigma(sigma: float) -> str:
    return f"noise σ {sigma:g}"


def _noise_tables(summary: Summary) -> dict[str, str]:
    rejected = [
        {
            "attack": cell.attack,
            "rejected": f"{100 * cell.outcomes['rejected'] / max(1, cell.photos):.1f}",
        }
        for cell in summary.cells
        if cell.defense != NONE
    ]
    return {
        "Right labels in %, a rejected photo counting as wrong": accuracies(summary),
        "Photos rejected, in %": markdown_table(rejected),
    }


def _noise_claims(cells: Cells) -> list[Claim]:
    claims = []
    for sigma in SIGMAS:
        pair = np.stack([cells.right(_sigma(sigma), name) for name in ("smoothing-vote", NONE)])
        words = f"Under {_sigma(sigma)}, the vote is right more often than the classifier alone"
        claims.append(claim(words, pair, first_minus_second))
    names = [NONE, *map(_sigma, SIGMAS)]
    for less, more in pairwise(names):
        refused = [cells.of(attack, "smoothing-vote", "outcome") == "rejected" for attack in (more, less)]
        words = f"More photos are rejected under {more} than under {'no noise' if less == NONE else less}"
        claims.append(claim(words, np.stack(refused).astype(np.float64), first_minus_second))
    return claims


# --- small changes: Pixel Deflection ------------------------------------------------------------------------

_DEFLECTING = {
    "pixels moved": PixelDeflection(map="none", denoiser="none"),
    "moved, map": PixelDeflection(denoiser="none"),
    "moved, wavelets": PixelDeflection(map="none"),
    "moved, map, wavelets": PixelDeflection(),
}
_CHANGES: dict[str, Attack] = {"FGSM": FGSM(), "iterated FGSM": IteratedFGSM()}


def _deflection(_classifier: Classifier) -> Plan:
    return Plan(_CHANGES, _DEFLECTING)


def _deflection_tables(summary: Summary) -> dict[str, str]:
    return {"Right labels in %": accuracies(summary)}


def _deflection_claims(cells: Cells) -> list[Claim]:
    claims = []
    for attack in _CHANGES:
        for other, words in (
            (NONE, "Pixel Deflection brings labels back"),
            ("moved, map", "with wavelets more labels come back than without"),
            ("moved, wavelets", "with the map of the likeliest labels more labels come back than without"),
        ):
            pair = np.stack([cells.right(attack, name) for name in ("moved, map, wavelets", other)])
            claims.append(claim(f"Under {attack}, {words}", pair, first_minus_second))
    return claims


EXPERIMENTS = {
    "patches": Experiment(
        "Patches and gradient smoothing",
        "You-Wei and Sheng-De 2022. Here LaVAN learns a patch for each photo and a random target; theirs was "
        "learned over many. The 5 % patch stands for their Adversarial Patch. The attacker does "
        "not know of the defense.",
        _patches,
        _patch_tables,
        _patch_claims,
    ),
    "threats": Experiment(
        "Attackers who know the defense",
        f"You-Wei and Sheng-De 2022, figure 10: LaVAN on {100 * _KNOWING.share:g} % of the area, learned in "
        f"{_KNOWING.iterations} steps for each photo and a random target, by an attacker who is oblivious, "
        "and by one who goes through the defense, backwards as if it were not there (BPDA) or by its own "
        "gradient (exact). Nothing is random here, so expectation over transformation is the exact gradient.",
        _threats,
        _threat_tables,
        _threat_claims,
    ),
    "noise": Experiment(
        "Noise and the smoothing vote", "The blog post's table.", _noise, _noise_tables, _noise_claims
    ),
    "deflection": Experiment(
        "Small changes and Pixel Deflection",
        "The post to Prakash et al. 2018, which shows one photo.",
        _deflection,
        _deflection_tables,
        _deflection_claims,
    ),
}
"""A further paper is an entry here."""


def accuracies(summary: Summary) -> str:
    """Defenses down, attacks across: % right with the ends of the 95 % interval."""
    attacks = list(dict.fromkeys(cell.attack for cell in summary.cells))
    defenses = list(dict.fromkeys(cell.defense for cell in summary.cells))
    shares = {(cell.attack, cell.defense): cell.accuracy for cell in summary.cells}
    return markdown_table(
        [
            {"defense": defense} | {attack: shares[attack, defense].percent for attack in attacks}
            for defense in defenses
        ]
    )


def results(done: Mapping[str, tuple[Summary, list[Claim]]], facts: Sequence[str]) -> str:
    """The whole of the results, in Markdown.

    Args:
        done: name of an experiment -> summary and claims of its run.
        facts: sentences on what was run.
    """
    parts = ["# The papers' tables in small", *facts]
    every = [claim for _, claims in done.values() for claim in claims]
    for verdict, heading in (
        ("holds", "Claims that hold here"),
        ("does not hold", "Claims that do not hold here"),
        ("undecided", "Claims that these photos do not decide"),
    ):
        lines = [f"* {one.words}: {one.figures}" for one in every if one.verdict == verdict]
        parts += [f"## {heading}", "\n".join(lines) or "None."]
    parts.append(
        "The number behind a claim is the difference that it speaks of, positive where it is true, with the "
        f"95 % bootstrap interval over the photos. “At least as good” adds {AS_GOOD:g} points to the "
        f"first; so does “hardly more”. Fewer than {LEAST} photos decide nothing."
    )
    for name, (summary, _) in done.items():
        experiment = EXPERIMENTS[name]
        parts += [f"## {experiment.title}", experiment.about]
        for heading, table in experiment.tables(summary).items():
            parts += [f"### {heading}", table]
    return "\n\n".join(parts) + "\n"


def write(file: Path, text: str) -> None:
    """Puts ``text`` below ``MARK`` in ``file``; what is above it stays."""
    above = ""
    if file.exists():
        above, mark, _ = file.read_text(encoding="utf-8").partition(MARK)
        if not mark:
            raise ValueError(f"{file} has no line {MARK}, below which the results could be written")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{above}{MARK}\n\n{text}", encoding="utf-8")


def measure(
    name: str, source: str, classifier: Classifier, runs: Path, limit: int | None, root: Path | None
) -> tuple[Summary, list[Claim]]:
    """The summary and the claims of an experiment; what its run has already is not computed again.

    Raises:
        ValueError: no such photos, or its folder holds a run with other settings.
        OSError: it cannot be written.
    """
    run = Run(runs / f"paper-{name}-{classifier.name}")
    selection = Selection(limit, 0, usual_batch(classifier.device), classifier.working_size)
    with tqdm(desc=name, unit=" photos", disable=None) as bar:

        def show(done: int, total: int) -> None:
            bar.total, bar.n = total, done
            bar.refresh()

        plan = EXPERIMENTS[name].plan(classifier)
        summary = evaluate(run, open_source(source, root), classifier, plan, selection, progress=show)
    assert summary is not None
    return summary, EXPERIMENTS[name].claims(Cells(Rows.read(run.folder)))


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", metavar="SOURCE", help="as for cli.py evaluate")
    parser.add_argument("--classifier", default=default_name())
    parser.add_argument("--device")
    parser.add_argument("--limit", type=int, help="how many photos (all)")
    parser.add_argument("--root", type=Path, help="folder of torchvision's data sets")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of the runs")
    parser.add_argument("--results", type=Path, default=RESULTS, help="file that is written")
    parser.add_argument("--only", choices=tuple(EXPERIMENTS), action="append", help="these experiments alone")
    given = parser.parse_args(arguments)
    classifier = load(given.classifier, device=given.device)
    names = given.only or list(EXPERIMENTS)
    try:
        done = {
            name: measure(name, given.source, classifier, given.runs, given.limit, given.root)
            for name in names
        }
    except ValueError as error:
        parser.error(str(error))
    used = {summary.photos - summary.unread for summary, _ in done.values()}
    facts = [
        f"{' or '.join(map(str, sorted(used)))} photos of {Path(given.source).name}, seed 0, "
        f"{classifier.name} at {classifier.working_size} px on {classifier.device.type}. Made by "
        "`make tables`; everything here is computed from the rows. Attacks leave the true label, and a photo "
        "that was wrong before the attack counts as wrong."
    ]
    try:
        write(given.results, results(done, facts))
    except ValueError as error:
        parser.error(str(error))
    print(f"{given.results} written")


if __name__ == "__main__":
    main()
