"""What a page says where the classifier is not sure: what that means, and who may know the thing."""

from __future__ import annotations

import streamlit as st

import classifiers
from classifiers import Classifier
from evaluation.one_photo.story import Story
from ui.frame.verdict import percent, stages, verdict_html
from ui.session.scene import Scene


def show_verdict(scene: Scene, story: Story, more: str = "") -> None:
    """The verdict on the story with ``more`` HTML below it, and what it is worth in doubt."""
    st.html(verdict_html(stages(story)) + more)
    note(scene, story)


def note(scene: Scene, story: Story) -> None:
    """A sentence where the classifier is not sure of a picture; nothing where it is sure of all.

    Where it is not sure of the clean photo and has few labels, a button offers the one with many.
    """
    if story.clean.is_sure:
        if not all(stage.is_sure for stage in stages(story)):
            st.caption(f"Under {percent(scene.classifier.sure_from)} this classifier is not sure.")
        return
    st.info(in_doubt(scene.classifier, story), icon=":material/help:")
    if may_know_less(scene.classifier) and st.button(
        f"Try {classifiers.title(classifiers.IMAGENET)}",
        key="try_imagenet",
        icon=":material/swap_horiz:",
        type="primary",
        on_click=st.session_state.update,
        args=({"classifier": classifiers.IMAGENET},),
    ):
        # Pressed inside a fragment, the sidebar would not hear of it.
        st.rerun()


def may_know_less(classifier: Classifier) -> bool:
    """Whether it is a built-in classifier with fewer labels than the one for ImageNet."""
    return classifier.name in classifiers.builtin_names() and classifier.name != classifiers.IMAGENET


def in_doubt(classifier: Classifier, story: Story) -> str:
    """What it means that the classifier is not sure of the clean photo."""
    shares = (story.clean.top[0].probability, classifier.sure_from)
    present, needed = (percent(share).replace(" ", "\N{NO-BREAK SPACE}") for share in shares)
    return (
        f"The classifier is not sure of this photo: {present}, and it is sure from {needed} on. "
        f"Perhaps none of its {len(classifier.labels)} labels fits. "
        "A defense can bring back the same answer, not the right one."
    )
