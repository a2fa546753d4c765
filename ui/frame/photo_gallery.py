"""The gallery in the sidebar: small pictures to be pressed, in a box that scrolls where they are many."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from hashlib import sha256

import streamlit as st

from photos import (
    GalleryEntry,
    Photo,
    PhotoError,
    gallery_entries,
    gallery_photo,
    gallery_remark,
    gallery_thumbnail,
    packaged,
)
from story.render import thumbnail_address
from ui.session.notices import notice, plain, sentence

MOST = 24
"""Photos that are shown at once; where there are more, they can be searched."""
_ROW, _NARROWEST = 3, 64
_FLAT, _TALL = 6, 190
"""So many photos need no box; a box has this height, px."""
_THUMB = 96


def photo() -> Photo:
    """The photo of the gallery that was selected; where it cannot be read, a sentence and the first that can.

    Raises:
        PhotoError: none can be read.
    """
    try:
        return gallery_photo(st.session_state["photo"])
    except PhotoError as error:
        notice(plain(f"{sentence(error)} Another photo of the gallery is shown."))
    for entry in (*gallery_entries(), *packaged()):
        try:
            readable = gallery_photo(entry.name)
        except PhotoError:
            continue
        st.session_state["photo"] = entry.name
        return readable
    raise PhotoError("No photo of the gallery can be read")


def draw() -> None:
    """The photos, and what is wrong with the folder or with a file."""
    entries: Sequence[GalleryEntry] = gallery_entries()
    if remark := gallery_remark():
        st.warning(plain(remark), icon=":material/folder_off:")
    if len(entries) > MOST:
        entries = _searched(entries)
    pictures, unreadable = {}, []
    for entry in entries:
        address, complaint = _picture(entry)
        if complaint:
            unreadable.append(complaint)
        else:
            pictures[entry] = address
    style = "".join(
        f".st-key-{_key(entry)} button{{background-image:url({address})}}"
        for entry, address in pictures.items()
    )
    st.html(f"<style>{style}</style>")
    with (
        st.container(height=_TALL if len(pictures) > _FLAT else "content", border=False, key="photo-box"),
        st.grid(_ROW, min_column_width=_NARROWEST, gap="xsmall"),
    ):
        for entry in pictures:
            _tile(entry)
    if unreadable:
        several = (
            f"{len(unreadable)} photos are left out. The first: " if len(unreadable) > 1 else "Left out: "
        )
        st.caption(plain(several + unreadable[0]))


def _searched(entries: Sequence[GalleryEntry]) -> Sequence[GalleryEntry]:
    """A page of those in whose name or label every word is that the visitor typed."""
    text = st.text_input(
        "Search the gallery",
        key="photo_search",
        type="search",
        live=True,
        persist_state="session",
        placeholder=f"Search {len(entries):,} photos",
        icon=":material/search:",
        label_visibility="collapsed",
    )
    words = (text or "").casefold().split()
    hits = [entry for entry in entries if all(word in entry.name.casefold() for word in words)]
    if not hits:
        st.caption("No photo has this in its name or label.")
    if len(hits) <= MOST:
        return hits
    # Another search begins at its first page.
    page = st.pagination(
        -(-len(hits) // MOST), max_visible_pages=5, key=f"photo_page.{hash(tuple(words))}", width="stretch"
    )
    return hits[(page - 1) * MOST : page * MOST]


def _tile(entry: GalleryEntry) -> None:
    about = entry.title if entry.package else entry.name
    is_selected = st.session_state["photo"] == entry.name
    st.button(
        plain(entry.label or entry.title),
        key=_key(entry),
        type="primary" if is_selected else "secondary",
        width="stretch",
        help=plain(f"{about}. {entry.credit}"),
        on_click=st.session_state.update,
        args=({"photo": entry.name},),
    )


def _key(entry: GalleryEntry) -> str:
    """Also a word of the style sheet, so nothing of a file's name may be in it."""
    return f"gallery_{entry.name if entry.package else sha256(entry.name.encode()).hexdigest()[:16]}"


def _picture(entry: GalleryEntry) -> tuple[str, str]:
    """Address of the thumbnail; empty where the photo cannot be read, and then a sentence on that."""
    try:
        return _thumbnail(entry.package, entry.file, entry.stamp, entry)
    except PhotoError as error:
        return "", sentence(error)


@st.cache_data(max_entries=2000, show_spinner=False)
def _thumbnail(package: str | None, file: str, stamp: Hashable, _entry: GalleryEntry) -> tuple[str, str]:
    del package, file, stamp
    try:
        return thumbnail_address(gallery_thumbnail(_entry, _THUMB)), ""
    except PhotoError as error:
        return "", sentence(error)
