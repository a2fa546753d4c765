"""A folder of tiny denoisers."""

import pytest

from tests.denoisers.tiny import write_tiny


@pytest.fixture
def folder(tmp_path):
    """Weights and cards of all variants, with few random weights."""
    write_tiny(tmp_path)
    return tmp_path
