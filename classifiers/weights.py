"""Weight files into networks: nothing in a file is ever executed, and every mismatch is one sentence."""

from __future__ import annotations

import hashlib
import re
import zipfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import safetensors.torch
import torch
from torch import Tensor, nn

from classifiers.base import ClassifierError

MAX_BYTES = 1_000_000_000
"""Largest weight file, packed or unpacked; VGG19's has 575 MB."""

_AT_MOST = f"at most {MAX_BYTES / 1e6:.0f} MB can be read"
_WRAPPERS = ("state_dict", "model_state_dict", "model")
_PREFIXES = ("module.", "_orig_mod.", "model.", "network.")
_OLD_DENSENET = re.compile(r"^(.*denselayer\d+\.(?:norm|relu|conv))\.([12]\..*)$")
_COUNTER = "num_batches_tracked"

State = dict[str, Tensor]


def sha256(source: bytes | Path) -> str:
    """Hexadecimal checksum of a file or its bytes.

    Raises:
        OSError: the file cannot be read.
    """
    if isinstance(source, bytes):
        return hashlib.sha256(source).hexdigest()
    with source.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_state(source: bytes | Path, what: str) -> State:
    """The tensors by name in a PyTorch (.pt, .pth) or safetensors file, on the CPU; the content tells which.

    A checkpoint that holds the state dict as ``state_dict`` (also ``model_state_dict``, ``model``) and names
    that all begin with ``module.`` and the like are unwrapped.

    Args:
        source: a file or its bytes.
        what: how sentences call it.

    Raises:
        ClassifierError: too large, damaged, holding code, or no state dict.
    """
    try:
        size = len(source) if isinstance(source, bytes) else source.stat().st_size
        if not size:
            raise ClassifierError(f"{what} is empty")
        if size > MAX_BYTES:
            raise ClassifierError(f"{what} has {size / 1e6:.0f} MB; {_AT_MOST}")
        with BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
            loaded = _load(file, what)
    except OSError:
        raise ClassifierError(f"{what} cannot be read") from None
    return _plain(loaded, what)


def _load(file: BinaryIO, what: str) -> object:
    start = file.read(9)
    file.seek(0)
    if start[8:] == b"{":  # a safetensors file: 8 bytes of length, then JSON
        try:
            return safetensors.torch.load(file.read())
        except Exception:  # a damaged file can make the reader raise anything
            raise ClassifierError(f"{what} is no valid safetensors file") from None
    _check_unpacked(file, what)
    file.seek(0)
    try:
        return torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:
        if re.search("GLOBAL|TorchScript", str(error)):  # what the file wants to run
            raise ClassifierError(
                f"{what} holds more than tensors, maybe code, and is refused; save the state dict alone"
            ) from None
        raise ClassifierError(f"{what} is damaged or is no PyTorch or safetensors file") from None


def _check_unpacked(file: BinaryIO, what: str) -> None:
    try:
        if not zipfile.is_zipfile(file):
            return
        with zipfile.ZipFile(file) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
    except Exception:  # a damaged directory can make the reader raise anything
        raise ClassifierError(f"{what} is damaged") from None
    if unpacked > MAX_BYTES:
        raise ClassifierError(f"{what} unpacks to {unpacked / 1e6:.0f} MB; {_AT_MOST}")


def _plain(loaded: object, what: str) -> State:
    for wrapper in _WRAPPERS:
        if isinstance(loaded, Mapping) and isinstance(loaded.get(wrapper), Mapping):
            loaded = loaded[wrapper]
    if not isinstance(loaded, Mapping) or not loaded:
        raise ClassifierError(f"{what} holds no state dict (tensors by name)")
    state: State = {}
    for name, value in loaded.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise ClassifierError(f"{what} holds no state dict: {_short(name)} is no named tensor")
        if value.layout is not torch.strided or value.is_quantized or value.is_complex() or value.is_meta:
            raise ClassifierError(f"{what} holds {_short(name)} as no plain real tensor")
        state[name] = value.detach()
    while prefix := next(
        (prefix for prefix in _PREFIXES if all(name.startswith(prefix) for name in state)), ""
    ):
        state = {name.removeprefix(prefix): value for name, value in state.items()}
    return {_OLD_DENSENET.sub(r"\1\2", name): value for name, value in state.items()}


def in_order(state: State, network: nn.Module) -> State:
    """``state`` under the names of ``network``, one tensor after the other, however its file calls them.

    For weights of known checksum alone: nothing but their number is compared, so a file of another number of
    tensors comes back as it is, and ``fit`` says what is wrong with it.
    """
    names = list(network.state_dict())
    return dict(zip(names, state.values(), strict=True)) if len(names) == len(state) else state


def fit(network: nn.Module, state: State, what: str, *, labels: int, ignored: tuple[str, ...] = ()) -> None:
    """Puts ``state`` into ``network``, which may have been built on the meta device; float32 afterwards.

    Args:
        network: changed in place.
        state: tensors by name, as ``read_state`` gives them.
        what: how sentences call the file.
        labels: number of the network's outputs, to tell a wrong label file from a wrong architecture.
        ignored: beginnings of names that are left out, such as heads which only training uses.

    Raises:
        ClassifierError: names or shapes differ, or a value is not finite.
    """
    expected = network.state_dict()
    state = {name: value for name, value in state.items() if not name.startswith(ignored)}
    for name in expected:
        if name.endswith(_COUNTER):  # absent in old files; of no use outside training
            state.setdefault(name, torch.tensor(0))
    _check_names(expected, state, what)
    _check_shapes(expected, state, what, labels)
    fitted = {name: state[name].to(like.dtype).contiguous() for name, like in expected.items()}
    for name, value in fitted.items():
        if not value.isfinite().all():
            raise ClassifierError(f"{what} holds numbers that are not finite, in {name}")
    network.load_state_dict(fitted, assign=True)


def _check_names(expected: State, state: State, what: str) -> None:
    missing = [name for name in expected if name not in state]
    unknown = [name for name in state if name not in expected]
    if missing:
        raise ClassifierError(
            f"{what} does not fit the architecture: it lacks {len(missing)} of {len(expected)} tensors, "
            f"the first {missing[0]}"
        )
    if unknown:
        raise ClassifierError(
            f"{what} does not fit the architecture: it has {len(unknown)} tensors too many, "
            f"the first {_short(unknown[0])}"
        )


def _check_shapes(expected: State, state: State, what: str, labels: int) -> None:
    wrong = [name for name, like in expected.items() if state[name].shape != like.shape]
    if not wrong:
        return
    name = wrong[0]
    shape, expected_shape = state[name].shape, expected[name].shape
    if all(_only_outputs_differ(state[other], expected[other], labels) for other in wrong):
        raise ClassifierError(f"{what} has {shape[0]} outputs, but there are {labels} labels")
    raise ClassifierError(
        f"{what} does not fit the architecture: {name} is {_sides(shape)}, not {_sides(expected_shape)}"
    )


def _only_outputs_differ(tensor: Tensor, like: Tensor, labels: int) -> bool:
    return tensor.ndim == like.ndim > 0 and tensor.shape[1:] == like.shape[1:] and like.shape[0] == labels


def _sides(shape: torch.Size) -> str:
    return " x ".join(map(str, shape)) or "a single number"


def _short(name: object) -> str:
    text = "".join(character for character in str(name)[:200] if character.isprintable())
    return text if len(text) <= 60 else f"{text[:57]}…"
