"""The adversarial score: its signs by hand, and a fit that is read as it was written."""

import json

import pytest
import torch

from defenses import LGS
from evaluation.one_photo import adversarial_score
from evaluation.one_photo.adversarial_score import SIGNS, Suspicion, read_suspicion, score, signs
from explain import Memo, remembering, saliency

FITTED = Suspicion((1.0, 2.0, -3.0, 4.0), -1.0, 0.75, "tiny-0", {})


def test_the_signs_are_what_they_say(photos, tiny_classifier):
    found = dict(zip(SIGNS, signs(photos, tiny_classifier).T, strict=True))
    lgs = LGS()
    g = lgs.local_gradient(photos)
    kept = lgs.keep(g) > 0
    for number in range(3):
        windows = [
            g[number, 0, top : top + 15, left : left + 15].mean()
            for top in [*range(0, 44 - 15, 10), 44 - 15]
            for left in [*range(0, 53 - 15, 10), 53 - 15]
        ]
        assert found["busiest window"][number] == pytest.approx(float(max(windows)), abs=1e-6)
        assert found["busy area"][number] == pytest.approx(float(kept[number].float().mean()))
        looks = saliency(photos, tiny_classifier, method="gradient")[number]
        assert found["gaze"][number] == pytest.approx(
            float(looks[kept[number]].sum() / looks.sum()), abs=1e-5
        )
        one = photos[number : number + 1]
        before, after = (tiny_classifier(p)[0].softmax(0) for p in (one, lgs(one, tiny_classifier)))
        moved = float((before - after).abs().sum() / 2)
        assert found["change of mind"][number] == pytest.approx(moved, abs=1e-6)


def test_alone_as_in_a_batch_and_between_0_and_1(photos, tiny_classifier):
    x, model = photos.double(), tiny_classifier.double()
    together = score(x, model, FITTED)
    assert together.shape == (3,)
    assert ((together > 0) & (together < 1)).all()
    for number in range(3):
        torch.testing.assert_close(score(x[number : number + 1], model, FITTED)[0], together[number])


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_constant_photo_has_a_score(value, tiny_classifier):
    assert score(torch.full((1, 3, 20, 20), value), tiny_classifier, FITTED).isfinite().all()


def test_asking_again_costs_nothing(photos, tiny_classifier):
    passes = []
    tiny_classifier.network.register_forward_hook(lambda *_: passes.append(1))
    with remembering(Memo(10**8)):
        first = score(photos, tiny_classifier, FITTED)
        passes.clear()
        assert torch.equal(score(photos, tiny_classifier, FITTED), first)
    assert passes == []


def test_it_is_read_from_the_file_of_its_classifier(tmp_path, monkeypatch, tiny_classifier):
    monkeypatch.setattr(adversarial_score, "FOLDER", tmp_path / "nothing")
    with pytest.raises(ValueError, match="fit_suspicion"):
        read_suspicion(tiny_classifier)
    weights = dict(zip(SIGNS, FITTED.weights, strict=True))
    for name, bias in (("tiny-0", -1), ("big-0", -2)):
        facts = {"classifier": name, "photo_side": 48}
        card = {"weights": weights, "bias": bias, "alarm from": 0.75, **facts}
        (tmp_path / f"{name}.json").write_text(json.dumps(card))
    monkeypatch.setattr(adversarial_score, "FOLDER", tmp_path)
    own = read_suspicion(tiny_classifier)
    assert (own.weights, own.bias, own.alarm_from, own.classifier) == (FITTED.weights, -1, 0.75, "tiny-0")
    tiny_classifier.identity = "big-0"
    assert read_suspicion(tiny_classifier).bias == -2


def test_a_card_of_something_else_is_a_sentence(tmp_path, monkeypatch, tiny_classifier):
    (tmp_path / "a.json").write_text(json.dumps({"classifier": "tiny-0", "photo_side": 48}))
    monkeypatch.setattr(adversarial_score, "FOLDER", tmp_path)
    with pytest.raises(ValueError, match="the card of tiny-0 holds no adversarial score"):
        read_suspicion(tiny_classifier)


@pytest.mark.parametrize("file", sorted(adversarial_score.FOLDER.glob("*.json")), ids=lambda file: file.stem)
def test_what_ships_tells_where_it_comes_from(file, tiny_classifier):
    tiny_classifier.identity = json.loads(file.read_text(encoding="utf-8"))["classifier"]
    fitted = read_suspicion(tiny_classifier)
    assert fitted.classifier == tiny_classifier.identity
    assert fitted.card["provenance"]
    assert fitted.card["recipe"]
    val = fitted.card["val"]
    assert 0 <= val["auc"] <= 1
    assert val["roc"][0] == [0, 0]
    assert sum(row["count"] for row in val["calibration"]["bins"]) == val["photos"]
