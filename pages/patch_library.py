"""What does a patch do, wherever it lies?"""

import streamlit as st

from ui.attack import patch_library, running
from ui.frame import shell
from ui.session.notices import calmly

scene = shell.scene()
st.markdown(
    "Drag a patch over the photo; let it go, and the classifier looks again. Resize it, turn it, bring your "
    "own, or train one on the next page."
)
if not patch_library.present():
    patch_library.upload()
else:
    photo, numbers = st.columns([3, 2], gap="large")
    with numbers, calmly():
        patch_library.upload()
        patch_library.shaping(scene)
    with photo, calmly():
        patch_library.placing(scene)
    result = running.result(scene, with_button=False)
    if result is not None:
        patch_library.show_result(scene, result)
        patch_library.takeaway(result)
