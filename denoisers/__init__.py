"""Learned denoisers that stand in front of a classifier: the AdvFilter family."""

from denoisers.config import STRENGTHS, STRONG, VARIANTS, DenoiserConfig
from denoisers.network import Denoiser, fused, uncertainty
from denoisers.weights import DenoiserError, installed, load, read_card

__all__ = [
    "STRENGTHS",
    "STRONG",
    "VARIANTS",
    "Denoiser",
    "DenoiserConfig",
    "DenoiserError",
    "fused",
    "installed",
    "load",
    "read_card",
    "uncertainty",
]
