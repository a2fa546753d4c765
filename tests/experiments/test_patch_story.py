import pytest
import torch

from attacks import LaVAN
from defenses import SLGS, WLGS
from evaluation.many_photos.measuring import LabelledPhotos
from experiments import patch_story
from experiments.patch_story import CLEAN, Case, cases, defenses, gazes, measure, tables
from explain import offered, saliency


def test_every_saliency_has_its_defenses_and_the_classifiers_own_every_lambda(tiny_classifier):
    tiny_classifier.saliency = "cam"
    each = defenses(tiny_classifier)
    assert len(each) == 3 + 2 * (len(offered(tiny_classifier)) - 1 + 3)
    assert each["SLGS by cam, λ 3.5"] == SLGS(lam=3.5, saliency="cam")
    assert each["WLGS by gradient, λ 2.3"] == WLGS(lam=2.3, saliency="gradient")


def test_cases_do_not_ask_for_the_label_that_is_there(tiny_classifier):
    y = torch.arange(5).repeat(40)
    photos = LabelledPhotos(torch.zeros(200, 3, 1, 1), y, tuple(str(number) for number in range(200)))
    each = list(cases(tiny_classifier, photos, seed=0))
    assert [case.name for case in each[:2]] == [CLEAN, "PGD 2/255"]
    assert [case.attack.share for case in each[2:]] == list(patch_story.SHARES)
    for case in each[2:]:
        assert (case.goals != y).all()
        assert set(case.goals.tolist()) == set(range(5))


def test_on_patch_is_the_mean_share_of_the_mass(photos, tiny_classifier):
    attack = LaVAN(share=0.2, iterations=1)
    case = Case("it", attack, torch.tensor([3, 3, 3]), True)
    attacked = attack(photos, case.goals, tiny_classifier)
    figures = measure(tiny_classifier, photos, torch.tensor([0, 1, 2]), case, gazes(tiny_classifier, photos))
    for pictures, percentage in zip((photos, attacked), figures["on patch"]["gradient"], strict=True):
        shares = []
        for picture in pictures.split(1):
            map_ = saliency(picture, tiny_classifier, method="gradient")[0, 0]
            shares.append(attack.box(44, 53).of(map_).sum().item() / map_.sum().item())
        assert percentage == pytest.approx(100 * sum(shares) / 3, abs=0.06)


def test_a_case_leaves_out_photos_of_the_target(photos, tiny_classifier):
    y = torch.tensor([0, 1, 2])
    attack = LaVAN(share=0.2, iterations=2)
    looked = gazes(tiny_classifier, photos)
    figures = measure(tiny_classifier, photos, y, Case("it", attack, torch.tensor([1, 1, 1]), True), looked)
    assert figures["photos"] == 2
    assert figures["to target"] in (0, 50, 100)
    assert set(figures["on patch"]) == set(offered(tiny_classifier))
    assert all("ssim" not in row for row in figures["defended"].values())
    clean = measure(tiny_classifier, photos, y, Case(CLEAN, None, y, False), looked)
    assert clean["photos"] == 3
    assert all(-1 <= row["ssim"] <= 1 and "iou" not in row for row in clean["defended"].values())
    text = tables({CLEAN: clean, "it": figures}).splitlines()
    assert len({line.count("|") for line in text[:4]}) == 1
    assert sum(line.startswith("| SLGS") for line in text) == len(offered(tiny_classifier)) + 2


def test_goes_on_where_it_was_stopped(tmp_path, monkeypatch, tiny_classifier, photos, capsys):
    y = torch.tensor([0, 1, 2])
    monkeypatch.setattr(patch_story, "load", lambda name: tiny_classifier)
    right = LabelledPhotos(photos, y, ("a", "b", "c"))
    monkeypatch.setattr(patch_story, "right_photos", lambda *_: right)
    monkeypatch.setattr(patch_story, "open_source", str)
    monkeypatch.setattr(patch_story, "SHARES", (0.1,))
    asked = []

    def measured(classifier, x, y, case, clean):
        asked.append(case.name)
        if len(asked) == 2:
            raise KeyboardInterrupt
        return measure(classifier, x, y, Case(case.name, None, y, False), clean)

    monkeypatch.setattr(patch_story, "measure", measured)
    words = ["patch_story", "--photos", "p", "--classifier", "tiny", "--json", str(tmp_path / "f.json")]
    monkeypatch.setattr("sys.argv", words)
    with pytest.raises(KeyboardInterrupt):
        patch_story.main()
    patch_story.main()
    assert asked == [CLEAN, "PGD 2/255", "PGD 2/255", "LaVAN per photo, 10 %"]
    assert "| LaVAN per photo, 10 % |" in capsys.readouterr().out
