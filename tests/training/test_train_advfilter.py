"""Training of the denoisers: tiny networks, tiny photos."""

import json
import re

import pytest
import torch

from classifiers.weights import sha256
from denoisers import STRENGTHS, VARIANTS, installed, load, read_card, uncertainty
from training import attacked_photos, train_advfilter
from training.health import UnhealthyError
from training.train_advfilter import RECIPES, Recipe, Training, allotted, rate

SMALL = {
    "attacked": 4,
    "iterations": 1,
    "batch": 4,
    "crop": 32,
    "steps": 4,
    "fusion-steps": 3,
    "measured": 4,
    "measured-iterations": 1,
    "learning-rate": 0.001,
}


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(attacked_photos, "BLOCK", 4)
    monkeypatch.setattr(train_advfilter, "LOG", 2)
    monkeypatch.setattr(train_advfilter, "SAVE", 0.0)


@pytest.fixture
def run(labelled_photos, as_builtin, tmp_path):
    def run(name, variant, *more, **options):
        out = tmp_path / name
        place = ["--photos", labelled_photos, "--out", out / "assets", "--checkpoints", out]
        fields = [word for pair in (SMALL | options).items() for word in (f"--{pair[0]}", pair[1])]
        widths = ["--widths", 4, 4, 4, 6, 6]
        words = [*place, "--variant", *variant.split(), *fields, *widths, *more]
        train_advfilter.main([str(word) for word in words])
        return out / "assets"

    return run


@pytest.fixture
def unmeasured(monkeypatch):
    """Cards without figures: they take most of the time."""
    monkeypatch.setattr(train_advfilter, "measured", lambda network, val, model: {"photos": len(val.labels)})


def same(one, other):
    return all(torch.equal(*pair) for pair in zip(one.parameters(), other.parameters(), strict=True))


def loaded(folder, variant):
    return load(variant, device=torch.device("cpu"), folder=folder)


@pytest.mark.parametrize("variant", ["add-sem", "multi-head", "pa-filt"])
def test_writes_weights_that_can_be_read(run, variant, capsys):
    folder = run("one", variant, "--no-start")
    assert installed(folder) == (variant,)
    network = loaded(folder, variant)
    assert network.config.kind == VARIANTS[variant].kind
    assert network.config.widths == (4, 4, 4, 6, 6)
    card = read_card(variant, folder)
    assert card["sha256"] == sha256(folder / f"{variant}.safetensors")
    assert card["classifier"] == "tiny-0"
    assert card["recipe"]["iterations"] == 1
    assert card["provenance"].startswith("Trained from random weights by ")
    expected = {"name": "short", "cut short": False, "device": "cpu", "photos": 4, "pairs": 16}
    assert expected.items() <= card["schedule"].items()
    assert card["schedule"]["steps"] == ([4, 3] if variant == "pa-filt" else [4])
    names = {"multi-head": [f"head {number}" for number in range(1, 5)], "pa-filt": ["sl", "m", "result"]}
    maps = ["maps"] if variant == "pa-filt" else []
    assert list(card["val"])[2:] == ["attacked", *names.get(variant, ["result"]), *maps]
    if maps:
        assert list(card["val"]["maps"]) == ["U sl", "U m", "W"]
    assert card["val"]["strengths"] == [0.0, *STRENGTHS]
    for figures in list(card["val"].values())[2:]:
        assert {len(values) for values in figures.values()} == {13}
    assert card["val"]["attacked"]["psnr"][0] == 100
    assert all(
        low > high
        for low, high in zip(*[card["val"]["attacked"]["psnr"][i:][:12] for i in (0, 1)], strict=True)
    )
    log = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    steps = [(line["phase"], line["step"]) for line in log if "step" in line]
    assert steps == [(0, 2), (0, 4), *([(1, 2)] if variant == "pa-filt" else [])]


@pytest.mark.parametrize(
    ("variant", "after"), [("filt-sem", 2), ("multi-head", 3), ("pa-filt", 1), ("pa-filt", 5)]
)
def test_goes_on_as_if_it_had_not_been_stopped(run, unmeasured, variant, after, monkeypatch):
    whole = loaded(run("whole", variant, "--no-start"), variant)
    step = Training.step
    calls = []

    def breaks(self, *given):
        calls.append(self)
        return step(self, *given) if len(calls) <= after else 1 / 0

    monkeypatch.setattr(Training, "step", breaks)
    with pytest.raises(ZeroDivisionError):
        run("broken", variant, "--no-start")
    monkeypatch.setattr(Training, "step", step)
    assert same(loaded(run("broken", variant, "--no-start"), variant), whole)


