"""Do the classic filters help?"""

import streamlit as st

from ui import defending, places, shell

scene = shell.scene()
st.markdown("What people try first: saving the photo again, blurring it, painting over what stands out.")
defending.show(scene, places.CLASSIC)
