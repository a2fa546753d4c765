"""The browser components on one page: `PYTHONPATH=. streamlit run tests/browser/gallery.py`."""

import streamlit as st

from story.render import TARGET_COLOUR, to_png
from tests.browser import made_up
from ui.browser import Placement, place_picker, scrubber, story_viewer, wipe

st.set_page_config(layout="wide")
with st.sidebar:
    lam = st.slider("Strength", 0.0, 5.0, 2.3, 0.1)
    with_masks = st.toggle("With masks", value=True)
    st.session_state["runs"] = st.session_state.get("runs", 0) + 1
    st.markdown(f"Runs: {st.session_state['runs']}")

st.subheader("Story")
story_viewer(made_up.panels(lam, with_masks), key="story", start_step="result")

st.subheader("Scrubber")
scrubber(
    made_up.frames(),
    made_up.CAPTIONS,
    key="scrubber",
    label="Iterations of the attack",
    series=made_up.SERIES,
    series_label="Probability of golf ball",
    colour=TARGET_COLOUR,
)

st.subheader("Place")
st.session_state.setdefault("place", (0.75, 0.0625))
st.session_state.setdefault("reports", 0)


def place(now: Placement) -> None:
    st.session_state["place"] = (now.left, now.top)
    st.session_state["reports"] += 1


moved = place_picker(
    to_png(made_up.eight_bit(made_up.photo())),
    patch=(*st.session_state["place"], 0.25, 0.125),
    key="place_picker",
    on_place=place,
)
left, top = st.session_state["place"]
st.markdown(f"Place: {left:.4f}, {top:.4f}; moved: {moved is not None}; reports: {st.session_state.reports}")

st.subheader("Wipe")
wipe(made_up.frames()[0], made_up.frames()[-1], ("calm", "noisy"), key="wipe", label="Calm or noisy")
