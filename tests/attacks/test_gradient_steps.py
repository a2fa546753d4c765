"""The gradient-sign family against foolbox and torchattacks, and against a gradient known by hand."""

import eagerpy
import foolbox
import numpy as np
import pytest
import torch
import torchattacks
from scipy import stats
from torch import nn

from attacks import ATTACKS
from attacks.gradient_steps import into_ball, into_cube, to_length_one
from attacks.pgd import PGD, PGDL2

EPS, STEP, ITERATIONS = 6 / 255, 1.7 / 255, 7


@pytest.fixture
def model(tiny_classifier):
    return tiny_classifier.double()


@pytest.fixture
def x(photos):
    """Some pixels at both ends of the range, so that clipping matters."""
    x = photos.double()
    x[0, :, :12], x[1, :, :12] = 0.004, 0.998
    return x


Y = torch.tensor([1, 2, 4])


def by_foolbox(attack, model, x, goal, eps, start=None):
    """foolbox's result in float64, begun at ``start``."""
    if start is not None:
        attack.random_start = True
        attack.get_random_start = lambda _x0, _eps: eagerpy.astensor(start)
    criterion = (
        foolbox.criteria.TargetedMisclassification
        if goal == "targeted"
        else foolbox.criteria.Misclassification
    )
    return attack.run(foolbox.PyTorchModel(model, bounds=(0, 1)), x, criterion(Y), epsilon=eps)


def assert_same(ours, theirs):
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-9)


@pytest.mark.parametrize("goal", ["targeted", "untargeted"])
class TestAgainstFoolbox:
    def test_fgsm(self, goal, model, x):
        # foolbox refuses a target for its FGSM; one step of its BIM of the same length is the targeted form.
        if goal == "targeted":
            attack = foolbox.attacks.LinfBasicIterativeAttack(abs_stepsize=EPS, steps=1)
        else:
            attack = foolbox.attacks.LinfFastGradientAttack()
        ours = ATTACKS["fgsm"](eps=EPS, goal=goal)(x, Y, model)
        assert_same(ours, by_foolbox(attack, model, x, goal, EPS))

    def test_iterated_fgsm(self, goal, model, x):
        attack = foolbox.attacks.LinfBasicIterativeAttack(abs_stepsize=STEP, steps=ITERATIONS)
        ours = ATTACKS["iterated-fgsm"](eps=EPS, step=STEP, iterations=ITERATIONS, goal=goal)(x, Y, model)
        assert_same(ours, by_foolbox(attack, model, x, goal, EPS))

    @pytest.mark.parametrize("random_start", [True, False])
    def test_pgd(self, goal, random_start, model, x):
        attack = foolbox.attacks.LinfPGD(abs_stepsize=STEP, steps=ITERATIONS, random_start=False)
        ours = PGD(eps=EPS, step=STEP, iterations=ITERATIONS, goal=goal, random_start=random_start, seed=3)
        start = ours.start(x) if random_start else None
        assert_same(ours(x, Y, model), by_foolbox(attack, model, x, goal, EPS, start))

    @pytest.mark.parametrize("random_start", [True, False])
    @pytest.mark.parametrize("eps", [0.3, 50.0])
    def test_pgd_l2(self, goal, random_start, eps, model, x):
        attack = foolbox.attacks.L2PGD(abs_stepsize=0.1, steps=ITERATIONS, random_start=False)
        ours = PGDL2(eps=eps, step=0.1, iterations=ITERATIONS, goal=goal, random_start=random_start, seed=3)
        start = ours.start(x) if random_start else None
        assert_same(ours(x, Y, model), by_foolbox(attack, model, x, goal, eps, start))


