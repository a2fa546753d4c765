"""Does the object survive in the network's activity, even where the label is wrong?"""

import streamlit as st

from ui.defense import heat_and_blur, page
from ui.frame import pages, shell

scene = shell.scene()
st.markdown(
    "Where does the network's activity come from? Even where the label is wrong, much of it may still come "
    "from the object: keep that sharp, blur the rest massively, and the classifier may see the object "
    "again. Of the source only the abstract is at hand; how heat and blur are put together is our "
    "reconstruction."
)
page.show(scene, pages.HEAT_AND_BLUR, (*page.SECTIONS, heat_and_blur.more))
