"""Do the photo and its blurred copies agree?"""

import streamlit as st

from ui.defense import page, smoothing_vote
from ui.frame import pages, shell

scene = shell.scene()
st.markdown(
    "Noise goes faster than the object when a photo is blurred. The photo, the blurred and the twice blurred "
    "photo vote; where they disagree the photo is **rejected**, which is better than a wrong label."
)
page.show(scene, pages.SMOOTHING_VOTE, (*page.SECTIONS, smoothing_vote.more))
