"""The real download and loading code, against a server on this machine."""

import hashlib
import io
import re
import socket
import threading
import time
from types import SimpleNamespace

import pytest
import torch

import classifiers
from classifiers import ClassifierError, download
from classifiers.architectures import Architecture, find_architecture
from classifiers.download import checkpoint_path, fetch_checkpoint

NAME = "mobilenet_v3_small"


pytestmark = pytest.mark.usefixtures("hub")


@pytest.fixture(scope="module")
def weights():
    """A weight file for MobileNet v3 small with 1000 labels; the same number everywhere packs well."""
    network = find_architecture(NAME).build(labels=1000).to_empty(device="cpu")
    for value in network.state_dict().values():
        value.fill_(0.01)
    buffer = io.BytesIO()
    torch.save({name: value.half() for name, value in network.state_dict().items()}, buffer)
    return buffer.getvalue()


def official(monkeypatch, url):
    """Makes ``url`` the address of the official weights of every architecture."""
    real = Architecture.weights

    def patched(self):
        entry_weights = real(self)
        return SimpleNamespace(url=url, meta=entry_weights.meta, transforms=entry_weights.transforms)

    monkeypatch.setattr(Architecture, "weights", patched)


def refused(url, **options):
    with pytest.raises(ClassifierError) as raised:
        fetch_checkpoint(url, "ResNet-18", **options)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 200
    return str(raised.value)


def left_behind(hub):
    return sorted(path.name for path in hub.glob("*")) if hub.exists() else []


class TestLoading:
    def test_first_use_downloads_and_later_ones_do_not(self, server, hub, monkeypatch, weights):
        url = server.offer(weights)
        official(monkeypatch, url)
        seen = []
        model = classifiers.load(NAME, device="cpu", progress=lambda done, total: seen.append((done, total)))
        assert seen[-1] == (len(weights), len(weights))
        assert [done for done, _ in seen] == sorted(done for done, _ in seen)
        assert model.name == NAME
        assert model.identity == f"{NAME}:{hashlib.sha256(weights).hexdigest()}"
        assert len(model.labels) == 1000
        assert "tench" in model.labels
        assert (model.working_size, model.head) == (224, None)
        assert model(torch.rand(1, 3, 64, 64)).shape == (1, 1000)
        assert left_behind(hub) == [url.rsplit("/", 1)[1]]
        classifiers.load(NAME, device="cpu", progress=lambda *_: pytest.fail("downloaded again"))
        assert len(server.asked) == 1

    def test_a_file_that_is_no_weight_file(self, server, monkeypatch):
        official(monkeypatch, server.offer(b"<html>not found, but politely</html>"))
        with pytest.raises(ClassifierError, match="The weight file of MobileNet v3 small is damaged"):
            classifiers.load(NAME, device="cpu")

    def test_weights_of_another_network(self, server, monkeypatch, weights):
        official(monkeypatch, server.offer(weights))
        with pytest.raises(
            ClassifierError, match="The weight file of ResNet-18 does not fit the architecture"
        ):
            classifiers.load("resnet18", device="cpu")

    def test_no_network_leaves_the_built_in_one(self, monkeypatch):
        official(monkeypatch, "http://127.0.0.1:9/weights-01234567.pth")
        monkeypatch.setenv("no_proxy", "*")
        with pytest.raises(
            ClassifierError, match=r"MobileNet v3 small needs its weights from 127\.0\.0\.1 on first use"
        ):
            classifiers.load(NAME, device="cpu")

    def test_no_torchvision(self, monkeypatch):
        monkeypatch.setitem(__import__("sys").modules, "torchvision", None)
        with pytest.raises(ClassifierError, match="torchvision is missing or does not match"):
            classifiers.load(NAME, device="cpu")

    def test_unknown_names(self):
        sentence = r"one of imagenet, builtin, builtin-hardened, builtin-vgg, resnet18, .* not 'resnet9000'"
        with pytest.raises(ClassifierError, match=sentence):
            classifiers.load("resnet9000")

    def test_names_and_titles(self):
        assert classifiers.names()[0] == classifiers.default_name()
        assert {"resnet18", "resnet50", "resnet101", "vgg16", "vgg19", "inception_v3"} <= set(
            classifiers.names()
        )
        assert {"googlenet", "mobilenet_v3_large", "efficientnet_b0", "convnext_tiny"} <= set(
            classifiers.names()
        )
        assert classifiers.title("resnet50") == "ResNet-50"
        assert classifiers.title("own resnet50") == "own resnet50"
        assert classifiers.title("builtin") == "Built-in"


