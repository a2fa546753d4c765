"""One photo of a run, taken to the page of its defense with the very attack."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

import classifiers
from attacks import ATTACKS
from defenses import DEFENSES, THREATS, Oblivious
from evaluation.many_photos.columns import NONE
from evaluation.one_photo.report import method_of
from photos import PhotoError
from ui.frame.page_files import FOLDER
from ui.frame.pages import PAGE_OF
from ui.runs.selected_run import SelectedRun, changed, photos_of
from ui.session import link, selection
from ui.session.notices import notice, sentence
from ui.session.scene import Scene
from ui.session.workbench import workbench

_GO = "failures_go"


def pressed() -> bool:
    """Whether a photo was pressed in this run of the page, which then leaves."""
    return _GO in st.session_state


def open_photo(selected: SelectedRun, row: Mapping[str, Any]) -> None:
    """Takes a row's photo, classifier, attack and defense into the session, for the page that shows them."""
    st.session_state[_GO] = None
    try:
        st.session_state[_GO] = _taken(selected, row)
    except ValueError as error:
        notice(sentence(error))
    except OSError as error:
        notice(f"{row['file']} cannot be read: {error.strerror or error}.")


def _taken(selected: SelectedRun, row: Mapping[str, Any]) -> Path:
    """The page to go to.

    Raises:
        ValueError: the photo, or a method, is not what it was.
        OSError: the photo cannot be read.
    """
    source = photos_of(selected.run.folder, changed(selected.run))
    if isinstance(source, str):
        raise PhotoError(source)
    photo = source.read(row["number"])
    if photo.digest != row["sha256"]:
        raise PhotoError(f"{row['file']} is not the photo of this run any more")
    settings = selected.settings
    attack = defense = None
    if row["attack"] != NONE and row["attacked"] is False:
        notice(f"{row['file']} was not attacked: it is wrong without, or of the attack's own label.")
    elif row["attack"] != NONE:
        if row["label"] != row["clean"]:
            notice("The run knew the true label; here the attack leaves what the classifier predicts.")
        attack = method_of(settings["attacks"][row["attack"]], ATTACKS)
    if row["defense"] != NONE:
        defense = method_of(settings["defenses"][row["defense"]], DEFENSES)
    _take_classifier(selected)
    workbench().own_photo = photo
    st.session_state["photo"] = link.OWN
    if attack is not None:
        selection.choose_method("attack", settings["attacks"][row["attack"]]["name"], attack)
        st.session_state["target"] = row["target"] if attack.aim == "targeted" else None
        threat_facts = settings["attacks"][row["attack"]].get("threat")
        threat = Oblivious() if threat_facts is None else method_of(threat_facts, THREATS)
        selection.choose_method(
            "threat", next(iter(THREATS)) if threat_facts is None else threat_facts["name"], threat
        )
        selection.want_attack()
    st.session_state["on"] = "clean" if attack is None else "attacked"
    if defense is None:
        return FOLDER / "attack.py"
    name = settings["defenses"][row["defense"]]["name"]
    selection.choose_method("defense", name, defense)
    return PAGE_OF[name]


def _take_classifier(selected: SelectedRun) -> None:
    """The run's classifier at its size, as far as the app has them."""
    name, size = selected.classifier, selected.settings["size"]
    if name in classifiers.names() or classifiers.may_be_timm(name):
        st.session_state["classifier"] = name
    else:
        notice(
            f"The run's classifier, {name or selected.settings['classifier']}, is not here; another one "
            "looks."
        )
        name = st.session_state["classifier"]
    here = link.nearest_size(size)
    st.session_state[link.size_key(name)] = here
    if here != size:
        notice(f"The run was made at {size} px; the pages show {here} px, where figures differ.")


def leave(scene: Scene) -> None:
    """To the page of the photo that was pressed."""
    page = st.session_state.pop(_GO, None)
    if page is not None:
        st.switch_page(page, query_params=selection.query(scene))
