from dataclasses import dataclass

import pytest
import torch

from attacks import ATTACKS
from attacks.pgd import PGD
from attacks.universal_patch import Patch, UniversalPatch, with_patches
from defenses import DEFENSES
from tests.every_parameter import EVERY
from tests.ui.made_up_method import Method
from ui.session.link import Choices, read
from ui.session.parameters import (
    held,
    in_code,
    on_screen,
    state_key,
    stored,
    values_of,
)

PARAMETERS = {parameter.name: parameter for parameter in Method.parameters()}


@pytest.mark.parametrize(("kind", "method", "parameter"), EVERY)
def test_the_default_of_every_field_goes_to_the_screen_and_back(kind, method, parameter):
    assert in_code(parameter, on_screen(parameter, parameter.default)) == pytest.approx(parameter.default)


def test_pixel_units_come_back_exactly():
    for eighth in range(256):
        assert in_code(PARAMETERS["eps"], float(eighth)) == eighth / 255


def test_a_sliders_binary_dust_is_wiped_off():
    assert in_code(PARAMETERS["eps"], 2.3000000000000003) == 2.3 / 255


def test_a_value_outside_the_range_is_refused():
    with pytest.raises(ValueError, match="0 to 255 /255"):
        in_code(PARAMETERS["eps"], 300.0)


def test_methods_share_what_means_the_same():
    for name in ("lam", "threshold", "saliency"):
        sharing = [cls for cls in DEFENSES.values() if name in {p.name for p in cls.parameters()}]
        assert len(sharing) == 3
        assert len({state_key("defense", cls.parameter(name)) for cls in sharing}) == 1


def test_methods_do_not_share_what_differs():
    def key(method):
        return state_key("attack", ATTACKS[method].parameter("eps"))

    assert key("pgd") == key("fgsm")
    assert key("pgd") != key("pgd-l2")
    assert state_key("defense", DEFENSES["slgs"].parameter("erosions")) != state_key(
        "defense", DEFENSES["digital-watermarking"].parameter("erosions")
    )


def test_a_newcomer_placed_first_renames_nothing():
    @dataclass(frozen=True)
    class Newcomer(PGD):
        title = "Newcomer"

    registry = {"newcomer": Newcomer, **ATTACKS}
    before = {parameter.name: state_key("attack", parameter) for parameter in PGD.parameters()}
    assert {p.name: state_key("attack", p) for p in registry["newcomer"].parameters()} == before
    asked = {"attack": "pgd", "attack.eps": "8"}
    views = [read(asked, Choices({}, {"attack": methods})) for methods in (ATTACKS, registry)]
    assert views[0].state == views[1].state == {"attack": "pgd", before["eps"]: 8.0}


def test_ones_own_patches_leave_the_place_of_the_patch_as_it_is():
    own = with_patches({"mine": Patch(torch.zeros(3, 4, 4), 0.1, None)})
    keys = {state_key("attack", cls.parameter("patch")) for cls in (own, UniversalPatch)}
    assert len(keys) == 1


def test_constructor_arguments_come_from_the_session():
    state = {state_key("attack", PARAMETERS["eps"]): 16.0, state_key("attack", PARAMETERS["on"]): False}
    assert values_of("attack", Method, state) == {
        "eps": 16 / 255,
        "seed": 0,
        "on": False,
        "lam": 2.0,
        "few": "x",
        "many": "x",
    }


def test_a_number_that_may_be_automatic_keeps_its_place():
    lam = PARAMETERS["lam"]
    assert stored(lam, "k", 3.0) == {"k": 3.0, "k.auto": False}
    assert stored(lam, "k", "auto") == {"k": 2.0, "k.auto": True}
    for value in (3.0, "auto"):
        assert in_code(lam, held(lam, "k", stored(lam, "k", value))) == value
    assert held(lam, "k", {}) == 2.0
    state = stored(lam, state_key("attack", lam), "auto")
    assert values_of("attack", Method, state)["lam"] == "auto"
