from dataclasses import dataclass

import pytest
from streamlit.testing.v1 import AppTest

from attacks import ATTACKS
from defenses import DEFENSES
from story import Parametrised, param
from tests.every_parameter import EVERY, REGISTRIES
from ui.session.parameters import (
    held,
    help_text,
    in_code,
    moved_steps,
    on_screen,
    state_key,
    stored,
    title,
    values_of,
)


@dataclass(frozen=True)
class Method(Parametrised):
    title = "Made up"
    source = "nowhere"

    eps: float = param(8 / 255, low=0, high=1, step=0.5 / 255, shown_as=255, unit="/255", help="how much")
    seed: int = param(0, low=0, high=2**31 - 1, step=1, help="draws", advanced=True)
    on: bool = param(True, help="a switch", moves=("a", "b"))
    lam: float | str = param(2.0, low=0, high=5, step=0.1, auto=True, help="strength")
    few: str = param("x", choices=("x", "y"), help="two words")
    many: str = param("x", choices=("x", "y", "z", "w"), help="four words", moves=("a", "b", "c", "d", "e"))


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


def test_labels_name_the_unit_and_symbols():
    assert title(PARAMETERS["eps"]) == "ε (/255)"
    assert title(PARAMETERS["seed"]) == "Seed"


def test_moved_steps_are_named_and_shortened():
    assert moved_steps(()) == ""
    assert moved_steps(("a", "b")) == "moves a, b"
    assert moved_steps(("a", "b", "c", "d", "e")) == "moves a, b … e (5 steps)"


def test_help_names_range_default_and_all_steps():
    text = help_text(PARAMETERS["eps"])
    assert "How much." in text
    assert "0 to 255 /255" in text
    assert "Default: 8 /255" in text
    assert "Moves: a, b, c, d, e." in help_text(PARAMETERS["many"])


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


def script():
    from tests.ui.session.test_parameters import Method
    from ui.session.parameters import parameter_widgets

    parameter_widgets("attack", {"made-up": Method}, "made-up")


def test_every_kind_of_parameter_has_its_widget():
    app = AppTest.from_function(script, default_timeout=30).run()
    assert not app.exception
    assert app.slider(key="attack.made-up.eps").value == 8.0
    assert app.slider(key="attack.made-up.eps").max == 255.0
    assert app.number_input(key="attack.made-up.seed").value == 0
    assert app.toggle(key="attack.made-up.on").value is True
    assert app.segmented_control(key="attack.made-up.few").value == "x"
    assert app.selectbox(key="attack.made-up.many").options == ["x", "y", "z", "w"]
    assert [caption.value for caption in app.caption] == ["moves a, b", "moves a, b … e (5 steps)"]
    assert [label.label for label in app.expander] == ["More parameters"]
    assert not app.slider(key="attack.made-up.lam").disabled
    app.toggle(key="attack.made-up.lam.auto").set_value(True).run()
    assert app.slider(key="attack.made-up.lam").disabled


@pytest.mark.parametrize("kind", REGISTRIES)
def test_every_method_of_the_registry_has_its_widgets(kind):
    def every(kind):
        from tests.every_parameter import REGISTRIES
        from ui.session.parameters import parameter_widgets, state_key

        drawn = set()
        for method, known in REGISTRIES[kind].items():
            keys = {p.name: state_key(kind, REGISTRIES[kind], method, p) for p in known.parameters()}
            again = [name for name, key in keys.items() if key in drawn]
            parameter_widgets(kind, REGISTRIES[kind], method, without=again)
            drawn |= set(keys.values())

    app = AppTest.from_function(every, args=(kind,), default_timeout=30).run()
    assert not app.exception
