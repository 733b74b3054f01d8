import numpy as np
import pytest

from hiera_cli.datasets.segmentations import filled, read_segmentation, run_lengths
from hiera_cli.errors import UsageError


def read(value, *, width=4, height=3):
    return read_segmentation(value, "annotation 1", width=width, height=height)


def test_runs_go_down_the_columns():
    mask = np.array([[0, 1, 0], [1, 1, 0]], bool)
    assert run_lengths(mask) == [1, 3, 2]
    assert run_lengths(~mask) == [0, 1, 3, 2]
    assert (filled([1, 3, 2], width=3, height=2) == mask).all()


def test_both_spellings_of_runs():
    masks = pytest.importorskip("pycocotools.mask")
    rng = np.random.default_rng(0)
    for _ in range(50):
        height, width = (int(side) for side in rng.integers(1, 60, 2))
        mask = rng.random((height, width)) < rng.random()
        text = masks.encode(np.asfortranarray(mask, np.uint8))["counts"].decode()
        size = [height, width]
        shape = read({"size": size, "counts": text}, width=width, height=height)
        listed = read({"size": size, "counts": run_lengths(mask)}, width=width, height=height)
        assert shape == listed
        assert (filled(shape.runs, width=width, height=height) == mask).all()


def test_polygons():
    shape = read([[0, 0, 2, 0, 2, 2], [0, 0, 1, 1, 0, 1]])
    assert [list(part) for part in shape.polygons] == [[0, 0, 2, 0, 2, 2], [0, 0, 1, 1, 0, 1]]
    assert not shape.is_empty
    assert read([[1, 1, 2, 2, 3, 3]]).is_empty
    assert read({"size": [3, 4], "counts": [12]}).is_empty


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "no segmentation"),
        ([], "no segmentation"),
        ("text", "neither polygons"),
        ([[]], "no polygon"),
        ([[0, 0, 1, 1]], "no polygon"),
        ([[0, 0, 1, 1, 2]], "no polygon"),
        ([[0, 0, 1, 1, 2, float("nan")]], "no polygon"),
        ([[0, 0, 1, 1, 2, 1e9]], "reaches 1e\\+09 in a picture of 4 x 3"),
        ([0, 0, 1, 1, 2, 2], "no polygon"),
        ({"size": [4, 3], "counts": [12]}, r"run lengths of \[4, 3\]"),
        ({"size": [3, 4]}, "do not fill"),
        ({"size": [3, 4], "counts": [5, 5]}, "do not fill its 12 pixels"),
        ({"size": [3, 4], "counts": [-1, 13]}, "do not fill"),
        ({"size": [3, 4], "counts": [1.5, 10.5]}, "do not fill"),
        ({"size": [3, 4], "counts": "~~"}, "do not fill"),
        ({"size": [3, 4], "counts": "P" * 100}, "do not fill"),
    ],
)
def test_what_is_no_shape(value, message):
    with pytest.raises(UsageError, match=message):
        read(value)


def test_masks_that_no_memory_holds():
    huge = {"size": [10**6, 10**6], "counts": [0, 10**12]}
    with pytest.raises(UsageError, match="too large"):
        read(huge, width=10**6, height=10**6)
