import io
import os
import struct
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

from classifiers import weights as module
from classifiers.base import ClassifierError
from classifiers.weights import fit, read_state, sha256


def saved(value, **options):
    buffer = io.BytesIO()
    torch.save(value, buffer, **options)
    return buffer.getvalue()


def network():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 5))


def refused(data):
    with pytest.raises(ClassifierError) as raised:
        read_state(data, "The file")
    assert str(raised.value).startswith("The file")
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 200
    return str(raised.value)


class TestReading:
    @pytest.mark.parametrize(
        "wrap", [lambda s: s, lambda s: {"state_dict": s, "epoch": 3}, lambda s: {"model": s}]
    )
    @pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.module."])
    def test_state_dicts_wrapped_and_prefixed(self, wrap, prefix):
        state = network().state_dict()
        read = read_state(saved(wrap({prefix + name: value for name, value in state.items()})), "The file")
        assert read.keys() == state.keys()
        assert all(torch.equal(read[name], state[name]) for name in state)

    def test_the_old_file_layout_and_parameters(self):
        state = OrderedDict(network().named_parameters())
        read = read_state(saved(state, _use_new_zipfile_serialization=False), "The file")
        assert torch.equal(read["0.weight"], state["0.weight"])
        assert not read["0.weight"].requires_grad

    def test_safetensors_from_bytes_and_path(self, tmp_path):
        state = network().state_dict()
        data = safetensors.torch.save(state)
        (tmp_path / "weights.pt").write_bytes(data)  # the content decides, not the name
        for source in (data, tmp_path / "weights.pt"):
            assert torch.equal(read_state(source, "The file")["0.weight"], state["0.weight"])
            assert sha256(source) == sha256(data)

    def test_names_of_old_densenet_files(self):
        old = {
            "denseblock1.denselayer2.norm.1.weight": torch.ones(1),
            "denseblock1.denselayer2.conv1.weight": torch.ones(1),
        }
        assert list(read_state(saved(old), "The file")) == [
            "denseblock1.denselayer2.norm1.weight",
            "denseblock1.denselayer2.conv1.weight",
        ]


