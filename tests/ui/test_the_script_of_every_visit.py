import sys
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.ui.visiting import SCRIPT


def test_streamlit_finds_no_folder_of_pages_beside_it():
    """With one it would start a page without the app, where a server's first visitor follows a link to it."""
    assert Path(SCRIPT).exists()
    assert not (Path(SCRIPT).parent / "pages").exists()


class Watched(list):
    """A path of imports that counts how often an entry moves."""

    moves = 0

    def insert(self, place, entry):
        self.moves += 1
        super().insert(place, entry)

    def remove(self, entry):
        self.moves += 1
        super().remove(entry)


@pytest.mark.parametrize("known", [True, False])
def test_a_run_of_it_leaves_the_path_of_imports_alone(known, monkeypatch):
    """Other threads walk it meanwhile, and would miss an entry; without ours Streamlit moves them."""
    folder = str(Path(SCRIPT).parent)
    path = Watched(entry for entry in sys.path if known or entry != folder)
    monkeypatch.setattr(sys, "path", path)
    assert not AppTest.from_file(SCRIPT, default_timeout=240).run().exception
    assert (path.moves == 0) == known
