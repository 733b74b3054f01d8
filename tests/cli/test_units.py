"""Numbers as people read them."""

import pytest

from hiera_cli.cli.units import counted


@pytest.mark.parametrize(
    ("number", "noun", "told", "told_with_verb"),
    [
        (0, "video", "0 videos", "0 videos are"),
        (1, "video", "1 video", "1 video is"),
        (2, "class", "2 classes", "2 classes are"),
    ],
)
def test_nouns_agree_with_their_count(number, noun, told, told_with_verb) -> None:
    assert counted(number, noun) == told
    assert counted(number, noun, be=True) == told_with_verb
