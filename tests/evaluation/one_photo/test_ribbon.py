"""The ribbon is the defense at every strength, however few photos fit into memory."""

import torch

from defenses import LGS
from evaluation.one_photo.gradient_smoothing import ribbon_over


def test_the_ribbon_is_the_defense_at_each_strength_also_in_halves(photos, tiny_classifier, monkeypatch):
    x, lams = photos[:1], (0.0, 1.0, 2.0, 3.0, 4.0)
    expected = [tiny_classifier(LGS(lam=lam)(x, tiny_classifier)).softmax(1)[0] for lam in lams]
    counts = []
    forward = type(tiny_classifier).forward

    def small(self, pictures):
        if len(pictures) > 2:
            raise torch.OutOfMemoryError
        counts.append(len(pictures))
        return forward(self, pictures)

    monkeypatch.setattr(type(tiny_classifier), "forward", small)
    ribbon = ribbon_over(lams, x, tiny_classifier, LGS())
    torch.testing.assert_close(torch.from_numpy(ribbon.probabilities), torch.stack(expected))
    assert ribbon.lams.tolist() == list(lams)
    assert sum(counts) == len(lams)
