"""Which saliency auto means, against one photo at a time."""

import json
from argparse import Namespace

import pytest
import torch

from attacks.lavan import LaVAN
from classifiers import builtin_names, load, read_card
from evaluation.many_photos.measuring import right_photos
from experiments import automatic_saliency
from experiments.automatic_saliency import best, main, measure
from explain import MapHealth, doubt, offered, saliency

PATCH = LaVAN(share=0.2, iterations=5)


@pytest.fixture
def one_patch(monkeypatch):
    """A patch that is quickly learned, and one that changes nothing."""

    class Nothing(LaVAN):
        def perturb(self, x, y, model, trail):
            return x

    def two(classifier, photos, seed):
        goals = photos.targets(len(classifier.labels), seed)
        yield "quick", PATCH, goals
        yield "nothing", Nothing(share=0.2), goals

    monkeypatch.setattr(automatic_saliency, "patches", two)
    monkeypatch.setattr(automatic_saliency, "FEWEST", 1)


def by_hand(model, photos, seed):
    """How many photos are fooled, and by method the mean share of the map on the patch."""
    mask = PATCH.mask(photos.x[:1])[0, 0].bool()
    inside = {method: [] for method in offered(model)}
    targets = photos.targets(len(model.labels), seed)
    for x, y, target in zip(photos.x.split(1), photos.y.tolist(), targets.split(1), strict=True):
        attacked = PATCH(x, target, model)
        if int(model(attacked).argmax()) == y:
            continue
        for method, shares in inside.items():
            looked = saliency(attacked, model, method=method)[0, 0]
            shares.append(float(looked[mask].sum() / looked.sum()))
    return len(shares), {method: sum(shares) / len(shares) for method, shares in inside.items()}


def test_the_shares_are_those_of_photos_taken_one_at_a_time(labelled_source, tiny_classifier, one_patch):
    figures = measure(tiny_classifier, labelled_source, size=64, limit=5, seed=0)
    photos = right_photos(labelled_source, tiny_classifier, 64, 5, 0)
    quick, nothing = figures["patches"]
    fooled, shares = by_hand(tiny_classifier, photos, 0)
    assert quick["fooled"] == fooled > 0
    assert quick["on patch"] == pytest.approx(shares, abs=1e-3)
    assert (nothing["fooled"], nothing["on patch"]) == (0, {})
    assert figures["mean"] == pytest.approx(quick["on patch"])
    assert figures["auto"] == max(shares, key=shares.__getitem__)


def test_what_the_deletion_test_doubts_is_never_taken(tiny_classifier):
    mean = {"gradient": 0.5, "cam": 0.7, "hirescam": 0.7}
    assert best(mean, tiny_classifier) == "cam"
    unsound = MapHealth(
        photos=99, constant=0.5, empty=0.5, hottest=0.4, coldest=0.9, gap=0.3, low=0.2, high=0.4
    ).facts()
    tiny_classifier.map_health = {"saliency cam": unsound}
    assert best(mean, tiny_classifier) == "hirescam"
    tiny_classifier.map_health = {f"saliency {method}": unsound for method in mean}
    with pytest.raises(ValueError, match="tiny has no saliency that the deletion test does not doubt"):
        best(mean, tiny_classifier)


def test_where_too_few_are_fooled_it_says_so(labelled_source, tiny_classifier, one_patch, monkeypatch):
    monkeypatch.setattr(automatic_saliency, "attacked_by", lambda _attack, _model, x, *_: x)
    with pytest.raises(ValueError, match="the patches fool tiny on 0 of 3 photos, and 1 are needed"):
        measure(tiny_classifier, labelled_source, size=64, limit=3, seed=0)


def test_the_command_prints_and_writes(
    labelled_folder, tiny_classifier, tmp_path, one_patch, monkeypatch, capsys
):
    monkeypatch.setattr(automatic_saliency, "load", lambda name: tiny_classifier)
    given = {"photos": str(labelled_folder), "size": 64, "limit": 3, "seed": 0, "json": tmp_path / "g.json"}
    main(Namespace(**given, classifier="tiny", write=False))
    printed = capsys.readouterr().out
    figures = json.loads((tmp_path / "g.json").read_text())
    assert f"3 photos at 64 px, tiny-0: auto is {figures['auto']}" in printed
    assert "| mean |" in printed
    with pytest.raises(ValueError, match="only built-in classifiers have a card, and tiny is none"):
        main(Namespace(**given, classifier="tiny", write=True))


@pytest.mark.parametrize("name", builtin_names())
def test_the_cards_method_is_the_best_of_its_figures(name):
    card, model = read_card(name), load(name, device="cpu")
    gaze = card["gaze"]
    assert card["saliency"] == gaze["auto"] == model.saliency
    assert gaze["mean"].keys() == set(offered(model))
    fooling = [row["on patch"] for row in gaze["patches"] if row["fooled"]]
    for method, mean in gaze["mean"].items():
        assert mean == pytest.approx(sum(row[method] for row in fooling) / len(fooling), abs=2e-4)
        assert mean <= gaze["mean"][gaze["auto"]] or doubt(f"saliency {method}", model)


def test_the_patches_are_lavans_and_those_of_the_classifier(labelled_source, tiny_classifier):
    photos = right_photos(labelled_source, tiny_classifier, 64, 3, 0)
    ((title, attack, goals),) = automatic_saliency.patches(tiny_classifier, photos, 0)
    assert (title, attack.share) == ("LaVAN per photo, 10 %", 0.1)
    assert torch.equal(goals, photos.targets(5, 0))
