"""A defense on the page: controls, verdict, all steps, and what its page shows below them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import streamlit as st

from defenses import DEFENSES, THREATS, Defense
from evaluation.many_photos.examples import kind_of
from evaluation.one_photo.story import Story
from explain import SALIENCIES, offered
from story.param import Value
from ui.attack import running, settings
from ui.attack.running import Result
from ui.attack.undo import best_words
from ui.browser import panels_of, story_viewer
from ui.defense import adversarial_score, example, gazes, other_draws
from ui.frame.doubt import show_verdict
from ui.frame.pages import PAGE_OF
from ui.frame.parameter_widgets import parameter_widgets
from ui.session import selection
from ui.session.notices import calmly
from ui.session.parameters import stored
from ui.session.scene import Scene
from ui.session.workbench import workbench

Section = Callable[[Scene, Result | None, Story], None]
"""Draws what belongs below the steps of a defense."""
SECTIONS: tuple[Section, ...] = (gazes.section, other_draws.section)
"""Those of every page; each draws nothing for a defense that it has nothing to say of."""
_KNOWS = {"oblivious": "Nothing"} | {name: cls.title for name, cls in THREATS.items() if cls.knows}
_ON = {"attacked": "Attacked photo", "clean": "Clean photo"}


def _first_of(names: tuple[str, ...]) -> str:
    """The one of ``names`` that is chosen, else the first."""
    return st.session_state["defense"] if st.session_state["defense"] in names else names[0]


def choices(names: tuple[str, ...]) -> None:
    """Which of ``names`` defends, and what."""
    st.session_state["defense"] = _first_of(names)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        if len(names) > 1:
            st.segmented_control(
                "Method",
                names,
                format_func=_short,
                key="defense",
                required=True,
                persist_state="session",
                help="\n\n".join(f"{_short(name)}: {DEFENSES[name].title}" for name in names),
            )
        on_choice()
        if selection.defends_attacked():
            _threat_choice()


def _threat_choice() -> None:
    """What the attacker knows."""
    st.segmented_control(
        "The attacker knows",
        list(THREATS),
        format_func=_KNOWS.__getitem__,
        key="threat",
        required=True,
        persist_state="session",
        help="\n\n".join(f"{_KNOWS[name]}: {cls.source}" for name, cls in THREATS.items()),
    )


def on_choice() -> None:
    """The attacked or the clean photo."""
    st.segmented_control(
        "On the", list(_ON), format_func=_ON.__getitem__, key="on", required=True, persist_state="session"
    )


def _short(name: str) -> str:
    """An abbreviation in capitals, any other name as a word."""
    return name.upper() if len(name) <= 4 else name.replace("-", " ").capitalize()


def attacked(scene: Scene, *, through: bool = False) -> Result | None:
    """The attack whose photo is defended; None for the clean photo.

    ``through`` says whether the attacker knows the defense where that was chosen.
    """
    return running.result(scene, with_button=True, through=through) if selection.defends_attacked() else None


def show(scene: Scene, names: tuple[str, ...], sections: tuple[Section, ...] = SECTIONS) -> None:
    """Which defense, and that defense at work.

    Args:
        scene: what the sidebar says.
        names: of the defenses that this page has.
        sections: what stands below the steps, from the top down.
    """
    example.open_on_first_visit(_first_of(names), names, scene)
    choices(names)
    result = attacked(scene, through=True)
    name = selection.method("defense")
    st.caption(f"{DEFENSES[name].title}. {DEFENSES[name].source}.")
    example.beside(name, scene, result.attempt if result else None)
    if result is not None:
        _other_attack(name, result, scene)
    _at_work(name, scene, result, sections)


@st.fragment
def _at_work(name: str, scene: Scene, result: Result | None, sections: tuple[Section, ...]) -> None:
    """Everything that a control of the defense moves, and only this reruns when it does."""
    knowing = st.container()
    verdict = st.container()
    pictures, controls = st.columns([3, 1], gap="large")
    with controls, calmly():
        _buttons(name)
        unavailable = {"saliency": set(SALIENCIES) - set(offered(scene.classifier))}
        parameter_widgets("defense", DEFENSES[name], unavailable=unavailable)
    with calmly():
        with controls:
            defense = _defense()
        with knowing:
            _knowing(scene, result, defense)
        story = workbench().story(scene, result.attempt if result else None, defense)
        with verdict:
            show_verdict(scene, story)
            adversarial_score.gauge(scene, story)
        with pictures:
            story_viewer(panels_of(story.steps), key="defense_story", start_step="result")
        for section in sections:
            section(scene, result, story)
        selection.write_link(scene)


def _defense() -> Defense:
    """The defense as the controls have it; where they don't go together, as it last was."""
    defense, wrong = selection.defense()
    if wrong:
        st.error(f"{wrong} What you see is with the values before.", icon=":material/error:")
    return defense


