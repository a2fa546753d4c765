"""What is measured beside a defense of ours comes to the same photos, so that like is compared with like."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from bench import shrinking
from bench.defending import CASES, entrants_of
from bench.defense_peers import Photographs, peers_of
from bench.installed import is_installed
from bench.plain_loop import deflected
from defenses import DEFENSES, PixelDeflection

SAME = {
    ("jpeg", "Pillow"): 1e-6,
    ("jpeg", "ART"): 1e-6,
    ("gaussian", "scikit-image"): 1e-5,
    ("median", "scikit-image"): 1e-6,
    ("median", "ART"): 1e-6,
    ("bilateral", "scikit-image"): 1e-6,
    ("tvm", "scikit-image"): 1e-6,
    ("bit-depth", "ART"): 1e-6,
    ("non-local-means", "scikit-image"): 1e-6,
    ("gaussian", "kornia"): 1e-5,
    ("median", "kornia"): 1e-6,
}
"""Defense and peer -> the largest difference; of all others only shape and range are alike."""
BORDER = {("median", "ART"): 1, ("median", "kornia"): 1}
"""Pixels along the border where the two mirror differently."""


def planes(photo) -> torch.Tensor:
    """What a peer made, as (B, 3, H, W) in [0, 1]."""
    made = photo if isinstance(photo, torch.Tensor) else torch.from_numpy(np.asarray(photo))
    made = made / 255 if made.dtype == torch.uint8 else made
    return made if made.shape[1] == 3 else made.permute(0, 3, 1, 2)


@pytest.mark.parametrize(("name", "peer"), SAME)
def test_the_peer_does_the_same(name, peer, photos, tiny_classifier):
    if not is_installed(peer):
        pytest.skip(f"{peer} is not installed")
    # A little over whole 8-bit numbers: some peers cut them where ours rounds.
    photos = ((photos * 255).round().clamp(0, 254) + 0.01) / 255
    defense = DEFENSES[name]()
    made = planes(peers_of(name, defense, Photographs(photos, tiny_classifier))[peer]()()).float()
    ours = defense(photos, tiny_classifier)
    border = BORDER.get((name, peer), 0)
    inside = slice(border, -border or None)
    torch.testing.assert_close(
        made[..., inside, inside], ours[..., inside, inside], rtol=0, atol=SAME[name, peer]
    )


@pytest.mark.parametrize("case", CASES)
def test_every_stage_and_peer_works(case, photos, tiny_classifier):
    name, defense = CASES[case]
    entrants, missing = entrants_of(name, defense, Photographs(photos, tiny_classifier))
    assert entrants[0].key == ("the classifier", "one pass")
    assert ("Unfool", "transform") in {entrant.key for entrant in entrants}
    assert {entrant.stage for entrant in entrants if entrant.by == "Unfool"} <= {
        "evidence",
        "transform",
        "all",
    }
    assert not any(is_installed(peer) for peer in missing)
    for entrant in entrants[1:]:
        made = entrant.work()
        if entrant.stage in ("transform", "all"):
            assert planes(made).shape == photos.shape
            assert 0 <= planes(made).min() <= planes(made).max() <= 1 + 1e-6 or entrant.by != "Unfool"


@pytest.mark.parametrize("case", CASES)
def test_the_transform_is_the_defense_whose_question_is_answered(case, photos, tiny_classifier):
    name, defense = CASES[case]
    if name == "smoothing-vote":
        defense = replace(defense, rounds=1)
    entrants = {e.key: e for e in entrants_of(name, defense, Photographs(photos, tiny_classifier))[0]}
    transform = entrants["Unfool", "transform"].work
    transform()
    if name != "smoothing-vote":  # whose votes are all the first one's
        torch.testing.assert_close(transform(), defense(photos, tiny_classifier))


def test_the_plain_loop_moves_as_many_pixels_from_as_near(photos, tiny_classifier):
    defense = PixelDeflection(deflections=200, window=3, map="none", denoiser="none")
    place = torch.arange(44 * 53, dtype=torch.float32).view(1, 1, 44, 53)
    numbered = place.expand(1, 3, -1, -1)
    ours = defense.deflected(numbered, torch.zeros_like(place), [0])
    by_loop = deflected(numbered.permute(0, 2, 3, 1).numpy(), np.zeros((1, 44, 53), np.float32), 200, 3)
    theirs = torch.from_numpy(by_loop).permute(0, 3, 1, 2)
    for moved in (ours, theirs):
        changed = moved[0, 0] != place[0, 0]
        assert 150 < changed.sum() <= 200
        down, across = (moved[0, 0] // 53 - place[0, 0] // 53), (moved[0, 0] % 53 - place[0, 0] % 53)
        # A pixel that was read after it was written carries its colour further.
        assert down.abs()[changed].float().median() <= 3
        assert across.abs()[changed].float().median() <= 3


def test_the_plain_loop_spares_what_the_map_spares():
    photos = np.random.default_rng(0).random((1, 20, 20, 3), np.float32)
    spared = np.ones((1, 20, 20), np.float32)
    spared[:, :5] = 0
    moved = deflected(photos, spared, 50, 2)
    assert (moved[:, 5:] == photos[:, 5:]).all()
    assert (moved[:, :5] != photos[:, :5]).any()


@pytest.mark.parametrize("mode", shrinking.CASES.values())
def test_the_wavelets_peer_does_the_same(mode, photos):
    ours, peer = (entrant.work() for entrant in shrinking.entrants_of(mode, photos))
    torch.testing.assert_close(planes(peer).float(), ours, rtol=0, atol=1e-5)
