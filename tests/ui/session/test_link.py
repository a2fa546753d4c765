import pytest

from attacks import ATTACKS
from defenses import DEFENSES, THREATS
from ui.session.link import OWN, Choices, defaults, read, write
from ui.session.parameters import on_screen, state_key

CHOICES = Choices(
    {"photo": ("chelsea", "coffee"), "classifier": ("builtin", "vgg16"), "on": ("attacked", "clean")},
    {"attack": {"pgd": ATTACKS["pgd"], **ATTACKS}, "defense": DEFENSES, "threat": THREATS},
)


def restored(query):
    view = read(query, CHOICES)
    assert view.refused == []
    return defaults(CHOICES) | view.state


def test_the_defaults_make_an_empty_link():
    assert write(defaults(CHOICES), CHOICES, 192) == {}


@pytest.mark.parametrize(
    "query",
    [
        {"photo": "coffee", "size": "224"},
        {"classifier": "vgg16", "size": "300"},
        {"attack": "lavan", "target": "golf ball", "attack.share": "5", "attack.seed": "2147483647"},
        {"attack": "pgd-l2", "attack.eps": "2.5", "attack.random_start": "off", "attack.goal": "targeted"},
        {"attack.eps": "8"},
        {"defense": "wlgs", "defense.lam": "3.5", "defense.clamp": "on", "on": "clean"},
        {"defense": "slgs", "defense.saliency": "integrated-gradients", "defense.erosions": "0"},
        {"defense": "wlgs", "defense.lam": "auto"},
        {"defense": "pixel-deflection", "threat": "eot", "threat.draws": "3"},
        {"attack": "lavan", "threat": "bpda"},
    ],
)
def test_a_link_comes_back_as_it_was(query):
    assert write(restored(query), CHOICES, 192) == query


EPS = state_key("attack", ATTACKS["pgd"].parameter("eps"))
STRONGER = Choices(CHOICES.plain, CHOICES.methods, strengths={"builtin": {EPS: 2.0}, "vgg16": {EPS: 8.0}})


@pytest.mark.parametrize(
    ("query", "eps"),
    [
        ({}, 2),
        ({"attack.eps": "8"}, 8),
        ({"classifier": "vgg16"}, 8),
        ({"classifier": "vgg16", "attack.eps": "2"}, 2),
        # What the attack has where nothing was measured is nothing special.
        ({"attack.eps": "4"}, 4),
    ],
)
def test_a_strength_is_in_a_link_where_it_is_not_the_classifiers_own(query, eps):
    state = defaults(STRONGER, query.get("classifier")) | read(query, STRONGER).state
    assert state[EPS] == eps
    assert write(state, STRONGER, 192) == query


GOAL = state_key("attack", ATTACKS["lavan"].parameter("goal"))
LEAVING = Choices(CHOICES.plain, CHOICES.methods, strengths={"builtin": {GOAL: "untargeted"}})


@pytest.mark.parametrize("choices", [CHOICES, LEAVING])
@pytest.mark.parametrize("attack", ["lavan", "pgd"])
@pytest.mark.parametrize(
    ("query", "goal"),
    [
        ({"target": "golf ball"}, "targeted"),
        ({"target": "golf ball", "attack.goal": "untargeted"}, "untargeted"),
    ],
)
def test_who_names_a_target_wants_it_reached(choices, attack, query, goal):
    query = {"attack": attack, **query}
    state = defaults(choices) | read(query, choices).state
    assert state[state_key("attack", ATTACKS[attack].parameter("goal"))] == goal
    assert write(state, choices, 192) == {key: word for key, word in query.items() if word != "pgd"}


