"""timm's networks: wrapped, they answer as they do by themselves, and their maps are where they are said."""

import io
import math
import subprocess
import sys

import pytest
import timm
import torch
import torch.nn.functional as F

import classifiers
from classifiers import ClassifierError, timm_zoo
from classifiers.timm_zoo import BEFORE_THE_LAST_BLOCK, OFFERED, TOKENS, find_timm, load_timm, may_be_timm
from explain.class_maps import class_maps, top_maps

VIT, SWIN, CNN, MIXER = "test_vit", "swin_tiny_patch4_window7_224", "test_resnet", "mixer_s32_224"
LABELS = b"ant\nbee\ncow\ndog"
STAND_IN = {VIT: BEFORE_THE_LAST_BLOCK, SWIN: TOKENS, CNN: "", MIXER: TOKENS}


def random_network(name):
    """timm's network for four labels, with random weights everywhere, the head's too."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = timm.create_model(name, num_classes=4).eval()
        for value in network.get_classifier().parameters():
            torch.nn.init.normal_(value, std=0.1)
    return network


def saved(network, folder):
    file = folder / "weights.pth"
    torch.save(network.state_dict(), file)
    return file


@pytest.fixture(scope="module", params=[VIT, SWIN, CNN, MIXER])
def pair(request, tmp_path_factory):
    """timm's network and the classifier that comes of a file with its weights."""
    network = random_network(request.param)
    file = saved(network, tmp_path_factory.mktemp(request.param))
    return network, classifiers.own(f"timm/{request.param}", file, LABELS, device="cpu")


def photos(model, count=2, seed=0, side=None):
    side = side or model.working_size
    coarse = torch.rand(count, 3, 8, 8, generator=torch.Generator().manual_seed(seed))
    return F.interpolate(coarse, (side, side), mode="bicubic").clamp(0, 1)


def test_a_checkpoint_of_ones_own_answers_as_timms_network(pair):
    network, model = pair
    x = photos(model)
    facts = network.pretrained_cfg
    normalised = (x - torch.tensor(facts["mean"]).view(3, 1, 1)) / torch.tensor(facts["std"]).view(3, 1, 1)
    with torch.no_grad():
        expected = network(normalised)
        assert expected.std() > 1e-3
        assert torch.allclose(model(x), expected, rtol=1e-4, atol=1e-5)
        assert torch.allclose(model(x[:1]), expected[:1], rtol=1e-4, atol=1e-5)
    assert model.working_size == facts["input_size"][-1]
    assert model.labels == ("ant", "bee", "cow", "dog")


def test_a_photo_of_another_size_is_resized_where_only_one_fits(pair):
    network, model = pair
    x = photos(model, side=96)
    side = model.working_size
    with torch.no_grad():
        if network.pretrained_cfg["fixed_input_size"]:
            resized = F.interpolate(x, (side, side), mode="bilinear", antialias=True)
            assert torch.allclose(model(x), model(resized), rtol=1e-3, atol=1e-4)
        else:
            assert torch.isfinite(model(x)).all()


def test_which_map_stands_in_is_said(pair):
    network, model = pair
    assert model.stand_in == STAND_IN[network.pretrained_cfg["architecture"]]
    assert (model.head is None) == (model.stand_in == BEFORE_THE_LAST_BLOCK)


def test_the_class_map_is_exact_or_layercam(pair):
    _, model = pair
    x = photos(model)
    logits, features = model.with_features(x.requires_grad_())
    maps = class_maps(x.detach(), model, torch.arange(4).expand(2, 4))
    if model.head is not None:
        scores = maps.mean((2, 3)) + model.head.bias - model.head.bias.mean()
        assert torch.allclose(scores, logits - logits.mean(1, keepdim=True), rtol=1e-3, atol=1e-4)
    else:
        distances = logits[0] - logits[0].mean()
        slopes = [torch.autograd.grad(one, features, retain_graph=True)[0] for one in distances]
        by_hand = torch.stack([(slope.relu() * features).sum(1)[0] for slope in slopes])
        assert torch.allclose(maps[0], by_hand, rtol=1e-3, atol=1e-6)
    assert top_maps(x.detach(), model, top_k=1).abs().max() > 0


def test_a_vits_map_is_of_the_tokens_in_front_of_its_last_block(tmp_path):
    network = random_network(VIT)
    model = classifiers.own(f"timm/{VIT}", saved(network, tmp_path), LABELS, device="cpu")
    x = photos(model)
    kept = []
    network.blocks[-2].register_forward_hook(lambda _module, _inputs, output: kept.append(output))
    with torch.no_grad():
        network(model.normalised(x))
        _, features = model.with_features(x)
    side = math.isqrt(kept[0].shape[1] - 1)
    for row in range(side):
        for column in range(side):
            token = kept[0][:, 1 + row * side + column]
            assert torch.allclose(features[:, :, row, column], token, rtol=1e-4, atol=1e-5)


