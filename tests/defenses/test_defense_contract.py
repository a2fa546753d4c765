"""What every defense in the registry promises, with its defaults and with each choice of each field."""

import json
import re
from contextlib import suppress
from dataclasses import replace
from itertools import product

import pytest
import torch

from defenses import DEFENSES, Defended, automatic
from explain import Memo, remembering
from ops.blur import gaussian_blur
from story import by_name
from tests.defenses.contrast import contrast_classifier
from tests.every_parameter import ends, variants
from tests.untouched import assert_same, condition

pytestmark = pytest.mark.long


def written(name, options):
    return " ".join([name, *(f"{key}={value}" for key, value in options.items())])


VARIANTS = [(name, options) for name, cls in DEFENSES.items() for options in variants(cls)]


@pytest.fixture(params=VARIANTS, ids=[written(*variant) for variant in VARIANTS])
def defense(request):
    name, options = request.param
    return DEFENSES[name](**options)


@pytest.fixture(autouse=True)
def steady_lambda(tmp_path_factory, monkeypatch):
    """Automatic λ by a rule of its own: the one that ships may find that it is best to do nothing."""
    file = tmp_path_factory.getbasetemp() / "automatic" / "tiny.json"
    if not file.exists():
        stairs = {"areas": [0.1, 0.3, 0.6], "lams": [1.5, 2.5, 3.5, 2.0]}
        card = {"methods": dict.fromkeys(DEFENSES, stairs), "classifier": "tiny-0", "photo_side": 48}
        file.parent.mkdir()
        file.write_text(json.dumps(card))
    monkeypatch.setattr(automatic, "FOLDER", file.parent)


@pytest.fixture(params=DEFENSES)
def cls(request):
    return DEFENSES[request.param]


def test_the_result_is_a_photo(defense, photos, tiny_classifier):
    result = defense(photos, tiny_classifier)
    assert result.shape == photos.shape
    assert result.dtype == photos.dtype
    assert ((result >= 0) & (result <= 1)).all()


def test_something_is_done_to_a_busy_photo(defense, tiny_classifier):
    """At its own values, or with one number at an end of its range."""
    busy = torch.rand(2, 3, 40, 30, generator=torch.Generator().manual_seed(0))
    for options in ({}, *ends(type(defense))):
        steps = type(defense)(**(defense.values() | options)).steps(busy, tiny_classifier)
        pictures = [step.map for step in steps if step.kind == "photo"]
        # One that votes may find that the photo itself is right: then what it looked at counts.
        most = torch.stack([(picture - busy).abs().amax((1, 2, 3)) for picture in pictures]).amax(0)
        if (most > 0.05).all():
            return
    pytest.fail("nothing is done")


def test_every_step_keeps_the_promise_of_its_kind(defense, photos, tiny_classifier):
    steps = defense.steps(photos, tiny_classifier)
    names = [step.name for step in steps]
    assert len(set(names)) == len(names)
    assert names[0] == "photo"
    assert not defense.finds or defense.finds in names
    assert torch.equal(steps[0].map, photos)
    assert torch.equal(by_name(steps, "result").map, defense(photos, tiny_classifier))
    largest = torch.stack([(by_name(steps, "result").map - photos)[:, c].abs() for c in range(3)]).amax(0)
    assert torch.equal(by_name(steps, "difference").map[:, 0], largest)
    for step in steps:
        assert step.map.shape[0] == 3
        assert step.map.shape[2:] == photos.shape[2:]
        assert step.map.shape[1] in {"photo": (3,), "heat": (1,), "mask": (1,), "signed": (1, 3)}[step.kind]
        assert step.map.isfinite().all()
        if step.kind == "heat":
            assert (step.map >= 0).all()
            assert step.own_scale or (step.map <= 1).all()
        if step.kind == "photo":
            assert ((step.map >= 0) & (step.map <= 1)).all()
        if step.kind == "mask":
            assert ((step.map == 0) | (step.map == 1)).all()
        assert step.name == step.name.lower().strip()
        assert step.note.endswith((".", "?"))
        nothing = replace(step, map=torch.zeros_like(step.map)).words()
        assert nothing == (step.note if step.kind == "photo" else f"Empty because {step.empty}.")
        assert step.kind == "photo" or (step.empty and not step.empty.endswith("."))
        assert step.formula.count("{") == step.formula.count("}")
        assert len(re.findall(r"\\left\b", step.formula)) == len(re.findall(r"\\right\b", step.formula))


