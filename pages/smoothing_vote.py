"""Do the photo and its blurred copies agree?"""

import streamlit as st

from ui import attacking, defending, places, shell, state, voting

scene = shell.scene()
st.markdown(
    "Noise goes faster than the object when a photo is blurred. The photo, the blurred and the twice blurred "
    "photo vote; where they disagree the photo is **rejected**, which is better than a wrong label. The "
    "attacker does not know of the defense (an *oblivious* attack)."
)
defending.choices(places.SMOOTHING_VOTE)
result = attacking.result(scene, with_button=True) if state.defends_attacked() else None
defending.workshop(scene, result, voting.more)