def test_weights_of_another_network_and_other_labels_are_refused(tmp_path):
    file = saved(random_network(VIT), tmp_path)
    with pytest.raises(ClassifierError, match="does not fit the architecture"):
        classifiers.own(f"timm/{CNN}", file, LABELS)
    with pytest.raises(ClassifierError, match="has 4 outputs, but there are 2 labels"):
        classifiers.own(f"timm/{VIT}", file, b"ant\nbee")


def test_a_network_without_a_map_is_one_sentence():
    entry = find_timm("timm/coat_tiny")
    with pytest.raises(ClassifierError, match="timm/coat_tiny has no feature map that Unfool knows"):
        entry.parts(entry.build(4).eval())


@pytest.fixture(scope="module")
def weights():
    """A file for ``VIT``'s official 1000 labels."""
    buffer = io.BytesIO()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        torch.save(timm.create_model(VIT).state_dict(), buffer)
    return buffer.getvalue()


class TestOfficialWeights:
    @pytest.fixture
    def hub_server(self, server, weights, hub, monkeypatch):
        monkeypatch.setattr(timm_zoo, "HUB", server.address)
        server.files[f"/timm/{VIT}.r160_in1k/resolve/main/model.safetensors"] = weights
        return server

    def test_first_use_downloads_and_later_ones_do_not(self, hub_server, weights):
        seen = []
        model = classifiers.load(
            f"timm/{VIT}", device="cpu", progress=lambda done, total: seen.append((done, total))
        )
        assert seen[-1] == (len(weights), len(weights))
        assert (model.name, model.stand_in) == (f"timm/{VIT}", BEFORE_THE_LAST_BLOCK)
        assert model.labels == classifiers.load("imagenet", device="cpu").labels
        assert model.top(model(photos(model)), 1)[0][0].label in model.labels
        again = classifiers.load(f"timm/{VIT}", progress=lambda *_: pytest.fail("downloaded again"))
        assert again.identity == model.identity
        assert len(hub_server.asked) == 1

    def test_a_broken_download_leaves_nothing(self, hub_server, hub):
        hub_server.cut = 1000
        with pytest.raises(ClassifierError, match=r"The download of test_vit \(timm\) broke off"):
            classifiers.load(f"timm/{VIT}")
        assert not list(hub.glob("*"))

    def test_without_a_network(self, hub, monkeypatch):
        monkeypatch.setenv("no_proxy", "*")
        monkeypatch.setattr(timm_zoo, "HUB", "http://127.0.0.1:9")
        with pytest.raises(ClassifierError, match=r"needs its weights from 127\.0\.0\.1 on first use"):
            classifiers.load(f"timm/{VIT}")

    def test_other_labels_than_imagenets_are_refused(self):
        with pytest.raises(ClassifierError, match="has 21843 outputs, not ImageNet's 1000 labels"):
            classifiers.load("timm/vit_tiny_patch16_224.augreg_in21k")

    def test_one_without_weights(self):
        known = {name: timm.get_pretrained_cfg(name) for name in timm.list_models()}
        name = next(
            name for name, facts in known.items() if not facts.hf_hub_id and facts.num_classes == 1000
        )
        with pytest.raises(ClassifierError, match="has no official weights"):
            load_timm(f"timm/{name}", device=torch.device("cpu"))


def test_names_that_are_none_get_a_hint():
    with pytest.raises(ClassifierError, match=r"no classifier 'resnet9000'; did you mean timm/resnet"):
        classifiers.load("timm/resnet9000")
    with pytest.raises(ClassifierError, match=r"no classifier 'resnet18\.nonsense'"):
        classifiers.own("timm/resnet18.nonsense", b"", LABELS)


def test_those_that_are_offered_have_official_weights_for_imagenets_labels():
    assert set(OFFERED) <= set(classifiers.names())
    assert set(OFFERED) <= set(classifiers.architectures())
    for name in OFFERED:
        entry = find_timm(name)
        assert (entry.facts.num_classes, bool(entry.facts.hf_hub_id)) == (1000, True)
    assert classifiers.title(OFFERED[0]) == "vit_tiny_patch16_224 (timm)"


def test_a_list_of_names_does_not_import_timm():
    program = (
        "import sys, classifiers; classifiers.names(); classifiers.architectures(); "
        "classifiers.title('timm/x'); classifiers.load('imagenet'); "
        "assert not {'timm', 'torchvision', 'huggingface_hub'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize(
    ("name", "may_be"),
    [
        ("timm/resnet18.a1_in1k", True),
        ("timm/vit_tiny_patch16_224", True),
        ("resnet18", False),
        ("timm/", False),
        ("timm/**bold**", False),
        ("timm/__bold__", False),
        ("timm/[a](b)", False),
        ("timm/www.somewhere.org", False),
        ("timm/hf-hub:someone/something", False),
        ("timm/" + 96 * "a", False),
    ],
)
def test_a_name_that_can_be_typed_is_no_markup(name, may_be):
    assert may_be_timm(name) == may_be
