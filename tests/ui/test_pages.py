"""The pages without a browser: what is on them, and what they say when something is wrong."""

import logging
import re

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

import classifiers
from attacks import ATTACKS
from classifiers import ClassifierError
from defenses import DEFENSES, Looking
from photos import gallery
from tests.ui.visiting import SCRIPT, page_file
from tests.ui.widget_keys import key_of
from ui.defense import gradient_smoothing
from ui.frame import sidebar
from ui.frame.pages import GRADIENT_SMOOTHING
from ui.session import notices, workbench
from ui.session.parameters import state_key

pytestmark = pytest.mark.long

QUICK = {"attack": "noise"}
FIRST, OTHER = gallery()[:2]


def attack_page(**query) -> AppTest:
    app = AppTest.from_file(SCRIPT, default_timeout=120)
    app.query_params.update(query or QUICK)
    return app.run()


def smoothing_page(**query) -> AppTest:
    app = AppTest.from_file(SCRIPT, default_timeout=120)
    app.query_params.update(QUICK | query)
    return app.switch_page(page_file("gradient_smoothing")).run()


def html_of(app: AppTest) -> str:
    return "".join(part.proto.body for part in app.get("html"))


def verdict(app: AppTest) -> str:
    return re.sub(r"<[^>]*>", " ", html_of(app).partition("unfool-verdict")[2].partition("<h4>")[0])


def said(app: AppTest) -> list[str]:
    assert not app.exception
    return [element.value for element in (*app.error, *app.warning)]


def test_the_attack_page_shows_the_story():
    app = attack_page()
    assert said(app) == []
    assert app.title[0].value == "Attack"
    assert "Clean" in verdict(app)
    assert "Attacked" in verdict(app)
    assert "Before" in html_of(app)
    assert "After" in html_of(app)
    assert [button.label for button in app.get("download_button")] == [
        "Attacked photo (PNG)",
        "Exact numbers (NPZ)",
    ]


def test_an_instant_attack_has_no_button():
    labels = [button.label for button in attack_page().button]
    assert "Run" not in labels
    assert "Run it" not in labels


def test_an_attack_with_iterations_waits_for_the_button_and_keeps_the_last_result():
    app = attack_page()
    before = verdict(app)
    app.selectbox(key="attack").set_value("lavan").run()
    assert verdict(app) == before
    assert "has not run" in app.info[0].value
    app.number_input(key=key_of("attack.lavan.iterations")).set_value(1).run()
    app.button(key="run_attack").click().run()
    assert said(app) == []
    assert not app.info
    assert verdict(app) != before


def test_the_first_visit_runs_what_its_link_says():
    app = attack_page(**{"attack": "pgd", "attack.iterations": "2", "attack.eps": "8"})
    assert said(app) == []
    assert not app.info
    assert "Attacked" in verdict(app)
    assert app.slider(key=key_of("attack.pgd.eps")).value == 8.0


def test_a_target_is_chosen_by_its_label():
    app = attack_page(**{"attack": "lavan", "attack.iterations": "1", "target": "pizza"})
    assert said(app) == []
    assert app.selectbox(key="target").value == "pizza"
    labels = classifiers.read_card(classifiers.default_name())["labels"]
    assert app.selectbox(key="target").options == labels


def test_a_target_that_is_no_label_is_said_and_forgotten():
    app = attack_page(**{"attack": "lavan", "attack.iterations": "1", "target": "unicorn"})
    (sentence,) = said(app)
    assert "unicorn is no label" in sentence
    app.run()
    assert said(app) == []
    assert app.selectbox(key="target").value is None


def test_a_bad_link_is_one_sentence_and_the_rest_of_it_counts():
    asked = {"attack": "noise", "attack.sigma": "7", "photo": OTHER, "defense": "prayer"}
    app = attack_page(**asked)
    (sentence,) = said(app)
    assert sentence.startswith("A part of this link was ignored: ")
    assert app.selectbox(key="attack").value == "noise"
    assert app.session_state["photo"] == OTHER
    app.run()
    assert said(app) == []


