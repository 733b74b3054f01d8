from dataclasses import replace

import numpy as np
import pytest
import torch

from hiera_cli.errors import UsageError
from hiera_cli.heads.choose import check_classes, choose_setting, held_out_scores
from hiera_cli.heads.heads import LinearSetting, NeighbourSetting
from hiera_cli.heads.options import ClassWeights, HeadOptions, is_balanced
from tests.heads.examples import clouds

LINEAR = HeadOptions()


def test_overlapping_classes_want_small_weights() -> None:
    easy = choose_setting(clouds(spread=0.3), LINEAR).setting
    hard = choose_setting(clouds(spread=8.0), LINEAR).setting
    assert isinstance(easy, LinearSetting)
    assert isinstance(hard, LinearSetting)
    assert hard.strength < easy.strength


def test_a_given_strength_is_taken() -> None:
    chosen = choose_setting(clouds(), HeadOptions(strength=0.25))
    assert isinstance(chosen.setting, LinearSetting)
    assert chosen.setting.strength == 0.25
    assert set(chosen.losses) == {"clips", "means"}
    assert chosen.loss == min(chosen.losses.values())


def test_neighbours_are_chosen_too() -> None:
    chosen = choose_setting(clouds(), HeadOptions(head="knn"))
    assert isinstance(chosen.setting, NeighbourSetting)
    assert chosen.loss < 0.6


def test_held_out_scores_know_nothing_of_labels_that_are_noise() -> None:
    examples = clouds((40, 40))
    shuffled = np.random.default_rng(0).permutation(80)
    noise = replace(examples, targets=examples.targets[torch.from_numpy(shuffled)])
    scores = held_out_scores(
        noise, LinearSetting("clips", 100.0), num_folds=5, balanced=False, options=LINEAR
    )
    right = (scores.argmax(1) == noise.targets.argmax(1)).double().mean()
    assert 0.3 < right < 0.7


def test_a_group_is_never_on_both_sides() -> None:
    """Twins with labels of their own are recognised by heart, unless they are kept together."""
    rng = np.random.default_rng(0)
    twins = clouds((40, 40), clips=1, width=60)
    features = torch.from_numpy(np.repeat(rng.normal(size=(40, 60)), 2, axis=0))
    targets = torch.from_numpy(np.eye(2)[np.repeat(rng.integers(0, 2, 40), 2)])
    apart = replace(twins, features=features, targets=targets)
    together = replace(apart, groups=np.repeat(np.arange(40), 2))
    setting, right = LinearSetting("clips", 100.0), []
    for examples in (apart, together):
        scores = held_out_scores(examples, setting, num_folds=5, balanced=False, options=LINEAR)
        right.append(float((scores.argmax(1) == targets.argmax(1)).double().mean()))
    assert right[0] > 0.85
    assert right[1] < 0.7


@pytest.mark.parametrize(
    ("counts", "asked", "expected"),
    [
        ((30, 10), "auto", False),
        ((31, 10), "auto", True),
        ((30, 30), "balanced", True),
        ((90, 10), "none", False),
    ],
)
def test_classes_count_the_same_where_the_largest_is_large(
    counts: tuple[int, int], asked: ClassWeights, expected: bool
) -> None:
    assert is_balanced(asked, counts) is expected


def test_one_class_is_no_choice() -> None:
    with pytest.raises(UsageError, match="all videos are of one class, class 0"):
        check_classes(clouds((5,)))


def test_an_empty_class_is_named() -> None:
    with pytest.raises(UsageError, match="no video of class class 1 can be used"):
        check_classes(clouds((5, 0, 3)))


def test_one_clip_a_class_cannot_be_checked() -> None:
    with pytest.raises(UsageError, match="every class has one video") as caught:
        check_classes(clouds((1, 1, 1)))
    assert "at least two videos" in caught.value.hint


def test_a_class_with_one_clip_is_pointed_out(caplog: pytest.LogCaptureFixture) -> None:
    assert check_classes(clouds((6, 1, 3))) == 3
    assert "class class 1 has a single video" in caplog.text
