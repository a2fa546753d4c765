"""Which run is shown: one of the app's folder, an uploaded one, or a zip of photos that is run now."""

from __future__ import annotations

import os
from pathlib import Path

import streamlit as st

from attacks import ATTACKS, Attack
from classifiers import names as classifier_names
from defenses import DEFENSES, THREATS, Defense
from evaluation.many_photos import run_library
from evaluation.many_photos.batch import Plan
from evaluation.many_photos.evaluate import Selection
from evaluation.many_photos.run_folder import Run
from ui.runs.desk import desk
from ui.session import selection
from ui.session.notices import calmly, notice
from ui.session.parameters import Registry, values_of
from ui.session.scene import Scene

_POLL = 1.0
"""Seconds between two looks at how far a run is."""
_BATCH = 4
"""Photos computed together, so that other visitors wait for seconds only."""
_PLACE = "UNFOOL_RUNS"
_MEGABYTES = 600
_NEXT = "run_next"
_START = ("lavan",), ("lgs", "slgs", "wlgs")
"""Attacks and defenses that a new run begins with."""


def folder() -> Path:
    """Where the runs lie: what the environment's UNFOOL_RUNS names, else ``runs`` beside the app."""
    return Path(os.environ.get(_PLACE) or Path(__file__).parents[2] / "runs").absolute()


def choice(scene: Scene) -> Run | None:
    """The chosen run, as soon as it is finished; draws the chooser, and how far an unfinished run is."""
    with calmly():
        names = run_library.names(folder())
        if _NEXT in st.session_state:
            st.session_state["run"] = st.session_state.pop(_NEXT)
        if st.session_state.get("run") not in names:
            if st.session_state.get("run"):
                notice(f"There is no run called {st.session_state['run']} here.")
            st.session_state["run"] = names[0] if names else None
        _resume(names)
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
            if names:
                st.selectbox(
                    "Run",
                    names,
                    key="run",
                    persist_state="session",
                    help="Those in the app's folder runs; cli.py evaluate … --out runs/NAME adds one.",
                )
            with st.popover("Add a run", icon=":material/add:", width=180):
                _add(scene)
            if names:
                _deletion(st.session_state["run"])
        selection.write_link(scene)
        if not names:
            st.info(
                "There is no run yet. Add one above, or let the command line make one:",
                icon=":material/info:",
            )
            st.code(
                "python cli.py evaluate PHOTOS --attack lavan --defense slgs --out runs/NAME",
                language=None,
                wrap_lines=True,
            )
            return None
        run = Run(folder() / st.session_state["run"])
        if run_library.progress(run).finished:
            return run
        st.fragment(_unfinished, run_every=_POLL)(run)
    return None


def _resume(names: list[str]) -> None:
    """After a restart of the server, has what it was asked for gone on with."""
    for name in reversed(names):
        run = Run(folder() / name)
        if not run.merged and (run.folder / run_library.PHOTOS).exists() and not desk().wrong(run.folder):
            desk().ask(run.folder)


def _unfinished(run: Run) -> None:
    with calmly():
        now = run_library.progress(run)
        if now.finished:
            st.rerun()
        wrong, at_work = desk().wrong(run.folder), desk().holds(run.folder)
        words = f"{now.done} of {now.total} photos"
        st.progress(now.done / max(1, now.total), words if at_work else f"{words}, not finished")
        if wrong:
            st.error(wrong, icon=":material/error:")
            st.button("Go on", icon=":material/play_arrow:", on_click=desk().ask, args=(run.folder,))
        elif at_work:
            st.caption(
                "It goes on while you do something else or close the page. When the app is started again, it "
                "goes on as soon as somebody opens this page."
            )
        else:
            st.caption("The command that began it goes on with it when it is given again.")


# --- adding and deleting ------------------------------------------------------------------------------------


def _add(scene: Scene) -> None:
    now, finished = st.tabs(["Photos to run now", "A finished run"])
    with now, calmly():
        _run_now(scene)
    with finished, calmly(), st.form("take_run", border=False, clear_on_submit=True):
        file = st.file_uploader(
            "A zip of run.json and photos.parquet",
            type="zip",
            max_upload_size=_MEGABYTES,
            help="The folder that cli.py evaluate wrote. With photos.zip in it, the pictures are shown too.",
        )
        if st.form_submit_button("Add", icon=":material/upload:", type="primary"):
            if file is None:
                st.error("Choose a file first.", icon=":material/error:")
            else:
                _show(run_library.take_in(folder(), file, file.name))
    st.caption(
        "What you add stays on the machine that runs the app, for all its visitors, until it is deleted."
    )


def _run_now(scene: Scene) -> None:
    classifier = scene.classifier
    if classifier.name not in classifier_names():
        st.info(
            "A classifier of your own is here for this visit only; for many photos take "
            "`python cli.py evaluate … --weights … --labels …`.",
            icon=":material/info:",
        )
        return
    with st.form("run_now", border=False):
        file = st.file_uploader(
            f"A zip of at most {run_library.MOST_PHOTOS} photos, label/name.jpg",
            type="zip",
            max_upload_size=_MEGABYTES,
            help="Or with one CSV file in it whose columns are file and label. The labels are those that the "
            "classifier in the sidebar knows.",
        )
        attacks = _several("Attacks", ATTACKS, _START[0])
        defenses = _several("Defenses", DEFENSES, _START[1])
        threats = _several("What the attacker knows", THREATS, (next(iter(THREATS)),))
        st.caption(
            f"By the sidebar's classifier at {scene.size} px, with the parameters that the methods have on "
            "their own pages."
        )
        pressed = st.form_submit_button("Run", icon=":material/play_arrow:", type="primary")
    if not pressed:
        return
    if file is None:
        st.error("Choose a file first.", icon=":material/error:")
        return
    attacking: dict[str, Attack] = {
        name: ATTACKS[name](**values_of("attack", ATTACKS[name], st.session_state)) for name in attacks
    }
    defending: dict[str, Defense] = {
        name: DEFENSES[name](**values_of("defense", DEFENSES[name], st.session_state)) for name in defenses
    }
    _show(
        run_library.begin_with(
            folder(),
            file,
            file.name,
            classifier,
            Plan.under({name: THREATS[name]() for name in threats or THREATS}, attacking, defending),
            Selection(limit=None, seed=0, batch=_BATCH, size=scene.size),
        )
    )


def _several(title: str, registry: Registry, start: tuple[str, ...]) -> list[str]:
    return st.multiselect(
        title,
        list(registry),
        default=start,
        format_func=lambda name: registry[name].title,
        key=f"run_{title}",
    )


def _show(name: str) -> None:
    """Shows that run; its chooser is drawn already, so in a run of the page of its own."""
    st.session_state[_NEXT] = name
    st.rerun()


def _deletion(name: str) -> None:
    with st.popover("Delete", icon=":material/delete:", width=130):
        st.markdown("The run and the photos that were uploaded for it go for good.")
        st.button("Delete it", type="primary", key="delete_run", on_click=_delete, args=(name,))


def _delete(name: str) -> None:
    desk().drop(folder() / name)
    try:
        run_library.remove(folder(), name)
    except OSError as error:
        notice(f"It cannot be deleted: {error.strerror or error}.")
    st.session_state["run"] = None
