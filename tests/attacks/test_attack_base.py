import itertools

import pytest
import torch

from attacks import ATTACKS, succeeded
from attacks.base import Trail, normals, uniforms

LOGITS = torch.tensor([[0.0, 3.0, 1.0, 2.0], [5.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]])


def test_success():
    y = torch.tensor([1, 1, 3])
    assert succeeded(LOGITS, y, "targeted").tolist() == [True, False, True]
    assert succeeded(LOGITS, y, "untargeted").tolist() == [False, True, False]


@pytest.mark.parametrize("draw", [normals, uniforms])
def test_draws_are_the_same_for_each_photo_and_of_the_wanted_kind(draw):
    like = torch.zeros(1, dtype=torch.float64)
    drawn = draw((4, 3, 5, 5), 3, like)
    assert drawn.dtype == torch.float64
    assert drawn.shape == (4, 3, 5, 5)
    assert (drawn == drawn[:1]).all()
    assert torch.equal(drawn[0], draw((1, 3, 5, 5), 3, like)[0])
    assert not torch.equal(drawn, draw((4, 3, 5, 5), 4, like))


class TestTrail:
    @pytest.mark.parametrize("iterations", [0, 1, 2, 38, 39, 40, 41, 100, 157, 1000])
    @pytest.mark.parametrize("most", [2, 3, 7, 40])
    def test_frames_are_few_and_evenly_spaced(self, iterations, most):
        trail = Trail(None, most)
        row = torch.zeros(1)
        for number in range(iterations):
            trail.add(torch.full((1, 3, 1, 1), float(number)), row, row)
        trace = trail.trace(torch.full((1, 3, 1, 1), float(iterations)), None)
        numbers = trace.frame_iterations
        assert len(numbers) <= most
        assert numbers[0] == 0
        assert numbers[-1] == trace.iterations == iterations
        assert trace.frames[:, 0, 0, 0, 0].tolist() == list(numbers)
        gaps = [after - before for before, after in itertools.pairwise(numbers)]
        assert len(set(gaps[:-1])) <= 1
        if most > 2 and gaps[:-1]:
            assert gaps[-1] <= gaps[0]
        if most == 40 and iterations >= 40:
            assert len(numbers) >= 20

    def test_frames_are_copies(self):
        trail = Trail(None, 5)
        iterate = torch.zeros(1, 3, 1, 1)
        trail.add(iterate, torch.zeros(1), torch.zeros(1))
        iterate.fill_(1)
        trace = trail.trace(iterate, None)
        iterate.fill_(2)
        assert trace.frames[:, 0, 0, 0, 0].tolist() == [0.0, 1.0]


def test_the_story_of_an_attack_and_its_formulas(photos, tiny_classifier):
    """The perturbation is what is added, at every goal; a mask only where the attack keeps to a place."""
    y = torch.tensor([1, 2, 4])
    for goal in ("targeted", "untargeted"):
        steps = ATTACKS["fgsm"](goal=goal).steps(photos, y, tiny_classifier)
        shown = {step.name: (step.kind, step.formula) for step in steps}
        assert shown == {
            "photo": ("photo", ""),
            "perturbation": ("signed", "x' - x"),
            "result": ("photo", ""),
        }
    steps = ATTACKS["lavan"](iterations=1).steps(photos, y, tiny_classifier)
    assert [step.name for step in steps] == ["photo", "patch mask", "perturbation", "result"]
    assert [step.formula for step in steps] == ["", "", "x' - x", ""]
