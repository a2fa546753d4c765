"""A universal patch that forms while one looks: photos, recipe, progress, and what becomes of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import streamlit as st
import torch
import torch.nn.functional as F
from torch import Tensor

from attacks.patch_training import Lesson, Recipe, Training
from attacks.placement import pasted
from attacks.universal_patch import Patch
from evaluation.many_photos.patch_training import Effect, lessons, measured
from ops.coding import eight_bit, from_bytes, to_bytes
from photos import (
    GalleryEntry,
    Photo,
    PhotoError,
    gallery_entries,
    gallery_photo,
    gallery_thumbnail,
    read_photo,
    readable,
)
from story import Step
from story.render import TARGET_COLOUR, Picture, enlarge, render, to_png
from ui.attack import patch_library
from ui.browser import scrubber
from ui.charts.attack import training_figure
from ui.charts.axes import PLAIN
from ui.frame.page_files import FOLDER
from ui.frame.parameter_widgets import parameter_widgets
from ui.frame.sidebar import PHOTO_FILES
from ui.frame.verdict import percent
from ui.session.background import Background
from ui.session.device import on_device
from ui.session.notices import notice, plain, sentence
from ui.session.parameters import state_key, values_of
from ui.session.progress import follow
from ui.session.scene import Scene
from ui.session.workbench import workbench

MOST_PHOTOS = 50
"""Of one's own in one training, and of the gallery among those that it does not learn from."""
_FIRST = 8
"""Photos of the gallery from which it learns unless others are selected."""
_BATCH = 8
"""Crops in a step on this page: few, so that the patch is seen to form."""
_FRAMES = 40
_THUMB = 112
"""Side of a photo that is shown before the training, px."""
_KIND = "training"
"""Of method, in the session's keys."""
_TARGET, _GALLERY, _FILES = "training_target", "training_gallery", "training_files"
_FIRST_TARGET = "pizza"


@dataclass(frozen=True, eq=False)
class Formed:
    """The patch after a step.

    Attributes:
        lesson: what the step saw before it.
        pixels: (3, S, S) uint8, on the CPU.
    """

    lesson: Lesson
    pixels: Tensor


class Course(Background[Formed]):
    """A training in the background of the visit.

    Attributes:
        training: the patch; the thread's own as long as it runs.
        target: the label that it is for.
        squares: photos (N, 3, S, S) in [0, 1] that it learns from, as the classifier gets them.
        others: photos of the gallery that it does not learn from, (M, 3, S, S), M may be 0.
        kept: name in the library; empty as long as it is not kept.
        effects: what it does to ``squares`` and, where there are any, to ``others``, as ``measured`` says;
            empty until that is asked.
    """

    def __init__(self, training: Training, photos: Sequence[Photo], others: Sequence[Photo]) -> None:
        super().__init__(training.recipe.steps)
        side, share = training.model.working_size, training.model.crop_share
        self.training = training
        self.target = training.model.labels[training.target]
        self.squares = torch.cat([photo.working(side, share) for photo in photos])
        squares = [photo.working(side, share) for photo in others]
        self.others = torch.cat([torch.empty(0, 3, side, side), *squares])
        self.kept = ""
        self.effects: list[Effect] = []
        self._small = [_reduced(photo, 2 * side) for photo in photos]

    def forming(self) -> Iterator[Formed]:
        """The patch after each step."""
        for lesson in lessons(
            self.training, len(self._small), lambda numbers: [self._small[n] for n in numbers]
        ):
            pixels = to_bytes(self.training.patch[0]).cpu()
            yield Formed(lesson, pixels)

    @property
    def patch(self) -> Patch:
        """As it is now, rounded to 8 bits."""
        return Patch(from_bytes(self.parts[-1].pixels), self.training.recipe.share, self.target)


def _reduced(photo: Photo, side: int) -> Tensor:
    """(3, H, W) uint8 with a shorter side of at most ``side`` px."""
    pixels = torch.tensor(photo.pixels).permute(2, 0, 1)
    factor = side / min(photo.height, photo.width)
    if factor >= 1:
        return pixels
    size = [max(1, round(length * factor)) for length in pixels.shape[1:]]
    return F.interpolate(pixels[None], size, mode="bilinear", antialias=True)[0]


# --- settings ---------------------------------------------------------------------------------------------


