"""The comparison with ART runs on a folder, and its patch lies where ours does."""

import torch

from attacks.lavan import LaVAN
from experiments import art_patch

ATTACK = LaVAN(share=0.1, iterations=3, x=0.3, y=0.6)


def test_arts_patch_lies_where_ours_does_and_climbs(tiny_classifier):
    x = torch.rand(2, 3, 48, 48, generator=torch.Generator().manual_seed(0))
    targets = torch.tensor([1, 3])
    attacked = art_patch.by_art(ATTACK, tiny_classifier, x, targets, "Adam")
    outside = (ATTACK.mask(x) == 0).expand_as(x)
    assert torch.equal(attacked[outside], x[outside])
    assert not torch.equal(attacked, x)
    assert ((attacked >= 0) & (attacked <= 1)).all()


def test_every_attack_has_its_row(labelled_source, tiny_classifier):
    figures = art_patch.measure(tiny_classifier, labelled_source, ATTACK, size=64, limit=2, seed=0)
    assert [row["attack"] for row in figures["rows"]] == ["LaVAN", "ART, Adam", "ART, pgd"]
    assert all(0 <= row["to target"] <= 100 for row in figures["rows"])
