import dataclasses
import json

import pytest
import torch

from denoisers import STRENGTHS, VARIANTS, Denoiser, DenoiserConfig, fused, uncertainty
from denoisers.config import PAPER_WIDTHS
from denoisers.losses import at_equal_say, fusion_loss, image_loss, semantic_features, semantic_loss
from tests.denoisers.tiny import shaken, tiny


def test_the_strengths_are_the_papers():
    expected = [digit * 10**power for power in (-4, -3, -2, -1) for digit in (1, 3, 5)]
    assert pytest.approx(expected) == STRENGTHS
    assert VARIANTS["multi-head"].heads[0] == STRENGTHS[:3]
    assert VARIANTS["filt-strong"].strengths == STRENGTHS[9:]
    assert VARIANTS["pa-filt"].strengths == STRENGTHS


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_card_tells_the_whole_configuration(variant):
    card = json.loads(json.dumps(dataclasses.asdict(VARIANTS[variant])))
    assert DenoiserConfig.read(card) == VARIANTS[variant]


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"kind": "mix"}, "kind"),
        ({"loss": "l2"}, "loss"),
        ({"kernel": 4}, "kernel"),
        ({"kernels": "sharp"}, "kernels"),
        ({"encoders": True}, "decoders"),
        ({"skips": ()}, "skips"),
        ({"skips": (3, 2)}, "skips"),
        ({"skips": (5,)}, "skips"),
        ({"heads": ()}, "head"),
        ({"fusion": 8}, "two"),
    ],
)
def test_impossible_configurations_are_refused(options, word):
    with pytest.raises(ValueError, match=word):
        DenoiserConfig(**options)


def test_the_papers_size():
    config = DenoiserConfig(widths=PAPER_WIDTHS)
    network = Denoiser(config)
    deepest = []
    network.encoders[0].blocks[-1].register_forward_hook(lambda *given: deepest.append(given[-1].shape))
    with torch.no_grad():
        kernels = network.outputs(torch.zeros(1, 3, 32, 48))
    assert deepest == [(1, 512, 2, 3)]  # a sixteenth, 14 x 14 at 224 px
    assert [one.shape for one in kernels] == [(1, 75, 32, 48)]
    blocks = len(network.encoders[0].blocks) + len(network.decoders[0].blocks)
    convolutions = sum(isinstance(module, torch.nn.Conv2d) for module in network.modules())
    assert (blocks, convolutions) == (8, 25)


def test_all_small_weights_take_at_most_40_megabytes():
    with torch.device("meta"):
        weights = sum(
            sum(weight.numel() for weight in Denoiser(one).parameters()) for one in VARIANTS.values()
        )
    assert 2 * weights < 40e6


