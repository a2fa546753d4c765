"""Which defense would have saved this photo, and what does each cost the picture?"""

import streamlit as st

from ui import attacking, comparing, shell

scene = shell.scene()
st.markdown(
    "Every defense with the parameters that it has on its own page, on the clean and on the attacked photo. "
    "What the classifier says about the clean photo is taken for the true label. The attacker does not know "
    "of the defenses."
)
comparing.show(scene, attacking.result(scene, with_button=True))
