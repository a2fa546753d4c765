"""The browser door: the list of pages. Start it with ``python -m streamlit run app.py``."""

import os

import streamlit as st

# PyTorch's threads wait for each other by turning round and round. The default, milliseconds of it, takes the
# core that the browser or another visitor's script would need; read when PyTorch is loaded, further below.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")

PAGES = [
    st.Page("pages/attack.py", title="Attack", icon=":material/bolt:", default=True),
    st.Page("pages/patch_library.py", title="Patch library", icon=":material/dashboard_customize:"),
    st.Page("pages/train_patch.py", title="Train a patch", icon=":material/model_training:"),
    st.Page("pages/gradient_smoothing.py", title="Gradient smoothing", icon=":material/blur_on:"),
    st.Page("pages/pixel_deflection.py", title="Pixel deflection", icon=":material/scatter_plot:"),
    st.Page("pages/heat_and_blur.py", title="Heat and blur", icon=":material/local_fire_department:"),
    st.Page("pages/smoothing_vote.py", title="Smoothing vote", icon=":material/how_to_vote:"),
    st.Page("pages/advfilter.py", title="AdvFilter", icon=":material/neurology:"),
    st.Page("pages/classic_filters.py", title="Classic filters", icon=":material/blur_linear:"),
    st.Page("pages/compare.py", title="Compare", icon=":material/compare:"),
    st.Page("pages/sweep.py", title="Sweep", icon=":material/show_chart:"),
    st.Page("pages/failures.py", title="Failures", icon=":material/photo_library:"),
]

# First, or the browser looks for the page's own icon on the internet.
st.set_page_config(page_icon="assets/icon.svg", layout="wide")
# The sidebar's own links carry the view; Streamlit's would drop it.
page = st.navigation(PAGES, position="hidden")
st.set_page_config(page_title=f"{page.title} · Unfool")
st.title(page.title, anchor=False)

with st.spinner("Waking the classifier …"):
    # Only now, with the page's frame in sight: it takes seconds the first time.
    from ui.frame import shell

shell.run(page, PAGES)
