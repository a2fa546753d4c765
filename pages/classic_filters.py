"""Do the classic filters help?"""

import streamlit as st

from ui import attacking, defending, places, shell, state

scene = shell.scene()
st.markdown(
    "What people try first: saving the photo again, blurring it, painting over what stands out. The attacker "
    "does not know of the defense (an *oblivious* attack)."
)
defending.choices(places.CLASSIC)
result = attacking.result(scene, with_button=True) if state.defends_attacked() else None
defending.workshop(scene, result)