@pytest.mark.parametrize(("name", "theirs"), [("pgd", "LinfPGD"), ("pgd-l2", "L2PGD")])
def test_every_iterate_is_foolboxs(name, theirs, model, x):
    step, eps = (STEP, EPS) if name == "pgd" else (0.1, 0.3)
    ours = ATTACKS[name](eps=eps, step=step, iterations=4, seed=3)
    trace = ours.run(x, Y, model)
    assert trace.frame_iterations == (0, 1, 2, 3, 4)
    assert_same(trace.frames[0], ours.start(x))
    for steps in (1, 2, 3, 4):
        attack = getattr(foolbox.attacks, theirs)(abs_stepsize=step, steps=steps, random_start=False)
        assert_same(trace.frames[steps], by_foolbox(attack, model, x, "untargeted", eps, ours.start(x)))


def by_torchattacks(kind, model, x, goal, start=None, **options):
    """torchattacks' result, begun at ``start``; its random start is the only draw of a uniform."""
    attack = getattr(torchattacks, kind)(model, **options)
    if goal == "targeted":
        attack.set_mode_targeted_by_label(quiet=True)
    with pytest.MonkeyPatch.context() as patch:
        if start is not None:
            attack.random_start = True
            patch.setattr(torch.Tensor, "uniform_", lambda *_: start - x)
        return attack(x, Y)


@pytest.mark.parametrize("goal", ["targeted", "untargeted"])
class TestAgainstTorchattacks:
    def test_fgsm(self, goal, model, x):
        ours = ATTACKS["fgsm"](eps=EPS, goal=goal)(x, Y, model)
        assert_same(ours, by_torchattacks("FGSM", model, x, goal, eps=EPS))

    @pytest.mark.parametrize("steps", [1, 2, 3, 7])
    def test_iterated_fgsm(self, goal, steps, model, x):
        ours = ATTACKS["iterated-fgsm"](eps=EPS, step=STEP, iterations=steps, goal=goal)(x, Y, model)
        assert_same(ours, by_torchattacks("BIM", model, x, goal, eps=EPS, alpha=STEP, steps=steps))

    @pytest.mark.parametrize("steps", [1, 2, 3, 7])
    @pytest.mark.parametrize("random_start", [True, False])
    def test_pgd(self, goal, steps, random_start, model, x):
        ours = PGD(eps=EPS, step=STEP, iterations=steps, goal=goal, random_start=random_start, seed=3)
        options = {"eps": EPS, "alpha": STEP, "steps": steps, "random_start": False}
        start = ours.start(x) if random_start else None
        assert_same(ours(x, Y, model), by_torchattacks("PGD", model, x, goal, start, **options))

    @pytest.mark.parametrize("eps", [0.3, 50.0])
    def test_pgd_l2(self, goal, eps, model, x):
        ours = PGDL2(eps=eps, step=0.1, iterations=ITERATIONS, goal=goal, random_start=False)
        # It divides by the norm and a little more, which is nothing here but for rounding.
        options = {"eps": eps, "alpha": 0.1, "steps": ITERATIONS, "eps_for_division": 1e-14}
        theirs = by_torchattacks("PGDL2", model, x, goal, random_start=False, **options)
        assert_same(ours(x, Y, model), theirs)


class TwoSums(nn.Module):
    """Logits: sum of the left half, sum of the right half, so that all gradients are of one size."""

    def forward(self, x):
        left, right = x.chunk(2, dim=-1)
        return torch.stack([left.sum((1, 2, 3)), right.sum((1, 2, 3))], 1)


def test_fgsm_by_hand():
    x = torch.tensor([0.0, 0.5, 0.5, 1.0]).expand(1, 3, 1, 4)
    attacked = ATTACKS["fgsm"](eps=0.1)(x, torch.tensor([0]), TwoSums())
    torch.testing.assert_close(attacked[0, 0, 0], torch.tensor([0.0, 0.4, 0.6, 1.0]))
    attacked = ATTACKS["fgsm"](eps=0.1, goal="targeted")(x, torch.tensor([0]), TwoSums())
    torch.testing.assert_close(attacked[0, 0, 0], torch.tensor([0.1, 0.6, 0.4, 0.9]))


