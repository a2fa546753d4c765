"""One parameter of one or several defenses over its range."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from functools import partial

import streamlit as st

from defenses import DEFENSES
from evaluation.one_photo.sweep import Sweep, points, sweep
from ui.attack.running import Result
from ui.charts.axes import SAVEABLE
from ui.charts.sweep import sweep_figure
from ui.frame import doubt
from ui.frame.pages import GRADIENT_SMOOTHING
from ui.frame.verdict import NDCG_HELP, adversary
from ui.session.notices import calmly
from ui.session.parameters import values_of
from ui.session.scene import Scene
from ui.session.workbench import workbench


def show(scene: Scene, result: Result | None) -> None:
    """The controls, the chart, the numbers to take along."""
    with calmly():
        names, name = _controls()
        if not names or name is None:
            st.info("Choose at least one defense.", icon=":material/info:")
            return
        attempt = result.attempt if result else None
        story = workbench().story(scene, attempt)
        doubt.note(scene, story)
        x = story.undefended.x
        sweeps: dict[str, Sweep] = {}
        for defense_name in names:
            defense = DEFENSES[defense_name](**values_of("defense", DEFENSES[defense_name], st.session_state))
            key = ("sweep", scene.key, attempt.key if attempt else None, defense, name)
            with st.spinner(f"{DEFENSES[defense_name].title} …"):
                swept = partial(sweep, x, story.clean.x, scene.classifier, defense, name)
                sweeps[defense_name] = workbench().once(key, swept)
        against = adversary(story)
        st.plotly_chart(
            sweep_figure(sweeps, story.source, against, story.labels), config=SAVEABLE, key="sweep_chart"
        )
        st.caption("The camera above the chart saves it as PNG.")
        st.caption(f"nDCG: {NDCG_HELP[:1].lower()}{NDCG_HELP[1:]}.")
        st.download_button(
            "Numbers (CSV)",
            numbers(sweeps, story.source, against),
            file_name=f"sweep-{name}.csv",
            mime="text/csv",
            icon=":material/download:",
        )


def _controls() -> tuple[Sequence[str], str | None]:
    """The defenses, and the parameter that all of them have."""
    left, right = st.columns([3, 1], gap="medium")
    names = left.multiselect(
        "Defenses",
        list(DEFENSES),
        default=list(GRADIENT_SMOOTHING),
        format_func=lambda name: DEFENSES[name].title,
        key="sweep_defenses",
        persist_state="session",
    )
    if not names:
        return [], None
    shared = [
        parameter
        for parameter in DEFENSES[names[0]].parameters()
        if parameter.name != DEFENSES[names[0]].seed_name
        and all(parameter.name in {other.name for other in DEFENSES[name].parameters()} for name in names[1:])
    ]
    if not shared:
        right.markdown("These have no parameter in common.")
        return [], None
    titles = {parameter.name: parameter.title for parameter in shared}
    name = right.selectbox(
        "Parameter",
        list(titles),
        format_func=titles.__getitem__,
        key="sweep_parameter",
        persist_state="session",
    )
    return names, name


def numbers(sweeps: Mapping[str, Sweep], true: int, against: int | None) -> str:
    """Every point of the chart as CSV."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(
        ["defense", "parameter", "value", "clean_label", "attack_label", "ssim", "ndcg", "rejected"]
    )
    for name, swept in sweeps.items():
        for point in points(name, swept, true, against):
            rejected = "yes" if point.pop("rejected") else "no"
            writer.writerow([*(_digits(value) for value in point.values()), rejected])
    return text.getvalue()


def _digits(value: float | str | None) -> str:
    return "" if value is None else f"{value:.6f}" if isinstance(value, float) else value
