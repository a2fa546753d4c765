"""How is the classifier fooled?"""

import streamlit as st

from ui import attack_result, attacking, foolability, shell
from ui.calm import calmly

scene = shell.scene()
st.markdown("Change the photo a little, and the classifier sees something that is not there.")
pictures, settings = st.columns([3, 1], gap="large")
with settings, calmly():
    attacking.settings(scene)
with pictures:
    result = attacking.result(scene, with_button=False)
    if result is not None:
        attack_result.show(scene, result)
    foolability.show()
