"""One pass of the classifier against MobileNet v3 large, at the classifier's working size."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import torch

from bench.interleaved import Entrant, race
from bench.setting import Found, Setting, photographs

PART = "classifier"
PEER = ("MobileNet v3 large", "all")


@torch.inference_mode()
def classifying(setting: Setting) -> Iterator[Found]:
    """A row for each at every batch."""
    from torchvision.models import mobilenet_v3_large

    model = setting.classifier
    peer = mobilenet_v3_large().eval().to(setting.device)
    for batch in setting.batches:
        x = photographs(batch, model.working_size, setting.device)
        entrants = [Entrant(PEER[0], partial(peer, x)), Entrant("Unfool", partial(model, x), over=PEER)]
        yield from race(PART, model.name, batch, entrants, setting.clock, seconds=setting.seconds)