def test_the_network_learns(run):
    folder = run("learned", "filt-strong", "--averaging", 0.5, steps=40, **{"learning-rate": 0.03})
    figures = read_card("filt-strong", folder)["val"]
    assert figures["result"]["psnr"][12] > figures["attacked"]["psnr"][12] + 1


def test_semantic_loss_begins_with_the_weights_of_the_image_loss(run, unmeasured):
    with pytest.raises(ValueError, match="add-sem begins with add-img's weights; train that first"):
        run("same", "add-sem")
    first = loaded(run("same", "add-img"), "add-img")
    folder = run("same", "add-sem", **{"learning-rate": 0})
    assert same(loaded(folder, "add-sem"), first)
    card = read_card("add-sem", folder)
    assert card["provenance"].startswith("Trained from the weights of add-img by ")
    with pytest.raises(ValueError, match="filt-sem cannot begin with filt-img: other networks"):
        run("same", "filt-img", "--widths", 4, 4, 4, 6, 8)
        run("same", "filt-sem")


def test_pa_filt_begins_with_two_trained_networks_and_its_fusion_alone_learns(run, unmeasured):
    folder = run("two", "filt-img filt-strong pa-filt")
    fused, *single = (loaded(folder, variant) for variant in ("pa-filt", "filt-img", "filt-strong"))
    for number, network in enumerate(single):
        for part in ("encoders", "decoders", "heads"):
            assert same(getattr(fused, part)[number], getattr(network, part)[0])
    card = read_card("pa-filt", folder)
    assert card["schedule"]["steps"] == [3]
    assert card["provenance"].startswith("Trained from the weights of filt-img and filt-strong by ")
    assert fused.fusion.distance.any()


def test_decoders_that_share_an_encoder_learn_together(run, unmeasured):
    folder = run("shared", "pa-filt", "--no-own-encoders")
    assert len(loaded(folder, "pa-filt").encoders) == 1
    assert read_card("pa-filt", folder)["schedule"]["steps"] == [4, 3]


def test_clean_photos_are_among_what_the_fusion_learns_from(run, unmeasured, monkeypatch):
    seen = []
    step = Training.step

    def noting(self, clean, attacked, eps, share):
        if self.phase == 1:
            seen.extend(zip(eps.tolist(), (attacked - clean).abs().amax((1, 2, 3)).tolist(), strict=True))
        return step(self, clean, attacked, eps, share)

    monkeypatch.setattr(Training, "step", noting)
    run("clean", "pa-filt", "--no-start", "--clean", 0.5, batch=8)
    assert 4 < sum(eps == 0 for eps, _ in seen) < 20
    assert all((eps == 0) == (change == 0) for eps, change in seen)


def test_the_fusion_loss_keeps_w_from_its_ends(as_builtin):
    torch.manual_seed(0)
    clean, noise = torch.rand(2, 3, 64, 64), torch.rand(2, 3, 64, 64)
    by_share, trainings = [], []
    for settle in (0.0, 0.5):
        recipe = Recipe(widths=(4, 4, 4, 6, 6), start=False, settle=settle)
        training = Training("pa-filt", recipe, {}, as_builtin)
        training.advance()
        by_share.append(training.losses(clean, noise, torch.full((2,), 0.5)).item())
        trainings.append(training)
    network = trainings[0].network
    with torch.no_grad():
        unsure = torch.cat([uncertainty(output) for output in network.outputs(noise)], 1)
        expected = network.fusion.sigmoid(network.fusion.logits(unsure)).logit().square().mean() / 2
    assert by_share[1] - by_share[0] == pytest.approx(expected.item(), rel=1e-3)


