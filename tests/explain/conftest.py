"""Photos and a classifier in float64, so that methods can be told apart from rounding."""

import pytest


@pytest.fixture
def model(tiny_classifier):
    return tiny_classifier.double()


@pytest.fixture
def x(photos):
    return photos.double()