def test_the_link_holds_what_is_not_the_default():
    app = attack_page(attack="noise")
    assert app.query_params == {"attack": "noise"}
    app.slider(key=key_of("attack.noise.sigma")).set_value(0.5).run()
    app.button(key=f"gallery_{OTHER}").click().run()
    assert app.query_params == {"photo": OTHER, "attack": "noise", "attack.sigma": "0.5"}
    app.slider(key=key_of("attack.noise.sigma")).set_value(0.125).run()
    assert app.query_params == {"photo": OTHER, "attack": "noise"}


def test_what_two_pages_have_in_common_is_there_at_once():
    app = smoothing_page()
    assert "Attacked" in verdict(app)
    app.switch_page(page_file("classic_filters")).run()
    assert said(app) == []
    assert "Attacked" in verdict(app)
    app.segmented_control(key="on").set_value("clean").run()
    assert "Attacked" not in verdict(app)
    app.switch_page(page_file("pixel_deflection")).run()
    assert "Attacked" not in verdict(app)
    assert app.segmented_control(key="on").value == "clean"


def test_choices_survive_page_changes():
    app = attack_page(attack="noise")
    app.slider(key=key_of("attack.noise.sigma")).set_value(0.5).run()
    app.switch_page(page_file("gradient_smoothing")).run()
    app.segmented_control(key="defense").set_value("wlgs").run()
    app.slider(key=key_of("defense.lgs.lam")).set_value(4.0).run()
    link = {"attack": "noise", "attack.sigma": "0.5", "defense": "wlgs", "defense.lam": "4"}
    assert app.query_params == link
    app.switch_page(page_file("attack")).run()
    assert said(app) == []
    assert app.title[0].value == "Attack"
    assert app.slider(key=key_of("attack.noise.sigma")).value == 0.5
    assert app.query_params == link
    app.switch_page(page_file("gradient_smoothing")).run()
    assert app.segmented_control(key="defense").value == "wlgs"
    assert app.slider(key=key_of("defense.lgs.lam")).value == 4.0


@pytest.mark.parametrize("name", GRADIENT_SMOOTHING)
def test_the_smoothing_page_tells_the_story_of_every_method(name):
    app = smoothing_page(defense=name)
    assert said(app) == []
    text = verdict(app)
    assert [word in text for word in ("Clean", "Attacked", "Defended")] == [True] * 3
    assert "does not know of the defense" in " ".join(caption.value for caption in app.caption)
    assert "Adversarial score" in html_of(app)
    assert "taken for the true label" in app.markdown[0].value
    parameters = DEFENSES[name].parameters()
    drawn = {widget.key for kind in _WIDGETS for widget in app.get(kind)}
    assert {state_key("defense", parameter) for parameter in parameters} <= drawn
    heading = "Where the classifier looks"
    assert (heading in [part.value for part in app.subheader]) == issubclass(DEFENSES[name], Looking)


@pytest.mark.parametrize("name", GRADIENT_SMOOTHING)
def test_what_a_first_visit_sees_comes_back(name):
    app = AppTest.from_file(SCRIPT, default_timeout=120)
    app.query_params["defense"] = name
    app.switch_page(page_file("gradient_smoothing")).run()
    assert said(app) == []
    text = " ".join(verdict(app).split())
    assert "fooled" in text
    assert "restored" in text
    assert "not restored" not in text


_WIDGETS = ("slider", "number_input", "selectbox", "toggle", "button_group", "segmented_control", "checkbox")


def test_every_slider_says_what_it_moves():
    app = smoothing_page(defense="slgs")
    captions = [caption.value for caption in app.caption if caption.value.startswith("moves ")]
    assert len(captions) == len(DEFENSES["slgs"].parameters())


