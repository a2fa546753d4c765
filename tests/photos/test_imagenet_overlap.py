"""Which of ImageNet's labels show the same as the built-in classifiers' 112."""

import classifiers
from photos.imagenet_overlap import imagenet_overlap, is_covered
from photos.source import imagenet_labels


def test_every_one_of_the_112_labels_is_decided():
    labels = classifiers.read_card("builtin")["labels"]
    assert list(imagenet_overlap()) == labels
    assert set().union(*imagenet_overlap().values()) <= set(imagenet_labels().values())


def test_labels_of_the_same_name_are_the_same():
    imagenet = set(imagenet_labels().values())
    assert all(label in same for label, same in imagenet_overlap().items() if label in imagenet)


def test_a_range_is_all_from_its_first_to_its_last():
    assert imagenet_overlap()["cat"] == {
        "tabby",
        "tiger cat",
        "Persian cat",
        "Siamese cat",
        "Egyptian cat",
    }
    assert len(imagenet_overlap()["dog"]) == 118 + 3


def test_it_is_asked_in_both_directions():
    few, many = classifiers.read_card("builtin")["labels"], classifiers.read_card("imagenet")["labels"]
    assert is_covered(("n02123045", "tabby"), few)
    assert not is_covered(("teapot",), few)
    assert is_covered(("motorbike",), many)
    assert not is_covered(("yin yang",), many)
    assert is_covered(("unheard-of",), ["unheard-of"])
    assert not is_covered(("unheard-of",), many)
