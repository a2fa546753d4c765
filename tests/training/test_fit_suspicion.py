"""The command that fits the adversarial score and the automatic λ."""

import json
from dataclasses import replace

import pytest
import torch

from attacks.lavan import LaVAN
from attacks.universal_patch import UniversalPatch
from defenses import automatic
from defenses.automatic import Staircase
from evaluation.one_photo import adversarial_score
from evaluation.one_photo.adversarial_score import SIGNS, Suspicion, read_suspicion
from training import fit_suspicion
from training.fit_suspicion import (
    TARGETS,
    Recipe,
    alarm_from,
    alarms,
    balanced,
    fit_score,
    fit_staircase,
    judge_staircase,
    judged_signs,
    mixed,
    runner_up,
    universal_patch,
)
from training.harmless import STICKERS


@pytest.fixture
def run(labelled_photos, as_builtin, tmp_path):
    def run(name, *more):
        out = tmp_path / name
        place = ["--photos", labelled_photos, "--out", out, "--checkpoint", tmp_path / f"{name}.pt"]
        fields = ["--batch", 2, "--iterations", 1, "--lams", 3, "--steps", 2]
        fit_suspicion.main([str(word) for word in (*place, *fields, *more)])
        return {file.parent.name: json.loads(file.read_text()) for file in out.rglob("tiny.json")}

    return run


def test_writes_both_files_with_their_figures(run, tmp_path, monkeypatch, as_builtin):
    cards = run("whole")
    assert set(cards) == {"suspicion", "automatic"}
    for room in (adversarial_score, automatic):
        monkeypatch.setattr(room, "FOLDER", tmp_path / "whole" / room.FOLDER.name)
    assert read_suspicion(as_builtin).classifier == automatic.fitted_on(as_builtin) == "tiny-0"
    score = cards["suspicion"]
    assert tuple(score["weights"]) == tuple(SIGNS)
    assert score["val"]["photos"] == 8
    assert score["fitted_on"] == {"photos": 8, "of them attacked": 4}
    assert score["stickers"] == ["chequered tag", "printed label", "shrunken photo"]
    assert set(score["val"]["alarms"]) == {"a patch", "nothing", *score["stickers"]}
    assert 0 < score["alarm from"] <= 1
    for card in cards.values():
        assert card["provenance"]
        assert card["recipe"]["iterations"] == 1
    for row in cards["automatic"]["val"].values():
        assert row["gain"] == pytest.approx(row["automatic"] - row["fixed"], abs=2e-4)
        assert row["fixed"] <= row["best fixed in hindsight"] + 1e-9


def test_lavan_goes_for_the_label_that_the_recipe_says(run, monkeypatch, as_builtin):
    asked = []
    plain = LaVAN.run

    def spied(attack, x, y, *rest, **options):
        asked.append((x, y))
        return plain(attack, x, y, *rest, **options)

    monkeypatch.setattr(LaVAN, "run", spied)
    targets = {}
    for target in TARGETS:
        asked.clear()
        run(target, "--target", target)
        assert all((y != as_builtin(x).argmax(1)).all() for x, y in asked) or target == "random"
        targets[target] = torch.cat([y for _, y in asked]).tolist()
    assert len(targets["random"]) == len(targets["runner-up"]) == 8
    assert targets["random"] != targets["runner-up"]


def test_the_runner_up_is_neither_the_photos_label_nor_the_predicted_one():
    scores = torch.tensor([[5.0, 4, 3, 2], [5, 4, 3, 2], [1, 2, 3, 4]])
    labels = torch.tensor([0, 1, 0])
    assert runner_up(lambda _x: scores, torch.zeros(3), labels).tolist() == [1, 2, 2]


def test_every_other_batch_carries_a_universal_patch_where_there_is_one(run, monkeypatch, as_builtin):
    cards = run("none")
    assert cards["suspicion"]["universal_patches"] == []
    mine = {
        name: replace(card, classifier=as_builtin.identity)
        for name, card in fit_suspicion.PATCHES.items()
        if name in ("cup", "parachute")
    }
    monkeypatch.setattr(fit_suspicion, "PATCHES", {**fit_suspicion.PATCHES, **mine})
    pasted = []
    plain = UniversalPatch.run

    def spied(attack, *given, **options):
        pasted.append(attack)
        return plain(attack, *given, **options)

    monkeypatch.setattr(UniversalPatch, "run", spied)
    cards = run("some")
    assert cards["automatic"]["universal_patches"] == ["cup", "parachute"]
    assert len(pasted) == 2
    assert {attack.patch for attack in pasted} <= {"cup", "parachute"}


