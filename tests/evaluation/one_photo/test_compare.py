"""Compare and sweep say what the defenses themselves do."""

from dataclasses import replace

import pytest
import torch

from defenses import DEFENSES, LGS, SLGS, SmoothingVote
from evaluation.measures.metrics import ndcg, psnr, ssim
from evaluation.one_photo.compare import compare
from evaluation.one_photo.sweep import sweep, values_over
from explain import Memo, remembering
from tests.defenses.contrast import contrast_classifier


@pytest.fixture
def clean(photos):
    return photos[:1]


@pytest.fixture
def attacked(photos):
    return photos[1:2]


def test_every_cell_is_the_defense_itself(clean, attacked, tiny_classifier):
    defenses = {name: cls() for name, cls in DEFENSES.items()}
    cells = list(compare(clean, attacked, tiny_classifier, defenses, target=2))
    assert [(cell.defense, cell.on) for cell in cells] == [
        (name, on) for name in ("none", *DEFENSES) for on in ("clean", "attacked")
    ]
    true = int(tiny_classifier(clean).argmax())
    for cell in cells:
        x = clean if cell.on == "clean" else attacked
        expected = x if cell.defense == "none" else defenses[cell.defense](x, tiny_classifier)
        assert torch.equal(cell.seen.x, expected)
        probabilities = tiny_classifier(expected)[0].softmax(0)
        assert cell.true == pytest.approx(float(probabilities[true]))
        assert cell.target == pytest.approx(float(probabilities[2]))
        assert cell.seen.ssim == ssim(clean, expected)
        assert cell.seen.psnr == psnr(clean, expected)
        said = [tiny_classifier(picture).softmax(1) for picture in (clean, expected)]
        assert cell.seen.ndcg == pytest.approx(ndcg(*said).item())
        if not cell.seen.rejected:
            assert cell.label == tiny_classifier.labels[int(probabilities.argmax())]
            assert cell.outcome == ("right" if int(probabilities.argmax()) == true else "wrong")
        assert (cell.seen.seconds > 0) == (cell.defense != "none")


def test_a_cell_is_right_only_where_the_classifier_is_and_was_sure(clean, attacked, tiny_classifier):
    defenses = {"slgs": SLGS()}
    cells = list(compare(clean, attacked, tiny_classifier, defenses))
    first, *others = (cell.probability for cell in cells)
    for sure_from in (0.0, min(first, *others), first + 1e-4, 1.0):
        tiny_classifier.sure_from = sure_from
        for cell in compare(clean, attacked, tiny_classifier, defenses):
            is_sure = first >= sure_from and cell.probability >= sure_from
            same = "right" if is_sure else "unsure"
            assert cell.outcome == (same if cell.right else "wrong")


def test_a_defense_may_meet_a_photo_made_for_it(clean, attacked, tiny_classifier):
    defenses = {"lgs": LGS(), "slgs": SLGS()}
    through = {"slgs": clean.flip(-1)}
    cells = list(compare(clean, attacked, tiny_classifier, defenses, through=through))
    found = {(cell.defense, cell.on): cell.seen.x for cell in cells}
    assert torch.equal(found["lgs", "attacked"], LGS()(attacked, tiny_classifier))
    assert torch.equal(found["slgs", "attacked"], SLGS()(clean.flip(-1), tiny_classifier))
    assert torch.equal(found["slgs", "clean"], SLGS()(clean, tiny_classifier))
    assert torch.equal(found["none", "attacked"], attacked)


def test_without_an_attack_there_is_one_column(clean, tiny_classifier):
    cells = list(compare(clean, None, tiny_classifier, {"lgs": LGS()}))
    assert [(cell.defense, cell.on) for cell in cells] == [("none", "clean"), ("lgs", "clean")]
    assert cells[1].target is None


def test_a_rejection_is_an_outcome_of_its_own():
    x = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    steps = SmoothingVote().steps(x, contrast_classifier(0, 1))
    busy = [(step.map[..., 1:] - step.map[..., :-1]).abs().mean() for step in steps[:3]]
    model = contrast_classifier((busy[1] + busy[2]) / 2, (busy[0] + busy[1]) / 2)
    cell = list(compare(x, None, model, {"smoothing-vote": SmoothingVote()}))[-1]
    assert cell.outcome == "rejected"
    assert cell.label == ""
    assert not cell.right


@pytest.mark.parametrize("name", ["lam", "threshold", "block", "operator", "erosions"])
def test_a_sweep_is_the_defense_at_each_value(clean, attacked, tiny_classifier, name):
    defense = SLGS(threshold=0.05, saliency="gradient")
    found = sweep(attacked, clean, tiny_classifier, defense, name)
    assert len(found.values) == len(found.probabilities) == len(found.ssim) == len(found.ndcg)
    expected = tiny_classifier(clean).softmax(1)
    torch.testing.assert_close(
        torch.tensor(found.ndcg, dtype=torch.float64), ndcg(expected, found.probabilities)
    )
    for value, probabilities, likeness in zip(found.values, found.probabilities, found.ssim, strict=True):
        result = replace(defense, **{name: value})(attacked, tiny_classifier)
        torch.testing.assert_close(tiny_classifier(result)[0].softmax(0), probabilities)
        assert likeness == pytest.approx(ssim(clean, result))


def test_values_that_do_not_go_together_are_left_out(clean, tiny_classifier):
    found = sweep(clean, clean, tiny_classifier, LGS(block=15), "overlap")
    assert found.values
    assert max(found.values) < 15


def test_the_saliency_is_asked_for_once(clean, tiny_classifier):
    passes = []
    tiny_classifier.network.register_forward_hook(
        lambda _module, inputs, _output: passes.append(len(inputs[0]))
    )
    swept = sweep(clean, clean, tiny_classifier, SLGS(saliency="gradient"), "lam")
    # The clean photo, which nDCG compares with; its saliency; all results together.
    assert passes == [1, 1, len(swept.values)]


def test_a_memory_outside_is_left_alone(clean, tiny_classifier):
    memo = Memo(10**7)
    with remembering(memo):
        sweep(clean, clean, tiny_classifier, SLGS(), "lam")
    assert len(memo) == 0


def test_values_lie_on_the_parameters_steps():
    lam = LGS.parameter("lam")
    assert values_over(lam)[0] == 0
    assert values_over(lam)[-1] == 5
    assert len(values_over(lam)) == 26
    assert all(value == lam.check(value) for value in values_over(lam))
    assert values_over(LGS.parameter("block"), 100) == tuple(range(3, 64, 2))
    assert values_over(LGS.parameter("operator")) == ("forward", "sobel")
    with pytest.raises(ValueError, match="has no parameter lambda, only lam"):
        LGS.parameter("lambda")


def test_rejections_are_told(clean):
    steps = SmoothingVote().steps(clean, contrast_classifier(0, 1))
    busy = [(step.map[..., 1:] - step.map[..., :-1]).abs().mean() for step in steps[:3]]
    model = contrast_classifier((busy[1] + busy[2]) / 2, (busy[0] + busy[1]) / 2)
    found = sweep(clean, clean, model, SmoothingVote(), "rounds")
    assert found.values == (1, 2, 3, 4, 5)
    assert found.rejected[1]
