"""Does moving a few pixels bring the label back?"""

import streamlit as st

from ui.defense import page, pixel_deflection
from ui.frame import pages, shell

scene = shell.scene()
st.markdown(
    "An attack is tuned to every single pixel; the object is not. Move a few pixels where the object is not, "
    "smooth away the traces, and the classifier may see the object again."
)
page.show(scene, pages.PIXEL_DEFLECTION, (*page.SECTIONS, pixel_deflection.more))
