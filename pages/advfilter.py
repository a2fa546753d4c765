"""A learned network filters each pixel by a kernel of its own, and weighs two such photos by their doubt."""

import streamlit as st

from ui.defense import advfilter, page
from ui.frame import pages, shell

scene = shell.scene()
st.markdown(
    "A network that has learned from attacked photos looks at this one and gives each pixel a filter "
    "of its own. PA-Filt has two opinions, one from all strengths of attack and one from strong attacks "
    "alone, and fuses them pixel by pixel by how unsure each is."
)
page.show(scene, pages.ADVFILTER, (*page.SECTIONS, advfilter.more))
