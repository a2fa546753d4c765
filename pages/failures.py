"""Where does a defense fail, and why?"""

import streamlit as st

from ui import choosing_run, failing, shell

scene = shell.scene()
st.markdown(
    "Many photos through attacks and defenses: how often is the label right, on which photos is it not, and "
    "why? Press a photo to see what happened to it, step by step."
)
run = choosing_run.choice(scene)
if run is not None:
    failing.show(scene, run)
