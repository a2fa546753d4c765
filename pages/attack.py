"""How is the classifier fooled?"""

import streamlit as st

from ui.attack import foolability, running, settings
from ui.attack.result import show_result
from ui.frame import doubt, shell
from ui.session.notices import calmly
from ui.session.workbench import workbench

scene = shell.scene()
st.markdown("Change the photo a little, and the classifier sees something that is not there.")
pictures, controls = st.columns([3, 1], gap="large")
with controls, calmly():
    settings.show(scene)
with pictures:
    result = running.result(scene, with_button=False)
    if result is not None:
        show_result(scene, result)
    else:
        doubt.note(scene, workbench().story(scene))
    foolability.show()
