"""Every registry on a device and on the CPU: whether both come to the same, and keep the contract."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import Any, Literal

import safetensors.torch
import torch
from torch import Tensor, nn

from attacks import ATTACKS, Attack, labels_for
from bench.setting import photographs
from classifiers import Classifier, own
from classifiers.architectures import find_architecture
from classifiers.network import ResidualNet
from classifiers.own import RESIDUAL
from classifiers.timm_zoo import find_timm, is_timm
from defenses import DEFENSES, Defended, Defense
from denoisers import installed
from denoisers import load as load_denoiser
from denoisers.denoise import denoised
from explain import SALIENCIES, STARTS, relevance, saliency
from explain.saliencies.integrated_gradients import IntegratedGradients
from explain.saliencies.smoothgrad import SmoothGrad
from photos import SMALLEST_SIZE

PHOTOS = 2
"""In each comparison."""
STEPS = 3
"""Iterations of an attack: enough to pass on what differs, too few to blow it up."""
SAME, MOST_APART = 1e-6, 1e-3
"""In float64: values further apart than this share of the largest are counted; that share of them may be."""
MEAN_APART = 1e-2
"""In float32: the mean distance of the values, over the largest."""
LABELS, SMALL_WIDTHS = 5, (8, 12, 16, 24)
"""Of classifiers with random weights, and the widths of the small one."""

Compute = Callable[[Tensor, Classifier], Tensor]
Range = Literal["photo", "not negative", "any"]


@dataclass(frozen=True)
class Subject:
    """One entry of a registry, made comparable.

    Attributes:
        registry, name: where it stands.
        compute: photos (B, 3, H, W) in [0, 1] and a classifier -> (B, ...); both of one device and type.
        range: "photo" is a photo of the input's shape in [0, 1]; "not negative" numbers >= 0; "any" all that
            are finite.
        moves: whether a result that is 0 all over breaks the contract, as of a gradient.
    """

    registry: str
    name: str
    compute: Compute
    range: Range = "any"
    moves: bool = False

    @property
    def title(self) -> str:
        """Registry and name."""
        return f"{self.registry}: {self.name}"


@dataclass(frozen=True)
class Check:
    """What came of a comparison.

    Attributes:
        registry, name: of the subject.
        apart: share of the values that lie apart in float64, see ``SAME``.
        mean: distance in float32, see ``MEAN_APART``.
        broken: a phrase for each promise that was not kept.
    """

    registry: str
    name: str
    apart: float
    mean: float
    broken: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether every promise was kept."""
        return not self.broken

    @property
    def title(self) -> str:
        """Registry and name."""
        return f"{self.registry}: {self.name}"


@dataclass(frozen=True, eq=False)
class Sides:
    """The same classifier on the CPU and on a device, in two precisions.

    Where the device is the CPU as well, it computes there by PyTorch's own kernels instead of oneDNN's.

    Attributes:
        on_cpu, on_device: by data type.
        device: that is compared with the CPU.
    """

    on_cpu: dict[torch.dtype, Classifier]
    on_device: dict[torch.dtype, Classifier]
    device: torch.device

    @classmethod
    def of(cls, make: Callable[[torch.device], Classifier], device: torch.device) -> Sides:
        """``make`` gives a classifier of its own each time that it is called."""
        types = (torch.float32, torch.float64)
        cpu = torch.device("cpu")
        return cls({of: make(cpu).to(of) for of in types}, {of: make(device).to(of) for of in types}, device)

    @contextmanager
    def arithmetic(self) -> Iterator[None]:
        """Within it the device computes with all digits that its numbers have."""
        flags: Any = torch.backends.cudnn if self.device.type == "cuda" else torch.backends.mkldnn
        name = "allow_tf32" if self.device.type == "cuda" else "enabled"
        before = getattr(flags, name)
        setattr(flags, name, False)
        try:
            yield
        finally:
            setattr(flags, name, before)


@dataclass
class _Broken:
    """Collects the promises that were not kept."""

    phrases: list[str] = field(default_factory=list)

    def unless(self, kept: bool, phrase: str) -> None:
        if not kept:
            self.phrases.append(phrase)


