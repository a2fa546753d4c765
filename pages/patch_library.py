"""What does a patch do, wherever it lies?"""

import streamlit as st

from ui import attacking, library, shell
from ui.calm import calmly

scene = shell.scene()
st.markdown(
    "Drag a patch over the photo; let it go, and the classifier looks again. Resize it, turn it, bring your "
    "own, or train one on the next page."
)
if not library.present():
    library.upload()
else:
    photo, numbers = st.columns([3, 2], gap="large")
    with numbers, calmly():
        library.upload()
        library.shaping(scene)
    with photo, calmly():
        library.place(scene)
    result = attacking.result(scene, with_button=False)
    if result is not None:
        library.outcome(scene, result)
        library.takeaway(result)
