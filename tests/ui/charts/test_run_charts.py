"""The charts of a run hold its numbers, and are left out where there are none."""

from dataclasses import replace

import pytest

from attacks import ATTACKS
from defenses import DEFENSES, LGS, SLGS
from evaluation.many_photos.causes import ATTACK_FAILED, CAUSES, CLEAN_WRONG, SMOOTHED_AWAY
from evaluation.many_photos.summary import CellSummary, Mean
from evaluation.measures.intervals import Share
from evaluation.one_photo.report import method_facts
from story.render import DEFENDED
from ui.charts.run import (
    cause_figure,
    charts,
    likeness_figure,
    name_of,
    reached_figure,
    strength_figure,
    threat_figure,
    time_figure,
)

ATTACKING = {"pgd": method_facts(ATTACKS["pgd"](), ATTACKS)}
DEFENDING = {
    f"{name}:lam={lam}": method_facts(cls(lam=lam), DEFENSES)
    for name, cls in (("lgs", LGS), ("slgs", SLGS))
    for lam in (3.5, 1.5)
}


def share(value, low=0.0, high=1.0):
    return Share(round(10 * value), 10, value, low, high)


def cell(attack, defense, right, **more):
    nothing = Share.counted(0, 0)
    summary = CellSummary(
        attack=attack,
        defense=defense,
        photos=10,
        accuracy=share(right / 10, right / 10 - 0.1, right / 10 + 0.2),
        accuracy_when_clean=nothing,
        fooled=share((10 - right) / 10),
        reached=nothing,
        outcomes={"right": right, "wrong": 10 - right, "rejected": 0, "left out": 0, "unread": 0},
        causes={},
        ssim=Mean(0.5 + right / 20, 10),
        psnr=Mean(None, 0),
        ndcg=Mean(None, 0),
        milliseconds=Mean(10.0**right, 10),
    )
    return replace(summary, **more)


CELLS = [
    cell(attack, defense, number)
    for attack in ("none", "pgd")
    for number, defense in enumerate(["none", *DEFENDING], 1)
]


def test_strength_against_accuracy():
    figure = strength_figure(CELLS, ATTACKING, DEFENDING)
    lines = {line.name: line for line in figure.data}
    assert list(lines) == ["LGS, no attack", "SLGS, no attack", "LGS, PGD", "SLGS, PGD"]
    line = lines["SLGS, PGD"]
    assert (list(line.x), list(line.y)) == ([1.5, 3.5], [0.5, 0.4])
    assert line.error_y.array == pytest.approx([0.2, 0.2])
    assert line.error_y.arrayminus == pytest.approx([0.1, 0.1])
    assert len({(line.line.color, line.line.dash) for line in figure.data}) == 4


def test_success_under_threats():
    knowing = method_facts(ATTACKS["pgd"](), ATTACKS) | {
        "threat": {"name": "bpda", "parameters": {"draws": 1}}
    }
    noise = method_facts(ATTACKS["noise"](), ATTACKS)
    attacks = ATTACKING | {"pgd/bpda": knowing, "noise": noise}
    cells = [cell(attack, "lgs:lam=1.5", n) for n, attack in enumerate(("none", "noise", "pgd", "pgd/bpda"))]
    figure = threat_figure(cells, attacks, DEFENDING)
    assert [bar.name for bar in figure.data] == ["PGD", "PGD, BPDA"]
    assert [list(bar.x) for bar in figure.data] == [[0.8], [0.7]]
    assert figure.data[1].error_x.array == pytest.approx([0.3])
    assert threat_figure(cells, ATTACKING, DEFENDING) is None
    assert "Success under threats" in charts(cells, attacks, DEFENDING, "pgd")


def test_the_attacks_label_is_drawn_for_attacks_that_are_after_one():
    cells = [
        cell("lavan", name, 5, reached=Share.counted(hits, 10)) for name, hits in (("none", 8), ("x", 1))
    ]
    cells.append(cell("pgd", "none", 5))
    figure = reached_figure(cells, ATTACKING, DEFENDING)
    (bar,) = figure.data
    assert list(bar.x) == [0.8, 0.1]
    assert bar.error_x.array == pytest.approx([cell.reached.high - cell.reached.share for cell in cells[:2]])
    assert "The attack's label" in charts(cells, ATTACKING, DEFENDING, "lavan")
    assert reached_figure(cells[2:], ATTACKING, DEFENDING) is None


def test_one_strength_is_no_line():
    one = {"lgs": method_facts(LGS(), DEFENSES), "jpeg": method_facts(DEFENSES["jpeg"](), DEFENSES)}
    cells = [cell("none", name, 5) for name in ("none", "lgs", "jpeg")]
    assert strength_figure(cells, {}, one) is None
    assert list(charts(cells, {}, one, "none")) == ["Outcomes and causes", "SSIM", "Time"]
    assert list(charts(cells[:1], {}, {}, "none")) == ["Outcomes and causes"]


def test_causes_add_up_to_all_photos():
    told = {ATTACK_FAILED: 2, CLEAN_WRONG: 3, SMOOTHED_AWAY: 1}
    figure = cause_figure([cell("pgd", "none", 6, causes=told)], {})
    parts = {bar.name: bar.x[0] for bar in figure.data}
    assert parts == {
        "right": 0.4,
        "right, attack failed": 0.2,
        "wrong on the clean photo": 0.3,
        "object smoothed away": 0.1,
    }
    assert figure.data[0].marker.color == DEFENDED


def test_every_cause_looks_different():
    told = dict.fromkeys(CAUSES, 1)
    bars = cause_figure([cell("pgd", "none", 1, causes=told)], {}).data
    looks = {(bar.marker.color, bar.marker.pattern.shape) for bar in bars}
    assert len(looks) == len(bars) == 1 + len(CAUSES)


def test_bars_of_likeness_and_time():
    likeness, time = likeness_figure(CELLS, DEFENDING), time_figure(CELLS, DEFENDING)
    assert list(likeness.data[0].x) == pytest.approx([0.6, 0.65, 0.7, 0.75])
    assert list(time.data[0].x) == [1e2, 1e3, 1e4, 1e5]
    assert time.layout.xaxis.type == "log"
    assert time.data[0].y[0] == "LGS, λ 3.5"
    assert likeness_figure([cell("none", "lgs:lam=1.5", 1, ssim=Mean(None, 0))], DEFENDING) is None


def test_names():
    assert name_of("none", DEFENDING, DEFENSES) == "no defense"
    assert name_of("none", ATTACKING, ATTACKS) == "no attack"
    assert name_of("pgd", ATTACKING, ATTACKS) == "PGD"
    assert (
        name_of("vote", {"vote": {"name": "smoothing-vote", "parameters": {}}}, DEFENSES) == "Smoothing vote"
    )
    two = {f"pgd:eps={eps}": method_facts(ATTACKS["pgd"](eps=eps / 255), ATTACKS) for eps in (2, 8)}
    assert name_of("pgd:eps=8", two, ATTACKS) == "PGD, ε 8"
    gone = {"old": {"name": "gone", "parameters": {}}}
    assert name_of("old", gone, DEFENSES) == "old"