def test_on_the_clean_photo_nothing_is_attacked():
    app = smoothing_page(on="clean")
    assert "Attacked" not in verdict(app)
    assert "Defended" in verdict(app)


def test_a_lambda_move_changes_only_what_it_must(monkeypatch):
    app = smoothing_page(defense="wlgs")
    asked = []
    monkeypatch.setattr(gradient_smoothing, "ribbon_of", _spied(gradient_smoothing.ribbon_of, asked))
    app.slider(key=key_of("defense.lgs.lam")).set_value(4.0).run()
    assert said(app) == []
    assert app.slider(key=key_of("defense.lgs.lam")).value == 4.0
    assert asked[0].lams[0] == 0


def _spied(function, results):
    def call(*arguments):
        results.append(function(*arguments))
        return results[-1]

    return call


def test_an_attacker_who_knows_waits_for_the_button_and_is_asked_again_when_lambda_moves():
    app = smoothing_page(**{"attack": "pgd", "attack.iterations": "2", "defense": "lgs"})
    app.segmented_control(key="threat").set_value("bpda").run()
    assert said(app) == []
    assert "through Local Gradients Smoothing (LGS) (BPDA) has not run" in app.info[0].value
    assert app.query_params["threat"] == "bpda"
    next(button for button in app.button if button.label == "Run it").click().run()
    assert said(app) == []
    assert not app.info
    assert "Forwards through the defense" in " ".join(caption.value for caption in app.caption)
    app.slider(key=key_of("defense.lgs.lam")).set_value(4.0).run()
    assert said(app) == []
    assert app.info
    again = [button for button in app.button if button.label in ("Run it", "Run it again")]
    again[0].click().run()
    assert said(app) == []
    assert not app.info


def test_other_draws_of_a_random_defense_are_counted_on_demand():
    app = AppTest.from_file(SCRIPT, default_timeout=120)
    app.query_params.update(QUICK)
    app.switch_page(page_file("pixel_deflection")).run()
    assert said(app) == []
    assert not [part for part in app.markdown if "other draws" in part.value]
    app.button(key="draw_again").click().run()
    assert said(app) == []
    (counted,) = [part.value for part in app.markdown if "other draws" in part.value]
    assert "of 20" in counted
    assert "95 % interval" in counted


def test_a_link_restores_what_the_attacker_knows_and_runs_it():
    app = smoothing_page(**{"attack": "fgsm", "defense": "wlgs", "threat": "exact", "defense.lam": "auto"})
    assert said(app) == []
    assert app.segmented_control(key="threat").value == "exact"
    assert app.toggle(key=key_of("defense.lgs.lam") + ".auto").value
    assert app.slider(key=key_of("defense.lgs.lam")).disabled
    assert "as nothing is secret" in " ".join(caption.value for caption in app.caption)
    assert not app.info


def test_an_attack_without_a_gradient_has_no_use_for_what_it_knows():
    app = smoothing_page(**{"attack": "noise", "threat": "bpda"})
    assert said(app) == []
    assert not app.info
    assert "asks for no gradient" in " ".join(caption.value for caption in app.caption)


def test_lambda_stays_when_the_method_changes():
    app = smoothing_page(**{"defense": "lgs", "defense.lam": "3.5"})
    app.segmented_control(key="defense").set_value("wlgs").run()
    assert said(app) == []
    assert app.slider(key=key_of("defense.lgs.lam")).value == 3.5


def test_values_that_do_not_go_together_are_a_sentence_and_change_nothing():
    app = smoothing_page(**{"defense": "lgs", "defense.lam": "3"})
    before = verdict(app)
    app.slider(key=key_of("defense.lgs.overlap")).set_value(40).run()
    (sentence,) = said(app)
    assert "overlap must be less than block" in sentence.casefold()
    assert verdict(app) == before


