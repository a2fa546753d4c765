"""Weights and their card: what is read, and what each fault is called."""

import hashlib
import json
from dataclasses import replace

import pytest

from classifiers.card import CardedWeights


class AbsentError(ValueError):
    pass


@pytest.fixture
def files(tmp_path):
    (tmp_path / "net.safetensors").write_bytes(b"numbers")
    (tmp_path / "net.json").write_text(json.dumps({"sha256": hashlib.sha256(b"numbers").hexdigest()}))
    return CardedWeights(tmp_path, "net", "The net", AbsentError)


def test_both_files_are_found_by_their_name(files, tmp_path):
    assert files.installed
    assert files.weights == tmp_path / "net.safetensors"
    card = files.read_card()
    assert files.checked_digest(card) == card["sha256"] == hashlib.sha256(b"numbers").hexdigest()


@pytest.mark.parametrize("ending", ["json", "safetensors"])
def test_one_file_alone_is_not_installed(files, tmp_path, ending):
    (tmp_path / f"net.{ending}").unlink()
    assert not files.installed
    with pytest.raises(AbsentError) as raised:
        files.checked_digest(files.read_card())
    assert str(raised.value) == f"The net is not installed: net.{ending} is missing in {tmp_path}"


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", "3"])
def test_a_card_is_a_json_object(files, text):
    files.card.write_text(text)
    with pytest.raises(AbsentError, match=r"^The net is damaged: net\.json is no JSON object$"):
        files.read_card()


@pytest.mark.parametrize("card", [{}, {"sha256": None}, {"sha256": "0" * 64}])
def test_weights_of_another_card_are_refused(files, card):
    with pytest.raises(AbsentError, match=r"^The net is damaged: net\.safetensors has not the checksum"):
        files.checked_digest(card)


def test_weights_may_lie_elsewhere(files, tmp_path):
    other = tmp_path / "package" / "numbers.pth"
    elsewhere = replace(files, elsewhere=other)
    with pytest.raises(AbsentError, match=rf"numbers\.pth is missing in {other.parent}$"):
        elsewhere.checked_digest(elsewhere.read_card())
    other.parent.mkdir()
    other.write_bytes(b"numbers")
    (tmp_path / "net.safetensors").unlink()
    assert elsewhere.installed
    assert elsewhere.checked_digest(elsewhere.read_card()) == hashlib.sha256(b"numbers").hexdigest()
