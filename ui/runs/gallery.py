"""The photos of a run: filtered, page by page, each to be pressed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from html import escape
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from evaluation.many_photos.causes import CAUSES
from evaluation.many_photos.columns import LEFT_OUT, NONE, OUTCOMES, UNREAD
from evaluation.many_photos.rows import Wanted
from evaluation.many_photos.summary import Summary
from photos import Source
from photos.crop import resized_square
from story.render import png_address, to_png
from ui.frame.verdict import SIGNS
from ui.runs.files import THUMB, Thumbnail, downloads
from ui.runs.opening import open_photo, pressed
from ui.runs.selected_run import SelectedRun, changed, photos_of, said
from ui.session.notices import calmly, plain

_PAGE = 24
"""Photos in one page of the gallery."""
_FAILED = ("wrong", "rejected")


@st.fragment
def gallery(
    selected: SelectedRun, summary: Summary, labels: tuple[str, ...], attack: str, defense: str
) -> None:
    """Filters, what the defense changed, the photos, files to take along; only this reruns when one moves."""
    if pressed():
        # A press reruns this fragment only; the page leaves.
        st.rerun()
    with calmly():
        wanted = _wanted(selected, labels, attack, defense)
        numbers = selected.rows.numbers(wanted)
        _changes(selected, wanted)
        pages = max(1, -(-len(numbers) // _PAGE))
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.markdown(f"**{len(numbers):,}** of {len(selected.rows):,} rows")
            # Another filter begins at its first page.
            page = st.pagination(pages, key=f"failures_page.{selected.run.folder.name}.{hash(wanted)}")
        shown = selected.rows.records(numbers[(page - 1) * _PAGE : page * _PAGE])
        source = photos_of(selected.run.folder, changed(selected.run))
        if isinstance(source, str):
            st.info(f"{plain(source)} So there are no pictures here.", icon=":material/info:")
        pictures = [_thumbnail(source, row) for row in shown]
        _tiles(selected, shown, pictures)
        downloads(selected, summary, numbers, shown, pictures, attack)


def _wanted(selected: SelectedRun, labels: tuple[str, ...], attack: str, defense: str) -> Wanted:
    """The filters; attack and defense follow the pressed cell until they are selected here."""
    run = selected.run.folder.name
    left, right, order = st.columns(3, gap="small")

    def method(column: DeltaGenerator, kind: str, name: str) -> str:
        names = selected.cells(kind)
        return column.selectbox(
            kind.capitalize(),
            names,
            index=names.index(name),
            format_func=partial(selected.name, kind),
            # The pressed cell is part of it, so that a press on another one counts again.
            key=f"failures_{kind}.{run}.{attack}.{defense}",
        )

    chosen_attack, chosen_defense = method(left, "attack", attack), method(right, "defense", defense)
    surest = order.selectbox(
        "Order",
        ("Surest first", "As in the run"),
        key="failures_order",
        persist_state="session",
        help="How likely the classifier finds the label that comes out.",
    )
    left, middle, right = st.columns(3, gap="small")
    outcomes = left.pills(
        "Outcome",
        (*OUTCOMES, LEFT_OUT, UNREAD),
        default=_FAILED,
        selection_mode="multi",
        format_func=lambda word: f"{SIGNS[word]} {word}",
        key="failures_outcomes",
        persist_state="session",
    )
    causes = middle.multiselect(
        "Cause",
        [cause for cause in CAUSES if cause in selected.rows.words("cause")],
        key=f"failures_causes.{run}",
        persist_state="session",
        placeholder="any",
    )
    low, high = right.slider(
        "Probability (%)",
        0,
        100,
        (0, 100),
        key="failures_probability",
        persist_state="session",
        help="Of the label that comes out.",
    )
    return Wanted(
        chosen_attack,
        chosen_defense,
        labels,
        tuple(outcomes),
        tuple(causes),
        low / 100,
        high / 100,
        surest_first=surest == "Surest first",
    )


def _changes(selected: SelectedRun, wanted: Wanted) -> None:
    """What the defense changed, among the photos of this attack."""
    if wanted.defense == NONE:
        return
    counts = selected.rows.changes(Wanted(wanted.attack, wanted.defense, wanted.labels))
    rows = [
        {"without": words} | {outcome: counts.get((right, outcome), 0) for outcome in OUTCOMES}
        for right, words in ((True, f"{SIGNS['right']} right"), (False, f"{SIGNS['wrong']} wrong"))
    ]
    with_it = {
        outcome: st.column_config.NumberColumn(f"{SIGNS[outcome]} {outcome} with it") for outcome in OUTCOMES
    }
    st.dataframe(
        rows,
        hide_index=True,
        width="stretch",
        height="content",
        column_config={"without": st.column_config.TextColumn("Without the defense")} | with_it,
        alt="Photos by what comes out without the defense and with it",
    )


def _thumbnail(source: Source | str, row: Mapping[str, Any]) -> Thumbnail | None:
    """The middle of a row's photo; None where it cannot be read, or is another one by now."""
    if isinstance(source, str) or row["sha256"] is None:
        return None
    return _small(row["sha256"], row["number"], source)


@st.cache_data(max_entries=2000, show_spinner=False)
def _small(digest: str, number: int, _source: Source) -> Thumbnail | None:
    try:
        photo = _source.read(number)
    except (ValueError, OSError):
        return None
    return resized_square(photo.pixels, THUMB) if photo.digest == digest else None


def _tiles(
    selected: SelectedRun, shown: Sequence[Mapping[str, Any]], pictures: Sequence[Thumbnail | None]
) -> None:
    """A button with its photo for each row."""
    style = "".join(
        f".st-key-tile_{number} button{{background-image:url({png_address(to_png(picture))})}}"
        for number, picture in enumerate(pictures)
        if picture is not None
    )
    if style:
        st.html(f"<style>{style}</style>")
    with st.grid(min_column_width=130, gap="small"):
        for number, row in enumerate(shown):
            with st.container(gap="xxsmall"):
                st.button(
                    plain(said(row)),
                    key=f"tile_{number}",
                    width="stretch",
                    help=plain(f"{row['file']}: open it with this very attack and these parameters"),
                    on_click=open_photo,
                    args=(selected, row),
                    disabled=row["outcome"] == UNREAD or pictures[number] is None,
                )
                words = row["reason"] or row["cause"] or "no cause"
                st.html(
                    f"<div class=unfool-tile>is {escape(row['label'])}<small>{escape(words)}</small></div>"
                )
