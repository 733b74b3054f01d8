import pytest

from hiera_cli.video.size import resized_size


@pytest.mark.parametrize(
    ("height", "width", "short_side", "expected"),
    [
        (256, 340, 256, (256, 340)),
        (240, 320, 224, (224, 298)),
        (320, 240, 224, (298, 224)),
        (270, 480, 256, (256, 455)),
        (100, 100, 224, (224, 224)),
        (224, 398, 224, (224, 398)),  # and not one less, by the rounding of 398 / 224 * 224
    ],
)
def test_the_longer_side_is_rounded_down(
    height: int, width: int, short_side: int, expected: tuple[int, int]
) -> None:
    assert resized_size(height, width, short_side) == expected
