"""How does a universal patch come about?"""

import streamlit as st

from ui.attack import patch_training
from ui.frame import shell
from ui.session.notices import calmly

scene = shell.scene()
st.markdown(
    "One patch for all photos: it learns from random parts of yours, step by step, in the background of your "
    "visit. Stop it when you like what you see."
)
pictures, settings = st.columns([3, 1], gap="large")
with settings, calmly():
    patch_training.settings(scene)
with pictures, calmly():
    patch_training.show()
