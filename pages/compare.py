"""Which defense would have saved this photo, and what does each cost the picture?"""

import streamlit as st

from ui.attack import running
from ui.frame import shell
from ui.side_by_side import compare

scene = shell.scene()
st.markdown(
    "Every defense with the parameters that it has on its own page, on the clean and on the attacked photo. "
    "What the classifier says about the clean photo is taken for the true label. The attacker does not know "
    "of the defenses."
)
compare.show(scene, running.result(scene, with_button=True))
