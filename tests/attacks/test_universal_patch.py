import hashlib
import json

import pytest
import safetensors.torch
import torch
from torch import nn

import attacks
import classifiers
from attacks import universal_patch
from attacks.universal_patch import Patch, UniversalPatch, read_cards, read_patch, resized, with_patches

Y = torch.zeros(3, dtype=torch.long)


class Unasked(nn.Module):
    def forward(self, x):
        raise AssertionError("a ready-made patch asks no model")


@pytest.fixture
def pixels():
    return torch.randint(0, 256, (3, 15, 15), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


@pytest.fixture
def folder(tmp_path, pixels, monkeypatch):
    """A folder of two patches of a tenth of the photo, taken for the shipped ones."""
    data = safetensors.torch.save({"patch": pixels})
    for name, target, classifier, fooled, share in (
        ("golf-ball", "golf ball", "builtin-0", 0.9, 0.1),
        ("bear", "bear", "tiny-0", 0.4, 0.1),
        ("bus", "bus", "tiny-0", 0.5, 0.2),
        ("car", "car", "tiny-0", 0.5, 0.1),
    ):
        (tmp_path / f"{name}.safetensors").write_bytes(data)
        card = {
            "target": target,
            "share": share,
            "classifier": classifier,
            "sha256": hashlib.sha256(data).hexdigest(),
            "recipe": {"steps": 3},
            "val": {"fooled": fooled},
        }
        (tmp_path / f"{name}.json").write_text(json.dumps(card))
    monkeypatch.setattr(universal_patch, "FOLDER", tmp_path)
    monkeypatch.setattr(universal_patch, "PATCHES", read_cards(tmp_path))
    return tmp_path


def test_pastes_the_patch_as_it_is_at_its_own_side(folder, pixels, photos):
    attack = UniversalPatch(margin=0.0)
    trace = attack.run(photos, Y, Unasked())
    assert attack.box(44, 53).side == 15
    for attacked in trace.attacked:
        assert torch.equal(attacked[:, :15, -15:], pixels / 255)
    assert torch.equal(
        trace.attacked[trace.mask.expand_as(photos) == 0], photos[trace.mask.expand_as(photos) == 0]
    )
    assert trace.iterations == 0
    assert trace.frame_iterations == (0,)


def test_says_its_target(folder):
    assert UniversalPatch().target_label == "golf ball"
    assert universal_patch.card_of(UniversalPatch().patch).everything["recipe"] == {"steps": 3}
    assert UniversalPatch.targeted == "none"


def test_auto_is_the_smallest_of_those_that_fool_this_classifier_most(folder, tiny_classifier):
    fitted = {}
    for identity in ("tiny-0", "builtin-0", "another"):
        tiny_classifier.identity = identity
        fitted[identity] = universal_patch._most_fooling(tiny_classifier.identity)
    assert fitted == {"tiny-0": "car", "builtin-0": "golf-ball", "another": "golf-ball"}


@pytest.mark.skipif(not universal_patch.PATCHES, reason="no patch is shipped")
@pytest.mark.parametrize("name", universal_patch.PATCHES)
def test_fitted_makes_the_choice_that_is_left_to_the_model(name, tiny_classifier, photos):
    tiny_classifier.identity = universal_patch.PATCHES[name].classifier
    fitted = UniversalPatch().fitted(tiny_classifier)
    assert fitted.card.classifier == tiny_classifier.identity
    assert fitted.patch == fitted.card.name
    assert UniversalPatch(patch=name).fitted(tiny_classifier) == UniversalPatch(patch=name)
    attacked = UniversalPatch().run(photos, Y, tiny_classifier).attacked
    assert torch.equal(attacked, fitted.run(photos, Y, tiny_classifier).attacked)


def test_scales(folder, photos):
    assert UniversalPatch(scale=2.0).box(44, 53).side == 31
    attacked = UniversalPatch(scale=2.0).run(photos, Y, Unasked()).attacked
    assert attacked.min() >= 0
    assert attacked.max() <= 1


def test_turns_around_its_middle(folder, pixels, photos):
    upright = UniversalPatch(x=0.5, y=0.5).run(photos, Y, Unasked())
    box = UniversalPatch(x=0.5, y=0.5).box(44, 53)
    turned = UniversalPatch(x=0.5, y=0.5, rotation=90.0).run(photos, Y, Unasked())
    expected = torch.rot90(box.of(upright.attacked), 1, (-2, -1))
    torch.testing.assert_close(box.of(turned.attacked), expected, rtol=0, atol=1e-5)
    slanted = UniversalPatch(x=0.5, y=0.5, rotation=45.0).run(photos, Y, Unasked())
    corner = slanted.mask[..., box.top, box.left]
    assert not corner.any()
    assert slanted.mask[..., box.top - 2, box.left + 7].all()
    outside = (slanted.mask == 0).expand_as(photos)
    assert torch.equal(slanted.attacked[outside], photos[outside])


def test_a_patch_of_ones_own_stands_beside_those_that_ship(folder, photos):
    mine = Patch(torch.full((3, 10, 10), 0.25), share=0.04, target=None)
    attack = with_patches({"mine": mine})(patch="mine", margin=0.0)
    assert attack.box(50, 50).side == 10
    assert attack.target_label is None
    attacked = attack.run(photos, Y, Unasked()).attacked
    side = attack.box(44, 53).side
    assert (attacked[:, :, :side, -side:] == 0.25).all()
    assert with_patches({"mine": mine})().target_label == "golf ball"
    with pytest.raises(ValueError, match=r"one of .*mine"):
        with_patches({"mine": mine})(patch="yours")
    with pytest.raises(ValueError, match="one of "):
        UniversalPatch(patch="mine")


def test_resized_keeps_colours_and_its_own_side():
    patch = torch.rand(3, 20, 20, generator=torch.Generator().manual_seed(0))
    assert resized(patch, 20) is patch
    flat = torch.tensor([0.2, 0.5, 1.0]).view(3, 1, 1).expand(3, 20, 20)
    for side in (1, 7, 33):
        torch.testing.assert_close(resized(flat, side), flat[:, :1, :1].expand(3, side, side))
    # Antialias: a smaller patch averages, so it varies less.
    assert resized(patch, 5).std() < 0.4 * patch.std()


def test_wrong_checksum_is_refused(folder, photos):
    file = folder / "golf-ball.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"\x00")
    with pytest.raises(ValueError, match=f"{file.name}.*checksum"):
        UniversalPatch().run(photos, Y, Unasked())


def test_missing_file_is_refused_in_a_sentence(tmp_path):
    with pytest.raises(ValueError, match=r"gone\.safetensors cannot be read"):
        read_patch(tmp_path / "gone.safetensors", "0")


def test_no_patches_no_entry(tmp_path, monkeypatch):
    assert read_cards(tmp_path / "nowhere") == {}
    monkeypatch.setattr(universal_patch, "PATCHES", {})
    with pytest.raises(ValueError, match="train_patch makes one"):
        UniversalPatch().target_label  # noqa: B018 - the property is what raises


def test_registered_when_there_are_patches():
    assert ("universal-patch" in attacks.ATTACKS) == bool(read_cards(universal_patch.FOLDER))


@pytest.mark.skipif(not universal_patch.PATCHES, reason="no patch is shipped")
@pytest.mark.parametrize("name", universal_patch.PATCHES)
def test_shipped_patches_are_whole(name):
    card = universal_patch.PATCHES[name]
    patch = read_patch(universal_patch.FOLDER / f"{name}.safetensors", card.sha256)
    assert patch.shape == (3, card.everything["side"], card.everything["side"])
    assert patch.min() >= 0
    assert patch.max() <= 1
    assert card.everything["provenance"]
    learned_on = card.classifier.partition(":")[0]
    assert card.classifier == classifiers.load(learned_on).identity, "trained on other weights than ship"
    assert 0 <= card.everything["val"]["fooled"] <= 1
    assert UniversalPatch(patch=name).box(*[card.everything["photo_side"]] * 2).side == patch.shape[-1]