def _knowing(scene: Scene, result: Result | None, defense: Defense) -> None:
    """Which gradient the attacker uses, and whether they used it on this very defense."""
    if result is None:
        return
    attempt, threat = result.attempt, selection.threat()
    if threat.knows and attempt.attack.targeted == "none":
        st.caption(f"{attempt.attack.title} asks for no gradient, so it has no use for what it knows.")
        return
    st.caption(threat.words(defense, scene.classifier))
    if threat.knows and defense.is_random(scene.classifier):
        parameter_widgets("threat", THREATS[selection.method("threat")])
    if not (result.present and threat.knows) or (attempt.threat, attempt.against) == (threat, defense):
        return
    words, button = st.columns([4, 1], vertical_alignment="center")
    words.info(
        f"{attempt.attack.title} went through other values of this defense; these may stand in its way.",
        icon=":material/hourglass_empty:",
    )
    if button.button(
        "Run it again", icon=":material/play_arrow:", type="primary", width="stretch", key="attack_again"
    ):
        selection.want_attack()
        st.rerun()


_KINDS = {"small changes": "iterated-fgsm", "patches": "lavan"}
"""What a defense was made for -> an attack of that kind that every classifier has."""

_MADE_FOR = {
    "small changes": "This method was made for small changes all over the photo, not for a patch.",
    "patches": "This method was made for patches, not for small changes all over the photo.",
}


def _other_attack(name: str, result: Result, scene: Scene) -> None:
    """Says so where the attack is not of the kind that the defense was made for, and offers what fits."""
    cls, attack = DEFENSES[name], result.attempt.attack
    if cls.against == kind_of(attack):
        return
    trials = example.trials_on(scene)
    rung = None if trials is None else trials.nearest(attack)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(_MADE_FOR[cls.against])
        other = _KINDS[cls.against]
        st.button(
            f"Try {selection.attacks()[other].title}",
            key="other_attack",
            icon=":material/swap_horiz:",
            on_click=settings.switch,
            args=(other,),
        )
        if rung is not None and rung.best() != name:
            best = rung.best()
            st.page_link(
                PAGE_OF[best],
                label=f"Defend with {DEFENSES[best].title}",
                icon=":material/shield:",
                query_params=selection.query(scene, defense=best),
                help=best_words(rung),
            )


# --- controls ---------------------------------------------------------------------------------------------


def _buttons(name: str) -> None:
    paper = DEFENSES[name].paper
    with st.container(horizontal=True, gap="xsmall"):
        if paper is not None:
            st.button(
                "Paper's values",
                icon=":material/menu_book:",
                on_click=_set,
                args=(name, paper),
                key="papers_values",
            )
        if paper != {}:
            st.button(
                "Defaults", icon=":material/restart_alt:", on_click=_set, args=(name, {}), key="defaults"
            )


def _set(name: str, instead: Mapping[str, Value]) -> None:
    for parameter in DEFENSES[name].parameters():
        value = instead.get(parameter.name, parameter.default)
        st.session_state.update(stored(parameter, selection.parameter_key("defense", parameter.name), value))