class TestDownload:
    def test_a_wrong_checksum(self, server, hub):
        assert "wrong checksum and was thrown away" in refused(server.offer(b"x" * 1000, digest="01234567"))
        assert left_behind(hub) == []

    def test_a_name_without_a_checksum(self, server, hub):
        server.files["/weights.pth"] = b"x"
        assert "names no checksum" in refused(server.address + "/weights.pth")
        assert "names no checksum" in refused(server.address + "/weights-.pth")
        assert server.asked == []

    def test_a_connection_that_breaks_off(self, server, hub):
        url = server.offer(bytes(3_000_000))
        server.cut = 1_000_000
        assert refused(url) == "The download of ResNet-18 broke off after 2.0 of 3.0 MB"
        assert left_behind(hub) == []

    def test_a_connection_that_stalls(self, server, hub, monkeypatch):
        monkeypatch.setattr(download, "STALL_SECONDS", 0.3)
        url = server.offer(bytes(3_000_000))
        server.cut, server.stall = 2_500_000, True
        began = time.monotonic()
        assert "broke off after 0." in refused(url)
        assert time.monotonic() - began < 5
        assert left_behind(hub) == []

    def test_an_unknown_length(self, server):
        server.announce = False
        seen = []
        data = bytes(600_000)
        path, digest = fetch_checkpoint(server.offer(data), "ResNet-18", lambda *both: seen.append(both))
        assert path.read_bytes() == data
        assert digest == hashlib.sha256(data).hexdigest()
        assert seen[-1] == (600_000, 0)

    def test_too_much(self, server, hub, monkeypatch):
        monkeypatch.setattr(download, "MAX_BYTES", 500_000)
        assert "is over" in refused(server.offer(bytes(600_000)))
        assert left_behind(hub) == []

    def test_an_answer_that_is_none(self, server, hub):
        url = f"{server.address}/gone-01234567.pth"
        assert refused(url) == "The weights of ResNet-18 cannot be had: 127.0.0.1 answers 404"
        assert left_behind(hub) == []

    def test_a_connection_that_is_refused(self, hub, monkeypatch):
        monkeypatch.setenv("no_proxy", "*")
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            began = time.monotonic()
            sentence = refused(f"http://127.0.0.1:{taken.getsockname()[1]}/weights-01234567.pth")
        assert re.fullmatch(
            "ResNet-18 needs its weights .*, but there is no connection: Connection refused", sentence
        )
        assert time.monotonic() - began < 5
        assert left_behind(hub) == []

    def test_a_name_look_up_that_takes_for_ever(self, hub, monkeypatch):
        monkeypatch.setenv("no_proxy", "*")
        monkeypatch.setattr(download, "CONNECT_SECONDS", 0.2)
        asleep = threading.Event()
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: asleep.wait(9) or [])
        began = time.monotonic()
        assert refused("http://nowhere.invalid/weights-01234567.pth").endswith("no answer in time")
        assert time.monotonic() - began < 5
        asleep.set()
        assert left_behind(hub) == []

    def test_cancelling_from_the_progress_callback(self, server, hub):
        class CancelledError(BaseException):
            pass

        def cancel(done, total):
            assert done < total
            raise CancelledError

        with pytest.raises(CancelledError):
            fetch_checkpoint(server.offer(bytes(3_000_000)), "ResNet-18", cancel)
        assert left_behind(hub) == []

    def test_a_damaged_file_is_fetched_again(self, server, hub):
        data = b"weights" * 100
        url = server.offer(data)
        hub.mkdir(parents=True)
        checkpoint_path(url).write_bytes(data[:-1])
        path, _ = fetch_checkpoint(url, "ResNet-18")
        assert path.read_bytes() == data
        assert len(server.asked) == 1

    def test_a_folder_that_cannot_be_written(self, server, hub):
        hub.parent.write_text("a file where the folder should be")
        assert "cannot be kept in" in refused(server.offer(b"x"))
        assert server.asked == []

    @pytest.mark.parametrize("url", ["nonsense-01234567.pth", "gopher://x/weights-01234567.pth"])
    def test_addresses_that_are_none(self, url):
        assert "no connection" in refused(url)
