import pytest

import classifiers
from attacks.universal_patch import PatchCard
from ui.attack import foolability
from ui.attack.foolability import rows


def card(name, share, classifier, kind="lavan", fooled=0.5):
    val = {"photos": 9, "fooled": fooled, "fooled turned": 0.25, "fooled anywhere": 0.001}
    return PatchCard(name, "golf ball", share, classifier, "0", {"kind": kind, "val": val})


@pytest.fixture
def two_classifiers(monkeypatch):
    cards = {
        "builtin": {"sha256": "a", "accuracy": {"top1": 0.859}},
        "builtin-vgg": {"sha256": "b", "accuracy": {"top1": 0.82}},
    }
    monkeypatch.setattr(classifiers, "builtin_names", lambda: tuple(cards))
    monkeypatch.setattr(classifiers, "read_card", lambda name: cards[name])
    monkeypatch.setattr(classifiers, "title", str.upper)


@pytest.mark.usefixtures("two_classifiers")
def test_a_line_for_each_patch_by_classifier_the_smallest_first():
    found = rows(
        [
            card("big", 0.05, "builtin-vgg:b", "adversarial-patch", 0.996),
            card("small", 0.022, "builtin-vgg:b"),
            card("theirs", 0.1, "builtin:a"),
            card("of weights that are gone", 0.1, "builtin:old"),
        ]
    )
    assert [(row["classifier"], row["area"]) for row in found] == [
        ("BUILTIN", "10 %"),
        ("BUILTIN-VGG", "2.2 %"),
        ("BUILTIN-VGG", "5 %"),
    ]
    assert found[2] == {
        "classifier": "BUILTIN-VGG",
        "right without a patch": "82 %",
        "patch says": "golf ball",
        "learned for": "every place",
        "area": "5 %",
        "fooled": "> 99 %",
        "… turned": "25 %",
        "… anywhere": "< 1 %",
    }


@pytest.mark.usefixtures("two_classifiers")
def test_without_a_patch_there_is_no_card(monkeypatch):
    monkeypatch.setattr(foolability, "PATCHES", {"old": card("old", 0.1, "builtin:old")})
    monkeypatch.setattr(foolability.st, "expander", None)
    foolability.show()