class TestWhatGoesWrongIsSaid:
    def test_an_explosion(self, run, unmeasured, monkeypatch):
        monkeypatch.setattr(train_advfilter, "EXPLODED", 0.01)
        with pytest.raises(UnhealthyError, match=r"filt-img: the loss has exploded from .* by step"):
            run("exploded", "filt-img")

    def test_no_number(self, run, unmeasured, monkeypatch):
        monkeypatch.setattr(
            train_advfilter, "image_loss", lambda denoised, clean: denoised.mean() * torch.nan
        )
        with pytest.raises(UnhealthyError, match="filt-img: in step 1 the loss is no number any more"):
            run("nan", "filt-img")

    def test_a_dead_layer(self, run, unmeasured, monkeypatch):
        begin = Training._begin

        def stillborn(self, phase):
            begin(self, phase)
            torch.nn.init.constant_(self.network.encoders[0].blocks[2][0].bias, -1e3)

        monkeypatch.setattr(Training, "_begin", stillborn)
        with pytest.raises(UnhealthyError, match="filt-img, step 2: ReLU 7 of 24 is nowhere over 0"):
            run("dead", "filt-img")

    def test_a_saturated_weight(self, run, unmeasured, monkeypatch):
        begin = Training._begin

        def saturated(self, phase):
            begin(self, phase)
            torch.nn.init.constant_(self.network.fusion.convolutions[-1].bias, -1e3)

        monkeypatch.setattr(Training, "_begin", saturated)
        with pytest.raises(
            UnhealthyError, match=r"pa-filt, step 2: sigmoid 1 of 1 is saturated .* at 0\.000"
        ):
            run("saturated", "pa-filt", "--no-start")


def test_statistics_are_logged(run, unmeasured, capsys):
    run("logged", "pa-filt", "--no-start")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"phase"' in line]
    first, last = lines[0], lines[-1]
    assert set(first) == {"variant", "phase", "step", "loss", "gradient", "alive", "largest", "seconds"}
    assert first["gradient"] > 0
    assert 0 < first["alive"] <= 1
    assert last["phase"] == 1
    assert 0.1 < last["weight"] < 0.9


def test_fusion_leaves_the_y_net_alone(run, unmeasured):
    # Two photos that are alike teach a fusion nothing.
    options = ["--no-start", "--averaging", 0.5]
    first = loaded(run("one", "pa-filt", *options), "pa-filt")
    second = loaded(run("two", "pa-filt", *options, **{"fusion-steps": 1}), "pa-filt")
    assert same(first.encoders, second.encoders)
    assert same(first.decoders, second.decoders)
    assert not same(first.fusion, second.fusion)


def test_the_attacks_are_shared_and_nothing_is_measured_twice(run, unmeasured, monkeypatch, capsys):
    run("both", "add-img")
    assert '"block"' in capsys.readouterr().out
    folder = run("both", "add-img filt-strong")
    assert '"block"' not in capsys.readouterr().out
    assert installed(folder) == ("add-img", "filt-strong")
    monkeypatch.setattr(train_advfilter, "measured", lambda *given: 1 / 0)
    run("both", "add-img filt-strong")


def test_strong_denoisers_see_strong_attacks_alone(run, unmeasured, monkeypatch):
    seen = []
    step = Training.step
    monkeypatch.setattr(Training, "step", lambda self, *x: (seen.extend(x[2].tolist()), step(self, *x))[1])
    run("strong", "filt-strong")
    assert set(seen) <= set(torch.tensor(STRENGTHS[9:]).tolist())
    seen.clear()
    run("all", "filt-img", steps=12, batch=8)
    assert len(set(seen)) == 12


def test_time_cuts_a_schedule_short(run, unmeasured):
    folder = run("hurried", "add-img", "--hours", 1e-9)
    assert read_card("add-img", folder)["schedule"]["cut short"]
    assert read_card("add-img", folder)["schedule"]["steps"] == [1]
    folder = run("slow", "add-img", "--hours", 10)
    assert not read_card("add-img", folder)["schedule"]["cut short"]


def test_hours_are_shared_out():
    shares = dict(allotted(list(VARIANTS), Recipe(), 2))
    assert list(shares.values()) == pytest.approx([7200 * 0.6 / 7] * 7)
    assert dict(allotted(["pa-filt"], Recipe(start=False), 1))["pa-filt"] == pytest.approx(1080)


def test_refuses_the_checkpoint_of_another_recipe(run, unmeasured):
    run("one", "add-img")
    with pytest.raises(ValueError, match="another recipe"):
        run("one", "add-img", **{"learning-rate": 0.5})


def test_the_schedules():
    assert rate(0) == rate(1) == 0
    assert rate(0.3) == 1
    assert rate(0.6) > rate(0.9) > 0
    assert RECIPES["full"].attacked == 5000
    assert RECIPES["full"].each == 12
    assert RECIPES["short"].attacked * RECIPES["short"].each < 60_000 / 10


def test_the_help_names_every_part(capsys):
    with pytest.raises(SystemExit):
        train_advfilter.main(["--help"])
    assert re.search(r"--learning-rate.*--half", capsys.readouterr().out, re.DOTALL)
