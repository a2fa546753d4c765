"""What measuring commands share: photos of any source, on the classifier's device, in parts that fit it."""

from types import SimpleNamespace

import pytest
import torch

from attacks import random_target
from evaluation.many_photos.measuring import LabelledPhotos, attacked_by, in_parts, right_photos
from evaluation.measures.accuracy import probabilities


class Elsewhere:
    """A classifier on another device than the CPU: it takes nothing that was not moved there."""

    name, identity, labels = "elsewhere", "elsewhere-0", ("apple", "bear", "car", "dog", "egg")
    device = torch.device("meta")
    crop_share = 1.0

    def __init__(self, says):
        self.says = says
        self.counts = []

    def __call__(self, x):
        assert x.device.type == "meta"
        self.counts.append(len(x))
        return torch.eye(5)[[self.says] * len(x)]

    def index(self, label):
        return self.labels.index(label)


def test_photos_come_to_the_classifiers_device(labelled_source, tiny_classifier):
    says = labelled_source.labels[0]
    model = Elsewhere(tiny_classifier.labels.index(labelled_source.classes[says][0]))
    photos = right_photos(labelled_source, model, 64, 100, 0)
    assert len(photos) == list(labelled_source.labels).count(says)
    assert (photos.y == model.says).all()
    assert photos.x.device.type == "cpu"
    assert probabilities(model, photos.x).device.type == "cpu"

    def run(x, y, model, frames):
        assert x.device == y.device == model.device
        return SimpleNamespace(attacked=torch.zeros(x.shape))

    for aim in ("targeted", "untargeted"):
        attack = SimpleNamespace(aim=aim, run=run)
        goals = photos.goals(attack, 5, 0)
        assert (goals == photos.y).all() == (aim == "untargeted")
        assert attacked_by(attack, model, photos.x, goals, "").shape == photos.x.shape


def test_right_photos_are_right_and_drawn_by_the_seed(labelled_source, tiny_classifier):
    every = right_photos(labelled_source, tiny_classifier, 64, 100, 0)
    assert len(every) == len(labelled_source) == 12
    assert tiny_classifier(every.x).argmax(1).tolist() == every.y.tolist()
    some = right_photos(labelled_source, tiny_classifier, 64, 5, 0)
    assert some.digests == every.digests[:5]
    assert right_photos(labelled_source, tiny_classifier, 64, 5, 1).digests != some.digests
    by_digest = {labelled_source.read(number).digest: number for number in range(12)}
    for digest, x in zip(some.digests, some.x, strict=True):
        assert torch.equal(labelled_source.read(by_digest[digest]).working(64)[0], x)


def test_none_right_is_a_sentence(labelled_source, tiny_classifier, monkeypatch):
    present = {labelled_source.label(number) for number in range(12)}
    absent = next(number for number, label in enumerate(tiny_classifier.labels) if label not in present)
    monkeypatch.setattr(type(tiny_classifier), "forward", lambda self, x: torch.eye(5)[[absent] * len(x)])
    with pytest.raises(ValueError, match=r"tiny gets no photo of .* right"):
        right_photos(labelled_source, tiny_classifier, 64, 5, 0)


def test_random_targets_are_those_of_every_door():
    photos = LabelledPhotos(torch.zeros(3, 3, 4, 4), torch.tensor([0, 1, 2]), ("a", "b", "c"))
    expected = [random_target(digest, 5, 7, (label,)) for digest, label in zip("abc", range(3), strict=True)]
    assert photos.targets(5, 7).tolist() == expected


def test_parts_are_halved_where_the_memory_is_too_small(tiny_classifier):
    sizes = []

    def compute(x, y):
        if len(x) > 6:
            raise torch.OutOfMemoryError("too many")
        sizes.append(len(x))
        return x.sum() + y.sum()

    numbers = torch.arange(43.0)
    results = in_parts(compute, numbers, numbers, model=tiny_classifier)
    assert sum(results) == 2 * numbers.sum()
    assert max(sizes) <= 6
    assert sum(sizes) == 43