def test_a_universal_patch_lies_where_it_was_trained():
    cards = {name: fit_suspicion.PATCHES[name] for name in ("cup", "parachute")}
    places = {
        name: {(attack.x, attack.y) for attack in (universal_patch([card], number) for number in range(8))}
        for name, card in cards.items()
    }
    assert places["cup"] == {(1.0, 0.0)}  # for one corner
    assert len(places["parachute"]) == 8  # for anywhere
    both = {universal_patch(list(cards.values()), number).patch for number in range(20)}
    assert both == set(cards)


def test_goes_on_where_it_was_stopped(run, monkeypatch):
    whole = run("whole")
    measured = fit_suspicion.measured

    def breaks(*given):
        return measured(*given) if given[-2:] != (1, "train") else 1 / 0

    monkeypatch.setattr(fit_suspicion, "measured", breaks)
    with pytest.raises(ZeroDivisionError):
        run("broken")
    ran = []

    def spied(*given):
        ran.append(given[-2:])
        return measured(*given)

    monkeypatch.setattr(fit_suspicion, "measured", spied)
    assert run("broken") == whole
    assert ran == [(1, "train"), (0, "val"), (1, "val")]
    with pytest.raises(ValueError, match="another recipe or classifier"):
        run("broken", "--seed", "1")
    # Another fit of the same measurements, and one of more photos than before.
    ran.clear()
    assert run("broken", "--ridge", "1")["suspicion"]["weights"] != whole["suspicion"]["weights"]
    assert ran == []
    assert run("less", "--train", "1", "--val", "2") != whole
    assert run("less") == whole


def test_the_fit_finds_the_signs_that_count():
    generator = torch.Generator().manual_seed(0)
    signs = torch.rand(4000, 4, generator=generator)
    chance = torch.sigmoid(6 * signs[:, 0] - 3 * signs[:, 2] - 1)
    patched = torch.rand(4000, generator=generator) < chance
    weights, bias = fit_score(signs, patched, torch.full((4000,), 1 / 4000), 1e-6)
    assert weights.tolist() == pytest.approx([6, 0, -3, 0], abs=0.5)
    assert bias == pytest.approx(-1, abs=0.5)


def test_a_row_that_counts_twice_is_as_good_as_two():
    generator = torch.Generator().manual_seed(2)
    signs, patched = torch.rand(30, 4, generator=generator), torch.rand(30, generator=generator) < 0.5
    counts = torch.full((30,), 1 / 40)
    counts[:10] *= 2
    rows = torch.arange(30).repeat_interleave((counts * 40).round().long())
    expected, base = fit_score(signs[rows], patched[rows], torch.full((40,), 1 / 40), 1e-2)
    weights, bias = fit_score(signs, patched, counts, 1e-2)
    assert weights.tolist() == pytest.approx(expected.tolist(), rel=1e-4)
    assert bias == pytest.approx(base, rel=1e-4)


# Its scores are those whose log-odds the first sign holds.
PLAIN = Suspicion((1.0, 0.0, 0.0, 0.0), 0.0, 1.0, "tiny-0", {})


def signs_of(*scores):
    column = torch.tensor(scores).logit()
    return torch.stack([column, *torch.zeros(3, len(scores))], 1)


def made(clean, patched, stickers):
    """Rows with these scores; ``stickers`` are one per kind for each clean photo."""
    return {
        "signs": torch.cat([signs_of(*clean), signs_of(*patched)]),
        "patched": torch.tensor([False] * len(clean) + [True] * len(patched)),
        "stickers": torch.stack([signs_of(*row) for row in stickers]),
    }


def test_an_alarm_goes_off_on_at_most_one_in_twenty_of_each_harmless_kind():
    clean = [0.01] * 20
    # Of the labels two of twenty score high: the alarm begins over the lower of them.
    stickers = [[0.3, 0.1, 0.2]] * 18 + [[0.3, 0.7, 0.2], [0.3, 0.8, 0.2]]
    rows = made(clean, [0.75] * 20, stickers)
    edge = alarm_from(rows, PLAIN)
    assert edge == pytest.approx(0.7, abs=1.1e-4)
    shares = alarms(rows, replace(PLAIN, alarm_from=edge))
    assert shares == {
        "a patch": {"from 0.5": 1, "as fitted": 1},
        "nothing": {"from 0.5": 0, "as fitted": 0},
        "chequered tag": {"from 0.5": 0, "as fitted": 0},
        "printed label": {"from 0.5": 0.1, "as fitted": 0.05},
        "shrunken photo": {"from 0.5": 0, "as fitted": 0},
    }


