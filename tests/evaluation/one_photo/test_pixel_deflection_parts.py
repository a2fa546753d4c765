"""Pixel Deflection taken apart gives what the defense itself gives."""

from dataclasses import replace

import pytest
import torch

from defenses import LGS, PixelDeflection
from evaluation.one_photo.pixel_deflection import (
    COMBINATIONS,
    combinations,
    look_inside,
    origins,
    probabilities,
)
from evaluation.one_photo.story import run_story
from explain import enlarged, top_maps
from ops import wavelets
from story import by_name

PARTS = {
    "PD": {"map": "none", "denoiser": "none"},
    "PD + WD": {"map": "none"},
    "PD + R-CAM": {"denoiser": "none"},
    "PD + R-CAM + WD": {},
}


@pytest.mark.parametrize("name", COMBINATIONS)
def test_each_combination_is_the_defense_with_these_parts(name, photos, tiny_classifier):
    defense = PixelDeflection(deflections=120, seed=4)
    x, model = photos.double(), tiny_classifier.double()
    expected = replace(defense, **PARTS[name])(x, model)
    torch.testing.assert_close(combinations(x, model, defense, [4])[name], expected)


def test_many_seeds_of_one_photo(photos, tiny_classifier):
    defense = PixelDeflection(deflections=120)
    x, model = photos[:1].double(), tiny_classifier.double()
    found = combinations(x, model, defense, [7, 8, 9])
    for name, parts in PARTS.items():
        for number, seed in enumerate((7, 8, 9)):
            alone = replace(defense, seed=seed, **parts)(x, model)
            torch.testing.assert_close(found[name][number], alone[0])


def test_the_table_holds_every_row_over_the_seeds(photos, tiny_classifier):
    clean, attacked = photos[:1].double(), photos[1:2].double()
    model, defense = tiny_classifier.double(), PixelDeflection(deflections=50)
    rows = probabilities(clean, attacked, model, defense, [0, 1, 2], batch=4)
    assert list(rows) == ["clean", "attacked", *COMBINATIONS]
    torch.testing.assert_close(rows["clean"], model(clean).softmax(1))
    torch.testing.assert_close(rows["attacked"], model(attacked).softmax(1))
    pictures = combinations(attacked, model, defense, [0, 1, 2])
    for name in COMBINATIONS:
        torch.testing.assert_close(rows[name], model(pictures[name]).softmax(1))


def test_the_map_is_taken_once(photos, tiny_classifier):
    passes = []
    tiny_classifier.network.register_forward_hook(lambda *_: passes.append(1))
    combinations(photos[:1], tiny_classifier, PixelDeflection(), range(5))
    assert len(passes) == 1


def test_without_a_denoiser_the_wavelets_stand_for_it(photos, tiny_classifier):
    bare = PixelDeflection(denoiser="none")
    found = combinations(photos, tiny_classifier, bare, [0])
    expected = combinations(photos, tiny_classifier, PixelDeflection(), [0])
    assert torch.equal(found["PD + WD"], expected["PD + WD"])


def test_a_look_inside(photos, tiny_classifier):
    story = run_story(
        photos[:1], tiny_classifier, defense=PixelDeflection(shrinkage="hard", levels=2, top_k=3)
    )
    inside = look_inside(story)
    assert torch.equal(inside.values, by_name(story.steps, "robust cam").map[0, 0])
    moved = by_name(story.steps, "moved").map[0, 0] > 0
    assert torch.equal(inside.moved, moved)
    assert inside.moved_on_object == int((moved & (inside.values >= 0.5)).sum())
    assert [(band.level, band.direction) for band in inside.bands] == [
        (level, direction) for level in (2, 1) for direction in ("horizontal", "vertical", "diagonal")
    ]
    assert all(0 <= band.after <= band.before <= 1 and band.threshold > 0 for band in inside.bands)
    assert any(band.after < band.before for band in inside.bands)
    before, after = inside.coefficients
    assert (after.map <= before.map).all()
    assert torch.equal(after.map, by_name(story.steps, "wavelet bands").map)


def test_the_photo_is_not_denoised_again_for_a_look_inside(photos, tiny_classifier, monkeypatch):
    story = run_story(photos[:1], tiny_classifier, defense=PixelDeflection())
    monkeypatch.setattr(wavelets, "decompose", None)
    assert len(look_inside(story).bands) > 0


def test_the_maps_that_the_robust_cam_combines(photos, tiny_classifier):
    found = origins(photos[:1], tiny_classifier, 3)
    assert found.top == tuple(run_story(photos[:1], tiny_classifier).clean.top[:3])
    raw = enlarged(top_maps(photos[:1], tiny_classifier, top_k=3), (44, 53))[0]
    for step, line, plane in zip(found.maps, found.top, raw, strict=True):
        assert step.name == line.label
        torch.testing.assert_close(step.map[0, 0], (plane - plane.min()) / (plane.max() - plane.min()))


def test_another_defense_has_no_such_inside(photos, tiny_classifier):
    with pytest.raises(TypeError, match="LGS"):
        look_inside(run_story(photos[:1], tiny_classifier, defense=LGS()))
