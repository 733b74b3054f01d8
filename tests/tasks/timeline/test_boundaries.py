"""Distances of boundaries, by hand."""

import numpy as np
import pytest

from hiera_cli.tasks.timeline.boundaries import pair_boundaries, score_boundaries


def test_the_nearest_are_paired_and_none_counts_twice() -> None:
    found, annotated = np.array([1.0, 1.2, 9.0]), np.array([1.5, 2.0, 5.0])
    np.testing.assert_allclose(pair_boundaries(found, annotated), [0.3, 1.0])


def test_missed_and_extra_boundaries() -> None:
    videos = [
        (np.array([1.0, 1.2, 9.0]), np.array([1.5, 2.0, 5.0])),
        (np.array([3.25]), np.array([3.0])),
    ]
    score = score_boundaries(videos)
    assert (score.num, score.num_missed, score.num_extra) == (4, 1, 1)
    assert score.within_0_6_seconds == 0.5
    assert score.median_seconds == pytest.approx(0.3)
    assert score.worst_seconds == pytest.approx(1.0)


def test_nothing_found() -> None:
    score = score_boundaries([(np.zeros(0), np.array([3.0]))])
    assert (score.num, score.num_missed, score.within_0_6_seconds) == (1, 1, 0)
    assert score.median_seconds is None
