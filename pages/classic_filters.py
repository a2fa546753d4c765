"""Do the classic filters help?"""

import streamlit as st

from ui.defense import page
from ui.frame import pages, shell

scene = shell.scene()
st.markdown("What people try first: saving the photo again, blurring it, painting over what stands out.")
page.show(scene, pages.CLASSIC)
