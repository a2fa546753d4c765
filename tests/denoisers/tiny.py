"""Denoisers with few weights that do something to photos, the same each time."""

import dataclasses
import json

import safetensors.torch
import torch

from classifiers.weights import sha256
from denoisers import VARIANTS, Denoiser


def tiny(variant, **options):
    """A variant's configuration with few weights."""
    small = {"widths": (4, 6, 8), "skips": (1, 2), "convolutions": 1}
    return dataclasses.replace(VARIANTS[variant], **(small | options))


def shaken(config):
    """A denoiser whose last layers are no longer those that do nothing."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = Denoiser(config)
        for head in network.heads:
            torch.nn.init.normal_(head.weight, std=0.05)
    return network


def write_tiny(folder):
    """Weights and card of every variant, as the training writes them."""
    for variant in VARIANTS:
        network = shaken(tiny(variant))
        state = {name: value.half().contiguous() for name, value in network.state_dict().items()}
        data = safetensors.torch.save(state)
        (folder / f"{variant}.safetensors").write_bytes(data)
        card = {"network": dataclasses.asdict(network.config), "sha256": sha256(data)}
        (folder / f"{variant}.json").write_text(json.dumps(card))
