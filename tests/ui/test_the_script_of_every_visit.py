from pathlib import Path

from tests.ui.visiting import SCRIPT


def test_streamlit_finds_no_folder_of_pages_beside_it():
    """With one it would start a page without the app, where a server's first visitor follows a link to it."""
    assert Path(SCRIPT).exists()
    assert not (Path(SCRIPT).parent / "pages").exists()
