"""How near an evaluation comes to the bare classifier passes: ``python -m evaluation.evaluate_time``.

Photos of noise are evaluated as ever, reading and writing included, while every pass through the network is
noted; then the network alone makes the same passes again. The ratio of the two times is the speed reached.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from attacks import ATTACKS
from classifiers import Classifier, default_name, load
from defenses import DEFENSES
from evaluation.cells import Plan
from evaluation.many import Selection, evaluate
from evaluation.store import Run
from photos import open_source


class Passes:
    """The passes through a classifier's network, as long as it is watched.

    Attributes:
        made: (photos, side, times back) of each pass.
    """

    def __init__(self, classifier: Classifier) -> None:
        self.made: list[list[int]] = []
        self._hook = classifier.network.register_forward_hook(self._note)

    def _note(self, _network: object, inputs: tuple[Tensor], output: Tensor) -> None:
        noted = [len(inputs[0]), inputs[0].shape[-1], 0]
        self.made.append(noted)
        if output.requires_grad:

            def back(_gradient: Tensor) -> None:
                noted[2] += 1

            output.register_hook(back)

    def end(self) -> None:
        """Watches no longer."""
        self._hook.remove()


def again(classifier: Classifier, made: list[list[int]]) -> float:
    """Seconds for the same passes with nothing around them."""
    photos = {(count, side): torch.rand(count, 3, side, side) for count, side, _ in made}
    ready = {shape: x.to(classifier.device) for shape, x in photos.items()}
    began = _now(classifier)
    for count, side, back in made:
        x = ready[count, side].detach().requires_grad_(back > 0)
        with torch.set_grad_enabled(back > 0):
            total = classifier(x).sum()
        for left in reversed(range(back)):
            torch.autograd.grad(total, x, retain_graph=left > 0)
    return _now(classifier) - began


def write_photos(folder: Path, count: int, side: int, label: str) -> None:
    """``count`` JPEG files of noise."""
    generator = torch.Generator().manual_seed(0)
    (folder / label).mkdir(parents=True)
    for number in range(count):
        coarse = torch.randint(0, 256, (side // 8, side // 8, 3), generator=generator, dtype=torch.uint8)
        picture = Image.fromarray(coarse.numpy()).resize((side, side), Image.Resampling.BICUBIC)
        picture.save(folder / label / f"{number:06d}.jpg", quality=90)


def measure(classifier: Classifier, plan: Plan, selection: Selection, photos: int) -> tuple[float, float]:
    """Seconds of the evaluation and of its bare passes, after a first block that does not count."""
    with tempfile.TemporaryDirectory() as folder:
        pictures = Path(folder) / "photos"
        write_photos(pictures, photos, 2 * selection.size, classifier.labels[0])
        source = open_source(str(pictures))
        warm = Selection(selection.batch, 0, selection.batch, selection.size)
        evaluate(Run(Path(folder) / "warm"), source, classifier, plan, warm)
        passes = Passes(classifier)
        began = _now(classifier)
        evaluate(Run(Path(folder) / "run"), source, classifier, plan, selection)
        seconds = _now(classifier) - began
        passes.end()
    return seconds, again(classifier, passes.made)


def _now(classifier: Classifier) -> float:
    if classifier.device.type == "cuda":
        torch.cuda.synchronize(classifier.device)
    return time.perf_counter()


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--classifier", default=default_name())
    parser.add_argument("--device")
    parser.add_argument("--photos", type=int, default=256)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--attack", action="append", choices=tuple(ATTACKS), default=[])
    parser.add_argument("--defense", action="append", choices=tuple(DEFENSES), default=[])
    given = parser.parse_args()
    classifier = load(given.classifier, device=given.device)
    plan = Plan(
        {name: ATTACKS[name]() for name in given.attack}, {name: DEFENSES[name]() for name in given.defense}
    )
    selection = Selection(None, 0, given.batch, classifier.working_size)
    seconds, bare = measure(classifier, plan, selection, given.photos)
    print(
        f"{given.photos} photos, {len(plan.cells)} rows each: {seconds:.1f} s, its passes {bare:.1f} s, "
        f"{100 * bare / seconds:.0f} % of their speed ({classifier.name}, {classifier.working_size} px, "
        f"batch {given.batch}, {classifier.device})"
    )


if __name__ == "__main__":
    main()
