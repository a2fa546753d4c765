"""LaVAN against a plain loop over photos that follows the formula word by word."""

import pytest
import torch
from torch import nn

from attacks.lavan import LaVAN, likeliest_other, margin, odds_against, step_up
from attacks.placement import Box

Y = torch.tensor([1, 2, 4])


@pytest.fixture
def model(tiny_classifier, photos):
    """Random weights, but of firm opinions that differ by photo, so that patches win, some sooner."""
    tiny_classifier.double()
    tiny_classifier.head.weight.mul_(1500)
    tiny_classifier.head.bias.sub_(tiny_classifier(photos.double()).mean(0))
    return tiny_classifier


def early(**fields):
    """On ``photos`` with ``Y``: the first arrives, the second never does, the third arrives soonest."""
    common = {"share": 0.2, "momentum": 0.9, "stop_at": 0.95, "iterations": 12, "x": 0.3, "y": 0.4}
    common |= {"learning_rate": 0.05, "seed": 4}
    return LaVAN(**{**common, **fields})


def by_plain_loop(attack, x, label, model):
    """x' = (1 - m) ⊙ x + m ⊙ δ for one photo (1, 3, H, W); the result and how many updates were made."""
    m = attack.mask(x)
    clean = model(x)[0].tolist()
    clean[label] = -float("inf")
    source = clean.index(max(clean))
    others = [number for number in range(len(clean)) if number != label]
    generator = torch.Generator().manual_seed(attack.seed)
    box = attack.box(*x.shape[2:])
    first = torch.rand(3, box.side, box.side, generator=generator).to(x)
    delta = torch.zeros_like(x)
    delta[:, :, box.top : box.top + box.side, box.left : box.left + box.side] = first
    velocity = torch.zeros_like(x)
    for update in range(attack.iterations):
        delta.requires_grad_()
        logits = model((1 - m) * x + m * delta)[0]
        chances = logits.softmax(0)
        if attack.goal == "targeted":
            reached, gain = chances[label], logits[label] - logits[source]
        else:
            reached, gain = chances[others].max(), logits[others].exp().sum().log() - logits[label]
        if reached >= attack.stop_at:
            return ((1 - m) * x + m * delta).detach(), update
        (gradient,) = torch.autograd.grad(gain, delta)
        rate = attack.learning_rate * (attack.iterations - update) / attack.iterations
        size = gradient.abs().sum() / m.expand_as(x).sum()
        velocity = attack.momentum * velocity + gradient / size
        delta = (delta.detach() + rate * velocity.sign()).clamp(0, 1)
    return (1 - m) * x + m * delta, attack.iterations


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"stop_at": 1.0},
        {"momentum": 0.0, "share": 0.05},
        {"learning_rate": 0.3, "seed": 9, "margin": 0.2},
    ],
)
def test_equals_the_plain_loop(fields, photos, model):
    attack = early(**fields)
    trace = attack.run(photos.double(), Y, model)
    updates = []
    for i in range(3):
        expected, made = by_plain_loop(attack, photos[i : i + 1].double(), int(Y[i]), model)
        torch.testing.assert_close(trace.attacked[i : i + 1], expected, rtol=0, atol=1e-9)
        updates.append(made)
    if not fields:
        assert len(set(updates)) == 3, "this test needs photos that arrive at different iterations"
        assert max(updates) == trace.iterations == 12


@pytest.mark.parametrize(
    "fields", [{}, {"stop_at": 1.0}, {"momentum": 0.0, "share": 0.05}, {"learning_rate": 0.3, "seed": 9}]
)
def test_leaving_a_label_equals_the_plain_loop(fields, photos, model):
    attack = early(goal="untargeted", **fields)
    x = photos.double()
    y = model(x).argmax(1)
    trace = attack.run(x, y, model)
    updates = []
    for i in range(3):
        expected, made = by_plain_loop(attack, x[i : i + 1], int(y[i]), model)
        torch.testing.assert_close(trace.attacked[i : i + 1], expected, rtol=0, atol=1e-9)
        updates.append(made)
    if not fields:
        assert len(set(updates)) > 1, "this test needs photos that are left at different iterations"
    # The loss rises, and what is watched is the label to leave.
    chances = model(trace.frames[-2]).softmax(1).gather(1, y[:, None])[:, 0]
    going = torch.tensor(updates) == trace.iterations
    torch.testing.assert_close(trace.probability[-1, going], chances[going])
    torch.testing.assert_close(trace.loss[-1, going], ((1 - chances) / chances).log()[going])


def test_leaving_asks_for_no_source_and_stops_at_any_other_label(photos, model):
    asked = []

    class Counting(nn.Module):
        def forward(self, x):
            asked.append(len(x))
            return model(x)

    x = photos.double()
    y = (model(x).argmax(1) + 1) % 5
    trace = early(goal="untargeted", stop_at=0.3).run(x, y, Counting())
    assert asked == [3], "each photo has another label at once"
    assert trace.iterations == 1


