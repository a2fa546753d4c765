"""What every defense in the registry promises, with its defaults and with each choice of each field."""

import json
from contextlib import suppress

import pytest
import torch

from defenses import DEFENSES, Defended, automatic
from explain import Memo, remembering
from story import by_name
from story.param import AUTO
from tests.defenses.contrast import contrast_classifier
from tests.untouched import assert_same, condition

STEP_NAMES = {
    "lgs": ["photo", "local gradient", "kept windows", "smoothing weight", "result", "difference"],
    "slgs": [
        *[
            "photo",
            "local gradient",
            "kept windows",
            "saliency",
            "binary mask",
            "after erosion",
            "after dilation",
        ],
        *["selected region", "smoothing weight", "result", "difference"],
    ],
    "wlgs": [
        *["photo", "local gradient", "kept windows", "saliency", "saliency weight", "smoothing weight"],
        *["result", "difference"],
    ],
    "pixel-deflection": [
        *["photo", "robust cam", "deflected", "moved", "wavelet bands", "result", "difference"],
    ],
    "heat-and-blur": ["photo", "relevance", "heat", "hot blur", "cold blur", "result", "difference"],
    "smoothing-vote": ["photo", "blurred once", "blurred twice", "result", "difference"],
    "advfilter": [
        *["photo", "denoised sl", "denoised m", "uncertainty sl", "uncertainty m", "fusion weight"],
        *["result", "difference"],
    ],
}
LEARNED = {"advfilter"}
"""Flat photos need not come out of them exactly as they were."""


EAGER = {
    "smoothing-vote": {"rounds": 3},  # with an even number of votes its rules differ
    "non-local-means": {"sigma": 0.3},
    "digital-watermarking": {"erosions": 0, "binarise": 1.0},
}
"""Where the defaults do nothing to noise, under a classifier that looks nowhere in particular."""


def variants(name):
    """The defaults, then each choice and switch set the other way."""
    cls = DEFENSES[name]
    yield {}
    for parameter in cls.parameters():
        words = parameter.choices or ((True, False) if parameter.type is bool else ())
        yield from ({parameter.name: word} for word in words if word != parameter.default)
        if parameter.auto:
            yield {parameter.name: AUTO}


def eager(defense):
    """The same defense, set so that it does something to noise."""
    name = next(name for name, cls in DEFENSES.items() if cls is type(defense))
    return type(defense)(**(defense.values() | EAGER.get(name, {})))


def written(name, options):
    return " ".join([name, *(f"{key}={value}" for key, value in options.items())])


VARIANTS = [(name, options) for name in DEFENSES for options in variants(name)]


@pytest.fixture(params=VARIANTS, ids=[written(*variant) for variant in VARIANTS])
def defense(request):
    name, options = request.param
    return DEFENSES[name](**options)


@pytest.fixture(autouse=True)
def steady_lambda(tmp_path_factory, monkeypatch):
    """Automatic λ by a rule of its own: the one that ships may find that it is best to do nothing."""
    file = tmp_path_factory.getbasetemp() / "automatic.json"
    if not file.exists():
        told = {"areas": [0.1, 0.3, 0.6], "lams": [1.5, 2.5, 3.5, 2.0]}
        file.write_text(json.dumps({"methods": dict.fromkeys(("lgs", "slgs", "wlgs"), told)}))
    monkeypatch.setattr(automatic, "FILE", file)


@pytest.fixture(params=DEFENSES)
def cls(request):
    return DEFENSES[request.param]


def test_the_result_is_a_photo(defense, photos, tiny_classifier):
    result = defense(photos, tiny_classifier)
    assert result.shape == photos.shape
    assert result.dtype == photos.dtype
    assert ((result >= 0) & (result <= 1)).all()


def test_something_is_done_to_a_busy_photo(defense, tiny_classifier):
    busy = torch.rand(2, 3, 40, 30, generator=torch.Generator().manual_seed(0))
    steps = eager(defense).steps(busy, tiny_classifier)
    pictures = [step.map for step in steps if step.kind == "photo"]
    # One that votes may find that the photo itself is right: then what it looked at counts.
    most = torch.stack([(picture - busy).abs().amax((1, 2, 3)) for picture in pictures]).amax(0)
    assert (most > 0.05).all()


def test_every_step_keeps_the_promise_of_its_kind(defense, photos, tiny_classifier):
    steps = defense.steps(photos, tiny_classifier)
    assert len({step.name for step in steps}) == len(steps)
    assert steps[0].name == "photo"
    assert torch.equal(steps[0].map, photos)
    assert torch.equal(by_name(steps, "result").map, defense(photos, tiny_classifier))
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
        assert step.note.endswith((".", "?"))
        assert step.formula.count("{") == step.formula.count("}")


@pytest.mark.parametrize("name", STEP_NAMES)
def test_step_names_are_the_fixed_ones(name, photos, tiny_classifier):
    steps = DEFENSES[name]().steps(photos, tiny_classifier)
    assert [step.name for step in steps] == STEP_NAMES[name]


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
    if not any(type(defense) is DEFENSES.get(name) for name in LEARNED):
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


@pytest.mark.parametrize("name", DEFENSES)
def test_each_field_moves_the_steps_that_it_names_and_no_other(name, tiny_classifier):
    cls = DEFENSES[name]
    model = tiny_classifier
    # Noise that grows from corner to corner: at any threshold some windows are kept, and masks meet them.
    noise = torch.rand(1, 3, 40, 50, generator=torch.Generator().manual_seed(0))
    x = 0.5 + (noise - 0.5) * torch.linspace(0, 1, 40)[:, None] * torch.linspace(0, 1, 50)
    steady = {"threshold": 0.1, "saliency": "gradient"} | EAGER.get(name, {})
    bases = [steady | options for options in variants(name)]
    fields = {parameter.name for parameter in cls.parameters()}
    bases = [{key: value for key, value in base.items() if key in fields} for base in bases]
    memo = Memo(10**8)

    def steps(**options):
        with remembering(memo):
            return cls(**options).steps(x, model)

    if name == "smoothing-vote":
        # The photo, its first two blurred copies and its third have three opinions.
        busy = [(p.map[..., 1:] - p.map[..., :-1]).abs().mean() for p in steps(rounds=3)[:4]]
        model = contrast_classifier((busy[2] + busy[3]) / 2, (busy[0] + busy[1]) / 2)

    usual = {step.name for step in steps()}
    for parameter in cls.parameters():
        moved = set()
        for base in bases:
            for value in neighbours(parameter):
                before = {step.name: step.map for step in steps(**base)}
                after = {step.name: step.map for step in steps(**(base | {parameter.name: value}))}
                shared = before.keys() & after.keys()
                moved |= {name for name in shared if not torch.equal(before[name], after[name])}
        # A parameter may add steps that the defaults do not have.
        assert moved & usual == set(parameter.moves), parameter.name


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
