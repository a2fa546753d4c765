"""What is measured beside an attack of ours comes to the same photos in the same steps."""

import pytest
import torch

from bench.attacking import LIMIT, OURS, cases, entrants_of
from bench.passes import passes_of

PEERS = ("torchattacks", "foolbox", "ART")


@pytest.mark.parametrize("name", cases())
def test_peers_make_the_same_photos(name, photos, tiny_classifier):
    entrants, missing = entrants_of(name, cases(3)[name], photos, tiny_classifier)
    assert not missing
    works = {entrant.by: entrant.work for entrant in entrants}
    ours = works[OURS]()
    peers = PEERS if name != "lavan" else ("ART",)
    assert set(works) == {LIMIT[0], OURS, "Unfool, iterates kept", *peers}
    for peer in peers:
        theirs = works[peer]()
        if name == "lavan":  # another way to the same end: the patch alone
            assert theirs.shape[0] == 3
        else:
            torch.testing.assert_close(theirs, ours, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", cases())
def test_the_limit_makes_the_attacks_passes(name, photos, tiny_classifier):
    entrants, _ = entrants_of(name, cases(3)[name], photos[..., :44], tiny_classifier)
    works = {entrant.by: entrant.work for entrant in entrants}
    made = passes_of(tiny_classifier, works[OURS])
    assert passes_of(tiny_classifier, works[LIMIT[0]]) == made
    assert sum(back for _, _, back in made) == (1 if name == "fgsm" else 3)
