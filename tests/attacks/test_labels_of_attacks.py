"""Which label an attack is after: the true or predicted one to leave, a random one of its own to reach."""

from collections import Counter

import pytest
import torch

from attacks import ATTACKS, labels_for, random_target

LOGITS = torch.eye(5)[[1, 0, 3]]


def test_without_the_truth_the_prediction_is_left():
    assert labels_for(ATTACKS["fgsm"](), LOGITS).tolist() == [1, 0, 3]


def test_the_true_label_is_left_where_it_is_known():
    assert labels_for(ATTACKS["fgsm"](), LOGITS, truth=torch.tensor([4, 0, 2])).tolist() == [4, 0, 2]


def test_a_random_target_is_neither_the_true_nor_the_predicted_label():
    truth = torch.tensor([4, 0, 2])
    for seed in range(50):
        drawn = labels_for(ATTACKS["lavan"](), LOGITS, seed=seed, photos="abc", truth=truth)
        for target, predicted, true in zip(drawn.tolist(), (1, 0, 3), truth.tolist(), strict=True):
            assert target not in (predicted, true)


def test_a_random_target_is_the_photos_own():
    drawn = [random_target(f"photo {number}", 5, 0, (2,)) for number in range(400)]
    counts = Counter(drawn)
    assert 2 not in counts
    assert min(counts[label] for label in (0, 1, 3, 4)) > 60
    assert drawn == [random_target(f"photo {number}", 5, 0, (2,)) for number in range(400)]
    assert drawn != [random_target(f"photo {number}", 5, 1, (2,)) for number in range(400)]


def test_who_excludes_more_draws_the_same_unless_it_is_excluded():
    for number in range(200):
        alone = random_target(f"photo {number}", 5, 0, (2,))
        assert random_target(f"photo {number}", 5, 0, (2, 4)) == alone or alone == 4


@pytest.mark.parametrize(("labels", "excluded", "drawn"), [(2, (0, 1), 1), (2, (1, 1), 0), (1, (0, 0), 0)])
def test_where_all_are_excluded_the_last_is_free(labels, excluded, drawn):
    assert random_target("photo", labels, 0, excluded) == drawn


def test_alone_as_in_a_batch():
    together = labels_for(ATTACKS["lavan"](), LOGITS, photos="abc")
    alone = [labels_for(ATTACKS["lavan"](), LOGITS[n : n + 1], photos="abc"[n]) for n in range(3)]
    assert torch.cat(alone).tolist() == together.tolist()


def test_a_chosen_target():
    assert labels_for(ATTACKS["lavan"](), LOGITS, target=2).tolist() == [2, 2, 2]
    assert labels_for(ATTACKS["fgsm"](goal="targeted"), LOGITS, target=2).tolist() == [2, 2, 2]


def test_a_random_target_reaches_all_labels_but_the_prediction():
    drawn = [labels_for(ATTACKS["lavan"](), LOGITS, seed=seed).tolist() for seed in range(60)]
    assert [set(column) for column in zip(*drawn, strict=True)] == [
        {0, 2, 3, 4},
        {1, 2, 3, 4},
        {0, 1, 2, 4},
    ]


@pytest.mark.parametrize("target", [-1, 5])
def test_a_target_out_of_range(target):
    with pytest.raises(ValueError, match=f"0 to 4, not {target}"):
        labels_for(ATTACKS["lavan"](), LOGITS, target=target)


def test_a_target_for_an_attack_that_takes_none():
    with pytest.raises(ValueError, match=r"Random noise takes no target$"):
        labels_for(ATTACKS["noise"](), LOGITS, target=1)
    with pytest.raises(ValueError, match="FGSM takes no target unless its goal is targeted"):
        labels_for(ATTACKS["fgsm"](), LOGITS, target=1)
