"""What each threat makes of each defense: the same answer as the defended classifier, by its own gradient."""

import pytest
import torch

from attacks import ATTACKS
from defenses import DEFENSES, THREATS, Defended
from defenses.threats import BPDA, EoT, Exact, Known, Oblivious
from explain import SALIENCIES, Memo, remembering
from tests.every_parameter import ends, variants

KNOWING = [name for name, cls in THREATS.items() if cls.knows]
RANDOM = DEFENSES["pixel-deflection"](map="none")
SMOOTHGRAD = DEFENSES["slgs"](saliency="smoothgrad")
Y = torch.tensor([1, 2, 4])


def gradient_of(model, x):
    photos = x.clone().requires_grad_()
    return torch.autograd.grad(torch.nn.functional.cross_entropy(model(photos), Y), photos)[0]


@pytest.mark.parametrize("defense", DEFENSES)
@pytest.mark.parametrize("threat", KNOWING)
def test_forwards_it_is_the_defended_classifier(defense, threat, photos, tiny_classifier):
    defense = DEFENSES[defense]()
    fields = {} if threat == "exact" else {"draws": 1}
    model = THREATS[threat](**fields).attacked(defense, tiny_classifier)
    assert torch.equal(model(photos), Defended(defense, tiny_classifier)(photos))


@pytest.mark.parametrize("defense", DEFENSES)
def test_bpda_is_the_classifiers_gradient_at_the_defended_photo(defense, photos, tiny_classifier):
    defense, model = DEFENSES[defense](), tiny_classifier.double()
    through_it = gradient_of(BPDA().attacked(defense, model), photos.double())
    torch.testing.assert_close(through_it, gradient_of(model, defense(photos.double(), model)))


@pytest.mark.parametrize("defense", DEFENSES)
@pytest.mark.parametrize("threat", [Exact(), EoT(draws=1)])
def test_exact_is_the_defenses_own_gradient(defense, threat, photos, tiny_classifier):
    defense = DEFENSES[defense]()
    through_it = gradient_of(threat.attacked(defense, tiny_classifier), photos)
    assert torch.equal(through_it, gradient_of(Defended(defense, tiny_classifier), photos))
    assert (through_it.abs().amax((1, 2, 3)) > 0).all()


@pytest.mark.parametrize("saliency", SALIENCIES)
@pytest.mark.parametrize("name", ["slgs", "wlgs"])
def test_exact_differentiates_the_saliency_too(name, saliency, tiny_classifier):
    """Against differences: W and the photo under it both move with the photo, through a network of ReLUs."""
    model = tiny_classifier.double()
    model.head.weight.mul_(50)
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(1, 3, 40, 36, generator=generator, dtype=torch.float64)
    defense = DEFENSES[name](lam=0.4, threshold=0.05, block=3, overlap=1, saliency=saliency)
    attacked = Exact().attacked(defense, model)
    photo = x.clone().requires_grad_()
    gradient = torch.autograd.grad(attacked(photo)[0, 2], photo)[0]
    assert gradient.isfinite().all()
    if name == "slgs":
        return  # straight-through at its masks: differences do not see it
    with torch.no_grad():
        direction = torch.randn(x.shape, generator=generator, dtype=torch.float64)
        step = 1e-7 * direction
        slope = (attacked(x + step)[0, 2] - attacked(x - step)[0, 2]) / 2e-7
    assert float((gradient * direction).sum()) == pytest.approx(float(slope), rel=1e-3)


def test_the_oblivious_attack_the_classifier(tiny_classifier):
    assert Oblivious().attacked(RANDOM, tiny_classifier) is tiny_classifier


@pytest.mark.parametrize("threat", [BPDA(draws=4), EoT(draws=4)])
def test_draws_are_fresh_ones_of_the_defense_and_come_again(threat, photos, tiny_classifier):
    model = threat.attacked(RANDOM, tiny_classifier)
    assert model.draws == 4
    answers = [model(photos) for _ in range(4)]
    assert len({answer.numpy().tobytes() for answer in answers}) == 4
    again = threat.attacked(RANDOM, tiny_classifier)
    assert all(torch.equal(again(photos), answer) for answer in answers)
    seeded = threat.attacked(RANDOM.redrawn(7), tiny_classifier)
    assert not torch.equal(seeded(photos), answers[0])


@pytest.mark.parametrize("name", DEFENSES)
def test_one_draw_is_enough_where_nothing_is_drawn(name, tiny_classifier):
    defense = DEFENSES[name]()
    draws = 50 if defense.is_random(tiny_classifier) else 1
    assert EoT(draws=50).attacked(defense, tiny_classifier).draws == draws
    words = EoT().words(defense, tiny_classifier)
    assert ("the same gradient as exact" in words) == (draws == 1)


