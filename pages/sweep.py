"""What does a parameter do, over all of its range?"""

import streamlit as st

from ui.defense import page
from ui.frame import shell
from ui.side_by_side import sweep

scene = shell.scene()
st.markdown(
    "One parameter moves over its range, all others stay as they are on the defense's own page: how sure is "
    "the classifier of the clean label and of the attack's, and how much is left of the picture?"
)
page.on_choice()
sweep.show(scene, page.attacked(scene))