def check(subject: Subject, x: Tensor, sides: Sides) -> Check:
    """``subject`` of photos ``x`` (B, 3, H, W), float64 on the CPU, on either side."""
    broken = _Broken()
    double, single = torch.float64, torch.float32
    expected = subject.compute(x.clone(), sides.on_cpu[double])
    expected_single = subject.compute(x.float(), sides.on_cpu[single])
    there, model = x.to(sides.device, copy=True), sides.on_device[double]
    with sides.arithmetic():
        before = _generators(sides.device)
        made = subject.compute(there, model)
        untouched = all(map(torch.equal, before, _generators(sides.device)))
        again = subject.compute(there, model)
        alone = subject.compute(there[:1], model)
        made_single = subject.compute(there.float(), sides.on_device[single])
    broken.unless(untouched, "draws from the global generator")
    broken.unless(torch.equal(there.cpu(), x), "its photos are changed")
    for result, kind in ((made, double), (made_single, single)):
        of = f"in {str(kind).removeprefix('torch.')}"
        broken.unless(result.device.type == sides.device.type, f"left the device {of}")
        broken.unless(result.dtype == kind, f"{str(result.dtype).removeprefix('torch.')} {of}")
        broken.unless(_in_range(subject.range, result, x.shape), f"out of its range {of}")
        broken.unless(bool(result.isfinite().all()), f"not finite {of}")
        if subject.moves:
            broken.unless(bool((result.flatten(1) != 0).any(1).all()), f"0 all over {of}")
    if made.shape != expected.shape or made_single.shape != expected_single.shape:
        return Check(subject.registry, subject.name, 1, math.inf, (*broken.phrases, "another shape"))
    apart = share_apart(made, expected)
    mean = mean_apart(made_single, expected_single)
    broken.unless(apart <= MOST_APART, f"{100 * apart:.2g} % of the values lie apart from the CPU's")
    broken.unless(mean <= MEAN_APART, f"{mean:.2g} apart from the CPU in float32")
    broken.unless(share_apart(again, made) <= MOST_APART, "not the same every time")
    broken.unless(share_apart(alone, made[:1]) <= MOST_APART, "another result alone than in a batch")
    return Check(subject.registry, subject.name, apart, mean, tuple(broken.phrases))


def share_apart(made: Tensor, expected: Tensor) -> float:
    """Share of the values that are further apart than ``SAME`` of the largest one; a NaN is."""
    made, expected = made.detach().cpu(), expected.detach().cpu()
    near = (made - expected).abs() <= SAME * expected.abs().max()
    return 1 - float(near.double().mean())


def mean_apart(made: Tensor, expected: Tensor) -> float:
    """Mean distance of the values, over the largest one; 0 where all of them are 0."""
    made, expected = made.detach().cpu().double(), expected.detach().cpu().double()
    scale = float(expected.abs().max())
    mean = float((made - expected).abs().mean())
    return mean / scale if scale else mean


def _in_range(kind: Range, result: Tensor, shape: torch.Size) -> bool:
    if kind == "photo":
        return result.shape == shape and bool(((result >= 0) & (result <= 1)).all())
    return kind == "any" or bool((result >= 0).all())


def _generators(device: torch.device) -> list[Tensor]:
    """What state the global generators are in."""
    own_states = [torch.cuda.get_rng_state(device)] if device.type == "cuda" else []
    return [torch.get_rng_state(), *own_states]


def methods() -> Iterator[Subject]:
    """All attacks and defenses, with what each defense gives back as its gradient, and the denoisers."""
    for name, attacking in ATTACKS.items():
        yield Subject("attacks", name, partial(_attacked, _short(attacking)), "photo")
    for name, defending in DEFENSES.items():
        yield Subject("defenses", name, partial(_defended, defending()), "photo")
    for name, defending in DEFENSES.items():
        yield Subject("gradients of defenses", name, partial(_slope, defending()), moves=True)
    for variant in installed():
        yield Subject("denoisers", variant, partial(_denoised, variant))


def looks(*, quick: bool = False) -> Iterator[Subject]:
    """What asks where a classifier looks, and the classifier itself.

    ``quick`` leaves out those saliencies that ask for the gradient of many photos instead of one: what is
    theirs does not hang on the network.
    """
    yield Subject("classifiers", "logits", lambda x, model: model(x))
    for name in SALIENCIES:
        if not (quick and isinstance(SALIENCIES[name], IntegratedGradients | SmoothGrad)):
            yield Subject("saliencies", name, partial(_saliency, name), "not negative", moves=True)
    for name in STARTS:
        yield Subject("relevance starts", name, partial(_relevance, name), moves=True)


def _short(attacking: type[Attack]) -> Attack:
    fields = {parameter.name for parameter in attacking.parameters()}
    return attacking(**({"iterations": STEPS} if "iterations" in fields else {}))


def _attacked(attack: Attack, x: Tensor, model: Classifier) -> Tensor:
    with torch.no_grad():
        y = labels_for(attack, model(x))
    return attack.run(x, y, model, frames=0).attacked


