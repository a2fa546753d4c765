"""Every map in front of every classifier that comes with Unfool: it varies, and its heat means something."""

import pytest
import torch

import classifiers
from classifiers import builtin_names, read_card
from evaluation.measures.accuracy import probabilities
from evaluation.measures.faithfulness import health_of
from explain import COMBINATIONS, SALIENCIES, STARTS, MapHealth, Memo, doubt, maps_of, remembering
from explain.health import MOST_CONSTANT
from photos import gallery_photo
from photos.gallery import ENTRIES

pytestmark = pytest.mark.long

PICTURES = 40
VIEWS = ((1.0, 0.5, False), (0.85, 0.5, True), (0.7, 0.5, False), (0.8, 0.0, True), (0.8, 1.0, False))
"""Share of the side that a view shows, where between the two edges it lies, and whether it is mirrored."""
CLEAR = 3
"""Half intervals of 40 photos from which on a gap on the card must show on the 40 pictures here by itself.

A small classifier does not know most of them: it is half as sure as on photos of its labels.
"""
PASSES = 3
"""A map that asks the classifier more often is judged by its figures on the card alone: it takes minutes."""


@pytest.fixture(scope="module", params=builtin_names())
def name(request):
    return request.param


@pytest.fixture(scope="module")
def model(name):
    return classifiers.load(name, device="cpu")


@pytest.fixture(scope="module")
def pictures(model):
    """(40, 3, S, S): the views of the installed photos about which the classifier is surest."""
    views = []
    for entry in ENTRIES:
        for share, place, mirrored in VIEWS:
            side = model.working_size
            large = gallery_photo(entry.name).working(round(side / share), model.crop_share)
            edge = round((large.shape[-1] - side) * place)
            view = large[..., edge : edge + side, edge : edge + side]
            views.append(view.flip(-1) if mirrored else view)
    every = torch.cat(views)
    return every[probabilities(model, every).amax(1).topk(PICTURES).indices]


def passes(ask, model, x):
    """How often ``ask`` sends a photo through the network."""
    seen = []
    hook = model.register_forward_pre_hook(lambda _module, inputs: seen.append(len(inputs[0])))
    ask(x)
    hook.remove()
    return sum(seen)


def test_each_map_varies_and_its_hottest_places_count_more_than_its_coldest(model, pictures):
    judged = []
    with remembering(Memo(10**8)):
        for map_name, ask in maps_of(model).items():
            if passes(ask, model, pictures[:1]) > PASSES:
                continue
            judged.append(map_name)
            maps = torch.cat([ask(part) for part in pictures.split(20)])
            health = health_of(model, pictures, maps)
            constant = sum(len(values.unique()) == 1 for values in maps) / PICTURES
            assert health.constant == constant
            assert constant <= MOST_CONSTANT, map_name
            if doubt(map_name, model):  # the pages say so
                continue
            expected = MapHealth.of(model.map_health[map_name])
            half = (expected.gap - expected.low) * (expected.photos / PICTURES) ** 0.5
            assert expected.low > 0
            assert health.gap > 0, (map_name, health)
            assert health.low > 0 or expected.gap < CLEAR * half, (map_name, health, expected)
    assert len(judged) >= 9


def test_the_card_has_the_figures_of_every_map(name, model):
    card = read_card(name)["maps"]
    assert card["by_name"].keys() == maps_of(model).keys()
    assert {kind.split()[0] for kind in card["by_name"]} == {"saliency", "object", "robust", "relevance"}
    named = {f"saliency {method}" for method in SALIENCIES if SALIENCIES[method].applies(model)}
    assert named < card["by_name"].keys()
    assert all(f"robust cam {combination}" in card["by_name"] for combination in COMBINATIONS)
    assert all(f"relevance {start}" in card["by_name"] for start in STARTS)
    assert card["photos"] >= 40
    assert card["command"].startswith(f"python -m experiments.map_faithfulness --write --classifier {name} ")
    for map_name, facts in card["by_name"].items():
        health = MapHealth.of(facts)
        assert health.photos == card["photos"]
        assert health.low < health.gap < health.high
        assert doubt(map_name, model) == health.doubt
        sound = health.constant <= 0.02 and health.low > 0
        assert bool(health.doubt) != sound


def test_what_auto_means_is_a_sound_map(model):
    assert not doubt(f"saliency {model.saliency}", model)