def test_alone_as_in_a_batch(defense, photos, tiny_classifier):
    # In float64, so that a mask does not flip where a value lies within rounding of its threshold.
    x, model = photos.double(), tiny_classifier.double()
    together = defense.steps(x, model)
    for number in range(3):
        for alone, step in zip(defense.steps(x[number : number + 1], model), together, strict=True):
            torch.testing.assert_close(alone.map, step.map[number : number + 1], rtol=1e-6, atol=1e-9)


def test_the_same_every_time_and_no_global_draws(defense, photos, tiny_classifier):
    torch.manual_seed(0)
    first = defense(photos, tiny_classifier)
    torch.manual_seed(1)
    state = torch.get_rng_state()
    assert torch.equal(defense(photos, tiny_classifier), first)
    assert torch.equal(torch.get_rng_state(), state)


def test_the_input_is_untouched(defense, photos, tiny_classifier):
    before = photos.clone()
    defense.steps(photos, tiny_classifier)
    assert torch.equal(photos, before)
    assert not photos.requires_grad
    assert photos.grad is None


@pytest.mark.parametrize("asks", [False, True], ids=["frozen weights", "weights that ask for gradients"])
@pytest.mark.parametrize("breaks", [False, True], ids=["", "after an error"])
def test_the_model_is_untouched(defense, photos, tiny_classifier, asks, breaks, monkeypatch):
    for weight in tiny_classifier.parameters():
        weight.requires_grad_(asks)
    tiny_classifier.network.features[1].train()  # a ReLU: works the same, but the flag must survive

    def broken(_):
        raise RuntimeError("broken on purpose")

    if breaks:
        monkeypatch.setattr(tiny_classifier.network.head, "forward", broken)
    before = condition(tiny_classifier)
    with suppress(RuntimeError):
        defense(photos, tiny_classifier)
    assert_same(before, condition(tiny_classifier))


@pytest.mark.parametrize("value", [None, 0.0, 1.0], ids=["photos", "black", "white"])
def test_the_gradient_is_finite_and_does_not_vanish(defense, photos, tiny_classifier, value):
    assert type(defense).gradient
    x = photos if value is None else torch.full_like(photos, value)
    x = x.clone().requires_grad_()
    scores = Defended(defense, tiny_classifier)(x)
    loss = torch.nn.functional.cross_entropy(scores, torch.tensor([0, 1, 2]), reduction="sum")
    gradient = torch.autograd.grad(loss, x)[0]
    assert gradient.isfinite().all()
    assert (gradient.abs().amax((1, 2, 3)) > 0).all()


def test_no_graph_where_no_gradient_is_wanted(defense, photos, tiny_classifier):
    assert not any(step.map.requires_grad for step in defense.steps(photos, tiny_classifier))
    with torch.no_grad():
        leaf = photos.clone().requires_grad_()
        assert not any(step.map.requires_grad for step in defense.steps(leaf, tiny_classifier)[1:])


@pytest.mark.parametrize("shape", [(30, 31), (1, 20), (20, 1), (1, 1), (2, 3)])
def test_black_and_white_stay_and_thin_photos_give_numbers(defense, tiny_classifier, shape):
    flat = torch.stack((torch.zeros(3, *shape), torch.ones(3, *shape)))
    if defense.keeps_black_and_white:
        # To rounding, which a change of colour space costs.
        torch.testing.assert_close(defense(flat, tiny_classifier), flat, rtol=0, atol=1e-6)
    busy = torch.rand(2, 3, *shape, generator=torch.Generator().manual_seed(0))
    for step in defense.steps(busy, tiny_classifier):
        assert step.map.isfinite().all()
        assert step.map.shape[2:] == shape


