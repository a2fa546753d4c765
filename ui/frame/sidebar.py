"""The sidebar, the same on every page: which photo, which size, which classifier, which device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

import classifiers
from classifiers import Classifier, ClassifierError
from photos import FORMATS, MAX_BYTES, Photo, PhotoError, read_photo
from story.render import to_png
from ui.frame import photo_gallery
from ui.frame.verdict import percent
from ui.session import link, selection
from ui.session.device import load_classifier
from ui.session.notices import notice, sentence
from ui.session.scene import Scene
from ui.session.workbench import Workbench, workbench

PHOTO_FILES: dict[str, Any] = {
    "type": [*(name.lower() for name in FORMATS), "jpg", "tif"],
    # Larger than what is read, so that a file that is too large gets our sentence.
    "max_upload_size": 4 * MAX_BYTES // 1_000_000,
}
"""What an uploader of photos takes."""
_SOURCES = {"gallery": "Gallery", "file": "File", "camera": "Camera"}
_PREVIEW = 320
_UNLISTED = "There is no classifier of that name; type timm/ and one of timm's names, or choose from the list"
_SHOWN = 0.01
"""Strength of the attack, of 1, whose accuracy is told of a hardened classifier."""


def draw() -> Scene:
    """Draws the sidebar and gives what was chosen in it.

    Raises:
        ClassifierError: not even the built-in classifier can be loaded.
    """
    bench = workbench()
    with st.sidebar:
        photo = _photo(bench)
        classifier = _classifier(bench)
        size = _size(photo, classifier)
    return Scene(photo, size, classifier)


# --- photo ------------------------------------------------------------------------------------------------


def _photo(bench: Workbench) -> Photo:
    st.subheader("Photo", anchor=False)
    # Before the gallery, which shows it as selected.
    photo = bench.own_photo if st.session_state["photo"] == link.OWN else None
    photo = photo or photo_gallery.photo()
    st.session_state.setdefault("source", "gallery")
    source = st.segmented_control(
        "Photo from",
        list(_SOURCES),
        format_func=_SOURCES.__getitem__,
        key="source",
        persist_state="session",
        required=True,
        label_visibility="collapsed",
        width="stretch",
    )
    if source == "gallery":
        photo_gallery.draw()
    elif source == "file":
        st.file_uploader(
            "A photo of your own",
            key="upload",
            on_change=_take,
            args=(bench, "upload"),
            help="It stays in this visit: it is not stored, and links don't carry it.",
            **PHOTO_FILES,
        )
    else:
        st.camera_input("A photo from your camera", key="camera", on_change=_take, args=(bench, "camera"))
    return photo


def _take(bench: Workbench, key: str) -> None:
    """Called when a file has come, or was taken away; a bad one changes nothing."""
    file = st.session_state[key]
    if file is None:
        return
    try:
        bench.own_photo = read_photo(file.getvalue(), file.name)
    except PhotoError as error:
        notice(sentence(error))
        return
    st.session_state["photo"] = link.OWN


def _size(photo: Photo, classifier: Classifier) -> int:
    key = link.size_key(classifier.name)
    st.session_state.setdefault(key, link.nearest_size(classifier.working_size))
    size = st.slider(
        "Working size (px)",
        link.SMALLEST,
        link.LARGEST,
        key=key,
        persist_state="session",
        help=_how_cut(classifier),
    )
    st.image(
        _cropped(photo.digest, size, classifier.crop_share, photo),
        width="stretch",
        output_format="PNG",
        alt=f"{photo.name}; bright is the part that the classifier sees",
        caption=f"{photo.width} × {photo.height} px; the bright part becomes {size} × {size}",
    )
    return size


def _how_cut(classifier: Classifier) -> str:
    """How a photo becomes what the classifier gets."""
    measured = classifier.working_size
    title = classifiers.title(classifier.name)
    if classifier.crop_share == 1:
        return (
            "The short side is resized to this, then the middle is cut out. "
            f"{title} was measured at {measured} px."
        )
    return (
        f"{title} was measured at {measured} px: the short side resized to "
        f"{round(measured / classifier.crop_share)} px, then the middle {measured} px cut out. Other sizes "
        "are cut in the same proportion; a photo that already has the size stays whole."
    )


@st.cache_data(max_entries=8, show_spinner=False, scope="session")
def _cropped(digest: str, size: int, crop_share: float, _photo: Photo) -> bytes:
    """The whole photo, with all that is cut off darkened."""
    del digest
    step = max(1, max(_photo.width, _photo.height) // _PREVIEW)
    small = _photo.pixels[::step, ::step]
    left, top, right, bottom = (edge // step for edge in _photo.crop_box(size, crop_share))
    shown = small // 3
    shown[top:bottom, left:right] = small[top:bottom, left:right]
    return to_png(shown)


# --- classifier -------------------------------------------------------------------------------------------


def _classifier(bench: Workbench) -> Classifier:
    st.subheader("Classifier", anchor=False)
    chooser, below = st.empty(), st.empty()
    devices = classifiers.available_devices()
    st.session_state.setdefault("device", devices[0])
    device = st.selectbox(
        "Device",
        devices,
        format_func=str.upper,
        key="device",
        persist_state="session",
        disabled=len(devices) == 1,
        help="What computes. This machine has no other." if len(devices) == 1 else "What computes.",
    )
    # Before its widget is drawn, so that a classifier that cannot be had is not chosen there.
    classifier = _load(bench, device, below)
    listed = classifiers.names()
    typed = [name for name in (bench.classifier,) if name not in listed]
    chooser.selectbox(
        "Classifier",
        [*listed, *typed, link.OWN],
        format_func=_title,
        key="classifier",
        persist_state="session",
        label_visibility="collapsed",
        required=True,
        accept_new_options=True,
    )
    with below.container():
        if st.session_state["classifier"] == link.OWN:
            _own_form(bench, device)
        else:
            st.caption(_facts(classifier))
        _labels(classifier)
        st.caption("Any of timm's can be typed above, such as timm/resnet18.a1_in1k. First use downloads it.")
    return classifier


def _labels(classifier: Classifier) -> None:
    """All labels, to be searched; drawn only while the visitor looks at them."""
    count = f"{len(classifier.labels)} labels"
    with st.popover(
        count, icon=":material/list:", key="labels", on_change="rerun", width="stretch"
    ) as labels:
        if labels.open:
            _label_list(classifier)


@st.fragment
def _label_list(classifier: Classifier) -> None:
    search = st.text_input("Search the labels", key="label_search", icon=":material/search:")
    lines = with_word(classifier.labels, search)
    st.dataframe(
        {f"{len(lines)} of {len(classifier.labels)}": lines},
        hide_index=True,
        width="stretch",
        height=280,
        alt="The labels of this classifier that contain the search word",
    )
    if classifier.sure_from:
        st.caption(sureness(classifier))


def with_word(labels: Sequence[str], search: str) -> list[str]:
    """Those of ``labels`` that contain ``search``, whatever its case, in their alphabet's order."""
    word = search.strip().casefold()
    return sorted((label for label in labels if word in label.casefold()), key=str.casefold)