@pytest.mark.parametrize("kind", CHOICES.methods)
def test_every_parameter_of_every_method_survives_the_link(kind):
    for method, known in CHOICES.methods[kind].items():
        for parameter in known.parameters():
            if parameter.choices:
                other = parameter.choices[-1]
            elif parameter.type is bool:
                other = not parameter.default
            else:
                step = parameter.step if parameter.default < parameter.high else -parameter.step
                other = parameter.type(parameter.default + step)
            key = state_key(kind, parameter)
            state = defaults(CHOICES) | {kind: method, key: on_screen(parameter, other)}
            again = restored(write(state, CHOICES, 192))
            assert again[key] == state[key], (method, parameter.name)


def test_pixel_units_can_be_typed_as_a_fraction():
    assert restored({"attack.eps": "8/255"}) == restored({"attack.eps": "8"})


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"photo": "tulip"}, "photo is one of chelsea, coffee, not tulip"),
        ({"classifier": "psychic"}, "classifier is one of builtin, vgg16, not psychic"),
        ({"attack": "magic"}, "attack is one of"),
        ({"attack.eps": "900"}, "eps must be"),
        ({"attack.eps": "much"}, "eps is a number"),
        ({"attack.colour": "red"}, "pgd has no parameter colour"),
        ({"defense": "slgs", "defense.block": "4"}, "block must be"),
        ({"defense.block": "5", "defense.overlap": "9"}, "overlap must be less than block"),
        ({"size": "-3"}, "size is a whole number, 160 to 400 px, not -3"),
        ({"size": "10000"}, "size is a whole number"),
        ({"on": "fire"}, "on is one of attacked, clean, not fire"),
        ({"threat": "psychic"}, "threat is one of oblivious, bpda, eot, exact, not psychic"),
        ({"threat.draws": "3"}, "oblivious has no parameter draws"),
        ({"defense.lam": "automatic"}, "lam is a number, 0 to 5 × or auto"),
        ({"utm_source": "mail"}, "there is nothing called utm_source"),
        ({"wizard.eps": "1"}, "there is nothing called wizard.eps"),
        ({"photo": OWN}, "bring it again"),
    ],
)
def test_what_does_not_exist_is_ignored_with_one_sentence(query, said):
    view = read(query, CHOICES)
    assert said in view.sentence
    assert view.sentence.startswith("A part of this link was ignored: ")
    assert view.sentence.count("\n") == 0
    assert write(defaults(CHOICES) | view.state, CHOICES, 192) == {
        name: text for name, text in query.items() if name == "defense"
    }


def test_the_good_part_of_a_bad_link_counts():
    view = read({"photo": "coffee", "attack.eps": "900", "attack.iterations": "7"}, CHOICES)
    assert len(view.refused) == 1
    assert write(defaults(CHOICES) | view.state, CHOICES, 192) == {
        "photo": "coffee",
        "attack.iterations": "7",
    }


def test_a_photo_of_ones_own_comes_back_where_it_is_still_there():
    there = Choices({**CHOICES.plain, "photo": ("chelsea", "coffee", OWN)}, CHOICES.methods)
    assert read({"photo": OWN}, there).state == {"photo": OWN}


def test_a_photo_of_ones_own_is_marked_in_the_link():
    assert write(defaults(CHOICES) | {"photo": OWN}, CHOICES, 192) == {"photo": OWN}


def test_the_size_is_written_where_it_is_not_the_classifiers():
    state = defaults(CHOICES) | {"size.builtin": 224, "size.vgg16": 192}
    assert write(state, CHOICES, 192) == {"size": "224"}
    assert write(state, CHOICES, 224) == {}


def test_a_classifier_that_is_not_listed_may_be_tried_where_its_name_allows_that():
    typed = Choices(CHOICES.plain, CHOICES.methods, {"classifier": lambda name: name.startswith("timm/")})
    query = {"classifier": "timm/resnet10t"}
    assert write(defaults(typed) | read(query, typed).state, typed, 192) == query
    assert "classifier is one of" in read({"classifier": "psychic"}, typed).sentence
    assert "classifier is one of" in read(query, CHOICES).sentence
