from hiera_cli.report.plots import (
    MAX_MATRIX_CLASSES,
    Cell,
    Segment,
    calibration_bars,
    confusion_matrix,
    split_bar,
)
from hiera_cli.tasks.evaluation.metrics import CalibrationBin, Outcome, measure


def outcomes(*pairs: tuple[int, int]) -> list[Outcome]:
    return [Outcome(str(i), t, p, 1 if t == p else 2, 0.6) for i, (t, p) in enumerate(pairs)]


def test_parts_of_a_bar_adjoin_and_empty_ones_vanish() -> None:
    assert split_bar({"right": 3, "failed": 0, "missing": 1}) == (
        Segment("right", 3, 0.0, 75.0),
        Segment("missing", 1, 75.0, 25.0),
    )
    assert split_bar({"right": 0}) == ()


def test_the_matrix_holds_counts_and_shares_of_rows() -> None:
    matrix = confusion_matrix(measure(outcomes((5, 5), (5, 5), (5, 9), (7, 5))))
    assert matrix.classes == (5, 7, 9)
    assert matrix.cells == (Cell(0, 0, 2, 2 / 3), Cell(0, 2, 1, 1 / 3), Cell(1, 0, 1, 1.0))
    assert matrix.num_others == 0


def test_a_large_matrix_keeps_the_classes_with_most_errors() -> None:
    right = [(i, i) for i in range(100)]
    wrong = [(i, i + 1) for i in range(60, 100, 2)] * 3
    matrix = confusion_matrix(measure(outcomes(*right, *wrong)))
    assert len(matrix.classes) == MAX_MATRIX_CLASSES
    assert min(matrix.classes) == 60
    assert matrix.num_others == 100 - MAX_MATRIX_CLASSES


def test_calibration_bars_weigh_what_they_hold() -> None:
    bins = [CalibrationBin(0.2, 0.4, 1, 0.3, 0.0), CalibrationBin(0.8, 1.0, 3, 0.9, 1.0)]
    low, high = calibration_bars(bins)
    assert (low.weight, high.weight) == (0.25, 0.75)
    assert (high.left, round(high.width, 9), high.accuracy, high.confidence) == (0.8, 0.2, 1.0, 0.9)
