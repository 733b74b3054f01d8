"""Score series in bounded memory."""

import numpy as np

from hiera_cli.tasks.timeline.series import SeriesWriter


def test_a_short_series_is_kept_as_it_is() -> None:
    writer = SeriesWriter()
    for index in range(5):
        writer.add(float(index), np.array([index, 1], np.float32))
    series = writer.result(2)
    assert series.times_seconds.tolist() == [0, 1, 2, 3, 4]
    assert series.at(2.4).tolist() == [2, 1]
    assert series.at(99).tolist() == [4, 1]


def test_a_long_series_is_thinned_by_averaging() -> None:
    writer = SeriesWriter(max_points=8)
    for index in range(64):
        writer.add(float(index), np.array([index], np.float32))
    series = writer.result(1)
    assert 4 <= len(series.times_seconds) < 8
    assert np.allclose(series.times_seconds, series.scores[:, 0])
    assert series.times_seconds.mean() == 31.5


def test_no_window() -> None:
    assert SeriesWriter().result(3).scores.shape == (0, 3)