def test_every_field_is_described(cls):
    assert cls.title
    assert cls.source
    for parameter in cls.parameters():
        assert len(parameter.help) > 10
        assert parameter.range
        assert parameter.moves
        if parameter.type in (int, float):
            assert parameter.low < parameter.high
            assert parameter.step > 0
            assert parameter.unit or parameter.name == "seed"


def test_wrong_values_are_refused_in_a_sentence(cls):
    for parameter in cls.parameters():
        if parameter.type in (int, float):
            wrong = [parameter.low - 1, parameter.high + 1, float("nan"), "many"]
        else:
            wrong = ["maybe", 3]
        for value in wrong:
            with pytest.raises(ValueError, match=parameter.name) as caught:
                cls(**{parameter.name: value})
            assert parameter.range in str(caught.value)
            assert (f"{value:g}" if isinstance(value, int | float) else value) in str(caught.value)


def test_a_defense_is_frozen_and_a_key(cls):
    assert hash(cls()) == hash(cls())
    assert cls() == cls()
    with pytest.raises(AttributeError):
        cls().lam = 3.0
    assert cls(**cls().values()) == cls()


def test_each_field_moves_the_steps_that_it_names_and_no_other(cls, tiny_classifier):
    """Each named step is moved somewhere, each other one nowhere where it was looked for."""
    # Noise that grows from corner to corner: at any threshold some windows are kept, and masks meet them.
    noise = torch.rand(1, 3, 40, 50, generator=torch.Generator().manual_seed(0))
    x = 0.5 + (noise - 0.5) * torch.linspace(0, 1, 40)[:, None] * torch.linspace(0, 1, 50)
    memo = Memo(10**8)

    def maps(defense, model):
        with remembering(memo):
            return {step.name: step.map for step in defense.steps(x, model)}

    usual = maps(cls(), tiny_classifier).keys()
    # A second model for what shows only where the classifier changes its mind, and the ends of the ranges
    # for what the defaults hide: asked only where a named step has not moved before.
    models = (tiny_classifier, changes_its_mind(x))
    bases = [(model, options) for model in models for options in (list(variants(cls)), list(ends(cls)))]
    for parameter in cls.parameters():
        moved = set()
        for model, group in bases:
            for options, value in product(group, neighbours(parameter)):
                try:
                    changed = cls(**(options | {parameter.name: value}))
                except ValueError:  # values that exclude each other
                    continue
                before, after = maps(cls(**options), model), maps(changed, model)
                shared = before.keys() & after.keys()
                moved |= {step for step in shared if not torch.equal(before[step], after[step])}
            if moved & usual == set(parameter.moves):
                break
        # A parameter may add steps that the defaults do not have.
        assert moved & usual == set(parameter.moves), parameter.name


def changes_its_mind(x):
    """A classifier with another opinion of ``x``, of it blurred once or twice, and of smoother pictures."""
    pictures = [x]
    for _ in range(3):
        pictures.append(gaussian_blur(pictures[-1], 5, 1.0))
    busy = [(picture[..., 1:] - picture[..., :-1]).abs().mean() for picture in pictures]
    return contrast_classifier((busy[2] + busy[3]) / 2, (busy[0] + busy[1]) / 2)


def neighbours(parameter):
    """Some other values of a field."""
    if parameter.type is bool:
        return [not parameter.default]
    if parameter.choices:
        return [word for word in parameter.choices if word not in ("auto", parameter.default)]
    distance = parameter.step * (2 if parameter.type is int else 5)
    values = [parameter.type(parameter.default + sign * distance) for sign in (-1, 1)]
    return [value for value in values if parameter.low <= value <= parameter.high]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_cpu_and_cuda_agree(defense, photos, tiny_classifier):
    x, model = photos.double(), tiny_classifier.double()
    on_cpu = defense.steps(x, model)
    on_gpu = defense.steps(x.cuda(), model.cuda())
    for step, other in zip(on_cpu, on_gpu, strict=True):
        assert other.map.is_cuda
        torch.testing.assert_close(other.map.cpu(), step.map, rtol=1e-6, atol=1e-8)
