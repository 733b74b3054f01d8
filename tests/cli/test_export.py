import pytest

from hiera_cli.cli.export import spread
from hiera_cli.inputs import InputPath

FILES = [InputPath(f"{index}.mp4", f"{index}.mp4") for index in range(10)]


@pytest.mark.parametrize(
    ("num_views", "expected"),
    [(1, [0]), (4, [0, 5]), (8, [0, 2, 5, 7]), (20, list(range(10))), (64, list(range(10)))],
)
def test_clips_are_taken_from_the_whole_list(num_views: int, expected: list[int]) -> None:
    assert spread(FILES, num_views) == [FILES[index] for index in expected]