def test_pgd_l2_by_hand():
    x = torch.full((1, 3, 1, 2), 0.5)
    attack = PGDL2(eps=0.3, step=0.1, iterations=2, random_start=False)
    expected = 0.5 + 0.2 * torch.tensor([-1.0, 1.0]) / 6**0.5
    torch.testing.assert_close(attack(x, torch.tensor([0]), TwoSums())[0, 0, 0], expected)
    far = PGDL2(eps=0.3, step=0.2, iterations=9, random_start=False)(x, torch.tensor([0]), TwoSums())
    assert (far - x).norm().item() == pytest.approx(0.3, abs=1e-6)


@pytest.mark.parametrize(("attack", "steps"), [("fgsm", 1), ("iterated-fgsm", 5), ("pgd", 5), ("pgd-l2", 5)])
def test_costs_one_pass_for_each_iteration(attack, steps, photos, tiny_classifier):
    passes = []

    class Counting(nn.Module):
        def forward(self, x):
            passes.append(x.shape[0])
            return tiny_classifier(x)

    ATTACKS[attack](**({} if steps == 1 else {"iterations": steps})).run(photos, Y, Counting())
    assert passes == [3] * steps


@pytest.mark.parametrize("pgd", [PGD, PGDL2])
def test_random_start_fills_the_ball(pgd):
    x = torch.full((2, 3, 20, 20), 0.5)
    eps = 0.1
    start = pgd(eps=eps, seed=5).start(x) - x
    assert torch.equal(start[0], start[1])
    assert not torch.equal(start, pgd(eps=eps, seed=6).start(x) - x)
    if pgd is PGD:
        assert start.abs().max() <= eps + 1e-7
        assert start.std().item() == pytest.approx(eps / 3**0.5, rel=0.05)
        assert abs(start.mean().item()) < 0.01
    else:
        lengths = start.flatten(1).norm(dim=1)
        assert (lengths <= eps * (1 + 1e-6)).all()
        assert (lengths > 0.99 * eps).all()


def test_projections_onto_ball_and_range():
    x = torch.tensor([[[[0.1, 0.9]]]]).expand(2, 3, 1, 2).contiguous()
    wild = x + torch.tensor([[[[-3.0, 3.0]]]])
    torch.testing.assert_close(into_cube(x, 0.05)(wild)[0, 0, 0], torch.tensor([0.05, 0.95]))
    torch.testing.assert_close(into_cube(x, 0.5)(wild)[0, 0, 0], torch.tensor([0.0, 1.0]))
    torch.testing.assert_close((into_ball(x, 0.12)(wild) - x).flatten(1).norm(dim=1), torch.full((2,), 0.12))
    inside = x + 0.01
    torch.testing.assert_close(into_ball(x, 0.12)(inside), inside)
    torch.testing.assert_close(into_ball(x, 50.0)(wild)[0, 0, 0], torch.tensor([0.0, 1.0]))


def test_length_one_photo_by_photo():
    gradient = torch.stack([torch.full((3, 2, 2), 5.0), torch.zeros(3, 2, 2), torch.full((3, 2, 2), -1e-3)])
    expected = torch.tensor([1.0, 0.0, -1.0]) / 12**0.5
    torch.testing.assert_close(to_length_one(gradient)[:, 0, 0, 0], expected)


def test_the_l2_start_is_drawn_evenly_from_the_ball():
    """In a ball of n dimensions the share of its volume within a draw's radius is even: (r / ε)^n."""
    for size in ((1, 1), (1, 2)):
        x = torch.full((1, 3, *size), 0.5, dtype=torch.float64)
        radii = [float((PGDL2(eps=0.1, seed=seed).start(x) - x).norm()) for seed in range(400)]
        shares = (np.array(radii) / 0.1) ** x.numel()
        assert stats.kstest(shares, "uniform").pvalue > 1e-3