def test_the_papers_values_come_back_by_a_button():
    app = smoothing_page(**{"defense": "slgs", "defense.lam": "5", "defense.erosions": "0"})
    app.button(key="papers_values").click().run()
    assert said(app) == []
    assert app.slider(key=key_of("defense.lgs.lam")).value == 2.3
    assert app.slider(key=key_of("defense.slgs.erosions")).value == 2
    assert app.selectbox(key=key_of("defense.slgs.saliency")).value == "gradient"
    app.button(key="defaults").click().run()
    assert app.selectbox(key=key_of("defense.slgs.saliency")).value == "auto"


def test_a_classifier_that_cannot_be_had_is_a_sentence_and_the_former_stays(monkeypatch):
    app = attack_page()
    before = verdict(app)
    load, usual = classifiers.load, classifiers.default_name()

    def offline(name, **options):
        if name != usual:
            raise ClassifierError("the weights of ResNet-18 cannot be downloaded: no network")
        return load(name, **options)

    monkeypatch.setattr(classifiers, "load", offline)
    app.selectbox(key="classifier").set_value("resnet18").run()
    (sentence,) = said(app)
    stays = f"{classifiers.title(usual)} stays in use"
    assert sentence == f"The weights of ResNet-18 cannot be downloaded: no network. {stays}."
    assert app.selectbox(key="classifier").value == usual
    assert verdict(app) == before


def test_the_unexpected_is_a_calm_sentence_and_a_log_entry(monkeypatch, caplog):
    def fail(*_arguments, **_options):
        raise RuntimeError("secret detail of /home/somebody")

    monkeypatch.setattr(workbench.Workbench, "story", fail)
    with caplog.at_level(logging.ERROR, logger="unfool"):
        app = attack_page()
    assert said(app) == [notices.UNEXPECTED]
    assert "secret detail" in caplog.text
    assert "secret" not in html_of(app)


def test_the_sidebar_says_what_the_classifier_sees():
    app = attack_page(**{"attack": "noise", "photo": OTHER, "size": "224"})
    assert app.slider(key=f"size.{classifiers.default_name()}").value == 224
    buttons = {button.key for button in app.button if button.key}
    assert buttons >= {f"gallery_{FIRST}", f"gallery_{OTHER}"}


def test_the_imagenet_classifier_looks_and_says_on_what_it_was_measured():
    app = attack_page(**{"attack": "noise", "classifier": "imagenet"})
    assert said(app) == []
    assert app.selectbox(key="classifier").format_func("imagenet") == "ImageNet (1000 labels)"
    top1 = classifiers.read_card("imagenet")["accuracy"]["top1"]
    facts = f"1000 labels, right on {100 * top1:.0f} % of ImageNet photos"
    assert facts in [caption.value for caption in app.caption]
    assert app.slider(key="size.imagenet").value == 224


def test_the_sidebar_says_which_map_stands_in(tiny_classifier, monkeypatch):
    tiny_classifier.stand_in = "the last tokens, laid out as a map"
    load = classifiers.load
    monkeypatch.setattr(
        classifiers,
        "load",
        lambda name, **options: tiny_classifier if name.startswith("timm/") else load(name, **options),
    )
    tiny_classifier.working_size = 64
    app = attack_page(**{"attack": "noise", "classifier": "timm/vit_tiny_patch16_224"})
    assert said(app) == []
    sentence = "trained on ImageNet; its class activation map is of the last tokens, laid out as a map"
    assert any(sentence in caption.value for caption in app.caption)


@pytest.mark.parametrize("name", ATTACKS)
def test_every_attack_has_its_page(name, monkeypatch):
    short = {"attack.iterations": "1"} if "iterations" in {p.name for p in ATTACKS[name].parameters()} else {}
    app = attack_page(attack=name, **short)
    assert said(app) == []
    assert "Attacked" in verdict(app)


# --- what the classifier does not know ---------------------------------------------------------------------


