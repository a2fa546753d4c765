"""``story.json`` and the files beside it: strict JSON, and enough in it to do it all again."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image

from attacks import ATTACKS
from defenses import DEFENSES
from evaluation.measures.metrics import ndcg
from evaluation.one_photo.report import attacked_arrays, report, save_story
from evaluation.one_photo.story import run_story
from ops.coding import eight_bit
from photos import gallery, gallery_photo

FGSM = ATTACKS["fgsm"](eps=8 / 255)


@pytest.fixture(scope="module")
def photo():
    return gallery_photo(gallery()[0])


def strict(text):
    def refuse(word):
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


def test_everything_is_in_it(photo, tiny_classifier):
    story = run_story(photo, tiny_classifier, FGSM, DEFENSES["wlgs"](lam=1.5), size=64)
    told = report(story)
    assert told == strict(json.dumps(told, allow_nan=False))
    assert told["photo"]["sha256"] == photo.digest
    assert (told["photo"]["height"], told["photo"]["width"]) == photo.pixels.shape[:2]
    assert told["photo"]["working_size"] == 64
    assert told["photo"]["crop"] == list(photo.crop_box(64))
    assert told["classifier"] == "tiny"
    for stage in ("clean", "attacked", "defended"):
        seen = getattr(story, stage)
        assert [(line["label"], line["probability"]) for line in told[stage]["top"]] == [
            (line.label, line.probability) for line in seen.top
        ]
        assert len(told[stage]["top"]) == 5
        assert told[stage]["ssim"] == seen.ssim
        assert told[stage]["psnr"] == seen.psnr
        assert told[stage]["ndcg"] == seen.ndcg
    assert told["clean"]["ssim"] is told["clean"]["psnr"] is told["clean"]["ndcg"] is None
    expected = ndcg(*(picture.logits.softmax(1) for picture in (story.clean, story.defended)))
    assert told["defended"]["ndcg"] == expected.item()
    assert told["attack"]["name"] == "fgsm"
    assert told["attack"]["success"] == story.success
    assert told["attack"]["success_8bit"] == story.success_8bit
    assert told["attack"]["iterations"] == story.trace.iterations == 1
    assert told["attack"]["source"] == tiny_classifier.labels[story.source]
    assert told["attack"]["target"] is None
    assert told["defense"]["name"] == "wlgs"
    assert [step["name"] for step in told["steps"]] == [step.name for step in story.steps]
    assert told["seconds"].keys() == {"attack", "defense", "classifier"}
    assert "torch" in told["versions"]


def test_what_there_was_not_is_null(photos, tiny_classifier):
    told = report(run_story(photos[:1], tiny_classifier))
    assert [told[key] for key in ("photo", "attacked", "defended", "attack", "defense")] == [None] * 5


def from_flags(registry, facts):
    """The method that the parameters make when they are given as flags."""
    cls = registry[facts["name"]]
    return cls(**cls.parsed({name: str(value) for name, value in facts["parameters"].items()}))


@pytest.mark.parametrize("eps", [4 / 255, 0.0157, 0.1 / 255, 1 / 3, 1e-5])
def test_a_strength_is_recorded_in_the_unit_of_the_flags(photos, tiny_classifier, eps):
    facts = report(run_story(photos[:1], tiny_classifier, ATTACKS["fgsm"](eps=eps)))["attack"]
    assert facts["units"]["eps"] == "/255"
    assert from_flags(ATTACKS, facts).eps == eps
    if eps == 4 / 255:
        assert facts["parameters"]["eps"] == 4


@pytest.mark.parametrize("name", ATTACKS)
def test_the_report_makes_the_attack_again(photos, tiny_classifier, name):
    fewer = {"iterations": 3} if "iterations" in ATTACKS[name]().values() else {}
    story = run_story(photos[:1], tiny_classifier, ATTACKS[name](**fewer))
    told = strict(json.dumps(report(story)))["attack"]
    again = from_flags(ATTACKS, told)
    assert again == story.attack
    target = told["target"] if again.aim == "targeted" else None
    repeated = run_story(photos[:1], tiny_classifier, again, target=target)
    assert torch.equal(repeated.attacked.x, story.attacked.x)


def changed(cls):
    """The method with its first number at another end of its range than where it is."""
    first = next(parameter for parameter in cls.parameters() if parameter.low is not None)
    end = first.low if first.default == first.high else first.high
    return cls(**{first.name: first.type(end)})


@pytest.mark.parametrize("name", DEFENSES)
def test_the_report_makes_the_defense_again(photos, tiny_classifier, name):
    story = run_story(photos[:1], tiny_classifier, defense=changed(DEFENSES[name]))
    told = strict(json.dumps(report(story)))["defense"]
    assert from_flags(DEFENSES, told) == story.defense != DEFENSES[name]()


def test_the_same_picture_has_no_psnr(photos, tiny_classifier):
    told = report(run_story(photos[:1], tiny_classifier, ATTACKS["noise"](sigma=0.0)))
    assert told["attacked"]["psnr"] is None
    assert told["attacked"]["ssim"] == pytest.approx(1)


def test_files(tmp_path, photos, tiny_classifier):
    story = run_story(photos[:1], tiny_classifier, ATTACKS["lavan"](iterations=2), DEFENSES["slgs"]())
    told = save_story(tmp_path, story)
    assert strict((tmp_path / "story.json").read_text(encoding="utf-8")) == told
    with np.load(tmp_path / "steps.npz") as arrays:
        for step, line in zip(story.steps, told["steps"], strict=True):
            map_ = step.map[0].numpy()
            assert np.array_equal(arrays[step.name], map_)
            assert line["min"] == map_.min()
            assert line["max"] == map_.max()
            assert Image.open(tmp_path / line["file"]).size == map_.shape[:0:-1]
    with np.load(tmp_path / "attacked.npz") as arrays:
        assert np.array_equal(arrays["photo"], photos[0].numpy())
        assert np.array_equal(arrays["attacked"], story.attacked.x[0].numpy())
        assert np.array_equal(arrays["mask"], story.trace.mask[0].numpy())


@pytest.mark.parametrize("name", ATTACKS)
def test_the_attacked_picture_is_the_attack_in_eight_bits(tmp_path, photos, tiny_classifier, name):
    fewer = {"iterations": 2} if "iterations" in ATTACKS[name]().values() else {}
    story = run_story(photos[:1], tiny_classifier, ATTACKS[name](**fewer))
    told = save_story(tmp_path, story)
    file = next(step["file"] for step in told["steps"] if step["name"] == "result")
    picture = torch.from_numpy(np.array(Image.open(tmp_path / file))).permute(2, 0, 1)
    assert torch.equal(picture[None].float() / 255, eight_bit(story.attacked.x))
    assert (tmp_path / "attacked.npz").is_file()


def test_no_arrays_of_an_attack_without_one(tmp_path, photos, tiny_classifier):
    story = run_story(photos[:1], tiny_classifier, defense=DEFENSES["lgs"]())
    assert attacked_arrays(story) is None
    save_story(tmp_path, story)
    assert not (tmp_path / "attacked.npz").exists()


def test_a_method_from_elsewhere_goes_by_its_title(photos, tiny_classifier):
    class Mine(ATTACKS["noise"]):
        title = "My own noise"

    assert report(run_story(photos[:1], tiny_classifier, Mine()))["attack"]["name"] == "My own noise"