def sureness(classifier: Classifier) -> str:
    """From which confidence on a built-in classifier is sure, and what falls under that."""
    measured = classifiers.read_card(classifier.name)["confidence"]
    right, unknown = measured["right"], measured["unknown"]
    words = (
        f"Under {percent(classifier.sure_from)} this classifier is not sure. That holds for "
        f"{percent(right['share'])} of the photos that it gets right"
    )
    if unknown is None:
        return f"{words}."
    return f"{words}, and for {percent(unknown['share'])} of photos without a fitting label."


def name_of(text: str) -> str:
    """The classifier whose name, or the beginning of whose title, was typed; else ``text`` itself."""
    names = [*classifiers.names(), link.OWN]
    word = text.casefold()
    return (
        text
        if text in names or not word
        else next((one for one in names if _title(one).casefold().startswith(word)), text)
    )


def _title(name: str) -> str:
    return "Your own …" if name == link.OWN else classifiers.title(name)


def _load(bench: Workbench, device: str, box: DeltaGenerator) -> Classifier:
    """The chosen classifier; where it cannot be had, the former one, which is then chosen again."""
    before, name = bench.classifier, name_of(st.session_state["classifier"].strip())
    st.session_state["classifier"] = name
    if name == link.OWN:
        return bench.own_classifier.to(device) if bench.own_classifier else load_classifier(before, device)

    def show(done: int, total: int) -> None:
        share = min(done / total, 1.0) if total else 0.0
        box.progress(share, f"Downloading {_title(name)}: {done / 1e6:.0f} of {total / 1e6:.0f} MB")

    try:
        if name not in classifiers.names() and not classifiers.may_be_timm(name):
            # What was typed is not repeated: a page might take it for markup.
            raise ClassifierError(_UNLISTED)
        classifier = load_classifier(name, device, show)
    except ClassifierError as error:
        if name == before:
            raise
        notice(f"{sentence(error)} {_title(before)} stays in use.")
        st.session_state["classifier"] = before
        return load_classifier(before, device)
    bench.classifier = name
    selection.fit_strength(name)
    return classifier


def _facts(classifier: Classifier) -> str:
    labels = f"{len(classifier.labels)} labels"
    if classifier.name not in classifiers.builtin_names():
        return f"{labels}, trained on ImageNet{_stand_in(classifier)}"
    measured = classifiers.read_card(classifier.name).get("accuracy", {})
    if "top1" not in measured:
        return labels
    photos = measured.get("measured_on", "unseen photos")
    right = f"{labels}, right on {100 * measured['top1']:.0f} % of {photos}"
    robust = measured.get("robust", {})
    if _SHOWN not in robust.get("strengths", ()):
        return right
    under = robust["accuracy"][robust["strengths"].index(_SHOWN)]
    return f"{right}, on {under:.0f} % under PGD of ε {_SHOWN:g}"


def _stand_in(classifier: Classifier) -> str:
    return f"; its class activation map is of {classifier.stand_in}" if classifier.stand_in else ""


def _own_form(bench: Workbench, device: str) -> None:
    if bench.own_classifier is not None:
        own = bench.own_classifier
        st.caption(f"In use: {own.name}, {len(own.labels)} labels{_stand_in(own)}")
    else:
        st.caption(f"{_title(bench.classifier)} stays in use until yours is loaded.")
    with st.form("own_classifier", border=True):
        architecture = st.selectbox(
            "Architecture", classifiers.architectures(), format_func=classifiers.title
        )
        weights = st.file_uploader("Weights", type=["pt", "pth", "safetensors", "bin"], help="A state dict.")
        labels = st.file_uploader("Labels", type=["txt", "json"], help="One per line, or a JSON list.")
        if not st.form_submit_button("Load", icon=":material/upload:", width="stretch"):
            return
    if weights is None or labels is None:
        st.error("Your own classifier needs both files: weights and labels.")
        return
    try:
        bench.own_classifier = classifiers.own(
            architecture, weights.getvalue(), labels.getvalue(), device=device
        )
    except ClassifierError as error:
        notice(sentence(error))
    st.rerun()
