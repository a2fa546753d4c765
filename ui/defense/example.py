"""A page that opens on its method at work: the example that was measured, and how often the same holds."""

from __future__ import annotations

from collections.abc import Hashable

import streamlit as st

import classifiers
from defenses import DEFENSES
from evaluation.many_photos.examples import Example, Trials, read_trials
from photos import gallery, gallery_entry
from ui.attack.undo import named
from ui.frame.pages import PAGE_OF
from ui.frame.verdict import percent
from ui.session import selection
from ui.session.scene import Attempt, Scene
from ui.session.selection import attacks

_VISITED, _OPENED = "example.visited", "example.opened"
"""Where the session keeps the pages that were seen, and what the last example put into it."""


def trials_on(scene: Scene) -> Trials | None:
    """What was measured on the scene's classifier; None where nothing was."""
    return read_trials(scene.classifier.name, scene.classifier.identity)


def open_on_first_visit(name: str, page: tuple[str, ...], scene: Scene) -> None:
    """Shows the example of ``name`` on the page's first visit, unless the visitor or a link has chosen."""
    visited: set[tuple[str, ...]] = st.session_state.setdefault(_VISITED, set())
    if page in visited:
        return
    visited.add(page)
    trials = trials_on(scene)
    example = None if trials is None else trials.example(name)
    begun = _of_defaults() if not st.session_state[selection.LINKED] else None
    untouched = _present() in (begun, st.session_state.get(_OPENED))
    if example is not None and example.trial.name in gallery() and untouched:
        _show(name, example)
        st.rerun()


def beside(name: str, scene: Scene, attempt: Attempt | None) -> None:
    """How often the defense undoes the example's attack, where that is on; else a button that shows it."""
    trials = trials_on(scene)
    if trials is None:
        return
    example = trials.example(name)
    title = classifiers.title(scene.classifier.name)
    if example is None:
        tried = [named(rung) for rung in trials.tried(name)]
        if tried:
            st.caption(
                f"On {title}, {DEFENSES[name].title} surely undoes none of the attacks of its kind that were "
                f"tried on the gallery's photos: {', '.join(tried)}."
            )
        return
    if example.trial.name not in gallery():
        return
    if attempt is None or attempt.attack != example.rung.attack or attempt.threat.knows:
        st.button(
            "Show an example",
            key="show_example",
            icon=":material/lightbulb:",
            on_click=_show_on_demand,
            args=(name, example),
            help=f"{named(example.rung)} on a photo of the gallery, which this method undoes.",
        )
        return
    low, high = example.undone.low, example.undone.high
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(
            f"Undoes {named(example.rung)} on {percent(example.undone.or_zero)} of the {example.undone.of} "
            f"photos that it fools (95 % interval {percent(low)} to {percent(high)})."
        )
        failures = [photo for photo in example.fails_on if photo in gallery()]
        if not failures:
            return
        with st.popover("Where it fails", icon=":material/heart_broken:"):
            st.caption(f"Of the gallery's photos, {len(failures)} stay fooled:")
            for photo in failures:
                st.page_link(
                    PAGE_OF[name],
                    label=gallery_entry(photo).title,
                    query_params=selection.query(scene) | {"photo": photo},
                )


def _show_on_demand(name: str, example: Example) -> None:
    """Called by the button, before the sidebar is drawn."""
    st.session_state["source"] = "gallery"
    _show(name, example)


def _show(name: str, example: Example) -> None:
    st.session_state.update(photo=example.trial.name, on=selection.ON[0], defense=name)
    st.session_state["threat"] = "oblivious"
    selection.choose_method("attack", example.rung.name, example.rung.attack)
    selection.choose_method("defense", name, DEFENSES[name]())
    selection.want_attack()
    st.session_state[_OPENED] = _present()


def _present() -> tuple[Hashable, ...]:
    """The photo and the attack as they are chosen now."""
    return (
        st.session_state["photo"],
        selection.method("attack"),
        *selection.chosen_values("attack").items(),
    )


def _of_defaults() -> tuple[Hashable, ...]:
    """The photo and the attack of a link without a query."""
    name, attack = next(iter(attacks().items()))
    return gallery()[0], name, *attack().values().items()
