"""Does the object survive in the network's activity, even where the label is wrong?"""

import streamlit as st

from ui import attacking, defending, heating, places, shell, state

scene = shell.scene()
st.markdown(
    "Where does the network's activity come from? Even where the label is wrong, much of it may still come "
    "from the object: keep that sharp, blur the rest massively, and the classifier may see the object "
    "again. Of the source only the abstract is at hand; how heat and blur are put together is our "
    "reconstruction. The attacker does not know of the defense (an *oblivious* attack)."
)
defending.choices(places.HEAT_AND_BLUR)
result = attacking.result(scene, with_button=True) if state.defends_attacked() else None
defending.workshop(scene, result, heating.more)
