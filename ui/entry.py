"""The script of every visit: the list of pages, and the frame around the one that was asked for.

It lies here and not beside ``pages/``, from which Streamlit would make a list of pages of its own.
"""

import streamlit as st

from ui.frame.page_files import FOLDER

PAGES = [
    st.Page(FOLDER / "attack.py", title="Attack", icon=":material/bolt:", default=True),
    st.Page(FOLDER / "patch_library.py", title="Patch library", icon=":material/dashboard_customize:"),
    st.Page(FOLDER / "train_patch.py", title="Train a patch", icon=":material/model_training:"),
    st.Page(FOLDER / "gradient_smoothing.py", title="Gradient smoothing", icon=":material/blur_on:"),
    st.Page(FOLDER / "pixel_deflection.py", title="Pixel deflection", icon=":material/scatter_plot:"),
    st.Page(FOLDER / "heat_and_blur.py", title="Heat and blur", icon=":material/local_fire_department:"),
    st.Page(FOLDER / "smoothing_vote.py", title="Smoothing vote", icon=":material/how_to_vote:"),
    st.Page(FOLDER / "advfilter.py", title="AdvFilter", icon=":material/neurology:"),
    st.Page(FOLDER / "classic_filters.py", title="Classic filters", icon=":material/blur_linear:"),
    st.Page(FOLDER / "compare.py", title="Compare", icon=":material/compare:"),
    st.Page(FOLDER / "sweep.py", title="Sweep", icon=":material/show_chart:"),
    st.Page(FOLDER / "failures.py", title="Failures", icon=":material/photo_library:"),
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

shell.draw(page, PAGES)