@pytest.fixture
def doubtful(monkeypatch):
    """The built-in classifiers, sure of nothing; that for ImageNet is sure of all."""
    load = classifiers.load

    def loaded(name, **options):
        classifier = load(name, **options)
        classifier.sure_from = 0.0 if name == "imagenet" else 1.0
        return classifier

    monkeypatch.setattr(classifiers, "load", loaded)
    st.cache_resource.clear()
    yield
    st.cache_resource.clear()


def test_in_doubt_nothing_is_restored_and_imagenet_is_offered_in_one_press(doubtful):
    app = smoothing_page(classifier="builtin", defense="lgs")
    assert said(app) == []
    text = " ".join(verdict(app).split())
    assert text.count("Not sure: perhaps") == 3
    assert "restored" not in text
    assert "kept" not in text
    (sentence,) = [info.value for info in app.info]
    assert "Perhaps none of its 112 labels fits." in sentence
    app.button(key="try_imagenet").click().run()
    assert said(app) == []
    assert app.selectbox(key="classifier").value == "imagenet"
    assert "Not sure" not in verdict(app)
    assert "try_imagenet" not in {button.key for button in app.button}
    assert not app.info


@pytest.mark.parametrize("page", ["compare", "sweep", "attack"])
def test_every_page_that_looks_at_the_photo_says_its_doubt(page, doubtful):
    app = AppTest.from_file(SCRIPT, default_timeout=120)
    app.query_params.update({"attack": "lavan" if page == "attack" else "noise", "classifier": "builtin"})
    app.query_params.update({"attack.iterations": "1"} if page == "attack" else {})
    app.switch_page(page_file(page)).run()
    assert said(app) == []
    assert "is not sure of this photo" in " ".join(info.value for info in app.info)
    assert app.button(key="try_imagenet")


def test_a_name_of_timms_that_is_not_listed_is_tried_and_a_wrong_one_changes_nothing(
    tiny_classifier, monkeypatch
):
    load, usual = classifiers.load, classifiers.default_name()
    tiny_classifier.working_size = 64
    monkeypatch.setattr(
        classifiers,
        "load",
        lambda name, **options: tiny_classifier if name == "timm/resnet10t" else load(name, **options),
    )
    app = attack_page(attack="noise", classifier="timm/resnet19")
    (sentence,) = said(app)
    assert sentence.startswith("Timm has no classifier 'resnet19'; did you mean ")
    assert sentence.endswith(f"{classifiers.title(usual)} stays in use.")
    assert app.selectbox(key="classifier").value == usual
    app = attack_page(attack="noise", classifier="timm/**bold**")
    assert "A part of this link was ignored: classifier is one of" in said(app)[0]
    app = attack_page(attack="noise", classifier="timm/resnet10t")
    for _ in range(2):
        assert said(app) == []
        assert app.selectbox(key="classifier").value == "timm/resnet10t"
        assert app.query_params["classifier"] == "timm/resnet10t"
        app.run()


def test_the_labels_are_searched_by_a_part_of_a_word():
    labels = ("Tiger cat", "car", "<b>Cart</b>", "dog")
    assert sidebar.with_word(labels, " CAR ") == ["<b>Cart</b>", "car"]
    assert sidebar.with_word(labels, "") == ["<b>Cart</b>", "car", "dog", "Tiger cat"]


@pytest.mark.parametrize("name", classifiers.builtin_names())
def test_what_is_under_a_threshold_stands_beside_the_labels(name):
    words = sidebar.sureness(classifiers.load(name))
    assert re.fullmatch(
        r"Under \d+ % this classifier is not sure. That holds for [45] % of the photos that it gets right, "
        r"and for \d+ % of photos without a fitting label\.",
        words,
    )


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("your own", "own"),
        ("resnet-50", "resnet50"),
        ("imagenet", "imagenet"),
        ("timm/resnet18", "timm/resnet18"),
        ("<b>none</b>", "<b>none</b>"),
    ],
)
def test_a_classifier_is_found_by_the_beginning_of_its_title(typed, name):
    assert sidebar.name_of(typed) == name
