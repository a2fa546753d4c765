import pytest

from attacks import ATTACKS
from defenses import DEFENSES
from tests.every_parameter import EVERY
from tests.ui.made_up_method import Method
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
    keys = {
        method: state_key("defense", DEFENSES, method, known.parameter("lam"))
        for method, known in DEFENSES.items()
        if "lam" in {p.name for p in known.parameters()}
    }
    assert set(keys.values()) == {"defense.lgs.lam"}


def test_methods_do_not_share_what_differs():
    def key(method):
        eps = ATTACKS[method].parameter("eps")
        return state_key("attack", ATTACKS, method, eps)

    assert key("pgd") != key("pgd-l2")


def test_constructor_arguments_come_from_the_session():
    registry = {"made-up": Method}
    state = {"attack.made-up.eps": 16.0, "attack.made-up.on": False}
    assert values_of("attack", registry, "made-up", state) == {
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
    state = {"attack.made-up.lam": 4.0, "attack.made-up.lam.auto": True}
    assert values_of("attack", {"made-up": Method}, "made-up", state)["lam"] == "auto"