@torch.no_grad()
def _defended(defense: Defense, x: Tensor, model: Classifier) -> Tensor:
    return defense(x, model)


def _slope(defense: Defense, x: Tensor, model: Classifier) -> Tensor:
    """Of the likeliest label's logarithmic probability, in each pixel of the photos in front of a defense."""
    photos = x.clone().requires_grad_()
    scores = Defended(defense, model)(photos).log_softmax(1)
    return torch.autograd.grad(scores.amax(1).sum(), photos)[0]


@torch.no_grad()
def _denoised(variant: str, x: Tensor, model: Classifier) -> Tensor:
    """Each photo that the denoiser makes, side by side."""
    del model
    return torch.cat(list(denoised(load_denoiser(variant, device=x.device, dtype=x.dtype), x).values()), 1)


def _saliency(method: str, x: Tensor, model: Classifier) -> Tensor:
    return saliency(x, model, method=method)


def _relevance(start: str, x: Tensor, model: Classifier) -> Tensor:
    return relevance(x, model, start=start)


Make = Callable[[torch.device], Classifier]
"""Gives a classifier on a device, anew each time."""


@dataclass(frozen=True)
class Comparison:
    """Subjects in front of one classifier.

    Attributes:
        classifier: its name.
        make: gives it.
        subjects: what is compared.
        side: of the photos, px.
    """

    classifier: str
    make: Make
    subjects: Sequence[Subject]
    side: int

    def in_parts(self, most: int) -> list[Comparison]:
        """The same with at most ``most`` subjects each."""
        return [
            replace(self, subjects=self.subjects[first : first + most])
            for first in range(0, len(self.subjects), most)
        ]

    def checks(self, device: torch.device) -> Iterator[Check]:
        """A check for each subject; one that breaks off is a check that does not hold.

        Raises:
            Exception: what broke a subject off, where the device computes no more after it.
        """
        sides = Sides.of(self.make, device)
        x = photographs(PHOTOS, self.side).double()
        for subject in self.subjects:
            named = replace(subject, name=f"{subject.name} ({self.classifier})")
            try:
                yield check(named, x, sides)
            except Exception as error:  # any library's; the other subjects are still to be checked
                yield Check(named.registry, named.name, 1, 1, (f"{type(error).__name__}: {error}",))
                if not works(device):
                    raise


def random_classifier(architecture: str) -> tuple[Make, int]:
    """An architecture with random weights, as a visitor's own file would bring it, and its side in px."""

    @cache
    def weights() -> bytes:
        return safetensors.torch.save(_drawn(architecture))

    def make(device: torch.device) -> Classifier:
        labels = "\n".join(f"label {number}" for number in range(LABELS)).encode()
        size = SMALLEST_SIZE if architecture == RESIDUAL else None
        return own(architecture, weights(), labels, device=device, working_size=size)

    if architecture == RESIDUAL:
        return make, SMALLEST_SIZE
    if is_timm(architecture):
        return make, find_timm(architecture).size
    entry = find_architecture(architecture)
    assert entry is not None
    return make, entry.size_and_crop_share()[0]


def _drawn(architecture: str) -> dict[str, Tensor]:
    """Weights for ``LABELS`` labels, the same ones each time."""
    if is_timm(architecture):
        # timm's own beginning: some of its networks keep what is no weight among the weights.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            state = find_timm(architecture).build(LABELS).state_dict()
        return {name: value.clone().contiguous() for name, value in state.items()}
    if architecture == RESIDUAL:
        network: nn.Module = ResidualNet(LABELS, SMALL_WIDTHS, (1,) * len(SMALL_WIDTHS))
    else:
        entry = find_architecture(architecture)
        assert entry is not None
        network = entry.build(LABELS)
    generator = torch.Generator().manual_seed(0)
    return {name: _drawn_like(name, value, generator) for name, value in network.state_dict().items()}


def _drawn_like(name: str, value: Tensor, generator: torch.Generator) -> Tensor:
    """Weights that pass on what they get (He et al. 2015); norms and biases do nothing."""
    if value.ndim < 2 or not value.is_floating_point():
        return torch.full(value.shape, name.endswith(("weight", "running_var")), dtype=value.dtype)
    spread = math.sqrt(2 / value[0].numel())
    return spread * torch.randn(value.shape, generator=generator, dtype=value.dtype)


def works(device: torch.device) -> bool:
    """Whether ``device`` still computes: some errors leave a GPU's process without it for good."""
    try:
        return float(torch.ones(1, device=device).add_(1)) == 2
    except RuntimeError:
        return False
