"""What every test finds as it was: the package's logger and the signal handlers."""

import logging
import signal
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _leave_no_trace() -> Iterator[None]:
    logger = logging.getLogger("hiera_cli")
    handlers, propagate, level = list(logger.handlers), logger.propagate, logger.level
    on_interrupt, on_term = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    yield
    logger.handlers[:], logger.propagate = handlers, propagate
    logger.setLevel(level)
    signal.signal(signal.SIGINT, on_interrupt)
    signal.signal(signal.SIGTERM, on_term)
