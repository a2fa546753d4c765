import pytest
import torch

from training import label_maps as module
from training.label_maps import kept_label_maps, label_maps, opinions


@pytest.fixture
def squares():
    """Five photos (3, H, W) uint8 of several shapes."""
    generator = torch.Generator().manual_seed(0)
    shapes = ((40, 60), (64, 64), (33, 47), (64, 30), (50, 50))
    return [torch.randint(256, (3, *shape), generator=generator, dtype=torch.uint8) for shape in shapes]


def test_the_mean_of_a_map_is_what_the_teacher_says_of_the_photo(tiny_classifier, squares):
    maps = label_maps(tiny_classifier, squares, side=64, batch=2)
    assert maps.dtype == torch.half
    assert maps.shape[:2] == (5, len(tiny_classifier.labels))
    said = tiny_classifier(squares[1][None] / 255)[0]
    assert torch.allclose(maps[1].float().mean((1, 2)), said, atol=0.01)


def test_a_teacher_without_a_linear_head_is_refused(tiny_classifier, squares):
    tiny_classifier.__dict__["head"] = None
    with pytest.raises(ValueError, match="no linear head"):
        label_maps(tiny_classifier, squares)


def test_a_part_is_judged_by_its_places(tiny_classifier):
    """The left half says 0, the right half says 1."""
    maps = torch.full((3, 2, 4, 6), -8.0)
    maps[:, 0, :, :3] = maps[:, 1, :, 3:] = 8.0
    parts = torch.tensor([[0.0, 0.2, 0.4, 0.8], [0.6, 0.0, 1.0, 0.5], [0.0, 0.0, 1.0, 1.0]])
    found = opinions(maps.half(), parts)
    assert found[:, 0].tolist() == pytest.approx([1, 0, 0.5], abs=1e-4)
    assert found.sum(1).tolist() == pytest.approx([1, 1, 1])


def test_maps_are_made_once_for_a_teacher_and_its_photos(tiny_classifier, squares, tmp_path, monkeypatch):
    made = []
    make = label_maps
    monkeypatch.setattr(module, "label_maps", lambda *x: (made.append(x), make(*x, side=32))[1])
    file = tmp_path / "new" / "maps.pt"
    first = kept_label_maps(tiny_classifier, squares, file)
    assert torch.equal(kept_label_maps(tiny_classifier, squares, file), first)
    assert len(made) == 1
    assert len(kept_label_maps(tiny_classifier, squares[:3], file)) == 3
    tiny_classifier.identity = "another"
    kept_label_maps(tiny_classifier, squares[:3], file)
    assert len(made) == 3