@pytest.mark.parametrize("variant", VARIANTS)
class TestEveryVariant:
    def test_untrained_it_leaves_photos_alone(self, variant, photos):
        for denoised in Denoiser(tiny(variant))(photos):
            torch.testing.assert_close(denoised, photos, rtol=0, atol=1e-6)

    @pytest.mark.parametrize("shape", [(44, 53), (16, 16), (1, 1), (2, 9)])
    def test_shapes(self, variant, shape):
        network = shaken(tiny(variant))
        x = torch.rand(2, 3, *shape)
        outputs = network.outputs(x)
        assert len(outputs) == len(network.config.heads)
        assert all(output.shape == (2, network.config.outputs, *shape) for output in outputs)
        assert all(denoised.shape == x.shape and denoised.isfinite().all() for denoised in network(x))

    def test_every_weight_learns(self, variant, photos):
        network = shaken(tiny(variant))
        denoised_photos = network(photos)
        if network.fusion is not None:
            seen = [uncertainty(output) for output in network.outputs(photos)]
            denoised_photos = [*denoised_photos, fused(*denoised_photos, network.weight(seen))]
        sum(image_loss(one, photos).sum() for one in denoised_photos).backward()
        silent = [name for name, weight in network.named_parameters() if not weight.grad.any()]
        assert not silent

    def test_the_gradient_to_the_photo_is_right(self, variant):
        network = shaken(tiny(variant)).double()
        x = torch.rand(1, 3, 5, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        weights = torch.rand(x.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))

        def number(photo):
            return sum((weights * one).sum() for one in network(photo))

        gradient = torch.autograd.grad(number(x.requires_grad_()), x)[0]
        with torch.no_grad():
            along = torch.rand(x.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
            slope = (number(x + 1e-6 * along) - number(x - 1e-6 * along)) / 2e-6
        assert (gradient * along).sum().item() == pytest.approx(slope.item(), rel=1e-5)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("skips", [(1, 2), (2, 3)])
@pytest.mark.parametrize("kernels", ["residual", "softmax", "free"])
def test_without_a_gradient_it_denoises_as_by_the_outputs(variant, skips, kernels, photos):
    """Where the kernels never lie in memory at the photo's size, and where they do."""
    network = shaken(tiny(variant, kernels=kernels, widths=(4, 6, 8, 8), skips=skips)).requires_grad_(False)
    outputs = network.outputs(photos)
    denoised, unsure = network.denoised(photos)
    for photo, output in zip(denoised, outputs, strict=True):
        torch.testing.assert_close(photo, network.applied(photos, output))
    expected = [] if network.config.kind == "add" else [uncertainty(output) for output in outputs]
    torch.testing.assert_close(unsure, expected)
    for number, photo in enumerate(denoised):
        torch.testing.assert_close(network.denoised(photos, number), ([photo], unsure[number : number + 1]))
    with_gradient = network.denoised(photos.clone().requires_grad_())
    torch.testing.assert_close(with_gradient, (denoised, unsure))
    assert all(photo.requires_grad for photo in with_gradient[0])


def test_heads_share_encoder_and_decoder_and_the_y_net_does_not():
    parts = {
        variant: (len(network.encoders), len(network.decoders))
        for variant in ("multi-head", "pa-filt")
        for network in [Denoiser(tiny(variant))]
    }
    assert parts == {"multi-head": (1, 1), "pa-filt": (2, 2)}
    shared = Denoiser(tiny("pa-filt", encoders=False))
    assert (len(shared.encoders), len(shared.decoders)) == (1, 2)


class TestKernels:
    def kernels(self, photos, manner):
        return shaken(tiny("filt-img", kernels=manner)).outputs(photos)[0].unflatten(1, (3, 25))

    @pytest.mark.parametrize("manner", ["residual", "softmax"])
    def test_their_sum_is_one(self, photos, manner):
        sums = self.kernels(photos, manner).sum(2)
        torch.testing.assert_close(sums, torch.ones_like(sums))

    def test_softmax_has_no_weight_below_0_and_residual_has(self, photos):
        assert (self.kernels(photos, "softmax") >= 0).all()
        assert (self.kernels(photos, "residual") < 0).any()

    def test_residual_is_free_less_its_mean(self, photos):
        free = self.kernels(photos, "free")
        expected = free - (free.sum(2, keepdim=True) - 1) / 25
        torch.testing.assert_close(self.kernels(photos, "residual"), expected)


def test_fusion_weighs_between_the_two_photos(photos):
    network = shaken(tiny("pa-filt"))
    outputs = network.outputs(photos)
    weight = network.weight([uncertainty(output) for output in outputs])
    assert weight.shape == (3, 1, 44, 53)
    assert ((weight > 0) & (weight < 1)).all()
    first, second = network(photos)
    between = fused(first, second, weight)
    assert (between >= torch.minimum(first, second) - 1e-6).all()
    assert (between <= torch.maximum(first, second) + 1e-6).all()
    convolutions = [module for module in network.fusion.modules() if isinstance(module, torch.nn.Conv2d)]
    assert len(convolutions) == 6
    with pytest.raises(ValueError, match="nothing to fuse"):
        shaken(tiny("filt-img")).weight([weight, weight])


def test_what_the_fusion_sees_is_standardised(photos):
    network = shaken(tiny("pa-filt"))
    unsure = torch.cat([uncertainty(output) for output in network.outputs(photos)], 1)
    network.fusion.standardise(unsure)
    flat = unsure.transpose(0, 1).flatten(1).double()
    expected = (flat.mean(1, keepdim=True) - flat) / flat.std(1, keepdim=True)
    seen = []
    network.fusion.convolutions[0].register_forward_hook(lambda *given: seen.append(given[1][0]))
    weight = network.weight(unsure.split(1, 1))
    assert weight.mean().item() == pytest.approx(0.5, abs=0.1)  # untrained it prefers neither
    stretched = seen[0].transpose(0, 1).flatten(1).double().sinh()
    torch.testing.assert_close(stretched, expected, rtol=1e-3, atol=1e-4)


def test_uncertainty_is_the_largest_weight():
    kernels = torch.rand(2, 75, 4, 5)
    assert uncertainty(kernels)[1, 0, 2, 3] == kernels[1, :, 2, 3].max()


class TestLosses:
    def test_of_the_clean_photo_itself(self, photos, tiny_classifier):
        assert image_loss(photos, photos).tolist() == [0, 0, 0]
        features = semantic_features(photos, tiny_classifier)
        assert semantic_loss(photos, features, tiny_classifier).tolist() == pytest.approx([0, 0, 0], abs=1e-6)

    def test_by_hand(self, photos, tiny_classifier):
        other = photos.flip(0)
        expected = (other - photos).abs()[1].mean().item()
        assert image_loss(other, photos)[1].item() == pytest.approx(expected)
        features = tiny_classifier.with_features(photos)[1]
        expected = (features.flip(0) - features).abs()[0].mean().item()
        assert semantic_loss(other, features, tiny_classifier)[0].item() == pytest.approx(expected, rel=1e-4)
        said = tiny_classifier(photos).softmax(1)
        expected = -(said[0] * said[2].log()).sum().item()
        assert fusion_loss(other, said, tiny_classifier)[0].item() == pytest.approx(expected, rel=1e-4)

    def test_equal_say(self):
        losses, eps = torch.tensor([0.5, 1e-4, 1e-5]), torch.tensor([0.5, 1e-4, 0.0])
        assert torch.equal(at_equal_say(losses, eps, 0), losses)
        assert at_equal_say(losses, eps, 1).tolist() == pytest.approx([1, 1, 0.1])
        assert at_equal_say(losses, eps, 0.5).tolist() == pytest.approx([0.5**0.5, 0.01, 0.001])

    def test_clipped_photos_still_teach(self, photos, tiny_classifier):
        x = (photos + 1).requires_grad_()
        loss = semantic_loss(x, semantic_features(photos, tiny_classifier), tiny_classifier).sum()
        assert torch.autograd.grad(loss, x)[0].any()
