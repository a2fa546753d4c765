"""A classifier without weights, whose label is how much neighbouring pixels differ."""

from torch import nn

from classifiers.base import Classifier


class Contrast(nn.Module):
    """Says 0, 1 or 2 by how much neighbouring pixels differ."""

    def __init__(self, low: float, high: float) -> None:
        super().__init__()
        self.low, self.high = low, high
        self.stage = nn.Identity()

    def forward(self, x):
        busy = (x[..., 1:] - x[..., :-1]).abs().mean((1, 2, 3))
        places = (busy > self.low).long() + (busy > self.high).long()
        return nn.functional.one_hot(places, 3).float()


def contrast_classifier(low: float, high: float) -> Classifier:
    network = Contrast(low, high)
    return Classifier(
        "contrast",
        network,
        ("flat", "rough", "noisy"),
        identity="contrast",
        mean=(0, 0, 0),
        std=(1, 1, 1),
        working_size=32,
        stage=network.stage,
        head=None,
    )
