"""Does smoothing what is busy bring the label back?"""

import streamlit as st

from ui.defense import gradient_smoothing, page
from ui.frame import pages, shell

scene = shell.scene()
st.markdown(
    "A patch is busier than most of a photo: darken what is busy, and the classifier may see the object "
    "again. What it says about the clean photo is taken for the true label."
)
page.show(scene, pages.GRADIENT_SMOOTHING, (gradient_smoothing.ribbon_section, *page.SECTIONS))
