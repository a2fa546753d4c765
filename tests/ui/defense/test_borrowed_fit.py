import pytest

from ui.defense.fitted import borrowed


@pytest.mark.parametrize(
    ("name", "fitted_on", "sentence"),
    [
        ("tiny", "tiny-0", ""),
        ("tiny", "tiny:1", "It was fitted on other weights of this classifier."),
        ("tiny", "builtin-vgg:1", "It was fitted on Built-in VGG, not on this classifier."),
        ("builtin-vgg", "imagenet:1", "It was fitted on ImageNet (1000 labels), not on this classifier."),
    ],
)
def test_whose_fit_it_is(tiny_classifier, name, fitted_on, sentence):
    tiny_classifier.name = name
    assert borrowed(tiny_classifier, fitted_on) == sentence
