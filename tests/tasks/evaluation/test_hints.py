from dataclasses import replace
from pathlib import Path

import pytest

from hiera_cli.tasks.evaluation.hints import labels_count_from_one
from hiera_cli.tasks.evaluation.metrics import Outcome
from tests.report.accounts import make_account


@pytest.mark.parametrize(
    ("classes", "predicted", "indexed", "expected"),
    [
        (("1", "2"), {1: 0, 2: 1}, True, True),
        (("1", "2"), {1: 1, 2: 2}, True, False),
        (("1", "2"), {1: 3, 2: 3}, True, False),
        (("0", "2"), {0: 3, 2: 1}, True, False),
        (("1", "4"), {1: 1}, True, True),  # the model has no class 4
        (("1", "2"), {1: 0, 2: 1}, False, False),
    ],
)
def test_numbers_that_begin_at_one(
    tmp_path: Path,
    classes: tuple[str, ...],
    predicted: dict[int, int],
    indexed: bool,
    expected: bool,
) -> None:
    account = make_account(tmp_path, ["a", "b", "c", "d"], num_videos=4).account
    dataset = replace(account.plan.dataset, classes=classes, indexed=indexed)
    outcomes = tuple(
        Outcome(f"{target}.mp4", target, guess, 1 if target == guess else 2, 0.9)
        for target, guess in predicted.items()
    )
    account = replace(account, plan=replace(account.plan, dataset=dataset), outcomes=outcomes)
    assert labels_count_from_one(account) is expected
