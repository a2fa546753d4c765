"""Attention rollout against a literal product, on timm's ViTs with random weights."""

import math

import pytest
import timm
import torch
import torch.nn.functional as F

import classifiers
from defenses import DEFENSES
from explain import SALIENCIES, offered, saliency
from explain.saliencies import Loss
from story import by_name
from tests.untouched import assert_same, condition

BY_CLASS_TOKEN, BY_MEAN, BY_ATTENTION = "test_vit", "test_vit2", "test_vit3"
"""How timm's smallest ViTs read their answer off the last tokens; the second has a register too."""
LABELS = b"ant\nbee\ncow\ndog"


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """Name -> timm's network, and the classifier that comes of a file with its weights."""
    pairs = {}
    for name in (BY_CLASS_TOKEN, BY_MEAN, BY_ATTENTION):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            network = timm.create_model(name, num_classes=4).eval()
            for block in network.blocks:
                torch.nn.init.normal_(block.attn.qkv.weight, std=0.3)  # else all is attended to alike
        file = tmp_path_factory.mktemp(name) / "weights.pth"
        torch.save(network.state_dict(), file)
        pairs[name] = network, classifiers.own(f"timm/{name}", file, LABELS, device="cpu").double()
    return pairs


@pytest.fixture(params=[BY_CLASS_TOKEN, BY_MEAN])
def pair(request, pairs):
    return pairs[request.param]


@pytest.fixture
def x():
    coarse = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    return F.interpolate(coarse, (160, 160), mode="bicubic").clamp(0, 1).double()


def literal(network, normalised):
    """The row of each photo's answer, over its places, and the attention itself, head by head."""
    network = network.double()
    seen = []
    hooks = [
        block.attn.qkv.register_forward_hook(lambda _module, _inputs, output: seen.append(output))
        for block in network.blocks
    ]
    network(normalised)
    for hook in hooks:
        hook.remove()
    rows = []
    for photo in range(len(normalised)):
        flow = torch.eye(seen[0].shape[1], dtype=torch.double)
        for block, qkv in zip(network.blocks, seen, strict=True):
            heads = block.attn.num_heads
            width = qkv.shape[2] // 3 // heads
            mean = torch.zeros_like(flow)
            for head in range(heads):
                first = head * width
                queries = block.attn.q_norm(qkv[photo, :, first : first + width])
                keys = block.attn.k_norm(qkv[photo, :, heads * width + first : heads * width + first + width])
                mean += (queries @ keys.T / math.sqrt(width)).softmax(1) / heads
            flow = (0.5 * mean + 0.5 * torch.eye(len(flow), dtype=torch.double)) @ flow
        before = network.num_prefix_tokens
        row = flow[0] if network.global_pool == "token" else flow[before:].mean(0)
        rows.append(row[before:])
    return torch.stack(rows)


@torch.no_grad()
def test_equal_to_a_literal_product(pair, x):
    network, model = pair
    rows = literal(network, model.normalised(x))
    side = math.isqrt(rows.shape[1])
    assert rows.std(1).min() > 1e-5
    expected = F.interpolate(rows.view(2, 1, side, side), (160, 160), mode="bilinear", align_corners=False)
    torch.testing.assert_close(saliency(x, model, method="rollout"), expected, rtol=1e-6, atol=1e-10)


def test_the_networks_are_of_both_kinds(pairs):
    kinds = [(network.global_pool, network.num_prefix_tokens) for network, _ in pairs.values()]
    assert kinds == [("token", 1), ("avg", 1), ("map", 1)]


def test_it_is_offered_where_there_is_attention_to_read(pairs, tiny_classifier):
    rest = tuple(name for name in SALIENCIES if name != "rollout")
    assert offered(tiny_classifier) == rest
    for name, (_, model) in pairs.items():
        assert offered(model) == (rest if name == BY_ATTENTION else tuple(SALIENCIES))


def test_elsewhere_the_class_map_stands_in(tiny_classifier, photos):
    ours, cam = SALIENCIES["rollout"], SALIENCIES["cam"]
    assert ours.formula(tiny_classifier) == cam.formula(tiny_classifier)
    maps = [method.map(photos, tiny_classifier, loss=Loss(), seed=0) for method in (ours, cam)]
    assert torch.equal(*maps)
    step = by_name(DEFENSES["slgs"](saliency="rollout").steps(photos, tiny_classifier), "saliency")
    assert step.note == "rollout does not apply to this network: its class activation map stands in."


def test_photos_and_network_are_untouched(pair, x):
    _, model = pair
    fused = [module.fused_attn for module in model.modules() if hasattr(module, "fused_attn")]
    assert fused
    before, photos = condition(model), x.clone()
    saliency(x, model, method="rollout")
    assert_same(before, condition(model))
    assert torch.equal(x, photos)
    assert fused == [module.fused_attn for module in model.modules() if hasattr(module, "fused_attn")]


def test_alone_as_in_a_batch(pair, x):
    _, model = pair
    together = saliency(x, model, method="rollout")
    assert together.shape == (2, 1, 160, 160)
    for photo in range(2):
        alone = saliency(x[photo : photo + 1], model, method="rollout")
        torch.testing.assert_close(alone, together[photo : photo + 1], rtol=1e-6, atol=1e-12)


def test_its_gradient_is_exact(pairs, x):
    _, model = pairs[BY_CLASS_TOKEN]
    generator = torch.Generator().manual_seed(3)
    direction = torch.randn(x[:1].shape, generator=generator, dtype=x.dtype)
    weights = torch.rand(1, 1, 160, 160, generator=generator, dtype=x.dtype)

    def value(photo):
        return (weights * saliency(photo, model, method="rollout")).sum()

    leaf = x[:1].clone().requires_grad_()
    slope = (torch.autograd.grad(value(leaf), leaf)[0] * direction).sum()
    expected = (value(x[:1] + 1e-6 * direction) - value(x[:1] - 1e-6 * direction)) / 2e-6
    torch.testing.assert_close(slope, expected.detach(), rtol=1e-3, atol=1e-7)


def test_a_photo_of_another_shape_has_a_map_of_its_own(pairs):
    _, model = pairs[BY_CLASS_TOKEN]
    result = saliency(torch.rand(1, 3, 50, 70, dtype=torch.double), model, method="rollout")
    assert result.shape == (1, 1, 50, 70)
    assert (result > 0).all()
