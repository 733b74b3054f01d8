import pytest

from hiera_cli.report.dataset_page import histogram


def test_a_histogram_counts_every_value_once() -> None:
    bins = histogram([1.0, 1.1, 2.0, 11.0])
    assert [b.count for b in bins] == [2, 1, 1]
    assert [b.height for b in bins] == [1.0, 0.5, 0.5]
    assert bins[0].left == 0.0
    assert bins[-1].left + bins[-1].width == pytest.approx(1.0)


def test_equal_values_are_one_bar_and_none_are_none() -> None:
    assert [(b.left, b.width, b.count) for b in histogram([3.0, 3.0])] == [(0.0, 1.0, 2)]
    assert histogram([]) == ()
