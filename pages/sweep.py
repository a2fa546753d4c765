"""What does a parameter do, over all of its range?"""

import streamlit as st

from ui import defending, shell, sweeping

scene = shell.scene()
st.markdown(
    "One parameter moves over its range, all others stay as they are on the defense's own page: how sure is "
    "the classifier of the clean label and of the attack's, and how much is left of the picture?"
)
defending.on_choice()
sweeping.show(scene, defending.attacked(scene))
