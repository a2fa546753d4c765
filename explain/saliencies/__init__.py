"""The saliency methods, by the name that every door uses. A new one is a file here and a line below."""

from explain.saliencies.base import LOSSES, Loss, Saliency
from explain.saliencies.cam import CAM
from explain.saliencies.gradient import Gradient
from explain.saliencies.hirescam import HiResCAM
from explain.saliencies.integrated_gradients import IntegratedGradients
from explain.saliencies.rollout import Rollout
from explain.saliencies.smoothgrad import SmoothGrad

SALIENCIES: dict[str, Saliency] = {
    "gradient": Gradient(),
    "cam": CAM(),
    "hirescam": HiResCAM(),
    "smoothgrad": SmoothGrad(),
    "integrated-gradients": IntegratedGradients(),
    "rollout": Rollout(),
}

__all__ = ["LOSSES", "SALIENCIES", "Loss", "Saliency"]
