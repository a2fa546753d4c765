import json

import pytest
import torch

from denoisers import VARIANTS, DenoiserError, installed, load, read_card
from tests.denoisers.tiny import shaken, tiny

CPU = torch.device("cpu")


def test_only_what_is_there_is_offered(folder, tmp_path):
    assert installed(folder) == tuple(VARIANTS)
    (folder / "add-sem.json").unlink()
    (folder / "pa-filt.safetensors").unlink()
    assert installed(folder) == tuple(name for name in VARIANTS if name not in ("add-sem", "pa-filt"))
    assert installed(tmp_path / "nowhere") == ()


@pytest.mark.parametrize("variant", VARIANTS)
def test_weights_arrive_frozen(folder, variant, photos):
    network = load(variant, device=CPU, folder=folder)
    expected = shaken(tiny(variant))
    assert network.config == expected.config
    assert not any(weight.requires_grad for weight in network.parameters())
    for output, wanted in zip(network(photos), expected(photos), strict=True):
        torch.testing.assert_close(output, wanted, rtol=0, atol=1e-2)  # kept in half precision
    doubled = load(variant, device=CPU, dtype=torch.float64, folder=folder)
    assert all(one.dtype == torch.float64 for one in doubled(photos.double()))
    assert load(variant, device=CPU, folder=folder) is network


def test_a_wrong_checksum(folder):
    file = folder / "filt-img.safetensors"
    file.write_bytes(file.read_bytes() + b" ")
    with pytest.raises(DenoiserError, match="checksum"):
        load("filt-img", device=CPU, folder=folder)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"network": {"kind": "mix"}}, "no network"),
        ({"network": {"depth": 3}}, "no network"),
        ({"network": None}, "no network"),
        ({"network": {"widths": [4, 6, 9], "skips": [1, 2], "convolutions": 1}}, "does not fit"),
    ],
)
def test_a_card_that_does_not_fit(folder, change, word):
    file = folder / "filt-img.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(DenoiserError, match=word):
        load("filt-img", device=CPU, folder=folder)


@pytest.mark.parametrize(
    ("text", "word"), [(None, "missing"), ("[]", "no JSON object"), ("{", "no JSON object")]
)
def test_a_card_that_cannot_be_read(folder, text, word):
    file = folder / "add-img.json"
    file.unlink() if text is None else file.write_text(text)
    with pytest.raises(DenoiserError, match=word):
        read_card("add-img", folder)


def test_missing_weights(folder):
    (folder / "add-img.safetensors").unlink()
    with pytest.raises(DenoiserError, match="not installed"):
        load("add-img", device=CPU, folder=folder)
