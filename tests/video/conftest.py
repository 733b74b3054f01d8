"""What tests of decoding in another process share."""

from collections.abc import Iterator

import pytest

from hiera_cli.video.isolation.parent import DecodeProcess


@pytest.fixture
def process() -> Iterator[DecodeProcess]:
    """A decoding process that ends with the test."""
    child = DecodeProcess()
    yield child
    child.close()