class TestRefusals:
    def test_code_is_not_run(self, tmp_path):
        class Evil:
            def __reduce__(self):
                return os.mkdir, (str(tmp_path / "ran"),)

        for options in ({}, {"_use_new_zipfile_serialization": False}):
            assert "maybe code, and is refused" in refused(saved({"0.weight": Evil()}, **options))
        assert not (tmp_path / "ran").exists()

    def test_whole_networks_and_scripts_are_not_run(self):
        assert "save the state dict alone" in refused(saved(network()))
        buffer = io.BytesIO(saved(network().state_dict()))
        with zipfile.ZipFile(buffer, "a") as archive:  # what tells a TorchScript file
            archive.writestr("archive/constants.pkl", b"")
        with pytest.warns(UserWarning, match="TorchScript"):
            assert "save the state dict alone" in refused(buffer.getvalue())

    @pytest.mark.parametrize("value", [[torch.zeros(1)], torch.zeros(3), 5, {}, {"state_dict": {}}])
    def test_other_things(self, value):
        assert "holds no state dict" in refused(saved(value))

    @pytest.mark.parametrize("value", [{"a": 1.0}, {"a": [torch.zeros(1)]}, {3: torch.zeros(1)}])
    def test_more_than_tensors_by_name(self, value):
        assert "is no named tensor" in refused(saved(value))

    @pytest.mark.parametrize(
        "value",
        [torch.eye(3).to_sparse(), torch.zeros(2, dtype=torch.complex64), torch.zeros(2, device="meta")],
    )
    @pytest.mark.filterwarnings("ignore:Validating sparse")
    def test_tensors_of_other_kinds(self, value):
        assert "no plain real tensor" in refused(saved({"a": value}))

    @pytest.mark.parametrize(
        "data", [b"hello", b"\x80\x02", bytes(100), b"<html>", b"PK\x05\x06" + bytes(18), b"x" * 8 + b"{"]
    )
    def test_no_weight_files(self, data):
        refused(data)

    def test_empty_missing_and_directory(self, tmp_path):
        assert refused(b"") == "The file is empty"
        assert refused(tmp_path / "nothing.pt") == "The file cannot be read"
        assert refused(tmp_path) in ("The file cannot be read", "The file is empty")

    @pytest.mark.parametrize(
        "make", [saved, safetensors.torch.save, lambda s: saved(s, _use_new_zipfile_serialization=False)]
    )
    def test_cut_short_anywhere(self, make):
        data = make(network().state_dict())
        for length in range(1, len(data) - 1, max(1, len(data) // 40)):
            refused(data[:length])

    @pytest.mark.parametrize(
        "make", [saved, safetensors.torch.save, lambda s: saved(s, _use_new_zipfile_serialization=False)]
    )
    @pytest.mark.filterwarnings("ignore")
    def test_bytes_changed_anywhere(self, make):
        data = make(network().state_dict())
        draw = np.random.default_rng(0)
        for _ in range(60):
            changed = np.frombuffer(data, np.uint8).copy()
            changed[draw.integers(0, len(data), 3)] = draw.choice([0, 1, 127, 128, 255], 3)
            try:
                fit(network(), read_state(changed.tobytes(), "The file"), "The file", labels=5)
            except ClassifierError as error:
                assert "\n" not in str(error)

    def test_a_zip_directory_that_the_reader_trips_over(self):
        data = bytearray(saved(network().state_dict()))
        data[data.rindex(b"PK\x06\x07") + 16] = 9  # "one of nine disks"
        assert refused(bytes(data)) == "The file is damaged"

    def test_too_many_bytes_packed_or_unpacked(self, monkeypatch):
        monkeypatch.setattr(module, "MAX_BYTES", 50_000)
        assert "at most" in refused(bytes(50_001))
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("archive/data.pkl", bytes(10_000_000))
        assert len(buffer.getvalue()) < 50_000
        assert "unpacks to 10 MB" in refused(buffer.getvalue())

    def test_safetensors_with_a_hostile_header(self):
        assert "safetensors" in refused(struct.pack("<Q", 2**60) + b"{}")


class TestFitting:
    def fitted(self, state, **options):
        with torch.device("meta"):
            target = network()
        fit(target, state, "The file", labels=5, **options)
        return target

    def refused(self, state, **options):
        with pytest.raises(ClassifierError) as raised:
            self.fitted(state, **options)
        assert "\n" not in str(raised.value)
        return str(raised.value)

    def test_half_precision_becomes_single(self):
        source = network().eval()
        target = self.fitted({name: value.half() for name, value in source.state_dict().items()}).eval()
        assert {value.dtype for value in target.parameters()} == {torch.float32}
        x = torch.rand(1, 3, 3, 3)
        assert torch.allclose(target(x), source(x), atol=1e-2)

    def test_views_are_made_plain(self):
        state = network().state_dict()
        state["3.weight"] = torch.ones(1, 1).expand(5, 4)
        assert self.fitted(state)[3].weight.is_contiguous()

    def test_counters_of_batch_norm_may_be_absent(self):
        state = network().state_dict()
        del state["1.num_batches_tracked"]
        assert self.fitted(state)[1].num_batches_tracked == 0

    def test_weights_for_training_only_are_left_out(self):
        state = network().state_dict() | {"aux1.fc.weight": torch.ones(3)}
        assert (
            self.refused(state)
            == "The file does not fit the architecture: it has 1 tensors too many, the first aux1.fc.weight"
        )
        self.fitted(state, ignored=("aux1.",))

    def test_missing_tensors(self):
        state = network().state_dict()
        del state["0.bias"]
        assert "lacks 1 of 9 tensors, the first 0.bias" in self.refused(state)

    def test_wrong_shapes(self):
        state = network().state_dict() | {"0.weight": torch.zeros(4, 3, 5, 5)}
        assert "0.weight is 4 x 3 x 5 x 5, not 4 x 3 x 3 x 3" in self.refused(state)
        state = network().state_dict() | {"3.weight": torch.tensor(1.0)}
        assert "3.weight is a single number" in self.refused(state)

    def test_wrong_number_of_labels(self):
        state = network().state_dict() | {"3.weight": torch.zeros(9, 4), "3.bias": torch.zeros(9)}
        assert self.refused(state) == "The file has 9 outputs, but there are 5 labels"

    @pytest.mark.parametrize("value", [float("nan"), float("inf")])
    def test_numbers_that_are_not_finite(self, value):
        state = network().state_dict()
        state["3.bias"][2] = value
        assert self.refused(state) == "The file holds numbers that are not finite, in 3.bias"

    def test_names_from_a_file_are_shortened_in_sentences(self):
        assert len(self.refused(network().state_dict() | {"x\n" * 500: torch.zeros(1)})) < 200