@pytest.mark.parametrize("name", DEFENSES)
def test_a_defense_is_random_where_another_seed_matters(name, tiny_classifier):
    busy = torch.rand(1, 3, 40, 30, generator=torch.Generator().manual_seed(0))
    fields = {parameter.name for parameter in DEFENSES[name].parameters()}
    for options in (*variants(DEFENSES[name]), *ends(DEFENSES[name])):
        defense = DEFENSES[name](**options)
        if "seed" not in fields:
            assert not defense.is_random(tiny_classifier)
            continue
        # What is drawn shows before a threshold may hide it.
        steps = [defense.redrawn(seed).steps(busy, tiny_classifier) for seed in (1, 2)]
        same = all(torch.equal(one.map, other.map) for one, other in zip(*steps, strict=True))
        assert defense.is_random(tiny_classifier) == (not same)


def test_what_has_no_seed_cannot_be_redrawn():
    with pytest.raises(ValueError, match="draws nothing at random"):
        DEFENSES["lgs"]().redrawn(1)


@pytest.mark.parametrize("threat", KNOWING)
@pytest.mark.parametrize("defense", [DEFENSES["wlgs"](saliency="gradient"), SMOOTHGRAD, RANDOM])
def test_nothing_of_it_is_remembered(threat, defense, photos, tiny_classifier):
    memo = Memo(10**8)
    with remembering(memo):
        ATTACKS["pgd"](iterations=2).run(photos, Y, THREATS[threat]().attacked(defense, tiny_classifier))
    assert len(memo) == 0


@pytest.mark.parametrize("threat", KNOWING)
@pytest.mark.parametrize("attack", [ATTACKS["pgd"](iterations=3), ATTACKS["lavan"](iterations=3, stop_at=1)])
def test_alone_as_in_a_batch(threat, attack, photos, tiny_classifier):
    x, model = photos.double(), tiny_classifier.double()

    def attacked(photos, y):
        return attack.run(photos, y, THREATS[threat]().attacked(RANDOM, model)).attacked

    together = attacked(x, Y)
    for number in range(3):
        alone = attacked(x[number : number + 1], Y[number : number + 1])
        torch.testing.assert_close(alone[0], together[number], rtol=0, atol=1e-9)


def test_knowing_the_defense_helps(photos, tiny_classifier):
    """On the loss that counts, behind the defense, both gradients beat the oblivious attack."""
    model = tiny_classifier.double()
    model.head.weight.mul_(50)
    x, defense = photos.double(), DEFENSES["lgs"](lam=3.5, threshold=0.05)
    y = model(x).argmax(1)
    attack = ATTACKS["pgd"](eps=8 / 255, step=1 / 255, iterations=12)
    behind = {}
    for name, threat in THREATS.items():
        attacked = attack.run(x, y, threat().attacked(defense, model)).attacked
        scores = Defended(defense, model)(attacked)
        behind[name] = float(torch.nn.functional.cross_entropy(scores, y))
    assert behind["bpda"] > behind["oblivious"]
    assert behind["exact"] > behind["oblivious"]
    assert behind["eot"] == behind["exact"]


@pytest.mark.parametrize("name", THREATS)
@pytest.mark.parametrize("defense", [RANDOM, DEFENSES["jpeg"]()], ids=["random", "fixed"])
def test_the_gradient_is_told_in_one_sentence(name, defense, tiny_classifier):
    words = THREATS[name]().words(defense, tiny_classifier)
    assert words[0].isupper()
    assert words.endswith(".")
    assert words.count(". ") == 0
    if name in ("exact", "eot"):
        assert defense.gradient in words
    if defense is RANDOM and name == "eot":
        assert "10 fresh draws" in words
    if defense is RANDOM and name in ("bpda", "exact"):
        assert "draws are known" in words


@pytest.mark.parametrize("name", THREATS)
def test_every_field_is_described_and_checked(name):
    cls = THREATS[name]
    assert cls.title
    assert cls.source
    for parameter in cls.parameters():
        assert len(parameter.help) > 10
        with pytest.raises(ValueError, match=parameter.name):
            cls(**{parameter.name: parameter.low - 1})
    assert hash(cls()) == hash(cls())


def test_a_known_defense_is_a_defended_classifier(tiny_classifier):
    assert isinstance(Exact().attacked(RANDOM, tiny_classifier), Known)
    assert isinstance(Exact().attacked(RANDOM, tiny_classifier), Defended)