def settings(scene: Scene) -> None:
    """Photos, target, recipe, and the button that begins."""
    running = _running() is not None
    titles = {entry.name: entry.title if entry.package else entry.name for entry in gallery_entries()}
    # A file of a folder may have gone since.
    selected = [name for name in st.session_state.get(_GALLERY, list(titles)[:_FIRST]) if name in titles]
    if st.session_state.get(_GALLERY) != selected:
        st.session_state[_GALLERY] = selected
    st.multiselect(
        "Photos of the gallery",
        list(titles),
        format_func=titles.__getitem__,
        key=_GALLERY,
        persist_state="session",
        help="It learns from random parts of them; on what is left out one sees what it does to new photos.",
    )
    st.file_uploader(
        "Photos of your own",
        accept_multiple_files=True,
        key=_FILES,
        help=f"At most {MOST_PHOTOS}. They stay in this visit.",
        **PHOTO_FILES,
    )
    labels = scene.classifier.labels
    if st.session_state.get(_TARGET) not in labels:
        st.session_state[_TARGET] = _FIRST_TARGET if _FIRST_TARGET in labels else labels[0]
    st.selectbox(
        "Target",
        labels,
        key=_TARGET,
        persist_state="session",
        help="The label that the classifier shall say wherever the patch is. Type to search.",
    )
    st.button(
        "Train",
        icon=":material/model_training:",
        type="primary",
        width="stretch",
        key="train_patch",
        disabled=running,
        on_click=_begin,
        args=(scene,),
    )
    st.session_state.setdefault(state_key(_KIND, Recipe.parameter("batch")), _BATCH)
    parameter_widgets(_KIND, Recipe)


def _running() -> Course | None:
    course = _course()
    return course if course is not None and not course.finished else None


def _course() -> Course | None:
    course = workbench().training
    return course if isinstance(course, Course) else None


def _begin(scene: Scene) -> None:
    names = st.session_state[_GALLERY]
    photos = _of_gallery(names) + _own_photos(st.session_state[_FILES] or [])
    if not photos:
        notice("A patch needs photos to learn from: choose some of the gallery or bring your own.")
        return
    left = [entry.name for entry in gallery_entries() if entry.name not in names]
    others = list(readable(left[:MOST_PHOTOS]))
    values: dict[str, Any] = values_of(_KIND, Recipe, st.session_state)
    recipe = Recipe(**values)
    training = Training(recipe, st.session_state[_TARGET], scene.classifier)
    course = Course(training, photos, others)
    bench = workbench()
    bench.close()
    bench.training = course
    course.start(course.forming, bench.memo)


def _of_gallery(names: Sequence[str]) -> list[Photo]:
    """Those that can be read; of each other one a sentence is said."""
    photos = []
    for name in names:
        try:
            photos.append(gallery_photo(name))
        except PhotoError as error:
            notice(plain(sentence(error)))
    return photos


def _own_photos(files: Sequence[Any]) -> list[Photo]:
    """Those that can be read; of each other one a sentence is said."""
    photos = []
    for file in files[:MOST_PHOTOS]:
        try:
            photos.append(read_photo(file.getvalue(), file.name))
        except PhotoError as error:
            notice(sentence(error))
    if len(files) > MOST_PHOTOS:
        notice(f"{len(files)} photos are too many: it learns from the first {MOST_PHOTOS}.")
    return photos


# --- what is seen -----------------------------------------------------------------------------------------


def show() -> None:
    """The patch as it forms, or a word on what will be here."""
    course = _course()
    if course is None:
        st.info(
            "Choose photos and a target, and press Train: the patch begins as noise, and you see it form.",
            icon=":material/model_training:",
        )
        with st.container(horizontal=True, gap="small"):
            for entry in gallery_entries():
                if entry.name in st.session_state[_GALLERY]:
                    _preview(entry)
        return
    follow(_forming, course)
    if course.seen and course.parts:
        _formed(course)


def _preview(entry: GalleryEntry) -> None:
    """A photo from which it will learn; nothing where it cannot be read, which is said when it begins."""
    with suppress(PhotoError):
        st.image(
            to_png(gallery_thumbnail(entry, _THUMB)),
            width=_THUMB,
            output_format="PNG",
            alt=f"{entry.title}, from which it will learn",
        )


