"""What the page of gradient smoothing shows below its steps: the λ-ribbon, every strength at once."""

from __future__ import annotations

from typing import cast

import streamlit as st

from defenses import LGS
from defenses.automatic import fitted_on
from evaluation.one_photo.gradient_smoothing import Ribbon, ribbon_over
from evaluation.one_photo.story import Story
from evaluation.one_photo.sweep import values_over
from ui.attack.running import Result
from ui.charts.axes import PLAIN
from ui.charts.gradient_smoothing import ribbon_figure
from ui.defense.fitted import borrowed
from ui.frame.parameter_widgets import MOST_SLIDER_STOPS
from ui.frame.verdict import adversary
from ui.session.scene import Attempt, Scene
from ui.session.workbench import Workbench, workbench


def ribbon_section(scene: Scene, result: Result | None, story: Story) -> None:
    """What every other λ would do, with a mark at the present one."""
    ribbon = ribbon_of(workbench(), scene, result.attempt if result else None, story)
    lam = strength_of(workbench(), scene, story)
    st.subheader("What another λ would do", anchor=False)
    st.plotly_chart(
        ribbon_figure(ribbon, lam, story.labels, story.source, adversary(story)),
        config=PLAIN,
        key="ribbon",
        alt=f"Probability of {story.labels[story.source]} and of its rival over λ; λ is {lam:g}",
    )
    _automatic(scene, _defense(story), lam)


def _automatic(scene: Scene, defense: LGS, lam: float) -> None:
    """Where λ is automatic, what it is and where that comes from."""
    own = fitted_on(scene.classifier)
    if isinstance(defense.lam, str) and own is not None:
        st.caption(
            f"Automatic λ is {lam:g} for this photo, by the area of its busy windows. "
            f"{borrowed(scene.classifier, own)}"
        )


def ribbon_of(bench: Workbench, scene: Scene, attempt: Attempt | None, story: Story) -> Ribbon:
    """The defense of ``story`` for every λ at which its slider stops, in one batch.

    What the classifier says for each of them lies in the memo of the ``bench`` when the slider comes there.
    """
    defense = _defense(story)
    rest = {name: value for name, value in defense.values().items() if name != defense.strength_name}
    key = ("ribbon", scene.key, attempt.key if attempt else None, type(defense), *rest.items())
    lams = cast(tuple[float, ...], values_over(defense.parameter(defense.strength_name), MOST_SLIDER_STOPS))
    x = story.undefended.x
    return bench.once(key, lambda: ribbon_over(lams, x, scene.classifier, defense))


def strength_of(bench: Workbench, scene: Scene, story: Story) -> float:
    """The λ that the defense of ``story`` has on its photo."""
    defense = _defense(story)
    if not isinstance(defense.lam, str):
        return defense.lam
    return bench.computed(lambda: defense.lam_of(story.undefended.x, scene.classifier))


def _defense(story: Story) -> LGS:
    assert isinstance(story.defense, LGS)
    return story.defense
