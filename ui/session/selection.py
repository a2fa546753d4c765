"""What the visitor has chosen: seeded from the link, kept through reruns and pages, written back to it."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from attacks import ATTACKS, Attack
from attacks.strength import own_strength
from classifiers import attack_strength, builtin_names, may_be_timm, names
from defenses import DEFENSES, THREATS, Defense, Threat
from photos import gallery
from story import Parametrised
from story.param import Value
from ui.session import link
from ui.session.notices import notice, plain, sentence
from ui.session.parameters import Registry, on_screen, state_key, stored, values_of
from ui.session.scene import Scene
from ui.session.workbench import workbench

ON = ("attacked", "clean")
"""What a defense is shown on."""
ATTACK_WANTED = "attack_wanted"
"""Where the session keeps that the chosen attack is to run in the run that follows."""
LINKED = "linked"
"""Where the session keeps whether the link that it began with says what to look at."""
_STRENGTH = "strength"
"""Where the session keeps the classifier whose strength attacks have where nobody has set another."""
_PAGE = "page"
"""Where the session keeps the page of its last run."""


def attacks() -> Mapping[str, type[Attack]]:
    """The attacks, with the visitor's own patches among them; the default first."""
    # Where no ready-made patch ships, the story begins with changes that nobody sees.
    first = {} if "universal-patch" in ATTACKS else {"pgd": ATTACKS["pgd"]}
    return {**first, **workbench().attacks}


def registry(kind: str) -> Registry:
    """Attacks, defenses or threats."""
    return {"attack": attacks(), "defense": DEFENSES, "threat": THREATS}[kind]


def choices() -> link.Choices:
    """All that a link can name here and now."""
    bench = workbench()
    own_photo = (link.OWN,) if bench.own_photo else ()
    own_classifier = (link.OWN,) if bench.own_classifier else ()
    return link.Choices(
        {"photo": gallery() + own_photo, "classifier": names() + own_classifier, "on": ON},
        {kind: registry(kind) for kind in ("attack", "defense", "threat")},
        {"classifier": may_be_timm},
        {name: _strength_on_screen(name) for name in builtin_names()},
    )


@cache
def _strength_on_screen(classifier: str) -> dict[str, Any]:
    """Key in the session -> value of the widget, of what attacks on ``classifier`` begin with."""
    strength = attack_strength(classifier)
    return {
        state_key("attack", attack.parameter(name)): on_screen(attack.parameter(name), value)
        for attack in ATTACKS.values()
        for name, value in own_strength(attack, strength).items()
    }


def fit_strength(classifier: str) -> None:
    """Takes the strength of attacks over to another classifier, where the visitor has left it as it was."""
    before = st.session_state[_STRENGTH]
    if before == classifier:
        return
    possible = choices()
    old, new = link.defaults(possible, before), link.defaults(possible, classifier)
    for key in {*possible.strengths.get(before, {}), *possible.strengths.get(classifier, {})}:
        if st.session_state.get(key) == old[key]:
            st.session_state[key] = new[key]
    st.session_state[_STRENGTH] = classifier


def begin() -> bool:
    """Fills the session before any widget is drawn; whether this is its first run.

    The link counts in the first run, and again when the visitor goes back or forward in the browser.
    """
    context = get_script_run_ctx()
    page = "" if context is None else context.page_script_hash
    before = st.session_state.get(_PAGE)
    st.session_state[_PAGE] = page
    first = before is None
    if first or (context is not None and context.is_history_navigation):
        possible = choices()
        view = link.read(st.query_params.to_dict(), possible)
        for key in [str(key) for key in st.session_state if str(key).startswith("size.")]:
            del st.session_state[key]
        classifier = view.state.get("classifier", possible.default("classifier"))
        st.session_state.update(link.defaults(possible, classifier) | view.state)
        st.session_state[_STRENGTH] = classifier
        named = {name.partition(".")[0] for name in st.query_params.to_dict()}
        st.session_state[LINKED] = not named.isdisjoint({"photo", "attack", "target", "threat", "on"})
        if view.refused:
            notice(replace(view, refused=[plain(phrase) for phrase in view.refused]).sentence)
    elif page != before:
        # Two pages have widgets of the same key. Streamlit hands the value on at the end of the run only, and
        # until then the new page's widget has none.
        keys = [key for key in link.defaults(choices()) if key in st.session_state]
        st.session_state.update({key: st.session_state[key] for key in keys})
    return first


def method(kind: str) -> str:
    """Name of the chosen attack, defense or threat."""
    return st.session_state[kind]


def chosen_values(kind: str) -> dict[str, Value]:
    """The chosen parameters of the chosen attack, defense or threat."""
    return values_of(kind, registry(kind)[method(kind)], st.session_state)


def threat() -> Threat:
    """What the attacker knows, as chosen."""
    return THREATS[method("threat")](**chosen_values("threat"))


def defense() -> tuple[Defense, str]:
    """The defense as the controls have it; where they don't go together, as it last was, and why."""
    name = method("defense")
    kept = f"defense_kept.{name}"
    try:
        present = DEFENSES[name](**chosen_values("defense"))
    except ValueError as error:
        return st.session_state.get(kept) or DEFENSES[name](), sentence(error)
    st.session_state[kept] = present
    return present, ""


def choose_method(kind: str, name: str, method: Parametrised) -> None:
    """Chooses the attack, defense or threat ``name`` with the parameters that ``method`` has."""
    st.session_state[kind] = name
    for parameter in method.parameters():
        key = state_key(kind, parameter)
        st.session_state.update(stored(parameter, key, getattr(method, parameter.name)))


def parameter_key(kind: str, name: str) -> str:
    """Where the session keeps a parameter of the chosen attack, defense or threat."""
    return state_key(kind, registry(kind)[method(kind)].parameter(name))


def query(scene: Scene, **instead: str) -> dict[str, str]:
    """The query of a link to the present view, with other choices ``instead``, such as another defense."""
    return link.write(
        ChainMap(instead, st.session_state) if instead else st.session_state,
        choices(),
        scene.classifier.working_size,
    )


def write_link(scene: Scene) -> None:
    """Puts the present view into the address bar."""
    present = query(scene)
    if present != st.query_params.to_dict():
        st.query_params.from_dict(present)


def defends_attacked() -> bool:
    """Whether the defense is shown on the attacked photo instead of the clean one."""
    return st.session_state["on"] == ON[0]


def want_attack() -> None:
    """Has the chosen attack run in the run that follows."""
    st.session_state[ATTACK_WANTED] = True
