"""Every defense's page opens on its method at work, and an attack leads to what undoes it."""

import pytest
from streamlit.testing.v1 import AppTest

from attacks.iterated_fgsm import IteratedFGSM
from classifiers import default_name, load
from defenses import DEFENSES
from evaluation.many_photos.examples import read_trials
from evaluation.one_photo.report import method_facts
from tests.ui.visiting import SCRIPT, page_file
from ui.attack.undo import best_words, named
from ui.session.parameters import on_screen, state_key

PAGES = {
    "gradient_smoothing": "lgs",
    "pixel_deflection": "pixel-deflection",
    "smoothing_vote": "smoothing-vote",
    "classic_filters": "jpeg",
}


@pytest.fixture(scope="module")
def trials():
    measured = read_trials(default_name(), load(default_name(), device="cpu").identity)
    assert measured is not None
    return measured


def visit(page: str, **query) -> AppTest:
    app = AppTest.from_file(SCRIPT, default_timeout=120)
    app.query_params.update(query)
    app.switch_page(page_file(page)).run()
    assert not app.exception
    return app


def words(app: AppTest) -> str:
    return " ".join([*(part.proto.body for part in app.get("html")), *(line.value for line in app.caption)])


@pytest.mark.parametrize("page", PAGES)
def test_a_page_visited_first_opens_on_its_example(page, trials):
    example = trials.example(PAGES[page])
    app = visit(page)
    assert app.session_state["photo"] == example.trial.name
    assert app.session_state["attack"] == example.rung.name
    attack = example.rung.attack
    for parameter in attack.parameters():
        if parameter.name in method_facts(attack, {})["parameters"] and not parameter.open:
            held = app.session_state[state_key("attack", parameter)]
            assert held == on_screen(parameter, getattr(attack, parameter.name)), parameter.name
    assert "restored" in words(app)
    assert f"of the {example.undone.of} photos that it fools" in words(app)
    assert "show_example" not in {button.key for button in app.button}


def test_what_the_visitor_has_chosen_stays(trials):
    app = visit("pixel_deflection", photo="coffee", attack="noise")
    assert (app.session_state["photo"], app.session_state["attack"]) == ("coffee", "noise")
    example = trials.example("pixel-deflection")
    # A link that names what is the default anyway means it all the same.
    assert visit("pixel_deflection", attack="universal-patch").session_state["attack"] == "universal-patch"
    app.button(key="show_example").click().run()
    assert not app.exception
    assert app.session_state["photo"] == example.trial.name
    assert named(example.rung) in words(app)
    assert "restored" in words(app)


def test_a_page_seen_before_stays_as_it_was_left(trials):
    app = visit("pixel_deflection")
    example = trials.example("pixel-deflection")
    other = next(trial.name for trial in example.rung.gallery if trial.name != example.trial.name)
    app.button(key=f"gallery_{other}").click().run()
    assert app.session_state["photo"] == other
    # Chosen by the visitor, so another page keeps it too.
    app.switch_page(page_file("smoothing_vote")).run()
    assert app.session_state["photo"] == other


def test_the_next_page_opens_on_its_own_example(trials):
    app = visit("pixel_deflection")
    app.switch_page(page_file("smoothing_vote")).run()
    assert not app.exception
    assert app.session_state["photo"] == trials.example("smoothing-vote").trial.name


def test_an_attack_leads_to_the_defense_that_is_most_often_right(trials):
    app = AppTest.from_file(SCRIPT, default_timeout=120)
    app.query_params.update({"attack": "iterated-fgsm", "attack.eps": "1", "attack.iterations": "10"})
    app.run()
    assert not app.exception
    rung = trials.nearest(IteratedFGSM(eps=1 / 255))
    assert best_words(rung) in words(app)
    assert DEFENSES[rung.best()].title in [link.proto.label for link in app.get("page_link")]


def test_the_words_for_the_best_defense_worked_out_by_hand(trials):
    rung = trials.nearest(IteratedFGSM(eps=1 / 255))
    best = max(DEFENSES, key=lambda name: rung.right[name].hits)
    share = 100 * rung.right[best].hits / rung.right[best].of
    assert named(rung) == "Iterated FGSM with ε 1/255"
    assert f"{DEFENSES[best].title} is right on {share:.0f} %" in best_words(rung)
    alone = 100 - 100 * rung.fooled.hits / rung.fooled.of
    assert f"the classifier alone on {alone:.0f} %" in best_words(rung)


def test_a_classifier_on_which_nothing_was_measured_has_no_example():
    app = visit("pixel_deflection", classifier="builtin")
    if read_trials("builtin", load("builtin", device="cpu").identity) is None:
        assert "show_example" not in {button.key for button in app.button}
