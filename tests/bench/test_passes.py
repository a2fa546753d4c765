"""The bare passes are the very passes that something makes."""

import pytest
import torch

from attacks import ATTACKS
from bench.evaluating import entrants_of
from bench.passes import bare, passes_of
from defenses import DEFENSES
from evaluation.many_photos.batch import Plan
from evaluation.many_photos.evaluate import Selection


def test_passes_forward_and_back_are_told_apart(tiny_classifier):
    def work():
        x = torch.rand(3, 3, 32, 32).requires_grad_()
        torch.autograd.grad(tiny_classifier(x).sum(), x)
        with torch.no_grad():
            tiny_classifier(x[:1])

    passes = passes_of(tiny_classifier, work)
    assert passes == [(3, 32, 1), (1, 32, 0)]
    assert passes_of(tiny_classifier, bare(tiny_classifier, passes)) == passes


def test_no_hook_is_left_behind(tiny_classifier):
    def fails():
        raise ValueError

    with pytest.raises(ValueError):
        passes_of(tiny_classifier, fails)
    assert not tiny_classifier.network._forward_hooks


def test_an_evaluation_against_its_passes(tiny_classifier, tmp_path):
    plan = Plan({"fgsm": ATTACKS["fgsm"]()}, {"lgs": DEFENSES["lgs"]()}, attack_wrong=True)
    limit, ours = entrants_of(tiny_classifier, plan, 4, Selection(None, 0, 2, 64), tmp_path)
    made = passes_of(tiny_classifier, ours.work)
    # Two blocks of two photos: the clean ones, the attack forward and back, what it and the defense made.
    assert made[: len(made) // 2] == made[len(made) // 2 :]
    assert made.count((2, 64, 1)) == 2
    assert passes_of(tiny_classifier, limit.work) == made
