"""Attention rollout: which places of the photo the answer of a vision transformer attends to."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from torch import Tensor

from classifiers.base import Classifier
from classifiers.timm_zoo import MappedNetwork
from explain.class_maps import enlarged
from explain.saliencies.base import Loss, Saliency
from explain.saliencies.cam import CAM
from explain.twin import twin_of

_VIT = ("timm.models.vision_transformer", "VisionTransformer")
_CAM = CAM()


class Rollout(Saliency):
    """What the class token draws from each place, by the product of (A + 1) / 2 over all blocks.

    A is a block's attention, the mean over its heads; the 1 stands for what passes by it. Where the network
    reads its answer off the mean of all places, so does the map. No label is asked for.

    Known for timm's ViTs alone. Elsewhere the class activation map stands in, and no page offers it.

    The attention is read by timm's own ``AttentionExtract``, on a twin of the network: fused attention, which
    networks use otherwise, never makes the maps.

    Source: Abnar and Zuidema 2020, "Quantifying Attention Flow in Transformers", section 3.
    """

    uses_loss: ClassVar[bool] = False
    empty: ClassVar[str] = "no place is attended to"

    def applies(self, model: Classifier) -> bool:
        """To timm's ViTs."""
        return _transformer(model) is not None

    def formula(self, model: Classifier) -> str:
        """The row of the class token, or the mean of all rows."""
        network = _transformer(model)
        if network is None:
            return _CAM.formula(model)
        row = r"\mathrm{class}" if network.global_pool == "token" else r"\mathrm{mean}"
        return rf"\left( \prod_{{l=L}}^{{1}} \tfrac{{1}}{{2}} (\bar{{A}}_l + 1) \right)_{{{row}}}"

    def map(self, x: Tensor, model: Classifier, *, loss: Loss, seed: int) -> Tensor:
        """One pass through the twin."""
        network = _transformer(model)
        if network is None:
            return _CAM.map(x, model, loss=loss, seed=seed)
        flow: Tensor | None = None
        for attention in _attentions(x, model):
            mean = attention.mean(1)
            step = (mean + torch.eye(mean.shape[-1], dtype=mean.dtype, device=mean.device)) / 2
            flow = step if flow is None else step @ flow
        assert flow is not None
        before = network.num_prefix_tokens
        row = flow[:, 0] if network.global_pool == "token" else flow[:, before:].mean(1)
        side = math.isqrt(row.shape[1] - before)
        return enlarged(row[:, None, before:].unflatten(2, (side, side)), x.shape[-2:])


def _transformer(model: Classifier) -> Any | None:
    """The network of timm inside ``model`` where it is a ViT whose attention can be read; else None."""
    network: Any = model.network.network if isinstance(model.network, MappedNetwork) else None
    names = {(cls.__module__, cls.__name__) for cls in type(network).__mro__}
    if _VIT not in names or network.global_pool not in ("token", "avg"):
        return None
    blocks = [getattr(block, "block", block) for block in network.blocks]
    readable = all(hasattr(getattr(block, "attn", None), "fused_attn") for block in blocks)
    return network if readable else None


def _attentions(x: Tensor, model: Classifier) -> list[Tensor]:
    """The attention of each block, (B, heads, tokens, tokens), in order."""
    # Imported on demand: it takes a second, and other networks do without.
    from timm.utils.attention_extract import AttentionExtract

    twin, _stage = twin_of(model)
    for module in twin.modules():
        if hasattr(module, "fused_attn"):
            module.fused_attn = False  # type: ignore[assignment]
    read = AttentionExtract(twin, ["*blocks.*attn.attn_drop"], method="hook")
    return list(read(model.normalised(x)).values())
