"""Do the photo and its blurred copies agree?"""

import streamlit as st

from ui import defending, places, shell, voting

scene = shell.scene()
st.markdown(
    "Noise goes faster than the object when a photo is blurred. The photo, the blurred and the twice blurred "
    "photo vote; where they disagree the photo is **rejected**, which is better than a wrong label."
)
defending.show(scene, places.SMOOTHING_VOTE, voting.more)
