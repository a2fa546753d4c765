"""Where does a defense fail, and why?"""

import streamlit as st

from ui.frame import shell
from ui.runs import choice, page

scene = shell.scene()
st.markdown(
    "Many photos through attacks and defenses: how often is the label right, on which photos is it not, and "
    "why? Press a photo to see what happened to it, step by step."
)
run = choice.choice(scene)
if run is not None:
    page.show(scene, run)