def test_the_only_label_cannot_be_left_but_gives_numbers(photos):
    class Sole(nn.Module):
        def forward(self, x):
            return x.mean((1, 2, 3))[:, None]

    trace = early(goal="untargeted").run(photos, torch.zeros(3, dtype=torch.long), Sole())
    assert trace.attacked.isfinite().all()
    assert trace.loss.isfinite().all()
    assert trace.iterations == 12


def test_odds_against_by_hand():
    logits = torch.tensor([[0.6, 0.3, 0.1], [0.2, 0.3, 0.5]]).log()
    expected = torch.tensor([0.4 / 0.6, 0.5 / 0.5]).log()
    torch.testing.assert_close(odds_against(logits, torch.tensor([0, 2])), expected)


def test_a_photo_that_is_done_stays_as_it_is_and_costs_no_pass(photos, model):
    batches = []

    class Counting(nn.Module):
        def forward(self, x):
            batches.append(len(x))
            return model(x)

    trace = early().run(photos.double(), Y, Counting())
    first, _, third = (trace.probability >= 0.95).float().argmax(0).tolist()
    assert 0 < third < first
    # The very first pass asks for the source labels.
    assert batches == [3] + [3] * (third + 1) + [2] * (first - third) + [1] * (11 - first)
    for i, arrival in ((0, first), (2, third)):
        assert (trace.probability[arrival:, i] == trace.probability[arrival, i]).all()
        assert (trace.loss[arrival:, i] == trace.loss[arrival, i]).all()
        for frame in trace.frames[arrival:, i]:
            assert torch.equal(frame, trace.attacked[i])


def test_ends_when_all_are_done(photos, model):
    reports = []
    trace = early().run(photos[[0, 2]].double(), Y[[0, 2]], model, reports.append)
    assert trace.iterations == len(reports) < 12
    assert {report.total for report in reports} == {12}
    assert (trace.probability[-1] >= 0.95).all()
    assert (trace.probability[-2] < 0.95).any()
    at_once = early(stop_at=0.0).run(photos.double(), Y, model)
    assert at_once.iterations == 1
    assert torch.equal(at_once.attacked.cpu(), at_once.frames[0])


def test_a_probability_that_is_just_reached_is_reached(photos):
    class Undecided(nn.Module):
        def forward(self, x):
            return torch.zeros(len(x), 2, dtype=x.dtype) + 0 * x.sum((1, 2, 3))[:, None]

    trace = LaVAN(iterations=5, stop_at=0.5).run(photos, torch.tensor([0, 1, 0]), Undecided())
    assert (trace.probability == 0.5).all()
    assert trace.iterations == 1


def test_loss_is_the_lost_margin(photos, model):
    trace = LaVAN(iterations=3, stop_at=1.0).run(photos.double(), Y, model)
    source = likeliest_other(model(photos.double()), Y)
    logits = model(trace.frames[2])
    expected = logits[range(3), source] - logits[range(3), Y]
    torch.testing.assert_close(trace.loss[2], expected)


def test_starts(photos, tiny_classifier):
    box = LaVAN().box(44, 53)

    def first(start):
        return LaVAN(start=start, iterations=1).run(photos, Y, tiny_classifier).frames[0]

    assert torch.equal(first("photo"), photos)
    assert (box.of(first("grey")) == 0.5).all()
    noise = box.of(first("noise"))
    assert torch.equal(noise[0], noise[1])
    assert noise.std().item() == pytest.approx(12**-0.5, rel=0.1)


def test_default_place_is_top_right():
    assert LaVAN(share=0.01).box(400, 400) == Box(top=10, left=350, side=40)
    assert LaVAN(share=0.0225).box(400, 400) == Box(top=10, left=330, side=60)


def test_a_target_that_is_already_predicted_gains_on_the_next_label(photos, model):
    x = photos.double()
    predicted = model(x).argmax(1)
    trace = LaVAN(iterations=8, stop_at=1.0).run(x, predicted, model)
    assert (trace.loss[-1] < trace.loss[0]).all()


def test_likeliest_other_and_margin():
    logits = torch.tensor([[3.0, 1.0, 2.0], [0.0, 5.0, -1.0]])
    assert likeliest_other(logits, torch.tensor([0, 2])).tolist() == [2, 1]
    assert margin(logits, torch.tensor([1, 0]), torch.tensor([0, 1])).tolist() == [-2.0, -5.0]


def test_step_up_by_hand():
    patch = torch.tensor([0.5, 0.97, 0.5]).view(1, 3, 1, 1)
    gradient = torch.tensor([-3.0, 6.0, 0.0]).view(1, 3, 1, 1)
    velocity = torch.tensor([3.0, 0.0, 0.0]).view(1, 3, 1, 1)
    patch, velocity = step_up(patch, gradient, velocity, learning_rate=0.1, momentum=0.5)
    torch.testing.assert_close(velocity.flatten(), torch.tensor([0.5, 2.0, 0.0]))
    torch.testing.assert_close(patch.flatten(), torch.tensor([0.6, 1.0, 0.5]))