def test_half_count_as_patched_a_quarter_as_plain_and_a_quarter_as_harmless():
    rows = made([0.1, 0.2], [0.9, 0.8], [[0.3, 0.4, 0.5], [0.6, 0.7, 0.75]])
    signs, patched, counts = mixed(rows)
    assert signs[:, 0].sigmoid().tolist() == pytest.approx(
        [0.9, 0.8, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75]
    )
    assert patched.tolist() == [True] * 2 + [False] * 8
    assert counts.tolist() == pytest.approx([1 / 4] * 2 + [1 / 8] * 2 + [1 / 24] * 6)


def test_every_other_clean_photo_is_judged_with_a_sticker_each_kind_in_turn():
    stickers = [[0.30 + 0.1 * kind + 0.01 * photo for kind in range(3)] for photo in range(8)]
    rows = made([0.1] * 8, [0.9], stickers)
    scores = judged_signs(rows)[:, 0].sigmoid().tolist()
    assert scores == pytest.approx([0.1, 0.31, 0.1, 0.43, 0.1, 0.55, 0.1, 0.37, 0.9])


@pytest.mark.parametrize("name", [file.stem for file in adversarial_score.FOLDER.glob("*.json")])
def test_the_shipped_alarm_holds_on_harmless_photos(name):
    card = json.loads((adversarial_score.FOLDER / f"{name}.json").read_text())
    val = card["val"]["alarms"]
    assert set(val) == {"a patch", "nothing", *STICKERS}
    # One in twenty on the photos it was fitted on; on others chance comes on top.
    for kind, shares in val.items():
        assert kind == "a patch" or shares["as fitted"] <= 0.1, kind


def test_a_sign_that_says_all_or_nothing_has_a_finite_weight():
    patched = torch.arange(20) >= 10
    signs = torch.stack([patched.float(), torch.zeros(20), torch.rand(20), torch.ones(20)], 1)
    weights, bias = fit_score(signs, patched, torch.full((20,), 0.05), 1e-2)
    assert weights.isfinite().all()
    assert ((signs.double() @ weights + bias > 0) == patched).all()


def test_the_staircase_takes_the_best_lambda_of_each_range():
    area = torch.linspace(0, 1, 100)
    lams = torch.tensor([0.0, 1.0, 2.0, 3.0, 4.0])
    right = torch.zeros(100, 5, dtype=torch.bool)
    right[:50, 1], right[50:, 3] = True, True
    stairs = fit_staircase(area, right, lams, 2, 0)
    assert stairs.areas == pytest.approx((0.5,), abs=0.02)
    assert stairs.lams == (1.0, 3.0)


def test_a_few_photos_are_drawn_to_what_holds_for_all():
    lams = torch.linspace(0, 5, 6)
    area = torch.cat([torch.zeros(4), torch.ones(96)])
    right = torch.zeros(100, 6, dtype=torch.bool)
    # Three of the four in the first range are right at λ 1, and all 96 others at λ 4.
    right[:3, 1], right[4:, 4] = True, True
    edges = torch.tensor([0.5])

    def lam(prior):
        stairs = fit_staircase(area, right, lams, 25, prior)
        assert len(stairs.areas) >= 1
        return stairs.at(torch.tensor([0.0]))[0].item(), stairs.at(edges + 0.5)[0].item()

    # By hand, λ 1 and λ 4 in the first range: 2 * 3 / 4 and 0 alone; with 10 photos of the average
    # 2 * (3 + 0.3) / 14 = 0.47 and 2 * 9.6 / 14 = 1.37.
    assert lam(0) == (1.0, 4.0)
    assert lam(10) == (4.0, 4.0)


def test_the_gain_is_counted_against_the_fixed_lambda_of_the_fit():
    patched = torch.tensor([False, False, True, True])
    right = torch.tensor([[True, False], [True, False], [False, True], [False, False]])
    rows = {"lgs": right, "patched": patched, "area": torch.tensor([0.0, 0.0, 1.0, 1.0])}
    assert balanced(right, patched).tolist() == [0.5, 0.25]
    figures = judge_staircase(rows, rows, "lgs", Staircase((0.5,), (1.0, 4.0)), torch.tensor([1.0, 4.0]))
    assert figures["best fixed on train"] == 1.0
    assert (figures["automatic"], figures["fixed"], figures["gain"]) == (0.75, 0.5, 0.25)


def test_the_grid_spans_the_range_of_lambda():
    assert Recipe(lams=3).grid().tolist() == [0, 2.5, 5]