def _forming(course: Course) -> None:
    """Progress, buttons, patch and curves; only this is drawn anew while it runs."""
    if course is not _course():
        st.rerun()
    # Asked once: it may end while this is drawn.
    finished = course.finished
    if not finished:
        done = len(course.parts)
        with st.container(horizontal=True, vertical_alignment="center"):
            st.progress(done / course.total, f"“{course.target}”: step {done} of {course.total}")
            st.button("Stop here", icon=":material/stop:", key="stop_training", on_click=course.stop)
            st.button("Discard", icon=":material/close:", key="discard_training", on_click=_discard)
    elif not course.seen:
        # The last look of the fragment: the page below it can now be drawn.
        course.seen = True
        st.rerun()
    if course.error is not None:
        text = "The training failed; what it had reached is below."
        if isinstance(course.error, ValueError):
            text = sentence(course.error)
        st.error(text, icon=":material/error:")
    parts = list(course.parts)
    if not parts:
        st.caption("It ended before its first step." if finished else "The first step is on its way.")
        return
    if finished and not course.error:
        ended = "ran to its end" if len(parts) == course.total else f"was stopped after step {len(parts)}"
        st.markdown(f"The training for “{course.target}” {ended}.")
    picture, curve = st.columns([1, 2], gap="medium")
    now = parts[-1]
    picture.image(
        to_png(_enlarged(now.pixels)),
        width="stretch",
        output_format="PNG",
        alt=f"The patch after step {now.lesson.step}",
        caption=f"After step {now.lesson.step}, which saw {percent(now.lesson.fooled)} of its batch fooled",
    )
    curve.plotly_chart(
        training_figure([part.lesson for part in parts], course.total, course.target),
        config=PLAIN,
        key="training_curve",
        alt=f"Share of the batch that says {course.target}, its probability, and the loss, over the steps",
    )


def _discard() -> None:
    bench = workbench()
    bench.close()
    bench.training = None
    notice("Discarded. The patches that you kept are still in the library.")


def _formed(course: Course) -> None:
    """What it does now, how it came about, and where it goes."""
    st.markdown(_effect(course))
    with st.container(horizontal=True, vertical_alignment="center"):
        if course.kept:
            st.success(f"In your library as “{course.kept}”.", icon=":material/check:")
        else:
            st.button(
                "Keep it in the library",
                icon=":material/bookmark_add:",
                type="primary",
                key="keep_patch",
                on_click=_keep,
                args=(course,),
            )
        st.page_link(FOLDER / "patch_library.py", label="Put it on a photo", icon=":material/arrow_forward:")
    way, aside = st.columns([1, 1], gap="large")
    with way:
        st.subheader("The way there", anchor=False)
        _scrubber(course)
    with aside:
        patch_library.files(course.kept or course.target, course.patch)


def _keep(course: Course) -> None:
    course.kept = patch_library.take(course.target, course.patch)


def _effect(course: Course) -> str:
    """The share of whole photos that it fools, seen and unseen."""
    if not course.effects:
        patch = eight_bit(course.training.patch)
        with on_device():
            course.effects = [
                measured(patch, course.training, [x]) for x in (course.squares, course.others) if len(x)
            ]
    seen, *unseen = course.effects
    words = [_share("the photos that it learned from", seen)]
    words += [_share("the gallery's photos that it never saw", others) for others in unseen]
    return (
        f"Where it was trained, it makes the classifier say “{course.target}” on {', and on '.join(words)}."
    )


def _share(which: str, effect: Effect) -> str:
    if not effect.photos:
        return f"none of {which}, which all are called so without it"
    return f"**{effect.hits['fooled']} of {effect.photos}** of {which}"


def _scrubber(course: Course) -> None:
    parts = course.parts
    stride = -(-len(parts) // _FRAMES)
    at = sorted({*range(0, len(parts), stride), len(parts) - 1})
    scene = course.squares[:1]
    frames = [
        to_png(
            render(Step("photo", pasted(scene, course.training.box, from_bytes(parts[n].pixels)), "photo"))
        )
        for n in at
    ]
    scrubber(
        frames,
        [f"Step {parts[n].lesson.step}: {percent(parts[n].lesson.fooled)} fooled" for n in at],
        key="training_steps",
        label="Steps of the training",
        series=[part.lesson.probability for part in parts],
        at=at,
        series_label=f"Mean probability of {course.target}",
        colour=TARGET_COLOUR,
    )


def _enlarged(pixels: Tensor) -> Picture:
    """At least 300 px wide, every pixel a square."""
    picture = render(Step("patch", from_bytes(pixels[None]), "photo"))
    return enlarge(picture, -(-300 // len(picture)))
