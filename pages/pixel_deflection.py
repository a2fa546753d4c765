"""Does moving a few pixels bring the label back?"""

import streamlit as st

from ui import defending, deflecting, places, shell

scene = shell.scene()
st.markdown(
    "An attack is tuned to every single pixel; the object is not. Move a few pixels where the object is not, "
    "smooth away the traces, and the classifier may see the object again."
)
defending.show(scene, places.PIXEL_DEFLECTION, deflecting.more)
