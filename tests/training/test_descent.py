"""Updates of a network against the same written out."""

from copy import deepcopy

import torch
from torch import nn

from training.descent import Descent
from training.muon import optimizers


def small():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(144, 2))


def losses(network, first=0):
    for number in range(first, 4):
        x = torch.rand(5, 3, 8, 8, generator=torch.Generator().manual_seed(number))
        yield network(x).square().mean()


RATES = (0.0, 1.0, 0.5, 0.25)


def same(one, other):
    return all(torch.equal(*pair) for pair in zip(one.state_dict().values(), other.values(), strict=True))


def test_an_update_is_a_step_at_a_share_of_the_highest_rate_and_then_the_average():
    network = small()
    descent = Descent(network, 0.1, 0.01, 0.9)
    literal = small()
    muon, adam = optimizers(literal, 0.1, 0.01)
    average = None
    for rate, loss, expected in zip(RATES, losses(network), losses(literal), strict=True):
        descent.update(loss, rate)
        muon.param_groups[0]["lr"], adam.param_groups[0]["lr"] = rate * 0.1, rate * 0.03
        muon.zero_grad()
        adam.zero_grad()
        expected.backward()
        muon.step()
        adam.step()
        now = {name: value.clone() for name, value in literal.state_dict().items()}
        if average is not None:
            for name, value in now.items():
                if value.is_floating_point():
                    now[name] = 0.9 * average[name] + 0.1 * value
        average = now
    assert same(network, literal.state_dict())
    for name, value in descent.average.state_dict().items():
        if value.is_floating_point():
            torch.testing.assert_close(value, average[name])


def test_only_the_part_that_learns_changes():
    network = small()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    descent = Descent(network, 0.1, 0.0, 0.9, learns=network[0])
    network.requires_grad_(False)
    network[0].requires_grad_(True)
    descent.update(next(losses(network)), 1.0)
    changed = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    assert {name for name in changed if "weight" in name or "bias" in name} == {"0.weight", "0.bias"}


def test_goes_on_where_its_state_was_taken():
    network = small()
    whole = Descent(network, 0.1, 0.01, 0.9)
    broken = Descent(small(), 0.1, 0.01, 0.9)
    kept = None
    for number, (rate, loss) in enumerate(zip(RATES, losses(network), strict=True)):
        whole.update(loss, rate)
        if number == 1:
            kept = deepcopy(whole.state())
    broken.load(kept)
    for rate, loss in zip(RATES[2:], losses(broken.network, first=2), strict=True):
        broken.update(loss, rate)
    assert same(broken.network, whole.network.state_dict())
    assert same(broken.average, whole.average.state_dict())
