import pytest
from streamlit.testing.v1 import AppTest

from tests.every_parameter import REGISTRIES
from tests.ui.made_up_method import Method
from ui.frame.parameter_widgets import help_text, moved_steps
from ui.session.parameters import state_key

PARAMETERS = {parameter.name: parameter for parameter in Method.parameters()}
KEYS = {name: state_key("attack", parameter) for name, parameter in PARAMETERS.items()}


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


def script():
    from tests.ui.made_up_method import Method
    from ui.frame.parameter_widgets import parameter_widgets

    parameter_widgets("attack", Method)


def test_every_kind_of_parameter_has_its_widget():
    app = AppTest.from_function(script, default_timeout=30).run()
    assert not app.exception
    assert app.slider(key=KEYS["eps"]).value == 8.0
    assert app.slider(key=KEYS["eps"]).max == 255.0
    assert app.number_input(key=KEYS["seed"]).value == 0
    assert app.toggle(key=KEYS["on"]).value is True
    assert app.segmented_control(key=KEYS["few"]).value == "x"
    assert app.selectbox(key=KEYS["many"]).options == ["x", "y", "z", "w"]
    assert [caption.value for caption in app.caption] == ["moves a, b", "moves a, b … e (5 steps)"]
    assert [label.label for label in app.expander] == ["More parameters"]
    assert not app.slider(key=KEYS["lam"]).disabled
    app.toggle(key=KEYS["lam"] + ".auto").set_value(True).run()
    assert app.slider(key=KEYS["lam"]).disabled


def some_are_left_out():
    from tests.ui.made_up_method import Method
    from ui.frame.parameter_widgets import parameter_widgets

    parameter_widgets("attack", Method, unavailable={"many": {"x", "w"}})


def test_a_choice_that_is_unavailable_is_left_out_unless_it_is_set():
    app = AppTest.from_function(some_are_left_out, default_timeout=30)
    app.session_state[KEYS["many"]] = "w"
    app.run()
    assert not app.exception
    assert (app.selectbox(key=KEYS["many"]).options, app.selectbox(key=KEYS["many"]).value) == (
        ["y", "z", "w"],
        "w",
    )
    app.selectbox(key=KEYS["many"]).set_value("y").run()
    assert app.selectbox(key=KEYS["many"]).options == ["y", "z"]


@pytest.mark.parametrize("kind", REGISTRIES)
def test_every_method_of_the_registry_has_its_widgets(kind):
    def every(kind):
        from tests.every_parameter import REGISTRIES
        from ui.frame.parameter_widgets import parameter_widgets
        from ui.session.parameters import state_key

        drawn = set()
        for method in REGISTRIES[kind].values():
            keys = {p.name: state_key(kind, p) for p in method.parameters()}
            again = [name for name, key in keys.items() if key in drawn]
            parameter_widgets(kind, method, without=again)
            drawn |= set(keys.values())

    app = AppTest.from_function(every, args=(kind,), default_timeout=30).run()
    assert not app.exception
